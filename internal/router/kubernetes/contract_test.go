package kubernetes_test

import (
	"fmt"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
)

func TestRouter_contract(t *testing.T) {
	for _, kind := range []string{"HTTPRoute", "GRPCRoute", "TCPRoute", "VirtualService"} {
		t.Run(kind, func(t *testing.T) {
			routertest.Run(t, func(t *testing.T) routertest.Fixture { return fixture(t, kind, false) })
		})
	}
}

func TestRollbackRouter_contract(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Fixture { return fixture(t, "HTTPRoute", true) })
}

func TestRecorder_contract(t *testing.T) {
	c := shopWith(t)
	c.Put(route("HTTPRoute", "api", []any{backendRef("web-blue", 1)}, []any{backendRef("web-blue", 1)}))
	routertest.TestRecorder(t, kubernetes.NewRecorder(c.forward), []string{web, "httproute/shop/api#r0", "httproute/shop/api#r1"})
}

// fixture has seventeen Services behind two routes. The second route is one of two rules, but for a TCPRoute.
func fixture(t *testing.T, kind string, rollback bool) routertest.Fixture {
	t.Helper()
	c := newCluster(t, localkube.WithTLS())
	id := map[string]string{"HTTPRoute": "httproute", "GRPCRoute": "grpcroute", "TCPRoute": "tcproute", "VirtualService": "virtualservice"}[kind]
	f := routertest.Fixture{
		Router: c.forward, Limits: kubernetes.Limits(), Routes: []string{id + "/shop/web", id + "/shop/api#r1"},
		MissingRoute: id + "/shop/absent", MissingGroup: group("absent"),
	}
	if rollback {
		f.Router = c.rollback
	}
	for i := range 17 {
		name := fmt.Sprint("web-", i)
		c.Put(service(name))
		if i != 2 {
			c.Put(endpoints(name, "ready", "ready"))
		}
		f.Groups = append(f.Groups, group(name))
	}
	plural := id + "s.gateway.networking.k8s.io"
	one, two := route(kind, "web", []any{backendRef("web-0", 1)}), route(kind, "api", []any{backendRef("web-3", 1)}, []any{backendRef("web-0", 1)})
	if kind == "VirtualService" {
		plural = "virtualservices.networking.istio.io"
		one, two = virtualService("web", []any{destination("web-0", 100)}), virtualService("api", []any{destination("web-3", 100)}, []any{destination("web-0", 100)})
	}
	if kind == "TCPRoute" { // it has only one rule
		two, f.Routes[1] = route(kind, "api", []any{backendRef("web-0", 1)}), id+"/shop/api#r0"
	}
	c.Put(one)
	c.Put(two)
	f.Change = func(t *testing.T, id string, weights map[string]int) {
		t.Helper()
		parsed, err := kubernetes.ParseRoute(id)
		must(t, err)
		refs := []any{}
		for group, n := range weights {
			g, err := kubernetes.ParseGroup(group)
			must(t, err)
			ref := backendRef(g.Service, n)
			if kind == "VirtualService" {
				ref = destination(g.Service, n)
			}
			refs = append(refs, ref)
		}
		c.change(c.Object(plural, "shop", parsed.Name), func(o object) {
			rule, field := inner(o, "spec", "rules", 0), "backendRefs"
			if kind == "VirtualService" {
				rule, field = inner(o, "spec", "http", 0), "route"
			}
			rule.(object)[field] = refs //nolint:forcetypeassert // it fails the test
		})
	}
	f.Extra = func(t *testing.T) string { return extraOf(t, c.Object(plural, "shop", "web")) }
	return f
}

// extraOf is an object without weights, backends and what the server counts.
func extraOf(t *testing.T, o object) string {
	t.Helper()
	spec, _ := o["spec"].(object)
	for _, field := range []string{"rules", "http"} {
		for _, rule := range listOf(spec[field]) {
			delete(rule, "backendRefs")
			delete(rule, "route")
		}
	}
	return textOf(t, []any{spec, inner(o, "metadata", "labels"), inner(o, "metadata", "annotations")})
}

func listOf(value any) []object {
	var all []object
	list, _ := value.([]any)
	for _, x := range list {
		one, _ := x.(object)
		all = append(all, one)
	}
	return all
}

func destination(name string, weight int) object {
	return object{"weight": weight, "destination": object{"host": name, "port": object{"number": 8080}}, "headers": object{"request": object{"set": object{"x-environment": name}}}}
}

func virtualService(name string, rules ...[]any) object {
	list := []any{}
	for i, refs := range rules {
		list = append(list, object{"name": fmt.Sprint("r", i), "route": refs, "retries": object{"attempts": 3}})
	}
	return object{"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": object{"namespace": "shop", "name": name},
		"spec": object{"hosts": []any{name}, "http": list}}
}

func selector(color string) string { return "selector/shop/app=web,color=" + color }

func pod(name, color string, ready bool) object {
	status := "False"
	if ready {
		status = "True"
	}
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"namespace": "shop", "name": name, "labels": object{"app": "web", "color": color}},
		"status": object{"phase": "Running", "conditions": []any{object{"type": "Ready", "status": status}}}}
}
