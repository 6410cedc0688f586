package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Line is an entry as one line for people who follow a shift; empty: it adds nothing to the others.
func (e Entry) Line() string { return plain(e.text()) }

func (e Entry) text() string {
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
			return fmt.Sprintf("%s: %s could not be written: %s", e.Route, e.Weights, e.Error)
		}
		return fmt.Sprintf("%s: %s", e.Route, e.Weights)
	case string(rollout.GateEvaluated):
		text := fmt.Sprintf("gate %s %s", e.Gate, statusText(e.Status))
		if e.Detail != "" {
			text += ": " + shortened(e.Detail)
		}
		return text
	case string(rollout.ShiftPaused):
		return fmt.Sprintf("shift paused: gate %s %s: %s", e.Gate, statusText(e.Status), plain(shortened(e.Detail)))
	case Ended:
		if e.Result == nil {
			return ""
		}
		return strings.TrimSuffix(fmt.Sprintf("end: %s: %s", lowered(outcomeText(e.Result.Outcome)), e.Result.Reason), ": ")
	default:
		return strings.TrimSuffix(strings.ReplaceAll(e.Event, "_", " ")+": "+shortened(e.Detail), ": ")
	}
}

// Text is an entry that was added to the story as a line in which routes have the names that people
// know; empty: it adds nothing to the others.
func (s *Story) Text(e Entry) string {
	if e.Route != "" {
		e.Route = s.routeText(e.Route)
	}
	return e.Line()
}

// routeText names a route by its entry point and its label or id.
func (s *Story) routeText(id string) string {
	for _, r := range s.Shift.Routes {
		if r.ID == id {
			return r.Entry + ", " + cmp.Or(r.Label, r.ID)
		}
	}
	return id
}

// Line is an entry that was added to the story as a line with the time since its start; empty: it
// adds nothing to the others.
func (s *Story) Line(e Entry) string {
	line := s.Text(e)
	if line == "" {
		return ""
	}
	return s.Timed(e, line)
}

// Text is Line without the time.
func (s *Story) Text(e Entry) string { return e.Line() }

// Timed is the text of an entry with the time since the start of the story.
func (s *Story) Timed(e Entry, text string) string {
	return fmt.Sprintf("%8s  %s", e.At.Sub(s.Started).Round(100*time.Millisecond), text)
}

// Closing is the line after the last one: how the shift ended, and where its traffic is.
func (s *Story) Closing() string { return s.Title() + ". Traffic: " + s.Traffic() + "." }
