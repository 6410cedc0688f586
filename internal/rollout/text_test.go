package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestState_equal(t *testing.T) {
	of := func(pairs ...any) traffic.State {
		s := traffic.State{Weights: map[string]int{}}
		for i := 0; i < len(pairs); i += 2 {
			name, _ := pairs[i].(string)
			s.Weights[name], _ = pairs[i+1].(int)
		}
		return s
	}
	sticky := of("blue", 1)
	sticky.Stickiness = time.Hour
	fixed := traffic.State{Response: "fixed response 503", FixedError: true}
	tests := []struct {
		name           string
		a, b           traffic.State
		equal, traffic bool
	}{
		{"equal", of("blue", 90, "green", 10), of("blue", 90, "green", 10), true, true},
		{"other weights, equal shares", of("blue", 90, "green", 10), of("blue", 9, "green", 1), true, true},
		{"a single group", of("blue", 1), of("blue", 100), true, true},
		{"thirds in tenths", of("blue", 1, "green", 2), of("blue", 333, "green", 667), true, true},
		{"other shares", of("blue", 90, "green", 10), of("blue", 91, "green", 9), false, false},
		{"one more group is attached", of("blue", 100), of("blue", 100, "green", 0), false, true},
		{"another group is attached", of("blue", 100, "red", 0), of("blue", 100, "green", 0), false, true},
		{"stickiness", of("blue", 1), sticky, false, true},
		{"all weights 0, and traffic", of("blue", 0, "green", 0), of("blue", 100, "green", 0), false, false},
		{"all weights 0", of("blue", 0), of("blue", 0), true, true},
		{"a fixed response", fixed, fixed, true, true},
		{"a fixed response and traffic", fixed, of("blue", 1), false, false},
		{"two responses", fixed, traffic.State{Response: "redirect 301"}, false, false},
	}
	for _, tt := range tests {
		for _, pair := range [][2]traffic.State{{tt.a, tt.b}, {tt.b, tt.a}} {
			if got := pair[0].Equal(pair[1]); got != tt.equal {
				t.Errorf("%s: Equal() = %t, want %t", tt.name, got, tt.equal)
			}
			if got := pair[0].EqualTraffic(pair[1]); got != tt.traffic {
				t.Errorf("%s: EqualTraffic() = %t, want %t", tt.name, got, tt.traffic)
			}
		}
	}
}

func TestHealth_string(t *testing.T) {
	h := traffic.Health{Targets: slices.Concat(routertest.Targets(2, traffic.Healthy), routertest.Targets(1, traffic.Unchecked),
		routertest.Targets(2, traffic.Unhealthy), routertest.Targets(1, traffic.Draining), []traffic.Target{{ID: "x", State: traffic.Initial}})}
	want := "3 of 7 targets healthy (1 draining: Target.DeregistrationInProgress, 1 initial, 2 unhealthy: Target.FailedHealthChecks)"
	if got := h.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFailure_wraps(t *testing.T) {
	var err error = &rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.RollbackFailed, Stage: "bake", Detail: "it hung",
		Err: fmt.Errorf("write: %w", traffic.ErrThrottled), RollbackErr: fmt.Errorf("rollback: %w", traffic.ErrDenied)}
	if !errors.Is(err, traffic.ErrThrottled) || !errors.Is(err, traffic.ErrDenied) || errors.Is(err, traffic.ErrExpired) {
		t.Errorf("%v must wrap Err and RollbackErr, and no other error", err)
	}
	if got, want := err.Error(), "router_failed at bake; rollback_failed: it hung: write: throttled"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := (&rollout.Failure{Cause: rollout.Interrupted}); err.Error() != string(rollout.Interrupted) || err.Unwrap() != nil {
		t.Errorf("got %q, %v", err.Error(), err.Unwrap())
	}
}

// recordingGate is a gate that passes and records its inputs.
type recordingGate struct{ inputs []rollout.GateInput }

func (g *recordingGate) Evaluate(_ context.Context, input rollout.GateInput) rollout.Verdict {
	g.inputs = append(g.inputs, input)
	return rollout.Verdict{Status: rollout.Pass}
}

// The input of a gate has the position of the shift, and the incoming and live groups.
func TestRun_passesInputToGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(parse("env blue 1.4.2\nenv green 1.5.0\nroute web blue=100\nroute web/2 blue=100\nroute api blue=100\n" +
			"targets blue 1\ntargets green 1\nstable blue\ndesired green\nsteps 5/8s 50/8s\nsettle 0s\ngate all always"))
		p.setUp()
		spec, gate := p.spec(), &recordingGate{}
		spec.OnEvent, spec.Gates[0].Gate = nil, gate
		if _, err := rollout.Run(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, input := range gate.inputs {
			got = append(got, fmt.Sprintf("%s %s -> %s, %s: step %d of %d, attempt %d, %s, %s after %s", input.Shift, input.From, input.To, input.Part, input.Step, input.Steps,
				input.Attempt, input.Weights, input.ChangedAt.Sub(input.StartedAt), p.began.Sub(input.StartedAt)))
		}
		want := []string{
			"s1 blue 100 % -> green 100 %, before: step 0 of 3, attempt 1, blue 100 %, 0s after 0s",
			"s1 blue 100 % -> green 100 %, during: step 1 of 3, attempt 1, blue 95 %, green 5 %, 15s after 0s",
			"s1 blue 100 % -> green 100 %, during: step 2 of 3, attempt 1, blue 50 %, green 50 %, 23s after 0s",
			"s1 blue 100 % -> green 100 %, after: step 3 of 3, attempt 1, green 100 %, 31s after 0s",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		backends := fmt.Sprint(gate.inputs[1].Incoming, gate.inputs[1].Live)
		if want := "[{web green 1.5.0 web-green [web web/2]} {api green 1.5.0 api-green [api]}] [{web blue 1.4.2 web-blue [web web/2]} {api blue 1.4.2 api-blue [api]}]"; backends != want {
			t.Errorf("got  %s\nwant %s", backends, want)
		}
	})
}

// Data counts from the end of the initial delay, also before any traffic, and every call of a
// gate has another number.
func TestRun_initialDelayMovesTheData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(parse("env blue 1.4.2\nenv green 1.5.0\nroute web blue=100\ntargets blue 1\ntargets green 1\nstable blue\ndesired green\n" +
			"steps 5/25s\nsettle 0s\ngate all always delay=20s"))
		p.setUp()
		spec, gate := p.spec(), &recordingGate{}
		spec.OnEvent, spec.Gates[0].Gate = nil, gate
		if _, err := rollout.Run(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, in := range gate.inputs {
			got = append(got, fmt.Sprintf("%s: call %d, since %s after the change", in.Part, in.Call, in.Since().Sub(in.ChangedAt)))
		}
		want := []string{
			"before: call 1, since 35s after the change", // 15 s of health checks
			"during: call 2, since 20s after the change",
			"after: call 3, since 20s after the change",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

// A revert says that it is one.
func TestRun_saysThatItIsARollback(t *testing.T) {
	for script, want := range map[string]bool{"": false, "previous green 1.5.0\nwithin_window\n": true} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlayer(parse("env blue 1.4.2\nenv green 1.5.0\nroute web blue=100\ntargets blue 1\ntargets green 1\nstable blue\ndesired green\n" +
				"settle 0s\ngate all during\n" + script))
			p.setUp()
			spec, gate := p.spec(), &recordingGate{}
			spec.OnEvent, spec.Gates[0].Gate = nil, gate
			if _, err := rollout.Run(t.Context(), spec); err != nil || len(gate.inputs) == 0 || gate.inputs[0].Rollback != want {
				t.Errorf("%q: got %v, %+v, want Rollback %t", script, err, gate.inputs, want)
			}
		})
	}
}

// An incomplete Spec is rejected before any write.
func TestRun_rejectsIncompleteSpec(t *testing.T) {
	const script = "env blue 1\nenv green 2\nroute web blue=100\ntargets green 1\nstable blue\ndesired green\ngate errors during"
	tests := []struct {
		name   string
		change func(*rollout.Spec)
		cause  rollout.Cause
	}{
		{"a gate that is not configured", func(s *rollout.Spec) { s.Gates = nil }, rollout.GateErrored},
		{"a gate that is nil", func(s *rollout.Spec) { s.Gates[0].Gate = nil }, rollout.GateErrored},
		{"an environment without a group", func(s *rollout.Spec) { delete(s.Owners.Environments()["green"], "web") }, rollout.RouterFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlayer(parse(script))
				p.setUp()
				spec := p.spec()
				spec.OnEvent = nil
				tt.change(&spec)
				_, err := rollout.Run(t.Context(), spec)
				var f *rollout.Failure
				if !errors.As(err, &f) || f.Cause != tt.cause {
					t.Errorf("got %v, want cause %s", err, tt.cause)
				}
				golden.Record(t, fmt.Sprint(err))
				if n := p.memory.Count(routertest.Write); n != 0 {
					t.Errorf("%d writes, want none", n)
				}
			})
		})
	}
}

// Decide does not change the request, because plan and apply use the same one.
func TestSpec_decideDoesNotChangeTheRequest(t *testing.T) {
	p := newPlayer(parse("env green 2\nenv blue 1\nroute web blue=60 legacy=40\nstable blue\ndesired green\nsticky 1h"))
	spec := p.spec()
	first, err := spec.Decide([]traffic.State{p.story.routes[0].state})
	if err != nil {
		t.Fatal(err)
	}
	again, err := spec.Decide([]traffic.State{p.story.routes[0].state})
	if err != nil || schedule.Text(first) != schedule.Text(again) || len(spec.Request.Environments) != 2 || spec.Request.Routes != nil || spec.Request.StickinessChanges {
		t.Errorf("the request has changed: %+v, %v", spec.Request, err)
	}
	unobserved, err := spec.Decide(nil)
	if err != nil || unobserved.Kind != shift.Forward {
		t.Errorf("a plan without observed states: %v, %v", unobserved.Kind, err)
	}
}
