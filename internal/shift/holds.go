package shift

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// wait is a part of a shift in which gates are evaluated for some time.
type wait struct {
	name string // "5 %", "the bake"
	part When
	step Step // its Hold is the duration
}

// waits returns the waits of a shift forward, in order.
func (s Schedule) waits() []wait {
	if s.Kind != Forward {
		return nil
	}
	var all []wait
	if s.Split != nil {
		all = append(all, wait{"current split", During, *s.Split})
	}
	for _, step := range s.Steps {
		if step.At != Full {
			all = append(all, wait{step.At.String(), During, step})
		}
	}
	return append(all, wait{"bake", After, Step{Hold: s.request.Strategy.Bake}})
}

// gateNotes warns about gates that evaluate the wrong environment, and about holds
// that are too short for their gates.
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

// lagNotes warns about a gate whose data comes later than a hold ends: until there is
// data from after the weight change, the gate is inconclusive and the hold is extended.
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
	delay := fmt.Sprintf("gate %s has data %s after a weight change at the earliest (metric period plus delay)", g.Name, FormatDuration(g.Lag))
	if longer != nil {
		notes = append(notes, fmt.Sprintf("%s, which extends: %s.", delay, strings.Join(longer, ", ")))
	}
	if never != nil {
		notes = append(notes, fmt.Sprintf("%s, later than its inconclusive_timeout of %s allows: %s.", delay, FormatDuration(g.InconclusiveTimeout), strings.Join(never, ", ")))
	}
	return notes
}

// intervalNotes warns about a gate that may be evaluated only once in a hold. A bake of
// zero evaluates every gate once, which is its purpose.
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
	return []string{fmt.Sprintf("gate %s has an interval of %s, so it may be evaluated only once: %s.", g.Name, FormatDuration(g.Interval), strings.Join(once, ", "))}
}

// slowStartNotes warns about holds during which slow start may keep the traffic below
// the weight of the step.
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
			notes = append(notes, fmt.Sprintf("targets of %s have a slow start of %s after they become healthy and may receive less than their share for all of: %s.",
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
