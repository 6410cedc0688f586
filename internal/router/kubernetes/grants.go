package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// grant is a ReferenceGrant: routes of other namespaces that may refer to Services of its own.
type grant struct {
	from []collection
	to   []map[string]any
}

// allows reports whether the grant is one for the Service.
func (a grant) allows(g GroupID) bool {
	return slices.ContainsFunc(a.to, func(to map[string]any) bool {
		name := text(to, "name")
		return text(to, "group") == "" && text(to, "kind") == Service.info().kind && (name == "" || name == g.Service)
	})
}

// fromOthers returns the routes of other namespaces that may refer to a Service.
func fromOthers(grants []grant, g GroupID) []collection {
	var all []collection
	for _, a := range grants {
		for _, from := range a.from {
			if a.allows(g) && !slices.Contains(all, from) {
				all = append(all, from)
			}
		}
	}
	return all
}

// grants reads the ReferenceGrants of a namespace. A cluster without that API has none.
func (c *caller) grants(ctx context.Context, namespace string) ([]grant, error) {
	found, err := c.list(ctx, referenceGrants(), namespace, "")
	if errors.Is(err, ErrNotInstalled) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []grant
	for _, x := range found {
		spec := part(x.Object, "spec")
		all = append(all, grant{granted(objects(spec, "from")), objects(spec, "to")})
	}
	return all, nil
}

// granted returns the routes in "from" of a ReferenceGrant.
func granted(from []map[string]any) []collection {
	var all []collection
	for _, one := range from {
		for _, kind := range Kinds() {
			if i := kind.info(); i.parents && text(one, "group") == i.group && text(one, "kind") == i.kind && text(one, "namespace") != "" {
				all = append(all, collection{kind, text(one, "namespace")})
			}
		}
	}
	return all
}

// checkGrant checks that a route of Gateway API may refer to a Service, which another namespace must allow.
func (r *Router) checkGrant(ctx context.Context, route Route, group string) error {
	g, err := ParseGroup(group)
	if err != nil || g.Namespace == route.Namespace || !route.Kind.info().parents {
		return err
	}
	grants, err := r.calls.grants(ctx, g.Namespace)
	if err != nil || slices.Contains(fromOthers(grants, g), collection{route.Kind, route.Namespace}) {
		return err
	}
	return &GroupError{Group: group, Route: route.String(), Err: ErrNoGrant,
		Detail: fmt.Sprintf("namespace %s has none from %s in namespace %s to Service %s", g.Namespace, route.Kind.info().kind, route.Namespace, g.Service)}
}
