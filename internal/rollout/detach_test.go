package rollout_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
)

func TestDetach(t *testing.T) {
	t.Parallel()
	always := func(f routertest.Fault) routertest.Fault {
		f.Op, f.Times = routertest.Write, routertest.Always
		return f
	}
	for name, c := range map[string]struct {
		does  rollout.RouteState
		play  func(m *routertest.Memory)
		wants map[string]int
		wrote int
		err   string
	}{
		"beside others":       {does: rollout.RouteState{Weights: map[string]int{"old": 0, "new": 7}}, wants: map[string]int{"new": 7}, wrote: 1},
		"two of its groups":   {does: rollout.RouteState{Weights: map[string]int{"old": 0, "older": 0, "new": 7, "red": 0}}, wants: map[string]int{"new": 7, "red": 0}, wrote: 1},
		"others keep clients": {does: rollout.RouteState{Weights: map[string]int{"new": 7, "red": 1}, Stickiness: 60e9}, wants: map[string]int{"new": 7, "red": 1}},
		"it keeps clients":    {does: rollout.RouteState{Weights: map[string]int{"old": 0, "new": 7}, Stickiness: 60e9}, wants: map[string]int{"old": 0, "new": 7}, err: "web gives old 0 %"},
		"it has traffic":      {does: rollout.RouteState{Weights: map[string]int{"old": 1, "new": 1}}, wants: map[string]int{"old": 1, "new": 1}, err: "web gives old 50 %"},
		"it stands alone":     {does: rollout.RouteState{Weights: map[string]int{"old": 0}}, wants: map[string]int{"old": 0}, err: "web gives old 100 %"},
		"nobody has weight":   {does: rollout.RouteState{Weights: map[string]int{"old": 0, "new": 0}}, wants: map[string]int{"old": 0, "new": 0}},
		"nothing names it":    {does: rollout.RouteState{Weights: map[string]int{"new": 1}}, wants: map[string]int{"new": 1}},
		"an answer":           {does: rollout.RouteState{Response: "fixed response 503", FixedError: true}},
		"the route is gone":   {does: rollout.RouteState{Weights: map[string]int{"old": 0, "new": 7}}, play: func(m *routertest.Memory) { m.RemoveRoute("web") }},
		"the write is refused": {does: rollout.RouteState{Weights: map[string]int{"old": 0, "new": 7}}, play: func(m *routertest.Memory) {
			m.Inject(always(routertest.Fault{Kind: routertest.Refused, Err: rollout.ErrDenied}))
		}, wants: map[string]int{"old": 0, "new": 7}, wrote: 1, err: "access denied"},
		"the write is lost": {does: rollout.RouteState{Weights: map[string]int{"old": 0, "new": 7}}, play: func(m *routertest.Memory) { m.Inject(always(routertest.Fault{Kind: routertest.Lost})) }, wants: map[string]int{"old": 0, "new": 7}, wrote: 1, err: "web: the write was accepted and does not show"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, wrote := routertest.NewMemory(), 0
				m.AddRoute("web", c.does)
				if c.play != nil {
					c.play(m)
				}
				err := rollout.Detach(t.Context(), rollout.DetachSpec{Router: m, Routes: []string{"web"}, Groups: []string{"old", "older"}, OnEvent: func(e rollout.Event) {
					if e.Kind == rollout.WeightsWritten {
						wrote++
					}
				}})
				if said := fmt.Sprint(err); wrote != c.wrote || (err != nil || c.err != "") && said != c.err {
					t.Errorf("%d writes, and it ended with %v", wrote, err)
				}
				if name == "the route is gone" {
					return
				}
				if now := m.Now("web"); !maps.Equal(now.Weights, c.wants) {
					t.Errorf("the route has %v", now.Weights)
				}
			})
		})
	}
}

// A route that gives one of the groups requests keeps all from being written.
func TestDetach_allOrNothing(t *testing.T) {
	t.Parallel()
	m := routertest.NewMemory()
	m.AddRoute("a", rollout.RouteState{Weights: map[string]int{"old": 0, "new": 1}})
	m.AddRoute("b", rollout.RouteState{Weights: map[string]int{"old": 1, "new": 1}})
	err := rollout.Detach(t.Context(), rollout.DetachSpec{Router: m, Routes: []string{"a", "b"}, Groups: []string{"old"}})
	live, is := errors.AsType[*rollout.LiveError](err)
	if !is || live.Route != "b" || live.Group != "old" || live.Share != 500 {
		t.Errorf("it ended with %v", err)
	}
	if got := m.Now("a").Groups(); !slices.Equal(got, []string{"new", "old"}) {
		t.Errorf("a names %v", got)
	}
}
