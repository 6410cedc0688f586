package release

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

func TestOutcomeAndReason(t *testing.T) {
	reasons := ""
	for _, c := range []struct {
		failure rollout.Failure
		outcome Outcome
	}{
		{rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RolledBack, Gate: "smoke", Stage: "the bake", Detail: "500"},
			RolledBack},
		{rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.RolledBack}, Interrupted},
		{rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.Stopped}, Interrupted},
		{rollout.Failure{Cause: rollout.HealthFailed, Disposition: rollout.Stopped, Detail: "ill"}, Stopped},
		{rollout.Failure{Cause: rollout.HealthFailed, Disposition: rollout.RollbackUnhealthy}, Stopped},
		{rollout.Failure{Cause: rollout.ExternalChange, Disposition: rollout.NotOverridden}, ExternalChange},
		{rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.RollbackFailed}, Failed},
		{rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.NotOverridden, Gate: "smoke", Detail: "500", Change: "observed blue 70 %"}, ExternalChange},
		{rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.RolledBack, Stage: "step 2 of 3 (50 %)"}, RolledBack},
		{rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.NoRouteLeft, Symptom: rollout.GateFailed, Gate: "smoke", Stage: "the bake", Detail: "500"}, Failed},
		{rollout.Failure{Cause: rollout.GroupMissing, Disposition: rollout.RolledBack}, RolledBack},
		{rollout.Failure{Cause: rollout.RolledBackByUser, Disposition: rollout.RolledBack, Stage: "the bake", Detail: "rolled back by ann"}, RolledBack},
		{rollout.Failure{Cause: rollout.RolledBackByUser, Disposition: rollout.NotOverridden, Detail: "rolled back by ann"}, ExternalChange},
		{rollout.Failure{Cause: rollout.MovedExternally, Disposition: rollout.Unchanged}, Failed},
	} {
		if got := OutcomeOf(&c.failure); got != c.outcome {
			t.Errorf("%v: outcome %q, want %q", c.failure.Cause, got, c.outcome)
		}
		reasons += Reason(&c.failure) + "\n"
	}
	golden.Check(t, reasons)
}
