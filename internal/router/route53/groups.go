package route53

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// CheckGroups checks, before a shift, that every group exists, under the name of the routes of its
// entry point and with the type of each of them. It returns a MissingError, and ErrOtherName or
// ErrNoRecordSet in a GroupError.
func (r *Router) CheckGroups(ctx context.Context, entries ...traffic.Entry) error {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	var groups []string
	for _, e := range entries {
		groups = append(groups, e.Groups...)
	}
	sets, errs := setsEach(ctx, groups, r.names.each)
	for _, e := range entries {
		for _, group := range e.Groups {
			if err := errs[group]; err != nil {
				return err
			}
			if err := checkGroup(group, sets[group], e.Routes); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkGroup checks a group with its record sets against the routes of its entry point.
func checkGroup(group string, sets []types.ResourceRecordSet, routes []string) error {
	g, err := ParseGroup(group)
	if err != nil {
		return err
	}
	for _, id := range routes {
		route, err := ParseRoute(id)
		if err != nil {
			return err
		}
		if route.place() != g.place() {
			return &GroupError{group, id, ErrOtherName}
		}
		if len(ofType(sets, route.Type)) == 0 {
			return &GroupError{group, id, ErrNoRecordSet}
		}
	}
	return nil
}

// LongestDelay returns 0: DNS has no in-flight requests, and traffic.State.Cached says how long earlier answers last.
func (*Router) LongestDelay(context.Context, []string) (time.Duration, error) { return 0, nil }

// SlowStarts returns nothing: a record set has no slow start.
func (*Router) SlowStarts(context.Context, []string) (map[string]time.Duration, error) {
	return nil, nil
}

// listAll lists names, as lister and Reader do.
type listAll func(ctx context.Context, places []place) map[place]listing

// References implements traffic.References: the routes of a group are those of its name for whose
// type it has a record set. It takes one call per name. It also returns NotWeightedError.
func (r *Router) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	return references(ctx, groups, r.names.each)
}

func references(ctx context.Context, groups []string, list listAll) ([]traffic.Reference, error) {
	var parsed []GroupID
	var places []place
	for _, id := range groups {
		g, err := ParseGroup(id)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, g)
		places = append(places, g.place())
	}
	listings := list(ctx, places)
	var found []traffic.Reference
	for _, g := range parsed {
		l := listings[g.place()]
		if l.err != nil {
			return nil, callError(listRecords, g.String(), l.err)
		}
		some, err := referencesIn(l.sets, g)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// referencesIn returns the references of a group from all record sets of its name.
func referencesIn(all []types.ResourceRecordSet, g GroupID) ([]traffic.Reference, error) {
	var found []traffic.Reference
	for _, kind := range Types() {
		if len(setsOf(g, ofType(all, kind))) == 0 {
			continue
		}
		route := g.place().route(kind)
		s, err := stateOf(route, all)
		if err != nil {
			return nil, err
		}
		found = append(found, traffic.Reference{
			Route: route.String(), Text: route.Display(), Group: g.String(), Share: shift.FromRaw(s.Weights)[g.String()],
		})
	}
	if len(found) == 0 {
		return nil, missing(g.String())
	}
	return found, nil
}

// OtherRoutes returns the records of the routes' names, of other types than the routes, that send
// traffic to one of the groups: resolvers that ask for that type keep getting an environment that the
// routes have left. They are in the order of names and types.
func (r *Router) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	return otherRoutes(ctx, routes, groups, r.names.each)
}

func otherRoutes(ctx context.Context, routes, groups []string, list listAll) ([]traffic.OtherRoute, error) {
	var places []place
	of := map[place]string{}
	for _, id := range routes {
		route, err := ParseRoute(id)
		if err != nil {
			return nil, err
		}
		places, of[route.place()] = append(places, route.place()), id
	}
	listings := list(ctx, places)
	var others []traffic.OtherRoute
	for _, at := range distinct(places) {
		l := listings[at]
		if l.err != nil {
			return nil, callError(listRecords, of[at], l.err)
		}
		for _, kind := range Types() {
			route := at.route(kind)
			if slices.Contains(routes, route.String()) {
				continue
			}
			if fed := withTraffic(route, l.sets, groups); len(fed) > 0 {
				others = append(others, traffic.OtherRoute{Route: route.String(), Text: route.Display(), Groups: fed})
			}
		}
	}
	return others, nil
}

// withTraffic returns the groups that a route sends traffic to, sorted. A record with another routing
// policy has none.
func withTraffic(route Route, all []types.ResourceRecordSet, groups []string) []string {
	s, err := stateOf(route, all)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(s.Groups(), func(group string) bool { return s.Weights[group] == 0 || !slices.Contains(groups, group) })
}
