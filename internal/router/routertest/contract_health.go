package routertest

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// targets returns the number of targets that a group has which has any.
func (f Fixture) targets() int {
	if f.Functions {
		return 1
	}
	return 2
}

func readsHealth(t *testing.T, f Fixture) {
	health := f.awaitHealth(t, f.Groups[0], func(h traffic.Health) bool { return h.Count(traffic.Healthy) == f.targets() })
	ids := map[string]bool{}
	for _, target := range health.Targets {
		ids[target.ID] = true
		if target.Reason != "" {
			t.Errorf("a healthy target has the reason %q", target.Reason)
		}
		if target.Function != f.Functions {
			t.Errorf("target %s is a function: %t, want %t", target.ID, target.Function, f.Functions)
		}
	}
	if len(ids) != f.targets() || ids[""] {
		t.Errorf("got target ids %v, want %d", slices.Sorted(maps.Keys(ids)), f.targets())
	}
	both, err := f.Router.Health(t.Context(), []string{f.Groups[2], f.Groups[0]})
	must(t, err)
	third, ok := both[f.Groups[2]]
	if !ok || len(both) != 2 || !f.isThird(third.Targets) {
		t.Errorf("Health returned %v, want two groups, the third with one target if it is a function, with unchecked ones if it has those, and otherwise without", both)
	}
}

// isThird reports whether targets are those that the third group has.
func (f Fixture) isThird(targets []traffic.Target) bool {
	switch {
	case f.Functions:
		return len(targets) == 1
	case f.Unchecked:
		return len(targets) > 0 && !slices.ContainsFunc(targets, func(t traffic.Target) bool { return t.State != traffic.Unchecked })
	}
	return len(targets) == 0
}

func checksOnceAttached(t *testing.T, f Fixture) {
	if !f.Limits.AttachesIdle { // it is checked in any case
		f.awaitHealth(t, f.Groups[1], func(h traffic.Health) bool { return h.Count(traffic.Healthy) == f.targets() })
		return
	}
	health, err := f.Router.Health(t.Context(), f.Groups[1:2])
	must(t, err)
	if got := health[f.Groups[1]]; got.Count(traffic.Unused) != 2 || got.Serving() != 0 {
		t.Errorf("a group on no route has the targets %v, want two unused ones", got.Targets)
	}
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 100, f.Groups[1]: 0}))
	f.awaitHealth(t, f.Groups[1], func(h traffic.Health) bool { return h.Count(traffic.Healthy) == 2 })
}

func (f Fixture) awaitHealth(t *testing.T, group string, good func(traffic.Health) bool) traffic.Health {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slow.Deadline(30*time.Second))
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		health, err := f.Router.Health(t.Context(), []string{group})
		must(t, err)
		if good(health[group]) {
			return health[group]
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("the targets of the group stay %v", health[group].Targets)
		}
	}
}
