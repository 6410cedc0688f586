package kubernetes

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// listing returns the routes of a kind in a namespace, each with the groups that it has.
type listing func(ctx context.Context, at collection) ([]listed, error)

// collection is all objects of a kind in a namespace.
type collection struct {
	kind      Kind
	namespace string
}

// listed is a route with its groups.
type listed struct {
	route   Route
	weights map[string]int
	all     []string // groups, also those without a weight
}

// References returns the routes that have one of the groups, in the order of the groups, whatever manages
// them. It looks in the namespace of the group only: routes of other namespaces, and what does not send by a
// route, such as an Ingress, are not among them. It takes one request per group, kind and namespace;
// Reader.References shares them. It returns traffic.ErrNotFound for a missing Service.
func (r *Router) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	return r.references(ctx, groups, r.listed)
}

func (r *Router) references(ctx context.Context, groups []string, list listing) ([]traffic.Reference, error) {
	_, errs := awscall.Each(groups, maxConcurrent, func(id string) (struct{}, error) {
		err := r.checkService(ctx, id)
		if errors.Is(err, ErrNoPort) {
			err = nil // it is there
		}
		return struct{}{}, err
	})
	if err := awscall.FirstOf(groups, errs); err != nil {
		return nil, err
	}
	var found []traffic.Reference
	for _, group := range groups {
		g, err := ParseGroup(group)
		if err != nil {
			return nil, err
		}
		for _, kind := range g.kinds() {
			all, err := list(ctx, collection{kind, g.Namespace})
			if err != nil {
				return nil, err
			}
			for _, x := range all {
				if slices.Contains(x.all, group) {
					found = append(found, traffic.Reference{Route: x.route.String(), Text: x.route.Display(), Group: group, Share: shareOf(x.weights, group)})
				}
			}
		}
	}
	return found, nil
}

// kinds returns the kinds of routes that can have the group.
func (g GroupID) kinds() []Kind {
	if g.Selector != nil {
		return []Kind{Service}
	}
	return []Kind{HTTPRoute, GRPCRoute, TCPRoute, VirtualService}
}

// OtherRoutes returns the routes in the namespaces of the routes that send traffic to one of the groups and are
// not among the routes: they keep using an environment that the routes have left.
func (r *Router) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	return otherRoutes(ctx, routes, groups, r.listed)
}

func otherRoutes(ctx context.Context, routes, groups []string, list listing) ([]traffic.OtherRoute, error) {
	var own []place
	var places []collection
	for _, id := range routes {
		route, err := ParseRoute(id)
		if err != nil {
			return nil, err
		}
		own = append(own, place{route: route})
		g := GroupID{}
		if route.Kind == Service {
			g.Selector = map[string]string{}
		}
		for _, kind := range g.kinds() {
			if at := (collection{kind, route.Namespace}); !slices.Contains(places, at) {
				places = append(places, at)
			}
		}
	}
	var others []traffic.OtherRoute
	for _, at := range places {
		all, err := list(ctx, at)
		if err != nil {
			return nil, err
		}
		for _, x := range all {
			fed := slices.DeleteFunc(sorted(x.weights), func(group string) bool { return !slices.Contains(groups, group) })
			if len(fed) > 0 && !slices.ContainsFunc(own, func(p place) bool { return x.is(p.route) }) {
				others = append(others, traffic.OtherRoute{Route: x.route.String(), Text: x.route.Display(), Groups: fed})
			}
		}
	}
	return others, nil
}

// is reports whether a configured route means the listed one: it may name the rule in another way.
func (x listed) is(route Route) bool {
	same := x.route
	same.Rule = route.Rule
	return same == route && (route.Rule == x.route.Rule || route.Rule == "" || route.Rule == strconv.Itoa(x.index()))
}

// index is the index of a rule that has no name; -1: it has one.
func (x listed) index() int {
	i, err := strconv.Atoi(x.route.Rule)
	if err != nil {
		return -1
	}
	return i
}

// listed reads all routes of a kind in a namespace. A cluster without the API has none.
func (r *Router) listed(ctx context.Context, at collection) ([]listed, error) {
	objects, err := r.calls.list(ctx, at.kind.info(), at.namespace, "")
	if errors.Is(err, ErrNotInstalled) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []listed
	for _, object := range objects {
		p := place{route: Route{Kind: at.kind, Namespace: object.GetNamespace(), Name: object.GetName()}, object: object.Object}
		for i := range max(len(p.rules()), 1) {
			p.index = i
			if p.route.Rule = ruleName(p); len(p.rules()) < 2 {
				p.route.Rule = ""
			}
			all = append(all, p.listed())
		}
	}
	return all, nil
}

func ruleName(p place) string {
	if name := text(p.rule(), "name"); name != "" {
		return name
	}
	return strconv.Itoa(p.index)
}

func (p place) listed() listed {
	k := p.raw()
	x := listed{route: p.route, weights: k.weights(p.route)}
	x.all = sorted(x.weights)
	for _, y := range k.Refs {
		ref, _ := y.(map[string]any)
		if group := groupOf(p.route, ref); !slices.Contains(x.all, group) {
			x.all = append(x.all, group)
		}
	}
	return x
}
