package provider_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
)

const (
	kubeToken  = "s3cret-kube-token"
	httpRoutes = "httproutes.gateway.networking.k8s.io"
)

type object = map[string]any

// kubeSite is a cluster with the Services web-blue and web-green, each with two ready Pods, and the HTTPRoute web that
// sends everything to web-blue.
type kubeSite struct {
	*localkube.Server
	t *testing.T
}

func newKubeSite(t *testing.T) *kubeSite {
	t.Helper()
	s := newKubeCluster(t)
	s.route("web", "web-blue")
	return s
}

// newKubeCluster is a kubeSite without the HTTPRoute.
func newKubeCluster(t *testing.T, options ...localkube.Option) *kubeSite {
	t.Helper()
	server, err := localkube.Start(append([]localkube.Option{localkube.WithTLS(), localkube.WithToken(kubeToken)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s := &kubeSite{server, t}
	for _, name := range []string{"web-blue", "web-green"} {
		s.service("shop", name)
	}
	return s
}

// service puts a Service with two ready endpoints.
func (s *kubeSite) service(namespace, name string) {
	s.Put(object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": namespace, "name": name}, "spec": object{
		"selector": object{"app": name}, "ipFamilies": []any{"IPv4"}, "ports": []any{object{"name": "http", "port": 8080}}}})
	endpoints := []any{}
	for i := range 2 {
		endpoints = append(endpoints, object{"addresses": []any{fmt.Sprintf("10.0.0.%d", i+1)}, "conditions": object{"ready": true, "serving": true, "terminating": false}})
	}
	s.Put(object{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": endpoints,
		"metadata": object{"namespace": namespace, "name": name + "-x1", "labels": object{"kubernetes.io/service-name": name}},
		"ports":    []any{object{"name": "http", "port": 9090}}})
}

// route puts an HTTPRoute with a rule for each Service, which has all its traffic.
func (s *kubeSite) route(name string, services ...string) {
	rules := []any{}
	for i, service := range services {
		rules = append(rules, object{"name": fmt.Sprint("r", i), "backendRefs": []any{object{"name": service, "port": 8080, "weight": 1}}})
	}
	s.Put(object{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": object{"namespace": "shop", "name": name},
		"spec": object{"parentRefs": []any{object{"name": "edge"}}, "rules": rules}})
}

// pods puts two ready Pods with a color.
func (s *kubeSite) pods(color string) {
	for i := range 2 {
		s.Put(object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"namespace": "shop", "name": fmt.Sprint("web-", color, i), "labels": object{"app": "web", "color": color}},
			"status": object{"phase": "Running", "conditions": []any{object{"type": "Ready", "status": "True"}}}})
	}
}

// weights returns the weights of the first rule of a route that are not 0, by Service.
func (s *kubeSite) weights(name string) map[string]int {
	found := map[string]int{}
	spec, _ := s.Object(httpRoutes, "shop", name)["spec"].(object)
	rules, _ := spec["rules"].([]any)
	rule, _ := rules[0].(object)
	refs, _ := rule["backendRefs"].([]any)
	for _, x := range refs {
		ref, _ := x.(object)
		n := 0
		_, _ = fmt.Sscan(fmt.Sprint(ref["weight"]), &n)
		if n > 0 {
			found[fmt.Sprint(ref["name"])] = n
		}
	}
	return found
}

// mustHave checks that a Service has all the traffic of the route web.
func (s *kubeSite) mustHave(service string) {
	s.t.Helper()
	if got := slices.Collect(maps.Keys(s.weights("web"))); len(got) != 1 || got[0] != service {
		s.t.Errorf("the route has %v, want %s", s.weights("web"), service)
	}
}

// change changes the route web outside Terraform.
func (s *kubeSite) change(weights map[string]int) {
	o := s.Object(httpRoutes, "shop", "web")
	refs := []any{}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		refs = append(refs, object{"name": name, "port": 8080, "weight": weights[name]})
	}
	spec, _ := o["spec"].(object)
	spec["rules"] = []any{object{"name": "r0", "backendRefs": refs}}
	s.Put(o)
}

// updates counts the requests that changed weights or records since a request.
func (s *kubeSite) updates(mark int) int {
	n := 0
	for _, r := range s.Requests()[mark:] {
		if r.Verb == "update" || r.Verb == "patch" {
			n++
		}
	}
	return n
}

// kubeRelease is a configuration with environments that are Services.
type kubeRelease struct {
	*kubeSite
	provider, router, environment, environments, traffic, strategy, gates string
}

func (s *kubeSite) release(active string) kubeRelease {
	return kubeRelease{kubeSite: s, router: `routes = { web = ["httproute/shop/web"] }`,
		provider:     fmt.Sprintf("host = %q\n    token = %q\n    cluster_ca_certificate = %q", s.URL(), kubeToken, s.CA()),
		environment:  `services = { web = "web-${each.key}:8080" }`,
		environments: `{ blue = "1.0", green = "1.1" }`,
		traffic:      fmt.Sprintf("active = %q", active), strategy: `steps = [{ percent = 10, hold = "1ms" }]`}
}

func (r kubeRelease) String() string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

provider "bluegreen" {
  kubernetes {
    %[1]s
  }
}

resource "bluegreen_environment" "app" {
  for_each  = %[4]s
  name      = each.key
  version   = each.value
  %[3]s
  backed_by = []
  lifecycle {
    create_before_destroy = true
  }
}

resource "bluegreen_switch" "web" {
  kubernetes {
    %[2]s
  }
  environments = bluegreen_environment.app
  %[5]s
  strategy {
    settle = "1ms"
    %[6]s
  }
  health {
    steady_for = "1ms"
  }
  %[7]s
}
`, r.provider, r.router, r.environment, r.environments, r.traffic, r.strategy, r.gates)
}

// fails compares the errors of a command with a golden file, in which the address of the cluster is replaced.
func (s *kubeSite) fails(r run, part string) {
	s.t.Helper()
	if strings.Contains(r.text(), kubeToken) {
		s.t.Errorf("%s: the errors have the token", part)
	}
	r.failsAs(part, golden.Replace(s.URL(), "<cluster>"))
}

// A release on an HTTPRoute: a step, a revert, and the next release. It keeps everything else of the route, and leaves
// no record.
func TestKubernetes_release(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()
	s.mustHave("web-blue")
	w.write(s.release("green").String())
	w.plan().ok()
	w.scheduleIs("schedule")
	w.applyPlan().ok()
	s.mustHave("web-green")
	w.isEmpty()
	w.write(s.release("blue").String())
	w.apply().ok()
	s.mustHave("web-blue")

	s.service("shop", "web-red")
	next := s.release("red")
	next.environments = `{ blue = "1.0", red = "1.2" }`
	w.write(next.String())
	w.apply().ok()
	s.mustHave("web-red")
	w.isEmpty()
	w.must(w.busy.Finish(t.Context()))
	metadata, _ := s.Object(httpRoutes, "shop", "web")["metadata"].(object)
	if found := fmt.Sprint(metadata["annotations"]); strings.Contains(found, "bluegreen/") {
		t.Errorf("records are left: %s", found)
	}
}

// A gate that fails on the new version rolls the route back, and the version is rejected.
func TestKubernetes_gateFails(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	w.write(s.release("blue").String())
	w.apply().ok()
	r := s.release("green")
	r.strategy = `steps = [{ percent = 10, hold = "1m" }]`
	r.gates = smokeGate(server.URL, "10ms", `when = "during"`)
	w.write(r.String())
	s.fails(w.apply(), "error")
	s.mustHave("web-blue")
	mark := len(s.Requests())
	s.fails(w.apply(), "again")
	if n := s.updates(mark); n > 0 {
		t.Errorf("%d updates", n)
	}
}

// Somebody moved all the traffic: the plan and the apply say so, and nothing is undone.
func TestKubernetes_externalChange(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()
	s.change(map[string]int{"web-blue": 0, "web-green": 1})
	w.plan().ok()
	w.scheduleIs("schedule")
	s.fails(w.apply(), "error")
	s.mustHave("web-green")
	w.write(s.release("green").String())
	w.apply().ok()
	s.mustHave("web-green")
}

// selectorRelease is a release on the selector of a Service.
func (s *kubeSite) selectorRelease(active string) kubeRelease {
	r := s.release(active)
	r.router, r.strategy = `routes = { web = ["service/shop/web"] }`, ""
	r.environment = `selectors = { web = { app = "web", color = each.key } }`
	return r
}

// newSelectorSite has also the Service web, which selects the blue Pods.
func newSelectorSite(t *testing.T) *kubeSite {
	t.Helper()
	s := newKubeSite(t)
	s.pods("blue")
	s.pods("green")
	s.Put(object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": "shop", "name": "web"}, "spec": object{
		"selector": object{"app": "web", "color": "blue"}, "ports": []any{object{"name": "http", "port": 80}}}})
	return s
}

func (s *kubeSite) selector() string {
	spec, _ := s.Object("services", "shop", "web")["spec"].(object)
	return fmt.Sprint(spec["selector"])
}

// The selector of a Service is changed all at once.
func TestKubernetes_selector(t *testing.T) {
	t.Parallel()
	s, w := newSelectorSite(t), newWorkspace(t)
	w.write(s.selectorRelease("blue").String())
	w.apply().ok()
	w.write(s.selectorRelease("green").String())
	w.plan().ok()
	w.scheduleIs("schedule")
	w.applyPlan().ok()
	if got := s.selector(); got != "map[app:web color:green]" {
		t.Error(got)
	}
	w.isEmpty()
	w.write(s.selectorRelease("blue").String())
	w.apply().ok()
	if got := s.selector(); got != "map[app:web color:blue]" {
		t.Error(got)
	}
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	next := s.selectorRelease("green")
	next.environments, next.strategy, next.gates = `{ blue = "1.0", green = "1.2" }`, `bake = "1m"`, smokeGate(server.URL, "10ms", `when = "during"`)
	w.write(next.String())
	w.apply().failsAs("gate", golden.ReplacePattern(`Step: .*`, "Step: <that at 100 % or the bake>"))
	if got := s.selector(); got != "map[app:web color:blue]" {
		t.Error(got)
	}
}

// An import reads what the route does, and the configuration agrees with it.
func TestKubernetes_import(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	r := s.release("blue")
	w.write(r.String())
	mark := len(s.Requests())
	w.imports("web=httproute/shop/web")
	w.apply().ok()
	w.isEmpty()
	if n := s.updates(mark); n > 0 {
		t.Errorf("%d updates", n)
	}
	s.mustHave("web-blue")
}

// The data source reads routes with weights and selectors.
func TestKubernetes_dataSource(t *testing.T) {
	t.Parallel()
	s, w := newSelectorSite(t), newWorkspace(t)
	s.change(map[string]int{"web-blue": 3, "web-green": 1})
	head, _, _ := strings.Cut(s.release("blue").String(), "resource ")
	w.write(head + `
data "bluegreen_switch" "web" {
  routes = { web = ["httproute/shop/web"] }
  environments = {
    blue  = { services = { web = "web-blue:8080" }, version = "1.0" }
    green = { services = { web = "web-green:8080" } }
  }
}

data "bluegreen_switch" "selector" {
  routes = { web = ["service/shop/web"] }
  environments = {
    blue  = { selectors = { web = { color = "blue", app = "web" } }, version = "1.0" }
    green = { selectors = { web = { color = "green", app = "web" } } }
  }
}

resource "terraform_data" "seen" {
  input = jsonencode([data.bluegreen_switch.web.weights, data.bluegreen_switch.selector.live])
}

output "seen" {
  value = terraform_data.seen.input
}
`)
	w.apply().ok()
	out, err := w.prepare("output", "-raw", "seen").Output()
	w.must(err)
	if got := string(out); got != `[{"blue":75,"green":25},{"environment":"blue","version":"1.0"}]` {
		t.Error(got)
	}
}

// The schedule warns of what else manages the object of a route, with what to do about each. The plan of a Create, which
// has no schedule, warns too.
func TestKubernetes_managedByOthers(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	s.claim()
	w.write(s.release("blue").String())
	r := w.plan()
	r.ok()
	golden.Record(t, r.warnings())
	w.applyPlan().ok()
	s.claim()
	w.write(s.release("green").String())
	r = w.plan()
	r.ok()
	if text := r.warnings(); text != "" {
		t.Errorf("what the schedule has is a warning, too:\n%s", text)
	}
	w.scheduleIs("schedule")
	w.applyPlan().ok()
	s.mustHave("web-green")
}

// claim puts the route with what each tool leaves on its objects.
func (s *kubeSite) claim() {
	o := s.Object(httpRoutes, "shop", "web")
	metadata, _ := o["metadata"].(object)
	metadata["labels"] = object{"argocd.argoproj.io/instance": "shop", "kustomize.toolkit.fluxcd.io/name": "apps"}
	metadata["annotations"] = object{"meta.helm.sh/release-name": "web"}
	metadata["managedFields"] = []any{object{"manager": "Terraform", "operation": "Apply", "fieldsV1": object{"f:spec": object{"f:rules": object{}}}}}
	s.Remove(httpRoutes, "shop", "web")
	s.Put(o)
}

// Routes of two kinds, two rules and two namespaces shift in lock-step, each with its own Services.
func TestKubernetes_lockStep(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	s.route("api", "web-blue", "web-blue")
	for _, name := range []string{"mesh-blue", "mesh-green"} {
		s.service("edge", name)
	}
	mesh := func(blue, green int) []any {
		destination := func(name string, weight int) object {
			return object{"weight": weight, "destination": object{"host": name, "port": object{"number": 8080}}}
		}
		return []any{destination("mesh-blue", blue), destination("mesh-green", green)}
	}
	s.Put(object{"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": object{"namespace": "edge", "name": "mesh"},
		"spec": object{"hosts": []any{"mesh"}, "http": []any{object{"name": "primary", "route": mesh(100, 0)}}}})
	release := func(active string) string {
		r := s.release(active)
		r.router = `routes = {
      web  = ["httproute/shop/web", "httproute/shop/api#r1"]
      mesh = ["virtualservice/edge/mesh#primary"]
    }`
		r.environment = `services = { web = "shop/web-${each.key}:8080", mesh = "mesh-${each.key}:8080" }`
		return r.String()
	}
	w.write(release("blue"))
	w.apply().ok()
	w.write(release("green"))
	w.apply().ok()
	s.mustHave("web-green")
	if got := s.weights("api"); got["web-blue"] == 0 || len(got) != 1 {
		t.Errorf("the other rule has %v", got)
	}
	w.isEmpty()
	s.Put(object{"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": object{"namespace": "edge", "name": "mesh"},
		"spec": object{"hosts": []any{"mesh"}, "http": []any{object{"name": "primary", "route": mesh(100, 0)}}}})
	s.fails(w.apply(), "moved outside")
	w.write(release("blue"))
	w.apply().ok()
	s.mustHave("web-blue")
}

// An environment that has traffic is neither changed in place nor destroyed; one that is idle is.
func TestKubernetes_protects(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()
	in := s.release("blue")
	in.environments = `{ blue = "1.1", green = "1.1" }`
	w.write(in.String())
	s.fails(w.plan(), "changed")
	gone := s.release("green")
	gone.environments = `{ green = "1.1" }`
	w.write(gone.String())
	w.apply().ok()
	s.mustHave("web-green")
	w.isEmpty()
}

// A token that expires before the end of a step is refused before the traffic moves.
func TestKubernetes_tokenExpiresBeforeTheStep(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	end := time.Now().Add(10 * time.Minute)
	token := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, end.Unix())) + ".c2ln"
	s.Allow(token)
	w.write(s.release("blue").String())
	w.apply().ok()
	r := s.release("green")
	r.provider = strings.Replace(r.provider, kubeToken, token, 1)
	r.strategy = `steps = [{ percent = 10, hold = "1h" }]`
	w.write(r.String())
	w.apply().failsAs("error", golden.Replace(end.UTC().Format(time.RFC3339), "<end>"))
	s.mustHave("web-blue")
}
