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

// movedExternally is the reason of a rejection that a hand has made.
const movedExternally = "moved back by hand"

type fact struct{ key, value string }

// factLines are the facts, a line each, after an empty one; those without a value
// are left out.
func factLines(facts []fact) string {
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

// errorDetail is the detail of a message.
type errorDetail struct {
	traffic, cause, action string
	facts                  []fact
}

func (s errorDetail) diagnostic(summary string) diag.Diagnostic {
	var paragraphs []string
	for _, p := range []string{s.traffic, s.cause, s.action} {
		if p != "" {
			paragraphs = append(paragraphs, p)
		}
	}
	return diag.NewErrorDiagnostic(summary, strings.Join(paragraphs, "\n\n")+factLines(s.facts))
}

// shiftSummary names the entry points, which are what a user has names for.
func shiftSummary(routes []desiredRoute) string {
	return "Unable to shift traffic of " + entryNames(routes)
}

func entryNames(routes []desiredRoute) string {
	var entries []string
	for _, route := range routes {
		if !slices.Contains(entries, route.entry) {
			entries = append(entries, route.entry)
		}
	}
	return joinAnd(entries)
}

// joinAnd is "a", "a and b" or "a, b and c".
func joinAnd(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// displayARN names an ARN for a person.
func displayARN(text string) string {
	a, err := elb.Parse(text)
	if err != nil {
		return text
	}
	return a.Display()
}

// refusal words what kept a shift from beginning. Nothing has been read of the
// routes in this run.
func (s *shiftRun) refusal(err error) diag.Diagnostic {
	t := callDetail(err)
	t.traffic = "Nothing was moved."
	if seen := s.lastReadText(); seen != "" {
		t.traffic += " When read last, the traffic was:" + seen
	}
	return t.diagnostic(shiftSummary(s.desired.routes))
}

// gateRefused words a gate that cannot be asked.
func (s *shiftRun) gateRefused(g unavailableGate) diag.Diagnostic {
	t := errorDetail{
		traffic: "Nothing was moved.",
		cause:   fmt.Sprintf("The gate %q cannot be asked.", g.name),
		action:  "Mend what the cause names, and apply again.",
		facts:   causeFact(g.err),
	}
	if errors.Is(g.err, gate.ErrUnset) {
		t.action = "Set the environment variable where Terraform runs, and apply again."
	}
	return t.diagnostic(shiftSummary(s.desired.routes))
}

// lastReadText is what the routes gave when Read saw them; empty where it has seen
// none of them, as in a Create.
func (s *shiftRun) lastReadText() string {
	found := s.prior.found(s.desired)
	if !slices.ContainsFunc(found, func(seen rollout.RouteState) bool { return seen.Weights != nil || seen.Response != "" }) {
		return ""
	}
	var all []rollout.RouteResult
	for i, route := range s.spec.Routes {
		all = append(all, rollout.RouteResult{Route: route, State: found[i], Weights: s.spec.Weights(route.Entry, found[i]), Read: true})
	}
	return routesText(all)
}

// unreadable words routes that Read could not read.
func unreadable(routes []desiredRoute, err error) diag.Diagnostic {
	t := callDetail(err)
	t.traffic = "Nothing was moved. Where the traffic is now could not be read."
	return t.diagnostic("Unable to read traffic of " + entryNames(routes))
}

// importMissing words an import of routes of which some are not there.
func importMissing(routes []desiredRoute, found map[string]rollout.RouteState) diag.Diagnostic {
	t := errorDetail{cause: "A route does not exist.", action: "Check its ARN, region and account included."}
	for _, route := range routes {
		if _, ok := found[route.arn]; !ok {
			t.facts = append(t.facts, fact{"Route", route.arn})
		}
	}
	return t.diagnostic("Unable to import traffic of " + entryNames(routes))
}

// importForwardsNothing words an import of a route that has no groups.
func importForwardsNothing(route desiredRoute, answer string) diag.Diagnostic {
	return errorDetail{
		cause:  fmt.Sprintf("The route does not forward to target groups but answers with a %s, so there is nothing to import.", answer),
		action: "Create the switch instead: it takes the place of a fixed error.",
		facts:  []fact{{"Route", route.arn}},
	}.diagnostic("Unable to import traffic of " + route.entry)
}

// shiftFailed words why a shift did not come to its end.
func (s *shiftRun) shiftFailed(result rollout.Result, f *rollout.Failure) diag.Diagnostic {
	t := s.causeDetail(result, f)
	t.traffic = s.trafficText(result, f)
	t.facts = append([]fact{{"Route", f.Route}, {"Gate", f.Gate}, {"Step", f.Stage}}, t.facts...)
	if f.Disposition == rollout.RollbackFailed {
		t.action = s.rollbackFailedAction()
	}
	if f.RollbackErr != nil {
		t.facts = append(t.facts, fact{"Way back", f.RollbackErr.Error()})
	}
	return t.diagnostic(shiftSummary(s.desired.routes))
}

// trafficText says where the traffic is and what was done about it.
func (s *shiftRun) trafficText(result rollout.Result, f *rollout.Failure) string {
	read := slices.ContainsFunc(result.Routes, func(r rollout.RouteResult) bool {
		return r.State.Weights != nil || r.State.Response != ""
	})
	where := "Where the traffic is now could not be read."
	if seen := s.lastReadText(); !read && seen != "" {
		where += " When read last, it was:" + seen
	}
	if read {
		where = "The traffic is now:" + routesText(result.Routes)
	}
	if !strings.HasSuffix(where, "\n") {
		where += " "
	}
	return where + dispositionText(result, f)
}

// dispositionText says what was done about the traffic.
func dispositionText(result rollout.Result, f *rollout.Failure) string {
	switch f.Disposition {
	case rollout.RolledBack:
		if !result.Moved { // groups were attached, and let go again
			return "It is where it was before."
		}
		return "It was moved back to where it was before."
	case rollout.Stopped:
		return "It was left there."
	case rollout.RollbackFailed:
		return "It could not be moved back everywhere."
	case rollout.RollbackUnhealthy:
		return "It was not moved back, since the side that it came from cannot serve it."
	case rollout.LeftToOthers:
		return "Nothing more was written, since someone else is in charge."
	case rollout.Unchanged:
		return "Nothing was moved."
	}
	return ""
}

// routesText words where each route stands, to go behind a colon: in one
// sentence where they agree, else in a line for each.
func routesText(routes []rollout.RouteResult) string {
	agree := true
	for _, route := range routes {
		agree = agree && route.Read && route.State.Response == routes[0].State.Response && route.Weights.Equal(routes[0].Weights)
	}
	if agree && len(routes) > 0 {
		return " " + stateText(routes[0]) + "."
	}
	text := ""
	for _, route := range routes {
		text += fmt.Sprintf("\n  %s, %s: %s", route.Entry, displayARN(route.ID), stateText(route))
		if !route.Read && stateText(route) != unknownText {
			text += " when read last; could not be read since"
		}
	}
	return text + "\n"
}

// unknownText is said of a route of which nothing is known.
const unknownText = "not known"

func stateText(route rollout.RouteResult) string {
	switch {
	case route.State.Response != "":
		return route.State.Response
	case route.State.Weights == nil:
		return unknownText
	}
	return route.Weights.String()
}

// causeDetail words the cause of a failed shift, and what to do next.
func (s *shiftRun) causeDetail(result rollout.Result, f *rollout.Failure) errorDetail {
	seen := sentence(f.Detail)
	switch f.Cause {
	case rollout.BlockedByGate:
		return blockedDetail(f)
	case rollout.GateFailed:
		return errorDetail{cause: fmt.Sprintf("The gate %q failed: %s", f.Gate, seen), action: s.badVersionAction(result, f)}
	case rollout.GateInconclusive:
		return errorDetail{cause: fmt.Sprintf("The gate %q stayed inconclusive: %s", f.Gate, seen), action: s.badVersionAction(result, f)}
	case rollout.GateErrored:
		t := errorDetail{cause: fmt.Sprintf("The gate %q could not measure: %s", f.Gate, seen), action: "Nothing is known against the version. See why what the gate asks does not answer (the application itself may hang), or mend the gate, and apply again."}
		if f.Err != nil {
			t.facts = []fact{{"Cause", f.Err.Error()}}
		}
		return t
	case rollout.HealthFailed:
		return errorDetail{cause: "Health broke: " + seen, action: s.badVersionAction(result, f)}
	case rollout.NotHealthy:
		return errorDetail{cause: "The side that is to receive traffic was not healthy: " + seen, action: s.notHealthyAction(result, f)}
	case rollout.Interrupted:
		return errorDetail{cause: "The apply was interrupted.", action: "Apply again to go on."}
	case rollout.ExternalChange:
		return errorDetail{
			cause:  "Someone else changed the route: " + seen,
			action: `Plan again. If it was another Terraform resource, give that listener lifecycle { ignore_changes = [default_action] }, a rule [action].`,
		}
	case rollout.NotForwarding:
		return errorDetail{
			cause:  "The route does not forward to target groups: " + seen,
			action: "Let it forward to a target group, or take it out of load_balancer.routes. Only a fixed 5xx response is taken over, when the switch is created or when the route joins it.",
		}
	case rollout.CredentialsExpire:
		return errorDetail{
			cause:  "The AWS credentials would end before the step and a way back are over.",
			action: "Get credentials that last longer, or ones that renew themselves (a role), and apply again.",
			facts:  causeFact(f.Err),
		}
	case rollout.VersionRejected:
		return s.rejectedDetail()
	case rollout.MovedExternally:
		return s.movedExternallyDetail(f)
	case rollout.TimedOut:
		return errorDetail{cause: "The shift took longer than its schedule's longest time.", action: "Apply again. If it comes again, set TF_LOG_PROVIDER=info to see what it waits for.", facts: causeFact(f.Err)}
	case rollout.TooManyGroups:
		return errorDetail{
			cause:  fmt.Sprintf("More than %d target groups would be needed in one action at once, the most that Elastic Load Balancing takes.", shift.MaxGroups),
			action: "Move the traffic to fewer environments first.",
			facts:  causeFact(f.Err),
		}
	case rollout.RouterFailed:
	}
	t := callDetail(f.Err)
	if f.Err == nil {
		t = errorDetail{cause: "The load balancer did not do what it was told: " + seen, action: "Apply again."}
	}
	return t
}

// blockedDetail words a gate that spoke before anything was written.
func blockedDetail(f *rollout.Failure) errorDetail {
	seen := sentence(f.Detail)
	if seen == "" && f.Err != nil {
		seen = "it could not look."
	}
	return errorDetail{
		cause:  fmt.Sprintf("The gate %q keeps this from beginning: %s", f.Gate, seen),
		action: "Nothing is known against the version. See to what the gate names, and apply again. If the traffic must move all the same, give the gate dry_run = true.",
		facts:  causeFact(f.Err),
	}
}

// badVersionAction says how a version that was seen to be bad goes on.
func (s *shiftRun) badVersionAction(result rollout.Result, f *rollout.Failure) string {
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

// rollbackFailedAction says how the traffic comes back where a way back failed.
func (s *shiftRun) rollbackFailedAction() string {
	if s.state == nil { // the next Create begins from what it finds
		return "Move the traffic back by hand, or mend what the cause names and apply again."
	}
	return "Set active back to what carried the traffic, and apply: that takes it all back with one call per route. Else move it by hand."
}

func (s *shiftRun) notHealthyAction(result rollout.Result, f *rollout.Failure) string {
	if f.Rejects {
		return s.badVersionAction(result, f)
	}
	return "See why its targets are not healthy, and apply again. The reasons of the load balancer stand in brackets."
}

func (s *shiftRun) rejectedDetail() errorDetail {
	r := s.prior.rejection(s.desired)
	if r == nil {
		return errorDetail{cause: "The version was rejected."}
	}
	return errorDetail{
		cause:  fmt.Sprintf("Version %s of %s was rejected: %s", r.Version, r.Environment, sentence(r.Reason)),
		action: "Set active back to what carries the traffic, ship another version, or give retry a new value to try this one again.",
		facts:  []fact{{"Rejected at", timeValue(r.At).ValueString()}},
	}
}

// movedExternallyDetail tells a hand from what may as well be a shift that was killed
// before it could be kept.
func (s *shiftRun) movedExternallyDetail(f *rollout.Failure) errorDetail {
	goal, sole := s.desired.goal.Sole()
	if !sole {
		goal = s.desired.goal.String()
	}
	if !f.Rejects {
		return errorDetail{
			cause:  fmt.Sprintf("The traffic was moved away from %s since the last completed shift, by someone or by an apply that was killed. This apply does not undo it.", goal),
			action: "Set active (or weights) to what carries the traffic, ship another version, or give retry a new value to move it all the same.",
		}
	}
	return errorDetail{
		cause:  fmt.Sprintf("Someone moved the traffic away from %s since the last shift, and that is not undone.", goal),
		action: fmt.Sprintf("Set active (or weights) to what carries the traffic, ship another version, or give retry a new value to try %s again.", goal),
	}
}

// sentence ends a text as one.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// warnings are things worth knowing of a shift, however it ended.
func (s *shiftRun) warnings(result rollout.Result) diag.Diagnostics {
	if len(result.Warnings) == 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic("Worth knowing about the shift of "+entryNames(s.desired.routes), strings.Join(result.Warnings, "\n"))}
}

// unmanagedRouteNote is a note of the schedule.
func unmanagedRouteNote(text string, environments []string) string {
	return fmt.Sprintf("%s forwards to %s too and is no route of this switch: it goes on as it is.", text, joinAnd(environments))
}
