package kubernetes

import (
	"context"
	"fmt"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
)

// InSync implements traffic.Propagator with one request per route. A route of Gateway API is in sync where, for
// its present generation, at least one controller accepted it for a parent and resolved its references, and none
// refuses it. Of VirtualServices and Services nothing is known: they are in sync. A refusal is ErrNotAccepted in
// a GroupError that has the parent, the controller, and the reason and message of the condition. It may end, as
// after a Service that is created later.
func (r *Router) InSync(ctx context.Context, routes []string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	found, errs := awscall.Each(routes, maxConcurrent, func(id string) (bool, error) {
		a, err := r.acceptance(ctx, id)
		if err != nil || !a.applies {
			return true, err
		}
		return a.isInSync(), a.refusal(id)
	})
	if err := awscall.FirstOf(routes, errs); err != nil {
		return false, err
	}
	for _, synced := range found {
		if !synced {
			return false, nil
		}
	}
	return true, nil
}

// acceptance is what the controllers say about a route for its present generation.
type acceptance struct {
	applies  bool // to the kind
	parents  int  // that the route names
	accepted int  // parents that accepted it and resolved its references
	pending  []string
	refused  []string
}

func (a acceptance) isInSync() bool {
	return a.accepted > 0 && len(a.pending) == 0 && len(a.refused) == 0
}

// refusal returns ErrNoParents, or ErrNotAccepted where a controller refuses the route; nil: none does.
func (a acceptance) refusal(id string) error {
	switch {
	case a.parents == 0:
		return &GroupError{Route: id, Err: ErrNoParents}
	case len(a.refused) > 0:
		return &GroupError{Route: id, Detail: strings.Join(a.refused, "; "), Err: ErrNotAccepted}
	}
	return nil
}

// check returns an error where the route is not in sync.
func (a acceptance) check(id string) error {
	err := a.refusal(id)
	switch {
	case err != nil || a.isInSync():
		return err
	case len(a.pending) > 0:
		return &GroupError{Route: id, Detail: strings.Join(a.pending, "; "), Err: ErrNotAccepted}
	}
	return &GroupError{Route: id, Detail: "no controller has written a status for one of its parents", Err: ErrNotAccepted}
}

func (r *Router) acceptance(ctx context.Context, id string) (acceptance, error) {
	route, err := ParseRoute(id)
	if err != nil || !route.Kind.info().parents {
		return acceptance{}, err
	}
	object, err := r.object(ctx, route)
	if err != nil {
		return acceptance{}, err
	}
	return acceptanceOf(route, object.Object), nil
}

// acceptanceOf reads the status of an object. It ignores what a controller left for a parent that the route does
// not name any more.
func acceptanceOf(route Route, object map[string]any) acceptance {
	var parents []parent
	for _, ref := range objects(part(object, "spec"), "parentRefs") {
		parents = append(parents, parentOf(ref, route.Namespace))
	}
	a := acceptance{applies: true, parents: len(parents)}
	generation, _ := number(part(object, "metadata"), "generation")
	for _, status := range objects(part(object, "status"), "parents") {
		p := parentOf(part(status, "parentRef"), route.Namespace)
		if p.isOneOf(parents) {
			a.add(p, status, generation)
		}
	}
	return a
}

// add adds what a controller says about a parent.
func (a *acceptance) add(p parent, status map[string]any, generation int) {
	by := p.String()
	if controller := text(status, "controllerName"); controller != "" {
		by += " (" + controller + ")"
	}
	good := 0
	for _, want := range []struct{ kind, status string }{{"Accepted", "True"}, {"ResolvedRefs", "True"}, {"PartiallyInvalid", "False"}} {
		condition := conditionOf(status, want.kind)
		observed, _ := number(condition, "observedGeneration")
		optional := want.status == "False"
		switch is := text(condition, "status"); {
		case optional && (condition == nil || observed < generation || is == want.status):
			good++
		case condition == nil:
			a.pending = append(a.pending, fmt.Sprintf("%s: there is no condition %s", by, want.kind))
		case observed < generation:
			a.pending = append(a.pending, fmt.Sprintf("%s: %s is of generation %d, the route has %d", by, want.kind, observed, generation))
		case is == want.status:
			good++
		case is != "True" && is != "False":
			a.pending = append(a.pending, by+": "+conditionText(want.kind, condition))
		default:
			a.refused = append(a.refused, by+": "+conditionText(want.kind, condition))
		}
	}
	if good == 3 {
		a.accepted++
	}
}

// conditionText is a condition with its reason and message: "ResolvedRefs is False: BackendNotFound: no service".
func conditionText(kind string, condition map[string]any) string {
	parts := []string{kind + " is " + text(condition, "status")}
	for _, field := range []string{"reason", "message"} {
		if value := strings.TrimSpace(text(condition, field)); value != "" {
			parts = append(parts, value)
		}
	}
	return strings.Join(parts, ": ")
}

func conditionOf(status map[string]any, kind string) map[string]any {
	for _, condition := range objects(status, "conditions") {
		if text(condition, "type") == kind {
			return condition
		}
	}
	return nil
}

// parent is what a route is attached to, such as a listener of a Gateway.
type parent struct {
	group, kind, namespace, name string
	section                      string // empty: every one
	port                         int    // 0: every one
}

// parentOf reads a parentRef of a route in a namespace.
func parentOf(ref map[string]any, namespace string) parent {
	p := parent{gatewayGroup, "Gateway", namespace, text(ref, "name"), text(ref, "sectionName"), 0}
	if group, has := ref["group"].(string); has {
		p.group = group // empty for a Service
	}
	if kind := text(ref, "kind"); kind != "" {
		p.kind = kind
	}
	if other := text(ref, "namespace"); other != "" {
		p.namespace = other
	}
	p.port, _ = number(ref, "port")
	return p
}

// isOneOf reports whether a parent of the status is one of those of the spec. A controller may leave out the
// section or the port.
func (p parent) isOneOf(parents []parent) bool {
	for _, q := range parents {
		same := p.group == q.group && p.kind == q.kind && p.namespace == q.namespace && p.name == q.name
		if same && (p.section == q.section || p.section == "" || q.section == "") && (p.port == q.port || p.port == 0 || q.port == 0) {
			return true
		}
	}
	return false
}

// String names the parent: "Gateway shop/edge, section https".
func (p parent) String() string {
	text := p.kind + " " + p.namespace + "/" + p.name
	if p.section != "" {
		text += ", section " + p.section
	}
	if p.port != 0 {
		text += fmt.Sprintf(", port %d", p.port)
	}
	return text
}
