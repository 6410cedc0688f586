//go:build linux

package kube

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

const guidePath = "../../../templates/guides/kubernetes.md"

// firstExample returns the first configuration of the guide.
func firstExample(t *testing.T) string {
	t.Helper()
	guide, err := os.ReadFile(guidePath)
	must(t, err)
	_, rest, found := strings.Cut(string(guide), "```terraform\n")
	example, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("the guide has no configuration")
	}
	return example
}

// The configuration with which the guide begins works as it is, but for its durations and namespace, in a cluster with the objects
// that it names and the kubeconfig of a user.
func TestGuide_release(t *testing.T) {
	t.Parallel()
	c := start(t)
	w := &world{Bare: e2e.NewBare(t), t: t, c: c, namespace: c.namespace(t), kind: "HTTPRoute", front: newFront(t, c), apps: map[string]*app{}}
	for name, version := range map[string]string{"blue": "1", "green": "2"} {
		w.apps[name] = c.newAppAt(t, target{"Service", w.namespace, "web-" + name}, 8080, rehearsal.AppTerms{Version: version})
	}
	w.serve(w.ref("blue", 1))
	folder := t.TempDir()
	must(t, os.Mkdir(filepath.Join(folder, ".kube"), 0o700))
	config, err := os.ReadFile(w.front.kubeconfig(t, adminToken))
	must(t, err)
	production := strings.NewReplacer("current-context: test", "current-context: other", "contexts:\n- name: test", "contexts:\n- name: production").Replace(string(config))
	must(t, os.WriteFile(filepath.Join(folder, ".kube", "config"), []byte(production), 0o600))
	w.Terraform.Env = append(w.Terraform.Env, "HOME="+folder)

	const source = "terraform {\n  required_providers {\n    bluegreen = { source = \"bluegreen/bluegreen\" }\n  }\n}\n\n"
	example := strings.ReplaceAll(firstExample(t), "httproute/shop/", "httproute/"+w.namespace+"/")
	w.Write(source + strings.Replace(example, `active = "green"`, `active = "blue"`, 1))
	w.MustApply()
	load := w.load()
	w.more(load, 100)
	w.Write(source + strings.NewReplacer(`"10m"`, `"1s"`, `"5m"`, `"1s"`, `"30s"`, `"1s"`).Replace(example))
	w.MustApply()
	w.mustHaveAll("green")
	w.more(load, 100)
	counts := w.lostNothing(load)
	if counts.ByVersion["1"] == 0 || counts.ByVersion["2"] == 0 {
		t.Errorf("both versions should have responded: %v", counts.ByVersion)
	}
	w.mustBeSettled()
	w.mustCount()
}

// mustCount checks that Traefik counts the requests to Services by the label that the query of the guide has.
func (w *world) mustCount() {
	w.t.Helper()
	const label = "shop-web-{{incoming.environment}}-http-8080@kubernetesgateway"
	guide, err := os.ReadFile(guidePath)
	must(w.t, err)
	if !strings.Contains(string(guide), `service="`+label+`"`) {
		w.t.Errorf("the guide has no query with %s", label)
	}
	response, err := e2e.Client(w.t).Get("http://" + w.c.users(w.t) + "/metrics")
	must(w.t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	must(w.t, err)
	for _, environment := range []string{"blue", "green"} {
		service, found := strings.NewReplacer("shop-", w.namespace+"-", "{{incoming.environment}}", environment).Replace(label), false
		for line := range strings.Lines(string(body)) {
			found = found || strings.HasPrefix(line, "traefik_service_requests_total{code=\"200\"") && strings.Contains(line, `service="`+service+`"`)
		}
		if !found {
			w.t.Errorf("Traefik does not count the requests to %s:\n%s", service, body)
		}
	}
}
