package retire_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/retire"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		setUp    func(m *routertest.Memory)
		limit    time.Duration
		longest  time.Duration
		shortest time.Duration
		last     string // the text of the last event
	}{
		"targets until the end": {
			setUp: func(m *routertest.Memory) { healthy(m, "web", "api") },
			limit: 5 * time.Minute, shortest: 5 * time.Minute, longest: 5 * time.Minute, last: "drain time is over",
		},
		"draining targets until the end": {
			setUp: func(m *routertest.Memory) {
				m.SetTargets("api")
				m.SetTargets("web", routertest.Targets(2, traffic.Draining)...)
			},
			limit: 5 * time.Minute, shortest: 5 * time.Minute, longest: 5 * time.Minute, last: "drain time is over",
		},
		"no targets from the start, which proves nothing": {
			setUp: func(m *routertest.Memory) { m.SetTargets("web"); m.SetTargets("api") },
			limit: 5 * time.Minute, shortest: 5 * time.Minute, longest: 5 * time.Minute, last: "drain time is over",
		},
		"targets that were in service vanish, which proves nothing": {
			setUp: func(m *routertest.Memory) {
				m.SetTargets("api")
				m.SetTargets("web", routertest.Targets(2, traffic.Draining)...)
				m.At(10*time.Second, func() { healthy(m, "web") })
				m.At(20*time.Second, func() { m.SetTargets("web") })
			},
			limit: time.Minute, shortest: time.Minute, longest: time.Minute, last: "drain time is over",
		},
		"one answer without targets while they drain": {
			setUp: func(m *routertest.Memory) {
				m.RemoveGroup("api")
				m.SetTargets("web", routertest.Targets(2, traffic.Draining)...)
				m.At(10*time.Second, func() { m.SetTargets("web") })
				m.At(12*time.Second, func() { m.SetTargets("web", routertest.Targets(2, traffic.Draining)...) })
			},
			limit: time.Minute, shortest: time.Minute, longest: time.Minute, last: "drain time is over",
		},
		"groups that do not exist": {setUp: func(*routertest.Memory) {}, limit: 5 * time.Minute, last: "no targets left"},
		"the last target is deregistered": {
			setUp: func(m *routertest.Memory) {
				healthy(m, "web")
				m.SetTargets("api", routertest.Targets(1, traffic.Draining)...)
				m.At(5*time.Second, func() { m.SetTargets("web", routertest.Targets(2, traffic.Draining)...) })
				m.At(20*time.Second, func() { m.SetTargets("web") })
				m.At(60*time.Second, func() { m.SetTargets("api") })
			},
			limit: 5 * time.Minute, shortest: 65 * time.Second, longest: 71 * time.Second, last: "no targets left",
		},
		"health cannot be read": {
			setUp: func(m *routertest.Memory) {
				m.Inject(routertest.Fault{Kind: routertest.Refused, Op: routertest.Health, Times: routertest.Always})
			},
			limit: time.Minute, shortest: time.Minute, longest: time.Minute, last: "drain time is over",
		},
		"health reads do not return": {
			setUp: func(m *routertest.Memory) {
				healthy(m, "web", "api")
				m.Inject(routertest.Fault{Kind: routertest.Blocked, Op: routertest.Health, Times: routertest.Always})
			},
			limit: time.Minute, shortest: time.Minute, longest: time.Minute, last: "drain time is over",
		},
		"a drain time of 0": {
			setUp: func(m *routertest.Memory) { healthy(m, "web", "api") }, last: "drain time is over",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := routertest.NewMemory()
				c.setUp(m)
				began, last := time.Now(), ""
				err := retire.Drain(t.Context(), retire.DrainSpec{Router: m, Groups: []string{"web", "api"}, For: c.limit,
					OnEvent: func(e rollout.Event) { last = e.Text }})
				took := time.Since(began)
				if err != nil || took < c.shortest || took > c.longest || last != c.last {
					t.Errorf("got %v after %s: %s; want %s to %s: %s", err, took, last, c.shortest, c.longest, c.last)
				}
			})
		})
	}
}

func TestDrain_returnsErrorWhenInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := routertest.NewMemory()
		healthy(m, "web")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, cancel)
		groups, began := []string{"web"}, time.Now()
		err := retire.Drain(ctx, retire.DrainSpec{Router: m, Groups: groups, For: time.Hour})
		if !errors.Is(err, context.Canceled) || time.Since(began) != 7*time.Second {
			t.Errorf("got %v after %s, want context.Canceled after 7s", err, time.Since(began))
		}
		if !slices.Equal(groups, []string{"web"}) {
			t.Errorf("Drain changed the groups of its caller to %q", groups)
		}
	})
}

func TestDrain_returnsErrorWhenInterruptedWithoutTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := retire.Drain(ctx, retire.DrainSpec{Router: routertest.NewMemory(), For: time.Hour}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func healthy(m *routertest.Memory, groups ...string) {
	for _, group := range groups {
		m.SetTargets(group, routertest.Targets(2, traffic.Healthy)...)
	}
}
