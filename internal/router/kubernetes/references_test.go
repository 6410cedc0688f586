package kubernetes_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// in moves an object to a namespace.
func in(namespace string, o object) object {
	inner(o, "metadata").(object)["namespace"] = namespace //nolint:forcetypeassert // it is one
	return o
}

// refsInShop are backends of namespace shop, for a route of another one.
func refsInShop(weights map[string]int) []any {
	refs := []any{}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		refs = append(refs, object{"name": name, "namespace": "shop", "port": 8080, "weight": weights[name]})
	}
	return refs
}

// grant lets routes of a kind and namespace refer to a Service of namespace shop; without a name, to all.
func grant(kind, from, service string) object {
	to := object{"group": "", "kind": "Service"}
	if service != "" {
		to["name"] = service
	}
	return object{"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
		"metadata": object{"namespace": "shop", "name": strings.ToLower(kind) + "-" + from + service},
		"spec": object{
			"from": []any{object{"group": "gateway.networking.k8s.io", "kind": kind, "namespace": from}},
			"to":   []any{to},
		}}
}

func TestOtherRoutes_areNotThoseOfTheSwitch(t *testing.T) {
	c := shopWith(t)
	c.Put(route("HTTPRoute", "api", []any{backendRef("web-blue", 1)}, []any{backendRef("web-blue", 3), backendRef("web-green", 1)}))
	for _, own := range [][]string{
		{web, "httproute/shop/api#r0", "httproute/shop/api#r1"},
		{web + "#r0", "httproute/shop/api#0", "httproute/shop/api#1"}, // named in other ways
		{web + "#0", "httproute/shop/api#r0", "httproute/shop/api#1"},
	} {
		if got, err := c.forward.OtherRoutes(t.Context(), own, []string{group("web-blue"), group("web-green")}); err != nil || len(got) != 0 {
			t.Errorf("beside %v there are %v, %v", own, got, err)
		}
	}
	got, err := c.forward.OtherRoutes(t.Context(), []string{web, "httproute/shop/api#0"}, []string{group("web-green"), group("web-blue")})
	must(t, err)
	want := traffic.OtherRoute{Route: "httproute/shop/api#r1", Text: "HTTPRoute shop/api, rule r1", Groups: []string{group("web-blue"), group("web-green")}}
	if len(got) != 1 || got[0].Route != want.Route || got[0].Text != want.Text || !slices.Equal(got[0].Groups, want.Groups) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Routes of every kind that have a Service, in its own namespace and in others.
func TestReferences_ofAllKindsAndNamespaces(t *testing.T) {
	c := shopWith(t)
	c.Put(route("GRPCRoute", "rpc", []any{backendRef("web-green", 0)}, []any{backendRef("web-blue", 1)}))
	c.Put(route("TCPRoute", "tcp", []any{object{"name": "web-green", "port": 9999, "weight": 1}})) // another port
	c.Put(in("edge", route("HTTPRoute", "web", refsInShop(map[string]int{"web-green": 1, "web-blue": 3}))))
	c.Put(in("elsewhere", route("HTTPRoute", "web", refsInShop(map[string]int{"web-green": 1})))) // refused: without a grant
	c.Put(grant("HTTPRoute", "edge", "web-green"))
	c.Put(grant("GRPCRoute", "edge", ""))
	mesh := virtualService("mesh", []any{destination("web-green.shop.svc.cluster.local", 1), destination("other", 1)})
	c.Put(in("mesh", mesh))
	c.Put(virtualService("mesh", []any{destination("web-green", 100)}))
	want := []traffic.Reference{
		{Route: "grpcroute/shop/rpc#r0", Text: "GRPCRoute shop/rpc, rule r0", Group: group("web-green")},
		{Route: "virtualservice/shop/mesh", Text: "VirtualService shop/mesh", Group: group("web-green"), Share: 1000},
		{Route: "httproute/edge/web", Text: "HTTPRoute edge/web", Group: group("web-green"), Share: 250},
		{Route: "virtualservice/mesh/mesh", Text: "VirtualService mesh/mesh", Group: group("web-green"), Share: 500},
	}
	reader := kubernetes.NewReader(c.forward)
	for name, find := range map[string]func() (kubernetes.Found, error){
		"the router": func() (kubernetes.Found, error) {
			return c.forward.FindReferences(t.Context(), []string{group("web-green")})
		},
		"the reader": func() (kubernetes.Found, error) {
			return reader.FindReferences(t.Context(), []string{group("web-green")})
		},
	} {
		got, err := find()
		if err != nil || !slices.Equal(got.References, want) || len(got.Unread) != 0 {
			t.Errorf("%s found\n%v, %v, want\n%v", name, got, err, want)
		}
	}
	if _, err := c.forward.References(t.Context(), []string{group("web-green"), group("absent")}); !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("a missing Service returned %v", err)
	}
}

// Other namespaces that may not be read are named. The namespace of the Service must be readable.
func TestReferences_deniedElsewhere(t *testing.T) {
	c := shopWith(t)
	c.Put(grant("HTTPRoute", "edge", ""))
	c.Put(in("edge", route("HTTPRoute", "web", refsInShop(map[string]int{"web-blue": 1}))))
	c.Allow(token, localkube.Rule{Namespaces: []string{"shop"}})
	found, err := c.forward.FindReferences(t.Context(), []string{group("web-blue"), group("web-green")})
	must(t, err)
	var unread []string
	for _, u := range found.Unread {
		unread = append(unread, u.Text+": "+u.Err.Error())
		if !errors.Is(u.Err, traffic.ErrDenied) {
			t.Errorf("%s: %v", u.Text, u.Err)
		}
	}
	want := []string{
		`HTTPRoutes of namespace edge: list httproutes.gateway.networking.k8s.io in namespace edge: httproutes.gateway.networking.k8s.io is forbidden: User "system:serviceaccount:ci:release" cannot list resource "httproutes" in API group "gateway.networking.k8s.io" in the namespace "edge"`,
		`VirtualServices of other namespaces: list virtualservices.networking.istio.io in all namespaces: virtualservices.networking.istio.io is forbidden: User "system:serviceaccount:ci:release" cannot list resource "virtualservices" in API group "networking.istio.io" at the cluster scope`,
	}
	if !slices.Equal(unread, want) || len(found.References) != 1 || found.References[0].Route != web {
		t.Errorf("found %v, not read:\n%s", found.References, strings.Join(unread, "\n"))
	}
	if others, err := c.forward.OtherRoutes(t.Context(), []string{web}, []string{group("web-blue")}); err != nil || len(others) != 0 {
		t.Errorf("other routes are %v, %v", others, err)
	}
	c.Allow(token, localkube.Rule{Namespaces: []string{"shop"}, Resources: []string{"services", "httproutes"}})
	if _, err := c.forward.References(t.Context(), []string{group("web-blue")}); !errors.Is(err, traffic.ErrDenied) || !strings.Contains(err.Error(), `cannot list resource "grpcroutes"`) {
		t.Errorf("the own namespace returned %v", err)
	}
}

// A Service that selects the pods of an environment is a route of that environment.
func TestReferences_ofSelectors(t *testing.T) {
	c := selecting(t)
	other := service("preview")
	inner(other, "spec").(object)["selector"] = object{"app": "web", "color": "green"} //nolint:forcetypeassert // it is one
	c.Put(other)
	got, err := c.forward.References(t.Context(), []string{selector("green"), selector("blue")})
	must(t, err)
	want := []traffic.Reference{
		{Route: "service/shop/preview", Text: "Service shop/preview", Group: selector("green"), Share: 1000},
		{Route: webService, Text: "Service shop/web", Group: selector("blue"), Share: 1000},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	others, err := c.forward.OtherRoutes(t.Context(), []string{webService}, []string{selector("green"), selector("blue")})
	if err != nil || len(others) != 1 || others[0].Route != "service/shop/preview" {
		t.Errorf("other routes are %v, %v", others, err)
	}
}

func TestOtherRoutes_ofOtherNamespaces(t *testing.T) {
	c := shopWith(t)
	c.Put(grant("HTTPRoute", "edge", ""))
	c.Put(in("edge", route("HTTPRoute", "web", refsInShop(map[string]int{"web-blue": 1, "web-green": 0}))))
	got, err := c.forward.OtherRoutes(t.Context(), []string{web}, []string{group("web-blue"), group("web-green")})
	if err != nil || len(got) != 1 || got[0].Route != "httproute/edge/web" || !slices.Equal(got[0].Groups, []string{group("web-blue")}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// A cluster without Istio and without the experimental channel of Gateway API has no such routes.
func TestReferences_withoutTheAPIs(t *testing.T) {
	c := newCluster(t, localkube.WithoutGroup("networking.istio.io"), localkube.WithoutGroup("gateway.networking.k8s.io"))
	c.Put(service("web-blue"))
	if found, err := c.forward.FindReferences(t.Context(), []string{group("web-blue")}); err != nil || len(found.References)+len(found.Unread) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}
