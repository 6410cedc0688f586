package routertest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// waitLimit is how long the suite waits for a balancer to get there. It is no
// measure of anything.
const waitLimit = 30 * time.Second

// Fixture is a balancer of its own for one test, and the router to it.
type Fixture struct {
	Router rollout.Router

	// Routes are two or more; each gives all its traffic to Groups[0].
	Routes []string
	// Groups are six or more. The first has two healthy targets; the second has
	// two that are healthy as soon as they are checked, and no route names it;
	// the third has no targets.
	Groups []string

	Idle     string // a route that answers a fixed 503
	Redirect string // a route that redirects

	MissingRoute string // looks like a route, and there is none
	MissingGroup string // looks like a group, and there is none

	// Change is a foreign hand that gives a route other weights.
	Change func(t *testing.T, route string, weights map[string]int)
	// Extra words what Routes[0] does beside forwarding. It is not empty, and a
	// write may not change it.
	Extra func(t *testing.T) string
}

// Run tests a router against the contract of rollout.Router. Every test gets a
// fixture of its own.
func Run(t *testing.T, fixture func(t *testing.T) Fixture) {
	tests := []struct {
		name string
		test func(*testing.T, Fixture)
	}{
		{"reads in the order asked", readsInOrder},
		{"reads nothing where nothing is asked", readsNothing},
		{"reads what someone else has changed", readsFresh},
		{"reads what was written", readsWritten},
		{"hands out settings of their own", returnsCopies},
		{"writes replace the groups whole", replacesGroups},
		{"writes keep everything else", keepsExtra},
		{"writes stickiness on and off", writesStickiness},
		{"takes over a fixed answer and gives it back", givesAnswerBack},
		{"reads a redirect and gives it back", givesRedirectBack},
		{"refuses what a balancer cannot do, and changes nothing", refusesInvalid},
		{"refuses a Keep that is not the route's", refusesForeignRaw},
		{"says that a route is missing", saysRouteMissing},
		{"says that a group is missing", saysGroupMissing},
		{"reads health by group", readsHealth},
		{"has no verdict on a group that no route names", checksOnceAttached},
		{"changes nothing once the context has ended", keepsToContext},
		{"may be called from several goroutines", isConcurrent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, fixture(t)) })
	}
}

func readsInOrder(t *testing.T, f Fixture) {
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 90, f.Groups[1]: 10}))
	asked := []string{f.Idle, f.Routes[1], f.Redirect, f.Routes[0], f.Routes[1]}
	found, err := f.Router.Read(t.Context(), asked)
	must(t, err)
	if len(found) != len(asked) {
		t.Fatalf("Read returned %d settings for %d routes", len(found), len(asked))
	}
	if !found[0].FixedError || found[2].Response == "" || found[2].FixedError {
		t.Errorf("Read returned %+v for the idle route and %+v for the redirect", found[0], found[2])
	}
	wantWeights(t, found[1], map[string]int{f.Groups[0]: 1})
	wantWeights(t, found[3], map[string]int{f.Groups[0]: 90, f.Groups[1]: 10})
	wantWeights(t, found[4], map[string]int{f.Groups[0]: 1})
}

func readsNothing(t *testing.T, f Fixture) {
	found, err := f.Router.Read(t.Context(), nil)
	if err != nil || len(found) != 0 {
		t.Errorf("Read of no routes returned %v, %v", found, err)
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

func keepsExtra(t *testing.T, f Fixture) {
	want := f.Extra(t)
	if want == "" {
		t.Fatal("the fixture's first route does nothing beside forwarding")
	}
	first := f.read(t, f.Routes[0])
	for _, weights := range []map[string]int{
		{f.Groups[0]: 50, f.Groups[1]: 50},
		{f.Groups[0]: 0, f.Groups[1]: 100},
		{f.Groups[0]: 1},
	} {
		// The same Keep serves for every write: on the way back there may be no
		// time to read again.
		first.Weights = weights
		must(t, f.Router.Write(t.Context(), f.Routes[0], first))
		if got := f.Extra(t); got != want {
			t.Errorf("after writing %v the route does\n%s\nbeside forwarding, and did\n%s", weights, got, want)
		}
	}
}

func writesStickiness(t *testing.T, f Fixture) {
	s := f.read(t, f.Routes[0])
	if s.Stickiness != 0 {
		t.Fatalf("Sticky is %s before anybody set it", s.Stickiness)
	}
	s.Weights = map[string]int{f.Groups[0]: 50, f.Groups[1]: 50}
	for _, sticky := range []time.Duration{time.Hour, time.Second, 7 * 24 * time.Hour, 0} {
		s.Stickiness = sticky
		must(t, f.Router.Write(t.Context(), f.Routes[0], s))
		if got := f.read(t, f.Routes[0]); !got.Equal(s) {
			t.Errorf("wrote %v for %s, and read %v for %s", s.Weights, s.Stickiness, got.Weights, got.Stickiness)
		}
	}
}

func givesAnswerBack(t *testing.T, f Fixture) {
	was := f.read(t, f.Idle)
	if was.Response == "" || !was.FixedError || was.Weights != nil {
		t.Fatalf("a route with a fixed 503 reads as %+v", was)
	}
	f.takeOverAndBack(t, f.Idle, was)
}

func givesRedirectBack(t *testing.T, f Fixture) {
	was := f.read(t, f.Redirect)
	if was.Response == "" || was.FixedError || was.Weights != nil {
		t.Fatalf("a route that redirects reads as %+v", was)
	}
	f.takeOverAndBack(t, f.Redirect, was)
}

func (f Fixture) takeOverAndBack(t *testing.T, route string, was rollout.RouteState) {
	t.Helper()
	must(t, f.write(t, route, map[string]int{f.Groups[0]: 100}))
	now := f.read(t, route)
	wantWeights(t, now, map[string]int{f.Groups[0]: 100})
	if now.Response != "" || now.FixedError {
		t.Errorf("the route forwards, and reads as %+v", now)
	}
	must(t, f.Router.Write(t.Context(), route, was))
	if got := f.read(t, route); !got.Equal(was) || got.FixedError != was.FixedError {
		t.Errorf("the route had %q and was given back %q", was.Response, got.Response)
	}
}

func refusesInvalid(t *testing.T, f Fixture) {
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 60, f.Groups[1]: 40}))
	six := map[string]int{}
	for _, group := range f.Groups[:6] {
		six[group] = 10
	}
	for name, weights := range map[string]map[string]int{
		"six groups":            six,
		"no group":              {},
		"a weight of 1000":      {f.Groups[0]: 1000},
		"a weight of -1":        {f.Groups[0]: 100, f.Groups[1]: -1},
		"a group that is not":   {f.Groups[0]: 50, f.MissingGroup: 50},
		"a group with no name":  {"": 100},
		"one that is no number": {f.Groups[0]: 1 << 30},
	} {
		if err := f.write(t, f.Routes[0], weights); err == nil {
			t.Errorf("Write took %s", name)
		}
		wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 60, f.Groups[1]: 40})
	}
}

func refusesForeignRaw(t *testing.T, f Fixture) {
	weights := map[string]int{f.Groups[0]: 50, f.Groups[1]: 50}
	for name, keep := range map[string]any{
		"none":             nil,
		"another route's":  f.read(t, f.Routes[1]).Raw,
		"something else's": "something else's",
	} {
		if err := f.Router.Write(t.Context(), f.Routes[0], rollout.RouteState{Weights: weights, Raw: keep}); err == nil {
			t.Errorf("Write took a Keep that is %s", name)
		}
		wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 1})
	}
}

func saysRouteMissing(t *testing.T, f Fixture) {
	found, err := f.Router.Read(t.Context(), []string{f.Routes[0], f.MissingRoute})
	if !errors.Is(err, rollout.ErrNotFound) || found != nil {
		t.Errorf("Read of a missing route returned %v, %v", found, err)
	}
}

func saysGroupMissing(t *testing.T, f Fixture) {
	found, err := f.Router.Health(t.Context(), []string{f.Groups[0], f.MissingGroup})
	if !errors.Is(err, rollout.ErrNotFound) || found != nil {
		t.Errorf("Health of a missing group returned %v, %v", found, err)
	}
	err = f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 50, f.MissingGroup: 50})
	if !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("Write of a missing group returned %v", err)
	}
}

func readsHealth(t *testing.T, f Fixture) {
	found := f.awaitHealth(t, f.Groups[0], func(h rollout.Health) bool { return h.Count(rollout.Healthy) == 2 })
	seen := map[string]bool{}
	for _, target := range found.Targets {
		seen[target.ID] = true
		if target.Reason != "" {
			t.Errorf("a healthy target has the reason %q", target.Reason)
		}
	}
	if len(seen) != 2 || seen[""] {
		t.Errorf("two targets have the ids %v", slices.Sorted(maps.Keys(seen)))
	}
	both, err := f.Router.Health(t.Context(), []string{f.Groups[2], f.Groups[0]})
	must(t, err)
	if empty, ok := both[f.Groups[2]]; !ok || len(empty.Targets) != 0 || len(both) != 2 {
		t.Errorf("Health returned %v; want the empty group among two", both)
	}
}

func checksOnceAttached(t *testing.T, f Fixture) {
	found, err := f.Router.Health(t.Context(), f.Groups[1:2])
	must(t, err)
	if got := found[f.Groups[1]]; got.Count(rollout.Unused) != 2 || got.Serving() != 0 {
		t.Errorf("a group that no route names has the targets %v", got.Targets)
	}
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 100, f.Groups[1]: 0}))
	f.awaitHealth(t, f.Groups[1], func(h rollout.Health) bool { return h.Count(rollout.Healthy) == 2 })
}

func keepsToContext(t *testing.T, f Fixture) {
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
	var all sync.WaitGroup
	for i := range 8 {
		route := f.Routes[i%2]
		all.Go(func() {
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
	all.Wait()
	found, err := f.Router.Read(t.Context(), f.Routes[:2])
	must(t, err)
	for _, s := range found {
		wantWeights(t, s, map[string]int{f.Groups[0]: 90, f.Groups[1]: 10})
	}
}

func (f Fixture) read(t *testing.T, route string) rollout.RouteState {
	t.Helper()
	found, err := f.Router.Read(t.Context(), []string{route})
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("Read returned %d settings for a route", len(found))
	}
	return found[0]
}

// write reads a route and gives it other weights.
func (f Fixture) write(t *testing.T, route string, weights map[string]int) error {
	t.Helper()
	s := f.read(t, route)
	return f.Router.Write(t.Context(), route, rollout.RouteState{Weights: weights, Stickiness: s.Stickiness, Raw: s.Raw})
}

func (f Fixture) awaitHealth(t *testing.T, group string, good func(rollout.Health) bool) rollout.Health {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		found, err := f.Router.Health(t.Context(), []string{group})
		must(t, err)
		if good(found[group]) {
			return found[group]
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("the targets of the group stay %v", found[group].Targets)
		}
	}
}

// wantWeights compares as a balancer does, and who is named exactly.
func wantWeights(t *testing.T, got rollout.RouteState, want map[string]int) {
	t.Helper()
	if !got.Equal(rollout.RouteState{Weights: want, Stickiness: got.Stickiness}) {
		t.Errorf("the route reads as %v %q; want %v", got.Weights, got.Response, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
