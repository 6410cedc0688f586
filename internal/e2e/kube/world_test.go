//go:build linux

package kube

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// world is a switch on a route of the cluster, with the environments blue and green. Blue is live.
type world struct {
	*e2e.Bare
	t         *testing.T
	c         *cluster
	namespace string
	kind      string
	route     object // as it was created
	apps      map[string]*app
	url       string
	front     *front
	config    worldConfig
}

// worldConfig is what a user edits.
type worldConfig struct {
	active   string
	versions map[string]string // by environment
	steps    string            // HCL
	bake     string
	gates    string // blocks
}

const endless = `[{ percent = 5, hold = "10h" }]`

// newWorld creates two applications and an HTTPRoute, and adopts it.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := newUnmanagedWorld(t)
	w.adopt()
	return w
}

// newUnmanagedWorld is newWorld without a switch.
func newUnmanagedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorldOf(t, "HTTPRoute")
	w.serve(w.ref("blue", 100), w.ref("green", 0))
	return w
}

// serve creates an HTTPRoute with backends.
func (w *world) serve(refs ...any) {
	w.t.Helper()
	w.url = "http://" + w.c.users(w.t) + "/" + w.namespace
	w.route = target{"HTTPRoute", w.namespace, "web"}.route(refs)
	rule(w.route)["matches"] = []any{object{"path": object{"type": "PathPrefix", "value": "/" + w.namespace}}}
	delete(part(w.route, "spec"), "hostnames")
	w.c.create(w.t, w.route)
	w.blueResponds()
}

// newWorldOf creates the applications only.
func newWorldOf(t *testing.T, kind string) *world {
	t.Helper()
	c := start(t)
	w := &world{Bare: e2e.NewBare(t), t: t, c: c, namespace: c.namespace(t), kind: kind, apps: map[string]*app{}, front: newFront(t, c)}
	w.config = worldConfig{active: "blue", versions: map[string]string{}, bake: "1s", steps: `[{ percent = 5, hold = "1s" }, { percent = 50, hold = "1s" }]`}
	for name, version := range map[string]string{"blue": "1", "green": "2"} {
		w.apps[name] = c.newApp(t, w.namespace, "web-"+name, rehearsal.AppTerms{Version: version})
		w.config.versions[name] = version
	}
	w.as(adminToken)
	return w
}

// as makes Terraform use a token.
func (w *world) as(token string) {
	w.t.Helper()
	path := w.front.kubeconfig(w.t, token)
	w.Terraform.Env = append(w.Terraform.Env, "KUBE_CONFIG_PATH="+path, "KUBECONFIG="+path)
}

// ref is a backend of the route.
func (w *world) ref(environment string, weight int) any {
	a := w.apps[environment]
	if w.kind == "VirtualService" {
		return object{"destination": object{"host": a.service, "port": object{"number": a.port}}, "weight": weight}
	}
	ref := object{"name": a.service, "port": a.port, "weight": weight}
	if a.namespace != w.namespace {
		ref["namespace"] = a.namespace
	}
	return ref
}

// blueResponds waits until the data plane has the route.
func (w *world) blueResponds() {
	w.t.Helper()
	client := e2e.Client(w.t)
	w.Eventually("blue responds", func() bool {
		version, err := e2e.VersionAt(client, w.url)
		return err == nil && version == "1"
	})
}

// adopt applies the configuration for the first time.
func (w *world) adopt() {
	w.t.Helper()
	w.write()
	w.MustApply()
}

// groups returns the ids of the environments' backends.
func (w *world) groups() map[string]string {
	ids := map[string]string{}
	for name, a := range w.apps {
		ids[name] = fmt.Sprintf("service/%s/%s:%d", a.namespace, a.service, a.port)
	}
	return ids
}

// deploy runs another version in an environment.
func (w *world) deploy(environment string, terms rehearsal.AppTerms) {
	w.apps[environment].deploy(terms)
	w.config.versions[environment] = terms.Version
}

// activate sets the active environment.
func (w *world) activate(name string) {
	w.t.Helper()
	w.config.active = name
	w.write()
}

func (w *world) write() {
	w.t.Helper()
	w.Write(w.hcl())
}

func (w *world) hcl() string {
	environments := ""
	for _, name := range []string{"blue", "green"} {
		a := w.apps[name]
		service := fmt.Sprintf("%s:%d", a.service, a.port)
		if a.namespace != w.namespace {
			service = a.namespace + "/" + service
		}
		environments += fmt.Sprintf("    %s = { version = %q, service = %q }\n", name, w.config.versions[name], service)
	}
	// What is in flight ends within the settle time, and the data plane follows a write within it.
	return fmt.Sprintf(`terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

resource "bluegreen_environment" "app" {
  for_each = {
%s  }
  name      = each.key
  version   = each.value.version
  services  = { web = each.value.service }
  backed_by = []
  lifecycle {
    create_before_destroy = true
  }
}

resource "bluegreen_switch" "web" {
  kubernetes {
    routes = { web = ["%s/%s/web"] }
  }
  environments = bluegreen_environment.app
  active       = %q
  strategy {
    steps  = %s
    bake   = %q
    settle = %q
  }
  health {
    steady_for = "1ms"
  }
  %s
}
`, environments, strings.ToLower(w.kind), w.namespace, w.config.active, w.config.steps, w.config.bake, slow.Deadline(500*time.Millisecond), w.config.gates)
}

// load starts a load.
func (w *world) load() *rehearsal.Load {
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: w.url, Rate: 2 * e2e.ParallelRate, Clients: 24, NewConnections: w.kind == "TCPRoute"})
	w.t.Cleanup(func() { load.Stop() })
	return load
}

// more waits for the responses to a number of requests.
func (w *world) more(load *rehearsal.Load, n int) {
	w.t.Helper()
	before := load.Counts().Requests
	w.Eventually("more requests", func() bool { return load.Counts().Requests >= before+n })
}

// lostNothing ends a load and checks that every request was answered by the application.
func (w *world) lostNothing(load *rehearsal.Load) rehearsal.Counts {
	w.t.Helper()
	counts := load.Stop()
	if counts.Lost > 0 || counts.Requests == 0 {
		w.t.Errorf("%d of %d requests were lost; the first: %s", counts.Lost, counts.Requests, counts.FirstLost)
	}
	return counts
}

// weights returns the weights of the route, by environment.
func (w *world) weights() map[string]int {
	w.t.Helper()
	return weightsOf(w.c.get(w.t, w.route))
}

// refsOf returns the backends of the first rule of a route.
func refsOf(o object) []object {
	spec := part(o, "spec")
	for _, rule := range append(elements(spec, "rules"), elements(spec, "http")...) {
		return append(elements(rule, "backendRefs"), elements(rule, "route")...)
	}
	return nil
}

// environmentOf returns the environment that a backend belongs to.
func environmentOf(ref object) string {
	name, _ := ref["name"].(string)
	if destination := part(ref, "destination"); destination != nil {
		name, _ = destination["host"].(string)
	}
	return strings.TrimPrefix(name, "web-")
}

// weightsOf returns the weights of the first rule of a route, by environment.
func weightsOf(o object) map[string]int {
	weights := map[string]int{}
	for _, ref := range refsOf(o) {
		n, _ := ref["weight"].(int64)
		weights[environmentOf(ref)] = int(n)
	}
	return weights
}

// has reports whether an environment has a share of the traffic in percent.
func (w *world) has(environment string, percent int) bool {
	w.t.Helper()
	all, sum := w.weights(), 0
	for _, n := range all {
		sum += n
	}
	return sum > 0 && all[environment]*100 == percent*sum
}

func (w *world) mustHaveAll(environment string) {
	w.t.Helper()
	if !w.has(environment, 100) {
		w.t.Errorf("%s does not have all the traffic: %v", environment, w.weights())
	}
}

// inHold waits until green has a share.
func (w *world) inHold(percent int) {
	w.t.Helper()
	w.Eventually(fmt.Sprintf("green has %d %%", percent), func() bool { return w.has("green", percent) })
}

// set sets the weights as somebody else does.
func (w *world) set(weights map[string]int) {
	w.t.Helper()
	w.c.change(w.t, w.route, func(o object) {
		for _, ref := range refsOf(o) {
			ref["weight"] = weights[environmentOf(ref)]
		}
	})
}

// mustFail is an apply that has to fail.
func (w *world) mustFail() string {
	w.t.Helper()
	out, ok := w.Start().Wait()
	if ok {
		w.t.Fatalf("apply succeeded:\n%s", out)
	}
	return out
}

// mustBeSettled checks that the plan is empty.
func (w *world) mustBeSettled(args ...string) {
	w.t.Helper()
	out, err := w.Terraform.Output(append([]string{"plan", "-no-color", "-detailed-exitcode"}, args...)...)
	if err != nil {
		w.t.Errorf("the plan is not empty: %v\n%s", err, out)
	}
}

// state returns what Terraform shows of an attribute of the switch.
func (w *world) state() string {
	w.t.Helper()
	out, err := w.Terraform.Output("state", "show", "-no-color", "bluegreen_switch.web")
	must(w.t, err)
	return string(out)
}

// answersFor is a gate that requests a URL.
func answersFor(url string) string {
	return `
  gate {
    name     = "users"
    interval = "200ms"
    http {
      url = "` + url + `"
    }
  }
`
}

// kubeconfig writes a file with which kubectl and the provider find the front.
func (f *front) kubeconfig(t *testing.T, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: %s
    certificate-authority: %s
contexts:
- name: test
  context: {cluster: test, user: test}
users:
- name: test
  user: {token: %s}
`, f.url, filepath.Join(f.c.dir, "tls.crt"), token)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// isWrite reports whether a request changes a route.
func isWrite(r *http.Request) bool {
	return (r.Method == http.MethodPut || r.Method == http.MethodPatch) && (strings.Contains(r.URL.Path, "routes/") || strings.Contains(r.URL.Path, "/virtualservices/"))
}
