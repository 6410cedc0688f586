package release

import (
	"cmp"
	"maps"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Prior is what earlier applies left, with the current environment names. Environments
// are matched by their groups: renaming one moves no traffic.
type Prior struct {
	State    *State // nil: a Create
	Memory   Memory
	platform Platform
	names    map[string]string            // name in the state => current name
	leaving  map[string]map[string]string // name now => groups, of environments not configured any more
}

// NewPrior matches the environments of a state, nil for a Create, with desired ones.
func NewPrior(w Desired, state *State, m Memory, platform Platform) Prior {
	p := Prior{State: state, Memory: m, platform: platform, names: map[string]string{}, leaving: map[string]map[string]string{}}
	if state == nil {
		return p
	}
	for _, name := range slices.Sorted(maps.Keys(state.Environments)) {
		p.names[name] = p.matchName(w, name, state.Environments[name].Groups)
	}
	if m.Attempt != nil {
		for _, name := range slices.Sorted(maps.Keys(m.Attempt.Environments)) {
			p.matchName(w, name, m.Attempt.Environments[name])
		}
	}
	return p
}

// matchName returns the configured environment with the groups. An environment that is
// not configured any more is leaving, under an unused name.
func (p *Prior) matchName(w Desired, name string, groups map[string]string) string {
	if e, ok := w.Environments[name]; ok && (e.GroupsUnknown || sameGroups(e.Groups, groups)) {
		return name
	}
	for _, now := range w.Names() {
		if sameGroups(w.Environments[now].Groups, groups) {
			return now
		}
	}
	for _, now := range slices.Sorted(maps.Keys(p.leaving)) {
		if sameGroups(p.leaving[now], groups) {
			return now
		}
	}
	for taken := true; taken; {
		_, configured := w.Environments[name]
		if taken = configured || p.leaving[name] != nil; taken {
			name += " (old " + cmp.Or(p.platform.Backend, "target group") + "s)"
		}
	}
	p.leaving[name] = groups
	return name
}

// CurrentName returns the current name of an environment of the state. Names of unmanaged
// groups stay.
func (p Prior) CurrentName(name string) string {
	if now, ok := p.names[name]; ok {
		return now
	}
	return name
}

// IsLeaving reports whether an environment is not configured any more.
func (p Prior) IsLeaving(name string) bool { return p.leaving[name] != nil }

func (p Prior) currentWeights(w shift.Weights) shift.Weights {
	if w == nil {
		return nil
	}
	now := shift.Weights{}
	for name, share := range w {
		now[p.CurrentName(name)] += share
	}
	return now
}

// previous returns the previous version with its current environment name. Only the same
// groups are the same deployment.
func (p Prior) previous(w Desired) *shift.Identity {
	m := p.Memory.Previous
	if m == nil {
		return nil
	}
	id := &shift.Identity{Environment: m.Environment, Version: m.Version, Groups: groupsID(m.Groups)}
	for _, name := range w.Names() {
		if w.Environments[name].groupsID() == id.Groups && id.Groups != "" {
			id.Environment = name
		}
	}
	return id
}

// Rejection returns the rejected version with its current environment name; nil where
// there is none. New groups do not make a bad version good, so the groups only identify
// the environment.
func (p Prior) Rejection(w Desired) *shift.Rejection {
	m := p.Memory.Rejected
	if m == nil {
		return nil
	}
	r := &shift.Rejection{Identity: shift.Identity{Environment: m.Environment, Version: m.Version}, Reason: m.Reason, At: m.At}
	for _, name := range w.Names() {
		if sameGroups(w.Environments[name].Groups, m.Groups) {
			r.Environment = name
			break
		}
	}
	if version := w.VersionOf(r.Environment); version != "" && traffic.SameValue(r.Version, version) {
		r.Version = version // a record may have cut it
	}
	return r
}

// Observed returns what the last refresh found on the desired routes, zero for unknown
// ones; nil where nothing was read (a Create).
func (p Prior) Observed(w Desired) []traffic.State {
	if p.State == nil {
		return nil
	}
	states := make([]traffic.State, len(w.Routes))
	for i, route := range w.Routes {
		states[i] = p.Memory.Routes[route.ID].State()
	}
	return states
}

// observedMean returns the mean of what the last refresh found on the routes.
func (p Prior) observedMean(w Desired, owners traffic.Owners) shift.Weights {
	var all []shift.Weights
	for i, found := range p.Observed(w) {
		all = append(all, owners.Weights(w.Routes[i].Entry, found))
	}
	return shift.Mean(all)
}

// Spec combines the desired and the prior state. It is the same at plan and apply, so
// that both decide the same.
func (p Prior) Spec(w Desired) rollout.Spec {
	s := rollout.Spec{
		Limits:          p.platform.Limits,
		Owners:          p.platform.owners(groupsOf(w.Environments), p.leaving),
		Health:          w.Health,
		Sticky:          w.Sticky,
		RollbackTimeout: w.RollbackTimeout,
		StopOnFailure:   w.StopOnFailure,
		StopOnInterrupt: w.StopOnInterrupt,

		WarnOnSourceUnhealthy: w.WarnOnSourceUnhealthy,

		Request: p.request(w),
	}
	for _, route := range w.Routes {
		s.Routes = append(s.Routes, p.route(route, s.Owners))
	}
	s.Stable = p.stable(s)
	s.Record = records{p}.recordSpec(w, s)
	s.PollRoutes = s.Record.Off
	if w.Gates != nil {
		s.Request.Strategy.Gates = w.Gates(w.Weights.Gaining(s.Stable))
	}
	return s
}

func (p Prior) route(route traffic.Route, owners traffic.Owners) rollout.Route {
	r := rollout.Route{Route: route, Connections: p.platform.Connections != nil && p.platform.Connections(route.ID)}
	if p.platform.Batch != nil {
		r.Batch = p.platform.Batch(route.ID)
	}
	if seen, ok := p.Memory.Routes[route.ID]; ok && p.State != nil {
		r.Planned = new(seen.State())
	} else if p.State != nil {
		r.Missing = slices.ContainsFunc(p.State.Routes, func(before traffic.Route) bool { return before.ID == route.ID })
	}
	if seen, ok := p.Memory.Adopted[route.ID]; ok {
		r.Origin = owners.Weights(route.Entry, seen.State())
	}
	return r
}

func (p Prior) request(w Desired) shift.Request {
	r := shift.Request{Desired: w.Weights, Strategy: w.Strategy, Notes: p.notes(w), Backend: p.platform.Backend, Managed: p.platform.Managed}
	left := p.stableVersions()
	for _, name := range w.Names() {
		e := w.Environments[name]
		r.Environments = append(r.Environments, shift.Environment{Name: name, Version: e.Version, Groups: e.groupsID(),
			VersionChanged: left[name] != "" && e.Version != "" && e.Version != left[name], VersionBefore: left[name],
			SlowStart: p.Memory.slowStart(e), IdleUnhealthy: !p.platform.Aliases && p.Memory.idleUnhealthy(e),
			AliasUnhealthy: p.platform.Aliases && p.Memory.idleUnhealthy(e)})
	}
	for _, name := range slices.Sorted(maps.Keys(p.leaving)) {
		r.Environments = append(r.Environments, shift.Environment{Name: name, Groups: groupsID(p.leaving[name]), Removed: true})
	}
	r.Previous = p.previous(w)
	if m, window := p.Memory.Previous, w.Strategy.RollbackWindow; m != nil && p.Memory.ReadAt != nil {
		r.WithinRollbackWindow = p.Memory.ReadAt.Sub(m.At) <= window && window > 0
	}
	r.Rejected = p.Rejection(w)
	if p.State != nil {
		r.Retry = w.Retry != "" && w.Retry != p.State.Retry
	}
	if m := p.Memory.Rejected; m != nil && m.Retry != "" && m.Retry == traffic.GroupKey(w.Retry) {
		r.Retry = false // that value is used up, although no apply was able to save it
	}
	r.OtherSwitch, r.ClosedRecord = records{p}.otherSwitch(w), records{p}.closedRecord(w)
	return r
}

// notes warns about routes outside the switch that send traffic to its environments, about routes that
// something else manages too, and about inline environments.
func (p Prior) notes(w Desired) []string {
	var notes []string
	for _, other := range p.Memory.OtherRoutes {
		if slices.ContainsFunc(w.Routes, func(joins traffic.Route) bool { return joins.ID == other.Route }) {
			continue
		}
		var names []string
		for _, name := range w.Names() {
			if slices.ContainsFunc(other.Groups, w.Environments[name].has) {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			notes = append(notes, schedule.UnmanagedRoute(other.Text, names))
		}
	}
	for _, managed := range p.Memory.Managed {
		if slices.ContainsFunc(w.Routes, func(own traffic.Route) bool { return own.ID == managed.Route }) && !slices.Contains(notes, managed.Text) {
			notes = append(notes, managed.Text)
		}
	}
	inline := slices.DeleteFunc(w.Names(), func(name string) bool { return !w.Environments[name].Inline })
	if len(inline) > 0 {
		notes = append(notes, schedule.InlineEnvironments(inline))
	}
	unversioned := slices.DeleteFunc(inline, func(name string) bool { return w.Environments[name].Version != "" })
	if len(unversioned) > 0 {
		notes = append(notes, schedule.WithoutVersion(unversioned))
	}
	return notes
}

// stableVersions returns the versions of the last completed shift, by current name.
func (p Prior) stableVersions() map[string]string {
	versions := map[string]string{}
	if p.State == nil {
		return versions
	}
	for name, version := range p.State.Stable.Versions {
		versions[p.CurrentName(name)] = version
	}
	return versions
}

// stable is the rollback target. After an import it is the mean of what was found then,
// while each route is rolled back to its own weights.
func (p Prior) stable(s rollout.Spec) shift.Weights {
	switch {
	case p.State == nil:
		return nil
	case p.Memory.Adopted == nil:
		return p.currentWeights(p.State.Stable.Weights)
	}
	var all []shift.Weights
	for _, route := range s.Routes {
		if _, ok := p.Memory.Adopted[route.ID]; ok {
			all = append(all, route.Origin)
		}
	}
	return shift.Mean(all)
}
