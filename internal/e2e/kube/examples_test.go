//go:build linux

package kube

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// applied is an example of the documentation in the cluster, with the real hashicorp/kubernetes. Only its durations are
// shorter. The variables are those that a user sets. What stands in for the controllers and nodes is in controllers.
type applied struct {
	*world
	example *rehearsal.Example
	values  map[string]any
}

// newApplied copies an example. It skips the test without hashicorp/kubernetes.
func newApplied(t *testing.T, name, kind string, values map[string]any) *applied {
	t.Helper()
	c := start(t)
	built := e2e.Build(t)
	plugins := built.WithPlugins(t, "hashicorp/kubernetes")
	a := &applied{world: &world{Bare: e2e.NewBare(t), t: t, c: c, namespace: c.namespace(t), kind: kind, front: newFront(t, c)}}
	newControllers(t, c, a.namespace)
	example, err := rehearsal.NewExample(rehearsal.ExampleTerms{Sources: []string{filepath.Join(built.Root, "examples", name)}, Name: ".", Dir: t.TempDir(),
		Pace: rehearsal.ExamplePace{Hold: "1s", Settle: "500ms", Interval: "200ms"}})
	must(t, err)
	a.Terraform.Dir = example.Terraform.Dir
	a.example, example.Terraform = example, a.Terraform
	a.Terraform.Env = append(a.Terraform.Env, "TF_CLI_CONFIG_FILE="+plugins)
	must(t, a.shorten())
	a.values = map[string]any{"kubeconfig": a.front.kubeconfig(t, adminToken), "context": "test", "namespace": a.namespace, "image": "example.com/web", "replicas": 2}
	maps.Copy(a.values, values)
	must(t, example.Init())
	return a
}

// shorten sets what a test waits for and rehearsal.ExamplePace does not.
func (a *applied) shorten() error {
	text, err := os.ReadFile(filepath.Join(a.Terraform.Dir, "main.tf"))
	if err == nil && strings.Contains(string(text), "initial_delay") {
		err = a.example.Edit("main.tf", `initial_delay = "1m"`, `initial_delay = "1ms"`)
	}
	return errors.Join(err, a.Terraform.Override("  health {\n    steady_for = \"1s\"\n  }\n"))
}

// set is an edit of the variables, with an apply. Nothing is left to change.
func (a *applied) set(values map[string]any) {
	a.t.Helper()
	maps.Copy(a.values, values)
	must(a.t, a.example.Set(a.values))
	a.MustApply()
	a.mustBeSettled()
}

// destroy destroys everything, together with the environment that has the traffic: the variable is what the refusal names.
func (a *applied) destroy() {
	a.t.Helper()
	a.Terraform.Env = append(a.Terraform.Env, "BLUEGREEN_ALLOW_DESTROY=1")
	if out, err := a.Terraform.Output("destroy", "-no-color", "-auto-approve"); err != nil {
		a.t.Errorf("destroy failed: %v\n%s", err, out)
	}
}

// of is an object of the example, by its kind.
func (a *applied) of(version, kind, name string) object {
	return object{"apiVersion": version, "kind": kind, "metadata": metadata(a.namespace, name)}
}

// noErrors is a Prometheus server that has counted no errors.
func noErrors(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/query" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"0"]}]}}`, time.Now().Unix())
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// responds waits until a version answers the users of a host, through Traefik.
func (a *applied) responds(host, version string) {
	a.t.Helper()
	client := e2e.Client(a.t)
	client.Transport = asHost{host, client.Transport}
	a.Eventually("version "+version+" responds", func() bool {
		got, err := e2e.VersionAt(client, "http://"+a.c.users(a.t))
		return err == nil && got == version
	})
}

// asHost requests a host, wherever it is.
type asHost struct {
	host string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (h asHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = h.host
	if h.next == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	return h.next.RoundTrip(r)
}

// release is the release that the README of the example has.
var release = map[string]any{"releases": map[string]string{"blue": "1.4.2", "green": "1.5.0"}, "active": "green"}

// The route of the example is Terraform's and its weights are the switch's: an edit of the one leaves the other alone.
func TestExamples_httpRoute(t *testing.T) {
	t.Parallel()
	a := newApplied(t, "kubernetes-httproute", "HTTPRoute", map[string]any{"gateway": map[string]any{"namespace": "default", "name": "edge"}, "prometheus": noErrors(t)})
	host := a.namespace + ".example.com"
	a.route = a.of("gateway.networking.k8s.io/v1", "HTTPRoute", "web")
	a.c.users(t)

	a.set(map[string]any{"hostname": host})
	a.mustHaveAll("blue")
	a.responds(host, "1.4.2")
	a.set(map[string]any{"hostname": "new." + host})
	a.mustHaveAll("blue")
	a.responds("new."+host, "1.4.2")
	a.set(release)
	a.mustHaveAll("green")
	a.responds("new."+host, "1.5.0")
	a.set(map[string]any{"hostname": host})
	a.mustHaveAll("green")
	a.responds(host, "1.5.0")
	a.mustKeepWeights(`rules = [{`, `rules = [{
        timeouts = { request = "10s" }`, `backendRefs = [{ name = "web-blue", port = 8080, weight = 100 }]`,
		`backendRefs = [{ name = "web-blue", port = 8080, weight = 0 }, { name = "web-green", port = 8080, weight = 100 }]`)
	if got := part(rule(a.c.get(t, a.route)), "timeouts")["request"]; got != "10s" {
		t.Errorf("the timeout of the rule is %v", got)
	}
	a.responds(host, "1.5.0")
	a.set(map[string]any{"active": "blue"})
	a.mustHaveAll("blue")
	a.responds(host, "1.4.2")
	a.destroy()
}

// mustKeepWeights edits the rule that the switch manages. The API server refuses what would move traffic. The edit that
// the guide describes, with the weights that the route has, is accepted.
func (a *applied) mustKeepWeights(old, edited, firstWeights, weights string) {
	a.t.Helper()
	must(a.t, a.example.Edit("main.tf", old, edited))
	if out := a.mustFail(); !strings.Contains(out, `conflict with \"bluegreen\"`) {
		a.t.Errorf("the apply does not fail because of a conflict:\n%s", out)
	}
	a.mustHaveAll("green")
	must(a.t, a.example.Edit("main.tf", firstWeights, weights))
	const fields = "  computed_fields"
	const force = "  field_manager {\n    force_conflicts = true\n  }\n"
	must(a.t, a.example.Edit("main.tf", fields, force+fields))
	a.set(nil)
	a.mustHaveAll("green")
	must(a.t, a.example.Edit("main.tf", force, ""))
	a.set(nil)
	a.mustHaveAll("green")
}

// The same for a VirtualService. Nothing here plays Envoy: TestRelease_mesh and its like show what the weights do.
func TestExamples_istio(t *testing.T) {
	t.Parallel()
	a := newApplied(t, "kubernetes-istio", "VirtualService", map[string]any{"gateway": "istio-ingress/edge", "prometheus": noErrors(t)})
	a.route = a.of("networking.istio.io/v1", "VirtualService", "web")

	a.set(map[string]any{"hostname": "shop.example.com"})
	a.mustHaveAll("blue")
	a.set(release)
	a.mustHaveAll("green")
	a.set(map[string]any{"hostname": "new.example.com"})
	a.mustHaveAll("green")
	a.mustKeepWeights(`name = "primary"`, `name = "primary"
        timeout = "10s"`, `route = [{
          destination = { host = "web-blue", port = { number = 8080 } }
          weight      = 100 # at the first apply
        }]`, `route = [
          { destination = { host = "web-blue", port = { number = 8080 } }, weight = 0 },
          { destination = { host = "web-green", port = { number = 8080 } }, weight = 100 },
        ]`)
	a.destroy()
}

// programs puts programs on the PATH of Terraform. No Pod runs here, so kubectl cannot be the real one.
func (a *applied) programs(texts map[string]string) {
	a.t.Helper()
	dir := a.t.TempDir()
	for name, text := range texts {
		must(a.t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o700))
	}
	scripts, err := filepath.Glob(filepath.Join(a.Terraform.Dir, "*.sh"))
	must(a.t, err)
	for _, script := range scripts {
		must(a.t, os.Chmod(script, 0o700)) // the copy has lost that
	}
	a.Terraform.Env = append(a.Terraform.Env, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// The Service of the example is Terraform's, and its selector is the switch's. The smoke test of the example requests a
// server that stands in for a Pod, through a stand-in for kubectl.
func TestExamples_selector(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: the script of the example needs curl")
	}
	a := newApplied(t, "kubernetes-selector", "Service", nil)
	var tested atomic.Int64
	pod := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { tested.Add(1) }))
	t.Cleanup(pod.Close)
	_, port, err := net.SplitHostPort(pod.Listener.Addr().String())
	must(t, err)
	a.programs(map[string]string{"kubectl": `
[ "$*" = "--context test --namespace ` + a.namespace + ` port-forward deployment/web-green :8080" ] || { echo "unexpected arguments: $*"; exit 1; }
echo "Forwarding from 127.0.0.1:` + port + ` -> 8080"
exec sleep 60
`})
	users := a.of("v1", "Service", "web")

	a.set(nil)
	a.mustSelect(users, "blue", "1.4.2")
	if tested.Load() != 0 {
		t.Error("the first apply, which moves no traffic, ran the smoke test")
	}
	a.set(release)
	a.mustSelect(users, "green", "1.5.0")
	if tested.Load() == 0 {
		t.Error("the smoke test requested nothing")
	}
	must(t, a.example.Edit("main.tf", `color = "blue" } # at the first apply`, `color = "blue" } # at the first apply
    session_affinity = "ClientIP"`))
	a.set(nil)
	a.mustSelect(users, "green", "1.5.0")
	if got := part(a.c.get(t, users), "spec")["sessionAffinity"]; got != "ClientIP" {
		t.Errorf("the session affinity of the Service is %v", got)
	}
	a.destroy()
}

// mustSelect checks which environment a Service selects, and that its version responds.
func (a *applied) mustSelect(service object, environment, version string) {
	a.t.Helper()
	spec := part(a.c.get(a.t, service), "spec")
	if got, want := part(spec, "selector"), (object{"app": "web", "color": environment}); !reflect.DeepEqual(got, want) {
		a.t.Errorf("the selector of the Service is %v, want %v", got, want)
	}
	client := e2e.Client(a.t)
	a.Eventually("version "+version+" responds", func() bool {
		got, err := e2e.VersionAt(client, "http://"+net.JoinHostPort(fmt.Sprint(spec["clusterIP"]), "8080"))
		return err == nil && got == version
	})
}

// A changed NetworkPolicy is a release of its own, after the script of the example has tested it. No network plugin runs
// here: an nc that knows which paths are open stands in for the Pod, and the test creates the HTTPRoute.
func TestExamples_networkPolicy(t *testing.T) {
	t.Parallel()
	a := newApplied(t, "kubernetes-network-policy", "HTTPRoute", nil)
	a.programs(map[string]string{"kubectl": `
case "$*" in "--context test --namespace ` + a.namespace + ` exec deployment/web-green -- "*) ;; *) echo "unexpected arguments: $*"; exit 1 ;; esac
shift 7
exec "$@"
`, "nc": `case "$*" in "-z -w 5 db.shop 5432" | "-z -w 5 payments.example.com 443") ;; *) exit 1 ;; esac`})
	a.route = target{"HTTPRoute", a.namespace, "web"}.route([]any{object{"name": "web-blue", "port": 8080, "weight": 100}})
	a.c.create(t, a.route)
	host := a.namespace + ".example.com"
	a.c.users(t)
	allow := func(host, cidr string, port int) object { return object{"host": host, "cidr": cidr, "port": port} }
	database, payments := allow("db.shop", "10.0.3.0/24", 5432), allow("payments.example.com", "203.0.113.0/24", 443)
	environment := func(egress object) object { return object{"release": "1.4.2", "egress": egress} }
	blue := environment(object{"database": database})

	a.set(map[string]any{"environments": object{"blue": blue, "green": blue}})
	a.mustHaveAll("blue")
	a.responds(host, "1.4.2")
	wrong := environment(object{"database": database, "search": allow("search.example.com", "203.0.113.0/24", 9200)})
	maps.Copy(a.values, map[string]any{"environments": object{"blue": blue, "green": wrong}, "active": "green"})
	must(t, a.example.Set(a.values))
	if out := a.mustFail(); !strings.Contains(out, "search.example.com:9200: closed, but must be open") {
		t.Errorf("the release fails for another reason:\n%s", out)
	}
	a.mustHaveAll("blue")
	a.set(map[string]any{"environments": object{"blue": blue, "green": environment(object{"database": database, "payments": payments})}})
	a.mustHaveAll("green")
	policy := a.c.get(t, a.of("networking.k8s.io/v1", "NetworkPolicy", "web-green"))
	if got := len(elements(part(policy, "spec"), "egress")); got != 3 {
		t.Errorf("the policy of green has %d rules, want 3:\n%s", got, textOf(t, policy))
	}
	a.destroy()
}
