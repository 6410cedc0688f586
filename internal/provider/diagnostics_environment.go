package provider

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// The words for a user about environments.

func createSummary(name string) string {
	return fmt.Sprintf("Unable to make ready environment %q", name)
}

func changeSummary(name string) string { return fmt.Sprintf("Unable to change environment %q", name) }

func destroySummary(name string) string {
	return fmt.Sprintf("Unable to destroy environment %q", name)
}

// groupLabel is the name of a target group alone.
func groupLabel(group string) string {
	a, err := elb.ParseGroup(group)
	if err != nil {
		return group
	}
	return a.Name
}

// trafficSummary words who sends users: "listener :443 gives app-blue 95 %".
func trafficSummary(traffic []trafficMemory) string {
	var words []string
	for _, t := range traffic {
		text := fmt.Sprintf("%s gives %s %s", t.Text, groupLabel(t.Group), t.Share)
		if t.Share == 0 {
			text = fmt.Sprintf("%s gives %s nothing new but keeps clients there by stickiness", t.Text, groupLabel(t.Group))
		}
		words = append(words, text)
	}
	return joinAnd(words)
}

// referenceText words who names a group, whether users come from there or not.
func referenceText(users []elb.Reference, group string) string {
	var words []string
	for _, u := range users {
		if u.Group == group {
			words = append(words, fmt.Sprintf("%s (%s)", u.Text, u.Share))
		}
	}
	if words == nil {
		return "no listener or rule names it, so nobody checks its health"
	}
	return "named by " + joinAnd(words)
}

// liveChange refuses a plan that changes what serves the users.
func liveChange(at path.Path, name string, changes []string, traffic string) diag.Diagnostic {
	return diag.WithPath(at, errorDetail{
		traffic: fmt.Sprintf("It carries traffic: %s.", traffic),
		cause:   "The plan changes what serves that traffic.",
		action: "Change an idle environment instead, and move the traffic to it. Where the same edit moves the traffic away, as reverting a release does, apply the new active alone first. " +
			"If these are no users but tests, see protect in the documentation; protect = false lifts the protection.",
		facts: []fact{{"Change", strings.Join(changes, ", ")}},
	}.diagnostic(changeSummary(name)))
}

// destroyedButLive refuses a plan of the switch that leaves traffic on an
// environment which the same plan destroys.
func destroyedButLive(name string, share fmt.Stringer) diag.Diagnostic {
	return errorDetail{
		traffic: fmt.Sprintf("The switch leaves %s of the traffic on it, and the same plan destroys it.", share),
		action:  "Move the traffic away with active or weights, or keep the environment. If only its address has changed, add a moved block.",
	}.diagnostic(destroySummary(name))
}

// destroyRefused keeps an environment that carries traffic.
func destroyRefused(name string, traffic []trafficMemory) diag.Diagnostic {
	t := errorDetail{
		traffic: fmt.Sprintf("It carries traffic: %s. It was not destroyed, and nothing was moved.", trafficSummary(traffic)),
		action: "Move the traffic away first: apply with another active, and destroy the environment afterwards. " +
			"To do both in one apply, the environment needs lifecycle { create_before_destroy = true } from an apply before: Terraform reads it from the state, and without it destroys first. " +
			"If the switch is gone already, an apply with it brings it back and moves nothing. " +
			"If only the address of the environment has changed, add a moved block.\n\n" +
			"To destroy it with its traffic, apply protect = false first, or set " + allowDestroyVariable + "=1 where Terraform runs.",
	}
	for _, route := range traffic {
		t.facts = append(t.facts, fact{"Route", route.Route})
	}
	return t.diagnostic(destroySummary(name))
}

// environmentDetail words a call that failed, for an environment.
func environmentDetail(err error) errorDetail {
	t := callDetail(err)
	if errors.Is(err, rollout.ErrNotFound) {
		t.action = "Check its ARN, region and account included, or take it out of target_groups."
	}
	return t
}

func environmentUnreadable(m environmentModel, err error) diag.Diagnostic {
	return environmentDetail(err).diagnostic(fmt.Sprintf("Unable to read traffic of environment %q", m.Name.ValueString()))
}

// notCreated words a call that failed before anything could be judged.
func (m environmentModel) notCreated(err error) diag.Diagnostic {
	return environmentDetail(err).diagnostic(createSummary(m.Name.ValueString()))
}

// notDestroyed words what kept an environment from being destroyed.
func (m environmentModel) notDestroyed(err error) diag.Diagnostic {
	t := environmentDetail(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t = errorDetail{cause: "The apply was interrupted while what users had begun was let finish.", action: "Apply again; it then waits anew."}
	}
	t.traffic = "It was not destroyed, and stays in the state."
	return t.diagnostic(destroySummary(m.Name.ValueString()))
}

// notDetached words what kept its target groups from being taken off the
// listeners and rules that name them at weight 0.
func (m environmentModel) notDetached(err error) diag.Diagnostic {
	t := environmentDetail(err)
	t.traffic = "It carries no traffic. It was not destroyed, and stays in the state: its target groups could not be detached."
	return t.diagnostic(destroySummary(m.Name.ValueString()))
}

// gateRefused words a gate that cannot be asked.
func (p proving) gateRefused(name string, err error) diag.Diagnostic {
	t := errorDetail{
		cause:  fmt.Sprintf("The gate %q cannot be asked.", name),
		action: "Mend what the cause names, and apply again.",
		facts:  causeFact(err),
	}
	if errors.Is(err, gate.ErrUnset) {
		t.action = "Set the environment variable where Terraform runs, and apply again."
	}
	return t.diagnostic(createSummary(p.model.Name.ValueString()))
}

// notReady words why an environment did not become ready.
func (p proving) notReady(f *rollout.Failure) diag.Diagnostic {
	t := p.causeDetail(f)
	t.facts = append([]fact{{"Gate", f.Gate}}, t.facts...)
	for _, side := range p.sides() {
		t.facts = append(t.facts, fact{fmt.Sprintf("Target group %s of %s", groupLabel(side.Group), side.Entry), referenceText(p.users, side.Group)})
	}
	return t.diagnostic(createSummary(p.model.Name.ValueString()))
}

func (p proving) causeDetail(f *rollout.Failure) errorDetail {
	seen := sentence(f.Detail)
	again := "Mend the environment or the gate, and apply again."
	switch f.Cause {
	case rollout.NotHealthy:
		return errorDetail{cause: "It did not become healthy: " + seen, action: "See why its targets are not healthy, and apply again. The reasons of the load balancer stand in brackets."}
	case rollout.HealthFailed:
		return errorDetail{cause: "Its health broke while the gates judged: " + seen, action: "See why its targets are not healthy, and apply again. The reasons of the load balancer stand in brackets."}
	case rollout.BlockedByGate:
		t := blockedDetail(f)
		t.action = "Nothing is known against the version. Mend what the gate names, and apply again."
		return t
	case rollout.GateFailed:
		return errorDetail{cause: fmt.Sprintf("The gate %q failed: %s", f.Gate, seen), action: again}
	case rollout.GateInconclusive:
		return errorDetail{cause: fmt.Sprintf("The gate %q stayed inconclusive: %s", f.Gate, seen), action: again}
	case rollout.GateErrored:
		return errorDetail{cause: fmt.Sprintf("The gate %q could not measure: %s", f.Gate, seen), action: "Nothing is known against the version. Mend the gate and apply again.", facts: causeFact(f.Err)}
	case rollout.Interrupted:
		return errorDetail{cause: "The apply was interrupted.", action: "Apply again to go on."}
	default:
		return environmentDetail(f.Err)
	}
}

// warnings are things worth knowing of an environment that is ready.
func (p proving) warnings(told []string) diag.Diagnostics {
	if len(told) == 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic(fmt.Sprintf("Worth knowing about environment %q", p.model.Name.ValueString()), strings.Join(told, "\n"))}
}

func trafficNotRead() diag.Diagnostic {
	return errorDetail{cause: "What is remembered of its traffic cannot be read.", action: "Plan again, with a refresh."}.diagnostic("Unable to plan environment")
}

func wrongEnvironmentData(data any) diag.Diagnostic {
	return errorDetail{cause: "The provider handed over something unexpected.", action: "Please report this to the provider's developers.",
		facts: []fact{{"Type", fmt.Sprintf("%T", data)}}}.diagnostic("Unable to configure environment")
}

// gateAbsent warns at plan; the apply says it as an error.
func gateAbsent(name string, err error) diag.Diagnostic {
	return diag.NewWarningDiagnostic(fmt.Sprintf("The gate %q could not do its work here", name),
		"It is looked at again when this is applied. While it is so, no release begins, unless the gate is a dry_run; a way back does not wait for it."+factLines(causeFact(err)))
}

func noGroups(at path.Path) diag.Diagnostic {
	return misuse(at, "It names no target group. Give at least one entry point with its target group.")
}

func nullBacking(at path.Path) diag.Diagnostic {
	return misuse(at, "It is null. Give the id of what serves behind the target groups; an empty list says that this is in another state.")
}

func whenOfReady(at path.Path) diag.Diagnostic {
	return misuse(at, "An environment is proven before it has any traffic, so its gates have no other part to be asked in. Take it out.")
}

func nameIsNotKey(at path.Path, name, key string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("The environment is called %q, and its key is %q. Give it the key that is its name.", name, key))
}

// importTrouble is a fault of an import's id.
func importTrouble(id, detail string, facts ...fact) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Unable to import environment "+strconv.Quote(id), detail+factLines(facts))
}

func malformedEnvironmentImport(id string) diag.Diagnostic {
	return importTrouble(id, "It is not a name with entry points. Write green,web=<arn>, more entry points as green,web=<arn>,api=<arn>.")
}

func importEntryTwice(id, entry string) diag.Diagnostic {
	return importTrouble(id, fmt.Sprintf("The entry point %q is named twice. Name each once.", entry))
}

func importNotAGroup(id, arn string, err error) diag.Diagnostic {
	return importTrouble(id, fmt.Sprintf("%q is not the ARN of a target group. Give one.", arn), fact{"Cause", err.Error()})
}

func importedGroupMissing(m environmentModel, groups, existing []string) diag.Diagnostic {
	t := errorDetail{cause: "A target group does not exist.", action: "Check its ARN, region and account included."}
	for _, group := range groups {
		found := false
		for _, e := range existing {
			found = found || e == group
		}
		if !found {
			t.facts = append(t.facts, fact{"Target group", group})
		}
	}
	return t.diagnostic(fmt.Sprintf("Unable to import environment %q", m.Name.ValueString()))
}
