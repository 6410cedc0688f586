package report

import (
	"fmt"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Line is an entry as one line for people who follow a shift; empty: it adds nothing to the others.
func (e Entry) Line() string {
	switch e.Event {
	case Opened, string(rollout.WeightsVerified), string(rollout.ShiftEnded):
		return ""
	case string(rollout.ShiftStarted):
		return "start: " + kindText(e.Kind)
	case string(rollout.RouteRead):
		return fmt.Sprintf("%s has %s", e.Route, e.Weights)
	case string(rollout.PhaseStarted):
		return e.Phase
	case string(rollout.WeightsWritten):
		if e.Error != "" {
			return fmt.Sprintf("%s: %s could not be written: %s", e.Route, e.Weights, plain(e.Error))
		}
		return fmt.Sprintf("%s: %s", e.Route, e.Weights)
	case string(rollout.GateEvaluated):
		text := fmt.Sprintf("gate %s %s", e.Gate, statusText(e.Status))
		if e.Detail != "" {
			text += ": " + plain(shortened(e.Detail))
		}
		return text
	case string(rollout.ShiftPaused):
		return fmt.Sprintf("shift paused: gate %s %s: %s", e.Gate, statusText(e.Status), plain(shortened(e.Detail)))
	case Ended:
		return strings.TrimSuffix(fmt.Sprintf("end: %s: %s", lowered(outcomeText(e.Result.Outcome)), plain(e.Result.Reason)), ": ")
	default:
		return strings.TrimSuffix(strings.ReplaceAll(e.Event, "_", " ")+": "+plain(shortened(e.Detail)), ": ")
	}
}
