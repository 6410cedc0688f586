package shift

import (
	"fmt"
	"slices"
	"strings"
)

// Attach lists the environments that some route does not name yet and that
// will be named at weight 0, sorted.
func (s Schedule) Attach() []string {
	want := s.Held
	switch s.Kind {
	case Refused, HandedBack:
		return nil
	case Nothing, Back:
		want = s.Kept
	case Forward, Return:
	}
	return s.missing(want, func(named []string, name string) bool { return !slices.Contains(named, name) })
}

// Detach lists what some route names and what goes at the end, sorted.
func (s Schedule) Detach() []string {
	if s.Kind == Refused || s.Kind == HandedBack {
		return nil
	}
	all := slices.Clone(s.Held)
	for _, x := range s.request.Routes {
		all = append(all, x.Named...)
	}
	all = slices.DeleteFunc(all, func(name string) bool { return slices.Contains(s.Kept, name) })
	return s.missing(all, slices.Contains[[]string])
}

// missing picks the names for which a route that forwards is in the case.
func (s Schedule) missing(names []string, is func(named []string, name string) bool) []string {
	var found []string
	for _, name := range names {
		hit := slices.ContainsFunc(s.request.Routes, func(x Route) bool { return x.Named != nil && is(x.Named, name) })
		if hit && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// Quiet reports that nothing at all is to be written.
func (s Schedule) Quiet() bool {
	return s.Kind == Nothing && len(s.Attach()) == 0 && len(s.Detach()) == 0 && !s.request.StickyMoves
}

// Text words the schedule, a line a thing, for a reviewer of a plan. It is the
// same for the same request.
func (s Schedule) Text() string {
	lines := s.stuckText()
	if lines != nil {
		return strings.Join(lines, "\n")
	}
	switch s.Kind {
	case Refused:
		lines = s.refusedText()
	case HandedBack:
		lines = s.handedBackText()
	case Nothing:
		lines = s.quietText()
	case Back:
		lines = s.backText()
	case Forward, Return:
		lines = s.movingText()
	}
	lines = append(lines, s.routeLines()...)
	for _, name := range s.strangers() {
		lines = append(lines, "Note: "+name)
	}
	for _, note := range append(s.gateNotes(), s.request.Notes...) {
		lines = append(lines, "Note: "+note)
	}
	return strings.Join(lines, "\n")
}

// stuckText is about routes that do not forward and whose answer is no one's
// to take: a redirect, or what someone has put in place of the traffic.
func (s Schedule) stuckText() []string {
	var lines []string
	for _, x := range s.request.Routes {
		if x.Answer != "" && (!x.Nowhere || !x.New) {
			lines = append(lines, fmt.Sprintf("%s does not forward (%s): nothing moves, and the apply fails until it does.", x.Name, x.Answer))
		}
	}
	return lines
}

func (s Schedule) refusedText() []string {
	r := s.request.Rejected
	return []string{
		fmt.Sprintf("%s was rejected: %s.", s.named(r.Environment), r.Reason),
		"Nothing moves and the apply fails: ship another version, go back to the environment that is live, or give retry a new value.",
	}
}

func (s Schedule) handedBackText() []string {
	who := "by someone else"
	if !s.Certain {
		who = "by someone, or by an apply that was killed"
	}
	return []string{
		fmt.Sprintf("The traffic was moved away from %s %s, and this does not undo it. Found: %s.", s.words(s.Goal), who, s.words(s.request.foundMean())),
		"Nothing moves and the apply fails: want what carries the traffic, ship another version, or give retry a new value.",
	}
}

func (s Schedule) quietText() []string {
	lines := append([]string{"The traffic stays: " + s.words(s.Goal) + "."}, s.namedText()...)
	if s.request.StickyMoves {
		lines = append(lines, "Change the stickiness.")
	}
	if s.Quiet() {
		return lines
	}
	return append(lines, "One call per route.")
}

func (s Schedule) backText() []string {
	return append([]string{
		fmt.Sprintf("Found: %s, which is not what the last completed shift left.", s.words(s.request.foundMean())),
		fmt.Sprintf("Back to %s at once: one call per route, no steps, no gates; then settle %s.",
			s.words(s.Goal), Words(s.request.Terms.Settle)),
	}, s.namedText()...)
}

// namedText says who comes into the actions and who goes, without traffic.
func (s Schedule) namedText() []string {
	var lines []string
	if names := s.Attach(); len(names) > 0 {
		lines = append(lines, "Attach "+s.list(names)+" at weight 0.")
	}
	if names := s.Detach(); len(names) > 0 {
		lines = append(lines, "Detach "+s.list(names)+".")
	}
	return lines
}

// movingText is the numbered list of a shift, and what it costs.
func (s Schedule) movingText() []string {
	lines := []string{s.heading()}
	for i, line := range s.stages() {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, line))
	}
	return append(lines,
		fmt.Sprintf("Takes %s to %s; a way back is one call per route (%d).",
			roughly(s.Shortest()), roughly(s.Longest()), len(s.request.Routes)),
		s.afterwards())
}

func (s Schedule) heading() string {
	from := "what the routes give when this is applied"
	if mean := s.request.originMean(); mean != nil || s.request.everywhere(func(x Route) bool { return x.Answer != "" }) {
		from = s.words(mean)
	}
	text := fmt.Sprintf("%s -> %s", from, s.words(s.Goal))
	if s.Kind == Return {
		text += ", a version that was live before: no steps"
	}
	if s.request.Retry && s.request.wantsRejected() {
		text += ", tried again"
	}
	return text
}

func (s Schedule) stages() []string {
	t := s.request.Terms
	var lines []string
	if names := s.Attach(); len(names) > 0 {
		lines = append(lines, "attach "+strings.Join(names, ", ")+" at weight 0")
	}
	if s.TakeOver {
		lines = append(lines, "routes that answer a fixed error: forward in its place at once, since no one is served there")
	}
	if s.Kind == Return {
		lines = append(lines, fmt.Sprintf("health of %s, at most %s", strings.Join(s.Gaining, ", "), Words(t.HealthTimeout)))
		moved := s.Goal.String()
		if len(t.Armed(After, Step{})) > 0 {
			moved += "; gates are told, not obeyed"
		}
		return append(lines, moved, s.ending(t))
	}
	if s.proves() {
		lines = append(lines, fmt.Sprintf("health of %s, steady for %s, at most %s",
			strings.Join(s.Gaining, ", "), Words(t.SteadyFor), Words(t.HealthTimeout)))
		if gates := t.Armed(Before, Step{}); len(gates) > 0 {
			lines = append(lines, "gates before any traffic: "+gateNames(gates))
		}
	}
	if s.Judge != nil {
		lines = append(lines, fmt.Sprintf("judge what was found: hold %s%s", Words(s.Judge.Hold), watching(t.Armed(During, *s.Judge))))
	}
	for _, step := range s.Steps {
		if step.At != Whole {
			lines = append(lines, fmt.Sprintf("%s; hold %s%s", s.stepWords(step.At), Words(step.Hold), watching(t.Armed(During, step))))
		}
	}
	bake := fmt.Sprintf("bake %s%s", Words(t.Bake), watching(t.Armed(After, Step{})))
	if s.Finish {
		lines = append(lines, "the traffic is there already: "+bake)
	} else {
		lines = append(lines, s.Goal.String()+"; "+bake)
	}
	return append(lines, s.ending(t))
}

func (s Schedule) ending(t Terms) string {
	text := "settle " + Words(t.Settle)
	if names := s.Detach(); len(names) > 0 {
		text += ", detach " + strings.Join(names, ", ")
	}
	return text
}

// stepWords gives the weights of a step where all routes start alike, else how
// much of the way it is.
func (s Schedule) stepWords(at Share) string {
	for _, x := range s.request.Routes {
		if x.Nowhere {
			continue
		}
		if x.Origin == nil || !x.Origin.Equal(s.request.Routes[0].Origin) {
			return fmt.Sprintf("%s of the way to %s", at, s.Goal)
		}
	}
	return s.At(0, at).String()
}

// afterwards says whether anything is left to go back to.
func (s Schedule) afterwards() string {
	before, ok := s.request.originMean().Sole()
	e := s.request.environment(before)
	switch {
	case s.request.Blind:
		return "What is left to go back to afterwards depends on what the routes give when this is applied."
	case s.Kind == Return:
		return "Afterwards going forward again takes the steps."
	case s.request.originMean() == nil:
		return "Afterwards nothing is left to go back to."
	case !ok:
		return "Afterwards going back takes the steps as well."
	case e.Leaving || e.Stranger:
		return fmt.Sprintf("Afterwards nothing is left to go back to: %s is detached.", before)
	case e.Version == "":
		return fmt.Sprintf("Afterwards %s stays; it has no version, so going back to it takes the steps.", before)
	default:
		return fmt.Sprintf("Afterwards %s stays as the way back, without steps within rollback_window.", s.named(before))
	}
}

// routeLines says what each route gives where they disagree.
func (s Schedule) routeLines() []string {
	routes := s.request.Routes
	if s.request.Blind || s.request.everywhere(func(x Route) bool { return x.Found.Equal(routes[0].Found) }) {
		return nil
	}
	var lines []string
	for _, x := range routes {
		found := x.Found.String()
		if x.Nowhere {
			found = "a fixed error"
		} else if x.Named == nil {
			found = "known when this is applied"
		}
		lines = append(lines, fmt.Sprintf("Now %s: %s.", x.Name, found))
	}
	return lines
}

// strangers words the groups on the routes that are no environment, with the
// most that they have.
func (s Schedule) strangers() []string {
	var lines []string
	for _, e := range s.request.Environments {
		if !e.Stranger {
			continue
		}
		most := Share(0)
		for _, x := range s.request.Routes {
			most = max(most, x.Found[e.Name])
		}
		text := fmt.Sprintf("target group %s is no environment of this switch and has %s of the traffic", e.Name, most)
		if slices.Contains(s.Detach(), e.Name) {
			text += "; it is taken off the routes"
		}
		lines = append(lines, text+".")
	}
	return lines
}

// named gives an environment its version: "green (1.5.0)".
func (s Schedule) named(name string) string {
	if v := s.request.environment(name).Version; v != "" {
		return fmt.Sprintf("%s (%s)", name, v)
	}
	return name
}

func (s Schedule) words(w Weights) string {
	var parts []string
	for _, name := range w.Of() {
		parts = append(parts, s.named(name)+" "+w[name].String())
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func (s Schedule) list(names []string) string {
	var parts []string
	for _, name := range names {
		parts = append(parts, s.named(name))
	}
	return strings.Join(parts, ", ")
}

func gateNames(gates []GateTerms) string {
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

func watching(gates []GateTerms) string {
	if len(gates) == 0 {
		return ""
	}
	return ", watch " + gateNames(gates)
}
