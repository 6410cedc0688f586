package provider

import (
	"errors"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Causes of a failed shift, and what to do about each.

// ignoreChangesHint names the most frequent external change: another Terraform
// resource that manages the same action.
const ignoreChangesHint = "If hashicorp/aws or a module manages this listener or rule, give that resource lifecycle { ignore_changes = [default_action] } " +
	"(a rule: [action]). Otherwise find out who changed the route. Then plan again: the new plan starts from the current weights."

// causeDetail is the cause of a failed shift and what to do next.
func (s *shiftRun) causeDetail(result rollout.Result, f *rollout.Failure) errorDetail {
	detail := sentence(f.Detail)
	switch f.Cause {
	case rollout.BlockedByGate:
		return blockedDetail(f)
	case rollout.GateFailed:
		return errorDetail{cause: fmt.Sprintf("Gate %q failed: %s", f.Gate, detail), action: s.badVersionAction(result, f)}
	case rollout.GateInconclusive:
		return errorDetail{cause: fmt.Sprintf("Gate %q stayed inconclusive: %s", f.Gate, detail), action: inconclusiveAction}
	case rollout.GateErrored:
		return errorDetail{cause: fmt.Sprintf("Gate %q could not measure: %s", f.Gate, detail), action: gateErroredAction, facts: causeFact(f.Err)}
	case rollout.HealthFailed:
		return errorDetail{cause: "Target health degraded: " + detail, action: s.badVersionAction(result, f)}
	case rollout.NotHealthy:
		return errorDetail{cause: "The environment to receive traffic did not become healthy: " + detail, action: s.notHealthyAction(result, f)}
	case rollout.Interrupted:
		return errorDetail{cause: "The apply was interrupted.", action: interruptedAction(f)}
	case rollout.ExternalChange:
		return errorDetail{cause: "Another process changed the route: " + detail, action: ignoreChangesHint}
	case rollout.NotForwarding:
		return errorDetail{
			cause: "A route does not forward to target groups: " + detail,
			action: "Change its action to a forward, or remove it from load_balancer.routes. The switch replaces only a fixed 5xx response, and only when the switch is created " +
				"or when the route is added to it.",
		}
	case rollout.CredentialsExpire:
		return errorDetail{
			cause:  "The AWS credentials expire before the next step and a rollback could finish.",
			action: "Use credentials that are valid for longer or that renew themselves (an assumed role), then apply again.",
			facts:  causeFact(f.Err),
		}
	case rollout.VersionRejected:
		return s.rejectedDetail(result)
	case rollout.MovedExternally:
		return s.movedExternallyDetail(result, f)
	case rollout.TimedOut:
		return errorDetail{
			cause:  "The shift took longer than the longest duration of its schedule.",
			action: "Apply again. If it times out again, set TF_LOG_PROVIDER=info to see what it waits for.",
			facts:  causeFact(f.Err),
		}
	case rollout.TooManyGroups:
		return errorDetail{
			cause:  "The shift would need more than " + s.platform().limits + ".",
			action: "Shift the traffic to fewer environments first, so that the others can be detached.",
			facts:  causeFact(f.Err),
		}
	case rollout.RouterFailed:
	}
	if errors.Is(f.Err, rollout.ErrNotVerified) {
		return errorDetail{
			cause:  "The load balancer accepted the new weights twice but still returns others: " + detail,
			action: "Apply again. If it fails again, check whether another process writes to the listener or rule, for example a controller or another Terraform configuration.",
		}
	}
	return callDetail(f.Err)
}

const (
	inconclusiveAction = "The version itself was not rejected. Fix the release or the gate, or change on_inconclusive_timeout, then apply again."
	gateErroredAction  = "The version itself was not evaluated. Check that the gate's endpoint responds (the application itself may be hanging) or fix the gate, then apply again."
)

func interruptedAction(f *rollout.Failure) string {
	if f.Disposition == rollout.Stopped {
		return "Apply again to continue from the current weights."
	}
	return "Apply again to start the shift over."
}

// blockedDetail is about a gate that prevented the shift from starting.
func blockedDetail(f *rollout.Failure) errorDetail {
	detail := sentence(f.Detail)
	if detail == "" {
		detail = "it could not be evaluated."
	}
	return errorDetail{
		cause:  fmt.Sprintf("Gate %q prevents the shift from starting: %s", f.Gate, detail),
		action: "The version itself was not evaluated. Fix what the gate reports, then apply again. To shift anyway, set dry_run = true on the gate.",
		facts:  causeFact(f.Err),
	}
}

// badVersionAction is what to do about a version that failed a gate or health.
func (s *shiftRun) badVersionAction(result rollout.Result, f *rollout.Failure) string {
	rejected := s.Gaining(result, f, s.Started)
	switch {
	case !f.Rejects || s.state == nil: // a Create has no state
		return "Fix the release or the gate, then apply again."
	case rejected == nil:
		return fmt.Sprintf("The environment has no version, so it cannot be rejected, and the next apply tries it again. To prevent that, %s until the release is fixed.",
			s.acceptEdit(release.MeanOf(result)))
	}
	return fmt.Sprintf("Version %[1]s of %[2]s is now rejected. Ship another version, %[3]s, or change retry to allow %[1]s again.",
		rejected.Version, rejected.Environment, s.acceptEdit(release.MeanOf(result)))
}

// rollbackFailedAction is how to get the traffic back after a rollback failed.
func (s *shiftRun) rollbackFailedAction() string {
	if s.state == nil { // the next Create starts from the weights that it reads
		return "Fix what the rollback error names. Then set the weights of the routes back in the AWS console or with aws elbv2, or apply again: that starts from the current weights."
	}
	return fmt.Sprintf("Fix what the rollback error names. Then %s and apply: that rolls every route back with one API call each.", s.acceptEdit(s.Spec.Stable))
}

func (s *shiftRun) notHealthyAction(result rollout.Result, f *rollout.Failure) string {
	if f.Rejects {
		return s.badVersionAction(result, f)
	}
	return notHealthyHint
}

const notHealthyHint = "Find out why the targets are not healthy: check the application, the health check of the target group, and security groups. Then apply again."

func (s *shiftRun) rejectedDetail(result rollout.Result) errorDetail {
	r := s.Prior.Rejection(s.Desired)
	if r == nil {
		return errorDetail{cause: "The version is rejected."}
	}
	return errorDetail{
		cause: fmt.Sprintf("Version %s of %s is rejected: %s", r.Version, r.Environment, sentence(r.Reason)),
		action: fmt.Sprintf("Ship another version, %s, or change retry to allow %s again.",
			s.acceptEdit(release.MeanOf(result)), r.Version),
		facts: []fact{{"Rejected at", timeValue(r.At).ValueString()}},
	}
}

// movedExternallyDetail is about traffic that is no longer where the last
// completed shift left it.
func (s *shiftRun) movedExternallyDetail(result rollout.Result, f *rollout.Failure) errorDetail {
	by := "outside Terraform"
	if !f.Rejects {
		by = "outside Terraform, or by an apply that did not finish"
	}
	return errorDetail{
		cause: fmt.Sprintf("Traffic was moved off %s since the last completed shift, %s. This apply does not override that.", s.goalText(), by),
		action: fmt.Sprintf("To accept the change, %s. To shift to %s again, ship another version or change retry. %s",
			s.acceptEdit(release.MeanOf(result)), s.goalText(), managedElsewhereHint),
	}
}

const managedElsewhereHint = "If hashicorp/aws or a module moved the traffic, give that listener lifecycle { ignore_changes = [default_action] } (a rule: [action])."
