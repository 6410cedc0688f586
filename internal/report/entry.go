package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Version is the version of the format of journals. It increases when a property changes its
// meaning or is removed; new events and properties can be added without.
const Version = 1

// The events of a journal beside those of rollout.
const (
	Opened = "journal_opened" // the first line: what is shifted
	Ended  = "result"         // the last line: what became of it
)

// Entry is a line of a journal. templates/journal.schema.json documents it.
type Entry struct {
	// N counts the lines from 0. A gap is lines that were lost, because the disk was too slow.
	N     int       `json:"n"`
	At    time.Time `json:"at"`
	Event string    `json:"event"`

	Version int    `json:"version,omitempty"` // with Opened
	Shift   *Shift `json:"shift,omitempty"`   // with Opened

	Kind    string      `json:"kind,omitempty"`  // of the shift, with shift_started
	Phase   string      `json:"phase,omitempty"` // with phase_started
	Route   string      `json:"route,omitempty"`
	Weights Percentages `json:"weights,omitempty"` // by environment
	// Error is why a write failed; empty: it did not.
	Error string `json:"error,omitempty"`

	Gate     string        `json:"gate,omitempty"`
	Status   string        `json:"status,omitempty"`
	Measured []Measurement `json:"measured,omitempty"`
	Targets  []Targets     `json:"targets,omitempty"`
	Detail   string        `json:"detail,omitempty"`
	// TookSeconds is how long a gate was evaluated or a write took.
	TookSeconds float64 `json:"took_seconds,omitempty"`

	Failure *Failure `json:"failure,omitempty"` // with shift_ended
	Result  *Result  `json:"result,omitempty"`  // with Ended
}

// Percentages are shares of the traffic in percent, by environment.
type Percentages map[string]float64

// Shift is what a journal is about.
type Shift struct {
	ID      string       `json:"id"`
	Entries []string     `json:"entry_points"`
	Routes  []ShiftRoute `json:"routes"`
	// Groups are the environments of the target groups, by their ids. A guardian knows only those.
	Groups   map[string]string `json:"groups,omitempty"`
	Versions map[string]string `json:"versions,omitempty"` // by environment, of those that have one
	To       Percentages       `json:"to,omitempty"`       // the desired weights
	Schedule string            `json:"schedule,omitempty"`
	Gates    []ShiftGate       `json:"gates,omitempty"`
	Owner    *traffic.Owner    `json:"owner,omitempty"`
	Provider string            `json:"provider_version,omitempty"`
}

// ShiftRoute is a route of the switch.
type ShiftRoute struct {
	ID    string `json:"id"`
	Entry string `json:"entry_point"`
	Label string `json:"label,omitempty"` // such as "listener :443"; empty: not known
}

// ShiftGate is a gate of the switch.
type ShiftGate struct {
	Name   string `json:"name"`
	DryRun bool   `json:"dry_run,omitempty"`
	When   string `json:"when,omitempty"`
	// IntervalSeconds is the pause between evaluations.
	IntervalSeconds float64 `json:"interval_seconds,omitempty"`
}

// Measurement is a number of a gate and the limits for it, both inclusive.
type Measurement struct {
	Name    string     `json:"name"`
	Entry   string     `json:"entry_point,omitempty"`
	Unit    string     `json:"unit,omitempty"`
	Value   *float64   `json:"value,omitempty"` // nil: not a finite number
	Min     *float64   `json:"min,omitempty"`
	Max     *float64   `json:"max,omitempty"`
	Samples int        `json:"samples,omitempty"`
	From    *time.Time `json:"from,omitempty"` // of the window
	To      *time.Time `json:"to,omitempty"`
}

// Targets counts the targets of what gets traffic, or of what gives it.
type Targets struct {
	Entry       string `json:"entry_point"`
	Environment string `json:"environment"`
	Gains       bool   `json:"gains"`
	Healthy     int    `json:"healthy"`
	Unhealthy   int    `json:"unhealthy"`
	Initial     int    `json:"initial"`
	Draining    int    `json:"draining"`
	Unused      int    `json:"unused"`
}

// Failure is why the engine ended a shift before its goal.
type Failure struct {
	Cause       string `json:"cause"`
	Disposition string `json:"disposition,omitempty"` // what was done about the traffic
	Stage       string `json:"stage,omitempty"`
	Gate        string `json:"gate,omitempty"`
	Route       string `json:"route,omitempty"`
	Rejects     bool   `json:"rejects,omitempty"`
	Rollback    string `json:"rollback_error,omitempty"`
}

// Result is what became of a shift.
type Result struct {
	Outcome string `json:"outcome"` // as last_shift.outcome
	// Reason is why it did not complete; empty: it did.
	Reason   string        `json:"reason,omitempty"`
	Routes   []RouteResult `json:"routes,omitempty"` // where the traffic is
	Warnings []string      `json:"warnings,omitempty"`
}

// RouteResult is where the traffic of a route is.
type RouteResult struct {
	ID      string      `json:"id"`
	Weights Percentages `json:"weights,omitempty"`
	// Response is what the route answers instead of forwarding.
	Response string `json:"response,omitempty"`
	// Unread reports that the route was not read after the last write, so that its weights may be
	// outdated.
	Unread bool `json:"unread,omitempty"`
	Gone   bool `json:"gone,omitempty"` // it does not exist
}

// PercentagesOf returns weights in percent; nil for nil.
func PercentagesOf(w shift.Weights) Percentages {
	if w == nil {
		return nil
	}
	p := Percentages{}
	for name, share := range w {
		p[name] = share.Percent()
	}
	return p
}

// named returns the weights by environment, where they are by group. Groups of no environment stay.
func (p Percentages) named(groups map[string]string) Percentages {
	if p == nil {
		return nil
	}
	named := Percentages{}
	for name, percent := range p {
		named[cmp.Or(groups[name], name)] += percent
	}
	return named
}

// RoutesOf returns where the traffic of routes is.
func RoutesOf(routes []rollout.RouteResult) []RouteResult {
	var all []RouteResult
	for _, r := range routes {
		x := RouteResult{ID: r.ID, Response: r.State.Response, Unread: !r.Read && !r.Missing, Gone: r.Missing}
		if x.Response == "" {
			x.Weights = PercentagesOf(r.Weights)
		}
		all = append(all, x)
	}
	return all
}

// entryOf converts an event. What it returns shares nothing with the event, which belongs to the
// shift.
func entryOf(e rollout.Event) Entry {
	x := Entry{At: e.At, Event: string(e.Kind), Route: e.Route, Weights: PercentagesOf(e.Weights),
		Gate: e.Gate, Status: string(e.Status), TookSeconds: seconds(e.Took)}
	switch e.Kind {
	case rollout.ShiftStarted:
		x.Kind = e.Text
	case rollout.PhaseStarted:
		x.Phase = e.Text
	case rollout.WeightsWritten:
		x.Error = e.Text
	case rollout.GateEvaluated:
		x.Detail = e.Text
		if e.Status == "" { // as the engine counts it
			x.Status = string(rollout.Errored)
		}
	default:
		x.Detail = detailOf(e)
	}
	for _, m := range e.Measured {
		x.Measured = append(x.Measured, measurementOf(m))
	}
	for _, t := range e.Targets {
		x.Targets = append(x.Targets, Targets(t))
	}
	x.Failure = failureOf(e.Failure)
	return x
}

// detailOf is an event in words. A failure is worded as in the state.
func detailOf(e rollout.Event) string {
	if e.Failure == nil {
		return e.Text
	}
	f := *e.Failure
	if e.Kind == rollout.RollbackStarted {
		f.Disposition = "" // what is being done
	}
	return release.Reason(&f)
}

func measurementOf(m rollout.Measurement) Measurement {
	x := Measurement{Name: m.Name, Entry: m.Entry, Unit: m.Unit, Value: finite(m.Value), Samples: m.Samples, From: timeOf(m.From), To: timeOf(m.To)}
	if m.Min != nil {
		x.Min = finite(*m.Min)
	}
	if m.Max != nil {
		x.Max = finite(*m.Max)
	}
	return x
}

func failureOf(f *rollout.Failure) *Failure {
	if f == nil {
		return nil
	}
	x := &Failure{Cause: string(f.Cause), Disposition: string(f.Disposition), Stage: f.Stage, Gate: f.Gate, Route: f.Route, Rejects: f.Rejects}
	if f.RollbackErr != nil {
		x.Rollback = f.RollbackErr.Error()
	}
	return x
}

// finite returns a number that JSON has; nil for others.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// seconds returns a duration in seconds, to the microsecond.
func seconds(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }

// line returns the entry as a line of a journal.
func (e Entry) line() ([]byte, error) {
	e.At = e.At.UTC()
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// errNotEntry reports a line that is no entry.
var errNotEntry = errors.New("it is not a line of a journal")

// parse reads a line.
func parse(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	if e.Event == "" {
		return e, errNotEntry
	}
	return e, nil
}

// IsEnd reports whether the entry is the end of the shift. Ended may follow, with the result in
// words.
func (e Entry) IsEnd() bool { return e.Event == Ended || e.Event == string(rollout.ShiftEnded) }
