package schedule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// warner writes what a schedule warns about.
type warner struct{ plan }

// wait is a part of a shift in which gates are evaluated for some time.
type wait struct {
	name string // "5 %", "bake"
	part shift.When
	step shift.Step // its Hold is the duration
}

// waits returns the waits of a shift forward, in order.
func (s warner) waits() []wait {
	if s.Kind != shift.Forward {
		return nil
	}
	var all []wait
	if s.Split != nil {
		all = append(all, wait{"current split", s.Split.Part(), *s.Split})
	}
	for _, step := range s.Steps {
		if step.At != shift.Full {
			all = append(all, wait{step.At.String(), step.Part(), step})
		}
	}
	if s.BakesBelow() {
		return all
	}
	return append(all, wait{"bake", shift.After, shift.Step{Hold: s.Request.Strategy.Bake}})
}

// gateWarnings warns about gates that evaluate the wrong environment, and about holds
// that are too short for their gates.
func (s warner) gateWarnings() []string {
	var warnings []string
	for _, g := range s.Request.Strategy.Gates {
		if g.BeforeTrafficNote != "" && s.Kind == shift.Forward && s.ChecksReadiness() && (g.When == shift.Before || g.When == shift.Always) {
			warnings = append(warnings, fmt.Sprintf("gate %s %s", g.Name, g.BeforeTrafficNote))
		}
		warnings = append(warnings, s.lagWarnings(g)...)
		warnings = append(warnings, s.intervalWarnings(g)...)
	}
	return append(warnings, s.slowStartWarnings()...)
}

// lagWarnings warns about a gate whose data comes later than a hold ends: until there is
// data from after the weight change, the gate is inconclusive and the hold is extended.
func (s warner) lagWarnings(g shift.GateSettings) []string {
	var longer, never []string
	for _, w := range s.waitsGatedBy(g) {
		switch {
		case g.DryRun || w.step.Hold >= g.DataAfter():
		case max(w.step.Hold, g.InitialDelay)+g.InconclusiveTimeout < g.DataAfter():
			never = append(never, w.text())
		default:
			longer = append(longer, w.text())
		}
	}
	var warnings []string
	parts := "metric period plus delay"
	if g.InitialDelay > 0 {
		parts = "initial_delay, metric period and delay"
	}
	delay := fmt.Sprintf("gate %s has data %s after a weight change at the earliest (%s)", g.Name, FormatDuration(g.DataAfter()), parts)
	if longer != nil {
		warnings = append(warnings, fmt.Sprintf("%s, which extends: %s.", delay, strings.Join(longer, ", ")))
	}
	if never != nil {
		warnings = append(warnings, fmt.Sprintf("%s, later than its inconclusive_timeout of %s allows: %s.", delay, FormatDuration(g.InconclusiveTimeout), strings.Join(never, ", ")))
	}
	return warnings
}

// intervalWarnings warns about a gate that may be evaluated only once in a hold. A bake of
// zero evaluates every gate once, which is its purpose.
func (s warner) intervalWarnings(g shift.GateSettings) []string {
	var once []string
	for _, w := range s.waitsGatedBy(g) {
		if w.step.Hold < g.Interval && g.DataAfter() <= w.step.Hold && (w.part == shift.During || w.step.Hold > 0) {
			once = append(once, w.text())
		}
	}
	if once == nil {
		return nil
	}
	return []string{fmt.Sprintf("gate %s has an interval of %s, so it may be evaluated only once in: %s.", g.Name, FormatDuration(g.Interval), strings.Join(once, ", "))}
}

// slowStartWarnings warns about holds during which slow start may keep the traffic below
// the weight of the step.
func (s warner) slowStartWarnings() []string {
	var warnings []string
	for _, name := range s.Gaining {
		slow := s.Request.Environment(name).SlowStart
		var tooShort []string
		for _, w := range s.waits() {
			if w.part == shift.During && w.step.Hold < slow {
				tooShort = append(tooShort, w.text())
			}
		}
		if tooShort != nil {
			warnings = append(warnings, fmt.Sprintf("targets of %s have a slow start of %s after they become healthy and may receive less than their share during the whole of these holds: %s.",
				name, FormatDuration(slow), strings.Join(tooShort, ", ")))
		}
	}
	return warnings
}

// waitsGatedBy returns the waits in which a gate is evaluated.
func (s warner) waitsGatedBy(g shift.GateSettings) []wait {
	return slices.DeleteFunc(s.waits(), func(w wait) bool {
		return !slices.ContainsFunc(s.Request.Strategy.GatesFor(w.part, w.step), func(a shift.GateSettings) bool { return a.Name == g.Name })
	})
}

func (w wait) text() string { return fmt.Sprintf("%s (%s)", w.name, FormatDuration(w.step.Hold)) }

func gateNames(gates []shift.GateSettings) string {
	var names []string
	for _, g := range gates {
		name := g.Name
		if g.DryRun {
			name += " (report-only)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func gatesText(gates []shift.GateSettings) string {
	if len(gates) == 0 {
		return ""
	}
	return "gates: " + gateNames(gates)
}

// idleWarnings warns about environments that stay attached at weight 0 and had no healthy
// target, and about records that DNS leaves out.
func (s warner) idleWarnings() []string {
	var warnings []string
	for _, e := range s.Request.Environments {
		if e.IdleUnhealthy && s.Desired[e.Name] == 0 && slices.Contains(s.AttachedAfter, e.Name) && !s.Kind.Refuses() {
			warnings = append(warnings, fmt.Sprintf("%s stays attached at weight 0 and has a target group without a healthy target, so Route 53 alias records that evaluate target health consider the load balancer unhealthy. Set strategy.detach_idle = true to detach it.", e.Name))
		}
		if e.AliasUnhealthy && s.Desired[e.Name] > 0 && !s.Kind.Refuses() {
			warnings = append(warnings, fmt.Sprintf("%s had a record at the last refresh that Route 53 leaves out of its answers, whatever its weight: its health check fails, or it is an alias with evaluate_target_health of a load balancer with an idle target group without a healthy target. Detach that target group or register healthy targets.", e.Name))
		}
	}
	return warnings
}

// unfinishedWarnings warns about a shift whose owner may still run, and about one that did not
// finish where nothing is desired, so that the apply neither completes it nor rolls it back.
func (s warner) unfinishedWarnings() []string {
	u := s.Request.Unfinished
	switch {
	case u == nil:
		return nil
	case u.Running != "":
		return []string{u.Running + ", may still be running. While it is, this apply is refused."}
	case s.Request.Desired != nil:
		return nil
	}
	return []string{fmt.Sprintf("Shift %s did not finish, and its traffic stays as it is. Set active (or weights) to complete the shift or to roll it back, or roll it back without an apply: terraform show -json | bluegreen recover -f -.", s.Request.Unfinished.Shift)}
}
