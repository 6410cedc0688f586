package provider

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const ruleText = "rule 7 of listener :443"

// ofAll returns a result of a shift that moved both routes to the weights.
func ofAll(w shift.Weights) rollout.Result {
	result := onBlue()
	result.Kind = shift.Forward
	for i := range result.Routes {
		result.Routes[i].Weights = w
		result.Routes[i].State = traffic.State{Weights: map[string]int{blueARN: int(w["blue"]), greenARN: int(w["green"])}}
	}
	return result
}

// deleted returns the result without some of its routes.
func deleted(result rollout.Result, routes ...int) rollout.Result {
	for _, i := range routes {
		result.Routes[i].Missing, result.Routes[i].Read = true, false
	}
	return result
}

// anUpdateOf is anUpdate with both routes in the state and a label for the rule.
func anUpdateOf() *shiftRun {
	s := anUpdate()
	s.Prior.State.Routes = s.Desired.Routes
	s.Prior.Memory.Routes = map[string]release.RouteMemory{apiARN: {Weights: map[string]int{blueARN: 1}, Label: ruleText}}
	return s
}

func TestShiftFailed_missing(t *testing.T) {
	gone := &traffic.MissingError{ID: apiARN}
	even := shift.Weights{"blue": 500, "green": 500}
	for name, c := range map[string]struct {
		result  rollout.Result
		failure rollout.Failure
	}{
		"route in a hold": {deleted(ofAll(shift.Sole("blue")), 0),
			rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.RolledBack, Route: apiARN, Stage: "step 2 of 3 (50 %)", Err: gone}},
		"route and a failed gate": {deleted(ofAll(shift.Sole("blue")), 0),
			rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.RolledBack, Route: apiARN, Stage: "the bake", Gate: "smoke", Detail: "500, want 200", Symptom: rollout.GateFailed}},
		"route and degraded health": {deleted(ofAll(shift.Sole("blue")), 0),
			rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.RolledBack, Route: apiARN, Detail: "green (web) has 0 of 2 healthy", Symptom: rollout.HealthFailed}},
		"route without a label": {deleted(ofAll(shift.Sole("blue")), 1),
			rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.RolledBack, Route: webARN}},
		"all routes": {deleted(ofAll(even), 0, 1),
			rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.NoRouteLeft, Route: apiARN, Stage: "step 2 of 3 (50 %)"}},
		"route since the plan": {deleted(rollout.Result{Kind: shift.RouteMissing, Routes: ofAll(shift.Sole("blue")).Routes}, 0),
			rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.Unchanged, Route: apiARN}},
		"route and a failed rollback": {deleted(ofAll(even), 0),
			rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.RollbackFailed, Route: apiARN, RollbackErr: errors.New("access denied")}},
		"route stopped in place": {deleted(ofAll(even), 0),
			rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.Stopped, Stage: "the bake"}},
		"route during the rollback": {deleted(ofAll(shift.Sole("blue")), 0),
			rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RolledBack, Gate: "smoke", Detail: "500, want 200", Rejects: true}},
		"gaining group": {ofAll(shift.Sole("blue")),
			rollout.Failure{Cause: rollout.GroupMissing, Disposition: rollout.RolledBack, Group: greenARN, Err: &traffic.MissingError{ID: greenARN}}},
		"group of the rollback target": {ofAll(even),
			rollout.Failure{Cause: rollout.GroupMissing, Disposition: rollout.RollbackFailed, Group: blueARN, RollbackErr: &traffic.MissingError{ID: blueARN}}},
		"unknown group": {ofAll(shift.Sole("blue")),
			rollout.Failure{Cause: rollout.GroupMissing, Disposition: rollout.RolledBack, Err: traffic.ErrNotFound}},
	} {
		t.Run(name, func(t *testing.T) {
			d := anUpdateOf().shiftFailed(c.result, &c.failure)
			golden.Check(t, d.Summary()+"\n"+d.Detail())
		})
	}
}

// A route that the switch never had may be a mistake in the ARN.
func TestShiftFailed_missingRouteOfACreate(t *testing.T) {
	s := anUpdate()
	s.state, s.Prior.State = nil, nil
	result := deleted(rollout.Result{Kind: shift.RouteMissing, Routes: []rollout.RouteResult{{Route: rollout.Route{Route: traffic.Route{ID: apiARN, Entry: "api"}}}}}, 0)
	golden.Check(t, textOfDiagnostic(s, result, rollout.Failure{Cause: rollout.RouteMissing, Disposition: rollout.Unchanged, Route: apiARN}))
}

// The weights of a rollback were read back, and nothing more is claimed.
func TestShiftFailed_unconfirmed(t *testing.T) {
	denied := fmt.Errorf("%w: %w", rollout.ErrUnconfirmed, errors.New("route53:GetChange is denied"))
	for name, failure := range map[string]rollout.Failure{
		"after a failed gate": {Cause: rollout.GateFailed, Disposition: rollout.RolledBack, Gate: "smoke", Detail: "500, want 200", Rejects: true},
		"after the denied read": {Cause: rollout.RouterFailed, Disposition: rollout.RolledBack, Route: apiARN, Err: errors.New("route53:GetChange is denied"),
			Stage: "step 1 of 3 (5 %)"},
		"of a rollback": {Cause: rollout.RouterFailed, Disposition: rollout.RollbackFailed, Route: apiARN, Err: errors.New("route53:GetChange is denied")},
	} {
		t.Run(name, func(t *testing.T) {
			failure.RollbackErr = denied
			golden.Check(t, textOfDiagnostic(anUpdateOf(), ofAll(shift.Sole("blue")), failure))
		})
	}
}

func textOfDiagnostic(s *shiftRun, result rollout.Result, f rollout.Failure) string {
	d := s.shiftFailed(result, &f)
	return d.Summary() + "\n" + d.Detail()
}

// An external change prevented the rollback: the gate is the headline, and the message
// says how to take the traffic back.
func TestShiftFailed_changedBeside(t *testing.T) {
	failed := rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.NotOverridden, Gate: "smoke", Stage: "step 2 of 3 (50 %)",
		Detail: "500, want 200", Rejects: true, Change: "observed blue 70 %, green 30 %; expected blue 50 %, green 50 %"}
	seventy := shift.Weights{"blue": 700, "green": 300}
	with := func(change func(f *rollout.Failure)) rollout.Failure {
		f := failed
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		weights shift.Weights
		failure rollout.Failure
	}{
		"70 and 30":           {seventy, failed},
		"0 and 100":           {shift.Sole("green"), failed},
		"returned":            {shift.Sole("blue"), failed},
		"a third environment": {shift.Weights{"blue": 400, "green": 300, "red": 300}, failed},
		"not rejected":        {seventy, with(func(f *rollout.Failure) { f.Rejects = false })},
		"interrupted":         {seventy, with(func(f *rollout.Failure) { f.Cause, f.Gate, f.Detail, f.Rejects = rollout.Interrupted, "", "", false })},
		"could not measure":   {seventy, with(func(f *rollout.Failure) { f.Cause, f.Rejects = rollout.GateErrored, false })},
	} {
		t.Run(name, func(t *testing.T) { golden.Check(t, textOfDiagnostic(anUpdateOf(), ofAll(c.weights), c.failure)) })
	}
}

// After a failed gate or a rejection, no message offers a split as what to accept.
func TestShiftFailed_neverOffersTheSplit(t *testing.T) {
	split := shift.Weights{"blue": 500, "green": 500}
	gate := rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RollbackFailed, Gate: "smoke", Detail: "500, want 200", Rejects: true,
		RollbackErr: errors.Join(errors.New("access denied"), errors.New("rollback not verified within 10m"))}
	left := gate
	left.Disposition, left.RollbackErr = rollout.NoRouteLeft, nil
	rejected := rollout.Failure{Cause: rollout.VersionRejected, Disposition: rollout.Unchanged}
	withoutVersion := func() *shiftRun {
		s := anUpdateOf()
		green := s.Desired.Environments["green"]
		green.Version = ""
		s.Desired.Environments["green"] = green
		return s
	}
	onRollback := func() *shiftRun {
		s := anUpdateOf()
		s.Desired.Weights = shift.Sole("blue")
		return s
	}
	create := func(off bool) *shiftRun {
		s := anUpdateOf()
		s.state, s.Prior.State, s.Spec.Stable, s.Spec.Record.Off = nil, nil, nil, off
		for i := range s.Spec.Routes {
			s.Spec.Routes[i].Origin = nil
		}
		return s
	}
	for name, c := range map[string]struct {
		run     *shiftRun
		failure rollout.Failure
	}{
		"rollback failed":                 {anUpdateOf(), gate},
		"rollback failed, no version":     {withoutVersion(), gate},
		"gate failed, no version":         {withoutVersion(), left},
		"rejected":                        {anUpdateOf(), rejected},
		"rollback schedule failed":        {onRollback(), rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.RollbackFailed, RollbackErr: gate.RollbackErr}},
		"create, rollback failed":         {create(false), gate},
		"create without a record, failed": {create(true), gate},
	} {
		t.Run(name, func(t *testing.T) {
			result := ofAll(split)
			result.From = shift.Sole("blue")
			golden.Check(t, textOfDiagnostic(c.run, result, c.failure))
		})
	}
}
