package rollout

import (
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Decide returns the schedule for the observed states of the routes, in the order of
// Spec.Routes. Plan and Run both call it, so a reviewer reads what Run will do. A zero
// state is a route that was not read yet; nil means none was (the plan of a Create).
func (s Spec) Decide(observed []traffic.State) (shift.Schedule, error) {
	return shift.Decide(s.request(observed))
}

// request returns Spec.Request with the observed states filled in.
func (s Spec) request(observed []traffic.State) shift.Request {
	r := s.Request
	r.Routes = nil
	r.Unobserved = observed == nil
	r.Create, r.Stable = s.Stable == nil, s.StableMean()
	r.NoRecord = s.Record.Off
	if left := s.Record.Left; left != nil {
		r.Unfinished = &shift.Unfinished{Shift: left.Shift, SameGoal: left.Goal != "" && left.Goal == s.Record.Template.Goal, Running: s.Record.Running}
	}
	r.MaxGroups, r.AttachesIdle = s.Limits.Groups, s.Limits.AttachesIdle
	r.Environments = slices.Clone(r.Environments)
	if s.Sticky != nil {
		r.Sticky = new(*s.Sticky > 0)
	}
	for i, route := range s.Routes {
		var now traffic.State
		if observed != nil {
			now = observed[i]
		}
		if s.Sticky != nil && now.Weights != nil && now.Stickiness != *s.Sticky {
			r.StickinessChanges = true
		}
		r.Routes = append(r.Routes, s.route(route, now))
		r.Environments = s.addUnmanaged(r.Environments, route.Entry, now)
	}
	return r
}

// route converts the observed state of a route to weights by environment.
func (s Spec) route(route Route, now traffic.State) shift.Route {
	x := shift.Route{
		Name:     s.routeName(route.ID),
		Observed: s.Owners.Weights(route.Entry, now),
		Response: now.Response,
		Missing:  route.Missing,
		Sticky:   now.Stickiness > 0,
		Joining:  s.Stable == nil || route.Planned == nil,

		Connections: route.Connections, Batch: route.Batch, Cached: now.Cached,
	}
	x.FixedError = now.FixedError && x.Joining
	x.Unserved = route.unserved
	for _, group := range now.Groups() {
		x.Attached = append(x.Attached, s.Owners.Owner(route.Entry, group))
	}
	for _, e := range s.Request.Environments {
		if s.Owners.Shared(route.Entry, e.Name) {
			x.Without = append(x.Without, e.Name)
		}
	}
	if !x.Joining {
		x.Stable = s.stableOf(route)
		if s.unmanagedDetached(route.Entry, x.Stable, now) {
			x.Stable = x.Observed
		}
	}
	x.From, x.To = s.left(route, now)
	return x
}

// left returns the weights between which the unfinished shift moved a route. Where only
// another route of the entry point has the record, it says the same: routes shift in
// lock-step. A share of a group that is not known any more makes them nil.
func (s Spec) left(route Route, now traffic.State) (from, to shift.Weights) {
	left := s.Record.Left
	if left == nil {
		return nil, nil
	}
	id := route.ID
	if _, has := left.To[id]; !has && (s.Stable == nil || route.Planned != nil) {
		for _, other := range s.Routes {
			if _, has := left.To[other.ID]; has && other.Entry == route.Entry {
				id = other.ID
				break
			}
		}
	}
	return s.byOwner(route.Entry, left.From[id], now), s.byOwner(route.Entry, left.To[id], now)
}

// byOwner returns shares by group key as weights by environment.
func (s Spec) byOwner(entry string, keyed map[string]shift.Share, now traffic.State) shift.Weights {
	if keyed == nil {
		return nil
	}
	names := map[string]string{}
	for name := range s.Owners.Environments() {
		if group := s.Owners.Group(entry, name, now); group != "" {
			names[traffic.GroupKey(group)] = name
		}
	}
	for _, group := range now.Groups() {
		names[traffic.GroupKey(group)] = s.Owners.Owner(entry, group)
	}
	w := shift.Weights{}
	for key, share := range keyed {
		name, known := names[key]
		if !known && share > 0 {
			return nil
		}
		w[name] += share
	}
	return w
}

// stableOf returns the weights of a route that the last completed shift left, by the
// owners of its groups.
func (s Spec) stableOf(route Route) shift.Weights {
	if route.Origin != nil {
		return s.Owners.Resolve(route.Entry, route.Origin)
	}
	return s.Owners.Resolve(route.Entry, s.Stable)
}

// StableMean returns the mean of what the last completed shift left on the routes, by
// the owners of their groups; nil on a Create.
func (s Spec) StableMean() shift.Weights {
	var all []shift.Weights
	for _, route := range s.Routes {
		all = append(all, s.stableOf(route))
	}
	return shift.Mean(all)
}

// unmanagedDetached reports whether the last completed shift left traffic on an
// unmanaged group that the route no longer has. A rollback to it is impossible, so
// the rollback target is then the observed state.
func (s Spec) unmanagedDetached(entry string, stable shift.Weights, now traffic.State) bool {
	return slices.ContainsFunc(stable.Names(), func(name string) bool {
		return !s.Owners.Has(name) && s.Owners.Group(entry, name, now) == ""
	})
}

// routeName names a route by its entry point and its position there.
func (s Spec) routeName(id string) string {
	entry, n, of := "", 0, map[string]int{}
	for _, route := range s.Routes {
		of[route.Entry]++
		if route.ID == id {
			entry, n = route.Entry, of[route.Entry]
		}
	}
	return schedule.RouteName(entry, n, of[entry])
}

func (s Spec) addUnmanaged(known []shift.Environment, entry string, now traffic.State) []shift.Environment {
	for _, group := range now.Groups() {
		name := s.Owners.Owner(entry, group)
		if !slices.ContainsFunc(known, func(e shift.Environment) bool { return e.Name == name }) {
			known = append(known, shift.Environment{Name: name, Unmanaged: true})
		}
	}
	return known
}
