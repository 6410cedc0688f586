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
)

// answering is a gate that gives its answers one after the other, the last one
// for ever, and remembers what it was asked.
type answering struct {
	answers []rollout.Status
	takes   time.Duration

	mu    sync.Mutex
	asked []rollout.GateInput
}

func (g *answering) Evaluate(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, m)
	select {
	case <-time.After(g.takes):
	case <-ctx.Done():
		return rollout.Verdict{Status: rollout.Errored, Err: ctx.Err()}
	}
	return rollout.Verdict{Status: g.answers[min(len(g.asked), len(g.answers))-1], Detail: "what it saw"}
}

func (g *answering) named(name string) rollout.NamedGate {
	return rollout.NamedGate{Gate: g, OnInconclusive: rollout.Fail, GateSettings: shift.GateSettings{
		Name: name, Interval: 10 * time.Second, Timeout: 10 * time.Second, InconclusiveTimeout: time.Minute, ErrorLimit: 4,
	}}
}

// proof is a Proof of green behind two entry points, of which both are in use.
func proof(m *routertest.Memory, gates ...rollout.NamedGate) rollout.Proof {
	m.AddRoute("test", rollout.RouteState{Weights: map[string]int{"web-green": 1}})
	m.AddRoute("live", rollout.RouteState{Weights: map[string]int{"api-blue": 100, "api-green": 0}})
	return rollout.Proof{
		Router: m, ID: "p1", Environment: "green", Gates: gates,
		Sides: []rollout.Backend{
			{Entry: "api", Environment: "green", Group: "api-green", Routes: []string{"live"}},
			{Entry: "web", Environment: "green", Group: "web-green", Routes: []string{"test"}},
		},
		Health: rollout.HealthSettings{CapacityPercent: 50, MinHealthyPercent: 100, MinHealthyTargets: 2, SteadyFor: 15 * time.Second, Timeout: 10 * time.Minute},
	}
}

func healthy(m *routertest.Memory, groups ...string) {
	for _, group := range groups {
		m.SetTargets(group, routertest.Targets(2, rollout.Healthy)...)
	}
}

type proofCase struct {
	// play puts up the balancer, and says what is to be proven.
	play  func(m *routertest.Memory) rollout.Proof
	after time.Duration // when it ends
	fails string        // the Failure's text; empty: it does not fail
	told  []string
	calls int // of health at least; -1: none
}

func proofs() map[string]proofCase {
	pass := &answering{answers: []rollout.Status{rollout.Pass}}
	return map[string]proofCase{
		"healthy and steady": {
			play: func(m *routertest.Memory) rollout.Proof {
				p := proof(m)
				healthy(m, "web-green", "api-green")
				return p
			},
			after: 15 * time.Second,
		},
		"healthy after a while": {
			play: func(m *routertest.Memory) rollout.Proof {
				p := proof(m)
				healthy(m, "api-green")
				m.At(time.Minute, func() { healthy(m, "web-green") })
				return p
			},
			after: time.Minute + 1300*time.Millisecond + 15*time.Second, // seen by the first look after a minute
		},
		"never healthy": {
			play: func(m *routertest.Memory) rollout.Proof {
				p := proof(m)
				healthy(m, "api-green")
				m.SetTargets("web-green", append(routertest.Targets(1, rollout.Unhealthy), rollout.Target{ID: "10.0.0.9:80", State: rollout.Healthy})...)
				return p
			},
			after: 10 * time.Minute,
			fails: "never became healthy at health; unmoved: green (web) has 1 of 2 targets healthy (1 unhealthy: Target.FailedHealthChecks), at least 2 must be, after 10m",
		},
		"no targets": {
			play:  func(m *routertest.Memory) rollout.Proof { p := proof(m); healthy(m, "api-green"); return p },
			after: 10 * time.Minute,
			fails: "never became healthy at health; unmoved: green (web) has no targets, after 10m",
		},
		"never steady": {
			play: func(m *routertest.Memory) rollout.Proof {
				p := proof(m)
				p.Health.Timeout = time.Minute
				healthy(m, "api-green")
				for i := range 20 {
					m.At(time.Duration(i)*7*time.Second, func() { m.SetTargets("web-green", routertest.Targets(2+i%2, rollout.Healthy)...) })
				}
				return p
			},
			after: time.Minute,
			fails: "never became healthy at health; unmoved: healthy, but not steady for 15s, after 1m",
		},
		"in no use at all": {
			play: func(m *routertest.Memory) rollout.Proof {
				p := proof(m, pass.named("smoke"))
				p.Sides[0].Routes, p.Sides[1].Routes = nil, nil
				return p
			},
			calls: -1,
		},
		"one of two in use": {
			play: func(m *routertest.Memory) rollout.Proof {
				p := proof(m)
				p.Sides[0].Routes = nil
				healthy(m, "web-green")
				return p
			},
			after: 15 * time.Second,
		},
		"checks switched off": {
			play: func(m *routertest.Memory) rollout.Proof {
				p := proof(m)
				healthy(m, "api-green")
				m.SetTargets("web-green", routertest.Targets(2, rollout.Unchecked)...)
				return p
			},
			after: 15 * time.Second,
			told:  []string{"green (web): its health checks are switched off, so it counts as healthy"},
		},
		"a group that is gone": {
			play: func(m *routertest.Memory) rollout.Proof {
				p := proof(m)
				healthy(m, "api-green")
				m.RemoveGroup("web-green")
				return p
			},
			fails: "the balancer did not do it at health; unmoved: health could not be read: group web-green: not found",
		},
	}
}

func gatedProofs() map[string]proofCase {
	ready := func(m *routertest.Memory, gates ...rollout.NamedGate) rollout.Proof {
		p := proof(m, gates...)
		healthy(m, "web-green", "api-green")
		return p
	}
	gate := func(answers ...rollout.Status) *answering { return &answering{answers: answers} }
	return map[string]proofCase{
		"a gate passes at last": {
			play: func(m *routertest.Memory) rollout.Proof {
				return ready(m, gate(rollout.Inconclusive, rollout.Errored, rollout.Pass).named("smoke"))
			},
			after: 15*time.Second + 20*time.Second,
		},
		"a gate fails": {
			play:  func(m *routertest.Memory) rollout.Proof { return ready(m, gate(rollout.Fail).named("smoke")) },
			after: 15 * time.Second,
			fails: "gate failed at the gates; unmoved: what it saw",
		},
		"a gate cannot measure": {
			play:  func(m *routertest.Memory) rollout.Proof { return ready(m, gate(rollout.Errored).named("smoke")) },
			after: 15*time.Second + 40*time.Second,
			fails: "gate could not measure at the gates; unmoved: what it saw (5 times in a row, 4 tolerated)",
		},
		"a gate stays undecided": {
			play:  func(m *routertest.Memory) rollout.Proof { return ready(m, gate(rollout.Inconclusive).named("smoke")) },
			after: 15*time.Second + time.Minute,
			fails: "gate stayed inconclusive at the gates; unmoved: what it saw; undecided for 1m (inconclusive_timeout is 1m)",
		},
		"a dry run fails": {
			play: func(m *routertest.Memory) rollout.Proof {
				g := gate(rollout.Fail).named("smoke")
				g.DryRun = true
				return ready(m, g)
			},
			after: 15 * time.Second,
			told:  []string{"gate smoke (not obeyed) says fail: what it saw"},
		},
		"health breaks while a gate judges": {
			play: func(m *routertest.Memory) rollout.Proof {
				p := ready(m, gate(slices.Repeat([]rollout.Status{rollout.Inconclusive}, 5)...).named("smoke"))
				m.At(20*time.Second, func() { m.SetTargets("web-green") })
				return p
			},
			fails: "health broke at the gates; unmoved: green (web) has no targets, for 30s",
		},
	}
}

func TestProve(t *testing.T) {
	all := proofs()
	for name, c := range gatedProofs() {
		all[name] = c
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := routertest.NewMemory()
				p := c.play(m)
				began := time.Now()
				told, err := rollout.Prove(t.Context(), p)
				c.check(t, told, err)
				if took := time.Since(began); c.after > 0 && took != c.after {
					t.Errorf("it took %s, want %s", took, c.after)
				}
				if n := m.Count(routertest.Health); c.calls < 0 && n > 0 || c.calls >= 0 && n == 0 {
					t.Errorf("health was asked %d times", n)
				}
				if n := m.Count(routertest.Read) + m.Count(routertest.Write); n > 0 {
					t.Errorf("%d routes were read or written", n)
				}
			})
		})
	}
}

func (c proofCase) check(t *testing.T, told []string, err error) {
	t.Helper()
	got := ""
	var f *rollout.Failure
	if errors.As(err, &f) {
		got = f.Error()
	} else if err != nil {
		t.Errorf("the error is a %T", err)
	}
	if got != c.fails {
		t.Errorf("got  %s\nwant %s", got, c.fails)
	}
	if !slices.Equal(told, c.told) {
		t.Errorf("told %q, want %q", told, c.told)
	}
}

func TestProve_gatesHearOfTheWholeEnvironment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, g := routertest.NewMemory(), &answering{answers: []rollout.Status{rollout.Pass}}
		p := proof(m, g.named("smoke"))
		p.Sides[0].Routes = nil // not in use, and yet to be judged
		healthy(m, "web-green")
		if _, err := rollout.Prove(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if len(g.asked) != 1 {
			t.Fatalf("asked %d times", len(g.asked))
		}
		got := g.asked[0]
		if got.Shift != "p1" || got.Part != shift.Before || got.Attempt != 1 || len(got.Live) != 0 || got.Step != 0 || got.Steps != 0 {
			t.Errorf("asked with %+v", got)
		}
		if fmt.Sprint(got.Incoming) != "[{api green  api-green []} {web green  web-green [test]}]" {
			t.Errorf("receiving is %v", got.Incoming)
		}
	})
}

func TestProve_anInterruptEndsEveryWait(t *testing.T) {
	for name, after := range map[string]time.Duration{"in health": time.Second, "in the gates": 16 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := routertest.NewMemory()
				p := proof(m, (&answering{answers: []rollout.Status{rollout.Pass}, takes: 5 * time.Second}).named("slow"))
				healthy(m, "web-green", "api-green")
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(after, cancel)
				began := time.Now()
				_, err := rollout.Prove(ctx, p)
				var f *rollout.Failure
				if !errors.As(err, &f) || f.Cause != rollout.Interrupted || f.Disposition != rollout.Unchanged || time.Since(began) != after {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
				synctest.Wait()
			})
		})
	}
}

func TestProve_tellsWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := routertest.NewMemory()
		p := proof(m, (&answering{answers: []rollout.Status{rollout.Pass}}).named("smoke"))
		healthy(m, "web-green", "api-green")
		var events []string
		p.OnEvent = func(e rollout.Event) {
			events = append(events, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Kind, e.Gate, e.Status, e.Text)))
		}
		if _, err := rollout.Prove(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		want := []string{"phase   health", "phase   gates", "judged smoke pass what it saw", "ended   done"}
		if !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
	})
}
