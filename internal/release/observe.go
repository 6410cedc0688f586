package release

import (
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Observation is a state that is refreshed from the routes.
type Observation struct {
	State    State
	Memory   Memory
	platform Platform
}

// NewObservation starts the refresh of a state.
func NewObservation(state State, m Memory, platform Platform) *Observation {
	return &Observation{State: state, Memory: m, platform: platform}
}

// Update takes over what the routes do now, by id. A missing route is left out.
func (s *Observation) Update(found map[string]traffic.State, now time.Time) {
	before := s.Memory.Routes
	s.Memory.Routes = rememberRoutes(found)
	s.Memory.keepLabels(before, s.State.Routes)
	s.Memory.ReadAt = nil
	if s.Memory.Previous != nil {
		s.Memory.ReadAt = &now
	}
	s.setTraffic()
	s.detectExternalChange(now)
	for id, state := range found {
		if was, ok := before[id]; ok && !was.State().Equal(state) {
			s.State.Schedule = "" // so that the plan shows it
		}
	}
}

// setTraffic sets Weights and Live from the remembered routes, with the names of the
// state.
func (s *Observation) setTraffic() {
	w := s.weights()
	s.State.Weights = withNames(w, slices.Collect(maps.Keys(s.State.Environments)))
	name, _ := w.Sole()
	s.State.Live = Identity{Environment: name, Version: s.State.Environments[name].Version}
	if m := s.Memory.Attempt; m != nil && m.Stopped != nil && m.Stopped.Environment == name {
		s.State.Live.Version = m.Stopped.Version
	}
}

// weights is the mean of the routes.
func (s *Observation) weights() shift.Weights {
	owners := s.Owners()
	var all []shift.Weights
	for _, route := range s.State.Routes {
		if seen, ok := s.Memory.Routes[route.ID]; ok {
			all = append(all, owners.Weights(route.Entry, seen.State()))
		}
	}
	return shift.Mean(all)
}

// Owners returns the owners of groups: the environments of the state and of a failed
// Update.
func (s *Observation) Owners() traffic.Owners {
	attempted := map[string]map[string]string{}
	if s.Memory.Attempt != nil {
		for name, groups := range s.Memory.Attempt.Environments {
			if _, taken := s.State.Environments[name]; !taken && !s.knows(groups) {
				attempted[name] = groups
			}
		}
	}
	return s.platform.owners(groupsOf(s.State.Environments), attempted)
}

// knows reports whether the groups are those of an environment of the state.
func (s *Observation) knows(groups map[string]string) bool {
	for _, e := range s.State.Environments {
		if sameGroups(e.Groups, groups) {
			return true
		}
	}
	return false
}

// Groups returns the groups of all known environments.
func (s *Observation) Groups() []string {
	var groups []string
	for _, e := range s.Owners().Environments() {
		groups = append(groups, slices.Collect(maps.Values(e))...)
	}
	slices.Sort(groups)
	return groups
}

// IdleGroups returns the groups of environments of the state without traffic, by
// environment.
func (s *Observation) IdleGroups() []string {
	now := s.weights()
	var idle []string
	for _, name := range slices.Sorted(maps.Keys(s.State.Environments)) {
		if now[name] == 0 {
			idle = append(idle, slices.Sorted(maps.Values(s.State.Environments[name].Groups))...)
		}
	}
	return idle
}

// AttachedIdleGroups returns the groups of environments of the state that are attached to a
// route of the switch and have weight on none, sorted. For records it returns all groups of the
// environments: DNS may leave out one that has, or is to get, a weight.
func (s *Observation) AttachedIdleGroups() []string {
	if s.platform.Aliases {
		var all []string
		for _, e := range s.State.Environments {
			all = append(all, slices.Collect(maps.Values(e.Groups))...)
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	attached, used, owners := []string{}, map[string]bool{}, s.Owners()
	for _, route := range s.State.Routes {
		for group, weight := range s.Memory.Routes[route.ID].Weights {
			used[group] = used[group] || weight > 0
			if _, is := s.State.Environments[owners.Owner(route.Entry, group)]; is {
				attached = append(attached, group)
			}
		}
	}
	attached = slices.DeleteFunc(attached, func(group string) bool { return used[group] })
	slices.Sort(attached)
	return slices.Compact(attached)
}

// MayBeStale reports whether states and records that were read would reject a version because
// all traffic was moved back, although a shift moved it so recently that the read may be older.
func (s *Observation) MayBeStale(found map[string]traffic.State, records []traffic.Left, now time.Time) bool {
	read := *s
	read.Memory.Routes = rememberRoutes(found)
	if m := s.Memory.Attempt; m != nil && m.Stopped != nil && now.Sub(m.Stopped.At) < rollout.StaleFor && read.isBackAtStable() {
		return true
	}
	return slices.ContainsFunc(records, func(x traffic.Left) bool {
		return now.Sub(rollout.RenewedAt(x)) < rollout.StaleFor && read.isReturned(x)
	})
}

// isBackAtStable reports whether every route has what the last completed shift left.
func (s *Observation) isBackAtStable() bool {
	owners := s.Owners()
	return !slices.ContainsFunc(s.State.Routes, func(route traffic.Route) bool {
		seen, ok := s.Memory.Routes[route.ID]
		return !ok || !owners.Weights(route.Entry, seen.State()).Equal(s.State.Stable.Weights)
	})
}

// detectExternalChange rejects a version whose shift stopped part way when a person has moved all
// traffic back since.
func (s *Observation) detectExternalChange(now time.Time) {
	if s.Memory.Attempt == nil || s.Memory.Attempt.Stopped == nil || !s.isBackAtStable() {
		return
	}
	rejected := *s.Memory.Attempt.Stopped
	rejected.Reason, rejected.At = movedExternally, now
	s.Memory.Attempt.Stopped = nil
	if !s.areReset(routeIDs(s.State.Routes)) {
		s.reject(&rejected)
	}
}

// areReset reports whether every one of the routes has what another resource leaves that manages
// it, which is no evidence against a version.
func (s *Observation) areReset(routes []string) bool {
	return s.platform.Limits.AttachesIdle && !slices.ContainsFunc(routes, func(id string) bool {
		return !s.Memory.Routes[id].State().IsReset()
	})
}

func routeIDs(routes []traffic.Route) []string {
	var ids []string
	for _, route := range routes {
		ids = append(ids, route.ID)
	}
	return ids
}

// reject remembers a rejected version. An environment without a version cannot be
// rejected.
func (s *Observation) reject(who *IdentityMemory) {
	if who == nil || who.Version == "" {
		return
	}
	s.Memory.Rejected = who
	s.State.Rejected = &shift.Rejection{
		Identity: shift.Identity{Environment: who.Environment, Version: who.Version},
		Reason:   who.Reason,
		At:       who.At,
	}
}

// Adopt creates the environments of an imported state from its routes: one per group,
// named like it, until the configuration sets names. It returns the route that does not
// forward to groups, nil if there is none. Every route of the state must be in found.
func (s *Observation) Adopt(found map[string]traffic.State) *traffic.Route {
	environments := map[string]Environment{}
	names := map[string]string{} // by group
	var all []shift.Weights
	for _, route := range s.State.Routes {
		state := found[route.ID]
		if state.Weights == nil {
			return &route
		}
		named := map[string]int{}
		for _, group := range state.Groups() {
			if names[group] == "" {
				names[group] = s.unusedName(environments, group)
				environments[names[group]] = Environment{Groups: map[string]string{}}
			}
			environments[names[group]].Groups[route.Entry] = group
			named[names[group]] = state.Weights[group]
		}
		all = append(all, shift.FromRaw(named))
	}
	s.State.Environments = environments
	s.Memory.Adopted = rememberRoutes(found)
	s.State.Stable = Stable{Weights: withNames(shift.Mean(all), slices.Collect(maps.Keys(environments))), Versions: map[string]string{}}
	return nil
}

// unusedName is the group's own name, with a number where another one has that name:
// groups in two regions or accounts can have the same name.
func (s *Observation) unusedName(taken map[string]Environment, group string) string {
	name := group
	if s.platform.GroupName != nil {
		name = s.platform.GroupName(group)
	}
	for {
		if _, used := taken[name]; !used {
			return name
		}
		name += "-2"
	}
}
