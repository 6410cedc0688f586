package shift

import (
	"fmt"
	"slices"
	"strings"
)

// Attach lists the environments that some route does not name yet and that
// will be named at weight 0, sorted.
func (s Schedule) Attach() []string {
	want := s.Attached
	switch s.Kind {
	case Rejected, ExternalChange:
		return nil
	case NoChange, Rollback:
		want = s.AttachedAfter
	case Forward, Revert:
	}
	return s.missing(want, func(named []string, name string) bool { return !slices.Contains(named, name) })
}

// Detach lists what some route names and what goes at the end, sorted.
func (s Schedule) Detach() []string {
	if s.Kind == Rejected || s.Kind == ExternalChange {
		return nil
	}
	all := slices.Clone(s.Attached)
	for _, x := range s.request.Routes {
		all = append(all, x.Attached...)
	}
	all = slices.DeleteFunc(all, func(name string) bool { return slices.Contains(s.AttachedAfter, name) })
	return s.missing(all, slices.Contains[[]string])
}

// missing picks the names for which a route that forwards is in the case.
func (s Schedule) missing(names []string, is func(named []string, name string) bool) []string {
	var found []string
	for _, name := range names {
		hit := slices.ContainsFunc(s.request.Routes, func(x Route) bool { return x.Attached != nil && is(x.Attached, name) })
		if hit && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// IsEmpty reports that nothing at all is to be written.
func (s Schedule) IsEmpty() bool {
	return s.Kind == NoChange && len(s.Attach()) == 0 && len(s.Detach()) == 0 && !s.request.StickinessChanges
}

// Text words the schedule, a line a thing, for a reviewer of a plan. It is the
// same for the same request.
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
	for _, name := range s.unmanagedText() {
		lines = append(lines, "Note: "+name)
	}
	for _, note := range append(s.gateNotes(), s.request.Notes...) {
		lines = append(lines, "Note: "+note)
	}
	return strings.Join(lines, "\n")
}

// notForwardingText is about routes that do not forward and whose answer is no one's
// to take: a redirect, or what someone has put in place of the traffic.
func (s Schedule) notForwardingText() []string {
	var lines []string
	for _, x := range s.request.Routes {
		if x.Response != "" && (!x.FixedError || !x.Joining) {
			lines = append(lines, fmt.Sprintf("%s does not forward (%s): nothing moves, and the apply fails until it does.", x.Name, x.Response))
		}
	}
	return lines
}

func (s Schedule) rejectedText() []string {
	r := s.request.Rejected
	return []string{
		fmt.Sprintf("%s was rejected: %s.", s.label(r.Environment), r.Reason),
		"Nothing moves and the apply fails: ship another version, go back to the environment that is live, or give retry a new value.",
	}
}

func (s Schedule) externalChangeText() []string {
	who := "by someone else"
	if !s.Certain {
		who = "by someone, or by an apply that was killed"
	}
	return []string{
		fmt.Sprintf("The traffic was moved away from %s %s, and this does not undo it. Found: %s.", s.weightsText(s.Desired), who, s.weightsText(s.request.observedMean())),
		"Nothing moves and the apply fails: want what carries the traffic, ship another version, or give retry a new value.",
	}
}

func (s Schedule) noChangeText() []string {
	lines := append([]string{"The traffic stays: " + s.weightsText(s.Desired) + "."}, s.attachmentText()...)
	if s.request.StickinessChanges {
		lines = append(lines, "Change the stickiness.")
	}
	if s.IsEmpty() {
		return lines
	}
	return append(lines, "One call per route.")
}

func (s Schedule) rollbackText() []string {
	return append([]string{
		fmt.Sprintf("Found: %s, which is not what the last completed shift left.", s.weightsText(s.request.observedMean())),
		fmt.Sprintf("Back to %s at once: one call per route, no steps, no gates; then settle %s.",
			s.weightsText(s.Desired), FormatDuration(s.request.Strategy.Settle)),
	}, s.attachmentText()...)
}

// attachmentText says who comes into the actions and who goes, without traffic.
func (s Schedule) attachmentText() []string {
	var lines []string
	if names := s.Attach(); len(names) > 0 {
		lines = append(lines, "Attach "+s.list(names)+" at weight 0.")
	}
	if names := s.Detach(); len(names) > 0 {
		lines = append(lines, "Detach "+s.list(names)+".")
	}
	return lines
}

// shiftText is the numbered list of a shift, and what it costs.
func (s Schedule) shiftText() []string {
	lines := []string{s.heading()}
	for i, line := range s.stages() {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, line))
	}
	return append(lines,
		fmt.Sprintf("Takes %s to %s; a way back is one call per route (%d).",
			roundUp(s.Shortest()), roundUp(s.Longest()), len(s.request.Routes)),
		s.rollbackPathText())
}

func (s Schedule) heading() string {
	from := "what the routes give when this is applied"
	if mean := s.request.originMean(); mean != nil || s.request.allRoutes(func(x Route) bool { return x.Response != "" }) {
		from = s.weightsText(mean)
	}
	text := fmt.Sprintf("%s -> %s", from, s.weightsText(s.Desired))
	if s.Kind == Revert {
		text += ", a version that was live before: no steps"
	}
	if s.request.Retry && s.request.desiresRejected() {
		text += ", tried again"
	}
	return text
}

func (s Schedule) stages() []string {
	t := s.request.Strategy
	var lines []string
	if names := s.Attach(); len(names) > 0 {
		lines = append(lines, "attach "+strings.Join(names, ", ")+" at weight 0")
	}
	if s.ReplacesFixedError {
		lines = append(lines, "routes that answer a fixed error: forward in its place at once, since no one is served there")
	}
	if s.Kind == Revert {
		lines = append(lines, fmt.Sprintf("health of %s, at most %s", strings.Join(s.Gaining, ", "), FormatDuration(t.HealthTimeout)))
		moved := s.Desired.String()
		if len(t.GatesFor(After, Step{})) > 0 {
			moved += "; gates are told, not obeyed"
		}
		return append(lines, moved, s.settleText(t))
	}
	if s.checksReadiness() {
		lines = append(lines, fmt.Sprintf("health of %s, steady for %s, at most %s",
			strings.Join(s.Gaining, ", "), FormatDuration(t.SteadyFor), FormatDuration(t.HealthTimeout)))
		if gates := t.GatesFor(Before, Step{}); len(gates) > 0 {
			lines = append(lines, "gates before any traffic: "+gateNames(gates))
		}
	}
	if s.Split != nil {
		lines = append(lines, fmt.Sprintf("judge what was found: hold %s%s", FormatDuration(s.Split.Hold), gatesText(t.GatesFor(During, *s.Split))))
	}
	for _, step := range s.Steps {
		if step.At != Full {
			lines = append(lines, fmt.Sprintf("%s; hold %s%s", s.stepText(step.At), FormatDuration(step.Hold), gatesText(t.GatesFor(During, step))))
		}
	}
	bake := fmt.Sprintf("bake %s%s", FormatDuration(t.Bake), gatesText(t.GatesFor(After, Step{})))
	if s.BakeOnly {
		lines = append(lines, "the traffic is there already: "+bake)
	} else {
		lines = append(lines, s.Desired.String()+"; "+bake)
	}
	return append(lines, s.settleText(t))
}

func (s Schedule) settleText(t Strategy) string {
	text := "settle " + FormatDuration(t.Settle)
	if names := s.Detach(); len(names) > 0 {
		text += ", detach " + strings.Join(names, ", ")
	}
	return text
}

// stepText gives the weights of a step where all routes start alike, else how
// much of the way it is.
func (s Schedule) stepText(at Share) string {
	for _, x := range s.request.Routes {
		if x.FixedError {
			continue
		}
		if x.Origin == nil || !x.Origin.Equal(s.request.Routes[0].Origin) {
			return fmt.Sprintf("%s of the way to %s", at, s.Desired)
		}
	}
	return s.At(0, at).String()
}

// rollbackPathText says whether anything is left to go back to.
func (s Schedule) rollbackPathText() string {
	before, ok := s.request.originMean().Sole()
	e := s.request.environment(before)
	switch {
	case s.request.Unobserved:
		return "What is left to go back to afterwards depends on what the routes give when this is applied."
	case s.Kind == Revert:
		return "Afterwards going forward again takes the steps."
	case s.request.originMean() == nil:
		return "Afterwards nothing is left to go back to."
	case !ok:
		return "Afterwards going back takes the steps as well."
	case e.Removed || e.Unmanaged:
		return fmt.Sprintf("Afterwards nothing is left to go back to: %s is detached.", before)
	case e.Version == "":
		return fmt.Sprintf("Afterwards %s stays; it has no version, so going back to it takes the steps.", before)
	default:
		return fmt.Sprintf("Afterwards %s stays as the way back, without steps within rollback_window.", s.label(before))
	}
}

// routeLines says what each route gives where they disagree.
func (s Schedule) routeLines() []string {
	routes := s.request.Routes
	if s.request.Unobserved || s.request.allRoutes(func(x Route) bool { return x.Observed.Equal(routes[0].Observed) }) {
		return nil
	}
	var lines []string
	for _, x := range routes {
		found := x.Observed.String()
		if x.FixedError {
			found = "a fixed error"
		} else if x.Attached == nil {
			found = "known when this is applied"
		}
		lines = append(lines, fmt.Sprintf("Now %s: %s.", x.Name, found))
	}
	return lines
}

// unmanagedText words the groups on the routes that are no environment, with the
// most that they have.
func (s Schedule) unmanagedText() []string {
	var lines []string
	for _, e := range s.request.Environments {
		if !e.Unmanaged {
			continue
		}
		most := Share(0)
		for _, x := range s.request.Routes {
			most = max(most, x.Observed[e.Name])
		}
		text := fmt.Sprintf("target group %s is no environment of this switch and has %s of the traffic", e.Name, most)
		if slices.Contains(s.Detach(), e.Name) {
			text += "; it is taken off the routes"
		}
		lines = append(lines, text+".")
	}
	return lines
}

// label gives an environment its version: "green (1.5.0)".
func (s Schedule) label(name string) string {
	if v := s.request.environment(name).Version; v != "" {
		return fmt.Sprintf("%s (%s)", name, v)
	}
	return name
}

func (s Schedule) weightsText(w Weights) string {
	var parts []string
	for _, name := range w.Names() {
		parts = append(parts, s.label(name)+" "+w[name].String())
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func (s Schedule) list(names []string) string {
	var parts []string
	for _, name := range names {
		parts = append(parts, s.label(name))
	}
	return strings.Join(parts, ", ")
}

func gateNames(gates []GateSettings) string {
	var names []string
	for _, g := range gates {
		name := g.Name
		if g.DryRun {
			name += " (told, not obeyed)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func gatesText(gates []GateSettings) string {
	if len(gates) == 0 {
		return ""
	}
	return ", watch " + gateNames(gates)
}
