package kubernetes

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Found is what a search for the routes that have groups found.
type Found struct {
	References []traffic.Reference
	Unread     []Unread
}

// Unread is where a search could not look, because the API denied access.
type Unread struct {
	Text string // names it for people: "HTTPRoutes of namespace edge"
	Err  error  // a CallError
}

// collection is all objects of a kind in a namespace; empty: in all of them.
type collection struct {
	kind      Kind
	namespace string
}

// unread returns the collection as one that access was denied to.
func (c collection) unread(err error) Unread {
	text := c.kind.info().kind + "s of namespace " + c.namespace
	if c.namespace == "" {
		text = c.kind.info().kind + "s of other namespaces"
	}
	return Unread{text, err}
}

// lists reads what a search needs. A Router reads it, a Reader shares what it has read.
type lists struct {
	routes func(context.Context, collection) ([]listed, error)
	grants func(ctx context.Context, namespace string) ([]grant, error)
}

// listed is a route with its groups.
type listed struct {
	route   Route
	name    string // of the rule; empty: it has none
	index   int    // of the rule
	weights map[string]int
	all     []string // groups, also those without a weight
}

// References is FindReferences without what could not be read.
func (r *Router) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	found, err := r.FindReferences(ctx, groups)
	return found.References, err
}

// FindReferences returns the routes that have one of the groups, in the order of the groups, whatever manages
// them: those in the namespace of the group, those in namespaces that a ReferenceGrant names, and the
// VirtualServices of all namespaces. Where the API denies access to another namespace, what is there is Unread.
// What does not send by a route, such as an Ingress, is not among them. It takes one request per group, kind and
// namespace; Reader.FindReferences shares them. It returns traffic.ErrNotFound for a missing Service.
func (r *Router) FindReferences(ctx context.Context, groups []string) (Found, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	return r.references(ctx, groups, unshared(r))
}

// unshared are the lists of a Router.
func unshared(r *Router) lists { return lists{r.listed, r.calls.grants} }

func (r *Router) references(ctx context.Context, groups []string, l lists) (Found, error) {
	_, errs := awscall.Each(groups, maxConcurrent, func(id string) (struct{}, error) {
		err := r.checkService(ctx, id)
		if errors.Is(err, ErrNoPort) {
			err = nil // it is there
		}
		return struct{}{}, err
	})
	if err := awscall.FirstOf(groups, errs); err != nil {
		return Found{}, err
	}
	s := search{lists: l}
	var found []traffic.Reference
	for _, group := range groups {
		all, err := s.near(ctx, group)
		if err != nil {
			return Found{}, err
		}
		for _, x := range all {
			if slices.Contains(x.all, group) {
				found = append(found, traffic.Reference{Route: x.route.String(), Text: x.route.Display(), Group: group, Share: shareOf(x.weights, group)})
			}
		}
	}
	return Found{found, s.unread}, nil
}

// OtherRoutes returns the routes that send traffic to one of the groups and are not among the routes: they keep
// using an environment that the routes have left. It looks in the namespaces of the routes and where FindReferences
// looks. It skips another namespace that the API denies access to.
func (r *Router) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	return otherRoutes(ctx, routes, groups, unshared(r))
}

func otherRoutes(ctx context.Context, routes, groups []string, l lists) ([]traffic.OtherRoute, error) {
	s := search{lists: l}
	var own []Route
	var all []listed
	for _, id := range routes {
		route, err := ParseRoute(id)
		if err != nil {
			return nil, err
		}
		own = append(own, route)
		near, err := s.in(ctx, route.kinds(), route.Namespace)
		if err != nil {
			return nil, err
		}
		all = append(all, near...)
	}
	for _, group := range groups {
		near, err := s.near(ctx, group)
		if err != nil {
			return nil, err
		}
		all = append(all, near...)
	}
	var others []traffic.OtherRoute
	for _, x := range all {
		if slices.ContainsFunc(own, x.is) || slices.ContainsFunc(others, func(o traffic.OtherRoute) bool { return o.Route == x.route.String() }) {
			continue
		}
		fed := slices.DeleteFunc(sorted(x.weights), func(group string) bool { return !slices.Contains(groups, group) })
		if len(fed) > 0 {
			others = append(others, traffic.OtherRoute{Route: x.route.String(), Text: x.route.Display(), Groups: fed})
		}
	}
	return others, nil
}

// search reads the routes that may have groups, each collection once.
type search struct {
	lists  lists
	known  map[collection][]listed
	unread []Unread
}

// near returns the routes that may have a group.
func (s *search) near(ctx context.Context, group string) ([]listed, error) {
	g, err := ParseGroup(group)
	if err != nil {
		return nil, err
	}
	if g.Selector != nil {
		return s.in(ctx, []Kind{Service}, g.Namespace)
	}
	all, err := s.in(ctx, weighted(), g.Namespace)
	if err != nil {
		return nil, err
	}
	grants, err := s.lists.grants(ctx, g.Namespace)
	if err != nil {
		return nil, err
	}
	for _, at := range append(fromOthers(grants, g), collection{VirtualService, ""}) {
		others, err := s.read(ctx, at)
		if call, is := errors.AsType[*CallError](err); is && errors.Is(err, traffic.ErrDenied) {
			s.deny(at, call)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, x := range others {
			if x.route.Namespace != g.Namespace { // it was read already
				all = append(all, x)
			}
		}
	}
	return all, nil
}

// in returns the routes of kinds in a namespace, which must be readable.
func (s *search) in(ctx context.Context, kinds []Kind, namespace string) ([]listed, error) {
	var all []listed
	for _, kind := range kinds {
		some, err := s.read(ctx, collection{kind, namespace})
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (s *search) read(ctx context.Context, at collection) ([]listed, error) {
	if all, is := s.known[at]; is {
		return all, nil
	}
	all, err := s.lists.routes(ctx, at)
	if err != nil {
		return nil, err
	}
	if s.known == nil {
		s.known = map[collection][]listed{}
	}
	s.known[at] = all
	return all, nil
}

// deny records, once, that a collection was not read.
func (s *search) deny(at collection, err error) {
	unread := at.unread(err)
	if !slices.ContainsFunc(s.unread, func(u Unread) bool { return u.Text == unread.Text }) {
		s.unread = append(s.unread, unread)
	}
}

// weighted returns the kinds of routes that have Services.
func weighted() []Kind { return []Kind{HTTPRoute, GRPCRoute, TCPRoute, VirtualService} }

// kinds returns the kinds of routes that can have the groups of a route.
func (r Route) kinds() []Kind {
	if r.Kind == Service {
		return []Kind{Service}
	}
	return weighted()
}

// is reports whether a configured route means the listed one: it may name the rule in another way.
func (x listed) is(route Route) bool {
	same := x.route
	same.Rule = route.Rule
	if same != route {
		return false
	}
	return route.Rule == x.route.Rule || route.Rule == x.name || x.name != route.Rule && route.Rule == strconv.Itoa(x.index)
}

// listed reads all routes of a collection. A cluster without the API has none.
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
			all = append(all, p.listed())
		}
	}
	return all, nil
}

// listed returns a rule with its groups. The route names the rule where there are several.
func (p place) listed() listed {
	x := listed{route: p.route, name: text(p.rule(), "name"), index: p.index}
	switch {
	case len(p.rules()) < 2:
	case x.name != "":
		x.route.Rule = x.name
	default:
		x.route.Rule = strconv.Itoa(p.index)
	}
	k := p.raw()
	x.weights = k.weights(x.route)
	x.all = sorted(x.weights)
	for _, y := range k.Refs {
		ref, _ := y.(map[string]any)
		if group := groupOf(p.route, ref); !slices.Contains(x.all, group) {
			x.all = append(x.all, group)
		}
	}
	return x
}
