package rollout

import (
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
