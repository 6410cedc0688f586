package provider

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	webARN   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
	apiARN   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
	blueARN  = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/app-blue/73e2d6bc24d8a067"
	greenARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/app-green/73e2d6bc24d8a068"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// anUpdate is a shift from blue 1.0 to green 1.1 on two entry points.
func anUpdate() *shiftRun {
	m := nullModel()
	m.Stable = stableValue(release.Stable{Weights: shift.Sole("blue")})
	c := change{state: &m, memory: release.Memory{Rejected: &release.IdentityMemory{
		Environment: "green", Version: "1.1", Reason: "gate \"smoke\": failed", At: noon,
	}}}
	s := newShiftRun(c, desired{platform: platform.Of(webARN), Desired: release.Desired{
		Routes: []traffic.Route{{Entry: "api", ID: apiARN}, {Entry: "web", ID: webARN}},
		Environments: map[string]release.Environment{
			"blue":  {Groups: map[string]string{"web": blueARN}, Version: "1.0"},
			"green": {Groups: map[string]string{"web": greenARN}, Version: "1.1"},
		},
		Weights: shift.Sole("green"),
	}}, false)
	s.Started = noon
	return s
}

// onBlue is a result in which both routes forward everything to blue.
func onBlue() rollout.Result {
	blue := rollout.RouteResult{State: traffic.State{Weights: map[string]int{blueARN: 1}}, Weights: shift.Sole("blue"), Read: true}
	api, web := blue, blue
	api.Route, web.Route = rollout.Route{Route: traffic.Route{ID: apiARN, Entry: "api"}}, rollout.Route{Route: traffic.Route{ID: webARN, Entry: "web"}}
	return rollout.Result{Routes: []rollout.RouteResult{api, web}, Moved: true}
}

func TestShiftFailed_texts(t *testing.T) {
	for name, c := range map[string]struct {
		failure rollout.Failure
	}{
		"gate": {
			rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RolledBack, Gate: "smoke", Stage: "the bake", Detail: "500, want 200", Rejects: true}},
		"gate before any traffic": {
			rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.Unchanged, Gate: "smoke", Detail: "500, want 200"}},
		"inconclusive": {
			rollout.Failure{Cause: rollout.GateInconclusive, Disposition: rollout.Stopped, Gate: "smoke", Detail: "too few samples."}},
		"could not measure": {
			rollout.Failure{Cause: rollout.GateErrored, Disposition: rollout.RolledBack, Gate: "smoke", Detail: "5 times in a row", Err: errors.New("connection refused")}},
		"health": {
			rollout.Failure{Cause: rollout.HealthFailed, Disposition: rollout.RolledBack, Detail: "green (web) has 0 of 2 healthy, for 30s", Rejects: true}},
		"health unreadable": {
			rollout.Failure{Cause: rollout.HealthUnreadable, Disposition: rollout.RolledBack, Stage: "step 1 of 2 (5 %)", Detail: "no read succeeded",
				Err: &elb.CallError{Action: "elasticloadbalancing:DescribeTargetHealth", ARN: greenARN, Err: context.DeadlineExceeded}}},
		"health throttled": {
			rollout.Failure{Cause: rollout.HealthUnreadable, Disposition: rollout.RolledBack, Detail: "the last read that succeeded was 12s ago",
				Err: &elb.CallError{Action: "elasticloadbalancing:DescribeTargetHealth", ARN: greenARN, Code: "Throttling", Err: traffic.ErrThrottled}}},
		"health denied": {
			rollout.Failure{Cause: rollout.HealthUnreadable, Disposition: rollout.Unchanged, Detail: "no read succeeded",
				Err: &elb.CallError{Action: "elasticloadbalancing:DescribeTargetHealth", ARN: greenARN, Code: "AccessDenied", Err: traffic.ErrDenied}}},
		"health without an answer": {
			rollout.Failure{Cause: rollout.HealthUnreadable, Disposition: rollout.RolledBack, Detail: "no read succeeded", Err: rollout.ErrNoAnswer}},
		"rolled back by a user": {
			rollout.Failure{Cause: rollout.RolledBackByUser, Disposition: rollout.RolledBack, Stage: "step 1 of 2 (5 %)", Rejects: true,
				Detail: "rolled back by ann on laptop with bluegreen rollback: checkout is slow"}},
		"rolled back by a user to another environment": {
			rollout.Failure{Cause: rollout.RolledBackByUser, Disposition: rollout.NotOverridden, Stage: "step 1 of 2 (5 %)", Rejects: true,
				Detail: "rolled back by ann on laptop with bluegreen rollback"}},
		"too few targets": {
			rollout.Failure{Cause: rollout.TooFewTargets, Disposition: rollout.Unchanged, Stage: "health check before the first step",
				Detail: "green (web): 1 of 1 targets healthy, at least 10 required for 100 % of the traffic, which 20 healthy targets serve now (health.capacity_percent = 50), after 10m", Capacity: true}},
		"record denied": {
			rollout.Failure{Cause: rollout.RecordFailed, Disposition: rollout.Unchanged,
				Err: &elb.CallError{Action: "elasticloadbalancing:AddTags", ARN: webARN, Code: "AccessDenied", Err: traffic.ErrDenied}}},
		"record without an answer": {
			rollout.Failure{Cause: rollout.RecordFailed, Disposition: rollout.Unchanged,
				Err: &elb.CallError{Action: "elasticloadbalancing:DescribeTags", ARN: webARN, Err: context.DeadlineExceeded}}},
		"record not shown": {
			rollout.Failure{Cause: rollout.RecordFailed, Disposition: rollout.Unchanged, Err: errors.New("the record was written, but the routes do not show it")}},
		"incomplete answer": {
			rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.RolledBack, Route: webARN,
				Err: &elb.CallError{Action: "elasticloadbalancing:DescribeListeners", ARN: webARN, Err: traffic.ErrIncomplete}}},
		"interrupted": {
			rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.RolledBack, Stage: "step 1 of 2 (5 %)"}},
		"too long": {
			rollout.Failure{Cause: rollout.TimedOut, Disposition: rollout.RolledBack, Err: errors.New("the schedule's longest time is over")}},
		"own limit": {
			rollout.Failure{Cause: rollout.TimedOut, Disposition: rollout.Stopped, Detail: "the groups were not attached and detached within 1m", Err: context.DeadlineExceeded}},
		"rejected": {
			rollout.Failure{Cause: rollout.VersionRejected, Disposition: rollout.Unchanged}},
		"moved externally": {
			rollout.Failure{Cause: rollout.MovedExternally, Disposition: rollout.Unchanged, Rejects: true}},
		"moved externally or abandoned": {
			rollout.Failure{Cause: rollout.MovedExternally, Disposition: rollout.Unchanged}},
		"too many groups": {
			rollout.Failure{Cause: rollout.TooManyGroups, Disposition: rollout.Unchanged, Err: shift.ErrTooManyGroups}},
		"lost write": {
			rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.RolledBack, Route: webARN, Detail: "the route still has blue 100 %", Err: rollout.ErrNotVerified}},
		"rollback target unhealthy": {
			rollout.Failure{Cause: rollout.HealthFailed, Disposition: rollout.RollbackUnhealthy, Detail: "green (web) has 0 of 2 healthy targets; blue has no healthy target"}},
		"rollback failed": {
			rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.RollbackFailed, RollbackErr: errors.New("access denied")}},
	} {
		t.Run(name, func(t *testing.T) {
			d := anUpdate().shiftFailed(onBlue(), &c.failure)
			golden.Check(t, d.Summary()+"\n"+d.Detail())
		})
	}
}

// Routes that disagree have a line each; an unread route is reported as such.
func TestShiftFailed_reportsEachRoute(t *testing.T) {
	result := onBlue()
	result.Routes[0].Weights, result.Routes[0].Read = shift.Weights{"blue": 500, "green": 500}, false
	golden.Check(t, anUpdate().shiftFailed(result, &rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.RollbackFailed}).Detail())
}

// Without a reading in this run, the message reports the state's weights.
func TestShiftFailed_usesStateWithoutAReading(t *testing.T) {
	s := anUpdate()
	blue := release.RouteMemory{Weights: map[string]int{blueARN: 1}}
	s.Prior.Memory.Routes = map[string]release.RouteMemory{webARN: blue, apiARN: {Response: "fixed response 503", Fixed: true}}
	result := rollout.Result{Routes: []rollout.RouteResult{{}, {}}}
	failure := &rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.Unchanged, Err: errors.New("no route to host")}
	golden.Check(t, s.shiftFailed(result, failure).Detail())
}
