package kubernetes_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// kubectl runs a command line with kubectl or, where there is none, with a function that sends the patch as it does.
func (c *cluster) kubectl(t *testing.T, line string) error {
	t.Helper()
	if _, err := exec.LookPath("kubectl"); err != nil {
		return c.patch(t, line)
	}
	folder := t.TempDir()
	config := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "shop", "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "shop"}}],
		"clusters": [{"name": "shop", "cluster": {"server": %q, "certificate-authority-data": %q}}], "users": [{"name": "shop", "user": {"token": %q}}]}`,
		c.URL(), base64.StdEncoding.EncodeToString(c.CA()), token)
	must(t, os.WriteFile(filepath.Join(folder, "config"), []byte(config), 0o600))
	command := exec.CommandContext(t.Context(), "sh", "-c", line)
	command.Env = append(os.Environ(), "HOME="+folder, "KUBECONFIG="+filepath.Join(folder, "config"))
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (c *cluster) patch(t *testing.T, line string) error {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `kubectl() { for argument; do printf '%s\0' "$argument"; done; }; `+line).Output()
	must(t, err)
	args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(args) != 9 || args[0] != "patch" || args[3] != "--namespace" || !slices.Equal(args[5:8], []string{"--type", "json", "--patch"}) {
		t.Fatalf("kubectl was called with %q", args)
	}
	plural, group, _ := strings.Cut(args[1], ".")
	path := map[string]string{"gateway.networking.k8s.io": "/apis/gateway.networking.k8s.io/v1", "networking.istio.io": "/apis/networking.istio.io/v1", "": "/api/v1"}[group]
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, c.URL()+path+"/namespaces/"+args[4]+"/"+plural+"/"+args[2], strings.NewReader(args[8]))
	must(t, err)
	request.Header = http.Header{"Content-Type": {"application/json-patch+json"}, "Authorization": {"Bearer " + token}}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(c.CA())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	defer client.CloseIdleConnections()
	answer, err := client.Do(request)
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode != http.StatusOK {
		return errors.New(string(body))
	}
	return nil
}

// The command does what Write does, for every kind, and what is in the object is quoted for the shell.
func TestCommand(t *testing.T) {
	c := shopWith(t, localkube.WithTLS())
	quoted := backendRef("web-blue", 1)
	inner(quoted, "filters", 0, "requestHeaderModifier", "set", 0).(object)["value"] = `it's "$HOME"` //nolint:forcetypeassert // it is one
	c.Put(route("HTTPRoute", "web", []any{quoted}))
	c.Put(route("HTTPRoute", "api", []any{backendRef("web-blue", 1)}, []any{backendRef("web-blue", 1)}))
	c.Put(virtualService("web", []any{destination("web-blue", 100)}))
	s := service("web")
	inner(s, "spec").(object)["selector"] = object{"app": "web", "color": "blue"} //nolint:forcetypeassert // it is one
	c.Put(s)
	var commands []string
	for _, x := range []struct {
		id      string
		weights map[string]int
	}{{web, half}, {"httproute/shop/api#r1", half}, {"httproute/shop/api#0", half}, {mesh, half}, {webService, map[string]int{selector("green"): 100}}} {
		before := c.read(t, x.id)
		next := before
		next.Weights = x.weights
		for _, state := range []traffic.State{next, before} {
			line, err := kubernetes.Command(x.id, state)
			must(t, err)
			commands = append(commands, line)
			must(t, c.kubectl(t, line))
			must(t, c.patch(t, line)) // without kubectl it is the same
			if got := c.read(t, x.id); !got.EqualTraffic(state) {
				t.Errorf("%s: the route has %v, want %v", line, got.Weights, state.Weights)
			}
		}
	}
	if value := inner(c.Object(httpRoutes, "shop", "web"), "spec", "rules", 0, "backendRefs", 0, "filters", 0, "requestHeaderModifier", "set", 0, "value"); value != `it's "$HOME"` {
		t.Errorf("the filter became %v", value)
	}
	golden.Record(t, strings.Join(commands, "\n"))
}

func TestCommand_refuses(t *testing.T) {
	c := shopWith(t, localkube.WithTLS())
	c.Put(route("HTTPRoute", "api", []any{backendRef("web-blue", 1)}, []any{backendRef("web-green", 1)}))
	known := c.read(t, "httproute/shop/api#r1")
	for name, tt := range map[string]struct {
		id    string
		state traffic.State
		err   error
	}{
		"a state that was not read": {"httproute/shop/api#r1", traffic.State{Weights: half}, kubernetes.ErrInvalid},
		"one of another route":      {"httproute/shop/api#r0", traffic.State{Weights: half, Raw: known.Raw}, kubernetes.ErrInvalid},
		"a weight":                  {"httproute/shop/api#r1", traffic.State{Weights: map[string]int{group("web-blue"): -1}, Raw: known.Raw}, kubernetes.ErrInvalid},
		"no route":                  {"api", known, kubernetes.ErrMalformed},
	} {
		if line, err := kubernetes.Command(tt.id, tt.state); !errors.Is(err, tt.err) || line != "" {
			t.Errorf("%s: got %q, %v", name, line, err)
		}
	}
	line, err := kubernetes.Command("httproute/shop/api#r1", known)
	must(t, err)
	c.Put(route("HTTPRoute", "api", []any{backendRef("web-blue", 1)})) // the rule is gone
	if err := c.kubectl(t, line); err == nil {
		t.Error("the command changed another rule")
	}
}

// A state that was in JSON, as in the memory of a failed apply, is as good as the one that was read.
func TestRestore(t *testing.T) {
	for _, id := range []string{web, mesh, webService} {
		c := selecting(t)
		for _, name := range []string{"web-blue", "web-green"} {
			c.Put(service(name))
		}
		c.Put(route("HTTPRoute", "web", []any{backendRef("web-blue", 999_999), backendRef("web-green", 1)}))
		c.Put(virtualService("web", []any{destination("web-blue", 1<<31-1), destination("web-green", 7)}))
		plural := map[string]string{web: httpRoutes, mesh: "virtualservices.networking.istio.io", webService: "services"}[id]
		before := textOf(t, inner(c.Object(plural, "shop", "web"), "spec"))
		read := c.read(t, id)
		data, err := json.Marshal(read)
		must(t, err)
		var s traffic.State
		must(t, json.Unmarshal(data, &s))
		must(t, kubernetes.Restore(&s))
		again, err := json.Marshal(s)
		must(t, err)
		if !bytes.Equal(data, again) || !s.Equal(read) {
			t.Errorf("%s was restored as\n%s, want\n%s", id, again, data)
		}
		next := map[string]int{group("web-green"): 1}
		if id == webService {
			next = map[string]int{selector("green"): 1}
		}
		must(t, c.write(t, c.forward, id, next))
		must(t, c.rollback.Write(t.Context(), id, s))
		if after := textOf(t, inner(c.Object(plural, "shop", "web"), "spec")); after != before {
			t.Errorf("%s was rolled back to\n%s\nwant\n%s", id, after, before)
		}
	}
	none := traffic.State{Weights: half}
	if must(t, kubernetes.Restore(&none)); none.Raw != nil {
		t.Errorf("a state without Raw got %v", none.Raw)
	}
	wrong := traffic.State{Raw: []any{"of another router"}}
	if err := kubernetes.Restore(&wrong); err == nil {
		t.Error("what is no place was restored")
	}
}
