//go:build linux

package kube

import (
	"fmt"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// An environment has its Service in another namespace. Without a ReferenceGrant nothing is written; with one, the
// release loses no request in Traefik, which respects grants.
func TestRelease_acrossNamespaces(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "HTTPRoute")
	other := w.c.namespace(t)
	w.apps["green"] = w.c.newApp(t, other, "web-green", rehearsal.AppTerms{Version: "2"})
	w.serve(w.ref("blue", 100))
	w.adopt()
	load := w.load()
	w.more(load, 100)
	mark := w.front.mark()
	w.activate("green")
	out := w.mustFail()
	golden.Check(t, e2e.ErrorsIn(out), golden.Replace(w.namespace, "<namespace>"), golden.Replace(other, "<other>"),
		golden.Replace(fmt.Sprint(w.apps["green"].port), "<port>"))
	if n := w.front.mark() - mark; n > 0 {
		t.Errorf("%d writes without a grant", n)
	}
	w.c.create(t, object{"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": metadata(other, "web"), "spec": object{
		"from": []any{object{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": w.namespace}}, "to": []any{object{"group": "", "kind": "Service"}}}})
	w.MustApply()
	w.mustHaveAll("green")
	w.more(load, 100)
	counts := w.lostNothing(load)
	if counts.ByVersion["1"] == 0 || counts.ByVersion["2"] == 0 {
		t.Errorf("both versions should have responded: %v", counts.ByVersion)
	}
	w.mustBeSettled()
}
