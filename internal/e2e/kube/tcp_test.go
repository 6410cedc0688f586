//go:build linux

package kube

import (
	"strings"
	"testing"
)

const gatewayAPI = "/apis/gateway.networking.k8s.io/"

// newTCPWorld is newWorld with a TCPRoute on a listener of its own.
func newTCPWorld(t *testing.T, listener int) *world {
	t.Helper()
	w := newWorldOf(t, "TCPRoute")
	w.url = "http://" + w.c.addresses(t)[1+listener]
	w.route = target{"TCPRoute", w.namespace, "web"}.route([]any{w.ref("blue", 100), w.ref("green", 0)})
	part(w.route, "spec")["parentRefs"] = []any{object{"name": "edge", "namespace": "default", "sectionName": tcpListener(listener)}}
	w.c.create(t, w.route)
	w.blueResponds()
	return w
}

// A TCPRoute is released under load in the version that the API server serves: Traefik 3.6 reads v1alpha2, and the
// switch prefers v1.
func TestRelease_ofATCPRoute(t *testing.T) {
	for i, version := range []string{"v1", "v1alpha2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := newTCPWorld(t, i)
			if version != "v1" {
				w.front.hide(gatewayAPI + "v1/namespaces/" + w.namespace + "/tcproutes")
			}
			w.adopt()
			load := w.load()
			w.more(load, 200)
			w.activate("green")
			w.MustApply()
			w.mustHaveAll("green")
			w.more(load, 200)
			counts := w.lostNothing(load)
			if counts.ByVersion["1"] == 0 || counts.ByVersion["2"] == 0 {
				t.Errorf("both versions should have responded: %v", counts.ByVersion)
			}
			w.mustBeSettled()
			for _, write := range w.front.paths() {
				if !strings.HasPrefix(write, "PUT "+gatewayAPI+version+"/") {
					t.Errorf("a write was %s", write)
				}
			}
			t.Logf("%d requests: %v; the slowest took %s; %d writes", counts.Requests, counts.ByVersion, counts.Slowest, w.front.mark())
		})
	}
}
