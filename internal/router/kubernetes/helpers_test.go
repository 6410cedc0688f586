package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	token = "test-token"
	web   = "httproute/shop/web"
)

type object = map[string]any

// cluster is a stand-in with routers for it.
type cluster struct {
	*localkube.Server
	forward, rollback *kubernetes.Router
}

func newCluster(t *testing.T, options ...localkube.Option) *cluster {
	t.Helper()
	server, err := localkube.Start(append([]localkube.Option{localkube.WithToken(token)}, options...)...)
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	config := &rest.Config{Host: server.URL(), BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: server.CA()}}
	forward, rollback, err := kubernetes.NewRouters(config)
	must(t, err)
	return &cluster{server, forward, rollback}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func service(name string) object {
	return object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": "shop", "name": name}, "spec": object{
		"selector": object{"app": name}, "ipFamilies": []any{"IPv4"}, "ports": []any{object{"name": "http", "port": 8080, "targetPort": "http"}},
	}}
}

// endpoints is an EndpointSlice with endpoints in the given conditions: "ready", "starting" or "terminating".
func endpoints(name string, conditions ...string) object {
	list := []any{}
	for i, c := range conditions {
		list = append(list, object{"addresses": []any{fmt.Sprintf("10.0.0.%d", i+1)}, "conditions": object{
			"ready": c == "ready", "serving": c != "starting", "terminating": c == "terminating",
		}})
	}
	return object{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": list,
		"metadata": object{"namespace": "shop", "name": name + "-x1", "labels": object{"kubernetes.io/service-name": name}},
		"ports":    []any{object{"name": "http", "port": 9090}},
	}
}

func backendRef(name string, weight int) object {
	return object{"name": name, "port": 8080, "weight": weight, "filters": []any{object{"type": "RequestHeaderModifier", "requestHeaderModifier": object{
		"set": []any{object{"name": "X-Environment", "value": name}}}}}}
}

// route is a route of Gateway API with one rule for each list of backends. The rules have the names r0, r1 ….
func route(kind, name string, rules ...[]any) object {
	version := "gateway.networking.k8s.io/v1"
	if kind == "TCPRoute" {
		version = "gateway.networking.k8s.io/v1alpha2"
	}
	list := []any{}
	for i, refs := range rules {
		list = append(list, object{"name": fmt.Sprint("r", i), "backendRefs": refs, "timeouts": object{"request": "10s"}})
	}
	return object{"apiVersion": version, "kind": kind, "metadata": object{"namespace": "shop", "name": name, "labels": object{"team": "shop"}},
		"spec": object{"hostnames": []any{"shop.example.com"}, "parentRefs": []any{object{"name": "edge"}}, "rules": list}}
}

func group(name string) string { return "service/shop/" + name + ":8080" }

// shopWith puts two Services with two ready endpoints each, and an HTTPRoute with all traffic on the first.
func shopWith(t *testing.T, options ...localkube.Option) *cluster {
	t.Helper()
	c := newCluster(t, options...)
	for _, name := range []string{"web-blue", "web-green"} {
		c.Put(service(name))
		c.Put(endpoints(name, "ready", "ready"))
	}
	c.Put(route("HTTPRoute", "web", []any{backendRef("web-blue", 1)}))
	return c
}

func (c *cluster) read(t *testing.T, id string) traffic.State {
	t.Helper()
	states, err := c.forward.Read(t.Context(), []string{id})
	must(t, err)
	return states[0]
}

func (c *cluster) write(t *testing.T, r *kubernetes.Router, id string, weights map[string]int) error {
	t.Helper()
	return r.Write(t.Context(), id, traffic.State{Weights: weights, Raw: c.read(t, id).Raw})
}

// change changes an object in a way of its own.
func (c *cluster) change(o object, change func(object)) {
	change(o)
	c.Put(o)
}

// inner returns the value at a path of field names and indexes, such as "spec", "rules", 0.
func inner(o any, path ...any) any {
	for _, step := range path {
		switch at := step.(type) {
		case string:
			m, _ := o.(object)
			o = m[at]
		case int:
			l, _ := o.([]any)
			if at >= len(l) {
				return nil
			}
			o = l[at]
		}
	}
	return o
}

func textOf(t *testing.T, value any) string {
	t.Helper()
	text, err := marshal(value)
	must(t, err)
	return text
}

func marshal(value any) (string, error) {
	data, err := json.MarshalIndent(value, "", " ")
	return string(data), err
}
