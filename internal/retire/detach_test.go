package retire_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/retire"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestDetach(t *testing.T) {
	t.Parallel()
	always := func(f routertest.Fault) routertest.Fault {
		f.Op, f.Times = routertest.Write, routertest.Always
		return f
	}
	for name, c := range map[string]struct {
		state  traffic.State
		setUp  func(m *routertest.Memory)
		want   map[string]int
		writes int
		err    string
	}{
		"one of several groups":             {state: traffic.State{Weights: map[string]int{"old": 0, "new": 7}}, want: map[string]int{"new": 7}, writes: 1},
		"two groups":                        {state: traffic.State{Weights: map[string]int{"old": 0, "older": 0, "new": 7, "red": 0}}, want: map[string]int{"new": 7, "red": 0}, writes: 1},
		"a sticky route without the groups": {state: traffic.State{Weights: map[string]int{"new": 7, "red": 1}, Stickiness: 60e9}, want: map[string]int{"new": 7, "red": 1}},
		"a sticky route with the group":     {state: traffic.State{Weights: map[string]int{"old": 0, "new": 7}, Stickiness: 60e9}, want: map[string]int{"old": 0, "new": 7}, err: "web sends 0 % of its traffic to old"},
		"the group has traffic":             {state: traffic.State{Weights: map[string]int{"old": 1, "new": 1}}, want: map[string]int{"old": 1, "new": 1}, err: "web sends 50 % of its traffic to old"},
		"a single group":                    {state: traffic.State{Weights: map[string]int{"old": 0}}, want: map[string]int{"old": 0}, err: "web sends 100 % of its traffic to old"},
		"no group has weight":               {state: traffic.State{Weights: map[string]int{"old": 0, "new": 0}}, want: map[string]int{"old": 0, "new": 0}},
		"the group is not attached":         {state: traffic.State{Weights: map[string]int{"new": 1}}, want: map[string]int{"new": 1}},
		"a fixed response":                  {state: traffic.State{Response: "fixed response 503", FixedError: true}},
		"the route does not exist":          {state: traffic.State{Weights: map[string]int{"old": 0, "new": 7}}, setUp: func(m *routertest.Memory) { m.RemoveRoute("web") }},
		"the write fails": {state: traffic.State{Weights: map[string]int{"old": 0, "new": 7}}, setUp: func(m *routertest.Memory) {
			m.Inject(always(routertest.Fault{Kind: routertest.Refused, Err: traffic.ErrDenied}))
		}, want: map[string]int{"old": 0, "new": 7}, writes: 1, err: "access denied"},
		"the write is lost": {state: traffic.State{Weights: map[string]int{"old": 0, "new": 7}}, setUp: func(m *routertest.Memory) { m.Inject(always(routertest.Fault{Kind: routertest.Lost})) }, want: map[string]int{"old": 0, "new": 7}, writes: 1, err: "web: the write was accepted, but the route does not show it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, writes := routertest.NewMemory(), 0
				m.AddRoute("web", c.state)
				if c.setUp != nil {
					c.setUp(m)
				}
				err := retire.Detach(t.Context(), retire.DetachSpec{Router: m, Routes: []string{"web"}, Groups: []string{"old", "older"}, OnEvent: func(e rollout.Event) {
					if e.Kind == rollout.WeightsWritten {
						writes++
					}
				}})
				if text := fmt.Sprint(err); writes != c.writes || (err != nil || c.err != "") && text != c.err {
					t.Errorf("got %d writes, %v; want %d, %s", writes, err, c.writes, c.err)
				}
				if name == "the route does not exist" {
					return
				}
				if now := m.Now("web"); !maps.Equal(now.Weights, c.want) {
					t.Errorf("the route has %v, want %v", now.Weights, c.want)
				}
			})
		})
	}
}

// If one route sends requests to a group, no route is written.
func TestDetach_allOrNothing(t *testing.T) {
	t.Parallel()
	m := routertest.NewMemory()
	m.AddRoute("a", traffic.State{Weights: map[string]int{"old": 0, "new": 1}})
	m.AddRoute("b", traffic.State{Weights: map[string]int{"old": 1, "new": 1}})
	err := retire.Detach(t.Context(), retire.DetachSpec{Router: m, Routes: []string{"a", "b"}, Groups: []string{"old"}})
	live, is := errors.AsType[*retire.LiveError](err)
	if !is || live.Route != "b" || live.Group != "old" || live.Share != 500 {
		t.Errorf("got %v, want a *retire.LiveError for b", err)
	}
	if got := m.Now("a").Groups(); !slices.Equal(got, []string{"new", "old"}) {
		t.Errorf("a has the groups %v, want no write", got)
	}
}
