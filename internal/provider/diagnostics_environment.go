package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Texts of diagnostics about environments.

func notReadySummary(name string) string { return fmt.Sprintf("Environment %q is not ready", name) }

func changeSummary(name string) string { return fmt.Sprintf("Cannot change environment %q", name) }

func destroySummary(name string) string { return fmt.Sprintf("Cannot destroy environment %q", name) }

// groupLabel is the name of a group.
func groupLabel(group string) string { return platform.Of(group).GroupName(group) }

// trafficSummary says which routes send traffic to which target group: "listener
// :443 sends 95 % to app-blue".
func trafficSummary(all []trafficMemory) string {
	var parts []string
	for _, t := range all {
		text := fmt.Sprintf("%s sends %s to %s", t.Text, t.Share, groupLabel(t.Group))
		switch {
		case t.Recorded:
			text = fmt.Sprintf("the record of a shift on %s that did not end gives %s to %s", t.Text, t.Share, groupLabel(t.Group))
		case t.Share == 0:
			text = fmt.Sprintf("%s sends no new clients to %s, but stickiness keeps earlier clients there", t.Text, groupLabel(t.Group))
		}
		parts = append(parts, text)
	}
	return schedule.And(parts)
}

// referenceText says which listeners and rules have the target group in their
// action, at whatever weight.
func referenceText(references []traffic.Reference, group string) string {
	var parts []string
	for _, r := range references {
		if r.Group == group {
			parts = append(parts, fmt.Sprintf("%s (%s)", r.Text, r.Share))
		}
	}
	if parts == nil {
		return platform.Of(group).IdleText
	}
	return "attached to " + schedule.And(parts)
}

// liveChange refuses a plan that changes what serves users.
func liveChange(at path.Path, name string, changes []string, traffic string) diag.Diagnostic {
	return diag.WithPath(at, input.Detail{
		Traffic: fmt.Sprintf("%s.", traffic),
		Cause:   fmt.Sprintf("The plan changes %q while it serves that traffic.", name),
		Action: "Change an idle environment instead and shift the traffic to it. If the same edit also moves the traffic away, as reverting a release does, " +
			"first apply the change of active alone (keep this environment as it is), then apply the rest. " +
			"If a route that is named above carries only tests, add it to test_routes of the environment. protect = false lifts the protection.",
		Facts: []input.Fact{{"Change", strings.Join(changes, ", ")}},
	}.Diagnostic(changeSummary(name)))
}

// deposedHint is about the old object of a replacement, whose target groups the new one has: the provider cannot
// distinguish it.
const deposedHint = "If the plan calls the object deposed, because an apply that replaced it did not finish, set " + allowDestroyVariable + "=1 for one apply."

// destroyedButLive refuses a plan of the switch that leaves traffic on an
// environment which the same plan destroys.
func destroyedButLive(name string, share fmt.Stringer) diag.Diagnostic {
	return input.Detail{
		Traffic: fmt.Sprintf("after this plan, %s would have %s.", name, share),
		Cause:   "The same plan destroys the environment.",
		Action: "Move the traffic to another environment with active or weights in this edit, or keep the environment. " +
			"If only the address of the resource changed, add a moved block. " + deposedHint,
	}.Diagnostic(destroySummary(name))
}

// inlineChange is what a plan does to an inline environment that has traffic.
type inlineChange struct {
	name    string
	traffic []trafficMemory
	goal    shift.Weights // where the plan moves the traffic; nil: it leaves some there
}

// removed refuses the removal of an inline environment, or of everything that serves in it.
func (c inlineChange) removed(what string) diag.Diagnostic {
	move := fmt.Sprintf("First keep %q in environments, with its resources, and apply", c.name)
	if to, sole := c.goal.Sole(); sole {
		move += ": this shifts the traffic to " + to
	} else if c.goal != nil {
		move += ": this shifts the traffic to " + c.goal.String()
	} else {
		move += " a change of active or weights that moves all its traffic to other environments"
	}
	return c.detail(
		fmt.Sprintf("The plan removes %senvironment %q while it has that traffic. Terraform does not order this after the shift, because the environment is inline: it can destroy what serves there first.", what, c.name),
		fmt.Sprintf("Use two applies. %s. Then remove it and apply again. "+
			"With bluegreen_environment and create_before_destroy, one apply does both in this order.", move),
	).Diagnostic(fmt.Sprintf("Cannot remove environment %q", c.name))
}

// replaced warns of replaced target groups or resources. Only create_before_destroy, which the
// provider cannot see, makes that safe.
func (c inlineChange) replaced(what string, unknown bool) diag.Diagnostic {
	verb := "replaces"
	if unknown {
		verb, what = "may replace", what+" (known after apply)"
	}
	return c.detail(
		fmt.Sprintf("The plan %s %s of environment %q while it has that traffic. Terraform does not order this after the shift, because the environment is inline: "+
			"it can stop what serves there first.", verb, what, c.name),
		"Release to another environment instead, and remove this one in a later apply. If you apply this plan, "+
			"every replaced resource behind the environment must have create_before_destroy and be listed in backed_by.",
	).Warning(fmt.Sprintf("Environment %q changes while it has traffic", c.name))
}

func (c inlineChange) detail(cause, action string) input.Detail {
	d := input.Detail{Traffic: trafficSummary(c.traffic) + ".", Cause: cause, Action: action}
	for _, t := range c.traffic {
		d.Facts = append(d.Facts, input.Fact{"Target group", t.Group})
	}
	return d
}

// destroyRefused keeps an environment that carries traffic. IsRoute reports whether a switch has a route.
func destroyRefused(name string, traffic []trafficMemory, isRoute func(string) bool) diag.Diagnostic {
	d := input.Detail{
		Traffic: fmt.Sprintf("%s. Nothing was destroyed.", trafficSummary(traffic)),
		Cause:   "An environment that carries traffic is protected.",
		Action: "Move the traffic to another environment and apply; then destroy this one. To do both in one apply, the environment needs " +
			"lifecycle { create_before_destroy = true } from an earlier apply, because Terraform reads it from the state and otherwise destroys first. " +
			"If the switch was destroyed before, apply it again first; that moves no traffic. If only the address of the environment changed, add a moved block. " +
			deposedHint + "\n\n" +
			testsAction(traffic, isRoute) +
			"To destroy the environment together with its traffic, apply protect = false first, or set " + allowDestroyVariable + "=1 where Terraform runs.",
	}
	for _, route := range traffic {
		d.Facts = append(d.Facts, input.Fact{"Route", route.Route})
	}
	if !slices.ContainsFunc(traffic, func(t trafficMemory) bool { return !t.Recorded }) {
		d.Cause = "An environment of a shift that did not end is protected: the next apply of the switch may move traffic to it."
		d.Action = "Apply the switch with the environment first: that completes the shift or rolls it back, and removes the record. Then destroy the environment. " +
			"To destroy it nevertheless, apply protect = false first, or set " + allowDestroyVariable + "=1 where Terraform runs."
	}
	return d.Diagnostic(destroySummary(name))
}

// routesUnknown keeps an environment whose traffic is not known, because AWS does not say which routes have its group.
func routesUnknown(name, group string) diag.Diagnostic {
	return input.Detail{
		Traffic: "not known. Nothing was destroyed.",
		Cause: fmt.Sprintf("A load balancer checks the targets of %s, so a listener or rule has this target group. AWS does not say which one: "+
			"LoadBalancerArns of the target group is empty. No switch that Terraform applied before in this run has it.", groupLabel(group)),
		Action: "If a switch has the environment, apply both with lifecycle { create_before_destroy = true } on the environment, then destroy it again: Terraform then applies the switch before. " +
			"Otherwise remove the target group from the listener or rule first. " +
			"To destroy the environment nevertheless, apply protect = false first, or set " + allowDestroyVariable + "=1 where Terraform runs.",
		Facts: []input.Fact{{"Target group", group}},
	}.Diagnostic(destroySummary(name))
}

// testsAction is what to do about traffic of listeners and rules that may be for tests, because they are no
// routes of a switch; empty: there is none.
func testsAction(all []trafficMemory, isRoute func(string) bool) string {
	var names []string
	for _, t := range all {
		if !t.Recorded && !isRoute(t.Route) && !slices.Contains(names, t.Text) {
			names = append(names, t.Text)
		}
	}
	if names == nil {
		return ""
	}
	it := "it"
	if len(names) > 1 {
		it = "them"
	}
	return fmt.Sprintf("If only tests use %s, apply the environment with %s in test_routes, or remove what is for tests. Then destroy the environment.\n\n", schedule.And(names), it)
}

// callDetail is a failed call about an environment.
func (m environmentModel) callDetail(err error) input.Detail {
	d := callDetail(err)
	if errors.Is(err, traffic.ErrNotFound) {
		p := m.platform()
		d.Action = fmt.Sprintf("Check %s, or remove it from %s.", p.Words.CheckBackend, strings.Join(p.Arguments(), " or "))
	}
	return d
}

func environmentUnreadable(m environmentModel, err error) diag.Diagnostic {
	return m.callDetail(err).Diagnostic(fmt.Sprintf("Cannot read the traffic of environment %q", m.Name.ValueString()))
}

// notCreated reports a call that failed before readiness could be checked.
func (m environmentModel) notCreated(err error) diag.Diagnostic {
	return m.callDetail(err).Diagnostic(notReadySummary(m.Name.ValueString()))
}

// notDestroyed reports what prevented an environment from being destroyed.
func (m environmentModel) notDestroyed(err error) diag.Diagnostic {
	d := m.callDetail(err)
	if errors.Is(err, context.Canceled) { // and not the deadline of a read
		d = input.Detail{Cause: "The apply was interrupted while in-flight requests drained.", Action: "Apply again; the drain starts over."}
	}
	d.Cause = "The environment was not destroyed and stays in the state. " + d.Cause
	return d.Diagnostic(destroySummary(m.Name.ValueString()))
}

// notDetached reports why the target groups could not be removed from the
// listeners and rules that have them at weight 0.
func (m environmentModel) notDetached(err error) diag.Diagnostic {
	d := m.callDetail(err)
	d.Traffic = "the environment has none. It was not destroyed and stays in the state, because its target groups could not be detached."
	return d.Diagnostic(destroySummary(m.Name.ValueString()))
}

// gateRefused reports a gate that cannot be called.
func (p proving) gateRefused(name string, err error) diag.Diagnostic {
	return gateUnavailable(name, err).Diagnostic(notReadySummary(p.model.Name.ValueString()))
}

// notReady reports why an environment did not become ready.
func (p proving) notReady(f *rollout.Failure) diag.Diagnostic {
	d := p.causeDetail(f)
	d.Facts = append([]input.Fact{{"Gate", f.Gate}}, d.Facts...)
	router := p.model.platform()
	for _, backend := range p.backends() {
		if router.Composes() {
			break // no route is known
		}
		d.Facts = append(d.Facts, input.Fact{fmt.Sprintf("Target group %s of %s", groupLabel(backend.Group), backend.Entry), referenceText(p.references, backend.Group)})
	}
	return d.Diagnostic(notReadySummary(p.model.Name.ValueString()))
}

func (p proving) causeDetail(f *rollout.Failure) input.Detail {
	detail := input.Sentence(f.Detail)
	again := "Fix the environment or the gate, then apply again."
	router := p.model.platform()
	words := router.Words
	switch f.Cause {
	case rollout.NotHealthy:
		return input.Detail{Cause: "Its targets did not become healthy: " + detail, Action: words.NotHealthy}
	case rollout.HealthFailed:
		return input.Detail{Cause: "Target health degraded while the gates were evaluated: " + detail, Action: words.NotHealthy}
	case rollout.HealthUnreadable:
		d := unreadableHealthDetail(words, f)
		d.Action = strings.TrimPrefix(d.Action, notRejected)
		return d
	case rollout.TooFewTargets:
		return input.Detail{Cause: "Too few healthy targets: " + detail, Action: fmt.Sprintf(words.TooFew, " (ready.min_healthy_targets)")}
	case rollout.BlockedByGate:
		d := blockedDetail(f)
		d.Cause = strings.Replace(d.Cause, "prevents the shift from starting", "prevents the readiness check from starting", 1)
		d.Action = "The version itself was not evaluated. Fix what the gate reports, then apply again."
		return d
	case rollout.GateFailed:
		return input.Detail{Cause: fmt.Sprintf("Gate %q failed: %s", f.Gate, detail), Action: again}
	case rollout.GateInconclusive:
		return input.Detail{Cause: fmt.Sprintf("Gate %q stayed inconclusive: %s", f.Gate, detail), Action: again}
	case rollout.GateErrored:
		return input.Detail{Cause: fmt.Sprintf("Gate %q could not measure: %s", f.Gate, detail), Action: gateErroredAction, Facts: input.CauseFact(f.Err)}
	case rollout.TimedOut:
		return input.Detail{Cause: "The readiness check timed out: " + detail, Action: again}
	case rollout.Interrupted:
		return input.Detail{Cause: "The apply was interrupted.", Action: "Apply again; the readiness check starts over."}
	default:
		return p.model.callDetail(f.Err)
	}
}

// warnings reports what did not prevent readiness but needs attention.
func (p proving) warnings(texts []string) diag.Diagnostics {
	if len(texts) == 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic(fmt.Sprintf("Environment %q is ready with warnings", p.model.Name.ValueString()), strings.Join(texts, "\n"))}
}

func trafficNotRead() diag.Diagnostic {
	return input.Detail{
		Cause:  "The private state of the environment, which holds its traffic at the last refresh, is not valid.",
		Action: "Plan again without -refresh=false.",
	}.Diagnostic("Cannot plan the environment")
}

func noGroups(at path.Path, backend string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It has no %s. Set at least one entry point with its %[1]s.", backend))
}

// noRequestsYet is about a readiness gate on responses where only a switch knows what serves them.
func noRequestsYet(at path.Path, gate string, router platform.Entry) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("An environment with %s has no metrics of requests before a switch sends it traffic. "+
		"Move the gate to the bluegreen_switch, which evaluates it at each step, or test the environment here with http or command.", router.Backends), input.Fact{"Gate", gate})
}

// trafficUnknown keeps an environment whose traffic no switch of this run knows.
func trafficUnknown(name string) diag.Diagnostic {
	return input.Detail{
		Traffic: "unknown.",
		Cause:   "Only a switch knows the routes of this environment, and this run has updated or destroyed none that has it.",
		Action: "Set lifecycle { create_before_destroy = true } on the environment and apply once, before you remove it: Terraform then updates the switch first. " +
			"If no switch has it any more, set " + allowDestroyVariable + "=1 for one apply.",
	}.Diagnostic(destroySummary(name))
}

// noBackends is about an environment without anything behind it.
func noBackends(at path.Path) diag.Diagnostic {
	var names []string
	for _, p := range platform.All() {
		names = append(names, p.Backends)
	}
	return input.Misuse(at, fmt.Sprintf("It is missing. Set one of %s.", schedule.And(names)))
}

func severalBackends(at path.Path, set []string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("An environment is behind one router, and %s are set. Keep one of them, and use a switch with environments of its own for each router.", schedule.And(set)))
}

func nullBacking(at path.Path) diag.Diagnostic {
	return input.Misuse(at, "It is null. Set the ID of a resource that serves the traffic of the environment. Use an empty list if those resources are in another state.")
}

func notAnEnvironment(at path.Path, value string) diag.Diagnostic {
	return input.Misuse(at, "Only bluegreen_environment exports it. Leave it out of an inline environment.", input.Fact{"Value", strconv.Quote(value)})
}

func nameIsNotKey(at path.Path, name, key string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("The environment is named %q, but its key is %q. Use its name as the key.", name, key))
}

// importTrouble is a fault of an import ID.
func importTrouble(id, detail string, facts ...input.Fact) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Cannot import environment "+strconv.Quote(id), detail+input.FactLines(facts))
}

func malformedEnvironmentImport(id string) diag.Diagnostic {
	return importTrouble(id, "The ID is not a name with entry points. Use the form green,web=<target group ARN>, or green,web=<ARN>,api=<ARN> for several entry points. "+
		"Other backends follow the name of their argument, such as green,records.web=<set identifier>.")
}

func importEntryTwice(id, entry string) diag.Diagnostic {
	return importTrouble(id, fmt.Sprintf("The entry point %q is listed twice. List each once.", entry))
}

func importNotAGroup(id, group, fault string) diag.Diagnostic {
	return importTrouble(id, fmt.Sprintf("%q cannot be used. %s", group, fault))
}

func importedGroupMissing(m environmentModel, groups, existing []string) diag.Diagnostic {
	p := m.platform()
	d := input.Detail{Cause: fmt.Sprintf("A %s does not exist.", p.Backend), Action: "Check " + p.Words.CheckBackend + "."}
	for _, group := range groups {
		if !slices.Contains(existing, group) {
			d.Facts = append(d.Facts, input.Fact{p.Fact(), group})
		}
	}
	return d.Diagnostic(fmt.Sprintf("Cannot import environment %q", m.Name.ValueString()))
}
