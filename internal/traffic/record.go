package traffic

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Recorder keeps records of shifts beside the routes. All methods are safe for concurrent
// use and return the errors of Router.
type Recorder interface {
	// Records returns the records on each route, in the order of their ids. What it
	// returns may be a few seconds old. A route without records is missing.
	Records(ctx context.Context, routes []string) (map[string][]Record, error)
	// Put writes the record to the routes, in place of what the routes have of the same
	// shift. Without whole, it writes only the fields that change during a shift: Phase,
	// Reason, Renewal, Expires, Reached and Answers.
	Put(ctx context.Context, routes []string, r Record, whole bool) error
	// Remove removes the record of a shift from the routes, and all requests. It succeeds where there
	// is none.
	Remove(ctx context.Context, routes []string, shift string) error
	Requester
}

// Observer is a Recorder whose reads of records also show what the routes do.
type Observer interface {
	// Observe is Records, and returns the state of each route by the same reads. One whose state is not known,
	// such as a route that does not exist, is missing. No Write may rest on the states.
	Observe(ctx context.Context, routes []string) (map[string][]Record, map[string]State, error)
}

// ErrRefusedRecord reports that the router does not accept a record, such as a resource
// that has too many tags.
var ErrRefusedRecord = errors.New("the record was refused")

// Phase is how far a recorded shift is.
type Phase string

// The phases.
const (
	PhaseOpen        Phase = "open"
	PhaseRollingBack Phase = "rolling_back" // its owner, not somebody else, returns the traffic
	PhaseCompleted   Phase = "completed"    // every route was read back at the goal, but the state may not be saved
	PhaseRolledBack  Phase = "rolled_back"  // every route was read back where the shift started
	PhaseRejected    Phase = "rejected"     // the same, and the version is rejected
	PhaseStopped     Phase = "stopped"      // its owner died, and on_interrupt leaves the traffic where it was
)

// Record is what a shift leaves beside the traffic, so that nobody has to guess after a
// crash who moved it.
type Record struct {
	Shift   string `json:"shift"`  // id of the shift
	Switch  string `json:"switch"` // see SwitchID
	Routes  int    `json:"routes"` // number of routes of the switch
	Owner   Owner  `json:"owner"`
	Phase   Phase  `json:"phase"`
	Renewal int    `json:"renewal"` // counts renewals of the lease

	Expires time.Time   `json:"expires"` // of the lease, in whole seconds
	Reached shift.Share `json:"reached"` // the part of the shift that was last read back

	Answers string `json:"answers,omitempty"` // to the last requests; see AnswerTo

	Goal        string `json:"goal,omitempty"` // identifies desired weights, versions and groups; empty: to none
	Environment string `json:"environment,omitempty"`
	Version     string `json:"version,omitempty"` // of Environment, which gains the largest share
	Retry       string `json:"retry,omitempty"`   // the value of the argument, as GroupKey would hash it
	Reason      string `json:"reason,omitempty"`  // why the version is rejected; empty: it is not

	// Requests are what people ask of the shift. A Put does not write them.
	Requests []Request `json:"-"`

	// From and To are the shares by GroupKey of the route that has the record. From is nil
	// where the route did not forward.
	From map[string]shift.Share `json:"from,omitempty"`
	To   map[string]shift.Share `json:"to,omitempty"`
}

// IsOpen reports whether the traffic is not back where the shift started. A shift that completed
// counts as well: where its record is still there, the state may not know of it.
// A phase that is not known here is one of a newer version, which knows what it means.
func (r Record) IsOpen() bool {
	return slices.Contains([]Phase{"", PhaseOpen, PhaseRollingBack, PhaseCompleted, PhaseStopped}, r.Phase)
}

// Owner is the process that runs a shift.
type Owner struct {
	User string `json:"user,omitempty"`
	Host string `json:"host,omitempty"`
	// Boot identifies a run of the operating system and its process ids. Two owners with
	// the same Boot can check each other's PID.
	Boot string `json:"boot,omitempty"`
	PID  int    `json:"pid,omitempty"`
	// Start identifies the process among those that had its PID before.
	Start string `json:"start,omitempty"`
	Run   string `json:"run,omitempty"` // URL of the CI run; empty: none
	// Guardian takes the shift over when the owner dies; its zero value: there is none.
	Guardian Process `json:"guardian,omitzero"`
}

// Process is a process of the same Boot as its owner.
type Process struct {
	PID   int    `json:"pid,omitempty"`
	Start string `json:"start,omitempty"` // identifies the process among those that had its PID before
}

// String names the owner for people, such as "ann on ci-7 (https://…/runs/42)".
func (o Owner) String() string {
	text := o.User
	if o.Host != "" {
		text += " on " + o.Host
	}
	if o.Run != "" {
		text += " (" + o.Run + ")"
	}
	return text
}

// Left is a shift that its record, or the memory of a failed apply, shows.
type Left struct {
	Record // of one of the routes, without From and To
	// From and To are those of each route that had the record.
	From map[string]map[string]shift.Share `json:"from"`
	To   map[string]map[string]shift.Share `json:"to"`
}

// MergeRecords returns the shifts that have a record on some route, by id.
func MergeRecords(records map[string][]Record) []Left {
	merged := map[string]*Left{}
	for _, route := range slices.Sorted(maps.Keys(records)) {
		for _, r := range records[route] {
			left := merged[r.Shift]
			if left == nil {
				left = &Left{Record: r, From: map[string]map[string]shift.Share{}, To: map[string]map[string]shift.Share{}}
				merged[r.Shift] = left
			}
			left.From[route], left.To[route] = r.From, r.To
			left.merge(r)
		}
	}
	var all []Left
	for _, id := range slices.Sorted(maps.Keys(merged)) {
		all = append(all, *merged[id])
	}
	return all
}

// merge takes over what another route knows better: a write of the record may have reached
// only some of them.
func (l *Left) merge(r Record) {
	if r.Renewal > l.Renewal {
		l.Renewal, l.Expires, l.Answers = r.Renewal, r.Expires, r.Answers
	}
	l.Reached = max(l.Reached, r.Reached)
	if l.Reason == "" {
		l.Reason = r.Reason
	}
	if r.IsOpen() && l.Phase != r.Phase {
		l.Phase = openPhase(l.Phase, r.Phase)
	}
	for _, request := range r.Requests {
		if !slices.Contains(l.Requests, request) {
			l.Requests = append(slices.Clip(l.Requests), request)
		}
	}
	l.Record.From, l.Record.To = nil, nil
}

// openPhase is the phase of a shift where two of its routes differ and one is open.
func openPhase(a, b Phase) Phase {
	if a == PhaseRollingBack || b == PhaseRollingBack {
		return PhaseRollingBack
	}
	return PhaseOpen
}

// CutMark precedes the hash of a value that was too long for a record.
const CutMark = "…#"

// SameValue reports whether a value is the one that a record has, also where that was cut.
func SameValue(recorded, value string) bool {
	if _, hash, cut := strings.Cut(recorded, CutMark); cut {
		return hash == GroupKey(value)
	}
	return recorded == value
}

// GroupKey identifies a group, or another long value, in a record: 12 hexadecimal digits.
func GroupKey(group string) string {
	sum := sha256.Sum256([]byte(group))
	return hex.EncodeToString(sum[:6])
}

// SwitchID identifies a switch by its routes. Two switches of two states with the same
// routes have the same id: they release the same service.
func SwitchID(routes []Route) string {
	var ids []string
	for _, route := range routes {
		ids = append(ids, route.ID)
	}
	slices.Sort(ids)
	text := ""
	for _, id := range ids {
		text += id + "\n"
	}
	return GroupKey(text)
}

// KeyedShares returns the shares of a state by GroupKey; nil where it does not forward.
func KeyedShares(s State) map[string]shift.Share {
	shares := shift.FromRaw(s.Weights)
	if shares == nil {
		return nil
	}
	keyed := map[string]shift.Share{}
	for group, share := range shares {
		keyed[GroupKey(group)] = share
	}
	return keyed
}
