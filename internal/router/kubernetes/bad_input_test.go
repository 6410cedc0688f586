package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const elsewhere = "service/other/web-green:8080"

// crossing is a shop with a Service in another namespace.
func crossing(t *testing.T) *cluster {
	t.Helper()
	c := shopWith(t)
	c.Put(in("other", service("web-green")))
	return c
}

// wantNoWrite checks that no request changed anything.
func (c *cluster) wantNoWrite(t *testing.T) {
	t.Helper()
	for _, r := range c.Requests() {
		if r.Verb != "get" && r.Verb != "list" {
			t.Errorf("the request %s was made", r)
		}
	}
}

// named is an HTTPRoute with a rule for each name; empty: the rule has none.
func named(names ...string) object {
	o := route("HTTPRoute", "same")
	rules := []any{}
	for _, name := range names {
		rule := object{"backendRefs": []any{backendRef("web-blue", 1)}}
		if name != "" {
			rule["name"] = name
		}
		rules = append(rules, rule)
	}
	o["spec"].(object)["rules"] = rules //nolint:forcetypeassert // it is one
	return o
}

// What CheckGroups refuses before a shift, with its whole text. Nothing is written.
func TestCheckGroups_refuses(t *testing.T) {
	full := []any{}
	for i := range 16 {
		full = append(full, backendRef(fmt.Sprint("old-", i), 0))
	}
	for name, tt := range map[string]struct {
		prepare func(*cluster)
		route   string
		group   string
		err     error
		text    string
	}{
		"no route": {route: "httproute/shop/absent", err: traffic.ErrNotFound, text: `get httproutes.gateway.networking.k8s.io for HTTPRoute shop/absent: httproutes.gateway.networking.k8s.io "absent" not found`},
		"no rule":  {route: web + "#v2", err: kubernetes.ErrNoRule, text: "HTTPRoute shop/web, rule v2: no such rule; it has the rules r0"},
		"no index": {route: web + "#1", err: kubernetes.ErrNoRule, text: "HTTPRoute shop/web, rule 1: no such rule; it has the rules r0"},
		"two rules of a name": {prepare: func(c *cluster) { c.Put(named("v2", "v1", "v2")) },
			route: "httproute/shop/same#v2", err: kubernetes.ErrSameName, text: "HTTPRoute shop/same, rule v2: several rules have this name: those with the indexes 0, 2"},
		"a name that is an index": {prepare: func(c *cluster) { c.Put(named("1", "")) },
			route: "httproute/shop/same#1", err: kubernetes.ErrSameName, text: "HTTPRoute shop/same, rule 1: several rules have this name: those with the indexes 0, 1"},
		"two VirtualService rules of a name": {prepare: func(c *cluster) {
			o := virtualService("web", []any{destination("web-blue", 1)}, []any{destination("web-blue", 1)})
			inner(o, "spec", "http", 1).(object)["name"] = "r0" //nolint:forcetypeassert // it is one
			c.Put(o)
		}, route: "virtualservice/shop/web#r0", err: kubernetes.ErrSameName, text: "VirtualService shop/web, rule r0: several rules have this name: those with the indexes 0, 1"},
		"no VirtualService rule": {prepare: func(c *cluster) { c.Put(virtualService("web", []any{destination("web-blue", 1)})) },
			route: "virtualservice/shop/web#v2", err: kubernetes.ErrNoRule, text: "VirtualService shop/web, rule v2: no such rule; it has the rules r0"},
		"no rules": {prepare: func(c *cluster) { c.Put(virtualService("web")) },
			route: "virtualservice/shop/web", err: kubernetes.ErrNoRule, text: "VirtualService shop/web: no such rule; it has no rules"},
		"no Service": {group: group("absent"), err: traffic.ErrNotFound, text: `get services for shop/absent:8080: services "absent" not found`},
		"no port":    {group: "service/shop/web-green:80", err: kubernetes.ErrNoPort, text: "shop/web-green:80: no such port (it has 8080)"},
		"no grant":   {group: elsewhere, err: kubernetes.ErrNoGrant, text: "other/web-green:8080 of HTTPRoute shop/web: no ReferenceGrant allows it (namespace other has none from HTTPRoute in namespace shop to Service web-green)"},
		"no parents": {prepare: func(c *cluster) {
			c.change(c.Object(httpRoutes, "shop", "web"), func(o object) { delete(inner(o, "spec").(object), "parentRefs") }) //nolint:forcetypeassert // it is one
		}, err: kubernetes.ErrNoParents, text: "HTTPRoute shop/web: the route has no parents"},
		"not accepted": {prepare: func(c *cluster) {
			c.Refuse("late", localkube.Refusal{Condition: "Accepted", Reason: "NotAllowedByListeners", Message: "namespace shop is not allowed"})
			c.Put(route("HTTPRoute", "late", []any{backendRef("web-blue", 1)}))
		}, route: "httproute/shop/late", err: kubernetes.ErrNotAccepted, text: "HTTPRoute shop/late: the route is not accepted (Gateway shop/edge (example.com/local-gateway): Accepted is False: NotAllowedByListeners: namespace shop is not allowed)"},
		"not seen": {prepare: func(c *cluster) {
			c.StopController()
			c.Put(route("HTTPRoute", "late", []any{backendRef("web-blue", 1)}))
		}, route: "httproute/shop/late", err: kubernetes.ErrNotAccepted, text: "HTTPRoute shop/late: the route is not accepted (no controller has written a status for one of its parents)"},
		"too many": {prepare: func(c *cluster) { putOld(c); c.Put(route("HTTPRoute", "full", full)) },
			route: "httproute/shop/full", err: kubernetes.ErrTooManyRefs, text: "HTTPRoute shop/full: too many backendRefs (it would have 18, the maximum is 16)"},
		"another kind": {route: "tlsroute/shop/web", err: kubernetes.ErrMalformed, text: `"tlsroute/shop/web": not a route or a backend of Kubernetes`},
	} {
		t.Run(name, func(t *testing.T) {
			c := crossing(t)
			if tt.prepare != nil {
				tt.prepare(c)
			}
			entry := traffic.Entry{Name: "web", Routes: []string{web}, Groups: []string{group("web-blue"), group("web-green")}}
			if tt.route != "" {
				entry.Routes = append(entry.Routes, tt.route)
			}
			if tt.group != "" {
				entry.Groups = append(entry.Groups, tt.group)
			}
			if err := c.forward.CheckGroups(t.Context(), entry); !errors.Is(err, tt.err) || err.Error() != tt.text {
				t.Errorf("got  %v\nwant %s", err, tt.text)
			}
			c.wantNoWrite(t)
		})
	}
}

// putOld puts the Services of the backends that a full route has.
func putOld(c *cluster) {
	for i := range 16 {
		c.Put(service(fmt.Sprint("old-", i)))
	}
}

// A ReferenceGrant for the kind, the namespace and the Service is what it takes.
func TestCheckGroups_needsTheRightGrant(t *testing.T) {
	for name, tt := range map[string]struct {
		grant   object
		allowed bool
	}{
		"any Service":        {in("other", grant("HTTPRoute", "shop", "")), true},
		"this Service":       {in("other", grant("HTTPRoute", "shop", "web-green")), true},
		"another Service":    {in("other", grant("HTTPRoute", "shop", "web-blue")), false},
		"another kind":       {in("other", grant("GRPCRoute", "shop", "")), false},
		"another namespace":  {in("other", grant("HTTPRoute", "edge", "")), false},
		"in the wrong place": {grant("HTTPRoute", "shop", ""), false},
	} {
		c := crossing(t)
		c.Put(tt.grant)
		err := c.forward.CheckGroups(t.Context(), traffic.Entry{Name: "web", Routes: []string{web}, Groups: []string{elsewhere}})
		if tt.allowed && err != nil || !tt.allowed && !errors.Is(err, kubernetes.ErrNoGrant) {
			t.Errorf("%s: got %v", name, err)
		}
		err = c.write(t, c.forward, web, map[string]int{group("web-blue"): 9, elsewhere: 1})
		if tt.allowed && err != nil || !tt.allowed && !errors.Is(err, kubernetes.ErrNoGrant) {
			t.Errorf("%s: Write returned %v", name, err)
		}
		want := map[string]int{group("web-blue"): 1}
		if tt.allowed {
			want = map[string]int{group("web-blue"): 9, elsewhere: 1}
		}
		if got := c.read(t, web); !got.Equal(traffic.State{Weights: want}) {
			t.Errorf("%s: the route has %v", name, got.Weights)
		}
	}
	mesh := crossing(t) // Istio has no grants
	mesh.Put(virtualService("web", []any{destination("web-blue", 1)}))
	must(t, mesh.forward.CheckGroups(t.Context(), traffic.Entry{Name: "web", Routes: []string{"virtualservice/shop/web"}, Groups: []string{elsewhere}}))
}

// What Write refuses. The object stays as it is.
func TestWrite_refuses(t *testing.T) {
	full := []any{}
	for i := range 16 {
		full = append(full, backendRef(fmt.Sprint("old-", i), 1))
	}
	for name, tt := range map[string]struct {
		weights map[string]int
		err     error
		text    string
	}{
		"weights over the maximum": {map[string]int{group("old-0"): 1_000_001}, kubernetes.ErrInvalid, "invalid route state: weight 1000001 of shop/old-0:8080, 0 to 1000000 are allowed"},
		"too many backends":        {map[string]int{group("web-blue"): 1}, kubernetes.ErrTooManyRefs, "HTTPRoute shop/web: too many backendRefs (it would have 17, the maximum is 16)"},
		"no Service":               {map[string]int{group("absent"): 1}, traffic.ErrNotFound, `get services for shop/absent:8080: services "absent" not found`},
		"no port":                  {map[string]int{"service/shop/web-blue:1": 1}, kubernetes.ErrNoPort, "shop/web-blue:1: no such port (it has 8080)"},
		"a selector":               {map[string]int{selector("blue"): 1}, kubernetes.ErrKinds, "pods app=web,color=blue in shop: a selector is only for routes of kind service, and a Service only for the others"},
	} {
		c := shopWith(t)
		putOld(c)
		c.Put(route("HTTPRoute", "web", full))
		before := textOf(t, c.Object(httpRoutes, "shop", "web"))
		if err := c.write(t, c.forward, web, tt.weights); !errors.Is(err, tt.err) || err.Error() != tt.text {
			t.Errorf("%s: got  %v\nwant %s", name, err, tt.text)
		}
		if after := textOf(t, c.Object(httpRoutes, "shop", "web")); after != before {
			t.Errorf("%s: the route is\n%s\nwant\n%s", name, after, before)
		}
		c.wantNoWrite(t)
	}
}

// operations are the requests that a release makes, by what fails.
func (c *cluster) operations(t *testing.T) map[string]func(context.Context) error {
	t.Helper()
	known := c.read(t, web)
	known.Weights = half
	recorder := kubernetes.NewRecorder(c.forward)
	return map[string]func(context.Context) error{
		"Read":  func(ctx context.Context) error { _, err := c.forward.Read(ctx, []string{web}); return err },
		"Write": func(ctx context.Context) error { return c.forward.Write(ctx, web, known) },
		"Health": func(ctx context.Context) error {
			_, err := c.forward.Health(ctx, []string{group("web-blue")})
			return err
		},
		"CheckGroups": func(ctx context.Context) error {
			return c.forward.CheckGroups(ctx, traffic.Entry{Routes: []string{web}})
		},
		"InSync": func(ctx context.Context) error { _, err := c.forward.InSync(ctx, []string{web}); return err },
		"References": func(ctx context.Context) error {
			_, err := c.forward.References(ctx, []string{group("web-blue")})
			return err
		},
		"OtherRoutes": func(ctx context.Context) error { _, err := c.forward.OtherRoutes(ctx, []string{web}, nil); return err },
		"Managers":    func(ctx context.Context) error { _, err := c.forward.Managers(ctx, []string{web}); return err },
		"Records":     func(ctx context.Context) error { _, err := recorder.Records(ctx, []string{web}); return err },
		"Put": func(ctx context.Context) error {
			return recorder.Put(ctx, []string{web}, traffic.Record{Shift: "s1"}, true)
		},
	}
}

// A token that is expired, and one without permissions, is named as such by every operation, which changes nothing.
func TestOperations_deniedAndExpired(t *testing.T) {
	c := shopWith(t)
	operations := c.operations(t)
	before := textOf(t, c.Object(httpRoutes, "shop", "web"))
	c.Allow(token, localkube.Rule{Verbs: []string{"none"}})
	for name, run := range operations {
		err := run(t.Context())
		call, is := errors.AsType[*kubernetes.CallError](err)
		if !is || !errors.Is(err, traffic.ErrDenied) || call.Namespace != "shop" || !strings.Contains(err.Error(), call.Verb+` resource "`+strings.Split(call.Resource, ".")[0]+`" in API group "`) {
			t.Errorf("%s without permissions: %v", name, err)
		}
	}
	c.Revoke(token)
	for name, run := range operations {
		if err := run(t.Context()); !errors.Is(err, traffic.ErrExpired) || strings.Contains(err.Error(), token) {
			t.Errorf("%s with an expired token: %v", name, err)
		}
	}
	if after := textOf(t, c.Object(httpRoutes, "shop", "web")); after != before {
		t.Errorf("the route is\n%s\nwant\n%s", after, before)
	}
}

// A cluster that serves no version of an API, also one whose version is gone since the last request.
func TestOperations_withoutTheAPI(t *testing.T) {
	bare := newCluster(t, localkube.WithoutGroup("gateway.networking.k8s.io"))
	for _, err := range []error{
		readError(bare.forward.Read(t.Context(), []string{web})),
		bare.forward.CheckGroups(t.Context(), traffic.Entry{Routes: []string{web}}),
		readError(bare.forward.InSync(t.Context(), []string{web})),
	} {
		want := "get httproutes.gateway.networking.k8s.io for HTTPRoute shop/web: the cluster does not have this API"
		if !errors.Is(err, kubernetes.ErrNotInstalled) || err.Error() != want || errors.Is(err, traffic.ErrNotFound) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func readError[T any](_ T, err error) error { return err }
