package rollout

import (
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Decide says what is due, given what the routes do now, in the order of the
// Spec. The plan asks it with what Read saw and Run with what it finds, so
// that a reviewer reads what will be done. A zero Setting stands for a route
// that is not known yet; nil stands for all of them (the plan of a Create).
func (s Spec) Decide(observed []RouteState) (shift.Schedule, error) {
	return shift.Decide(s.request(observed))
}

// request fills in the found side.
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

// route words a setting in environments.
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

// unmanagedDetached: the last completed shift left traffic on a group that is of no
// environment, and the route does not name it any more. No way leads back
// there, only to what was found.
func (s Spec) unmanagedDetached(entry string, stable shift.Weights, now RouteState) bool {
	return slices.ContainsFunc(stable.Names(), func(name string) bool {
		_, known := s.Groups[name]
		return !known && s.groupOf(entry, name, now) == ""
	})
}

// routeName words a route by its entry point and its place there.
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

// Weights is what a setting gives each environment behind an entry point;
// strangers stand under their names. Nil where it forwards nothing.
func (s Spec) Weights(entry string, now RouteState) shift.Weights {
	raw := map[string]int{}
	for group, n := range now.Weights {
		raw[s.nameOf(entry, group)] += n
	}
	return shift.FromRaw(raw)
}

// nameOf returns the environment that a group belongs to behind the entry
// point, else the stranger's own name.
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

// desiredState turns shares into what a route is told: every environment in named
// stands in the action, at weight 0 where it has no share. It starts from what
// was read, so that Keep is the newest and strangers find their groups again.
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

// groupOf is the way back from nameOf.
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
