package routertest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Fixture is a load balancer for one test, and a router for it.
type Fixture struct {
	Router traffic.Router
	// Limits are those that the router declares; the contract is what they allow.
	Limits traffic.Limits

	// Routes are two or more; each sends all its traffic to Groups[0].
	Routes []string
	// Groups are six or more. The first has two healthy targets; the second is on no
	// route and has two targets that are healthy as soon as they are checked; the
	// third has no targets. See Functions and Unchecked.
	Groups []string

	// Idle is a route with a fixed 503, Redirect one with a redirect. They are empty where
	// every route forwards.
	Idle, Redirect string

	MissingRoute string // a valid id of a route that does not exist
	MissingGroup string // a valid id of a group that does not exist

	// Change changes the weights of a route without the router.
	Change func(t *testing.T, route string, weights map[string]int)
	// Extra describes what Routes[0] does besides forwarding. It is not empty, and a
	// write must not change it. Nil where a route has nothing but weights.
	Extra func(t *testing.T) string

	// Functions says that every group is a function, which is its one target, also where no route has it.
	Functions bool
	// Unchecked says that the third group has targets that are not checked instead of none.
	Unchecked bool
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
	routes := []string{f.Routes[1], f.Routes[0], f.Routes[1]}
	if f.Idle != "" {
		routes = append(routes, f.Idle, f.Redirect)
	}
	states, err := f.Router.Read(t.Context(), routes)
	must(t, err)
	if len(states) != len(routes) {
		t.Fatalf("Read returned %d states for %d routes", len(states), len(routes))
	}
	f.wantWeights(t, states[0], map[string]int{f.Groups[0]: 1})
	f.wantWeights(t, states[1], map[string]int{f.Groups[0]: 90, f.Groups[1]: 10})
	f.wantWeights(t, states[2], map[string]int{f.Groups[0]: 1})
	if f.Idle != "" && (!states[3].FixedError || states[4].Response == "" || states[4].FixedError) {
		t.Errorf("Read returned %+v for the fixed 503 and %+v for the redirect", states[3], states[4])
	}
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
	f.wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 50, f.Groups[1]: 50})
}

func readsWritten(t *testing.T, f Fixture) {
	for _, shares := range []shift.Weights{
		{f.Groups[0]: shift.Full, f.Groups[1]: 0},
		{f.Groups[0]: shift.Full - shift.MinShare, f.Groups[1]: shift.MinShare},
		{f.Groups[0]: 0, f.Groups[1]: shift.Full},
		f.evenly(),
		{f.Groups[1]: shift.Full},
	} {
		weights := f.Limits.Encode(shares)
		must(t, f.write(t, f.Routes[0], weights))
		f.wantWeights(t, f.read(t, f.Routes[0]), weights)
	}
	f.wantWeights(t, f.read(t, f.Routes[1]), map[string]int{f.Groups[0]: 1})
}

// evenly divides the traffic among as many groups as a route can have, at most five.
func (f Fixture) evenly() shift.Weights {
	n := 5
	if f.Limits.Groups > 0 {
		n = min(n, f.Limits.Groups)
	}
	raw := map[string]int{}
	for _, group := range f.Groups[:n] {
		raw[group] = 1
	}
	return shift.FromRaw(raw)
}

func returnsCopies(t *testing.T, f Fixture) {
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 75, f.Groups[1]: 25}))
	first := f.read(t, f.Routes[0])
	clear(first.Weights)
	f.wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 75, f.Groups[1]: 25})

	written := f.read(t, f.Routes[0])
	written.Weights = map[string]int{f.Groups[0]: 40, f.Groups[1]: 60}
	must(t, f.Router.Write(t.Context(), f.Routes[0], written))
	clear(written.Weights)
	f.wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 40, f.Groups[1]: 60})
}

func replacesGroups(t *testing.T, f Fixture) {
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 100, f.Groups[1]: 0, f.Groups[2]: 0}))
	must(t, f.write(t, f.Routes[0], map[string]int{f.Groups[1]: 100, f.Groups[3]: 0}))
	f.wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[1]: 100, f.Groups[3]: 0})
}

func preservesExtra(t *testing.T, f Fixture) {
	if f.Extra == nil {
		t.Skip("a route of this router has nothing but weights")
	}
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
	if f.Limits.MaxSticky == 0 {
		t.Skip("this router has no stickiness")
	}
	s := f.read(t, f.Routes[0])
	if s.Stickiness != 0 {
		t.Fatalf("Stickiness is %s before the first write, want 0", s.Stickiness)
	}
	s.Weights = map[string]int{f.Groups[0]: 50, f.Groups[1]: 50}
	for _, sticky := range []time.Duration{f.Limits.MaxSticky / 2, f.Limits.MinSticky, f.Limits.MaxSticky, 0} {
		s.Stickiness = sticky
		must(t, f.Router.Write(t.Context(), f.Routes[0], s))
		if got := f.read(t, f.Routes[0]); !got.Equal(s) {
			t.Errorf("wrote %v with stickiness %s, read %v with %s", s.Weights, s.Stickiness, got.Weights, got.Stickiness)
		}
	}
}

func restoresFixedResponse(t *testing.T, f Fixture) {
	if f.Idle == "" {
		t.Skip("every route of this router forwards")
	}
	original := f.read(t, f.Idle)
	if original.Response == "" || !original.FixedError || original.Weights != nil {
		t.Fatalf("a route with a fixed 503 reads as %+v", original)
	}
	f.replaceAndRestore(t, f.Idle, original)
}

func restoresRedirect(t *testing.T, f Fixture) {
	if f.Redirect == "" {
		t.Skip("every route of this router forwards")
	}
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
	f.wantWeights(t, now, map[string]int{f.Groups[0]: 100})
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
	tooMany := map[string]int{}
	for _, group := range f.Groups {
		tooMany[group] = 10
	}
	type state struct {
		name    string
		weights map[string]int
	}
	invalid := []state{
		{"no group", map[string]int{}},
		{"a weight above the limit", map[string]int{f.Groups[0]: f.Limits.Weight + 1}},
		{"a weight of -1", map[string]int{f.Groups[0]: 100, f.Groups[1]: -1}},
		{"a missing group", map[string]int{f.Groups[0]: 50, f.MissingGroup: 50}},
		{"a group with no name", map[string]int{"": 100}},
		{"a huge weight", map[string]int{f.Groups[0]: 1 << 30}},
	}
	if f.Limits.Groups > 0 && len(f.Groups) > f.Limits.Groups {
		invalid = append(invalid, state{"more groups than the limit", tooMany})
	}
	for _, s := range invalid {
		if err := f.write(t, f.Routes[0], s.weights); err == nil {
			t.Fatalf("Write accepted %s", s.name)
		}
		f.wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 60, f.Groups[1]: 40})
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
		f.wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 1})
	}
}

func reportsMissingRoute(t *testing.T, f Fixture) {
	states, err := f.Router.Read(t.Context(), []string{f.Routes[0], f.MissingRoute})
	if !errors.Is(err, traffic.ErrNotFound) || states != nil {
		t.Errorf("Read of a missing route returned %v, %v", states, err)
	}
	wantMissing(t, err, f.MissingRoute)
}

// wantMissing checks that an error names what does not exist.
func wantMissing(t *testing.T, err error, id string) {
	t.Helper()
	if got, ok := traffic.Missing(err); !ok || got != id {
		t.Errorf("the error names %q as missing, want %q: %v", got, id, err)
	}
}

func reportsMissingGroup(t *testing.T, f Fixture) {
	health, err := f.Router.Health(t.Context(), []string{f.Groups[0], f.MissingGroup})
	if !errors.Is(err, traffic.ErrNotFound) || health != nil {
		t.Errorf("Health of a missing group returned %v, %v", health, err)
	}
	wantMissing(t, err, f.MissingGroup)
	err = f.write(t, f.Routes[0], map[string]int{f.Groups[0]: 50, f.MissingGroup: 50})
	if !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("Write of a missing group returned %v", err)
	}
	wantMissing(t, err, f.MissingGroup)
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
	f.wantWeights(t, f.read(t, f.Routes[0]), map[string]int{f.Groups[0]: 1})
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
		f.wantWeights(t, s, map[string]int{f.Groups[0]: 90, f.Groups[1]: 10})
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

// wantWeights compares shares and attached groups, as State.Equal does. A router that does not
// attach idle groups has none at weight 0, also after they were written.
func (f Fixture) wantWeights(t *testing.T, got traffic.State, want map[string]int) {
	t.Helper()
	if !f.Limits.AttachesIdle {
		want = maps.Clone(want)
		maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
	}
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
