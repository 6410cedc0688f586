package rollout

import (
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// EventKind names what happened.
type EventKind string

// The kinds of events.
const (
	Started   EventKind = "started"    // Text is the kind of the move
	Read      EventKind = "read"       // Route gives Weights
	Wrote     EventKind = "wrote"      // Route was told to give Weights
	Saw       EventKind = "saw"        // Route was read back and gives Weights
	Phase     EventKind = "phase"      // Text says what begins
	Judged    EventKind = "judged"     // Gate answered; Text is what it saw
	Sick      EventKind = "sick"       // health is in breach; Text says where
	Well      EventKind = "well"       // it is not any more
	GoingBack EventKind = "going back" // Text says why
	Ended     EventKind = "ended"      // Text is the outcome
)

// Event is something that happened in a shift. It never holds a secret.
type Event struct {
	At      time.Time
	Kind    EventKind
	Route   string
	Weights shift.Weights
	Gate    string
	Answer  Answer
	Text    string
}
