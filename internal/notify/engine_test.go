package notify

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// failingGate passes at 5 % and fails at 50 %. It takes a moment, so that the read of health is over.
type failingGate struct{}

func (failingGate) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	select {
	case <-time.After(time.Millisecond):
	case <-ctx.Done():
		return rollout.Verdict{Status: rollout.Errored, Err: ctx.Err()}
	}
	if in.Step > 1 {
		return rollout.Verdict{Status: rollout.Fail, Detail: "3 errors"}
	}
	return rollout.Verdict{Status: rollout.Pass}
}

// timed is an event with its time since the start.
type timed struct {
	at   time.Duration
	kind rollout.EventKind
	text string
}

// run runs a shift that a gate rolls back at its second step, and returns its events and how long it
// took.
func run(t *testing.T, observe func(rollout.Event)) (events []timed, took time.Duration) {
	t.Helper()
	start, m := time.Now(), routertest.NewMemory()
	m.AddRoute(listener, traffic.State{Weights: map[string]int{"arn:blue": 100, "arn:green": 0}})
	for _, group := range []string{"arn:blue", "arn:green"} {
		m.SetTargets(group, routertest.Targets(2, traffic.Healthy)...)
	}
	settings := shift.GateSettings{Name: "users", When: shift.During, Interval: 10 * time.Second, Timeout: time.Second}
	spec := rollout.Spec{Router: m, ID: "s1", Limits: routertest.Limits(), Stable: shift.Sole("blue"),
		Routes: []rollout.Route{{Route: traffic.Route{ID: listener, Entry: "web"}}},
		Owners: traffic.NewOwners(map[string]map[string]string{"blue": {"web": "arn:blue"}, "green": {"web": "arn:green"}}, nil, nil),
		Health: rollout.HealthSettings{MinHealthyPercent: 100, MinHealthyTargets: 1, SteadyFor: 15 * time.Second, BreachFor: 30 * time.Second, Timeout: 10 * time.Minute},
		Record: rollout.RecordSpec{Off: true}, Gates: []rollout.NamedGate{{GateSettings: settings, Gate: failingGate{}, OnInconclusive: rollout.Fail}},
		OnEvent: func(e rollout.Event) {
			events = append(events, timed{e.At.Sub(start), e.Kind, e.Text})
			observe(e)
		}}
	spec.Request.Desired = shift.Sole("green")
	spec.Request.Environments = []shift.Environment{{Name: "blue"}, {Name: "green"}}
	spec.Request.Strategy = shift.Strategy{Gates: []shift.GateSettings{settings}, HealthTimeout: 10 * time.Minute,
		Steps: []shift.Step{{At: 50, Hold: 5 * time.Minute}, {At: 500, Hold: 5 * time.Minute}}, Settle: time.Minute}
	if _, err := rollout.Run(t.Context(), spec); err == nil {
		t.Fatal("the gate did not fail")
	}
	return events, time.Since(start)
}

// The times of a shift are the same whether nobody is notified, or a destination that hangs.
func TestNotifier_delaysNoShift(t *testing.T) {
	var want []timed
	var wanting time.Duration
	synctest.Test(t, func(t *testing.T) { want, wanting = run(t, func(rollout.Event) {}) })
	synctest.Test(t, func(t *testing.T) {
		r := newReceiver()
		r.hangs = func(int) bool { return true }
		n := notifierTo(t, r)
		got, took := run(t, n.OnEvent)
		if !slices.Equal(got, want) || took != wanting {
			t.Errorf("it took %s, want %s:\n%v\n%v", took, wanting, got, want)
		}
		if left, _ := closed(t, n); len(left) != 1 || len(r.calls) == 0 {
			t.Errorf("%d requests, not delivered %v", len(r.calls), left)
		}
	})
}
