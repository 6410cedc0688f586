package provider

import (
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// prior is the prior state with the current environment names. Environments are matched by their
// target groups: renaming one moves no traffic.
type prior struct {
	state   *switchModel // nil: no prior state
	memory  memory
	known   map[string]desiredEnvironment // environments of the state, by their names there
	names   map[string]string             // name in the state => current name
	removed map[string]map[string]string  // name now => groups, of those not configured any more
}

func newPrior(w desired, state *switchModel, m memory) prior {
	p := prior{state: state, memory: m, names: map[string]string{}, removed: map[string]map[string]string{}}
	if state == nil {
		return p
	}
	p.known = state.stateEnvironments()
	for _, name := range slices.Sorted(maps.Keys(p.known)) {
		p.names[name] = p.matchName(w, name, p.known[name].groups)
	}
	if m.Attempt != nil {
		for _, name := range slices.Sorted(maps.Keys(m.Attempt.Environments)) {
			p.matchName(w, name, m.Attempt.Environments[name])
		}
	}
	return p
}

// matchName returns the configured environment with the target groups. An environment that is not
// configured any more is being removed, under an unused name.
func (p *prior) matchName(w desired, name string, groups map[string]string) string {
	if e := w.environments[name]; e != nil && (e.groupsUnknown || sameGroups(e.groups, groups)) {
		return name
	}
	for _, now := range slices.Sorted(maps.Keys(w.environments)) {
		if sameGroups(w.environments[now].groups, groups) {
			return now
		}
	}
	for _, now := range slices.Sorted(maps.Keys(p.removed)) {
		if sameGroups(p.removed[now], groups) {
			return now
		}
	}
	for w.environments[name] != nil || p.removed[name] != nil {
		name += " (old target groups)"
	}
	p.removed[name] = groups
	return name
}

// sameGroups reports whether the target groups are equal for every entry point that both have, and
// there is at least one.
func sameGroups(a, b map[string]string) bool {
	common := 0
	for entry, group := range a {
		other, ok := b[entry]
		if ok && other != group {
			return false
		}
		if ok {
			common++
		}
	}
	return common > 0
}

// renamed reports whether an environment of the state has another name now.
func (p prior) renamed() bool {
	for before, now := range p.names {
		if before != now {
			return true
		}
	}
	return false
}

// currentName returns the current name of an environment of the state. Names of unmanaged target
// groups stay.
func (p prior) currentName(name string) string {
	if now, ok := p.names[name]; ok {
		return now
	}
	return name
}

func (p prior) currentWeights(w shift.Weights) shift.Weights {
	if w == nil {
		return nil
	}
	now := shift.Weights{}
	for name, share := range w {
		now[p.currentName(name)] += share
	}
	return now
}

// previous returns the previous version with its current environment name. Only the same target
// groups are the same deployment.
func (p prior) previous(w desired) *shift.Identity {
	m := p.memory.Previous
	if m == nil {
		return nil
	}
	id := &shift.Identity{Environment: m.Environment, Version: m.Version, Groups: groupsIDOf(m.Groups)}
	for _, name := range slices.Sorted(maps.Keys(w.environments)) {
		if w.environments[name].groupsID() == id.Groups && id.Groups != "" {
			id.Environment = name
		}
	}
	return id
}

// rejection returns the rejected version with its current environment name. New target groups do not
// make a bad version good, so the groups only identify the environment.
func (p prior) rejection(w desired) *shift.Rejection {
	m := p.memory.Rejected
	if m == nil {
		return nil
	}
	r := &shift.Rejection{Identity: shift.Identity{Environment: m.Environment, Version: m.Version}, Reason: m.Reason, At: m.At}
	for _, name := range slices.Sorted(maps.Keys(w.environments)) {
		if sameGroups(w.environments[name].groups, m.Groups) {
			r.Environment = name
			break
		}
	}
	return r
}

// observed returns what Read found on the desired routes, zero for unknown ones; nil where nothing was
// read (a Create).
func (p prior) observed(w desired) []traffic.State {
	if p.state == nil {
		return nil
	}
	settings := make([]traffic.State, len(w.routes))
	for i, route := range w.routes {
		settings[i] = p.memory.Routes[route.arn].state()
	}
	return settings
}

// spec combines the desired and the prior state. It is the same at plan and apply, so that both decide
// the same.
func (p prior) spec(w desired) rollout.Spec {
	s := rollout.Spec{
		Health:          w.health,
		Sticky:          w.sticky,
		StopOnFailure:   w.stopOnFailure,
		StopOnInterrupt: w.stopOnInterrupt,
		Limits:          elb.Limits(),
		Request:         p.request(w),
	}
	for _, route := range w.routes {
		r := rollout.Route{ID: route.arn, Entry: route.entry}
		if seen, ok := p.memory.Routes[route.arn]; ok && p.state != nil {
			r.Planned = new(seen.state())
		} else if p.state != nil {
			r.Missing = slices.ContainsFunc(p.state.stateRoutes(), func(before desiredRoute) bool { return before.arn == route.arn })
		}
		s.Routes = append(s.Routes, r)
	}
	s.Owners = ownersOf(w.groups(), p.removed)
	for i, route := range s.Routes {
		if seen, ok := p.memory.Adopted[route.ID]; ok {
			s.Routes[i].Origin = s.Owners.Weights(route.Entry, seen.state())
		}
	}
	s.Stable = p.stable(s)
	s.Request.Strategy.Gates = w.beforeTrafficNote(w.weights.Gaining(s.Stable))
	return s
}

func (p prior) request(w desired) shift.Request {
	r := shift.Request{Desired: w.weights, Strategy: w.strategy, Notes: p.notes(w)}
	left := p.stableVersions()
	for _, name := range slices.Sorted(maps.Keys(w.environments)) {
		e := w.environments[name]
		fresh := left[name] != "" && e.version != "" && e.version != left[name]
		r.Environments = append(r.Environments, shift.Environment{Name: name, Version: e.version, Groups: e.groupsID(), VersionChanged: fresh,
			SlowStart: p.memory.slowStart(*e)})
	}
	for _, name := range slices.Sorted(maps.Keys(p.removed)) {
		r.Environments = append(r.Environments, shift.Environment{Name: name, Groups: groupsIDOf(p.removed[name]), Removed: true})
	}
	r.Previous = p.previous(w)
	if m := p.memory.Previous; m != nil && p.memory.ReadAt != nil {
		r.WithinRollbackWindow = p.memory.ReadAt.Sub(m.At) <= w.window && w.window > 0
	}
	r.Rejected = p.rejection(w)
	if p.state != nil {
		r.Retry = w.retry != "" && w.retry != p.state.Retry.ValueString()
	}
	return r
}

// notes returns warnings about listeners and rules that are not routes of the switch and forward to its
// environments.
func (p prior) notes(w desired) []string {
	var notes []string
	for _, other := range p.memory.OtherRoutes {
		var names []string
		for name, e := range w.environments {
			if slices.ContainsFunc(other.Groups, func(group string) bool { return e.has(group) }) {
				names = append(names, name)
			}
		}
		if slices.Sort(names); len(names) > 0 {
			notes = append(notes, unmanagedRouteNote(other.Text, names))
		}
	}
	return notes
}

// stableVersions returns the versions of the last completed shift, by current name.
func (p prior) stableVersions() map[string]string {
	versions := map[string]string{}
	if p.state == nil {
		return versions
	}
	recorded, _ := p.state.Stable.Attributes()["versions"].(types.Map)
	for name, version := range textsOf(recorded) {
		versions[p.currentName(name)] = version
	}
	return versions
}

// stable is the rollback target. After an import it is the mean of what was found then, while each route
// is rolled back to its own weights.
func (p prior) stable(s rollout.Spec) shift.Weights {
	switch {
	case p.state == nil:
		return nil
	case p.memory.Adopted == nil:
		return p.currentWeights(p.state.stableWeights())
	}
	var all []shift.Weights
	for _, route := range s.Routes {
		if seen, ok := p.memory.Adopted[route.ID]; ok {
			all = append(all, s.Owners.Weights(route.Entry, seen.state()))
		}
	}
	return shift.Mean(all)
}

// ownersOf returns the owners of target groups. Leaving environments are no longer configured.
func ownersOf(configured, leaving map[string]map[string]string) traffic.Owners {
	return traffic.NewOwners(configured, leaving, func(group string) string {
		return unmanagedName(group, func(name string) bool { return configured[name] != nil || leaving[name] != nil })
	})
}

// unmanagedName names an unmanaged target group after itself, unless an environment has that name.
func unmanagedName(group string, taken func(string) bool) string {
	arn, err := elb.ParseGroup(group)
	if err != nil {
		return group
	}
	if taken(arn.Name) {
		return arn.Name + " (target group)"
	}
	return arn.Name
}
