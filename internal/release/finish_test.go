package release

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// The version that a failure rejects, and that the record names, is the one that gains. One
// that replaced the stable version gains from what it was observed to have.
func TestApply_rejectedVersion(t *testing.T) {
	half := shift.Weights{"blue": 500, "green": 500}
	for name, c := range map[string]struct {
		blue              string // its version; 1 was stable
		observed, desired shift.Weights
		want              string
		recorded          string
	}{
		"a release":                           {"1", shift.Sole("blue"), shift.Sole("green"), "green", "green"},
		"a canary beside a version in place":  {"1.5", shift.Sole("blue"), shift.Weights{"blue": 900, "green": 100}, "green", "green"},
		"fixed forward":                       {"1.5", half, shift.Sole("blue"), "blue", "blue"},
		"fixed forward from 100 %":            {"1.5", shift.Sole("green"), shift.Sole("blue"), "blue", "blue"},
		"fixed forward to a split":            {"1.5", half, shift.Weights{"blue": 900, "green": 100}, "blue", "blue"},
		"a part moved back outside Terraform": {"1", half, shift.Weights{"blue": 900, "green": 100}, "green", "green"},
	} {
		t.Run(name, func(t *testing.T) {
			groups := map[string]string{"blue": "b", "green": "g"}
			w := desiredOf(groups)
			w.Environments["blue"] = Environment{Groups: map[string]string{"web": "b"}, Version: c.blue}
			w.Weights = c.desired
			state := stateOf(groups)
			state.Routes = w.Routes
			state.Stable = Stable{Weights: shift.Sole("blue"), Versions: map[string]string{"blue": "1", "green": "0.9"}}
			m := Memory{Routes: map[string]RouteMemory{"route": {Weights: map[string]int{"b": int(c.observed["blue"]), "g": int(c.observed["green"])}}}}
			p := NewPrior(w, state, m, Platform{})
			a := Apply{Desired: w, Prior: p, Spec: p.Spec(w)}
			got := a.Gaining(rollout.Result{From: c.observed}, &rollout.Failure{Cause: rollout.GateFailed}, time.Now())
			if got == nil || got.Environment != c.want {
				t.Errorf("it rejects %+v, want %s", got, c.want)
			}
			if r := a.Spec.Record.Template; r.Environment != c.recorded || r.Version != w.VersionOf(c.recorded) {
				t.Errorf("the record has %q %q, want %q", r.Environment, r.Version, c.recorded)
			}
		})
	}
}
