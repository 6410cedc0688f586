package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// shiftText is the numbered stages of a shift, its duration, and the API calls of a
// rollback.
func (s plan) shiftText() []string {
	lines := []string{s.heading()}
	for i, line := range alignStages(s.stages()) {
		lines = append(lines, fmt.Sprintf("%2d. %s", i+1, line))
	}
	if s.Request.Unobserved {
		lines = append(lines, "If a route is split between environments at apply, the split is evaluated first, and a failure rolls back to the environments that are not desired. The record of a shift that did not finish decides otherwise.")
	}
	lines = append(lines, connectionsText(s.Request.Routes)...)
	lines = append(lines, cachedText(s.Request.Routes)...)
	return append(lines, fmt.Sprintf("Duration: %s to %s. Rollback: %s.", roundUp(s.Shortest()), roundUp(s.Longest()), callsText(changing(s.Schedule))))
}

// connectionsText names the routes on which a change of the weights leaves open connections where they are.
func connectionsText(routes []shift.Route) []string {
	var names []string
	for _, x := range routes {
		if x.Connections {
			names = append(names, x.Name)
		}
	}
	switch len(names) {
	case 0:
		return nil
	case len(routes):
		return []string{"Weights apply to new connections. Open connections stay with their target until they close."}
	}
	return []string{fmt.Sprintf("Weights of %s apply to new connections. Open connections stay with their target until they close.", And(names))}
}

// cachedText says how long users keep what resolvers answered before.
func cachedText(routes []shift.Route) []string {
	longest := time.Duration(0)
	for _, x := range routes {
		longest = max(longest, x.Cached)
	}
	if longest == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Resolvers keep answers for up to %s (TTL): new weights, and those of a rollback, reach all users within that time.", FormatDuration(longest))}
}

// HoldText says which hold is too short, and how long it must be at least.
func HoldText(short *shift.HoldError) string {
	name := "the hold at " + short.At.String()
	if short.At == shift.Full {
		name = "the bake"
	}
	return fmt.Sprintf("%s is %s, and resolvers keep answers for up to %s (TTL)", name, FormatDuration(short.Hold), FormatDuration(short.Cached))
}

// changing returns the routes that the shift changes.
func changing(s shift.Schedule) (routes []shift.Route) {
	for i, x := range s.Request.Routes {
		if s.Changes(i) {
			routes = append(routes, x)
		}
	}
	return routes
}

// callsText is the number of API calls of a rollback: one per route, or for the routes of a batch.
func callsText(routes []shift.Route) string {
	calls, batches := 0, map[string]bool{}
	for _, x := range routes {
		if x.Batch == "" || !batches[x.Batch] {
			calls++
		}
		batches[x.Batch] = true
	}
	return fmt.Sprintf("%s (%s)", counted(calls, "API call"), counted(len(routes), "route"))
}

// counted is a number of things, such as "2 routes".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func (s plan) heading() string {
	from := "current weights (read at apply)"
	if mean := s.From(); mean != nil || s.Request.AllRoutes(func(x shift.Route) bool { return x.Response != "" }) {
		from = versions{s}.carriedText(mean)
	}
	text := fmt.Sprintf("%s -> %s", from, s.weightsText(s.Desired))
	if s.Kind == shift.Revert {
		text += ", revert to the previous version: no steps"
	}
	switch {
	case s.Retries:
		text += ", retry of a rejected version"
	case s.Repairs:
		text += ", repair of a change outside Terraform"
	case s.Request.Unfinished != nil && (s.Split != nil || s.BakeOnly):
		text += ", resume a shift that did not finish"
	}
	return text
}

// stage is one numbered line. Lines with a wait are aligned in columns.
type stage struct {
	text  string
	wait  string // "hold 10m"; empty: the line is not aligned
	gates string // "gates: users"; empty: none are evaluated
}

func (s plan) stages() []stage {
	t := s.Request.Strategy
	var all []stage
	if names := s.Attach(); len(names) > 0 {
		all = append(all, stage{text: "attach " + strings.Join(names, ", ") + " at weight 0"})
	}
	if s.ReplacesFixedError {
		all = append(all, stage{text: "routes with a fixed 5xx response forward immediately (they serve no users)"})
	}
	if s.Kind == shift.Revert {
		return append(all,
			stage{text: fmt.Sprintf("wait until %s (up to %s)", healthyText(s.Gaining, ""), FormatDuration(t.HealthTimeout))},
			stage{text: s.Desired.String(), gates: gatesText(t.ReportOnly().GatesFor(shift.After, shift.Step{}))},
			stage{text: s.settleText()})
	}
	if s.ChecksReadiness() {
		steady := ""
		if t.SteadyFor > 0 {
			steady = " and steady for " + FormatDuration(t.SteadyFor)
		}
		all = append(all, stage{text: fmt.Sprintf("wait until %s (up to %s)", healthyText(s.Gaining, steady), FormatDuration(t.HealthTimeout))})
		if gates := t.GatesFor(shift.Before, shift.Step{}); len(gates) > 0 {
			all = append(all, stage{text: beforeText(gates)})
		}
	}
	if s.Split != nil {
		all = append(all, stage{"evaluate the current split", holdText(*s.Split), gatesText(t.GatesFor(shift.During, *s.Split))})
	}
	for _, step := range s.Steps {
		if step.At != shift.Full {
			all = append(all, stage{s.stepText(step.At), holdText(step), gatesText(t.GatesFor(shift.During, step))})
		}
	}
	reached := s.Desired.String()
	if s.BakeOnly {
		reached += " (already reached)"
	}
	if s.BakesBelow() {
		all = append(all, stage{text: reached})
	} else {
		all = append(all, stage{reached, "bake " + FormatDuration(t.Bake), gatesText(t.GatesFor(shift.After, shift.Step{}))})
	}
	return append(all, stage{text: s.settleText()})
}

// holdText is the wait at a step.
func holdText(step shift.Step) string {
	if step.Bakes {
		return "bake " + FormatDuration(step.Hold)
	}
	return "hold " + FormatDuration(step.Hold)
}

// alignStages aligns the waits and gates of the lines in columns.
func alignStages(stages []stage) []string {
	text, wait := 0, 0
	for _, x := range stages {
		if x.wait != "" {
			text, wait = max(text, len(x.text)), max(wait, len(x.wait))
		}
	}
	var lines []string
	for _, x := range stages {
		line := fmt.Sprintf("%-*s   %-*s   %s", text, x.text, wait, x.wait, x.gates)
		if x.wait == "" {
			line = x.text + "   " + x.gates
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// healthyText is "green is healthy", or "blue and green are healthy".
func healthyText(names []string, more string) string {
	if len(names) == 1 {
		return names[0] + " is healthy" + more
	}
	return strings.Join(names, ", ") + " are healthy" + more
}

func beforeText(gates []shift.GateSettings) string {
	if len(gates) == 1 {
		return "gate " + gateNames(gates) + ", before any traffic"
	}
	return "gates " + gateNames(gates) + ", before any traffic"
}

// settleText is the last line of a shift: what is detached, and whether a revert to
// the version that was live needs steps.
func (s plan) settleText() string {
	text := "settle " + FormatDuration(s.Request.Strategy.Settle)
	if names := s.Detach(); len(names) > 0 {
		text += ", detach " + strings.Join(names, ", ")
	}
	return text + "; " + s.rollbackPathText()
}

// rollbackPathText says whether a revert to the version that was live needs steps.
func (s plan) rollbackPathText() string {
	before, sole := s.previousAfter()
	e, window := s.Request.Environment(before), s.Request.Strategy.RollbackWindow
	switch {
	case s.Request.Unobserved:
		return "whether a later revert needs steps depends on the weights at apply"
	case s.Kind == shift.Revert:
		return "a later shift forward takes all steps"
	case s.KeepsStable():
		return versions{s}.priorPreviousText()
	case s.From() == nil:
		return "no previous version to revert to afterwards"
	case !sole:
		return "a later revert takes all steps, because the traffic is split now"
	case (e.Removed || e.Unmanaged) && !s.Request.AttachesIdle:
		return fmt.Sprintf("no previous version to revert to afterwards, because %s is not in environments", before)
	case e.Removed || e.Unmanaged:
		return fmt.Sprintf("no previous version to revert to afterwards, because %s is detached", before)
	case e.Version == "":
		return fmt.Sprintf("%s has no version, so reverting to it takes all steps", before)
	case e.VersionChanged:
		return fmt.Sprintf("the previous version is %s (%s); a shift to %s takes all steps", before, e.VersionBefore, s.label(before))
	case window == 0:
		return fmt.Sprintf("reverting to %s takes all steps, because rollback_window is 0s", before)
	case s.Request.AttachesIdle && slices.Contains(s.AttachedAfter, before):
		return fmt.Sprintf("%s stays attached for an instant rollback (%s)", before, FormatDuration(window))
	}
	if s.Request.Strategy.DetachIdle && s.Request.AttachesIdle {
		return fmt.Sprintf("%s can be reverted to without steps (%s), which attaches it first", before, FormatDuration(window))
	}
	return fmt.Sprintf("%s can be reverted to without steps (%s)", before, FormatDuration(window))
}

// priorPreviousText is rollbackPathText of a shift that leaves the previous version as it is.
// Its environment may have another version since, which never had traffic.
func (s versions) priorPreviousText() string {
	p := s.Request.Previous
	switch {
	case p == nil || p.Version == "":
		return "no previous version to revert to afterwards"
	case p.Matches(s.Request.Environment(p.Environment)):
		return "the previous version stays the one to revert to"
	}
	return fmt.Sprintf("%s (%s) stays the previous version, but is not in environments", p.Environment, p.Version)
}

// previousAfter is the environment that is the previous one after the shift: what the last
// completed shift left or, where that is the desired one, what has the traffic now.
func (s plan) previousAfter() (name string, sole bool) {
	var stable []shift.Weights
	for i, x := range s.Request.Routes {
		if s.Changes(i) {
			stable = append(stable, x.Stable)
		}
	}
	name, sole = shift.Mean(stable).Sole()
	if live, _ := s.Desired.Sole(); !sole && shift.Mean(stable) == nil || sole && name == live {
		return s.From().Sole()
	}
	return name, sole
}

// stepText is the weights of a step where all routes that change start from the same
// weights, otherwise the part of the shift that is done.
func (s plan) stepText(at shift.Share) string {
	first := -1
	for i, x := range s.Request.Routes {
		switch {
		case x.FixedError || !s.Changes(i):
		case x.Origin == nil || first >= 0 && !x.Origin.Equal(s.Request.Routes[first].Origin):
			return fmt.Sprintf("%s of the shift to %s", at, s.Desired)
		case first < 0:
			first = i
		}
	}
	weights := s.At(max(first, 0), at)
	if live, ok := s.Desired.Sole(); ok && weights[live] > 0 {
		return live + " " + weights[live].String()
	}
	return weights.String()
}
