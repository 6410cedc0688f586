package kubernetes_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const mesh = "virtualservice/shop/web"

func TestVirtualService_hosts(t *testing.T) {
	c := shopWith(t)
	for host, want := range map[string]string{
		"web-blue":                            group("web-blue"),
		"web-blue.shop.svc.cluster.local":     group("web-blue"),
		"web-blue.other.svc.cluster.local":    "service/other/web-blue:8080",
		"web-blue.other.svc.corp.example.com": "service/other/web-blue:8080",
		"example.com":                         "host/example.com:8080", // of a ServiceEntry: a name with a dot is one of DNS
		"api.example.com":                     "host/api.example.com:8080",
	} {
		c.Put(virtualService("web", []any{destination(host, 3), destination("web-green", 1)}))
		if got := c.read(t, mesh).Weights; !maps.Equal(got, map[string]int{want: 3, group("web-green"): 1}) {
			t.Errorf("%s: read %v", host, got)
		}
		must(t, c.write(t, c.forward, mesh, map[string]int{group("web-green"): 1})) // it can always be left
	}
	for name, d := range map[string]object{
		"no port":  {"destination": object{"host": "web-blue"}},
		"a subset": {"destination": object{"host": "web-blue", "subset": "v2", "port": object{"number": 8080}}},
	} {
		c.Put(virtualService("web", []any{d}))
		states, err := c.forward.Read(t.Context(), []string{mesh})
		if name == "no port" && !errors.Is(err, kubernetes.ErrNoDestinationPort) {
			t.Errorf("%s: got %v, %v", name, states, err)
		}
		if name == "a subset" && (err != nil || !maps.Equal(states[0].Weights, map[string]int{"subset/" + group("web-blue") + "/v2": 1})) {
			t.Errorf("%s: got %v, %v", name, states, err)
		}
	}
}

// Weights that a route has can be restored, also where no shift would write them.
func TestWrite_restoresWhatWasRead(t *testing.T) {
	for name, tt := range map[string]struct {
		kind string
		refs []any
	}{
		"weights of Istio over the maximum of Gateway API": {"VirtualService", []any{destination("web-blue", 3_000_000), destination("web-green", 1_000_000)}},
		"a Service that is there twice":                    {"HTTPRoute", []any{backendRef("web-blue", 30), backendRef("web-green", 5), backendRef("web-blue", 20)}},
		"no weights":                                       {"HTTPRoute", []any{object{"name": "web-blue", "port": 8080}, object{"name": "web-green", "port": 8080}}},
		"more backends than Gateway API has":               {"VirtualService", seventeen(destination)},
	} {
		c := shopWith(t)
		for i := range 17 {
			c.Put(service(backendName(i)))
		}
		id, plural, path := web, httpRoutes, []any{"spec", "rules", 0, "backendRefs"}
		o := route("HTTPRoute", "web", tt.refs)
		if tt.kind == "VirtualService" {
			id, plural, path = mesh, "virtualservices.networking.istio.io", []any{"spec", "http", 0, "route"}
			o = virtualService("web", tt.refs)
		}
		c.Put(o)
		before := c.weightsAt(plural, path)
		s := c.read(t, id)
		must(t, c.write(t, c.forward, id, map[string]int{group("web-green"): 1}))
		for _, router := range []*kubernetes.Router{c.forward, c.rollback} {
			if err := router.Write(t.Context(), id, s); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			after := c.weightsAt(plural, path)
			if len(after) != len(before) {
				t.Fatalf("%s: the route has %v, want %v", name, after, before)
			}
			for i := range before {
				if before[i] != after[i] {
					t.Errorf("%s: the route has %v, want %v", name, after, before)
					break
				}
			}
			must(t, c.write(t, c.forward, id, map[string]int{group("web-green"): 1}))
		}
	}
}

func backendName(i int) string { return "old-" + string(rune('a'+i)) }

func seventeen(ref func(string, int) object) []any {
	var refs []any
	for i := range 17 {
		refs = append(refs, ref(backendName(i), i+1))
	}
	return append(refs, ref("web-green", 1))
}

// weightsAt are the weights of the backends of an object, as they are effective in Gateway API.
func (c *cluster) weightsAt(plural string, path []any) []string {
	var weights []string
	refs, _ := inner(c.Object(plural, "shop", "web"), path...).([]any)
	for _, ref := range refs {
		n, has := inner(ref, "weight").(interface{ String() string })
		if !has {
			weights = append(weights, "1")
			continue
		}
		weights = append(weights, n.String())
	}
	return weights
}

// Somebody adds a rule of the same name in mid-shift: a shift stops, and a rollback writes the rule that it knows.
func TestWrite_rollsBackARuleWhoseNameIsNotUnique(t *testing.T) {
	c := shopWith(t)
	id := web + "#r0"
	s := c.read(t, id)
	must(t, c.write(t, c.forward, id, half))
	c.change(c.Object(httpRoutes, "shop", "web"), func(o object) {
		spec := inner(o, "spec").(object)                                                                                     //nolint:forcetypeassert // it is one
		spec["rules"] = append(spec["rules"].([]any), object{"name": "r0", "backendRefs": []any{backendRef("web-green", 3)}}) //nolint:forcetypeassert // it is one
	})
	if err := c.forward.Write(t.Context(), id, s); !errors.Is(err, kubernetes.ErrSameName) {
		t.Errorf("the write returned %v", err)
	}
	must(t, c.rollback.Write(t.Context(), id, s))
	blue, other := c.weightsAt(httpRoutes, []any{"spec", "rules", 0, "backendRefs"}), c.weightsAt(httpRoutes, []any{"spec", "rules", 1, "backendRefs"})
	if len(blue) != 1 && blue[1] != "0" || other[0] != "3" {
		t.Errorf("the rules have %v and %v", blue, other)
	}
}

// A rollback that cannot read writes to the rule that it knows, and to no other that has its index now.
func TestWrite_patchesOnlyItsRule(t *testing.T) {
	matching := func(path string, refs ...any) object {
		return object{"matches": []any{object{"path": object{"type": "PathPrefix", "value": path}}}, "backendRefs": refs}
	}
	for _, id := range []string{web, web + "#0"} {
		c := shopWith(t)
		own, other := matching("/shop", backendRef("web-blue", 1)), matching("/new", backendRef("web-green", 1))
		set := func(rules ...any) {
			c.change(c.Object(httpRoutes, "shop", "web"), func(o object) { inner(o, "spec").(object)["rules"] = rules }) //nolint:forcetypeassert // it is one
		}
		set(own)
		s := c.read(t, id)
		s.Weights = half
		set(other, own) // one was inserted
		before := textOf(t, inner(c.Object(httpRoutes, "shop", "web"), "spec"))
		remove := c.Inject(localkube.Fault{Kind: localkube.Forbidden, Verb: "get", Resource: "httproutes"})
		if err := c.rollback.Write(t.Context(), id, s); err == nil {
			t.Errorf("%s: the write succeeded", id)
		}
		if after := textOf(t, inner(c.Object(httpRoutes, "shop", "web"), "spec")); after != before {
			t.Errorf("%s: the route became\n%s\nwant\n%s", id, after, before)
		}
		set(own)
		must(t, c.rollback.Write(t.Context(), id, s))
		remove()
		if got := c.read(t, id); !got.Equal(traffic.State{Weights: half}) {
			t.Errorf("%s: the route has %v", id, got.Weights)
		}
	}
}

// Of a Service that is there twice, one backend may be gone when the weights are restored.
func TestWrite_restoresTheShareOfARemovedBackend(t *testing.T) {
	c := shopWith(t)
	c.Put(route("HTTPRoute", "web", []any{backendRef("web-blue", 30), backendRef("web-green", 50), backendRef("web-blue", 20)}))
	s := c.read(t, web)
	c.Put(route("HTTPRoute", "web", []any{backendRef("web-blue", 1), backendRef("web-green", 0)}))
	c.read(t, web)
	must(t, c.forward.Write(t.Context(), web, s))
	if got := c.read(t, web); !got.Equal(s) {
		t.Errorf("the route has %v, want %v", got.Weights, s.Weights)
	}
}
