package shift

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// wait is a part of a shift in which gates watch the traffic for a while.
type wait struct {
	name string // "5 %", "the bake"
	part When
	step Step // its Hold is how long
}

// waits are those of a shift forward, in order.
func (s Schedule) waits() []wait {
	if s.Kind != Forward {
		return nil
	}
	var all []wait
	if s.Split != nil {
		all = append(all, wait{"what was found", During, *s.Split})
	}
	for _, step := range s.Steps {
		if step.At != Full {
			all = append(all, wait{step.At.String(), During, step})
		}
	}
	return append(all, wait{"the bake", After, Step{Hold: s.request.Strategy.Bake}})
}

// gateNotes tell of gates that look at the wrong side, and of holds that are too
// short for what they are there for.
func (s Schedule) gateNotes() []string {
	var notes []string
	for _, g := range s.request.Strategy.Gates {
		if g.BeforeTrafficNote != "" && s.Kind == Forward && s.checksReadiness() && (g.When == Before || g.When == Always) {
			notes = append(notes, fmt.Sprintf("gate %s %s", g.Name, g.BeforeTrafficNote))
		}
		notes = append(notes, s.lagNotes(g)...)
		notes = append(notes, s.intervalNotes(g)...)
	}
	return append(notes, s.slowStartNotes()...)
}

// lagNotes: until there is data from after a change of weights, the gate is
// inconclusive, and the wait goes on.
func (s Schedule) lagNotes(g GateSettings) []string {
	var longer, never []string
	for _, w := range s.waitsGatedBy(g) {
		switch {
		case g.DryRun || w.step.Hold >= g.Lag:
		case w.step.Hold+g.InconclusiveTimeout < g.Lag:
			never = append(never, w.text())
		default:
			longer = append(longer, w.text())
		}
	}
	var notes []string
	sees := fmt.Sprintf("gate %s sees a change of weights after %s at the earliest (the period of its metrics, and how late they are)", g.Name, FormatDuration(g.Lag))
	if longer != nil {
		notes = append(notes, fmt.Sprintf("%s, so it is waited for that long: %s.", sees, strings.Join(longer, ", ")))
	}
	if never != nil {
		notes = append(notes, fmt.Sprintf("%s, and its inconclusive_timeout of %s is over before: %s.", sees, FormatDuration(g.InconclusiveTimeout), strings.Join(never, ", ")))
	}
	return notes
}

// intervalNotes: a gate that is asked once watches nothing. A bake of no time
// asks every gate once, which is all that it is for.
func (s Schedule) intervalNotes(g GateSettings) []string {
	var once []string
	for _, w := range s.waitsGatedBy(g) {
		if w.step.Hold < g.Interval && g.Lag <= w.step.Hold && (w.part == During || w.step.Hold > 0) {
			once = append(once, w.text())
		}
	}
	if once == nil {
		return nil
	}
	return []string{fmt.Sprintf("gate %s is asked every %s, so it may look only once: %s.", g.Name, FormatDuration(g.Interval), strings.Join(once, ", "))}
}

// slowStartNotes: while its targets start slowly, a group has less traffic than
// its weight says.
func (s Schedule) slowStartNotes() []string {
	var notes []string
	for _, name := range s.Gaining {
		slow := s.request.environment(name).SlowStart
		var within []string
		for _, w := range s.waits() {
			if w.part == During && w.step.Hold < slow {
				within = append(within, w.text())
			}
		}
		if within != nil {
			notes = append(notes, fmt.Sprintf("targets of %s that become healthy start slowly for %s and take less than their share, which these holds may not outlast: %s.",
				name, FormatDuration(slow), strings.Join(within, ", ")))
		}
	}
	return notes
}

// waitsGatedBy are the waits in which a gate is asked.
func (s Schedule) waitsGatedBy(g GateSettings) []wait {
	return slices.DeleteFunc(s.waits(), func(w wait) bool {
		return !slices.ContainsFunc(s.request.Strategy.GatesFor(w.part, w.step), func(a GateSettings) bool { return a.Name == g.Name })
	})
}

func (w wait) text() string { return fmt.Sprintf("%s (%s)", w.name, FormatDuration(w.step.Hold)) }

// minimumWait is how long a gate keeps a wait from passing even where all is well.
// Before any traffic it sees what has come since the shift began, and health has
// been steady for a while by then.
func (t Strategy) minimumWait(g GateSettings, part When) time.Duration {
	switch {
	case g.DryRun:
		return g.InitialDelay
	case part == Before:
		return max(g.InitialDelay, g.Lag-t.SteadyFor)
	}
	return max(g.InitialDelay, g.Lag)
}

// reportOnly are the terms with all gates told and not obeyed, as on a way back to a
// version that was live before.
func (t Strategy) reportOnly() Strategy {
	t.Gates = slices.Clone(t.Gates)
	for i := range t.Gates {
		t.Gates[i].DryRun = true
	}
	return t
}
