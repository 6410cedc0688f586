package kubernetes_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const webService = "service/shop/web"

// selecting is a Service that selects the blue pods, two of which are ready, as is one of two green ones.
func selecting(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t)
	s := service("web")
	s["spec"].(object)["selector"] = object{"app": "web", "color": "blue"} //nolint:forcetypeassert // it is one
	c.Put(s)
	for name, ready := range map[string]bool{"blue-1": true, "blue-2": true, "green-1": true, "green-2": false} {
		color := name[:len(name)-2]
		c.Put(pod(name, color, ready))
	}
	return c
}

// The selector of a Service has no part in routertest, which writes shares: it is all or nothing.
func TestSelector_switchesAllTraffic(t *testing.T) {
	c := selecting(t)
	s := c.read(t, webService)
	if want := map[string]int{selector("blue"): 1}; !maps.Equal(s.Weights, want) {
		t.Fatalf("read %v, want %v", s.Weights, want)
	}
	weights := kubernetes.SelectorLimits().Encode(shift.Weights{selector("blue"): 0, selector("green"): shift.Full})
	must(t, c.write(t, c.forward, webService, weights))
	if got := inner(c.Object("services", "shop", "web"), "spec", "selector", "color"); got != "green" {
		t.Errorf("the Service selects %v", got)
	}
	if ports := inner(c.Object("services", "shop", "web"), "spec", "ports", 0, "targetPort"); ports != "http" {
		t.Errorf("the port became %v", ports)
	}
	must(t, c.rollback.Write(t.Context(), webService, s)) // with what was read first
	if got := c.read(t, webService); !got.Equal(s) {
		t.Errorf("rolled back to %v, want %v", got.Weights, s.Weights)
	}
}

func TestSelector_refusesShares(t *testing.T) {
	c := selecting(t)
	for name, weights := range map[string]map[string]int{
		"a split":                   {selector("blue"): 1, selector("green"): 1},
		"none":                      {},
		"a Service":                 {group("web"): 1},
		"another namespace":         {"selector/other/app=web,color=green": 1},
		"labels that are no labels": {"selector/shop/app=web,color=a b": 1},
	} {
		if err := c.write(t, c.forward, webService, weights); err == nil {
			t.Errorf("Write accepted %s", name)
		}
	}
	if n := c.Count("update", "services"); n != 0 {
		t.Errorf("%d updates were sent", n)
	}
}

func TestSelector_healthIsThatOfPods(t *testing.T) {
	c := selecting(t)
	gone := pod("green-3", "green", true)
	gone["status"] = object{"phase": "Succeeded"}
	c.Put(gone)
	got, err := c.forward.Health(t.Context(), []string{selector("blue"), selector("green"), selector("red")})
	must(t, err)
	if got[selector("blue")].Count(traffic.Healthy) != 2 || got[selector("green")].String() != "1 of 2 targets healthy (1 unhealthy: NotReady)" || len(got[selector("red")].Targets) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestSelector_routesOfServicesOnly(t *testing.T) {
	if _, err := kubernetes.SelectorGroup([]string{web}, map[string]string{"color": "blue"}); !errors.Is(err, kubernetes.ErrKinds) {
		t.Errorf("a selector for an HTTPRoute returned %v", err)
	}
	if _, err := kubernetes.Group([]string{webService}, "web-blue:8080"); !errors.Is(err, kubernetes.ErrKinds) {
		t.Errorf("a Service for a selector returned %v", err)
	}
	got, err := kubernetes.SelectorGroup([]string{webService}, map[string]string{"color": "blue", "app": "web"})
	if err != nil || got != selector("blue") {
		t.Errorf("got %s, %v", got, err)
	}
}
