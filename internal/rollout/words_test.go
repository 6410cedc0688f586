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
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

func TestSetting_same(t *testing.T) {
	of := func(pairs ...any) rollout.RouteState {
		s := rollout.RouteState{Weights: map[string]int{}}
		for i := 0; i < len(pairs); i += 2 {
			name, _ := pairs[i].(string)
			s.Weights[name], _ = pairs[i+1].(int)
		}
		return s
	}
	sticky := of("blue", 1)
	sticky.Stickiness = time.Hour
	answer := rollout.RouteState{Response: "fixed response 503", FixedError: true}
	tests := []struct {
		name          string
		a, b          rollout.RouteState
		same, traffic bool
	}{
		{"equal", of("blue", 90, "green", 10), of("blue", 90, "green", 10), true, true},
		{"other numbers", of("blue", 90, "green", 10), of("blue", 9, "green", 1), true, true},
		{"a lone group", of("blue", 1), of("blue", 100), true, true},
		{"thirds in tenths", of("blue", 1, "green", 2), of("blue", 333, "green", 667), true, true},
		{"other shares", of("blue", 90, "green", 10), of("blue", 91, "green", 9), false, false},
		{"one more is named", of("blue", 100), of("blue", 100, "green", 0), false, true},
		{"another is named", of("blue", 100, "red", 0), of("blue", 100, "green", 0), false, true},
		{"stickiness", of("blue", 1), sticky, false, true},
		{"no weight at all is not any weight", of("blue", 0, "green", 0), of("blue", 100, "green", 0), false, false},
		{"no weight at all, twice", of("blue", 0), of("blue", 0), true, true},
		{"an answer", answer, answer, true, true},
		{"an answer and traffic", answer, of("blue", 1), false, false},
		{"two answers", answer, rollout.RouteState{Response: "redirect 301"}, false, false},
	}
	for _, tt := range tests {
		for _, pair := range [][2]rollout.RouteState{{tt.a, tt.b}, {tt.b, tt.a}} {
			if got := pair[0].Equal(pair[1]); got != tt.same {
				t.Errorf("%s: Same is %t", tt.name, got)
			}
			if got := pair[0].EqualTraffic(pair[1]); got != tt.traffic {
				t.Errorf("%s: SameTraffic is %t", tt.name, got)
			}
		}
	}
}

func TestHealth_string(t *testing.T) {
	h := rollout.Health{Targets: slices.Concat(routertest.Targets(2, rollout.Healthy), routertest.Targets(1, rollout.Unchecked),
		routertest.Targets(2, rollout.Unhealthy), routertest.Targets(1, rollout.Draining), []rollout.Target{{ID: "x", State: rollout.Initial}})}
	want := "3 of 7 targets healthy (1 draining: Target.DeregistrationInProgress, 1 initial, 2 unhealthy: Target.FailedHealthChecks)"
	if got := h.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFailure_wraps(t *testing.T) {
	var err error = &rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.RollbackFailed, Stage: "the bake", Detail: "it hung",
		Err: fmt.Errorf("write: %w", rollout.ErrThrottled), RollbackErr: fmt.Errorf("home: %w", rollout.ErrDenied)}
	if !errors.Is(err, rollout.ErrThrottled) || !errors.Is(err, rollout.ErrDenied) || errors.Is(err, rollout.ErrExpired) {
		t.Errorf("the causes of %v are not found", err)
	}
	if got, want := err.Error(), "the balancer did not do it at the bake; not restored: it hung: write: throttled"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := (&rollout.Failure{Cause: rollout.Interrupted}); err.Error() != string(rollout.Interrupted) || err.Unwrap() != nil {
		t.Errorf("got %q, %v", err.Error(), err.Unwrap())
	}
}

// asked is a gate that keeps the moments at which it was asked.
type asked struct{ moments []rollout.GateInput }

func (g *asked) Evaluate(_ context.Context, m rollout.GateInput) rollout.Verdict {
	g.moments = append(g.moments, m)
	return rollout.Verdict{Status: rollout.Pass}
}

// A gate is told where the shift stands and which groups gain and give.
func TestRun_tellsGatesTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &player{played: &played{memory: routertest.NewMemory(), began: time.Now(),
			story: parse("env blue 1.4.2\nenv green 1.5.0\nroute web blue=100\nroute web/2 blue=100\nroute api blue=100\n" +
				"targets blue 1\ntargets green 1\nstable blue\ngoal green\nsteps 5/8s 50/8s\nsettle 0s\ngate all always")},
			serving: map[string]int{}, served: map[string]time.Time{}}
		p.set()
		spec, gate := p.spec(), &asked{}
		spec.OnEvent, spec.Gates[0].Gate = nil, gate
		if _, err := rollout.Run(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range gate.moments {
			got = append(got, fmt.Sprintf("%s %s -> %s, %s: step %d of %d, attempt %d, %s, %s after %s", m.Shift, m.From, m.To, m.Part, m.Step, m.Steps,
				m.Attempt, m.Weights, m.ChangedAt.Sub(m.StartedAt), p.began.Sub(m.StartedAt)))
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
		sides := fmt.Sprint(gate.moments[1].Incoming, gate.moments[1].Live)
		if want := "[{web green 1.5.0 web-green [web web/2]} {api green 1.5.0 api-green [api]}] [{web blue 1.4.2 web-blue [web web/2]} {api blue 1.4.2 api-blue [api]}]"; sides != want {
			t.Errorf("got  %s\nwant %s", sides, want)
		}
	})
}

// What a Spec lacks is found before anything is done.
func TestRun_refusesWhatItCannotDo(t *testing.T) {
	const script = "env blue 1\nenv green 2\nroute web blue=100\ntargets green 1\nstable blue\ngoal green\ngate errors during"
	tests := []struct {
		name   string
		change func(*rollout.Spec)
		cause  rollout.Cause
	}{
		{"a gate that is not there", func(s *rollout.Spec) { s.Gates = nil }, rollout.GateErrored},
		{"a gate that is nil", func(s *rollout.Spec) { s.Gates[0].Gate = nil }, rollout.GateErrored},
		{"an environment without a group", func(s *rollout.Spec) { delete(s.Groups["green"], "web") }, rollout.RouterFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &player{played: &played{memory: routertest.NewMemory(), began: time.Now(), story: parse(script)},
					serving: map[string]int{}, served: map[string]time.Time{}}
				p.set()
				spec := p.spec()
				spec.OnEvent = nil
				tt.change(&spec)
				_, err := rollout.Run(t.Context(), spec)
				var f *rollout.Failure
				if !errors.As(err, &f) || f.Cause != tt.cause {
					t.Errorf("got  %v", err)
				}
				golden.Record(t, fmt.Sprint(err))
				if n := p.memory.Count(routertest.Write); n != 0 {
					t.Errorf("%d writes", n)
				}
			})
		})
	}
}

// Decide leaves the request as it is: the plan and the apply ask the same one.
func TestSpec_decideKeepsTheRequest(t *testing.T) {
	p := &player{played: &played{story: parse("env green 2\nenv blue 1\nroute web blue=60 legacy=40\nstable blue\ngoal green\nsticky 1h")}}
	spec := p.spec()
	first, err := spec.Decide([]rollout.RouteState{p.story.routes[0].does})
	if err != nil {
		t.Fatal(err)
	}
	again, err := spec.Decide([]rollout.RouteState{p.story.routes[0].does})
	if err != nil || first.Text() != again.Text() || len(spec.Request.Environments) != 2 || spec.Request.Routes != nil || spec.Request.StickinessChanges {
		t.Errorf("the request has changed: %+v, %v", spec.Request, err)
	}
	blind, err := spec.Decide(nil)
	if err != nil || blind.Kind != shift.Forward {
		t.Errorf("a plan without readings: %v, %v", blind.Kind, err)
	}
}
