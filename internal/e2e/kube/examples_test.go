//go:build linux

package kube

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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
	plugins := built.WithPlugins(t)
	a := &applied{world: &world{Bare: e2e.NewBare(t), t: t, c: c, namespace: c.namespace(t), kind: kind, front: newFront(t, c)}}
	newControllers(t, c, a.namespace)
	example, err := rehearsal.NewExample(rehearsal.ExampleTerms{Sources: []string{filepath.Join(built.Root, "examples", name)}, Name: ".", Dir: t.TempDir(),
		Pace: rehearsal.ExamplePace{Hold: "1s", Settle: "500ms", Interval: "200ms"}})
	must(t, err)
	a.example = example
	a.Terraform.Dir = example.Terraform.Dir
	a.Terraform.Env = append(a.Terraform.Env, "TF_CLI_CONFIG_FILE="+plugins)
	a.values = map[string]any{"kubeconfig": a.front.kubeconfig(t, adminToken), "context": "test", "namespace": a.namespace, "image": "example.com/web", "replicas": 2}
	maps.Copy(a.values, values)
	must(t, a.Terraform.Override("  health {\n    steady_for = \"1s\"\n  }\n"))
	must(t, example.Init())
	return a
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

// The route of the example is Terraform's and its weights are the switch's: neither changes what the other one manages.
func TestExamples_httpRoute(t *testing.T) {
	t.Parallel()
	a := newApplied(t, "kubernetes-httproute", "HTTPRoute", map[string]any{"gateway": map[string]any{"namespace": "default", "name": "edge"}, "prometheus": noErrors(t)})
	must(t, a.example.Edit("main.tf", `"1m"`, `"1ms"`)) // the initial delay
	host := a.namespace + ".example.com"
	a.route = a.of("gateway.networking.k8s.io/v1", "HTTPRoute", "web")
	a.c.users(t)

	a.set(map[string]any{"hostname": host})
	a.mustHaveAll("blue")
	a.responds(host, "1.4.2")
	a.set(map[string]any{"releases": map[string]string{"blue": "1.4.2", "green": "1.5.0"}, "active": "green"})
	a.mustHaveAll("green")
	a.responds(host, "1.5.0")
	a.set(map[string]any{"hostname": "new." + host})
	a.mustHaveAll("green")
	a.responds("new."+host, "1.5.0")
	// EXPLORE
	must(t, a.example.Edit("main.tf", `rules = [{`, `rules = [{
        timeouts = { request = "10s" }`))
	out, ok := a.Start().Wait()
	t.Logf("EXPLORE %v\n%s\n%v", ok, out, a.weights())
	t.Log(textOf(t, a.c.get(t, a.route)))
	a.destroy()
}
