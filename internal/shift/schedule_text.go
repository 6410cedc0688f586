package shift

import (
	"fmt"
	"slices"
	"strings"
)

// Attach returns the environments that some route does not have in its action
// yet and that are added at weight 0, sorted.
func (s Schedule) Attach() []string {
	want := s.Attached
	switch s.Kind {
	case Rejected, ExternalChange:
		return nil
	case NoChange, Rollback:
		want = s.AttachedAfter
	case Forward, Revert:
	}
	if !s.request.AttachesIdle {
		return nil
	}
	return s.onSomeRoute(want, func(attached []string, name string) bool { return !slices.Contains(attached, name) })
}

// Detach returns the environments and unmanaged groups that some route has in its
// action and that are removed at the end, sorted.
func (s Schedule) Detach() []string {
	if s.Kind == Rejected || s.Kind == ExternalChange {
		return nil
	}
	all := slices.Clone(s.Attached)
	for _, x := range s.request.Routes {
		all = append(all, x.Attached...)
	}
	all = slices.DeleteFunc(all, func(name string) bool { return slices.Contains(s.AttachedAfter, name) })
	return s.onSomeRoute(all, slices.Contains[[]string])
}

// onSomeRoute returns the names for which the condition holds on at least one
// route that forwards, sorted and without repeats.
func (s Schedule) onSomeRoute(names []string, holds func(attached []string, name string) bool) []string {
	var matching []string
	for _, name := range names {
		hit := slices.ContainsFunc(s.request.Routes, func(x Route) bool { return x.Attached != nil && holds(x.Attached, name) })
		if hit && !slices.Contains(matching, name) {
			matching = append(matching, name)
		}
	}
	slices.Sort(matching)
	return matching
}

// IsEmpty reports whether the apply writes nothing at all.
func (s Schedule) IsEmpty() bool {
	return s.Kind == NoChange && len(s.Attach()) == 0 && len(s.Detach()) == 0 && !s.request.StickinessChanges
}

// Text returns the schedule for a reviewer of the plan, one item per line. Equal
// requests give equal text.
func (s Schedule) Text() string {
	lines := s.notForwardingText()
	if lines != nil {
		return strings.Join(lines, "\n")
	}
	switch s.Kind {
	case Rejected:
		lines = s.rejectedText()
	case ExternalChange:
		lines = s.externalChangeText()
	case NoChange:
		lines = s.noChangeText()
	case Rollback:
		lines = s.rollbackText()
	case Forward, Revert:
		lines = s.shiftText()
	}
	lines = append(lines, s.routeLines()...)
	for _, warning := range slices.Concat(s.unmanagedText(), s.gateWarnings(), s.request.Notes) {
		lines = append(lines, "Warning: "+warning)
	}
	return strings.Join(lines, "\n")
}

// notForwardingText names the routes whose action is neither a forward nor
// something that this switch may replace: a redirect, or a fixed response that
// replaced the traffic.
func (s Schedule) notForwardingText() []string {
	var lines []string
	for _, x := range s.request.Routes {
		if x.Response != "" && (!x.FixedError || !x.Joining) {
			lines = append(lines, fmt.Sprintf("Route %s does not forward to target groups (%s). The apply fails without moving traffic until it does.", x.Name, x.Response))
		}
	}
	return lines
}

func (s Schedule) rejectedText() []string {
	r := s.request.Rejected
	return []string{
		fmt.Sprintf("%s is rejected: %s.", s.label(r.Environment), r.Reason),
		fmt.Sprintf("The apply fails without moving traffic. Ship another version, %s, or change retry to allow this version again.", s.request.acceptText()),
	}
}

func (s Schedule) externalChangeText() []string {
	by := "outside Terraform"
	if !s.Certain {
		by = "outside Terraform or by an apply that did not finish"
	}
	return []string{
		fmt.Sprintf("Traffic was moved off %s %s since the last completed shift. Observed: %s.", s.weightsText(s.Desired), by, s.weightsText(s.request.observedMean())),
		fmt.Sprintf("The apply fails without moving traffic. To accept the change, %s. To move the traffic again, ship another version or change retry.", s.request.acceptText()),
	}
}

// acceptText is the edit that accepts the observed weights.
func (r Request) acceptText() string {
	live, ok := r.observedMean().Sole()
	switch e := r.environment(live); {
	case ok && e.Removed:
		return fmt.Sprintf("restore environment %q and set active = %q", live, live)
	case ok && !e.Unmanaged:
		return fmt.Sprintf("set active = %q", live)
	}
	return "set active or weights to what the routes have now"
}

func (s Schedule) noChangeText() []string {
	lines := append([]string{"No traffic is moved: " + s.weightsText(s.Desired) + "."}, s.attachmentText()...)
	if s.request.StickinessChanges {
		lines = append(lines, "Change the group stickiness of the forward action.")
	}
	if s.IsEmpty() {
		return lines
	}
	return append(lines, fmt.Sprintf("API calls: %d (1 per route).", len(s.request.Routes)))
}

func (s Schedule) rollbackText() []string {
	return append([]string{
		fmt.Sprintf("Observed: %s, which differs from the weights left by the last completed shift.", s.weightsText(s.request.observedMean())),
		fmt.Sprintf("Roll back to %s immediately: %s, no steps, no gates; then settle %s.",
			s.weightsText(s.Desired), s.request.callsText(), FormatDuration(s.request.Strategy.Settle)),
	}, s.attachmentText()...)
}

// attachmentText lists what is attached and detached where no traffic moves by steps.
func (s Schedule) attachmentText() []string {
	var lines []string
	if names := s.Attach(); len(names) > 0 {
		lines = append(lines, "Attach "+s.labels(names)+" at weight 0.")
	}
	if names := s.Detach(); len(names) > 0 {
		lines = append(lines, "Detach "+s.labels(names)+".")
	}
	return lines
}

// shiftText is the numbered stages of a shift, its duration, and the API calls of a
// rollback.
func (s Schedule) shiftText() []string {
	lines := []string{s.heading()}
	for i, line := range alignStages(s.stages()) {
		lines = append(lines, fmt.Sprintf("%2d. %s", i+1, line))
	}
	return append(lines, fmt.Sprintf("Duration: %s to %s. Rollback: %s.", roundUp(s.Shortest()), roundUp(s.Longest()), s.request.callsText()))
}

// callsText is the number of API calls of a rollback: one write per route.
func (r Request) callsText() string {
	if len(r.Routes) == 1 {
		return "1 API call (1 route)"
	}
	return fmt.Sprintf("%[1]d API calls (%[1]d routes)", len(r.Routes))
}

func (s Schedule) heading() string {
	from := "current weights (read at apply)"
	if mean := s.request.originMean(); mean != nil || s.request.allRoutes(func(x Route) bool { return x.Response != "" }) {
		from = s.weightsText(mean)
	}
	text := fmt.Sprintf("%s -> %s", from, s.weightsText(s.Desired))
	if s.Kind == Revert {
		text += ", revert to the previous version: no steps"
	}
	if s.request.Retry && s.request.desiresRejected() {
		text += ", retry of a rejected version"
	}
	return text
}

// stage is one numbered line. Lines with a wait are aligned in columns.
type stage struct {
	text  string
	wait  string // "hold 10m"; empty: the line is not aligned
	gates string // "gates: users"; empty: none are evaluated
}

func (s Schedule) stages() []stage {
	t := s.request.Strategy
	var all []stage
	if names := s.Attach(); len(names) > 0 {
		all = append(all, stage{text: "attach " + strings.Join(names, ", ") + " at weight 0"})
	}
	if s.ReplacesFixedError {
		all = append(all, stage{text: "routes with a fixed 5xx response forward immediately (they serve no users)"})
	}
	if s.Kind == Revert {
		return append(all,
			stage{text: fmt.Sprintf("wait until %s (up to %s)", healthyText(s.Gaining, ""), FormatDuration(t.HealthTimeout))},
			stage{text: s.Desired.String(), gates: gatesText(t.reportOnly().GatesFor(After, Step{}))},
			stage{text: s.settleText()})
	}
	if s.checksReadiness() {
		steady := ""
		if t.SteadyFor > 0 {
			steady = " and steady for " + FormatDuration(t.SteadyFor)
		}
		all = append(all, stage{text: fmt.Sprintf("wait until %s (up to %s)", healthyText(s.Gaining, steady), FormatDuration(t.HealthTimeout))})
		if gates := t.GatesFor(Before, Step{}); len(gates) > 0 {
			all = append(all, stage{text: beforeText(gates)})
		}
	}
	if s.Split != nil {
		all = append(all, stage{"evaluate the current split", "hold " + FormatDuration(s.Split.Hold), gatesText(t.GatesFor(During, *s.Split))})
	}
	for _, step := range s.Steps {
		if step.At != Full {
			all = append(all, stage{s.stepText(step.At), "hold " + FormatDuration(step.Hold), gatesText(t.GatesFor(During, step))})
		}
	}
	reached := s.Desired.String()
	if s.BakeOnly {
		reached += " (already reached)"
	}
	all = append(all, stage{reached, "bake " + FormatDuration(t.Bake), gatesText(t.GatesFor(After, Step{}))})
	return append(all, stage{text: s.settleText()})
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

func beforeText(gates []GateSettings) string {
	if len(gates) == 1 {
		return "gate " + gateNames(gates) + ", before any traffic"
	}
	return "gates " + gateNames(gates) + ", before any traffic"
}

// settleText is the last line of a shift: what is detached, and whether a revert to
// the version that was live needs steps.
func (s Schedule) settleText() string {
	text := "settle " + FormatDuration(s.request.Strategy.Settle)
	if names := s.Detach(); len(names) > 0 {
		text += ", detach " + strings.Join(names, ", ")
	}
	return text + "; " + s.rollbackPathText()
}

// rollbackPathText says whether a revert to the version that was live needs steps.
func (s Schedule) rollbackPathText() string {
	before, sole := s.request.originMean().Sole()
	e, window := s.request.environment(before), s.request.Strategy.RollbackWindow
	switch {
	case s.request.Unobserved:
		return "whether a later revert needs steps depends on the weights at apply"
	case s.Kind == Revert:
		return "a later shift forward takes all steps"
	case s.request.originMean() == nil:
		return "no previous version to revert to afterwards"
	case !sole:
		return "a later revert takes all steps, because the traffic is split now"
	case e.Removed || e.Unmanaged:
		return fmt.Sprintf("no previous version to revert to afterwards, because %s is detached", before)
	case e.Version == "":
		return fmt.Sprintf("%s has no version, so reverting to it takes all steps", before)
	case window == 0:
		return fmt.Sprintf("reverting to %s takes all steps, because rollback_window is 0s", before)
	case slices.Contains(s.AttachedAfter, before):
		return fmt.Sprintf("%s stays attached for an instant rollback (%s)", before, FormatDuration(window))
	}
	return fmt.Sprintf("%s can be reverted to without steps (%s)", before, FormatDuration(window))
}

// stepText is the weights of a step where all routes start from the same weights,
// otherwise the part of the shift that is done.
func (s Schedule) stepText(at Share) string {
	for _, x := range s.request.Routes {
		if x.FixedError {
			continue
		}
		if x.Origin == nil || !x.Origin.Equal(s.request.Routes[0].Origin) {
			return fmt.Sprintf("%s of the shift to %s", at, s.Desired)
		}
	}
	weights := s.At(0, at)
	if live, ok := s.Desired.Sole(); ok && weights[live] > 0 {
		return live + " " + weights[live].String()
	}
	return weights.String()
}

// routeLines lists the weights of each route where they differ.
func (s Schedule) routeLines() []string {
	routes := s.request.Routes
	if s.request.Unobserved || s.request.allRoutes(func(x Route) bool { return !x.Missing && x.Observed.Equal(routes[0].Observed) }) {
		return nil
	}
	var lines []string
	for _, x := range routes {
		observed := x.Observed.String()
		switch {
		case x.Missing:
			observed = "does not exist; the apply fails until it exists again or is removed from load_balancer.routes"
		case x.FixedError:
			observed = "fixed error response"
		case x.Attached == nil:
			observed = "read at apply"
		}
		lines = append(lines, fmt.Sprintf("Route %s: %s.", x.Name, observed))
	}
	return lines
}

// unmanagedText names the target groups on the routes that belong to no
// environment, with the largest share that they have.
func (s Schedule) unmanagedText() []string {
	var lines []string
	for _, e := range s.request.Environments {
		if !e.Unmanaged {
			continue
		}
		largest := Share(0)
		for _, x := range s.request.Routes {
			largest = max(largest, x.Observed[e.Name])
		}
		text := fmt.Sprintf("target group %s belongs to no environment of this switch and has %s of the traffic", e.Name, largest)
		if slices.Contains(s.Detach(), e.Name) {
			text += "; this apply detaches it"
		}
		lines = append(lines, text+".")
	}
	return lines
}

// label is an environment with its version: "green (1.5.0)".
func (s Schedule) label(name string) string {
	if v := s.request.environment(name).Version; v != "" {
		return fmt.Sprintf("%s (%s)", name, v)
	}
	return name
}

func (s Schedule) labels(names []string) string {
	var parts []string
	for _, name := range names {
		parts = append(parts, s.label(name))
	}
	return strings.Join(parts, ", ")
}

func (s Schedule) weightsText(w Weights) string {
	var parts []string
	for _, name := range w.Names() {
		parts = append(parts, s.label(name)+" "+w[name].String())
	}
	if parts == nil {
		return "no traffic"
	}
	return strings.Join(parts, ", ")
}
