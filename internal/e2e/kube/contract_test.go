//go:build linux

package kube

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
)

func TestRouter_contract(t *testing.T) {
	for _, kind := range []string{"HTTPRoute", "GRPCRoute", "TCPRoute", "VirtualService"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			routertest.Run(t, func(t *testing.T) routertest.Fixture { return fixture(t, kind, false) })
		})
	}
}

func TestRollbackRouter_contract(t *testing.T) {
	for _, kind := range []string{"HTTPRoute", "VirtualService"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			routertest.Run(t, func(t *testing.T) routertest.Fixture { return fixture(t, kind, true) })
		})
	}
}

func TestRecorder_contract(t *testing.T) {
	for _, kind := range []string{"HTTPRoute", "VirtualService"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := start(t)
			forward, _ := c.routers(t, adminToken)
			f := fixtureOf(t, c, kind)
			routertest.TestRecorder(t, kubernetes.NewRecorder(forward), append(f.Routes, strings.TrimSuffix(f.Routes[1], "1")+"0"))
		})
	}
}

// fixture has seventeen Services behind two routes. The second route is one of two rules, but for a TCPRoute, which
// has only one.
func fixture(t *testing.T, kind string, rollback bool) routertest.Fixture {
	t.Helper()
	c := start(t)
	f := fixtureOf(t, c, kind)
	forward, back := c.routers(t, adminToken)
	if f.Router = forward; rollback {
		f.Router = back
	}
	return f
}

func fixtureOf(t *testing.T, c *cluster, kind string) routertest.Fixture {
	t.Helper()
	namespace := c.namespace(t)
	id := strings.ToLower(kind) + "/" + namespace
	f := routertest.Fixture{Limits: kubernetes.Limits(), Routes: []string{id + "/web", id + "/api#r1"},
		MissingRoute: id + "/absent", MissingGroup: group(namespace, "absent")}
	for i := range 17 {
		name := fmt.Sprint("web-", i)
		c.create(t, service(namespace, name))
		if i != 2 {
			c.create(t, endpoints(namespace, name, "ready", "ready"))
		}
		f.Groups = append(f.Groups, group(namespace, name))
	}
	ref := func(name string, weight int) any { return backendRef(kind, name, weight) }
	build := target.route
	if kind == "VirtualService" {
		ref, build = func(name string, weight int) any { return destination(name, weight) }, target.virtualService
	}
	web := build(target{kind, namespace, "web"}, []any{ref("web-0", 1)})
	c.create(t, web)
	rules := [][]any{{ref("web-3", 1)}, {ref("web-0", 1)}}
	if kind == "TCPRoute" {
		rules, f.Routes[1] = rules[1:], id+"/api#r0"
	}
	c.create(t, build(target{kind, namespace, "api"}, rules...))
	f.Change = func(t *testing.T, _ string, weights map[string]int) {
		t.Helper()
		refs := []any{}
		for group, n := range weights {
			g, err := kubernetes.ParseGroup(group)
			must(t, err)
			refs = append(refs, ref(g.Service, n))
		}
		c.change(t, web, func(o object) { setRefs(o, refs) })
	}
	f.Extra = func(t *testing.T) string { return extraOf(t, c.get(t, web)) }
	return f
}

// setRefs sets the backends of the first rule of a route.
func setRefs(o object, refs []any) {
	for rules, field := range map[string]string{"rules": "backendRefs", "http": "route"} {
		if all := elements(part(o, "spec"), rules); len(all) > 0 {
			all[0][field] = refs
		}
	}
}

// extraOf is an object without weights, backends and what the server counts.
func extraOf(t *testing.T, o object) string {
	t.Helper()
	for _, rules := range []string{"rules", "http"} {
		for _, rule := range elements(part(o, "spec"), rules) {
			delete(rule, "backendRefs")
			delete(rule, "route")
		}
	}
	m := part(o, "metadata")
	return textOf(t, []any{o["spec"], m["labels"], m["annotations"]})
}
