package kubernetes_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const httpRoutes = "httproutes.gateway.networking.k8s.io"

// beforeUpdate changes the HTTPRoute once, between the read and the update of a Write.
func (c *cluster) beforeUpdate(change func(object)) {
	var once sync.Once
	c.Hook(func(r localkube.Request) {
		if r.Verb == "update" {
			once.Do(func() { c.change(c.Object(httpRoutes, "shop", "web"), change) })
		}
	})
}

var half = map[string]int{group("web-blue"): 50, group("web-green"): 50}

func TestWrite_triesAgainWhenOnlyLabelsChanged(t *testing.T) {
	c := shopWith(t)
	c.beforeUpdate(func(o object) { o["metadata"].(object)["labels"] = object{"team": "other"} }) //nolint:forcetypeassert // it is one
	must(t, c.write(t, c.forward, web, half))
	if got := c.read(t, web); !got.Equal(traffic.State{Weights: half}) {
		t.Errorf("the route has %v", got.Weights)
	}
	if got := inner(c.Object(httpRoutes, "shop", "web"), "metadata", "labels", "team"); got != "other" || c.Count("update", "httproutes") != 2 {
		t.Errorf("the label is %v after %d updates", got, c.Count("update", "httproutes"))
	}
}

func TestWrite_refusesWhenWeightsChanged(t *testing.T) {
	c := shopWith(t)
	c.beforeUpdate(func(o object) {
		inner(o, "spec", "rules", 0).(object)["backendRefs"] = []any{backendRef("web-blue", 9), backendRef("web-green", 1)} //nolint:forcetypeassert // it is one
	})
	err := c.write(t, c.forward, web, half)
	if changed, is := errors.AsType[*kubernetes.ChangedError](err); !is || changed.Weights[group("web-blue")] != 9 || !errors.Is(err, kubernetes.ErrChanged) {
		t.Errorf("got %v", err)
	}
	if got := c.read(t, web).Weights; got[group("web-green")] != 1 {
		t.Errorf("the route has %v", got)
	}
}

func TestWrite_endsInAConflictStorm(t *testing.T) {
	c := shopWith(t)
	c.Inject(localkube.Fault{Kind: localkube.Conflict, Verb: "update"})
	if err := c.write(t, c.forward, web, half); !errors.Is(err, kubernetes.ErrBusy) || c.Count("update", "httproutes") != 30 {
		t.Errorf("got %v after %d updates", err, c.Count("update", "httproutes"))
	}
}

func TestWrite_rollsBackWithoutARead(t *testing.T) {
	c := shopWith(t)
	s := c.read(t, web)
	s.Weights = half
	c.Inject(localkube.Fault{Kind: localkube.Forbidden, Verb: "get", Resource: "httproutes", Times: 2})
	if err := c.forward.Write(t.Context(), web, s); !errors.Is(err, traffic.ErrDenied) || !strings.Contains(err.Error(), `cannot get resource "httproutes"`) {
		t.Errorf("the forward router returned %v", err)
	}
	must(t, c.rollback.Write(t.Context(), web, s))
	if got := c.read(t, web); !got.Equal(s) || c.Count("patch", "httproutes") != 1 {
		t.Errorf("the route has %v after %d patches", got.Weights, c.Count("patch", "httproutes"))
	}
}

// A write adds the record of the shift, which somebody removed, in the same update.
func TestWrite_restoresTheRecord(t *testing.T) {
	c := shopWith(t)
	recorder := kubernetes.NewRecorder(c.forward)
	must(t, recorder.Put(t.Context(), []string{web}, traffic.Record{Shift: "s1", Phase: traffic.PhaseOpen}, true))
	c.change(c.Object(httpRoutes, "shop", "web"), func(o object) { delete(o["metadata"].(object), "annotations") }) //nolint:forcetypeassert // it is one
	updates := c.Count("update", "httproutes")
	must(t, c.write(t, c.forward, web, half))
	found, err := recorder.Records(t.Context(), []string{web})
	must(t, err)
	if len(found[web]) != 1 || c.Count("update", "httproutes") != updates+1 {
		t.Errorf("the route has the records %v after %d updates", found[web], c.Count("update", "httproutes")-updates)
	}
}

func TestInSync_followsTheConditions(t *testing.T) {
	c := shopWith(t)
	synced, err := c.forward.InSync(t.Context(), []string{web})
	if err != nil || !synced {
		t.Fatalf("got %t, %v", synced, err)
	}
	c.StopController()
	must(t, c.write(t, c.forward, web, half))
	if synced, err = c.forward.InSync(t.Context(), []string{web}); err != nil || synced {
		t.Errorf("a generation that no controller has seen is in sync: %t, %v", synced, err)
	}
}

func TestErrors_ofIDs(t *testing.T) {
	c := shopWith(t)
	c.Put(route("HTTPRoute", "api", []any{backendRef("web-blue", 1)}, []any{backendRef("web-blue", 1)}))
	for id, want := range map[string]error{
		"httproute/shop/api":       kubernetes.ErrAmbiguous,
		"httproute/shop/api#other": kubernetes.ErrNoRule,
		"httproute/shop":           kubernetes.ErrMalformed,
		"ingress/shop/web":         kubernetes.ErrMalformed,
	} {
		if _, err := c.forward.Read(t.Context(), []string{id}); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", id, err, want)
		}
	}
	bare := shopWith(t, localkube.WithoutGroup("networking.istio.io"))
	if _, err := bare.forward.Read(t.Context(), []string{"virtualservice/shop/web"}); !errors.Is(err, kubernetes.ErrNotInstalled) {
		t.Errorf("a cluster without Istio returned %v", err)
	}
}

// Between the read that a write was decided on and the write, somebody else changes the weights. A forward write must
// not replace them, whatever they are; a rollback does.
func TestWrite_refusesWeightsThatNobodyRead(t *testing.T) {
	for name, weights := range map[string]map[string]int{"others": {"web-blue": 9, "web-green": 1}, "those of the beginning": {"web-blue": 1}} {
		c := shopWith(t)
		first := c.read(t, web)
		first.Weights = map[string]int{group("web-blue"): 80, group("web-green"): 20}
		must(t, c.forward.Write(t.Context(), web, first))
		c.read(t, web)
		c.change(c.Object(httpRoutes, "shop", "web"), func(o object) {
			refs := []any{}
			for service, n := range weights {
				refs = append(refs, backendRef(service, n))
			}
			inner(o, "spec", "rules", 0).(object)["backendRefs"] = refs //nolint:forcetypeassert // it is one
		})
		updates := c.Count("update", "httproutes")
		first.Weights = half
		if err := c.forward.Write(t.Context(), web, first); !errors.Is(err, kubernetes.ErrChanged) || c.Count("update", "httproutes") != updates {
			t.Errorf("%s: got %v after %d updates", name, err, c.Count("update", "httproutes")-updates)
		}
		must(t, c.rollback.Write(t.Context(), web, first))
		if got := c.read(t, web); !got.Equal(traffic.State{Weights: half}) {
			t.Errorf("%s: rolled back to %v", name, got.Weights)
		}
	}
}

// A write that the API carries out after its client gave it up is one of this process.
func TestWrite_knowsItsLateWrites(t *testing.T) {
	c := shopWith(t)
	s := c.read(t, web)
	s.Weights = map[string]int{group("web-blue"): 80, group("web-green"): 20}
	c.Inject(localkube.Fault{Kind: localkube.DropConnection, Verb: "update", Times: 1})
	if err := c.forward.Write(t.Context(), web, s); err == nil {
		t.Fatal("a write without an answer succeeded")
	}
	c.read(t, web)
	c.beforeUpdate(func(o object) {
		inner(o, "spec", "rules", 0).(object)["backendRefs"] = []any{backendRef("web-blue", 80), backendRef("web-green", 20)} //nolint:forcetypeassert // it is one
	})
	s.Weights = map[string]int{group("web-blue"): 1}
	must(t, c.rollback.Write(t.Context(), web, s))
	if got := c.read(t, web); !got.Equal(traffic.State{Weights: map[string]int{group("web-blue"): 1}}) {
		t.Errorf("rolled back to %v", got.Weights)
	}
}

// A get shows every write that the API accepted before: the weights of earlier are an external change then. One that
// began before may be older.
func TestRead_saysWhetherItIsFresh(t *testing.T) {
	c := shopWith(t)
	first := c.read(t, web)
	must(t, c.write(t, c.forward, web, half))
	c.Put(route("HTTPRoute", "web", []any{backendRef("web-blue", 1)}))
	if got := c.read(t, web); !first.Fresh || !got.Fresh || !got.Equal(first) {
		t.Errorf("the first read is fresh: %t, the second: %t, %v", first.Fresh, got.Fresh, got.Weights)
	}
	var once sync.Once
	c.Hook(func(r localkube.Request) {
		if r.Verb == "get" && r.Resource == "httproutes" {
			once.Do(func() {
				if err := c.rollback.Write(t.Context(), web, first); err != nil {
					t.Error(err)
				}
			})
		}
	})
	if got := c.read(t, web); got.Fresh {
		t.Errorf("a read that began before a write is fresh: %v", got.Weights)
	}
	if got := c.read(t, web); !got.Fresh {
		t.Error("a read after a write is not fresh")
	}
}
