//go:build linux

package kube

import (
	"net/http"
	"reflect"
	"slices"
	"testing"
)

// effect is what a write does, as far as a router can notice it.
type effect struct {
	Code       int
	Version    bool // the object has a new resourceVersion
	Generation int  // what was added to metadata.generation
	Status     bool // the status is as it was
	Spec       any  // what the case reads
	Managers   []string
}

// success is a request that both servers accept.
type success struct {
	question
	read func(o object) any // of the object after it; nil: nothing
}

// The stand-in does to an object what the API server does: resourceVersion, generation, status, field managers.
func testWrites(t *testing.T, api, local server) {
	t.Helper()
	for _, s := range successes() {
		t.Run(s.name, func(t *testing.T) {
			got, want := local.effect(t, s), api.effect(t, s)
			if want.Code >= http.StatusBadRequest {
				t.Fatalf("the API server answers with %d", want.Code)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("localkube does\n%s\nthe API server\n%s", textOf(t, got), textOf(t, want))
			}
		})
	}
}

// objectOf is the path of the object that a request is about.
func objectOf(path string) string {
	for _, object := range []string{routes + "/web", virtualServices + "/web", services + "/web-blue"} {
		if len(path) >= len(object) && path[:len(object)] == object {
			return object
		}
	}
	return path
}

func (s server) effect(t *testing.T, c success) effect {
	t.Helper()
	at := objectOf(c.path)
	before := s.mustGet(t, at)
	q := c.question
	if change, is := q.body.(func(object)); is {
		o := s.mustGet(t, at)
		change(o)
		q.body = o
	}
	e := effect{Code: s.ask(t, q).Code}
	after := s.mustGet(t, at)
	version := func(o object) any { return part(o, "metadata")["resourceVersion"] }
	e.Version = version(before) != version(after)
	generation := func(o object) int { n, _ := part(o, "metadata")["generation"].(float64); return int(n) }
	e.Generation = generation(after) - generation(before)
	e.Status = reflect.DeepEqual(before["status"], after["status"])
	if c.read != nil {
		e.Spec = c.read(after)
	}
	for _, m := range elements(part(after, "metadata"), "managedFields") {
		if name, _ := m["manager"].(string); name == "bluegreen" { // others differ: the stand-in has a controller of its own
			subresource, _ := m["subresource"].(string)
			operation, _ := m["operation"].(string)
			e.Managers = append(e.Managers, name+" "+operation+" "+subresource)
		}
	}
	slices.Sort(e.Managers)
	return e
}

// firstRefs returns name and weight of the backends of the first rule.
func firstRefs(o object) any {
	var all []any
	for _, ref := range elements(rule(o), "backendRefs") {
		all = append(all, ref["name"], ref["weight"])
	}
	return all
}

func successes() []success {
	web, blue, istio := routes+"/web", services+"/web-blue", virtualServices+"/web"
	get, put, patch := http.MethodGet, http.MethodPut, http.MethodPatch
	annotations := func(o object) any { return part(o, "metadata")["annotations"] }
	weight := func(n any) func(object) { return func(o object) { elements(rule(o), "backendRefs")[0]["weight"] = n } }
	return []success{
		{question{name: "an update that changes nothing", verb: put, path: web, body: func(object) {}}, firstRefs},
		{question{name: "an update of weights", verb: put, path: web + "?fieldManager=bluegreen", body: weight(7)}, firstRefs},
		{question{name: "the maximum weight", verb: put, path: web, body: weight(1_000_000)}, firstRefs},
		{question{name: "weight 0", verb: put, path: web, body: weight(0)}, firstRefs},
		{question{name: "no weight", verb: put, path: web, body: func(o object) { delete(elements(rule(o), "backendRefs")[0], "weight") }}, firstRefs},
		{question{name: "an annotation", verb: put, path: web, body: func(o object) { part(o, "metadata")["annotations"] = object{"bluegreen/shift-1.2": "{}"} }}, annotations},
		{question{name: "a label", verb: put, path: web, body: func(o object) { part(o, "metadata")["labels"] = object{"a": "b"} }}, nil},
		{question{name: "a status in an update of the object", verb: put, path: web, body: func(o object) { o["status"] = object{"parents": []any{}} }}, nil},
		{question{name: "a spec in an update of the status", verb: put, path: web + "/status", body: weight(9)}, firstRefs},
		{question{name: "a generation in an update", verb: put, path: web, body: func(o object) { part(o, "metadata")["generation"] = 99 }}, nil},
		{question{name: "two rules of one name", verb: put, path: web, body: func(o object) { part(o, "spec")["rules"] = []any{rule(o), rule(o)} }}, firstRefs},
		{question{name: "one rule again", verb: put, path: web, body: func(o object) { part(o, "spec")["rules"] = []any{rule(o)} }}, firstRefs},
		{question{name: "a JSON patch", verb: patch, path: web, media: jsonPatch, body: []any{
			object{"op": "test", "path": "/spec/rules/0/name", "value": "r0"},
			object{"op": "add", "path": "/spec/rules/0/backendRefs", "value": []any{object{"name": "web-blue", "port": 8080, "weight": 3}}}}}, firstRefs},
		{question{name: "a merge patch", verb: patch, path: web, media: mergePatch, body: object{"metadata": object{"annotations": object{"a": "b"}}}}, annotations},
		{question{name: "a merge patch that changes nothing", verb: patch, path: web, media: mergePatch, body: object{"metadata": object{"annotations": object{"a": "b"}}}}, annotations},
		{question{name: "a selector", verb: put, path: blue, body: func(o object) { part(o, "spec")["selector"] = object{"color": "blue"} }},
			func(o object) any { return part(o, "spec")["selector"] }},
		{question{name: "a Service without a resourceVersion", verb: put, path: blue, body: func(o object) { delete(part(o, "metadata"), "resourceVersion") }}, nil},
		{question{name: "destinations of Istio", verb: put, path: istio + "?fieldManager=bluegreen", body: func(o object) { setRefs(o, []any{destination("web-blue", 1), destination("web-green", 99)}) }},
			func(o object) any { return elements(elements(part(o, "spec"), "http")[0], "route")[1]["weight"] }},
		{question{name: "an older version of the API", verb: get, path: "/apis/gateway.networking.k8s.io/v1beta1/namespaces/shop/httproutes/web"}, func(o object) any { return o["apiVersion"] }},
		{question{name: "a list with a label", verb: get, path: routes + "?labelSelector=a%3Db&limit=500"}, func(o object) any { return []any{o["kind"], len(elements(o, "items"))} }},
	}
}
