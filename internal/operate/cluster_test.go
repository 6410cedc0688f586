package operate_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/connect"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// cluster is a Kubernetes cluster that KUBECONFIG names. Its HTTPRoute web sends 10 % to web-green.
func cluster(t *testing.T) *localkube.Server {
	t.Helper()
	server, err := localkube.Start(localkube.WithTLS(), localkube.WithToken("token"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	type object = map[string]any
	refs := []any{}
	for name, weight := range map[string]int{"web-blue": 90, "web-green": 10} {
		server.Put(object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": "shop", "name": name}, "spec": object{
			"selector": object{"app": name}, "ports": []any{object{"name": "http", "port": 8080}}}})
		server.Put(object{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
			"endpoints": []any{object{"addresses": []any{"10.0.0.1"}, "conditions": object{"ready": true}}},
			"metadata":  object{"namespace": "shop", "name": name, "labels": object{"kubernetes.io/service-name": name}},
			"ports":     []any{object{"name": "http", "port": 8080}}})
		refs = append(refs, object{"name": name, "port": 8080, "weight": weight})
	}
	server.Put(object{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": object{"namespace": "shop", "name": "web"},
		"spec": object{"parentRefs": []any{object{"name": "edge"}}, "rules": []any{object{"backendRefs": refs}}}})
	config, err := json.Marshal(object{"apiVersion": "v1", "kind": "Config", "current-context": "shop",
		"contexts": []any{object{"name": "shop", "context": object{"cluster": "shop", "user": "admin"}}},
		"clusters": []any{object{"name": "shop", "cluster": object{"server": server.URL(), "certificate-authority-data": server.CA()}}},
		"users":    []any{object{"name": "admin", "user": object{"token": "token"}}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
	return server
}

// stateOf is a state with a switch of the route.
func stateOf(routes, backends string) string {
	return fmt.Sprintf(`{"version": 4, "resources": [{"mode": "managed", "type": "bluegreen_switch", "name": "web", "instances": [{"attributes": {
  "kubernetes": [{"routes": %s}],
  "environments": {"blue": {"name": "blue", "version": "1.0", %s}, "green": {"name": "green", "version": "1.1", %s}}
}}]}]}`, routes, strings.ReplaceAll(backends, "COLOR", "blue"), strings.ReplaceAll(backends, "COLOR", "green"))
}

func clusterOperator(t *testing.T, target operate.Target) *operate.Operator {
	t.Helper()
	clients, err := connect.Open(t.Context(), target.Routes[0].ID, "test")
	if err != nil {
		t.Fatal(err)
	}
	return &operate.Operator{Clients: clients, Target: target, Owner: traffic.Owner{User: "bob", Host: "laptop"}, Abandoned: owner.Abandoned, Guarded: owner.IsGuarded}
}

// The command reads and rolls back routes of the cluster that the kubeconfig names.
func TestCluster_statusAndRollback(t *testing.T) {
	server := cluster(t)
	target, err := operate.FromState(strings.NewReader(stateOf(`{"web": ["httproute/shop/web"]}`, `"services": {"web": "web-COLOR:8080"}, "selectors": null`)), "")
	if err != nil {
		t.Fatal(err)
	}
	o := clusterOperator(t, target)
	status, err := o.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	golden.Record(t, status.Text(time.Now()))
	plan, err := o.PlanRollback(t.Context(), operate.RollbackOptions{To: "blue", Timeout: slow.Deadline(20 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	golden.Record(t, plan.Text())
	if _, err := plan.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := o.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	golden.Record(t, after.Text(time.Now()))
	if n := server.Count("update", "httproutes"); n == 0 {
		t.Error("nothing was written")
	}
}

// What the command cannot call, or not find, says what to do.
func TestCluster_problems(t *testing.T) {
	server := cluster(t)
	for _, id := range []string{"httproute/shop", "httproute/shop/absent", "httproute/shop/web#other"} {
		target, err := operate.FromRoutes([]string{id})
		if err == nil {
			_, err = clusterOperator(t, target).Status(t.Context())
		}
		golden.Record(t, "-- "+id+"\n"+fmt.Sprint(err)+"\n")
	}
	target, err := operate.FromRoutes([]string{"httproute/shop/web"})
	if err != nil {
		t.Fatal(err)
	}
	server.Allow("token", localkube.Rule{Verbs: []string{"list"}})
	_, err = clusterOperator(t, target).Status(t.Context())
	golden.Record(t, "-- denied\n"+fmt.Sprint(err)+"\n")
	server.Revoke("token")
	_, err = clusterOperator(t, target).Status(t.Context())
	golden.Record(t, "-- expired\n"+fmt.Sprint(err)+"\n")
	t.Setenv("KUBECONFIG", os.DevNull)
	_, err = connect.Open(t.Context(), "httproute/shop/web", "test")
	if exitOf(t, err) != operate.Refused {
		t.Error(err)
	}
	golden.Record(t, "-- no cluster\n"+fmt.Sprint(err)+"\n")
}

// The state of a switch of selectors has their labels.
func TestFromState_selectors(t *testing.T) {
	t.Parallel()
	target, err := operate.FromState(strings.NewReader(stateOf(`{"web": ["service/shop/web"]}`, `"services": null, "selectors": {"web": {"color": "COLOR", "app": "web"}}`)), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := target.Environments["green"].Groups["web"]; got != "selector/shop/app=web,color=green" {
		t.Errorf("green is %q", got)
	}
}
