//go:build linux

package kube

import (
	"encoding/json"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isConflict(err error) bool { return apierrors.IsConflict(err) }

// jsonOf returns an object in the form that client-go has it, with numbers of the types that it knows.
func jsonOf(o object) object {
	data, err := json.Marshal(o)
	if err != nil {
		panic("kube: an object is not JSON: " + err.Error())
	}
	var again object
	if err := utiljson.Unmarshal(data, &again); err != nil {
		panic("kube: an object is not JSON: " + err.Error())
	}
	return again
}

func textOf(t *testing.T, value any) string {
	t.Helper()
	data, err := json.MarshalIndent(value, "", " ")
	must(t, err)
	return string(data)
}

// meta is the metadata of an object.
func metadata(namespace, name string) object { return object{"namespace": namespace, "name": name} }

// service is a Service without an address of its own.
func service(namespace, name string) object {
	return object{"apiVersion": "v1", "kind": "Service", "metadata": metadata(namespace, name), "spec": object{
		"clusterIP": "None", "selector": object{"app": name}, "ports": []any{object{"name": "http", "port": 8080, "targetPort": "http"}},
	}}
}

// endpoints is an EndpointSlice with endpoints in the given conditions: "ready", "starting" or "terminating".
func endpoints(namespace, name string, conditions ...string) object {
	list := []any{}
	for i, c := range conditions {
		list = append(list, object{"addresses": []any{fmt.Sprintf("10.0.0.%d", i+1)}, "conditions": object{
			"ready": c == "ready", "serving": c != "starting", "terminating": c == "terminating",
		}})
	}
	m := metadata(namespace, name+"-x1")
	m["labels"] = object{"kubernetes.io/service-name": name}
	return object{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": list, "metadata": m,
		"ports": []any{object{"name": "http", "port": 9090}}}
}

// group is the id of the port 8080 of a Service.
func group(namespace, name string) string { return "service/" + namespace + "/" + name + ":8080" }

func backendRef(kind, name string, weight int) object {
	ref := object{"name": name, "port": 8080, "weight": weight}
	if kind != "TCPRoute" {
		ref["filters"] = []any{object{"type": "RequestHeaderModifier", "requestHeaderModifier": object{
			"set": []any{object{"name": "X-Environment", "value": name}}}}}
	}
	return ref
}

// target is an object of a test.
type target struct{ kind, namespace, name string }

// route is a route of Gateway API with one rule for each list of backends. The rules have the names r0, r1 ….
func (at target) route(rules ...[]any) object {
	list := []any{}
	for i, refs := range rules {
		rule := object{"name": fmt.Sprint("r", i), "backendRefs": refs}
		if at.kind == "HTTPRoute" {
			rule["timeouts"] = object{"request": "10s"}
		}
		list = append(list, rule)
	}
	m := metadata(at.namespace, at.name)
	m["labels"] = object{"team": "shop"}
	spec := object{"parentRefs": []any{object{"name": "edge", "namespace": "default"}}, "rules": list}
	if at.kind == "TCPRoute" { // it would get all connections of every listener
		spec["parentRefs"] = []any{object{"name": "absent"}}
	} else {
		spec["hostnames"] = []any{at.namespace + ".example.com"}
	}
	return object{"apiVersion": "gateway.networking.k8s.io/v1", "kind": at.kind, "metadata": m, "spec": spec}
}

func destination(name string, weight int) object {
	return object{"weight": weight, "destination": object{"host": name, "port": object{"number": 8080}},
		"headers": object{"request": object{"set": object{"x-environment": name}}}}
}

// virtualService is a VirtualService with one rule for each list of destinations.
func (at target) virtualService(rules ...[]any) object {
	list := []any{}
	for i, refs := range rules {
		list = append(list, object{"name": fmt.Sprint("r", i), "route": refs, "retries": object{"attempts": 3}})
	}
	return object{"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata(at.namespace, at.name),
		"spec": object{"hosts": []any{at.name}, "http": list}}
}

func part(o object, field string) object {
	inner, _ := o[field].(object)
	return inner
}

func elements(o object, field string) []object {
	list, _ := o[field].([]any)
	var all []object
	for _, x := range list {
		one, _ := x.(object)
		all = append(all, one)
	}
	return all
}
