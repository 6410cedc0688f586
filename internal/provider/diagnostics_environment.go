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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Texts of diagnostics about environments.

func notReadySummary(name string) string { return fmt.Sprintf("Environment %q is not ready", name) }

func changeSummary(name string) string { return fmt.Sprintf("Cannot change environment %q", name) }

func destroySummary(name string) string { return fmt.Sprintf("Cannot destroy environment %q", name) }

// groupLabel is the name of a group.
func groupLabel(group string) string { return platformOf(group).GroupName(group) }

// trafficSummary says which routes send traffic to which target group: "listener
// :443 sends 95 % to app-blue".
func trafficSummary(all []trafficMemory) string {
	var parts []string
	for _, t := range all {
		text := fmt.Sprintf("%s sends %s to %s", t.Text, t.Share, groupLabel(t.Group))
		if t.Share == 0 {
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
		return platformOf(group).idleText
	}
	return "attached to " + schedule.And(parts)
}

// liveChange refuses a plan that changes what serves users.
func liveChange(at path.Path, name string, changes []string, traffic string) diag.Diagnostic {
	return diag.WithPath(at, errorDetail{
		traffic: fmt.Sprintf("%s.", traffic),
		cause:   fmt.Sprintf("The plan changes %q while it serves that traffic.", name),
		action: "Change an idle environment instead and shift the traffic to it. If the same edit also moves the traffic away, as reverting a release does, " +
			"first apply the change of active alone (keep this environment as it is), then apply the rest. " +
			"If that traffic is only tests, see the documentation of protect; protect = false lifts the protection.",
		facts: []fact{{"Change", strings.Join(changes, ", ")}},
	}.diagnostic(changeSummary(name)))
}

// destroyedButLive refuses a plan of the switch that leaves traffic on an
// environment which the same plan destroys.
func destroyedButLive(name string, share fmt.Stringer) diag.Diagnostic {
	return errorDetail{
		traffic: fmt.Sprintf("after this plan, %s would have %s.", name, share),
		cause:   "The same plan destroys the environment.",
		action: "Move the traffic to another environment with active or weights in this edit, or keep the environment. " +
			"If only the address of the resource changed, add a moved block.",
	}.diagnostic(destroySummary(name))
}

// destroyRefused keeps an environment that carries traffic.
func destroyRefused(name string, traffic []trafficMemory) diag.Diagnostic {
	d := errorDetail{
		traffic: fmt.Sprintf("%s. Nothing was destroyed.", trafficSummary(traffic)),
		cause:   "An environment that carries traffic is protected.",
		action: "Move the traffic to another environment and apply; then destroy this one. To do both in one apply, the environment needs " +
			"lifecycle { create_before_destroy = true } from an earlier apply, because Terraform reads it from the state and otherwise destroys first. " +
			"If the switch was destroyed before, apply it again first; that moves no traffic. If only the address of the environment changed, add a moved block.\n\n" +
			"To destroy the environment together with its traffic, apply protect = false first, or set " + allowDestroyVariable + "=1 where Terraform runs.",
	}
	for _, route := range traffic {
		d.facts = append(d.facts, fact{"Route", route.Route})
	}
	return d.diagnostic(destroySummary(name))
}

// environmentDetail is a failed call about an environment.
func environmentDetail(err error) errorDetail {
	d := callDetail(err)
	if errors.Is(err, traffic.ErrNotFound) {
		d.action = "Check the ARN, including its region and account, or remove it from target_groups."
	}
	return d
}

func environmentUnreadable(m environmentModel, err error) diag.Diagnostic {
	return environmentDetail(err).diagnostic(fmt.Sprintf("Cannot read the traffic of environment %q", m.Name.ValueString()))
}

// notCreated reports a call that failed before readiness could be checked.
func (m environmentModel) notCreated(err error) diag.Diagnostic {
	return environmentDetail(err).diagnostic(notReadySummary(m.Name.ValueString()))
}

// notDestroyed reports what prevented an environment from being destroyed.
func (m environmentModel) notDestroyed(err error) diag.Diagnostic {
	d := environmentDetail(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		d = errorDetail{cause: "The apply was interrupted while in-flight requests drained.", action: "Apply again; the drain starts over."}
	}
	d.cause = "The environment was not destroyed and stays in the state. " + d.cause
	return d.diagnostic(destroySummary(m.Name.ValueString()))
}

// notDetached reports why the target groups could not be removed from the
// listeners and rules that have them at weight 0.
func (m environmentModel) notDetached(err error) diag.Diagnostic {
	d := environmentDetail(err)
	d.traffic = "the environment has none. It was not destroyed and stays in the state, because its target groups could not be detached."
	return d.diagnostic(destroySummary(m.Name.ValueString()))
}

// gateRefused reports a gate that cannot be called.
func (p proving) gateRefused(name string, err error) diag.Diagnostic {
	return gateUnavailable(name, err).diagnostic(notReadySummary(p.model.Name.ValueString()))
}

// notReady reports why an environment did not become ready.
func (p proving) notReady(f *rollout.Failure) diag.Diagnostic {
	d := p.causeDetail(f)
	d.facts = append([]fact{{"Gate", f.Gate}}, d.facts...)
	for _, backend := range p.backends() {
		d.facts = append(d.facts, fact{fmt.Sprintf("Target group %s of %s", groupLabel(backend.Group), backend.Entry), referenceText(p.references, backend.Group)})
	}
	return d.diagnostic(notReadySummary(p.model.Name.ValueString()))
}

func (p proving) causeDetail(f *rollout.Failure) errorDetail {
	detail := sentence(f.Detail)
	again := "Fix the environment or the gate, then apply again."
	switch f.Cause {
	case rollout.NotHealthy:
		return errorDetail{cause: "Its targets did not become healthy: " + detail, action: notHealthyHint}
	case rollout.HealthFailed:
		return errorDetail{cause: "Target health degraded while the gates were evaluated: " + detail, action: notHealthyHint}
	case rollout.BlockedByGate:
		d := blockedDetail(f)
		d.cause = strings.Replace(d.cause, "prevents the shift from starting", "prevents the readiness check from starting", 1)
		d.action = "The version itself was not evaluated. Fix what the gate reports, then apply again."
		return d
	case rollout.GateFailed:
		return errorDetail{cause: fmt.Sprintf("Gate %q failed: %s", f.Gate, detail), action: again}
	case rollout.GateInconclusive:
		return errorDetail{cause: fmt.Sprintf("Gate %q stayed inconclusive: %s", f.Gate, detail), action: again}
	case rollout.GateErrored:
		return errorDetail{cause: fmt.Sprintf("Gate %q could not measure: %s", f.Gate, detail), action: gateErroredAction, facts: causeFact(f.Err)}
	case rollout.Interrupted:
		return errorDetail{cause: "The apply was interrupted.", action: "Apply again; the readiness check starts over."}
	default:
		return environmentDetail(f.Err)
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
	return errorDetail{
		cause:  "The private state of the environment, which holds its traffic at the last refresh, is not valid.",
		action: "Plan again without -refresh=false.",
	}.diagnostic("Cannot plan the environment")
}

// gateAbsent warns at plan; the apply reports it as an error.
func gateAbsent(name string, err error) diag.Diagnostic {
	return diag.NewWarningDiagnostic(fmt.Sprintf("Gate %q cannot be evaluated where this plan runs", name),
		"The apply checks it again. If it still cannot be evaluated then, no shift starts, unless the gate has dry_run = true. A rollback never waits for it."+factLines(causeFact(err)))
}

func noGroups(at path.Path) diag.Diagnostic {
	return misuse(at, "It has no target group. Set at least one entry point with its target group.")
}

func nullBacking(at path.Path) diag.Diagnostic {
	return misuse(at, "It is null. Set the ID of a resource that serves behind the target groups. Use an empty list if those resources are in another state.")
}

func whenOfReady(at path.Path) diag.Diagnostic {
	return misuse(at, "Readiness gates are evaluated before the environment has any traffic, so when does not apply to them. Remove it.")
}

func nameIsNotKey(at path.Path, name, key string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("The environment is named %q, but its key is %q. Use its name as the key.", name, key))
}

// importTrouble is a fault of an import ID.
func importTrouble(id, detail string, facts ...fact) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Cannot import environment "+strconv.Quote(id), detail+factLines(facts))
}

func malformedEnvironmentImport(id string) diag.Diagnostic {
	return importTrouble(id, "The ID is not a name with entry points. Use the form green,web=<target group ARN>, or green,web=<ARN>,api=<ARN> for several entry points.")
}

func importEntryTwice(id, entry string) diag.Diagnostic {
	return importTrouble(id, fmt.Sprintf("The entry point %q is listed twice. List each once.", entry))
}

func importNotAGroup(id, group, fault string) diag.Diagnostic {
	return importTrouble(id, fmt.Sprintf("%q cannot be used. %s", group, fault))
}

func importedGroupMissing(m environmentModel, groups, existing []string) diag.Diagnostic {
	d := errorDetail{cause: "A target group does not exist.", action: "Check the ARN, including its region and account."}
	for _, group := range groups {
		if !slices.Contains(existing, group) {
			d.facts = append(d.facts, fact{"Target group", group})
		}
	}
	return d.diagnostic(fmt.Sprintf("Cannot import environment %q", m.Name.ValueString()))
}
