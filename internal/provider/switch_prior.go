package provider

import (
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// prior is what a switch was before, in the names that the configuration now
// has for its environments. Environments are compared by their groups: a new
// name for the same groups moves nothing.
type prior struct {
	state   *switchModel // nil: there is none
	memory  memory
	known   map[string]desiredEnvironment // of the state, by the names there
	names   map[string]string             // name in the state => name now
	leaving map[string]map[string]string  // name now => groups, of those not configured any more
}

func newPrior(w desired, state *switchModel, m memory) prior {
	p := prior{state: state, memory: m, names: map[string]string{}, leaving: map[string]map[string]string{}}
	if state == nil {
		return p
	}
	p.known = state.stateEnvironments()
	for _, name := range slices.Sorted(maps.Keys(p.known)) {
		p.names[name] = p.nameNow(w, name, p.known[name].groups)
	}
	if m.Attempt != nil {
		for _, name := range slices.Sorted(maps.Keys(m.Attempt.Environments)) {
			p.nameNow(w, name, m.Attempt.Environments[name])
		}
	}
	return p
}

// nameNow finds the configured environment with the groups; whoever is not
// configured any more is leaving, under a name that is free.
func (p *prior) nameNow(w desired, name string, groups map[string]string) string {
	if e := w.environments[name]; e != nil && (e.groupsUnknown || sameGroups(e.groups, groups)) {
		return name
	}
	for _, now := range slices.Sorted(maps.Keys(w.environments)) {
		if sameGroups(w.environments[now].groups, groups) {
			return now
		}
	}
	for now, left := range p.leaving {
		if sameGroups(left, groups) {
			return now
		}
	}
	for w.environments[name] != nil || p.leaving[name] != nil {
		name += " (before)"
	}
	p.leaving[name] = groups
	return name
}

// sameGroups: equal for every entry point that both have, and there is one.
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

// renamed tells whether a name of the state is another one now.
func (p prior) renamed() bool {
	for before, now := range p.names {
		if before != now {
			return true
		}
	}
	return false
}

// now is the present name of an environment of the state. A name that is none
// of an environment (a stranger's) stays.
func (p prior) now(name string) string {
	if now, ok := p.names[name]; ok {
		return now
	}
	return name
}

func (p prior) weightsNow(w shift.Weights) shift.Weights {
	if w == nil {
		return nil
	}
	now := shift.Weights{}
	for name, share := range w {
		now[p.now(name)] += share
	}
	return now
}

// previous words who was live before in present names. Only the very same
// groups are the same machines.
func (p prior) previous(w desired) *shift.Identity {
	m := p.memory.Previous
	if m == nil {
		return nil
	}
	id := &shift.Identity{Environment: m.Environment, Version: m.Version, Groups: identityOf(m.Groups)}
	for name, e := range w.environments {
		if e.identity() == id.Groups && id.Groups != "" {
			id.Environment = name
		}
	}
	return id
}

// rejection words what was sent back in present names. New machines do not
// make a bad version good, so its groups find its name and no more.
func (p prior) rejection(w desired) *shift.Rejection {
	m := p.memory.Rejected
	if m == nil {
		return nil
	}
	r := &shift.Rejection{Identity: shift.Identity{Environment: m.Environment, Version: m.Version}, Reason: m.Reason, At: m.At}
	for name, e := range w.environments {
		if sameGroups(e.groups, m.Groups) {
			r.Environment = name
		}
	}
	return r
}

// found returns what Read found on the wanted routes, zero for those that it
// does not know; nil where there was nothing to read from (a Create).
func (p prior) found(w desired) []rollout.RouteState {
	if p.state == nil {
		return nil
	}
	settings := make([]rollout.RouteState, len(w.routes))
	for i, route := range w.routes {
		settings[i] = p.memory.Routes[route.arn].setting()
	}
	return settings
}

// spec puts together what is wanted and what was. It is the same at plan and
// at apply, so that the same is decided.
func (p prior) spec(w desired) rollout.Spec {
	s := rollout.Spec{
		Health:          w.health,
		Sticky:          w.sticky,
		StopOnFailure:   w.stopOnFailure,
		StopOnInterrupt: w.stopOnInterrupt,
		Groups:          map[string]map[string]string{},
		Request:         p.request(w),
	}
	for _, route := range w.routes {
		r := rollout.Route{ID: route.arn, Entry: route.entry}
		if seen, ok := p.memory.Routes[route.arn]; ok && p.state != nil {
			r.Planned = new(seen.setting())
		} else if p.state != nil {
			r.Missing = slices.ContainsFunc(p.state.stateRoutes(), func(before desiredRoute) bool { return before.arn == route.arn })
		}
		s.Routes = append(s.Routes, r)
	}
	for name, e := range w.environments {
		s.Groups[name] = e.groups
	}
	maps.Copy(s.Groups, p.leaving)
	s.UnmanagedName = strangerNamer(s.Groups)
	for i, route := range s.Routes {
		if seen, ok := p.memory.Adopted[route.ID]; ok {
			s.Routes[i].Origin = s.Weights(route.Entry, seen.setting())
		}
	}
	s.Stable = p.stable(s)
	s.Request.Strategy.Gates = w.beforeTrafficNote(w.goal.Gaining(s.Stable))
	return s
}

func (p prior) request(w desired) shift.Request {
	r := shift.Request{Desired: w.goal, Strategy: w.terms, Notes: p.notes(w)}
	left := p.stableVersions()
	for _, name := range slices.Sorted(maps.Keys(w.environments)) {
		e := w.environments[name]
		fresh := left[name] != "" && e.version != "" && e.version != left[name]
		r.Environments = append(r.Environments, shift.Environment{Name: name, Version: e.version, Groups: e.identity(), VersionChanged: fresh,
			SlowStart: p.memory.slowStart(*e)})
	}
	for _, name := range slices.Sorted(maps.Keys(p.leaving)) {
		r.Environments = append(r.Environments, shift.Environment{Name: name, Groups: identityOf(p.leaving[name]), Removed: true})
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

// notes words the listeners and rules that are no routes of the switch and
// feed its environments all the same.
func (p prior) notes(w desired) []string {
	var notes []string
	for _, other := range p.memory.Others {
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

// stableVersions are those that the last completed shift left, by present name.
func (p prior) stableVersions() map[string]string {
	versions := map[string]string{}
	if p.state == nil {
		return versions
	}
	recorded, _ := p.state.Stable.Attributes()["versions"].(types.Map)
	for name, version := range textsOf(recorded) {
		versions[p.now(name)] = version
	}
	return versions
}

// stable is where a way back leads. After an import it is what was found then,
// whatever it was called: its mean, while each route goes back to its own.
func (p prior) stable(s rollout.Spec) shift.Weights {
	switch {
	case p.state == nil:
		return nil
	case p.memory.Adopted == nil:
		return p.weightsNow(p.state.stableWeights())
	}
	var all []shift.Weights
	for _, route := range s.Routes {
		if seen, ok := p.memory.Adopted[route.ID]; ok {
			all = append(all, s.Weights(route.Entry, seen.setting()))
		}
	}
	return shift.Mean(all)
}

// strangerNamer names target groups that are no environment's after
// themselves, unless an environment is called so.
func strangerNamer(environments map[string]map[string]string) func(string) string {
	return func(group string) string {
		arn, err := elb.ParseGroup(group)
		if err != nil {
			return group
		}
		if _, taken := environments[arn.Name]; taken {
			return arn.Name + " (target group)"
		}
		return arn.Name
	}
}
