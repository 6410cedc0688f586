package rollout_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
)

func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		play  func(m *routertest.Memory)
		limit time.Duration
		most  time.Duration // it takes no longer, and no less than least
		least time.Duration
		ends  string
	}{
		"the whole time while targets are there": {
			play:  func(m *routertest.Memory) { healthy(m, "web", "api") },
			limit: 5 * time.Minute, least: 5 * time.Minute, most: 5 * time.Minute, ends: "the time is over",
		},
		"draining targets are there": {
			play: func(m *routertest.Memory) {
				m.SetTargets("api")
				m.SetTargets("web", routertest.Targets(2, rollout.Draining)...)
			},
			limit: 5 * time.Minute, least: 5 * time.Minute, most: 5 * time.Minute, ends: "the time is over",
		},
		"no targets from the beginning": {
			play:  func(m *routertest.Memory) { m.SetTargets("web"); m.SetTargets("api") },
			limit: 5 * time.Minute, ends: "no targets are left",
		},
		"groups that are gone": {play: func(*routertest.Memory) {}, limit: 5 * time.Minute, ends: "no targets are left"},
		"the last target goes": {
			play: func(m *routertest.Memory) {
				healthy(m, "web", "api")
				m.At(10*time.Second, func() { m.SetTargets("web") })
				m.At(60*time.Second, func() { m.SetTargets("api") })
			},
			limit: 5 * time.Minute, least: 60 * time.Second, most: 66 * time.Second, ends: "no targets are left",
		},
		"health cannot be read": {
			play: func(m *routertest.Memory) {
				m.Inject(routertest.Fault{Kind: routertest.Refused, Op: routertest.Health, Times: routertest.Always})
			},
			limit: time.Minute, least: time.Minute, most: time.Minute, ends: "the time is over",
		},
		"health does not answer": {
			play: func(m *routertest.Memory) {
				healthy(m, "web", "api")
				m.Inject(routertest.Fault{Kind: routertest.Blocked, Op: routertest.Health, Times: routertest.Always})
			},
			limit: time.Minute, least: time.Minute, most: time.Minute, ends: "the time is over",
		},
		"no time at all": {
			play: func(m *routertest.Memory) { healthy(m, "web", "api") }, ends: "the time is over",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := routertest.NewMemory()
				c.play(m)
				began, last := time.Now(), ""
				err := rollout.Drain(t.Context(), rollout.DrainSpec{Router: m, Groups: []string{"web", "api"}, For: c.limit,
					OnEvent: func(e rollout.Event) { last = e.Text }})
				took := time.Since(began)
				if err != nil || took < c.least || took > c.most || last != c.ends {
					t.Errorf("it ended with %v after %s: %s", err, took, last)
				}
			})
		})
	}
}

func TestDrain_anInterruptIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := routertest.NewMemory()
		healthy(m, "web")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, cancel)
		groups, began := []string{"web"}, time.Now()
		err := rollout.Drain(ctx, rollout.DrainSpec{Router: m, Groups: groups, For: time.Hour})
		if !errors.Is(err, context.Canceled) || time.Since(began) != 7*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if !slices.Equal(groups, []string{"web"}) {
			t.Errorf("the caller's groups are %q", groups)
		}
	})
}

func TestDrain_anInterruptIsAnErrorEvenWhereNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := rollout.Drain(ctx, rollout.DrainSpec{Router: routertest.NewMemory(), For: time.Hour}); !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
}
