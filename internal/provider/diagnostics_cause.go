package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Causes of a failed shift, and what to do about each.

// ignoreChangesHint names the most frequent external change: another Terraform
// resource that manages the same weights.
func ignoreChangesHint(w platform.Words) string {
	return fmt.Sprintf("If %s manages this %s, give that resource %s. Otherwise find out who changed the route. Then plan again: the new plan starts from the current weights.", w.Manager, w.Route, w.Ignore)
}

// causeDetail is the cause of a failed shift and what to do next.
func (s *shiftRun) causeDetail(result rollout.Result, f *rollout.Failure) input.Detail {
	w := s.platform().Words
	if d, is := recordDetail(w, f); is {
		return d
	}
	detail := input.Sentence(f.Detail)
	switch f.Cause {
	case rollout.BlockedByGate:
		return blockedDetail(f)
	case rollout.GateFailed:
		return input.Detail{Cause: fmt.Sprintf("Gate %q failed: %s", f.Gate, detail), Action: advice{s}.badVersionAction(result, f)}
	case rollout.GateInconclusive:
		return input.Detail{Cause: fmt.Sprintf("Gate %q stayed inconclusive: %s", f.Gate, detail), Action: inconclusiveAction}
	case rollout.GateErrored:
		return input.Detail{Cause: fmt.Sprintf("Gate %q could not measure: %s", f.Gate, detail), Action: gateErroredAction, Facts: input.CauseFact(f.Err)}
	case rollout.HealthFailed:
		return input.Detail{Cause: "Target health degraded: " + detail, Action: advice{s}.badVersionAction(result, f)}
	case rollout.NotHealthy:
		return input.Detail{Cause: "The environment to receive traffic did not become healthy: " + detail, Action: s.notHealthyAction(result, f)}
	case rollout.HealthUnreadable:
		return unreadableHealthDetail(w, f)
	case rollout.TooFewTargets:
		return input.Detail{Cause: "Too few healthy targets: " + detail, Action: notRejected + tooFewTargetsAction(w, f)}
	case rollout.Interrupted:
		return input.Detail{Cause: "The apply was interrupted.", Action: interruptedAction(f)}
	case rollout.Aborted:
		return input.Detail{Cause: "The guardian of the shift received SIGTERM, which asks for a rollback.", Action: notRejected + "Apply again to release it."}
	case rollout.AbortRequested:
		return input.Detail{Cause: "The shift was aborted " + detail, Action: advice{s}.badVersionAction(result, f)}
	case rollout.RolledBackByUser:
		return input.Detail{Cause: input.Capitalized(detail), Action: advice{s}.badVersionAction(result, f)}
	case rollout.ExternalChange:
		return advice{s}.externalChangeDetail(result, f, detail)
	case rollout.NotForwarding:
		return input.Detail{
			Cause: fmt.Sprintf("A route does not forward to %ss: %s", s.platform().Backend, detail),
			Action: "Change its action to a forward, or remove it from " + input.PathText(s.platform().RoutesAt()) + ". The switch replaces only a fixed 5xx response, and only when the switch is created " +
				"or when the route is added to it.",
		}
	case rollout.CredentialsExpire:
		return input.Detail{
			Cause:  fmt.Sprintf("The %s credentials expire before the next step and a rollback could finish.", w.API),
			Action: fmt.Sprintf("Use credentials that are valid for longer or that renew themselves (%s), then apply again.", w.Renewed),
			Facts:  input.CauseFact(f.Err),
		}
	case rollout.VersionRejected:
		return s.rejectedDetail(result)
	case rollout.MovedExternally:
		return advice{s}.movedExternallyDetail(result)
	case rollout.RouteMissing:
		return s.missingRouteDetail(result, f)
	case rollout.GroupMissing:
		return s.missingGroupDetail(f)
	case rollout.TimedOut:
		cause := "The shift took longer than the longest duration of its schedule."
		if detail != "" { // a limit of its own
			cause = "The shift timed out: " + detail
		}
		return input.Detail{
			Cause:  cause,
			Action: "Apply again. If it times out again, set TF_LOG_PROVIDER=info to see what it waits for.",
			Facts:  input.CauseFact(f.Err),
		}
	case rollout.TooManyGroups:
		return input.Detail{
			Cause:  "The shift would need more than " + s.platform().LimitText + ".",
			Action: "Shift the traffic to fewer environments first, so that the others can be detached.",
			Facts:  input.CauseFact(f.Err),
		}
	case rollout.HoldTooShort:
		return input.Detail{
			Cause:  "A hold of the strategy is over before all users are at its weights: " + detail,
			Action: "Make every hold, and the bake, at least as long as the TTL, or lower the TTL of the records.",
		}
	case rollout.RouterFailed, rollout.Locked, rollout.LeaseLost, rollout.RecordFailed, rollout.OtherSwitch:
	}
	return routerDetail(w, f, detail)
}

// routerDetail is about a call of the router that failed, or writes that it does not show.
func routerDetail(w platform.Words, f *rollout.Failure, detail string) input.Detail {
	if errors.Is(f.Err, rollout.ErrNotVerified) {
		return input.Detail{
			Cause:  w.Service + " accepted the new weights twice but still returns others: " + detail,
			Action: fmt.Sprintf("Apply again. If it fails again, check whether another process writes to the %s, for example a controller or another Terraform configuration.", w.Route),
		}
	}
	if f.Err == nil && isUnconfirmed(f) {
		return callDetail(f.RollbackErr)
	}
	return callDetail(f.Err)
}

const (
	inconclusiveAction = "The version itself was not rejected. Fix the release or the gate, or change on_inconclusive_timeout, then apply again."
	gateErroredAction  = "The version itself was not evaluated. Check that the gate's endpoint responds (the application itself may be hanging) or fix the gate, then apply again."
)

// notRejected begins what to do after a failure that says nothing about the version.
const notRejected = "The version itself was not rejected. "

// tooFewTargetsAction is what to do where targets are missing rather than unhealthy.
func tooFewTargetsAction(w platform.Words, f *rollout.Failure) string {
	if f.Capacity {
		return "Scale the environment up, then apply again. If it gains targets only with its traffic, lower health.capacity_percent, or set it to 0."
	}
	return fmt.Sprintf(w.TooFew, "")
}

// unreadableHealthDetail is about health that was not read, which is neither good nor bad. What
// to do depends on why it was not.
func unreadableHealthDetail(w platform.Words, f *rollout.Failure) input.Detail {
	d := callDetail(f.Err)
	if errors.Is(f.Err, rollout.ErrNoAnswer) {
		d = input.Detail{Cause: w.API + " has not answered since.", Action: "Apply again. " + networkHint(w)}
	}
	d.Cause = fmt.Sprintf("Target health could not be read: %s %s", input.Sentence(f.Detail), d.Cause)
	d.Action = notRejected + d.Action
	return d
}

func interruptedAction(f *rollout.Failure) string {
	if f.Disposition == rollout.Stopped || f.Disposition == rollout.NotOverridden {
		return "Apply again to continue from the current weights."
	}
	return "Apply again to start the shift over."
}

// blockedDetail is about a gate that prevented the shift from starting.
func blockedDetail(f *rollout.Failure) input.Detail {
	detail := input.Sentence(f.Detail)
	if detail == "" {
		detail = "it could not be evaluated."
	}
	return input.Detail{
		Cause:  fmt.Sprintf("Gate %q prevents the shift from starting: %s", f.Gate, detail),
		Action: "The version itself was not evaluated. Fix what the gate reports, then apply again. To shift anyway, set dry_run = true on the gate.",
		Facts:  input.CauseFact(f.Err),
	}
}

func (s *shiftRun) notHealthyAction(result rollout.Result, f *rollout.Failure) string {
	if f.Rejects {
		return advice{s}.badVersionAction(result, f)
	}
	return s.platform().Words.NotHealthy
}

func (s *shiftRun) rejectedDetail(result rollout.Result) input.Detail {
	r := result.Rejected
	if r == nil {
		r = s.Prior.Rejection(s.Desired)
	}
	if r == nil {
		return input.Detail{Cause: "The version is rejected."}
	}
	d := input.Detail{
		Cause:  fmt.Sprintf("Version %s of %s is rejected: %s", r.Version, r.Environment, input.Sentence(r.Reason)),
		Action: advice{s}.otherwise(result, r.Identity),
		Facts:  []input.Fact{{"Rejected at", timeValue(r.At).ValueString()}},
	}
	back := advice{s}.backTo(result)
	if back != nil && release.MeanOf(result)[r.Environment] > back[r.Environment] && s.Desired.VersionOf(r.Environment) == r.Version {
		next := d.Action
		d.Action = ""
		advice{s}.backAtOnce(&d, result, next)
	}
	return d
}

// managedElsewhereHint is ignoreChangesHint where nothing else is said about the cause.
func managedElsewhereHint(w platform.Words) string {
	return fmt.Sprintf("If %s moved the traffic, give that resource %s.", w.Manager, w.Ignore)
}

// callDetail is the cause of a failed call and what to do about it. The first platform also words errors that name no
// call, such as those of credentials, so it comes last.
func callDetail(err error) input.Detail {
	for _, p := range slices.Backward(platform.All()) {
		if d, ok := p.Detail(err); ok {
			return d
		}
	}
	return ownDetail(err, input.CauseFact(err))
}

// networkHint is what to check where an API does not answer.
func networkHint(w platform.Words) string { return "If it fails again, check " + w.Network + "." }

// ownDetail is about errors of the provider itself, and all others.
func ownDetail(err error, facts []input.Fact) input.Detail {
	switch {
	case errors.Is(err, context.Canceled):
		return input.Detail{Cause: "Terraform was interrupted.", Action: "Run it again."}
	case errors.Is(err, errRefreshTimeout):
		return input.Detail{Cause: "Not all reads of the refresh were answered in time.", Action: "Run Terraform again. If it fails again, check the network from where Terraform runs to AWS or the cluster.", Facts: facts}
	case errors.Is(err, platform.ErrAccount):
		return input.Detail{
			Cause:  "The credentials belong to an AWS account that is not in allowed_account_ids.",
			Action: "Use credentials of an allowed account, or add the account to aws.allowed_account_ids of the provider.",
			Facts:  facts,
		}
	case errors.Is(err, platform.ErrSettingsUnknown):
		return input.Detail{
			Cause:  "The provider configuration depends on values that are known only after apply.",
			Action: "Configure the provider with known values, or apply the resources that they come from first (terraform apply -target).",
			Facts:  facts,
		}
	}
	return input.Detail{Cause: "A call failed.", Action: "Fix what the cause names, then apply again.", Facts: facts}
}

// unreadableRoutes reports routes that the data source could not read.
func unreadableRoutes(routes []traffic.Route, err error) diag.Diagnostic {
	d := callDetail(err)
	d.Traffic = "could not be read."
	if errors.Is(err, traffic.ErrNotFound) {
		d.Action = fmt.Sprintf("Check %s, or remove it from routes.", platform.Of(routes[0].ID).Words.Check)
	}
	return d.Diagnostic("Cannot read the traffic of " + entryNames(routes))
}

func unreadableMemory(err error) diag.Diagnostic {
	if errors.Is(err, release.ErrMemoryVersion) {
		return input.Detail{
			Cause:  "The private state of the switch was written by a newer version of the provider.",
			Action: "Use that version of the provider, or a newer one.",
			Facts:  input.CauseFact(err),
		}.Diagnostic("Cannot read the private state of the switch")
	}
	return input.Detail{
		Cause:  "The private state of the switch is not valid.",
		Action: "Remove the switch from the state (terraform state rm) and import it again. This moves no traffic; rejected and previous versions are forgotten.",
		Facts:  input.CauseFact(err),
	}.Diagnostic("Cannot read the private state of the switch")
}

func unexpected(err error) diag.Diagnostic {
	return input.ReportToDevelopers("Cannot plan the switch", input.CauseFact(err)...)
}
