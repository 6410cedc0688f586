package rollout

import (
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// EventKind is the kind of an Event.
type EventKind string

// The kinds of events.
const (
	ShiftStarted    EventKind = "shift_started"    // Text is the schedule's kind
	RouteRead       EventKind = "route_read"       // Route has Weights at the start
	WeightsWritten  EventKind = "weights_written"  // Weights were written to Route; Text is the error, if any
	WeightsVerified EventKind = "weights_verified" // Route was read back with Weights
	PhaseStarted    EventKind = "phase_started"    // Text is the phase
	GateEvaluated   EventKind = "gate_evaluated"   // Gate returned Status; Text is its detail
	HealthDegraded  EventKind = "health_degraded"  // Text is the detail
	HealthRecovered EventKind = "health_recovered"
	HealthRead      EventKind = "health_read"      // Targets differ from those of the last such event; Text has them in words
	SourceEmpty     EventKind = "source_empty"     // the giving side has no registered target; Text is the detail
	RollbackStarted EventKind = "rollback_started" // Text is the failure
	ShiftEnded      EventKind = "shift_ended"      // Text is "completed", or cause and disposition
)

// Event is something that happened in a shift. It never contains a secret.
type Event struct {
	At      time.Time
	Kind    EventKind
	Route   string
	Weights shift.Weights
	Gate    string
	Status  Status
	Text    string

	// Took is how long the call took, with GateEvaluated and WeightsWritten.
	Took time.Duration
	// Measured are the numbers of a verdict, with GateEvaluated. Nil: the gate has none.
	Measured []Measurement
	Targets  []GroupTargets // with HealthRead
	// Failure is why the shift does not complete, with RollbackStarted and ShiftEnded. It must not
	// be retained, because it changes. Nil: the shift completed, or another process takes it over.
	Failure *Failure
}

// GroupTargets counts the targets of what gets traffic, or of what gives it.
type GroupTargets struct {
	Entry       string
	Environment string // several with commas, where they are counted together
	Gains       bool   // its health is required, because it gets traffic
	Healthy     int    // or unchecked
	Unhealthy   int    // or of unknown health
	Initial     int
	Draining    int
	Unused      int
}

// reporter emits the events of a shift and collects its warnings. Only the goroutine of
// Run or CheckReadiness uses it.
type reporter struct {
	onEvent  func(Event) // nil: nobody listens
	warnings []string
}

func (r *reporter) emit(e Event) { emit(r.onEvent, e) }

func (r *reporter) phase(name string) { r.emit(Event{Kind: PhaseStarted, Text: name}) }

// evaluated emits a verdict.
func (r *reporter) evaluated(a gateAnswer) {
	v := a.verdict
	r.emit(Event{Kind: GateEvaluated, Gate: a.gate.Name, Status: v.Status, Text: joinText(v.Detail, errorText(v.Err)), Took: a.took, Measured: v.Measured})
}

// warn adds a warning unless it is there already.
func (r *reporter) warn(text string) {
	if !slices.Contains(r.warnings, text) {
		r.warnings = append(r.warnings, text)
	}
}

// emit passes an event with the current time to onEvent, which may be nil.
func emit(onEvent func(Event), e Event) {
	if onEvent != nil {
		e.At = time.Now()
		onEvent(e)
	}
}
