package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
)

// What is wrong with routes, Services and labels is said at plan, as far as it is known then.
func TestKubernetes_badInput(t *testing.T) {
	t.Parallel()
	s, w := newSelectorSite(t), newWorkspace(t)
	s.route("api", "web-blue", "web-green")
	s.twoRules("twice", "v2")
	mark, route := len(s.Requests()), `"httproute/shop/web"`
	weighted, selected, metered := s.release("blue"), s.selectorRelease("blue"), s.release("blue")
	for _, r := range []*kubeRelease{&weighted, &selected} {
		r.environments = `{ blue = "1.0" }` // Terraform reports the errors of two in any order
	}
	metered.gates = gateBlock("users", block("target_metrics", "max_error_rate = 1"))
	for _, c := range []struct {
		name    string
		release kubeRelease
		change  func(text string) string
	}{
		{"kind in upper case", weighted, replace(route, `"HTTPRoute/shop/web"`)},
		{"no namespace", weighted, replace(route, `"httproute/web"`)},
		{"unknown kind", weighted, replace(route, `"ingress/shop/web"`)},
		{"an ARN", weighted, replace(route, `"arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"`)},
		{"rule of a Service", selected, replace(`"service/shop/web"`, `"service/shop/web#0"`)},
		{"no port", weighted, replace(`:8080"`, `"`)},
		{"name of a port", weighted, replace(`:8080"`, `:http"`)},
		{"selectors of an HTTPRoute", weighted, replace(`services = { web = "web-${each.key}:8080" }`, `selectors = { web = { color = each.key } }`)},
		{"service of a selector", selected, replace(`selectors = { web = { app = "web", color = each.key } }`, `services = { web = "web-${each.key}:8080" }`)},
		{"services and selectors", weighted, replace(`services = {`, `selectors = { web = { color = each.key } }
  services = {`)},
		{"no labels", selected, replace(`{ app = "web", color = each.key }`, `{}`)},
		{"not a label", selected, replace(`color = each.key`, `color = "${each.key},app=x"`)},
		{"step of a selector", selected, replace(`settle = "1ms"`, `steps = [{ percent = 10, hold = "1m" }]`)},
		{"split of a selector", selected, replace(`active = "blue"`, `weights = { blue = 50, green = 50 }`)},
		{"both kinds of routes", selected, replace(`"service/shop/web"`, `"service/shop/web", "httproute/shop/web"`)},
		{"two namespaces", weighted, replace(route, route+`, "httproute/edge/web"`)},
		{"no such rule", weighted, replace(route, `"httproute/shop/api#absent"`)},
		{"several rules", weighted, replace(route, `"httproute/shop/api"`)},
		{"two rules of a name", weighted, replace(route, `"httproute/shop/twice#v2"`)},
		{"metrics of CloudWatch", metered, replace(route, route)},
		{"two kinds of backends", weighted, replace(`services = {`, `target_groups = { web = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/1234567890123456" }
  services = {`)},
	} {
		w.write(c.change(c.release.String()))
		s.fails(w.plan(), c.name)
	}
	if n := s.updates(mark); n > 0 {
		t.Errorf("%d updates", n)
	}
}

// What only the cluster shows is said before anything is written.
func TestKubernetes_badCluster(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	s.Refuse("refused", localkube.Refusal{Condition: "ResolvedRefs", Reason: "BackendNotFound", Message: "no such backend"})
	for _, name := range []string{"refused", "lost", "full"} {
		s.route(name, "web-blue")
	}
	s.without("lost", "parentRefs")
	s.fill("full")
	s.service("other", "web-blue")
	s.service("other", "web-green")
	mark := len(s.Requests())
	for _, c := range []struct {
		name   string
		change func(text string) string
	}{
		{"no such route", replace("httproute/shop/web", "httproute/shop/absent")},
		{"no such Service", replace(`"web-${each.key}:8080"`, `"app-${each.key}:8080"`)},
		{"no such port", replace(":8080", ":9999")},
		{"no parents", replace("httproute/shop/web", "httproute/shop/lost")},
		{"not accepted", replace("httproute/shop/web", "httproute/shop/refused")},
		{"no ReferenceGrant", replace(`"web-${each.key}:8080"`, `"other/web-${each.key}:8080"`)},
		{"too many backends", replace("httproute/shop/web", "httproute/shop/full")},
	} {
		w.write(c.change(s.release("green").String()))
		s.fails(w.apply(), c.name)
	}
	if n := s.updates(mark); n > 0 {
		t.Errorf("%d updates", n)
	}
}

// twoRules puts a route with two rules of one name.
func (s *kubeSite) twoRules(name, rule string) {
	s.route(name, "web-blue", "web-green")
	o := s.Object(httpRoutes, "shop", name)
	spec, _ := o["spec"].(object)
	rules, _ := spec["rules"].([]any)
	for _, x := range rules {
		one, _ := x.(object)
		one["name"] = rule
	}
	s.Put(o)
}

// without removes a field of the spec of a route.
func (s *kubeSite) without(name, field string) {
	o := s.Object(httpRoutes, "shop", name)
	spec, _ := o["spec"].(object)
	delete(spec, field)
	s.Put(o)
}

// fill gives a route as many backends as a rule can have.
func (s *kubeSite) fill(name string) {
	o := s.Object(httpRoutes, "shop", name)
	refs := []any{object{"name": "web-blue", "port": 8080, "weight": 1}}
	for i := range 15 {
		s.service("shop", fmt.Sprint("old-", i))
		refs = append(refs, object{"name": fmt.Sprint("old-", i), "port": 8080, "weight": 0})
	}
	spec, _ := o["spec"].(object)
	spec["rules"] = []any{object{"backendRefs": refs}}
	s.Put(o)
}

// Credentials that may not do something name the verb, the resource and the namespace; expired ones say so.
func TestKubernetes_denied(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	read := localkube.Rule{Verbs: []string{"get", "list"}}
	for _, c := range []struct {
		name  string
		rules []localkube.Rule
	}{
		{"may not get routes", []localkube.Rule{{Resources: []string{"services", "endpointslices"}}}},
		{"may not list EndpointSlices", []localkube.Rule{{Verbs: []string{"get", "update", "patch"}}}},
		{"may not update routes", []localkube.Rule{read}},
	} {
		s.Allow(kubeToken, c.rules...)
		w.write(s.release("green").String())
		s.fails(w.apply(), c.name)
		s.mustHave("web-blue")
	}
	s.Revoke(kubeToken)
	s.fails(w.apply(), "expired")
	s.mustHave("web-blue")
}

// A cluster that cannot be called is an error that names the argument, where a switch needs it.
func TestKubernetes_badSettings(t *testing.T) {
	t.Parallel()
	s, w := newKubeCluster(t, localkube.WithoutGroup("gateway.networking.k8s.io")), newWorkspace(t)
	for _, name := range []string{"one", "two"} {
		w.file(name, strings.ReplaceAll(`apiVersion: v1
kind: Config
current-context: shop
contexts: [{name: shop, context: {cluster: shop, user: admin}}]
clusters: [{name: shop, cluster: {server: "https://NAME.example.com"}}]
users: [{name: admin, user: {token: secret}}]
`, "NAME", name))
	}
	for _, c := range []struct {
		name, settings string
		plans          bool // only the apply fails
	}{
		{"nothing", "", true},
		{"no file", fmt.Sprintf("config_path = %q", filepath.Join(w.dir, "absent")), true},
		{"no context", fmt.Sprintf("config_path = %q\nconfig_context = \"prod\"", filepath.Join(w.dir, "one")), false},
		{"two contexts with one name", fmt.Sprintf("config_paths = [%q, %q]", filepath.Join(w.dir, "one"), filepath.Join(w.dir, "two")), false},
		{"two arguments for paths", `config_path = "one"` + "\n" + `config_paths = ["one", "two"]`, false},
		{"in Base64", s.release("blue").provider + "\nclient_certificate = \"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t\"\nclient_key = \"x\"", false},
		{"no Gateway API", s.release("blue").provider, true},
		{"nobody answers", `host = "https://127.0.0.1:1"` + "\n" + `token = "x"`, true},
	} {
		r := s.release("blue")
		r.provider = c.settings
		w.write(r.String())
		if c.plans {
			w.plan().ok()
			w.applyPlan().failsAs(c.name, golden.Replace(w.dir, "<folder>"))
			continue
		}
		w.plan().failsAs(c.name, golden.Replace(w.dir, "<folder>"))
	}
}

// A cluster that the same apply creates is unknown at plan, which is no error.
func TestKubernetes_unknownHost(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	r := s.release("blue")
	r.provider = strings.Replace(r.provider, fmt.Sprintf("host = %q", s.URL()), "host = terraform_data.cluster.output", 1)
	w.write(r.String() + fmt.Sprintf(`
resource "terraform_data" "cluster" {
  input = %q
}
`, s.URL()))
	w.plan().ok()
	if n := len(s.Requests()); n > 0 {
		t.Errorf("%d requests before the host is known", n)
	}
	w.applyPlan().ok()
	s.mustHave("web-blue")
	w.isEmpty()
}

// A switch of listeners needs no cluster: its configuration is not even read.
func TestKubernetes_notReadForOthers(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	text := strings.Replace(s.guarded("blue").in(s.bench), "provider \"bluegreen\" {", `provider "bluegreen" {
  kubernetes {
    config_path            = "/absent/kubeconfig"
    config_context         = "absent"
    cluster_ca_certificate = "no PEM"
    exec {
      api_version = "client.authentication.k8s.io/v1"
      command     = "/absent/program"
    }
  }`, 1)
	if !strings.Contains(text, "absent") {
		t.Fatal("the provider has no block")
	}
	w.write(text)
	w.apply().ok()
	w.isEmpty()
}

// file writes a file beside the configuration.
func (w *workspace) file(name, text string) {
	w.t.Helper()
	w.must(os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
}

// A route or a Service that was deleted is named, and no version is rejected for it.
func TestKubernetes_gone(t *testing.T) {
	t.Parallel()
	s, w := newKubeSite(t), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()
	s.Remove("services", "shop", "web-green")
	w.write(s.release("green").String())
	s.fails(w.apply(), "service")
	s.mustHave("web-blue")
	s.service("shop", "web-green")
	s.Remove(httpRoutes, "shop", "web")
	w.plan().ok()
	w.scheduleIs("schedule")
	s.fails(w.apply(), "route")
	s.route("web", "web-blue")
	w.apply().ok()
	s.mustHave("web-green")
}
