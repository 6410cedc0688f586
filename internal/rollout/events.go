package rollout

import (
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// EventKind names what happened.
type EventKind string

// The kinds of events.
const (
	ShiftStarted    EventKind = "started"    // Text is the kind of the move
	RouteRead       EventKind = "read"       // Route gives Weights
	WeightsWritten  EventKind = "wrote"      // Route was told to give Weights
	WeightsVerified EventKind = "saw"        // Route was read back and gives Weights
	PhaseStarted    EventKind = "phase"      // Text says what begins
	GateEvaluated   EventKind = "judged"     // Gate answered; Text is what it saw
	HealthDegraded  EventKind = "sick"       // health is in breach; Text says where
	HealthRecovered EventKind = "well"       // it is not any more
	RollbackStarted EventKind = "going back" // Text says why
	ShiftEnded      EventKind = "ended"      // Text is the outcome
)

// Event is something that happened in a shift. It never holds a secret.
type Event struct {
	At      time.Time
	Kind    EventKind
	Route   string
	Weights shift.Weights
	Gate    string
	Status  Status
	Text    string
}
