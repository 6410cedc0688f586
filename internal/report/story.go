package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Story is what the entries of a journal say, in bounded space however long the shift is: what
// repeats is counted, and what is close together in a chart is merged. It is not safe for
// concurrent use.
type Story struct {
	Shift   Shift
	Kind    string // of the shift, such as "forward"; empty: it was not decided
	Started time.Time
	Last    time.Time // of the last entry
	Phase   string    // the current one
	From    Percentages
	Writes  []Write
	Gates   []*GateStory // by name
	Health  []*HealthStory
	Moments []Moment // phases and turning points, in order

	// Ended reports that the shift ended, as Result says.
	Ended  bool
	Result Result
	// Lost is how many entries are missing.
	Lost int

	weights []WeightsAt // when their mean changed
	routes  map[string]Percentages
	next    int               // the next Entry.N
	said    map[string]string // the last verdict of each gate in this phase, in words
	repeats bool              // the last entry is such a verdict again
}

// WeightsAt is the mean weights of all routes from a time on.
type WeightsAt struct {
	At      time.Time
	Weights Percentages
}

// Write is a write of weights, or several that failed alike.
type Write struct {
	From, To time.Time // of the first and the last
	Times    int
	Route    string
	Weights  Percentages
	Longest  float64 // in seconds
	Error    string
}

// GateStory is the evaluations of a gate.
type GateStory struct {
	Name   string
	DryRun bool
	Count  map[string]int // of evaluations by status
	Latest Entry
	Runs   []Run // in order
	Series []*Series
	// More reports that there are other series, which only the journal has.
	More bool
	last []Measurement
}

// Run is evaluations in a row with the same status or, in a long shift, with several.
type Run struct {
	From, To time.Time
	Count    map[string]int
	Status   string // the worst
	Detail   string // of the last evaluation with that status
	Measured []Measurement
	Longest  float64 // in seconds
}

// HealthStory is the targets of an environment at an entry point.
type HealthStory struct {
	Entry, Environment string
	Changes            []HealthAt
}

// HealthAt is the targets from a time on.
type HealthAt struct {
	At time.Time
	Targets
	Times int // more than 1: several changes, of which it is the worst
}

// Moment is a phase or a turning point.
type Moment struct {
	At   time.Time
	Kind string // the event
	Text string
	More int // how many like it follow without one of another kind in between
}

const (
	maxRuns    = 120 // of a gate
	maxSeries  = 6   // of a gate
	maxHealth  = 150 // changes of the health of an environment
	maxMoments = 600
	maxWrites  = 1000
	maxText    = 300 // characters of a detail
)

// NewStory returns an empty story.
func NewStory() *Story { return &Story{said: map[string]string{}, routes: map[string]Percentages{}} }

// Add adds the next entry.
func (s *Story) Add(e Entry) {
	if s.next > 0 && e.N > s.next {
		s.Lost += e.N - s.next
	}
	s.next = e.N + 1
	if s.Started.IsZero() {
		s.Started = e.At
	}
	s.Last = e.At
	switch e.Event {
	case Opened:
		s.opened(e)
	case Ended:
		if e.Result != nil {
			s.Ended, s.Result = true, *e.Result
		}
	case string(rollout.ShiftStarted):
		s.Kind = e.Kind
		s.moment(e, "The shift starts ("+kindText(e.Kind)+").")
	case string(rollout.RouteRead), string(rollout.WeightsVerified):
		s.see(e)
	case string(rollout.WeightsWritten):
		s.write(e)
	case string(rollout.PhaseStarted):
		s.Phase = e.Phase
		clear(s.said)
		s.moment(e, capitalized(e.Phase)+".")
	case string(rollout.GateEvaluated):
		s.gate(e.Gate).add(e)
		s.repeats = s.said[e.Gate] == e.Line()
		s.said[e.Gate] = e.Line()
	case string(rollout.HealthRead):
		s.health(e)
	case string(rollout.ShiftPaused):
		s.moment(e, fmt.Sprintf("The shift waits for gate %q, although the hold is over: %s", e.Gate, shortened(e.Detail)))
	case string(rollout.ShiftEnded):
		if !s.Ended {
			s.Ended, s.Result = true, ResultOf(e)
		}
		s.moment(e, "The shift ends.")
	default:
		s.turn(e)
	}
}

// turn adds a turning point. An event that is not known here, such as one of a newer version, has
// its name.
func (s *Story) turn(e Entry) {
	texts := map[string]string{
		string(rollout.HealthDegraded):  "Target health is degraded: ",
		string(rollout.HealthRecovered): "Target health has recovered. ",
		string(rollout.RequestAnswered): "A user made a request: ",
		string(rollout.SourceEmpty):     "The environments that give traffic have no registered targets: ",
		string(rollout.RollbackStarted): "The rollback starts: ",
	}
	text, known := texts[e.Event]
	if !known {
		text = capitalized(strings.ReplaceAll(e.Event, "_", " ")) + ": "
	}
	s.moment(e, strings.TrimSuffix(strings.TrimSpace(text+shortened(e.Detail)), ":"))
}

func (s *Story) opened(e Entry) {
	if e.Shift == nil {
		return
	}
	s.Shift = *e.Shift
	for _, g := range s.Shift.Gates {
		s.gate(g.Name).DryRun = g.DryRun
	}
}

// see takes in what a route was read to have.
func (s *Story) see(e Entry) {
	s.routes[e.Route] = e.Weights
	now := meanOf(s.routes)
	if e.Event == string(rollout.RouteRead) {
		s.From = now
	}
	n := len(s.weights)
	switch {
	case n > 0 && maps.Equal(s.weights[n-1].Weights, now):
	case n > 0 && s.weights[n-1].At.Equal(e.At) || n == 1 && e.Event == string(rollout.RouteRead):
		s.weights[n-1].Weights = now
	default:
		s.weights = append(s.weights, WeightsAt{e.At, now})
	}
}

// meanOf returns the mean of the routes, to a tenth of a percent.
func meanOf(routes map[string]Percentages) Percentages {
	mean := Percentages{}
	for _, id := range slices.Sorted(maps.Keys(routes)) {
		for name, percent := range routes[id] {
			mean[name] += percent / float64(len(routes))
		}
	}
	for name, percent := range mean {
		mean[name] = tenths(percent)
	}
	return mean
}

// Weights returns the mean weights of the routes as last read; nil: none was.
func (s *Story) Weights() Percentages {
	if len(s.weights) == 0 {
		return nil
	}
	return s.weights[len(s.weights)-1].Weights
}

func (s *Story) write(e Entry) {
	w := Write{From: e.At, To: e.At, Times: 1, Route: e.Route, Weights: e.Weights, Longest: e.TookSeconds, Error: shortened(e.Error)}
	for i := len(s.Writes) - 1; w.Error != "" && i >= max(0, len(s.Writes)-len(s.Shift.Routes)-1); i-- {
		if same := &s.Writes[i]; same.Route == w.Route && same.Error == w.Error && maps.Equal(same.Weights, w.Weights) {
			same.To, same.Times, same.Longest = w.To, same.Times+1, max(same.Longest, w.Longest)
			return
		}
	}
	if len(s.Writes) >= maxWrites { // errors that are all different
		last := &s.Writes[len(s.Writes)-1]
		w.From, w.Times, w.Longest = last.From, last.Times+1, max(last.Longest, w.Longest)
		*last = w
		return
	}
	s.Writes = append(s.Writes, w)
}

// moment adds a moment, unless there are too many of the same kind in a row.
func (s *Story) moment(e Entry, text string) {
	if n := len(s.Moments); n >= maxMoments && !e.IsEnd() && e.Event != string(rollout.RollbackStarted) {
		s.Moments[n-1].More++
		return
	}
	s.Moments = append(s.Moments, Moment{At: e.At, Kind: e.Event, Text: text})
}

func (s *Story) health(e Entry) {
	for _, t := range e.Targets {
		i := slices.IndexFunc(s.Health, func(h *HealthStory) bool { return h.Entry == t.Entry && h.Environment == t.Environment })
		if i < 0 {
			i = len(s.Health)
			s.Health = append(s.Health, &HealthStory{Entry: t.Entry, Environment: t.Environment})
		}
		s.Health[i].add(HealthAt{At: e.At, Targets: t, Times: 1})
	}
}

func (h *HealthStory) add(x HealthAt) {
	if n := len(h.Changes); n > 0 && h.Changes[n-1].sameCounts(x) {
		return
	}
	h.Changes = append(h.Changes, x)
	if len(h.Changes) > 2*maxHealth {
		h.Changes = thinned(h.Changes, maxHealth)
	}
}

func (h HealthAt) sameCounts(x HealthAt) bool {
	a, b := h.Targets, x.Targets
	a.Gains, b.Gains = false, false
	return a == b
}

// gate returns the story of a gate, in the order of names.
func (s *Story) gate(name string) *GateStory {
	i, found := slices.BinarySearchFunc(s.Gates, name, func(g *GateStory, name string) int { return cmp.Compare(g.Name, name) })
	if !found {
		s.Gates = slices.Insert(s.Gates, i, &GateStory{Name: name, Count: map[string]int{}})
	}
	return s.Gates[i]
}

// ResultOf is the result of a shift without an entry of its own, as after a crash.
func ResultOf(e Entry) Result {
	r := Result{Outcome: "completed"}
	if e.Failure == nil && e.Detail == "completed" {
		return r
	}
	r.Reason = e.Detail
	switch {
	case e.Failure == nil:
		r.Outcome = cmp.Or(e.Detail, "failed")
	case e.Failure.Cause == string(rollout.Interrupted):
		r.Outcome = "interrupted"
	case e.Failure.Cause == string(rollout.ExternalChange):
		r.Outcome = "external_change"
	case e.Failure.Disposition == string(rollout.RolledBack):
		r.Outcome = "rolled_back"
	case e.Failure.Disposition == string(rollout.Stopped):
		r.Outcome = "stopped"
	default:
		r.Outcome = "failed"
	}
	return r
}
