package release

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
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

// A shift that another apply took over, or that stopped at a route that somebody made respond by
// itself, rejects nothing where all traffic is returned afterwards: the other apply, or the command
// in the error, does that. After another external change only a person can have done it.
func TestApply_returnedAfterwards(t *testing.T) {
	forwards := traffic.State{Weights: map[string]int{"b": 95, "g": 5}}
	for _, c := range []struct {
		cause rollout.Cause
		left  traffic.State
		want  bool
	}{
		{rollout.LeaseLost, forwards, false},
		{rollout.ExternalChange, traffic.State{Response: "fixed response 503"}, false},
		{rollout.ExternalChange, forwards, true},
	} {
		groups := map[string]string{"blue": "b", "green": "g"}
		w := desiredOf(groups)
		w.Environments["green"] = Environment{Groups: map[string]string{"web": "g"}, Version: "2"}
		w.Weights = shift.Sole("green")
		state := stateOf(groups)
		state.Routes = w.Routes
		state.Stable = Stable{Weights: shift.Sole("blue"), Versions: map[string]string{"blue": "1", "green": "0.9"}}
		blue := map[string]RouteMemory{"route": {Weights: map[string]int{"b": 100, "g": 0}}}
		p := NewPrior(w, state, Memory{Routes: blue}, Platform{})
		end := Apply{Desired: w, Prior: p, Spec: p.Spec(w)}.Finish(
			rollout.Result{From: shift.Sole("blue"), Moved: true, Kind: shift.Forward, Routes: []rollout.RouteResult{{Route: rollout.Route{Route: w.Routes[0]}, State: c.left, Read: true}}},
			&rollout.Failure{Cause: c.cause, Disposition: rollout.NotOverridden})
		seen := Observation{State: *end.State, Memory: end.Memory}
		seen.Memory.Routes = blue
		seen.detectExternalChange(time.Now()) // the next refresh
		if got := seen.State.Rejected != nil; got != c.want {
			t.Errorf("after %s at %v, rejected: %t", c.cause, c.left, got)
		}
	}
}

// An environment that was changed while it had no traffic does not make that version the
// previous one: it never had traffic, and a shift to it needs all steps.
func TestApply_previousIsTheVersionThatHadTraffic(t *testing.T) {
	groups := map[string]string{"blue": "b", "green": "g", "red": "r"}
	w := desiredOf(groups) // leaves the traffic alone
	w.Environments["blue"] = Environment{Groups: map[string]string{"web": "b"}, Version: "2"}
	state := stateOf(groups)
	state.Routes = w.Routes
	state.Environments["blue"] = Environment{Groups: map[string]string{"web": "b"}, Version: "1"}
	state.Stable = Stable{Weights: shift.Sole("blue"), Versions: map[string]string{"blue": "1"}}
	moved := Memory{Routes: map[string]RouteMemory{"route": {Weights: map[string]int{"b": 0, "g": 100, "r": 0}}}} // outside Terraform
	p := NewPrior(w, state, moved, Platform{})
	planned, err := p.Plan(w)
	if err != nil {
		t.Fatal(err)
	}
	if got := planned.Values.Stable.Versions["blue"]; planned.Shifts || got != "1" {
		t.Errorf("the stable version of blue is %q, want the one that had traffic", got)
	}
	state.Environments["blue"] = w.Environments["blue"]
	state.Stable = planned.Values.Stable
	w.Weights = shift.Sole("red")
	p = NewPrior(w, state, moved, Platform{})
	a := Apply{Desired: w, Prior: p, Spec: p.Spec(w)}
	previous := a.previousAfter(rollout.Result{Kind: shift.Forward, From: shift.Sole("green")}, time.Now())
	if previous == nil || previous.Environment != "blue" || previous.Version != "1" {
		t.Errorf("the previous version is %+v, want blue 1", previous)
	}
}
