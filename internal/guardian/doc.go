// Package guardian is the process that takes a shift over when the provider's process dies, by
// whatever signal: kill -9, a second Ctrl-C, a CI job that was canceled.
//
// The provider starts its own binary again (Start), in a session of its own and not as its
// child, so that a kill of the provider's process tree does not reach it. A pipe connects
// the two. Through it the provider says how clients are made, secrets included, and what is to
// be taken over (rollout.Handover). If the pipe ends without a release, the provider has died,
// and the guardian (Serve) takes the shift over with rollout.TakeOver. A provider that is only
// frozen keeps the pipe open, so nothing happens.
package guardian

import (
	"encoding/json"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// argument is the first argument of the guardian's process; the others are for people who read
// the output of ps.
const argument = "guardian,"

// stageVariable says, in the environment of the process, that it is the guardian itself. Without
// it, it starts the guardian and exits, which makes the guardian nobody's child.
const stageVariable = "BLUEGREEN_GUARDIAN"

// message is a line of the pipe to the guardian. One field is set.
type message struct {
	// Clients is how clients are made, in the form of the one who starts the guardian.
	Clients json.RawMessage   `json:"clients,omitempty"`
	Hand    *rollout.Handover `json:"hand,omitempty"`
	Release bool              `json:"release,omitempty"`
	// Aborting is the answer to report.Abort: the owner rolls back itself.
	Aborting bool `json:"aborting,omitempty"`
}

// report is a line of the pipe from the guardian.
type report struct {
	PID   int    `json:"pid,omitempty"`   // it runs
	Start string `json:"start,omitempty"` // with PID: when it began
	Abort bool   `json:"abort,omitempty"` // somebody asked for a rollback at once
}
