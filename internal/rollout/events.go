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
	SourceEmpty     EventKind = "source_empty"     // the giving side has no registered target; Text is the detail
	RequestAnswered EventKind = "request_answered" // somebody asked for something; Gate is that of an approval
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
}

// reporter emits the events of a shift and collects its warnings. Only the goroutine of
// Run or CheckReadiness uses it.
type reporter struct {
	onEvent  func(Event) // nil: nobody listens
	warnings []string
}

func (r *reporter) emit(e Event) { emit(r.onEvent, e) }

func (r *reporter) phase(name string) { r.emit(Event{Kind: PhaseStarted, Text: name}) }

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
