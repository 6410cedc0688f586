package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// The words for a user at apply. Summary: "Unable to <verb> <noun> <id>".
// Detail, in order: where the traffic is now, what was seen, what to do next,
// then "Key: value" lines with the cause last.

// movedByHand is the reason of a rejection that a hand has made.
const movedByHand = "moved back by hand"

type fact struct{ key, value string }

// lines are the facts, a line each, after an empty one; those without a value
// are left out.
func lines(facts []fact) string {
	text := ""
	for _, f := range facts {
		if f.value != "" {
			text += "\n" + f.key + ": " + f.value
		}
	}
	if text == "" {
		return ""
	}
	return "\n" + text
}

// story is the detail of a message.
type story struct {
	now, seen, next string
	facts           []fact
}

func (s story) diagnostic(summary string) diag.Diagnostic {
	var paragraphs []string
	for _, p := range []string{s.now, s.seen, s.next} {
		if p != "" {
			paragraphs = append(paragraphs, p)
		}
	}
	return diag.NewErrorDiagnostic(summary, strings.Join(paragraphs, "\n\n")+lines(s.facts))
}

// unableToShift names the entry points, which are what a user has names for.
func unableToShift(routes []wantedRoute) string {
	return "Unable to shift traffic of " + entryWords(routes)
}

func entryWords(routes []wantedRoute) string {
	var entries []string
	for _, route := range routes {
		if !slices.Contains(entries, route.entry) {
			entries = append(entries, route.entry)
		}
	}
	return listed(entries)
}

// listed is "a", "a and b" or "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// display names an ARN for a person.
func display(text string) string {
	a, err := elb.Parse(text)
	if err != nil {
		return text
	}
	return a.Display()
}

// refusal words what kept a shift from beginning. Nothing has been read of the
// routes in this run.
func (s *shifting) refusal(err error) diag.Diagnostic {
	t := callStory(err)
	t.now = "Nothing was moved."
	if seen := s.seenBefore(); seen != "" {
		t.now += " When read last, the traffic was:" + seen
	}
	return t.diagnostic(unableToShift(s.wanted.routes))
}

// gateRefused words a gate that cannot be asked.
func (s *shifting) gateRefused(g unbuilt) diag.Diagnostic {
	t := story{
		now:   "Nothing was moved.",
		seen:  fmt.Sprintf("The gate %q cannot be asked.", g.name),
		next:  "Mend what the cause names, and apply again.",
		facts: causeFact(g.err),
	}
	if errors.Is(g.err, gate.ErrUnset) {
		t.next = "Set the environment variable where Terraform runs, and apply again."
	}
	return t.diagnostic(unableToShift(s.wanted.routes))
}

// seenBefore is what the routes gave when Read saw them; empty where it has seen
// none of them, as in a Create.
func (s *shifting) seenBefore() string {
	found := s.prior.found(s.wanted)
	if !slices.ContainsFunc(found, func(seen rollout.Setting) bool { return seen.Weights != nil || seen.Answer != "" }) {
		return ""
	}
	var all []rollout.RouteResult
	for i, route := range s.spec.Routes {
		all = append(all, rollout.RouteResult{Route: route, Setting: found[i], Weights: s.spec.Weights(route.Entry, found[i]), Read: true})
	}
	return routeWords(all)
}

// unreadable words routes that Read could not read.
func unreadable(routes []wantedRoute, err error) diag.Diagnostic {
	t := callStory(err)
	t.now = "Nothing was moved. Where the traffic is now could not be read."
	return t.diagnostic("Unable to read traffic of " + entryWords(routes))
}

// importMissing words an import of routes of which some are not there.
func importMissing(routes []wantedRoute, found map[string]rollout.Setting) diag.Diagnostic {
	t := story{seen: "A route does not exist.", next: "Check its ARN, region and account included."}
	for _, route := range routes {
		if _, ok := found[route.arn]; !ok {
			t.facts = append(t.facts, fact{"Route", route.arn})
		}
	}
	return t.diagnostic("Unable to import traffic of " + entryWords(routes))
}

// importForwardsNothing words an import of a route that has no groups.
func importForwardsNothing(route wantedRoute, answer string) diag.Diagnostic {
	return story{
		seen:  fmt.Sprintf("The route does not forward to target groups but answers with a %s, so there is nothing to import.", answer),
		next:  "Create the switch instead: it takes the place of a fixed error.",
		facts: []fact{{"Route", route.arn}},
	}.diagnostic("Unable to import traffic of " + route.entry)
}

// shiftFailed words why a shift did not come to its end.
func (s *shifting) shiftFailed(result rollout.Result, f *rollout.Failure) diag.Diagnostic {
	t := s.causeStory(result, f)
	t.now = s.whereNow(result, f)
	t.facts = append([]fact{{"Route", f.Route}, {"Gate", f.Gate}, {"Step", f.Stage}}, t.facts...)
	if f.Left == rollout.NotRestored {
		t.next = s.afterLostWay()
	}
	if f.HomeErr != nil {
		t.facts = append(t.facts, fact{"Way back", f.HomeErr.Error()})
	}
	return t.diagnostic(unableToShift(s.wanted.routes))
}

// whereNow says where the traffic is and what was done about it.
func (s *shifting) whereNow(result rollout.Result, f *rollout.Failure) string {
	read := slices.ContainsFunc(result.Routes, func(r rollout.RouteResult) bool {
		return r.Setting.Weights != nil || r.Setting.Answer != ""
	})
	where := "Where the traffic is now could not be read."
	if seen := s.seenBefore(); !read && seen != "" {
		where += " When read last, it was:" + seen
	}
	if read {
		where = "The traffic is now:" + routeWords(result.Routes)
	}
	if !strings.HasSuffix(where, "\n") {
		where += " "
	}
	return where + leftWords(result, f)
}

// leftWords says what was done about the traffic.
func leftWords(result rollout.Result, f *rollout.Failure) string {
	switch f.Left {
	case rollout.Restored:
		if !result.Moved { // groups were attached, and let go again
			return "It is where it was before."
		}
		return "It was moved back to where it was before."
	case rollout.Stayed:
		return "It was left there."
	case rollout.NotRestored:
		return "It could not be moved back everywhere."
	case rollout.CannotServe:
		return "It was not moved back, since the side that it came from cannot serve it."
	case rollout.Untouched:
		return "Nothing more was written, since someone else is in charge."
	case rollout.Unmoved:
		return "Nothing was moved."
	}
	return ""
}

// routeWords words where each route stands, to go behind a colon: in one
// sentence where they agree, else in a line for each.
func routeWords(routes []rollout.RouteResult) string {
	agree := true
	for _, route := range routes {
		agree = agree && route.Read && route.Setting.Answer == routes[0].Setting.Answer && route.Weights.Equal(routes[0].Weights)
	}
	if agree && len(routes) > 0 {
		return " " + settingWords(routes[0]) + "."
	}
	text := ""
	for _, route := range routes {
		text += fmt.Sprintf("\n  %s, %s: %s", route.Entry, display(route.ID), settingWords(route))
		if !route.Read && settingWords(route) != notKnown {
			text += " when read last; could not be read since"
		}
	}
	return text + "\n"
}

// notKnown is said of a route of which nothing is known.
const notKnown = "not known"

func settingWords(route rollout.RouteResult) string {
	switch {
	case route.Setting.Answer != "":
		return route.Setting.Answer
	case route.Setting.Weights == nil:
		return notKnown
	}
	return route.Weights.String()
}

// causeStory words the cause of a failed shift, and what to do next.
func (s *shifting) causeStory(result rollout.Result, f *rollout.Failure) story {
	seen := sentence(f.Saw)
	switch f.Cause {
	case rollout.NotBegun:
		return notBegunStory(f)
	case rollout.GateFailed:
		return story{seen: fmt.Sprintf("The gate %q failed: %s", f.Gate, seen), next: s.afterBadVersion(result, f)}
	case rollout.GateInconclusive:
		return story{seen: fmt.Sprintf("The gate %q stayed inconclusive: %s", f.Gate, seen), next: s.afterBadVersion(result, f)}
	case rollout.GateErrored:
		t := story{seen: fmt.Sprintf("The gate %q could not measure: %s", f.Gate, seen), next: "Nothing is known against the version. See why what the gate asks does not answer (the application itself may hang), or mend the gate, and apply again."}
		if f.Err != nil {
			t.facts = []fact{{"Cause", f.Err.Error()}}
		}
		return t
	case rollout.HealthBroke:
		return story{seen: "Health broke: " + seen, next: s.afterBadVersion(result, f)}
	case rollout.NotReady:
		return story{seen: "The side that is to receive traffic was not healthy: " + seen, next: s.afterNotReady(result, f)}
	case rollout.Interrupted:
		return story{seen: "The apply was interrupted.", next: "Apply again to go on."}
	case rollout.Changed:
		return story{
			seen: "Someone else changed the route: " + seen,
			next: `Plan again. If it was another Terraform resource, give that listener lifecycle { ignore_changes = [default_action] }, a rule [action].`,
		}
	case rollout.NotForwarding:
		return story{
			seen: "The route does not forward to target groups: " + seen,
			next: "Let it forward to a target group, or take it out of load_balancer.routes. Only a fixed 5xx response is taken over, when the switch is created or when the route joins it.",
		}
	case rollout.CredentialsEnd:
		return story{
			seen:  "The AWS credentials would end before the step and a way back are over.",
			next:  "Get credentials that last longer, or ones that renew themselves (a role), and apply again.",
			facts: causeFact(f.Err),
		}
	case rollout.WasRejected:
		return s.rejectedStory()
	case rollout.WasHandedBack:
		return s.handedBackStory(f)
	case rollout.TookTooLong:
		return story{seen: "The shift took longer than its schedule's longest time.", next: "Apply again. If it comes again, set TF_LOG_PROVIDER=info to see what it waits for.", facts: causeFact(f.Err)}
	case rollout.TooManyGroups:
		return story{
			seen:  fmt.Sprintf("More than %d target groups would be needed in one action at once, the most that Elastic Load Balancing takes.", shift.MostGroups),
			next:  "Move the traffic to fewer environments first.",
			facts: causeFact(f.Err),
		}
	case rollout.RouterFailed:
	}
	t := callStory(f.Err)
	if f.Err == nil {
		t = story{seen: "The load balancer did not do what it was told: " + seen, next: "Apply again."}
	}
	return t
}

// notBegunStory words a gate that spoke before anything was written.
func notBegunStory(f *rollout.Failure) story {
	seen := sentence(f.Saw)
	if seen == "" && f.Err != nil {
		seen = "it could not look."
	}
	return story{
		seen:  fmt.Sprintf("The gate %q keeps this from beginning: %s", f.Gate, seen),
		next:  "Nothing is known against the version. See to what the gate names, and apply again. If the traffic must move all the same, give the gate dry_run = true.",
		facts: causeFact(f.Err),
	}
}

// afterBadVersion says how a version that was seen to be bad goes on.
func (s *shifting) afterBadVersion(result rollout.Result, f *rollout.Failure) string {
	if !f.Rejects {
		return "Mend the version or the gate, and apply again."
	}
	who := s.gaining(result, f, s.started)
	switch {
	case s.state == nil: // a Create remembers nothing
		return "Mend the version or the gate, and apply again."
	case who == nil:
		return "It has no version, so it is not remembered, and the next apply tries it again. Set active back to what carries the traffic until it is mended."
	}
	return fmt.Sprintf("Version %s of %s does not go out again by itself. Ship another version, set active back to what carries the traffic, or give retry a new value to try this one again.",
		who.Version, who.Environment)
}

// afterLostWay says how the traffic comes back where a way back failed.
func (s *shifting) afterLostWay() string {
	if s.state == nil { // the next Create begins from what it finds
		return "Move the traffic back by hand, or mend what the cause names and apply again."
	}
	return "Set active back to what carried the traffic, and apply: that takes it all back with one call per route. Else move it by hand."
}

func (s *shifting) afterNotReady(result rollout.Result, f *rollout.Failure) string {
	if f.Rejects {
		return s.afterBadVersion(result, f)
	}
	return "See why its targets are not healthy, and apply again. The reasons of the load balancer stand in brackets."
}

func (s *shifting) rejectedStory() story {
	r := s.prior.rejection(s.wanted)
	if r == nil {
		return story{seen: "The version was rejected."}
	}
	return story{
		seen:  fmt.Sprintf("Version %s of %s was rejected: %s", r.Version, r.Environment, sentence(r.Reason)),
		next:  "Set active back to what carries the traffic, ship another version, or give retry a new value to try this one again.",
		facts: []fact{{"Rejected at", timeValue(r.At).ValueString()}},
	}
}

// handedBackStory tells a hand from what may as well be a shift that was killed
// before it could be kept.
func (s *shifting) handedBackStory(f *rollout.Failure) story {
	goal, sole := s.wanted.goal.Sole()
	if !sole {
		goal = s.wanted.goal.String()
	}
	if !f.Rejects {
		return story{
			seen: fmt.Sprintf("The traffic was moved away from %s since the last completed shift, by someone or by an apply that was killed. This apply does not undo it.", goal),
			next: "Set active (or weights) to what carries the traffic, ship another version, or give retry a new value to move it all the same.",
		}
	}
	return story{
		seen: fmt.Sprintf("Someone moved the traffic away from %s since the last shift, and that is not undone.", goal),
		next: fmt.Sprintf("Set active (or weights) to what carries the traffic, ship another version, or give retry a new value to try %s again.", goal),
	}
}

// sentence ends a text as one.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// told are things worth knowing of a shift, however it ended.
func (s *shifting) told(result rollout.Result) diag.Diagnostics {
	if len(result.Told) == 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic("Worth knowing about the shift of "+entryWords(s.wanted.routes), strings.Join(result.Told, "\n"))}
}

// forgottenRoute is a note of the schedule.
func forgottenRoute(text string, environments []string) string {
	return fmt.Sprintf("%s forwards to %s too and is no route of this switch: it goes on as it is.", text, listed(environments))
}
