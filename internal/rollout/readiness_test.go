package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// sequenceGate is a gate that returns its statuses in order and repeats the last one. It
// records its inputs.
type sequenceGate struct {
	statuses []rollout.Status
	takes    time.Duration

	mu     sync.Mutex
	inputs []rollout.GateInput
}

func (g *sequenceGate) Evaluate(ctx context.Context, input rollout.GateInput) rollout.Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inputs = append(g.inputs, input)
	select {
	case <-time.After(g.takes):
	case <-ctx.Done():
		return rollout.Verdict{Status: rollout.Errored, Err: ctx.Err()}
	}
	return rollout.Verdict{Status: g.statuses[min(len(g.inputs), len(g.statuses))-1], Detail: "its detail"}
}

func (g *sequenceGate) withName(name string) rollout.NamedGate {
	return rollout.NamedGate{Gate: g, OnInconclusive: rollout.Fail, GateSettings: shift.GateSettings{
		Name: name, Interval: 10 * time.Second, Timeout: 10 * time.Second, InconclusiveTimeout: time.Minute, ErrorLimit: 4,
	}}
}

// newReadiness returns a check of green behind two entry points, both of which are in use.
func newReadiness(m *routertest.Memory, gates ...rollout.NamedGate) rollout.Readiness {
	m.AddRoute("test", traffic.State{Weights: map[string]int{"web-green": 1}})
	m.AddRoute("live", traffic.State{Weights: map[string]int{"api-blue": 100, "api-green": 0}})
	return rollout.Readiness{
		Limits: routertest.Limits(),
		Router: m, ID: "p1", Environment: "green", Gates: gates,
		Backends: []traffic.Backend{
			{Entry: "api", Environment: "green", Group: "api-green", Routes: []string{"live"}},
			{Entry: "web", Environment: "green", Group: "web-green", Routes: []string{"test"}},
		},
		Health: rollout.HealthSettings{CapacityPercent: 50, MinHealthyPercent: 100, MinHealthyTargets: 2, SteadyFor: 15 * time.Second, Timeout: 10 * time.Minute},
	}
}

func healthy(m *routertest.Memory, groups ...string) {
	for _, group := range groups {
		m.SetTargets(group, routertest.Targets(2, traffic.Healthy)...)
	}
}

type readinessCase struct {
	setUp    func(m *routertest.Memory) rollout.Readiness
	after    time.Duration // when it ends
	failure  string        // the text of the Failure; empty: none
	warnings []string
	calls    int // minimum of health reads; -1: none
}

func readinessCases() map[string]readinessCase {
	pass := &sequenceGate{statuses: []rollout.Status{rollout.Pass}}
	return map[string]readinessCase{
		"healthy and steady": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				p := newReadiness(m)
				healthy(m, "web-green", "api-green")
				return p
			},
			after: 15 * time.Second,
		},
		"healthy after a while": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				p := newReadiness(m)
				healthy(m, "api-green")
				m.At(time.Minute, func() { healthy(m, "web-green") })
				return p
			},
			after: time.Minute + 1300*time.Millisecond + 15*time.Second, // the first poll after a minute
		},
		"never healthy": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				p := newReadiness(m)
				healthy(m, "api-green")
				m.SetTargets("web-green", append(routertest.Targets(1, traffic.Unhealthy), traffic.Target{ID: "10.0.0.9:80", State: traffic.Healthy})...)
				return p
			},
			after:   10 * time.Minute,
			failure: "not_healthy at health check; unchanged: green (web): 1 of 2 targets healthy (1 unhealthy: Target.FailedHealthChecks), at least 2 required, after 10m",
		},
		"no targets": {
			setUp:   func(m *routertest.Memory) rollout.Readiness { p := newReadiness(m); healthy(m, "api-green"); return p },
			after:   10 * time.Minute,
			failure: "too_few_targets at health check; unchanged: green (web): no targets, after 10m",
		},
		"never steady": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				p := newReadiness(m)
				p.Health.Timeout = time.Minute
				healthy(m, "api-green")
				for i := range 20 {
					m.At(time.Duration(i)*7*time.Second, func() { m.SetTargets("web-green", routertest.Targets(2+i%2, traffic.Healthy)...) })
				}
				return p
			},
			after:   time.Minute,
			failure: "not_healthy at health check; unchanged: healthy, but not steady for 15s, after 1m",
		},
		"no entry point in use": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				p := newReadiness(m, pass.withName("smoke"))
				p.Backends[0].Routes, p.Backends[1].Routes = nil, nil
				return p
			},
			calls: -1,
		},
		"one of two entry points in use": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				p := newReadiness(m)
				p.Backends[0].Routes = nil
				healthy(m, "web-green")
				return p
			},
			after: 15 * time.Second,
		},
		"health checks disabled": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				p := newReadiness(m)
				healthy(m, "api-green")
				m.SetTargets("web-green", routertest.Targets(2, traffic.Unchecked)...)
				return p
			},
			after:    15 * time.Second,
			warnings: []string{"green (web): health checks are disabled, so its targets count as healthy"},
		},
		"a group that does not exist": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				p := newReadiness(m)
				healthy(m, "api-green")
				m.RemoveGroup("web-green")
				return p
			},
			failure: "router_failed at health check; unchanged: health could not be read: group web-green: not found",
		},
	}
}

func gatedReadinessCases() map[string]readinessCase {
	ready := func(m *routertest.Memory, gates ...rollout.NamedGate) rollout.Readiness {
		p := newReadiness(m, gates...)
		healthy(m, "web-green", "api-green")
		return p
	}
	gate := func(statuses ...rollout.Status) *sequenceGate { return &sequenceGate{statuses: statuses} }
	return map[string]readinessCase{
		"a gate passes eventually": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				return ready(m, gate(rollout.Inconclusive, rollout.Errored, rollout.Pass).withName("smoke"))
			},
			after: 15*time.Second + 20*time.Second,
		},
		"a gate errors after it has passed, while another one is inconclusive": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				return ready(m, gate(rollout.Pass, rollout.Errored, rollout.Errored, rollout.Pass).withName("a"), gate(rollout.Inconclusive, rollout.Pass).withName("b"))
			},
			after: 15*time.Second + 30*time.Second,
		},
		"a failure is tolerated, so the result after it is awaited": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				g := gate(rollout.Fail, rollout.Pass).withName("smoke")
				g.FailureLimit = 1
				return ready(m, g)
			},
			after:    15*time.Second + 10*time.Second,
			warnings: []string{`Gate "smoke" failed within its limit: its detail (failure 1, failure_limit = 1)`},
		},
		"two gates never pass at the same time": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				return ready(m, gate(alternating(rollout.Pass, rollout.Errored)...).withName("a"), gate(alternating(rollout.Errored, rollout.Pass)...).withName("b"))
			},
			after:   15*time.Second + 2*time.Minute,
			failure: `timed_out at gates; unchanged: the gates did not all pass at the same time within 2m; the last result of "a" was error`,
		},
		"a gate fails": {
			setUp:   func(m *routertest.Memory) rollout.Readiness { return ready(m, gate(rollout.Fail).withName("smoke")) },
			after:   15 * time.Second,
			failure: "gate_failed at gates; unchanged: its detail",
		},
		"a gate errors": {
			setUp:   func(m *routertest.Memory) rollout.Readiness { return ready(m, gate(rollout.Errored).withName("smoke")) },
			after:   15*time.Second + 40*time.Second,
			failure: "gate_errored at gates; unchanged: its detail (consecutive error 5, consecutive_error_limit = 4)",
		},
		"a gate stays inconclusive": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				return ready(m, gate(rollout.Inconclusive).withName("smoke"))
			},
			after:   15*time.Second + time.Minute,
			failure: `gate_inconclusive at gates; unchanged: its detail; inconclusive for 1m (inconclusive_timeout = "1m")`,
		},
		"a report-only gate fails": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				g := gate(rollout.Fail).withName("smoke")
				g.DryRun = true
				return ready(m, g)
			},
			after:    15 * time.Second,
			warnings: []string{`Gate "smoke" (report-only) returned fail: its detail`},
		},
		"health degrades while a gate is evaluated": {
			setUp: func(m *routertest.Memory) rollout.Readiness {
				p := ready(m, gate(slices.Repeat([]rollout.Status{rollout.Inconclusive}, 5)...).withName("smoke"))
				m.At(20*time.Second, func() { m.SetTargets("web-green") })
				return p
			},
			failure: "too_few_targets at gates; unchanged: green (web): no targets, for 30s",
		},
	}
}

func alternating(statuses ...rollout.Status) []rollout.Status { return slices.Repeat(statuses, 100) }

func TestCheckReadiness(t *testing.T) {
	all := readinessCases()
	for name, c := range gatedReadinessCases() {
		all[name] = c
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := routertest.NewMemory()
				p := c.setUp(m)
				began := time.Now()
				warnings, err := rollout.CheckReadiness(t.Context(), p)
				c.check(t, warnings, err)
				if took := time.Since(began); c.after > 0 && took != c.after {
					t.Errorf("it took %s, want %s", took, c.after)
				}
				if n := m.Count(routertest.Health); c.calls < 0 && n > 0 || c.calls >= 0 && n == 0 {
					t.Errorf("%d health reads", n)
				}
				if n := m.Count(routertest.Read) + m.Count(routertest.Write); n > 0 {
					t.Errorf("%d reads and writes of routes, want none", n)
				}
			})
		})
	}
}

func (c readinessCase) check(t *testing.T, warnings []string, err error) {
	t.Helper()
	got := ""
	var f *rollout.Failure
	if errors.As(err, &f) {
		got = f.Error()
	} else if err != nil {
		t.Errorf("the error is a %T, want a *rollout.Failure", err)
	}
	if got != c.failure {
		t.Errorf("got  %s\nwant %s", got, c.failure)
	}
	if !slices.Equal(warnings, c.warnings) {
		t.Errorf("warnings %q, want %q", warnings, c.warnings)
	}
}

// preflightFunc is a gate that passes, with a preflight.
type preflightFunc func() rollout.Verdict

func (preflightFunc) Evaluate(context.Context, rollout.GateInput) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Pass}
}

func (f preflightFunc) Preflight(context.Context, rollout.GateInput) rollout.Verdict { return f() }

// A server that cannot be reached may be a part of the environment, and what a gate measures may
// be bad, until it is healthy. What is missing where Terraform runs stays missing.
func TestCheckReadiness_preflight(t *testing.T) {
	for _, tt := range []struct {
		verdict rollout.Verdict
		want    string
	}{
		{rollout.Verdict{Status: rollout.Pass}, "<nil>"},
		{rollout.Verdict{Status: rollout.Fail, Detail: "in ALARM"}, "<nil>"},
		{rollout.Verdict{Status: rollout.Errored, Detail: "no such host", Err: rollout.ErrUnreachable}, "<nil>"},
		{rollout.Verdict{Status: rollout.Errored, Detail: "it is not there", Err: errors.ErrUnsupported}, "blocked_by_gate; unchanged: it is not there: unsupported operation"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, named := routertest.NewMemory(), (&sequenceGate{}).withName("smoke")
			named.Gate = preflightFunc(func() rollout.Verdict { return tt.verdict })
			healthy(m, "web-green", "api-green")
			_, err := rollout.CheckReadiness(t.Context(), newReadiness(m, named))
			if got := fmt.Sprint(err); got != tt.want {
				t.Errorf("preflight %s: got %s, want %s", tt.verdict.Status, got, tt.want)
			}
		})
	}
}

func TestCheckReadiness_passesAllBackendsToGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, g := routertest.NewMemory(), &sequenceGate{statuses: []rollout.Status{rollout.Pass}}
		p := newReadiness(m, g.withName("smoke"))
		p.Backends[0].Routes = nil // not in use, but part of the input
		healthy(m, "web-green")
		if _, err := rollout.CheckReadiness(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if len(g.inputs) != 1 {
			t.Fatalf("evaluated %d times, want once", len(g.inputs))
		}
		got := g.inputs[0]
		if got.Shift != "p1" || got.Part != shift.Before || got.Attempt != 1 || len(got.Live) != 0 || got.Step != 0 || got.Steps != 0 {
			t.Errorf("evaluated with %+v", got)
		}
		if fmt.Sprint(got.Incoming) != "[{api green  api-green []} {web green  web-green [test]}]" {
			t.Errorf("Incoming is %v", got.Incoming)
		}
	})
}

func TestCheckReadiness_interruptEndsEveryWait(t *testing.T) {
	for name, after := range map[string]time.Duration{"in the health check": time.Second, "in the gates": 16 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := routertest.NewMemory()
				p := newReadiness(m, (&sequenceGate{statuses: []rollout.Status{rollout.Pass}, takes: 5 * time.Second}).withName("slow"))
				healthy(m, "web-green", "api-green")
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(after, cancel)
				began := time.Now()
				_, err := rollout.CheckReadiness(ctx, p)
				var f *rollout.Failure
				if !errors.As(err, &f) || f.Cause != rollout.Interrupted || f.Disposition != rollout.Unchanged || time.Since(began) != after {
					t.Errorf("got %v after %s, want an interrupt after %s", err, time.Since(began), after)
				}
				synctest.Wait()
			})
		})
	}
}

func TestCheckReadiness_emitsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := routertest.NewMemory()
		p := newReadiness(m, (&sequenceGate{statuses: []rollout.Status{rollout.Pass}}).withName("smoke"))
		healthy(m, "web-green", "api-green")
		var events []string
		p.OnEvent = func(e rollout.Event) {
			events = append(events, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Kind, e.Gate, e.Status, e.Text)))
		}
		if _, err := rollout.CheckReadiness(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		want := []string{"phase_started   health check",
			"health_read   green (api): 2 healthy, 0 unhealthy, 0 initial, 0 draining; green (web): 2 healthy, 0 unhealthy, 0 initial, 0 draining",
			"phase_started   gates", "gate_evaluated smoke pass its detail", "shift_ended   completed"}
		if !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
	})
}
