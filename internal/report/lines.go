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
		return strings.TrimSuffix(fmt.Sprintf("gate %s %s: %s", e.Gate, statusText(e.Status), shortened(strings.TrimPrefix(e.Detail, "inconclusive because "))), ": ")
	case string(rollout.HealthRead):
		return healthText(e)
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

// healthText is the targets of an entry, such as "health: green (web) 1 of 2 healthy, 1 initial".
func healthText(e Entry) string {
	var all []string
	for _, t := range e.Targets {
		text := fmt.Sprintf("%s (%s) %d of %d healthy", t.Environment, t.Entry, t.Healthy, t.Healthy+t.Unhealthy+t.Initial)
		for _, x := range []struct {
			n    int
			what string
		}{{t.Initial, "initial"}, {t.Draining, "draining"}, {t.Unused, "unused"}} {
			if x.n > 0 {
				text += fmt.Sprintf(", %d %s", x.n, x.what)
			}
		}
		all = append(all, text)
	}
	return "health: " + cmp.Or(strings.Join(all, "; "), e.Detail)
}

// Text is the entry that was added to the story last, as a line in which routes have the names that
// people know; empty: it adds nothing to the others, such as a gate that still waits for the same.
func (s *Story) Text(e Entry) string {
	if e.Event == string(rollout.GateEvaluated) && s.repeats {
		return ""
	}
	if e.Route != "" {
		e.Route = s.lineText(e.Route)
	}
	return e.Line()
}

// lineText names a route by its entry point alone where that has no other.
func (s *Story) lineText(id string) string {
	n, entry := 0, ""
	for _, r := range s.Shift.Routes {
		if r.ID == id {
			entry = r.Entry
		}
	}
	for _, r := range s.Shift.Routes {
		if r.Entry == entry {
			n++
		}
	}
	if n == 1 && entry != "" {
		return entry
	}
	return s.routeText(id)
}

// routeText names a route by its entry point and its label or id.
func (s *Story) routeText(id string) string {
	for _, r := range s.Shift.Routes {
		if r.ID == id {
			return strings.TrimPrefix(r.Entry+", "+cmp.Or(r.Label, r.ID), ", ")
		}
	}
	return id
}

// Line is the entry that was added to the story last, as a line with the time since its start; empty: it
// adds nothing to the others.
func (s *Story) Line(e Entry) string {
	line := s.Text(e)
	if line == "" {
		return ""
	}
	return s.Timed(e, line)
}

// Timed is the text of an entry with the time since the start of the story.
func (s *Story) Timed(e Entry, text string) string {
	return fmt.Sprintf("%8s  %s", e.At.Sub(s.Started).Round(100*time.Millisecond), text)
}

// Closing is the line after the last one: how the shift ended, and where its traffic is.
func (s *Story) Closing() string { return s.Title() + ". Traffic: " + s.Traffic() + "." }
