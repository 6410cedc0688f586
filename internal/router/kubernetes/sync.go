package kubernetes

import (
	"context"
	"fmt"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
)

// InSync implements traffic.Propagator with one request per route. A route of Gateway API is in sync where, for
// its present generation, at least one Gateway accepted it and resolved its references, and none says the
// opposite. Of VirtualServices and Services nothing is known: they are in sync.
func (r *Router) InSync(ctx context.Context, routes []string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	found, errs := awscall.Each(routes, maxConcurrent, func(id string) (acceptance, error) { return r.acceptance(ctx, id) })
	if err := awscall.FirstOf(routes, errs); err != nil {
		return false, err
	}
	for _, a := range found {
		if !a.applies {
			continue
		}
		if a.pending || a.refused != "" || a.accepted == 0 {
			return false, nil
		}
	}
	return true, nil
}

// acceptance is what the controllers say about a route.
type acceptance struct {
	applies  bool // to the kind
	parents  int  // that the route names
	accepted int  // parents that accepted it and resolved its references
	pending  bool // some parent has not seen the present generation
	refused  string
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
	return acceptanceOf(object.Object), nil
}

func acceptanceOf(object map[string]any) acceptance {
	a := acceptance{applies: true, parents: len(list(part(object, "spec"), "parentRefs"))}
	generation, _ := number(part(object, "metadata"), "generation")
	for _, x := range list(part(object, "status"), "parents") {
		parent, _ := x.(map[string]any)
		good := 0
		for _, kind := range []string{"Accepted", "ResolvedRefs"} {
			condition := conditionOf(parent, kind)
			observed, _ := number(condition, "observedGeneration")
			switch status := text(condition, "status"); {
			case condition == nil || observed < generation || status == "Unknown":
				a.pending = true
			case status == "True":
				good++
			default:
				a.refused = refusalText(kind, condition)
			}
		}
		if good == 2 {
			a.accepted++
		}
	}
	return a
}

func refusalText(kind string, condition map[string]any) string {
	text := fmt.Sprintf("%s is False: %s %s", kind, text(condition, "reason"), text(condition, "message"))
	return strings.TrimSpace(text)
}

func conditionOf(parent map[string]any, kind string) map[string]any {
	for _, x := range list(parent, "conditions") {
		if condition, _ := x.(map[string]any); text(condition, "type") == kind {
			return condition
		}
	}
	return nil
}
