package kubernetes_test

import (
	"errors"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// said is what a controller says about a parent: conditions as "Accepted", "True", the reason and the generation.
func said(controller string, parent object, conditions ...[]any) object {
	list := []any{}
	for _, c := range conditions {
		list = append(list, object{"type": c[0], "status": c[1], "reason": c[2], "message": "see " + controller, "observedGeneration": c[3]})
	}
	return object{"controllerName": controller, "parentRef": parent, "conditions": list}
}

func accepted(generation int) []any { return []any{"Accepted", "True", "Accepted", generation} }

func resolved(generation int) []any { return []any{"ResolvedRefs", "True", "ResolvedRefs", generation} }

// The route has the generation 1 and two parents: the listener https of the Gateway shop/edge, and the Gateway mesh/east.
func TestInSync_ofSeveralParentsAndControllers(t *testing.T) {
	edge, east := object{"name": "edge", "sectionName": "https"}, object{"name": "east", "namespace": "mesh", "kind": "Gateway", "group": "gateway.networking.k8s.io"}
	good := said("a.io/x", edge, accepted(1), resolved(1))
	for name, tt := range map[string]struct {
		status []any
		synced bool
		err    string // of InSync
		check  string // of CheckGroups, where it differs
	}{
		"none":               {nil, false, "", "HTTPRoute shop/web: the route is not accepted (no controller has written a status for one of its parents)"},
		"one of two":         {[]any{good}, true, "", ""},
		"both":               {[]any{good, said("b.io/y", east, accepted(1), resolved(1))}, true, "", ""},
		"two controllers":    {[]any{good, said("b.io/y", edge, accepted(1), resolved(1))}, true, "", ""},
		"a newer generation": {[]any{said("a.io/x", edge, accepted(2), resolved(2))}, true, "", ""},
		"an old generation": {[]any{good, said("b.io/y", east, accepted(1), resolved(0))}, false, "",
			"HTTPRoute shop/web: the route is not accepted (Gateway mesh/east (b.io/y): ResolvedRefs is of generation 0, the route has 1)"},
		"a missing condition": {[]any{said("a.io/x", edge, accepted(1))}, false, "",
			"HTTPRoute shop/web: the route is not accepted (Gateway shop/edge, section https (a.io/x): there is no condition ResolvedRefs)"},
		"an unknown status": {[]any{said("a.io/x", edge, []any{"Accepted", "Unknown", "Pending", 1}, resolved(1))}, false, "",
			"HTTPRoute shop/web: the route is not accepted (Gateway shop/edge, section https (a.io/x): Accepted is Unknown: Pending: see a.io/x)"},
		"refused by an old generation": {[]any{said("a.io/x", edge, []any{"Accepted", "False", "NoMatchingParent", 0}, resolved(1))}, false, "",
			"HTTPRoute shop/web: the route is not accepted (Gateway shop/edge, section https (a.io/x): Accepted is of generation 0, the route has 1)"},
		"refused by one controller": {[]any{good, said("b.io/y", edge, accepted(1), []any{"ResolvedRefs", "False", "RefNotPermitted", 1})}, false,
			"HTTPRoute shop/web: the route is not accepted (Gateway shop/edge, section https (b.io/y): ResolvedRefs is False: RefNotPermitted: see b.io/y)", ""},
		"refused for both parents": {[]any{
			said("a.io/x", edge, []any{"Accepted", "False", "NoMatchingListenerHostname", 1}, resolved(1)),
			said("b.io/y", east, []any{"Accepted", "False", "NotAllowedByListeners", 1}, resolved(1)),
		}, false, "HTTPRoute shop/web: the route is not accepted (Gateway shop/edge, section https (a.io/x): Accepted is False: NoMatchingListenerHostname: see a.io/x; " +
			"Gateway mesh/east (b.io/y): Accepted is False: NotAllowedByListeners: see b.io/y)", ""},
		"partially invalid": {[]any{said("a.io/x", edge, accepted(1), resolved(1), []any{"PartiallyInvalid", "True", "UnsupportedValue", 1})}, false,
			"HTTPRoute shop/web: the route is not accepted (Gateway shop/edge, section https (a.io/x): PartiallyInvalid is True: UnsupportedValue: see a.io/x)", ""},
		"partially invalid before": {[]any{said("a.io/x", edge, accepted(1), resolved(1), []any{"PartiallyInvalid", "True", "UnsupportedValue", 0})}, true, "", ""},
		"refused for a parent of earlier": {[]any{good, said("b.io/y", object{"name": "gone"}, []any{"Accepted", "False", "NoMatchingParent", 1}),
			said("b.io/y", object{"name": "edge", "sectionName": "http"}, []any{"Accepted", "False", "NoMatchingParent", 1})}, true, "", ""},
		"a parent without its section": {[]any{said("a.io/x", object{"name": "edge"}, accepted(1), resolved(1))}, true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := shopWith(t)
			c.StopController()
			c.Remove(httpRoutes, "shop", "web")
			o := route("HTTPRoute", "web", []any{backendRef("web-blue", 1)})
			inner(o, "spec").(object)["parentRefs"] = []any{edge, east} //nolint:forcetypeassert // it is one
			o["status"] = object{"parents": tt.status}
			c.Put(o)
			synced, err := c.forward.InSync(t.Context(), []string{web})
			if synced != tt.synced || textOfError(err) != tt.err || err != nil && !errors.Is(err, kubernetes.ErrNotAccepted) {
				t.Errorf("InSync returned %t, %v, want %t, %s", synced, err, tt.synced, tt.err)
			}
			if tt.check == "" {
				tt.check = tt.err
			}
			err = c.forward.CheckGroups(t.Context(), traffic.Entry{Name: "web", Routes: []string{web}, Groups: []string{group("web-blue")}})
			if textOfError(err) != tt.check || err != nil && !errors.Is(err, kubernetes.ErrNotAccepted) {
				t.Errorf("CheckGroups returned %v, want %s", err, tt.check)
			}
		})
	}
}

func textOfError(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A controller that answers later makes a route in sync later. What is refused now may be accepted later.
func TestInSync_followsTheController(t *testing.T) {
	c := shopWith(t)
	c.Remove("services", "shop", "web-green")
	c.change(c.Object(httpRoutes, "shop", "web"), func(o object) {
		inner(o, "spec", "rules", 0).(object)["backendRefs"] = []any{backendRef("web-green", 1)} //nolint:forcetypeassert // it is one
	})
	if synced, err := c.forward.InSync(t.Context(), []string{web}); synced || !errors.Is(err, kubernetes.ErrNotAccepted) {
		t.Errorf("a missing Service returned %t, %v", synced, err)
	}
	c.Put(service("web-green"))
	c.change(c.Object(httpRoutes, "shop", "web"), func(o object) {
		inner(o, "spec").(object)["hostnames"] = []any{"other.example.com"} //nolint:forcetypeassert // it is one
	})
	if synced, err := c.forward.InSync(t.Context(), []string{web}); !synced || err != nil {
		t.Errorf("a Service that exists returned %t, %v", synced, err)
	}
	for _, route := range []string{"virtualservice/shop/absent", "service/shop/absent"} { // nothing is known of them
		if synced, err := c.forward.InSync(t.Context(), []string{web, route}); !synced || err != nil {
			t.Errorf("%s returned %t, %v", route, synced, err)
		}
	}
	if _, err := c.forward.InSync(t.Context(), []string{web, "httproute/shop/absent"}); !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("a missing route returned %v", err)
	}
}
