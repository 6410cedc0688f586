package kubernetes_test

import (
	"fmt"
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

const virtualServices = "virtualservices.networking.istio.io"

// shape is what differs between the kinds in the properties.
type shape struct {
	kind, id, plural, rules, refs string
	ref                           func(service string, weight int) object
	nameOf                        func(ref any) any
}

func shapes() []shape {
	gateway := func(service string, weight int) object {
		return object{"name": service, "port": 8080, "weight": weight}
	}
	name := func(ref any) any { return inner(ref, "name") }
	return []shape{
		{"HTTPRoute", "httproute/shop/web", httpRoutes, "rules", "backendRefs", gateway, name},
		{"GRPCRoute", "grpcroute/shop/web", "grpcroutes.gateway.networking.k8s.io", "rules", "backendRefs", gateway, name},
		{"VirtualService", "virtualservice/shop/web", virtualServices, "http", "route", func(service string, weight int) object {
			return object{"destination": object{"host": service, "port": object{"number": 8080}}, "weight": weight}
		}, func(ref any) any { return inner(ref, "destination", "host") }},
	}
}

// anything is a value that a controller may define.
func anything(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.IntRange(-1<<40, 1<<40).AsAny(), rapid.Just(any(nil)), rapid.Just(any(2.5)))
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf, rapid.SliceOfN(anything(depth-1), 0, 3).AsAny(),
		rapid.Custom(func(t *rapid.T) any { return fields(depth-1).Draw(t, "fields") }))
}

// fields are fields with random names, which are none that the routers know.
func fields(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.StringMatching(`x[a-zA-Z/._-]{1,6}`), anything(depth), 0, 3)
}

func labels() *rapid.Generator[map[string]string] {
	return rapid.MapOfN(rapid.StringMatching(`[a-z]{1,5}\.io/[a-z]{1,5}`), rapid.StringMatching(`[a-z0-9]{0,6}`), 0, 3)
}

var services = []string{"s0", "s1", "s2", "s3", "s4"}

// draw returns a random route with up to three rules, all of which have names but the last.
func (s shape) draw(t *rapid.T) object {
	spec := fields(2).Draw(t, "spec")
	rules := []any{}
	for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
		rule := fields(1).Draw(t, "rule")
		refs := []any{}
		for _, service := range rapid.SliceOfN(rapid.SampledFrom(services), 1, 5).Draw(t, "services") {
			ref := s.ref(service, rapid.SampledFrom([]int{0, 1, 7, 100, 999_999}).Draw(t, "weight"))
			maps.Copy(ref, fields(1).Draw(t, "ref"))
			if rapid.Bool().Draw(t, "no weight") {
				delete(ref, "weight")
			}
			refs = append(refs, ref)
		}
		if rule[s.refs] = refs; rapid.Bool().Draw(t, "named") {
			rule["name"] = fmt.Sprint("rule-", i)
		}
		rules = append(rules, rule)
	}
	spec[s.rules] = rules
	if s.kind != "VirtualService" {
		spec["parentRefs"] = []any{object{"name": "edge"}}
	} else {
		spec["hosts"] = []any{"web"}
	}
	return object{"apiVersion": map[string]string{"VirtualService": "networking.istio.io/v1"}[s.kind] + map[bool]string{true: "gateway.networking.k8s.io/v1"}[s.kind != "VirtualService"],
		"kind": s.kind, "spec": spec, "metadata": object{"namespace": "shop", "name": "web", "labels": labels().Draw(t, "labels"), "annotations": labels().Draw(t, "annotations")}}
}

// pick returns the id of one of the rules, by name, by index or, where it is the only one, by neither, and its index.
func (s shape) pick(t *rapid.T, o object) (id string, index int) {
	rules, _ := inner(o, "spec", s.rules).([]any)
	index = rapid.IntRange(0, len(rules)-1).Draw(t, "rule")
	ids := []string{s.id + "#" + strconv.Itoa(index)}
	if name, is := inner(rules[index], "name").(string); is {
		ids = append(ids, s.id+"#"+name)
	}
	if len(rules) == 1 {
		ids = append(ids, s.id)
	}
	return rapid.SampledFrom(ids).Draw(t, "id"), index
}

// without takes the backends of a rule out of an object, and what the server counts.
func (s shape) without(o object, index int) (refs []any, rest object) {
	rule, _ := inner(o, "spec", s.rules, index).(object)
	refs, _ = rule[s.refs].([]any)
	delete(rule, s.refs)
	delete(o, "status")
	metadata, _ := o["metadata"].(object)
	for _, counted := range []string{"resourceVersion", "generation", "managedFields"} {
		delete(metadata, counted)
	}
	return refs, o
}

// propertyCluster is a cluster with all services, whose routes the properties replace.
func propertyCluster(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t)
	for _, name := range services {
		c.Put(service(name))
	}
	return c
}

func weightsOf(t *rapid.T) map[string]int {
	some := rapid.MapOfN(rapid.SampledFrom(services), rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 1_000_000)), 1, 3).Draw(t, "weights")
	some[services[0]]++ // not all are 0
	some[services[0]] = min(some[services[0]], 1_000_000)
	weights := map[string]int{}
	for name, n := range some {
		weights[group(name)] = n
	}
	return weights
}

func positive(weights map[string]int) map[string]int {
	some := maps.Clone(weights)
	maps.DeleteFunc(some, func(_ string, n int) bool { return n == 0 })
	return some
}

// Whatever a route has, a write changes the weights of the backends of its rule and nothing else, adds the backends
// that it lacks, and is read back as it was written. A rollback restores what every backend had.
func TestWrite_changesWeightsAlone(t *testing.T) {
	for _, s := range shapes() {
		t.Run(s.kind, func(t *testing.T) {
			c := propertyCluster(t)
			rapid.Check(t, func(t *rapid.T) { s.checkWrite(t, c) })
		})
	}
}

func (s shape) checkWrite(t *rapid.T, c *cluster) {
	c.Remove(s.plural, "shop", "web")
	c.Put(s.draw(t))
	id, index := s.pick(t, c.Object(s.plural, "shop", "web"))
	before, restBefore := s.without(c.Object(s.plural, "shop", "web"), index)
	states, err := c.forward.Read(t.Context(), []string{id})
	noError(t, err)
	next := states[0]
	next.Weights = weightsOf(t)
	next.Response = ""
	noError(t, c.forward.Write(t.Context(), id, next))
	after, restAfter := s.without(c.Object(s.plural, "shop", "web"), index)
	if got, want := jsonOf(t, restAfter), jsonOf(t, restBefore); got != want {
		t.Fatalf("the object became\n%s\nit was\n%s", got, want)
	}
	again, err := c.forward.Read(t.Context(), []string{id})
	noError(t, err)
	got, want := again[0].Weights, positive(next.Weights)
	if unchanged := maps.Equal(got, states[0].Weights) && shift.FromRaw(got).Equal(shift.FromRaw(want)); !maps.Equal(got, want) && !unchanged && len(after) > 1 {
		t.Fatalf("wrote %v, read %v", want, got)
	}
	if !shift.FromRaw(got).Equal(shift.FromRaw(want)) {
		t.Fatalf("wrote the shares of %v, read %v", want, got)
	}
	s.checkRefs(t, before, after)
	noError(t, c.rollback.Write(t.Context(), id, states[0]))
	restored, restAfter := s.without(c.Object(s.plural, "shop", "web"), index)
	if got, want := jsonOf(t, restAfter), jsonOf(t, restBefore); got != want {
		t.Fatalf("after the rollback the object is\n%s\nit was\n%s", got, want)
	}
	if states[0].Response != "" { // it had no weights
		return
	}
	for i, ref := range restored {
		n, had := 0, 0
		n = effective(s, ref, len(restored))
		if i < len(before) {
			had = effective(s, before[i], len(before))
		}
		if n != had {
			t.Fatalf("after the rollback backend %d has %d, it had %d: %s", i, n, had, jsonOf(t, restored))
		}
	}
}

// checkRefs checks that all backends are there, in their order, with everything but their weights, and new ones at the end.
func (s shape) checkRefs(t *rapid.T, before, after []any) {
	if len(after) < len(before) {
		t.Fatalf("the backends became\n%s\nthey were\n%s", jsonOf(t, after), jsonOf(t, before))
	}
	had := map[any]bool{}
	for i, ref := range before {
		if got, want := jsonOf(t, withoutWeight(after[i])), jsonOf(t, withoutWeight(ref)); got != want {
			t.Fatalf("the backend became\n%s\nit was\n%s", got, want)
		}
		had[s.nameOf(ref)] = true
	}
	for _, ref := range after[len(before):] {
		if had[s.nameOf(ref)] {
			t.Fatalf("%v was added to\n%s", s.nameOf(ref), jsonOf(t, before))
		}
	}
}

func withoutWeight(ref any) any {
	o, _ := ref.(object)
	o = maps.Clone(o)
	delete(o, "weight")
	return o
}

// effective is the weight that a backend has.
func effective(s shape, ref any, of int) int {
	weight, has := inner(ref, "weight").(interface{ Int64() (int64, error) })
	switch {
	case has:
		n, _ := weight.Int64()
		if s.kind == "VirtualService" && of == 1 {
			return max(int(n), 1)
		}
		return int(n)
	case s.kind == "VirtualService" && of > 1:
		return 0
	}
	return 1
}

func noError(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func jsonOf(t *rapid.T, value any) string {
	data, err := marshal(value)
	noError(t, err)
	return data
}
