package kubernetes_test

import (
	"fmt"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const tcp = "tcproute/shop/tcp"

// A cluster serves what its CRDs say: TCPRoute is v1alpha2 until Gateway API 1.5, v1 alone in the
// standard channel of 1.6, and both in its experimental one.
func TestRouter_findsTheServedVersion(t *testing.T) {
	for _, versions := range [][]string{{"v1"}, {"v1alpha2"}, {"v1alpha2", "v1"}, {"v1", "v1alpha2"}} {
		t.Run(fmt.Sprint(versions), func(t *testing.T) {
			c := shopWith(t, localkube.WithVersions("tcproutes", versions...))
			o := route("TCPRoute", "tcp", []any{object{"name": "web-blue", "port": 8080, "weight": 1}})
			delete(inner(o, "spec").(object), "hostnames")               //nolint:forcetypeassert // it is one
			delete(inner(o, "spec", "rules", 0).(object), "timeouts")    //nolint:forcetypeassert // it is one
			o["apiVersion"] = "gateway.networking.k8s.io/" + versions[0] // as somebody applied it
			c.Put(o)
			before := c.read(t, tcp)
			groups := []string{group("web-blue"), group("web-green")}
			must(t, c.forward.CheckGroups(t.Context(), traffic.Entry{Name: "tcp", Routes: []string{tcp}, Groups: groups}))
			must(t, kubernetes.NewRecorder(c.forward).Put(t.Context(), []string{tcp}, traffic.Record{Shift: "s1"}, true))
			must(t, c.write(t, c.forward, tcp, half))
			if synced, err := c.forward.InSync(t.Context(), []string{tcp}); err != nil || !synced {
				t.Errorf("in sync: %t, %v", synced, err)
			}
			if found, err := c.forward.References(t.Context(), groups); err != nil || len(found) != 3 {
				t.Errorf("the references are %v, %v", found, err)
			}
			must(t, c.rollback.Write(t.Context(), tcp, before))
			if got := c.read(t, tcp); !got.Equal(before) {
				t.Errorf("rolled back to %v", got.Weights)
			}
		})
	}
}
