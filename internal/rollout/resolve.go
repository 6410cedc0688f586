package rollout

import (
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Decide returns the schedule for the observed states of the routes, in the order of
// Spec.Routes. Plan and Run both call it, so a reviewer reads what Run will do. A zero
// state is a route that was not read yet; nil means none was (the plan of a Create).
func (s Spec) Decide(observed []RouteState) (shift.Schedule, error) {
	return shift.Decide(s.request(observed))
}

// request returns Spec.Request with the observed states filled in.
func (s Spec) request(observed []RouteState) shift.Request {
	r := s.Request
	r.Routes = nil
	r.Unobserved = observed == nil
	r.Environments = slices.Clone(r.Environments)
	if s.Sticky != nil {
		r.Sticky = new(*s.Sticky > 0)
	}
	for i, route := range s.Routes {
		var now RouteState
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
func (s Spec) route(route Route, now RouteState) shift.Route {
	x := shift.Route{
		Name:     s.routeName(route.ID),
		Observed: s.Weights(route.Entry, now),
		Response: now.Response,
		Missing:  route.Missing,
		Sticky:   now.Stickiness > 0,
		Joining:  s.Stable == nil || route.Planned == nil,
	}
	x.FixedError = now.FixedError && x.Joining
	for _, group := range now.Groups() {
		x.Attached = append(x.Attached, s.nameOf(route.Entry, group))
	}
	x.Origin = s.Stable
	if route.Origin != nil {
		x.Origin = route.Origin
	}
	if x.Joining || s.unmanagedDetached(route.Entry, x.Origin, now) {
		x.Origin = x.Observed
	}
	return x
}

// unmanagedDetached reports whether the last completed shift left traffic on an
// unmanaged group that the route no longer has. A rollback to it is impossible, so
// the rollback target is then the observed state.
func (s Spec) unmanagedDetached(entry string, stable shift.Weights, now RouteState) bool {
	return slices.ContainsFunc(stable.Names(), func(name string) bool {
		_, known := s.Groups[name]
		return !known && s.groupOf(entry, name, now) == ""
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
	return shift.RouteName(entry, n, of[entry])
}

// Weights returns the weights of a state by environment, and by UnmanagedName for
// unmanaged groups. It is nil where the state does not forward.
func (s Spec) Weights(entry string, now RouteState) shift.Weights {
	raw := map[string]int{}
	for group, n := range now.Weights {
		raw[s.nameOf(entry, group)] += n
	}
	return shift.FromRaw(raw)
}

// nameOf returns the environment that a group of the entry point belongs to, or the name
// of the unmanaged group.
func (s Spec) nameOf(entry, group string) string {
	for name, groups := range s.Groups {
		if groups[entry] == group {
			return name
		}
	}
	if s.UnmanagedName != nil {
		return s.UnmanagedName(group)
	}
	return group
}

func (s Spec) addUnmanaged(known []shift.Environment, entry string, now RouteState) []shift.Environment {
	for _, group := range now.Groups() {
		name := s.nameOf(entry, group)
		if !slices.ContainsFunc(known, func(e shift.Environment) bool { return e.Name == name }) {
			known = append(known, shift.Environment{Name: name, Unmanaged: true})
		}
	}
	return known
}

// desiredState returns the state that gives a route the weights w, with the environments
// in attached at weight 0 where they have no share. It takes Raw and unmanaged groups
// from the observed state.
func (s Spec) desiredState(entry string, w shift.Weights, attached []string, observed RouteState) RouteState {
	desired := RouteState{Weights: map[string]int{}, Stickiness: observed.Stickiness, Raw: observed.Raw}
	if s.Sticky != nil {
		desired.Stickiness = *s.Sticky
	}
	raw := w.Raw()
	for _, name := range append(slices.Clone(attached), w.Names()...) {
		if group := s.groupOf(entry, name, observed); group != "" {
			desired.Weights[group] = raw[name]
		}
	}
	return desired
}

// groupOf is the inverse of nameOf; empty where the environment has no such group.
func (s Spec) groupOf(entry, name string, observed RouteState) string {
	if groups, ok := s.Groups[name]; ok {
		return groups[entry]
	}
	for _, group := range observed.Groups() {
		if s.nameOf(entry, group) == name {
			return group
		}
	}
	return ""
}
