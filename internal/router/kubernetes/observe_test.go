package kubernetes_test

import (
	"errors"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// weigh gives the only rule of the HTTPRoute other weights, as somebody with kubectl does.
func (c *cluster) weigh(blue, green int) {
	c.change(c.Object(httpRoutes, "shop", "web"), func(o object) {
		inner(o, "spec", "rules", 0).(object)["backendRefs"] = []any{backendRef("web-blue", blue), backendRef("web-green", green)} //nolint:forcetypeassert // it is one
	})
}

func TestObserve_showsTheRoutesWithTheirRecords(t *testing.T) {
	c := shopWith(t)
	recorder := kubernetes.NewRecorder(c.forward)
	must(t, recorder.Put(t.Context(), []string{web}, traffic.Record{Shift: "s1", Phase: traffic.PhaseOpen}, true))
	reads := c.Count("get", "httproutes")
	c.weigh(70, 30)
	all := []string{web, web + "#none", "httproute/shop/gone"}
	records, states, err := recorder.Observe(t.Context(), all)
	must(t, err)
	if n := c.Count("get", "httproutes") - reads; n != len(all) {
		t.Errorf("%d reads of %d routes", n, len(all))
	}
	want := traffic.State{Weights: map[string]int{group("web-blue"): 70, group("web-green"): 30}}
	if len(records) != 1 || len(records[web]) != 1 || len(states) != 1 || !states[web].Equal(want) || !states[web].Fresh {
		t.Errorf("got the records %v and the states %v", records, states)
	}
}

// What a look at the record shows is nothing that a step was decided on: the write still finds the change.
func TestObserve_changesNoWrite(t *testing.T) {
	c := shopWith(t)
	s := c.read(t, web)
	c.weigh(70, 30)
	_, _, err := kubernetes.NewRecorder(c.forward).Observe(t.Context(), []string{web})
	must(t, err)
	s.Weights = half
	if err := c.forward.Write(t.Context(), web, s); !errors.Is(err, kubernetes.ErrChanged) {
		t.Errorf("the write returned %v", err)
	}
}

// A look that began before a write may show what the route had before.
func TestObserve_saysWhetherItIsFresh(t *testing.T) {
	c := shopWith(t)
	s := c.read(t, web)
	s.Weights = half
	wrote := false
	c.Hook(func(r localkube.Request) {
		if r.Verb == "get" && !wrote {
			wrote = true
			if err := c.forward.Write(t.Context(), web, s); err != nil {
				t.Error(err)
			}
		}
	})
	_, states, err := kubernetes.NewRecorder(c.forward).Observe(t.Context(), []string{web})
	must(t, err)
	if states[web].Fresh {
		t.Errorf("a look that began before a write is fresh: %v", states[web].Weights)
	}
}
