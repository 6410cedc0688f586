//go:build linux

package kube

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Traefik follows the writes of the router: a share of the requests as exact as the weights, and none is lost over
// twenty writes. It is not parallel: Traefik starts its rotation again when any route of the cluster changes, and one
// request in a thousand would never have its turn.
func TestTraefik_followsWrites(t *testing.T) {
	w := newUnmanagedWorld(t)
	forward, _ := w.c.routers(t, adminToken)
	id := "httproute/" + w.namespace + "/web"
	groups := w.groups()
	load := w.load()
	for i := range 20 {
		blue := 1000 - 50*i
		w.mustWrite(forward, id, map[string]int{groups["blue"]: blue, groups["green"]: 1000 - blue})
	}
	w.mustWrite(forward, id, map[string]int{groups["blue"]: 999, groups["green"]: 1})
	w.settled(load, "1", 0.99)
	before := load.Counts()
	w.more(load, 2000)
	counts := load.Counts().Since(before)
	if n := counts.ByVersion["2"]; n < 1 || n > 4 {
		t.Errorf("green has %d of %d requests at 999:1", n, counts.Requests)
	}
	total := w.lostNothing(load)
	t.Logf("%d requests, none was lost; %v of %d at 999:1", total.Requests, counts.ByVersion, counts.Requests)
}

// settled waits until almost all of the last requests have a version.
func (w *world) settled(load *rehearsal.Load, version string, share float64) {
	w.t.Helper()
	w.Eventually("the data plane follows", func() bool {
		before := load.Counts()
		w.more(load, 100)
		return load.Counts().Since(before).Share(version) >= 100*share
	})
}

// mustWrite writes weights, and waits until the controller has accepted them.
func (w *world) mustWrite(r *kubernetes.Router, id string, weights map[string]int) {
	w.t.Helper()
	states, err := r.Read(w.t.Context(), []string{id})
	must(w.t, err)
	must(w.t, r.Write(w.t.Context(), id, traffic.State{Weights: weights, Raw: states[0].Raw}))
	ctx, cancel := context.WithTimeout(w.t.Context(), slow.Deadline(30*time.Second))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		in, err := r.InSync(ctx, []string{id})
		must(w.t, err)
		if in {
			return
		}
		<-tick.C
	}
}

// Server-side apply of others is found, with a real managedFields, before and after a write of the router.
func TestRouter_findsServerSideApply(t *testing.T) {
	c := start(t)
	namespace := c.namespace(t)
	for _, name := range []string{"web-blue", "web-green"} {
		c.create(t, service(namespace, name))
	}
	at := target{"HTTPRoute", namespace, "web"}
	applied := &unstructured.Unstructured{Object: jsonOf(at.route([]any{backendRef("HTTPRoute", "web-blue", 1)}))}
	apply := func(force bool) error {
		_, err := c.at(applied.Object).Apply(t.Context(), "web", applied, metav1.ApplyOptions{FieldManager: "argocd-controller", Force: force})
		return err
	}
	must(t, apply(false))
	forward, _ := c.routers(t, adminToken)
	id := "httproute/" + namespace + "/web"
	want := kubernetes.Managed{Route: id, Tool: kubernetes.ServerApply, Name: "argocd-controller"}
	check := func(when string) {
		t.Helper()
		found, err := forward.Managers(t.Context(), []string{id})
		must(t, err)
		if len(found) != 1 || found[0] != want {
			t.Errorf("%s: found %v, want %v", when, found, want)
		}
	}
	check("before a write")
	states, err := forward.Read(t.Context(), []string{id})
	must(t, err)
	must(t, forward.Write(t.Context(), id, traffic.State{Weights: map[string]int{group(namespace, "web-blue"): 1, group(namespace, "web-green"): 1}, Raw: states[0].Raw}))
	check("after a write")
	if err := apply(false); !isConflict(err) {
		t.Errorf("their next apply returned %v, want a conflict", err)
	}
	must(t, apply(true))
	states, err = forward.Read(t.Context(), []string{id})
	must(t, err)
	if want := map[string]int{group(namespace, "web-blue"): 1}; !maps.Equal(states[0].Weights, want) {
		t.Errorf("after their forced apply the weights are %v, want %v", states[0].Weights, want)
	}
}

// The router of a Service selector on the real API: all or nothing, and health from Pods.
func TestSelector_onTheAPI(t *testing.T) {
	c := start(t)
	namespace := c.namespace(t)
	s := service(namespace, "web")
	part(s, "spec")["selector"] = object{"app": "web", "color": "blue"}
	c.create(t, s)
	for name, ready := range map[string]string{"blue-1": "True", "green-1": "True", "green-2": "False"} {
		m := metadata(namespace, name)
		m["labels"] = object{"app": "web", "color": name[:len(name)-2]}
		c.create(t, object{"apiVersion": "v1", "kind": "Pod", "metadata": m, "spec": object{"containers": []any{object{"name": "web", "image": "example.com/web"}}},
			"status": object{"phase": "Running", "conditions": []any{object{"type": "Ready", "status": ready}}}})
	}
	forward, rollback := c.routers(t, adminToken)
	id, selector := "service/"+namespace+"/web", func(color string) string { return "selector/" + namespace + "/app=web,color=" + color }
	read := func() traffic.State {
		t.Helper()
		states, err := forward.Read(t.Context(), []string{id})
		must(t, err)
		return states[0]
	}
	before := read()
	if want := map[string]int{selector("blue"): 1}; !maps.Equal(before.Weights, want) {
		t.Errorf("read %v, want %v", before.Weights, want)
	}
	must(t, forward.Write(t.Context(), id, traffic.State{Weights: map[string]int{selector("green"): 1}, Raw: before.Raw}))
	if want := map[string]int{selector("green"): 1}; !maps.Equal(read().Weights, want) {
		t.Errorf("read %v, want %v", read().Weights, want)
	}
	health, err := forward.Health(t.Context(), []string{selector("green")})
	must(t, err)
	if got := health[selector("green")].String(); got != "1 of 2 targets healthy (1 unhealthy: NotReady)" {
		t.Errorf("the health of green is %s", got)
	}
	must(t, rollback.Write(t.Context(), id, before))
	if got := read(); !got.Equal(before) {
		t.Errorf("rolled back to %v", got.Weights)
	}
}

// What RBAC of the real server refuses is ErrDenied, and an unknown token ErrExpired.
func TestRouter_refusalsOfTheAPI(t *testing.T) {
	c := start(t)
	namespace := c.namespace(t)
	c.create(t, service(namespace, "web-blue"))
	c.create(t, target{"HTTPRoute", namespace, "web"}.route([]any{backendRef("HTTPRoute", "web-blue", 1)}))
	for token, want := range map[string]error{releaseToken: traffic.ErrDenied, "unknown": traffic.ErrExpired} {
		forward, _ := c.routers(t, token)
		if _, err := forward.Read(t.Context(), []string{"httproute/" + namespace + "/web"}); !errors.Is(err, want) {
			t.Errorf("token %q: Read returned %v, want %v", token, err, want)
		}
	}
}
