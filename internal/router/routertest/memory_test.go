package routertest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestMemory_fulfillsContract(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Fixture {
		m := newMemory()
		m.AddRoute("fixed", traffic.State{Response: "fixed response 503", FixedError: true})
		m.AddRoute("moved", traffic.State{Response: "redirect 301 to https://#{host}:443/"})
		m.SetExtra("web", "authenticate")
		return routertest.Fixture{
			Router: m, Limits: routertest.Limits(),
			Routes:       []string{"web", "api"},
			Groups:       []string{"blue", "green", "c", "d", "e", "f"},
			Idle:         "fixed",
			Redirect:     "moved",
			MissingRoute: "missing",
			MissingGroup: "missing",
			Change: func(_ *testing.T, route string, weights map[string]int) {
				m.Change(route, traffic.State{Weights: weights})
			},
			Extra: func(*testing.T) string { return m.Extra("web") },
		}
	})
}

// newMemory returns a load balancer with two routes that send all traffic to blue, and with
// green on no route.
func newMemory() *routertest.Memory {
	m := routertest.NewMemory()
	m.AddRoute("web", traffic.State{Weights: map[string]int{"blue": 100}})
	m.AddRoute("api", traffic.State{Weights: map[string]int{"blue": 100}})
	for _, name := range []string{"c", "d", "e", "f"} {
		m.SetTargets(name)
	}
	m.SetTargets("blue", routertest.Targets(2, traffic.Healthy)...)
	m.SetTargets("green", routertest.Targets(2, traffic.Healthy)...)
	return m
}

// write reads a route and sends green percent of its traffic to green.
func write(ctx context.Context, m traffic.Router, route string, green int) error {
	states, err := m.Read(ctx, []string{route})
	if err != nil {
		return err
	}
	states[0].Weights = map[string]int{"blue": 100 - green, "green": green}
	return m.Write(ctx, route, states[0])
}

// green returns the weight of green on the route web, as read.
func green(t *testing.T, m traffic.Router) int {
	t.Helper()
	states, err := m.Read(t.Context(), []string{"web"})
	if err != nil {
		t.Fatal(err)
	}
	return states[0].Weights["green"]
}

func TestMemory_throttlesConfiguredCalls(t *testing.T) {
	m := newMemory()
	m.Inject(routertest.Fault{Kind: routertest.Throttled, Op: routertest.Write, Skip: 1, Times: 2})
	var got []bool
	for i := range 4 {
		got = append(got, errors.Is(write(t.Context(), m, "web", i), traffic.ErrThrottled))
	}
	if want := []bool{false, true, true, false}; !slices.Equal(got, want) {
		t.Errorf("got throttled %v, want %v", got, want)
	}
}

func TestMemory_refusesWritesToOneRoute(t *testing.T) {
	m := newMemory()
	m.Inject(routertest.Fault{Kind: routertest.Refused, Op: routertest.Write, Route: "api", Times: routertest.Always})
	for range 3 {
		if err := write(t.Context(), m, "api", 5); !errors.Is(err, routertest.ErrServer) {
			t.Errorf("the write to api returned %v, want ErrServer", err)
		}
	}
	if err := write(t.Context(), m, "web", 5); err != nil {
		t.Errorf("the write to web returned %v", err)
	}
}

func TestMemory_faultAffectsOneClient(t *testing.T) {
	m := newMemory()
	m.Inject(routertest.Fault{Kind: routertest.Throttled, By: routertest.ByForward, Times: routertest.Always})
	if _, err := m.Read(t.Context(), []string{"web"}); !errors.Is(err, traffic.ErrThrottled) {
		t.Errorf("the forward read returned %v, want ErrThrottled", err)
	}
	if err := write(t.Context(), m.RollbackClient(), "web", 0); err != nil {
		t.Errorf("the rollback write returned %v", err)
	}
	if calls := m.Calls(); len(calls) != 3 || calls[0].Rollback || !calls[1].Rollback || !calls[2].Rollback {
		t.Errorf("got calls %v, want one forward and two rollback calls", calls)
	}
}

func TestMemory_losesWriteAndAnswer(t *testing.T) {
	m := newMemory()
	m.Inject(routertest.Fault{Kind: routertest.Lost, Op: routertest.Write})
	m.Inject(routertest.Fault{Kind: routertest.AnswerLost, Op: routertest.Write, Skip: 1})
	if err := write(t.Context(), m, "web", 5); err != nil || green(t, m) != 0 {
		t.Errorf("the lost write returned %v and green has %d", err, green(t, m))
	}
	if err := write(t.Context(), m, "web", 5); !errors.Is(err, routertest.ErrServer) || green(t, m) != 5 {
		t.Errorf("the write with a lost answer returned %v and green has %d", err, green(t, m))
	}
}

func TestMemory_readsStateOfEarlierTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.Inject(routertest.Fault{Kind: routertest.Stale, Op: routertest.Read, For: 3 * time.Second, Times: routertest.Always})
		if err := write(t.Context(), m, "web", 5); err != nil {
			t.Fatal(err)
		}
		var got []int
		m.At(3*time.Second, func() { got = append(got, -1) })
		for range 4 {
			got = append(got, green(t, m))
			<-time.After(time.Second)
		}
		if want := []int{0, 0, 0, -1, 5}; !slices.Equal(got, want) {
			t.Errorf("got reads %v, want %v", got, want)
		}
		if now := m.Now("web").Weights["green"]; now != 5 {
			t.Errorf("Now() has green %d, want 5", now)
		}
	})
}

func TestMemory_readsStateBeforeLastChange(t *testing.T) {
	m := newMemory()
	m.Inject(routertest.Fault{Kind: routertest.Stale, Op: routertest.Read, Skip: 1})
	if err := write(t.Context(), m, "web", 5); err != nil {
		t.Fatal(err)
	}
	if first, second := green(t, m), green(t, m); first != 0 || second != 5 {
		t.Errorf("got reads %d and %d, want 0 and 5", first, second)
	}
}

func TestMemory_makesExternalChangeBeforeCall(t *testing.T) {
	m := newMemory()
	m.Inject(routertest.Fault{
		Kind: routertest.External, Op: routertest.Write, Skip: 1,
		Do: func() { m.Change("api", traffic.State{Weights: map[string]int{"c": 1}}) },
	})
	for i := range 2 {
		if err := write(t.Context(), m, "web", i); err != nil {
			t.Fatal(err)
		}
		if got, want := m.Now("api").Weights["c"], i; got != want {
			t.Errorf("after write %d the other route has c %d, want %d", i+1, got, want)
		}
	}
}

func TestMemory_blocksAndDelaysCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.Inject(routertest.Fault{Kind: routertest.Slow, Op: routertest.Read, For: 2 * time.Second})
		m.Inject(routertest.Fault{Kind: routertest.Blocked, Op: routertest.Write})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := write(ctx, m, "web", 5); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the write returned %v, want context.DeadlineExceeded", err)
		}
		calls := m.Calls()
		if calls[0].At != 2*time.Second || calls[1].At != 5*time.Second {
			t.Errorf("the calls returned at %s and %s, want 2s and 5s", calls[0].At, calls[1].At)
		}
		if got := m.Now("web"); got.Weights["green"] != 0 {
			t.Errorf("the route has %v, want no change", got.Weights)
		}
	})
}

func TestMemory_checksHealthOnceGroupIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.SetFirstCheck("green", 10*time.Second)
		var got []traffic.TargetState
		read := func() {
			health, err := m.Health(t.Context(), []string{"green"})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, health["green"].Targets[0].State)
		}
		read()
		if err := write(t.Context(), m, "web", 0); err != nil {
			t.Fatal(err)
		}
		read()
		<-time.After(10 * time.Second)
		read()
		m.At(20*time.Second, func() { m.SetTargets("green", routertest.Targets(2, traffic.Unhealthy)...) })
		<-time.After(10 * time.Second)
		read()
		want := []traffic.TargetState{traffic.Unused, traffic.Initial, traffic.Healthy, traffic.Unhealthy}
		if !slices.Equal(got, want) {
			t.Errorf("got states %v, want %v", got, want)
		}
	})
}

func TestMemory_recordsEveryCall(t *testing.T) {
	m := newMemory()
	var watched []string
	m.Watch(func(c routertest.Call) { watched = append(watched, c.String()) })
	if err := write(t.Context(), m, "web", 5); err != nil {
		t.Fatal(err)
	}
	m.Inject(routertest.Fault{Kind: routertest.Throttled})
	if _, err := m.RollbackClient().Health(t.Context(), []string{"blue", "green"}); err == nil {
		t.Error("the throttled call succeeded")
	}
	want := []string{
		"read web",
		"write web: blue 95, green 5",
		"rollback health blue green -> rate exceeded: throttled",
	}
	if !slices.Equal(watched, want) {
		t.Errorf("got  %q\nwant %q", watched, want)
	}
	if got := m.Writes("web"); !slices.Equal(got, []string{"blue 95, green 5"}) || m.Count(routertest.Health) != 1 {
		t.Errorf("got writes %q and %d health calls", got, m.Count(routertest.Health))
	}
}

func TestMemory_recorder(t *testing.T) {
	m := routertest.NewMemory()
	for _, route := range []string{"web", "api"} {
		m.AddRoute(route, traffic.State{Weights: map[string]int{"blue": 1}})
	}
	routertest.TestRecorder(t, m.Recorder(), []string{"web", "api"})
}
