package routertest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Fixture is a load balancer for one test, and a router for it.
type Fixture struct {
	Router traffic.Router

	// Routes are two or more; each sends all its traffic to Groups[0].
	Routes []string
	// Groups are six or more. The first has two healthy targets; the second is on no
	// route and has two targets that are healthy as soon as they are checked; the
	// third has no targets.
	Groups []string

	Idle     string // a route with a fixed 503
	Redirect string // a route with a redirect

	MissingRoute string // a valid id of a route that does not exist
	MissingGroup string // a valid id of a group that does not exist

	// Change changes the weights of a route without the router.
	Change func(t *testing.T, route string, weights map[string]int)
	// Extra describes what Routes[0] does besides forwarding. It is not empty, and a
	// write must not change it.
	Extra func(t *testing.T) string
}

// Run tests a router against the contract of traffic.Router. Every test calls fixture
// for a new Fixture.
func Run(t *testing.T, fixture func(t *testing.T) Fixture) {
	tests := []struct {
		name string
		test func(*testing.T, Fixture)
	}{
		{"reads routes in the given order", readsInOrder},
		{"reads nothing for an empty list", readsNothing},
		{"reads external changes", readsFresh},
		{"reads what was written", readsWritten},
		{"returns and stores copies", returnsCopies},
		{"writes replace all groups", replacesGroups},
		{"writes preserve the rest of the route", preservesExtra},
		{"writes stickiness on and off", writesStickiness},
		{"replaces and restores a fixed response", restoresFixedResponse},
		{"replaces and restores a redirect", restoresRedirect},
		{"rejects invalid states without a change", rejectsInvalid},
		{"rejects a Raw of another route", rejectsWrongRaw},
		{"reports a missing route", reportsMissingRoute},
		{"reports a missing group", reportsMissingGroup},
		{"reads health by group", readsHealth},
		{"checks the health of a group once it is attached", checksOnceAttached},
		{"changes nothing after the context has ended", respectsContext},
		{"is safe for concurrent use", isConcurrent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, fixture(t)) })
	}
}

func readsInOrder(t *testing.T, f Fixture) {
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 90, f.Groups[1]: 10}))
	routes := []string{f.Idle, f.Routes[1], f.Redirect, f.Routes[0], f.Routes[1]}
	states, err := f.Router.Read(t.Context(), routes)
	must(t, err)
	if len(states) != len(routes) {
		t.Fatalf("Read returned %d states for %d routes", len(states), len(routes))
	}
	if !states[0].FixedError || states[2].Response == "" || states[2].FixedError {
		t.Errorf("Read returned %+v for the fixed 503 and %+v for the redirect", states[0], states[2])
	}
	wantWeights(t, states[1], map[string]int{f.Groups[0]: 1})
	wantWeights(t, states[3], map[string]int{f.Groups[0]: 90, f.Groups[1]: 10})
	wantWeights(t, states[4], map[string]int{f.Groups[0]: 1})
}

func readsNothing(t *testing.T, f Fixture) {
	states, err := f.Router.Read(t.Context(), nil)
	if err != nil || len(states) != 0 {
		t.Errorf("Read of no routes returned %v, %v", states, err)
	}
	health, err := f.Router.Health(t.Context(), nil)
	if err != nil || len(health) != 0 {
		t.Errorf("Health of no groups returned %v, %v", health, err)
	}
}

func readsFresh(t *testing.T, f Fixture) {
	f.read(t, f.Routes[0])
	f.Change(t, f.Routes[0], map[string]int{f.Groups[0]: 50, f.Groups[1]: 50})
	wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 50, f.Groups[1]: 50})
}

func readsWritten(t *testing.T, f Fixture) {
	for _, weights := range []map[string]int{
		{f.Groups[0]: 100, f.Groups[1]: 0},
		{f.Groups[0]: 999, f.Groups[1]: 1},
		{f.Groups[0]: 0, f.Groups[1]: 100},
		{f.Groups[0]: 20, f.Groups[1]: 20, f.Groups[2]: 20, f.Groups[3]: 20, f.Groups[4]: 20},
		{f.Groups[1]: 100},
	} {
		must(t, f.write(t, f.Routes[0], weights))
		wantWeights(t, f.read(t, f.Routes[0]), weights)
	}
	wantWeights(t, f.read(t, f.Routes[1]), map[string]int{f.Groups[0]: 1})
}

func returnsCopies(t *testing.T, f Fixture) {
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 75, f.Groups[1]: 25}))
	first := f.read(t, f.Routes[0])
	clear(first.Weights)
	wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 75, f.Groups[1]: 25})

	written := f.read(t, f.Routes[0])
	written.Weights = map[string]int{f.Groups[0]: 40, f.Groups[1]: 60}
	must(t, f.Router.Write(t.Context(), f.Routes[0], written))
	clear(written.Weights)
	wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 40, f.Groups[1]: 60})
}

func replacesGroups(t *testing.T, f Fixture) {
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 100, f.Groups[1]: 0, f.Groups[2]: 0}))
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[1]: 100, f.Groups[3]: 0}))
	wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[1]: 100, f.Groups[3]: 0})
}

func preservesExtra(t *testing.T, f Fixture) {
	want := f.Extra(t)
	if want == "" {
		t.Fatal("Extra is empty")
	}
	first := f.read(t, f.Routes[0])
	for _, weights := range []map[string]int{
		{f.Groups[0]: 50, f.Groups[1]: 50},
		{f.Groups[0]: 0, f.Groups[1]: 100},
		{f.Groups[0]: 1},
	} {
		// The same Raw is valid for several writes: a rollback may not be able to read
		// again.
		first.Weights = weights
		must(t, f.Router.Write(t.Context(), f.Routes[0], first))
		if got := f.Extra(t); got != want {
			t.Errorf("after writing %v Extra is\n%s\nwant\n%s", weights, got, want)
		}
	}
}

func writesStickiness(t *testing.T, f Fixture) {
	s := f.read(t, f.Routes[0])
	if s.Stickiness != 0 {
		t.Fatalf("Stickiness is %s before the first write, want 0", s.Stickiness)
	}
	s.Weights = map[string]int{f.Groups[0]: 50, f.Groups[1]: 50}
	for _, sticky := range []time.Duration{time.Hour, time.Second, 7 * 24 * time.Hour, 0} {
		s.Stickiness = sticky
		must(t, f.Router.Write(t.Context(), f.Routes[0], s))
		if got := f.read(t, f.Routes[0]); !got.Equal(s) {
			t.Errorf("wrote %v with stickiness %s, read %v with %s", s.Weights, s.Stickiness, got.Weights, got.Stickiness)
		}
	}
}

func restoresFixedResponse(t *testing.T, f Fixture) {
	original := f.read(t, f.Idle)
	if original.Response == "" || !original.FixedError || original.Weights != nil {
		t.Fatalf("a route with a fixed 503 reads as %+v", original)
	}
	f.replaceAndRestore(t, f.Idle, original)
}

func restoresRedirect(t *testing.T, f Fixture) {
	original := f.read(t, f.Redirect)
	if original.Response == "" || original.FixedError || original.Weights != nil {
		t.Fatalf("a route that redirects reads as %+v", original)
	}
	f.replaceAndRestore(t, f.Redirect, original)
}

func (f Fixture) replaceAndRestore(t *testing.T, route string, original traffic.State) {
	t.Helper()
	must(t, f.write(t, route, map[string]int{f.Groups[0]: 100}))
	now := f.read(t, route)
	wantWeights(t, now, map[string]int{f.Groups[0]: 100})
	if now.Response != "" || now.FixedError {
		t.Errorf("a route that forwards reads as %+v", now)
	}
	must(t, f.Router.Write(t.Context(), route, original))
	if got := f.read(t, route); !got.Equal(original) || got.FixedError != original.FixedError {
		t.Errorf("got response %q, want %q", got.Response, original.Response)
	}
}

func rejectsInvalid(t *testing.T, f Fixture) {
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 60, f.Groups[1]: 40}))
	six := map[string]int{}
	for _, group := range f.Groups[:6] {
		six[group] = 10
	}
	for name, weights := range map[string]map[string]int{
		"six groups":           six,
		"no group":             {},
		"a weight of 1000":     {f.Groups[0]: 1000},
		"a weight of -1":       {f.Groups[0]: 100, f.Groups[1]: -1},
		"a missing group":      {f.Groups[0]: 50, f.MissingGroup: 50},
		"a group with no name": {"": 100},
		"a huge weight":        {f.Groups[0]: 1 << 30},
	} {
		if err := f.write(t, f.Routes[0], weights); err == nil {
			t.Errorf("Write accepted %s", name)
		}
		wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 60, f.Groups[1]: 40})
	}
}

func rejectsWrongRaw(t *testing.T, f Fixture) {
	weights := map[string]int{f.Groups[0]: 50, f.Groups[1]: 50}
	for name, raw := range map[string]any{
		"none":            nil,
		"another route's": f.read(t, f.Routes[1]).Raw,
		"of another type": "of another type",
	} {
		if err := f.Router.Write(t.Context(), f.Routes[0], traffic.State{Weights: weights, Raw: raw}); err == nil {
			t.Errorf("Write accepted a Raw that is %s", name)
		}
		wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 1})
	}
}

func reportsMissingRoute(t *testing.T, f Fixture) {
	states, err := f.Router.Read(t.Context(), []string{f.Routes[0], f.MissingRoute})
	if !errors.Is(err, traffic.ErrNotFound) || states != nil {
		t.Errorf("Read of a missing route returned %v, %v", states, err)
	}
}

func reportsMissingGroup(t *testing.T, f Fixture) {
	health, err := f.Router.Health(t.Context(), []string{f.Groups[0], f.MissingGroup})
	if !errors.Is(err, traffic.ErrNotFound) || health != nil {
		t.Errorf("Health of a missing group returned %v, %v", health, err)
	}
	err = f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 50, f.MissingGroup: 50})
	if !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("Write of a missing group returned %v", err)
	}
}

func readsHealth(t *testing.T, f Fixture) {
	health := f.awaitHealth(t, f.Groups[0], func(h traffic.Health) bool { return h.Count(traffic.Healthy) == 2 })
	ids := map[string]bool{}
	for _, target := range health.Targets {
		ids[target.ID] = true
		if target.Reason != "" {
			t.Errorf("a healthy target has the reason %q", target.Reason)
		}
	}
	if len(ids) != 2 || ids[""] {
		t.Errorf("got target ids %v, want two", slices.Sorted(maps.Keys(ids)))
	}
	both, err := f.Router.Health(t.Context(), []string{f.Groups[2], f.Groups[0]})
	must(t, err)
	if empty, ok := both[f.Groups[2]]; !ok || len(empty.Targets) != 0 || len(both) != 2 {
		t.Errorf("Health returned %v, want two groups, one of them without targets", both)
	}
}

func checksOnceAttached(t *testing.T, f Fixture) {
	health, err := f.Router.Health(t.Context(), f.Groups[1:2])
	must(t, err)
	if got := health[f.Groups[1]]; got.Count(traffic.Unused) != 2 || got.Serving() != 0 {
		t.Errorf("a group on no route has the targets %v, want two unused ones", got.Targets)
	}
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 100, f.Groups[1]: 0}))
	f.awaitHealth(t, f.Groups[1], func(h traffic.Health) bool { return h.Count(traffic.Healthy) == 2 })
}

func respectsContext(t *testing.T, f Fixture) {
	s := f.read(t, f.Routes[0])
	s.Weights = map[string]int{f.Groups[0]: 50, f.Groups[1]: 50}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Router.Write(ctx, f.Routes[0], s); !errors.Is(err, context.Canceled) {
		t.Errorf("Write returned %v", err)
	}
	if _, err := f.Router.Read(ctx, f.Routes); !errors.Is(err, context.Canceled) {
		t.Errorf("Read returned %v", err)
	}
	if _, err := f.Router.Health(ctx, f.Groups); !errors.Is(err, context.Canceled) {
		t.Errorf("Health returned %v", err)
	}
	wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 1})
}

func isConcurrent(t *testing.T, f Fixture) {
	var calls sync.WaitGroup
	for i := range 8 {
		route := f.Routes[i%2]
		calls.Go(func() {
			s, err := f.Router.Read(t.Context(), []string{route})
			if err != nil {
				t.Errorf("Read returned %v", err)
				return
			}
			s[0].Weights = map[string]int{f.Groups[0]: 90, f.Groups[1]: 10}
			if err := f.Router.Write(t.Context(), route, s[0]); err != nil {
				t.Errorf("Write returned %v", err)
			}
			if _, err := f.Router.Health(t.Context(), f.Groups); err != nil {
				t.Errorf("Health returned %v", err)
			}
		})
	}
	calls.Wait()
	states, err := f.Router.Read(t.Context(), f.Routes[:2])
	must(t, err)
	for _, s := range states {
		wantWeights(t, s, map[string]int{f.Groups[0]: 90, f.Groups[1]: 10})
	}
}

func (f Fixture) read(t *testing.T, route string) traffic.State {
	t.Helper()
	states, err := f.Router.Read(t.Context(), []string{route})
	must(t, err)
	if len(states) != 1 {
		t.Fatalf("Read returned %d states for one route", len(states))
	}
	return states[0]
}

// write reads a route and writes weights to it.
func (f Fixture) write(t *testing.T, route string, weights map[string]int) error {
	t.Helper()
	s := f.read(t, route)
	return f.Router.Write(t.Context(), route, traffic.State{Weights: weights, Stickiness: s.Stickiness, Raw: s.Raw})
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

// wantWeights compares shares and attached groups, as State.Equal does.
func wantWeights(t *testing.T, got traffic.State, want map[string]int) {
	t.Helper()
	if !got.Equal(traffic.State{Weights: want, Stickiness: got.Stickiness}) {
		t.Errorf("the route has weights %v and response %q, want %v", got.Weights, got.Response, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
