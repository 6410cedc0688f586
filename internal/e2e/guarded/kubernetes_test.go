//go:build linux

package guarded

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

type object = map[string]any

const (
	kubeToken  = "s3cret-kube-token"
	httpRoutes = "httproutes.gateway.networking.k8s.io"
	endless    = `[{ percent = 5, hold = "10h" }]`
	short      = `[{ percent = 5, hold = "200ms" }, { percent = 50, hold = "200ms" }]`
)

// kubeWorld is a switch on an HTTPRoute of a cluster. Blue is live.
type kubeWorld struct {
	*e2e.Bare
	t       *testing.T
	cluster *localkube.Server
	block   string // of the provider: kubernetes
}

// credentials returns the block kubernetes of the provider by what it has.
func credentials(t *testing.T, cluster *localkube.Server) map[string]string {
	t.Helper()
	certificate, key, err := cluster.ClientCertificate()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "credentials")
	script := "#!/bin/sh\nprintf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"%s\"}}' \"$TOKEN\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	host := fmt.Sprintf("    host                   = %q\n    cluster_ca_certificate = %q\n", cluster.URL(), cluster.CA())
	return map[string]string{
		"token":       host + fmt.Sprintf("    token = %q\n", kubeToken),
		"exec":        host + fmt.Sprintf("    exec {\n      api_version = \"client.authentication.k8s.io/v1\"\n      command = %q\n      env = { TOKEN = %q }\n    }\n", program, kubeToken),
		"certificate": host + fmt.Sprintf("    client_certificate = %q\n    client_key = %q\n", certificate, key),
	}
}

// newKubeWorld creates the cluster and the switch, with credentials of a kind.
func newKubeWorld(t *testing.T, kind string) *kubeWorld {
	t.Helper()
	cluster, err := localkube.Start(localkube.WithTLS(), localkube.WithToken(kubeToken))
	if err != nil {
		t.Fatal(err)
	}
	w := &kubeWorld{Bare: e2e.NewBare(t), t: t, cluster: cluster}
	t.Cleanup(func() { _ = cluster.Close() })
	w.block = credentials(t, cluster)[kind]
	refs := []any{}
	for _, name := range []string{"web-blue", "web-green"} {
		cluster.Put(object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": "shop", "name": name}, "spec": object{
			"selector": object{"app": name}, "ipFamilies": []any{"IPv4"}, "ports": []any{object{"name": "http", "port": 8080}}}})
		cluster.Put(object{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
			"metadata": object{"namespace": "shop", "name": name + "-x1", "labels": object{"kubernetes.io/service-name": name}}, "ports": []any{object{"name": "http", "port": 9090}},
			"endpoints": []any{object{"addresses": []any{"10.0.0.1"}, "conditions": object{"ready": true, "serving": true, "terminating": false}}}})
		refs = append(refs, object{"name": name, "port": 8080, "weight": map[string]int{"web-blue": 1}[name]})
	}
	cluster.Put(object{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": object{"namespace": "shop", "name": "web"},
		"spec": object{"parentRefs": []any{object{"name": "edge"}}, "rules": []any{object{"name": "main", "backendRefs": refs}}}})
	w.release("blue", short)
	w.MustApply()
	return w
}

// release writes the configuration.
func (w *kubeWorld) release(active, steps string) {
	w.t.Helper()
	w.Write(fmt.Sprintf(`terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

provider "bluegreen" {
  kubernetes {
%s  }
}

resource "bluegreen_environment" "app" {
  for_each  = { blue = "1", green = "2" }
  name      = each.key
  version   = each.value
  services  = { web = "web-${each.key}:8080" }
  backed_by = []
  lifecycle {
    create_before_destroy = true
  }
}

resource "bluegreen_switch" "web" {
  kubernetes {
    routes = { web = ["httproute/shop/web"] }
  }
  environments = bluegreen_environment.app
  active       = %q
  strategy {
    steps  = %s
    bake   = "200ms"
    settle = "300ms"
  }
  health {
    steady_for = "100ms"
  }
}
`, w.block, active, steps))
}

// weights returns the weights of the route, by environment.
func (w *kubeWorld) weights() map[string]string {
	o := w.cluster.Object(httpRoutes, "shop", "web")
	spec, _ := o["spec"].(object)
	rules, _ := spec["rules"].([]any)
	rule, _ := rules[0].(object)
	refs, _ := rule["backendRefs"].([]any)
	found := map[string]string{}
	for _, x := range refs {
		ref, _ := x.(object)
		if weight := fmt.Sprint(ref["weight"]); weight != "0" {
			found[strings.TrimPrefix(fmt.Sprint(ref["name"]), "web-")] = weight
		}
	}
	return found
}

// annotations returns the annotations of an object by its metadata.
func annotations(metadata object) object {
	all, _ := metadata["annotations"].(object)
	return all
}

// hasAll reports whether an environment has all the traffic.
func (w *kubeWorld) hasAll(environment string) bool {
	found := w.weights()
	return len(found) == 1 && found[environment] != ""
}

// strike kills an apply at its n-th write to the route, which is executed without anybody who receives the answer.
func (w *kubeWorld) strike(victims e2e.Victims, n int) {
	w.t.Helper()
	var apply *e2e.Apply
	started, struck := make(chan struct{}), make(chan error, 1)
	var seen atomic.Int32 // two processes may write at the same time
	w.cluster.Hook(func(r localkube.Request) {
		if r.Verb != "update" && r.Verb != "patch" {
			return
		}
		if int(seen.Add(1)) == n {
			<-started
			struck <- apply.Strike(victims)
		}
	})
	apply = w.Start()
	close(started)
	out, _ := apply.Wait()
	w.cluster.Hook(nil)
	select {
	case err := <-struck:
		if err != nil {
			w.t.Fatal(err)
		}
	default:
		w.t.Fatalf("the apply was not killed:\n%s", out)
	}
}

// Terraform and the provider are killed in a hold of a route of Kubernetes: the guardian returns the traffic, with
// every kind of credentials, and the next apply releases green.
func TestGuardian_ofKubernetes(t *testing.T) {
	for _, kind := range []string{"token", "exec", "certificate"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newKubeWorld(t, kind)
			w.release("green", endless)
			apply := w.Start()
			w.Eventually("green has 5 %", func() bool { return w.weights()["green"] != "" })
			apply.Kill(e2e.AllButGuards)
			w.returnedAndReleased()
		})
	}
}

// The same at writes: that of the record, which moves nothing, that of the first step, and a renewal of the record.
func TestGuardian_ofKubernetesAtWrites(t *testing.T) {
	for n, victims := range map[int]e2e.Victims{1: e2e.AllButGuards, 2: e2e.AllButGuards, 3: e2e.OnlyProvider} {
		t.Run(fmt.Sprintf("write %d", n), func(t *testing.T) {
			t.Parallel()
			w := newKubeWorld(t, "token")
			w.release("green", short)
			w.strike(victims, n)
			w.returnedAndReleased()
		})
	}
}

// returnedAndReleased waits until the traffic is back on blue, and releases green.
func (w *kubeWorld) returnedAndReleased() {
	w.t.Helper()
	died := time.Now()
	w.Eventually("the traffic is back", func() bool { return w.hasAll("blue") })
	if took := time.Since(died); slow.Exceeds(took, back) {
		w.t.Errorf("the traffic was back after %s", took)
	}
	w.release("green", short)
	w.MustApply(e2e.Unlocked) // it waits while the guardian watches for a late write
	if !w.hasAll("green") {
		w.t.Errorf("after the next apply, the weights are %v", w.weights())
	}
	if metadata, _ := w.cluster.Object(httpRoutes, "shop", "web")["metadata"].(object); len(annotations(metadata)) > 0 {
		w.t.Errorf("the route still has %v", metadata["annotations"])
	}
}
