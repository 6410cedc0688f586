package provider

import (
	"errors"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
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
	m.Stable = stableValue(shift.Sole("blue"), nil, nil)
	s := &shiftRun{
		change: change{state: &m, memory: memory{Rejected: &identityMemory{
			Environment: "green", Version: "1.1", Reason: "gate \"smoke\": failed", At: noon,
		}}},
		desired: desired{
			routes: []desiredRoute{{"api", apiARN}, {"web", webARN}},
			environments: map[string]*desiredEnvironment{
				"blue":  {groups: map[string]string{"web": blueARN}, version: "1.0"},
				"green": {groups: map[string]string{"web": greenARN}, version: "1.1"},
			},
			goal: shift.Sole("green"),
		},
		started: noon,
	}
	s.prior = newPrior(s.desired, s.state, s.memory)
	s.spec = s.prior.spec(s.desired)
	return s
}

// onBlue is a result in which both routes were read and give blue everything.
func onBlue() rollout.Result {
	blue := rollout.RouteResult{State: rollout.RouteState{Weights: map[string]int{blueARN: 1}}, Weights: shift.Sole("blue"), Read: true}
	api, web := blue, blue
	api.Route, web.Route = rollout.Route{ID: apiARN, Entry: "api"}, rollout.Route{ID: webARN, Entry: "web"}
	return rollout.Result{Routes: []rollout.RouteResult{api, web}, Moved: true}
}

func TestShiftFailed_wholeTexts(t *testing.T) {
	const (
		back    = "The traffic is now: blue 100 %. It was moved back to where it was before.\n\n"
		unmoved = "The traffic is now: blue 100 %. Nothing was moved.\n\n"
		known   = "Version 1.1 of green does not go out again by itself. Ship another version, set active back to what carries the traffic, or give retry a new value to try this one again."
		waysOn  = "Set active back to what carries the traffic, ship another version, or give retry a new value to try this one again."
	)
	for name, c := range map[string]struct {
		failure rollout.Failure
		want    string
	}{
		"gate": {
			rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RolledBack, Gate: "smoke", Stage: "the bake", Detail: "500, want 200", Rejects: true},
			back + "The gate \"smoke\" failed: 500, want 200.\n\n" + known + "\n\nGate: smoke\nStep: the bake",
		},
		"gate before any traffic": {
			rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.Unchanged, Gate: "smoke", Detail: "500, want 200"},
			unmoved + "The gate \"smoke\" failed: 500, want 200.\n\nMend the version or the gate, and apply again.\n\nGate: smoke",
		},
		"inconclusive": {
			rollout.Failure{Cause: rollout.GateInconclusive, Disposition: rollout.Stopped, Gate: "smoke", Detail: "too few samples."},
			"The traffic is now: blue 100 %. It was left there.\n\nThe gate \"smoke\" stayed inconclusive: too few samples.\n\n" +
				"Mend the version or the gate, and apply again.\n\nGate: smoke",
		},
		"could not measure": {
			rollout.Failure{Cause: rollout.GateErrored, Disposition: rollout.RolledBack, Gate: "smoke", Detail: "5 times in a row", Err: errors.New("connection refused")},
			back + "The gate \"smoke\" could not measure: 5 times in a row.\n\nNothing is known against the version. See why what the gate asks does not answer (the application itself may hang), or mend the gate, and apply again.\n\n" +
				"Gate: smoke\nCause: connection refused",
		},
		"health": {
			rollout.Failure{Cause: rollout.HealthFailed, Disposition: rollout.RolledBack, Detail: "green (web) has 0 of 2 healthy, for 30s", Rejects: true},
			back + "Health broke: green (web) has 0 of 2 healthy, for 30s.\n\n" + known,
		},
		"interrupted": {
			rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.RolledBack, Stage: "step 1 of 2 (5 %)"},
			back + "The apply was interrupted.\n\nApply again to go on.\n\nStep: step 1 of 2 (5 %)",
		},
		"too long": {
			rollout.Failure{Cause: rollout.TimedOut, Disposition: rollout.RolledBack, Err: errors.New("the schedule's longest time is over")},
			back + "The shift took longer than its schedule's longest time.\n\nApply again. If it comes again, set TF_LOG_PROVIDER=info to see what it waits for.\n\n" +
				"Cause: the schedule's longest time is over",
		},
		"rejected": {
			rollout.Failure{Cause: rollout.VersionRejected, Disposition: rollout.Unchanged},
			unmoved + "Version 1.1 of green was rejected: gate \"smoke\": failed.\n\n" + waysOn + "\n\nRejected at: 2026-01-02T12:00:00Z",
		},
		"handed back": {
			rollout.Failure{Cause: rollout.MovedExternally, Disposition: rollout.Unchanged, Rejects: true},
			unmoved + "Someone moved the traffic away from green since the last shift, and that is not undone.\n\n" +
				"Set active (or weights) to what carries the traffic, ship another version, or give retry a new value to try green again.",
		},
		"handed back, or killed": {
			rollout.Failure{Cause: rollout.MovedExternally, Disposition: rollout.Unchanged},
			unmoved + "The traffic was moved away from green since the last completed shift, by someone or by an apply that was killed. This apply does not undo it.\n\n" +
				"Set active (or weights) to what carries the traffic, ship another version, or give retry a new value to move it all the same.",
		},
		"too many groups": {
			rollout.Failure{Cause: rollout.TooManyGroups, Disposition: rollout.Unchanged, Err: shift.ErrTooManyGroups},
			unmoved + "More than 5 target groups would be needed in one action at once, the most that Elastic Load Balancing takes.\n\n" +
				"Move the traffic to fewer environments first.\n\nCause: more target groups in one action at once than the balancer takes",
		},
		"lost write": {
			rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.RolledBack, Route: webARN, Detail: "two writes do not show"},
			back + "The load balancer did not do what it was told: two writes do not show.\n\nApply again.\n\nRoute: " + webARN,
		},
		"no way back": {
			rollout.Failure{Cause: rollout.HealthFailed, Disposition: rollout.RollbackUnhealthy, Detail: "green (web) is ill; blue has no healthy target"},
			"The traffic is now: blue 100 %. It was not moved back, since the side that it came from cannot serve it.\n\n" +
				"Health broke: green (web) is ill; blue has no healthy target.\n\nMend the version or the gate, and apply again.",
		},
		"way back failed": {
			rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.RollbackFailed, RollbackErr: errors.New("access denied")},
			"The traffic is now: blue 100 %. It could not be moved back everywhere.\n\nThe apply was interrupted.\n\nSet active back to what carried the traffic, and apply: that takes it all back with one call per route. Else move it by hand.\n\nWay back: access denied",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := anUpdate().shiftFailed(onBlue(), &c.failure)
			if got := d.Summary(); got != "Unable to shift traffic of api and web" {
				t.Errorf("summary %q", got)
			}
			if got := d.Detail(); got != c.want {
				t.Errorf("got\n%s\n\nwant\n%s", got, c.want)
			}
		})
	}
}

// Routes that disagree have a line each, and one that could not be read says so.
func TestShiftFailed_saysWhereEachRouteIs(t *testing.T) {
	result := onBlue()
	result.Routes[0].Weights, result.Routes[0].Read = shift.Weights{"blue": 500, "green": 500}, false
	want := "The traffic is now:\n" +
		"  api, listener rule app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee: blue 50 %, green 50 % when read last; could not be read since\n" +
		"  web, listener app/web/50dc6c495c0c9188/f2f7dc8efc522ab2: blue 100 %\n" +
		"It could not be moved back everywhere.\n\nThe apply was interrupted.\n\nSet active back to what carried the traffic, and apply: that takes it all back with one call per route. Else move it by hand."
	if got := anUpdate().shiftFailed(result, &rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.RollbackFailed}).Detail(); got != want {
		t.Errorf("got\n%s\n\nwant\n%s", got, want)
	}
}

// Where nothing could be read in this run, what the state knows is said.
func TestShiftFailed_fallsBackToWhatWasRead(t *testing.T) {
	s := anUpdate()
	blue := routeMemory{Weights: map[string]int{blueARN: 1}}
	s.prior.memory.Routes = map[string]routeMemory{webARN: blue, apiARN: {Answer: "fixed response 503", Idle: true}}
	result := rollout.Result{Routes: []rollout.RouteResult{{}, {}}}
	want := "Where the traffic is now could not be read. When read last, it was:\n" +
		"  api, listener rule app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee: fixed response 503\n" +
		"  web, listener app/web/50dc6c495c0c9188/f2f7dc8efc522ab2: blue 100 %\n" +
		"Nothing was moved.\n\nA call of AWS failed.\n\nApply again; if it comes again, the cause says why.\n\nCause: no route to host"
	failure := &rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.Unchanged, Err: errors.New("no route to host")}
	if got := s.shiftFailed(result, failure).Detail(); got != want {
		t.Errorf("got\n%s\n\nwant\n%s", got, want)
	}
}

func TestOutcomeAndReason(t *testing.T) {
	for _, c := range []struct {
		failure rollout.Failure
		outcome outcome
		reason  string
	}{
		{rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RolledBack, Gate: "smoke", Stage: "the bake", Detail: "500"},
			RolledBack, `gate "smoke": failed at the bake: 500`},
		{rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.RolledBack}, Interrupted, "interrupted"},
		{rollout.Failure{Cause: rollout.Interrupted, Disposition: rollout.Stopped}, Interrupted, "interrupted (stayed)"},
		{rollout.Failure{Cause: rollout.HealthFailed, Disposition: rollout.Stopped, Detail: "ill"}, Stopped, "health broke: ill (stayed)"},
		{rollout.Failure{Cause: rollout.HealthFailed, Disposition: rollout.RollbackUnhealthy}, Stopped, "health broke (cannot serve)"},
		{rollout.Failure{Cause: rollout.ExternalChange, Disposition: rollout.LeftToOthers}, ExternalChange, "changed by someone else"},
		{rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.RollbackFailed}, Failed, "the balancer did not do it (not restored)"},
		{rollout.Failure{Cause: rollout.MovedExternally, Disposition: rollout.Unchanged}, Failed, "moved back by hand"},
	} {
		if got := outcomeOf(&c.failure); got != c.outcome {
			t.Errorf("%v: outcome %q, want %q", c.failure.Cause, got, c.outcome)
		}
		if got := reasonOf(&c.failure); got != c.reason {
			t.Errorf("%v: reason %q, want %q", c.failure.Cause, got, c.reason)
		}
	}
}
