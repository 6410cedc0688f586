//go:build linux

package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
)

// server is an API server that is asked without client-go, which would interpret the answers.
type server struct {
	name, url string
	client    *http.Client
}

// question is a request that is sent to both servers. The namespace is shop.
type question struct {
	name  string
	verb  string // of HTTP
	path  string
	body  any
	token string // empty: that of the administrator
	media string // empty: application/json
	stale bool   // somebody else changes the object between the read and the request
}

// answer is what a server answers.
type answer struct {
	Code   int
	Status object // of a failure
	Text   string // of a failure that is no Status
	Object object // of a success
}

func (s server) ask(t *testing.T, q question) answer {
	t.Helper()
	data, isText := q.body.(string)
	if !isText && q.body != nil {
		data = textOf(t, q.body)
	}
	request, err := http.NewRequestWithContext(t.Context(), q.verb, s.url+q.path, strings.NewReader(data))
	must(t, err)
	if q.token == "" {
		q.token = adminToken
	}
	if q.media == "" {
		q.media = "application/json"
	}
	request.Header.Set("Authorization", "Bearer "+q.token)
	request.Header.Set("Content-Type", q.media)
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	a := answer{Code: response.StatusCode}
	var o object
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&o); err != nil {
		a.Text = string(text)
		return a
	}
	if a.Object = o; a.Code >= http.StatusBadRequest {
		a.Status, a.Object = o, nil
	}
	return a
}

// both starts the stand-in, and gives it and the API server the same objects.
func both(t *testing.T) (api, local server) {
	t.Helper()
	c := start(t)
	rules := localkube.Rule{Verbs: []string{"get"}, Groups: []string{"gateway.networking.k8s.io"}, Resources: []string{"httproutes"}, Namespaces: []string{shop}}
	standIn, err := localkube.Start(localkube.WithTLS(), localkube.WithToken(adminToken), localkube.WithToken(releaseToken, rules))
	must(t, err)
	t.Cleanup(func() { must(t, standIn.Close()) })
	transport, err := rest.TransportFor(&rest.Config{Host: standIn.URL(), TLSClientConfig: rest.TLSClientConfig{CAData: standIn.CA()}})
	must(t, err)
	local = server{"localkube", standIn.URL(), &http.Client{Transport: transport}}
	config := c.config("")
	transport, err = rest.TransportFor(config)
	must(t, err)
	api = server{"kube-apiserver", c.url, &http.Client{Transport: transport}}
	c.create(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": shop}})
	c.create(t, object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata(shop, "release"), "rules": []any{
		object{"apiGroups": []any{"gateway.networking.k8s.io"}, "resources": []any{"httproutes"}, "verbs": []any{"get"}}}})
	c.create(t, object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata(shop, "release"),
		"roleRef": object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "release"}, "subjects": []any{object{"kind": "User", "name": releaseUser}}})
	for _, s := range []server{api, local} {
		s.mustPost(t, services, service(shop, "web-blue"))
		web := target{"HTTPRoute", shop, "web"}.route([]any{backendRef("HTTPRoute", "web-blue", 1)})
		part(web, "spec")["parentRefs"] = []any{object{"name": "absent"}} // Traefik would write a status
		s.mustPost(t, routes, web)
		s.mustPost(t, virtualServices, target{"VirtualService", shop, "web"}.virtualService([]any{destination("web-blue", 1)}))
	}
	standIn.StopController()
	return api, local
}

const (
	mergePatch      = "application/merge-patch+json"
	jsonPatch       = "application/json-patch+json"
	shop            = "shop"
	services        = "/api/v1/namespaces/shop/services"
	routes          = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes"
	virtualServices = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices"
)

func (s server) mustPost(t *testing.T, path string, o object) {
	t.Helper()
	if a := s.ask(t, question{verb: http.MethodPost, path: path, body: o}); a.Code != http.StatusCreated {
		t.Fatalf("%s: creating an object returned %d: %s %s", s.name, a.Code, textOf(t, a.Status), a.Text)
	}
}

// mustGet returns an object.
func (s server) mustGet(t *testing.T, path string) object {
	t.Helper()
	a := s.ask(t, question{verb: http.MethodGet, path: path})
	if a.Code != http.StatusOK {
		t.Fatalf("%s: reading %s returned %d: %s %s", s.name, path, a.Code, textOf(t, a.Status), a.Text)
	}
	return a.Object
}

func TestLocalkube(t *testing.T) {
	api, local := both(t)
	t.Run("fails as the API server", func(t *testing.T) { testFailures(t, api, local) })
	t.Run("writes as the API server", func(t *testing.T) { testWrites(t, api, local) })
}

// The stand-in answers what the API server answers: the same status, and a Status object with the same reason,
// message and details.
func testFailures(t *testing.T, api, local server) {
	t.Helper()
	for _, q := range failures() {
		t.Run(q.name, func(t *testing.T) {
			got, want := local.changed(t, q), api.changed(t, q)
			got.Object, want.Object = nil, nil
			want.simplify()
			got.simplify()
			if want.Code < http.StatusBadRequest {
				t.Fatalf("the API server answers with %d", want.Code)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("localkube answers\n%s\nthe API server\n%s", textOf(t, got), textOf(t, want))
			}
		})
	}
}

// simplify removes from a failure what is different each time. The API server repeats causes, those of metadata
// even three times: it is one cause.
func (a *answer) simplify() {
	details := part(a.Status, "details")
	var causes []any
	for _, c := range elements(details, "causes") {
		if !slices.ContainsFunc(causes, func(x any) bool { return reflect.DeepEqual(x, c) }) {
			causes = append(causes, c)
		}
	}
	if causes != nil {
		details["causes"] = causes
	}
	if message, is := a.Status["message"].(string); is {
		a.Status["message"], _, _ = strings.Cut(message, "UID in object meta: ")
	}
}

// changed asks a question whose body is an object, or a function of the object at the path.
func (s server) changed(t *testing.T, q question) answer {
	t.Helper()
	if change, is := q.body.(func(object)); is {
		path, _, _ := strings.Cut(q.path, "?")
		o := s.mustGet(t, path)
		change(o)
		if q.body = o; q.stale {
			s.ask(t, question{verb: http.MethodPatch, path: path, media: mergePatch, body: object{"metadata": object{"labels": object{"changed": "yes"}}}})
		}
	}
	return s.ask(t, q)
}

func rule(o object) object { return elements(part(o, "spec"), "rules")[0] }

// refs returns a change of the backends of the first rule.
func refs(all ...any) func(object) { return func(o object) { setRefs(o, all) } }

func failures() []question {
	web, blue, istio := routes+"/web", services+"/web-blue", virtualServices+"/web"
	many := []any{}
	for i := range 17 {
		many = append(many, backendRef("HTTPRoute", fmt.Sprint("web-", i), 1))
	}
	without := func(field string) any {
		ref := maps.Clone(backendRef("HTTPRoute", "web-blue", 1))
		delete(ref, field)
		return ref
	}
	redirect := object{"type": "RequestRedirect", "requestRedirect": object{"statusCode": 301}}
	get, put, post, patch := http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch
	all := []question{
		{name: "a missing route", verb: get, path: routes + "/absent"},
		{name: "a missing Service", verb: get, path: services + "/absent"},
		{name: "an update of a missing route", verb: put, path: routes + "/absent", body: target{"HTTPRoute", shop, "absent"}.route([]any{backendRef("HTTPRoute", "web-blue", 1)})},
		{name: "a patch of a missing route", verb: patch, path: routes + "/absent", media: jsonPatch, body: []any{}},
		{name: "a deletion of a missing route", verb: http.MethodDelete, path: routes + "/absent"},
		{name: "an old resourceVersion", verb: put, path: web, body: func(object) {}, stale: true},
		{name: "an old resourceVersion of a Service", verb: put, path: blue, body: func(object) {}, stale: true},
		{name: "no resourceVersion", verb: put, path: web, body: func(o object) { delete(part(o, "metadata"), "resourceVersion") }},
		{name: "another uid", verb: put, path: web, body: func(o object) { part(o, "metadata")["uid"] = "00000000-0000-0000-0000-000000000000" }},
		{name: "another name", verb: put, path: web, body: func(o object) { part(o, "metadata")["name"] = "other" }},
		{name: "another namespace", verb: put, path: web, body: func(o object) { part(o, "metadata")["namespace"] = "other" }},
		{name: "another kind", verb: put, path: web, body: func(o object) { o["kind"] = "GRPCRoute" }},
		{name: "a route that exists", verb: post, path: routes, body: target{"HTTPRoute", shop, "web"}.route([]any{backendRef("HTTPRoute", "web-blue", 1)})},
		{name: "a weight above the maximum", verb: put, path: web, body: refs(backendRef("HTTPRoute", "web-blue", 1_000_001))},
		{name: "a negative weight", verb: put, path: web, body: refs(backendRef("HTTPRoute", "web-blue", -1))},
		{name: "two wrong weights", verb: put, path: web, body: refs(backendRef("HTTPRoute", "web-blue", -1), backendRef("HTTPRoute", "web-green", 2_000_000))},
		{name: "a weight that is a text", verb: put, path: web, body: func(o object) { elements(rule(o), "backendRefs")[0]["weight"] = "5" }},
		{name: "a weight that is a fraction", verb: put, path: web, body: func(o object) { elements(rule(o), "backendRefs")[0]["weight"] = 1.5 }},
		{name: "17 backends", verb: put, path: web, body: refs(many...)},
		{name: "a backend without a name", verb: put, path: web, body: refs(without("name"))},
		{name: "a Service without a port", verb: put, path: web, body: refs(without("port"))},
		{name: "a rule with a bad name", verb: put, path: web, body: func(o object) { rule(o)["name"] = "No Name" }},
		{name: "a redirect with backends", verb: put, path: web, body: func(o object) { rule(o)["filters"] = []any{redirect} }},
		{name: "a patch that does not test", verb: patch, path: web, media: jsonPatch,
			body: []any{object{"op": "test", "path": "/spec/rules/0/name", "value": "other"}}},
		{name: "a patch of a rule that is not there", verb: patch, path: web, media: jsonPatch,
			body: []any{object{"op": "add", "path": "/spec/rules/7/backendRefs", "value": []any{}}}},
		{name: "a patch with a weight above the maximum", verb: patch, path: web, media: jsonPatch,
			body: []any{object{"op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": 1_000_001}}},
		{name: "a patch of an unknown type", verb: patch, path: web, media: "application/json", body: object{}},
		{name: "annotations that are too long", verb: put, path: web, body: func(o object) { part(o, "metadata")["annotations"] = object{"a": strings.Repeat("x", 300_000)} }},
		{name: "an annotation with a bad key", verb: put, path: web, body: func(o object) { part(o, "metadata")["annotations"] = object{"a b": "x"} }},
		{name: "a label with a bad value", verb: put, path: web, body: func(o object) { part(o, "metadata")["labels"] = object{"a": "x y"} }},
		{name: "a destination without a host", verb: put, path: istio, body: func(o object) { setRefs(o, []any{object{"weight": 1, "destination": object{}}}) }},
		{name: "a weight of Istio that is a text", verb: put, path: istio, body: func(o object) { setRefs(o, []any{object{"weight": "5", "destination": object{"host": "web-blue"}}}) }},
		{name: "a weight of Istio that is too large", verb: put, path: istio, body: func(o object) { setRefs(o, []any{destination("web-blue", 1<<31)}) }},
		{name: "a selector with a number", verb: put, path: blue, body: func(o object) { part(o, "spec")["selector"] = object{"app": 5} }},
		{name: "a selector with a bad value", verb: put, path: blue, body: func(o object) { part(o, "spec")["selector"] = object{"app": "a b"} }},
		{name: "an unknown version", verb: get, path: "/apis/gateway.networking.k8s.io/v9/namespaces/shop/httproutes/web"},
		{name: "an unknown group", verb: get, path: "/apis/absent.example.com/v1/namespaces/shop/httproutes/web"},
		{name: "an unknown resource", verb: get, path: "/apis/gateway.networking.k8s.io/v1/namespaces/shop/absents/web"},
	}
	return append(all, refusals()...)
}

// refusals are questions of somebody who may not ask them.
func refusals() []question {
	web := routes + "/web"
	ref := refs(backendRef("HTTPRoute", "web-blue", 5))
	return []question{
		{name: "an unknown token", verb: http.MethodGet, path: web, token: "unknown"},
		{name: "a list that is not allowed", verb: http.MethodGet, path: routes, token: releaseToken},
		{name: "a list of all namespaces that is not allowed", verb: http.MethodGet, path: "/apis/gateway.networking.k8s.io/v1/httproutes", token: releaseToken},
		{name: "a Service that is not allowed", verb: http.MethodGet, path: services + "/web-blue", token: releaseToken},
		{name: "an update that is not allowed", verb: http.MethodPut, path: web, body: ref, token: releaseToken},
		{name: "a patch that is not allowed", verb: http.MethodPatch, path: web, media: jsonPatch, body: []any{}, token: releaseToken},
		{name: "a status that is not allowed", verb: http.MethodPut, path: web + "/status", body: object{}, token: releaseToken},
		{name: "a missing route of another namespace", verb: http.MethodGet, path: "/apis/gateway.networking.k8s.io/v1/namespaces/other/httproutes/web", token: releaseToken},
		{name: "a creation that is not allowed", verb: http.MethodPost, path: routes, body: target{"HTTPRoute", shop, "new"}.route([]any{backendRef("HTTPRoute", "web-blue", 1)}), token: releaseToken},
	}
}
