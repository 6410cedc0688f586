package release

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Planned is what an apply will do, and the values of State that are known before.
type Planned struct {
	// Open reports that the schedule depends on unknown values. Decided and the other
	// fields are zero then.
	Open    bool
	Decided shift.Schedule
	// Shifts reports that only the end of the apply determines Stable, Live, Previous,
	// Rejected and LastShift.
	Shifts bool
	// Values are those that stay where nothing shifts. Schedule and LastShift are those
	// of the prior state.
	Values State
}

// Plan decides what an apply does. It makes no call and has no clock, because it runs
// again at apply and must decide the same. It returns the errors of shift.Decide, and an InexactError.
func (p Prior) Plan(w Desired) (Planned, error) {
	if p.dependsOnUnknown(w) {
		return Planned{Open: true}, nil
	}
	decided, err := p.Spec(w).Decide(p.Observed(w))
	if err != nil {
		return Planned{}, err
	}
	if err := inexact(decided, p.platform.Limits); err != nil {
		return Planned{}, err
	}
	planned := Planned{Decided: decided, Shifts: p.State == nil || decided.Kind != shift.NoChange}
	if planned.Shifts {
		return planned, nil
	}
	planned.Values = State{
		Schedule:  p.State.Schedule,
		LastShift: p.State.LastShift,
		Stable:    p.currentStable(w),
		Live:      p.currentLive(w),
		Previous:  identityOf(p.previous(w)),
		Rejected:  p.Rejection(w),
	}
	return planned, nil
}

// InexactError reports weights that the router cannot express.
type InexactError struct {
	At               shift.Share // the step; Full: the desired weights
	Weights, Nearest shift.Weights
}

// Error implements error.
func (e *InexactError) Error() string {
	return fmt.Sprintf("%s cannot be expressed; the nearest weights are %s", e.Weights, e.Nearest)
}

// inexact returns an InexactError where the weights of a step cannot be expressed.
func inexact(s shift.Schedule, limits traffic.Limits) error {
	for _, step := range s.Steps {
		for i := range s.Request.Routes {
			w := s.At(i, step.At)
			if nearest, exact := limits.Express(w); !exact && w != nil {
				return &InexactError{At: step.At, Weights: w, Nearest: nearest}
			}
		}
	}
	return nil
}

func identityOf(id *shift.Identity) Identity {
	if id == nil {
		return Identity{}
	}
	return Identity{Environment: id.Environment, Version: id.Version}
}

// CurrentWeights returns the weights of the state, with the current environment names.
func (p Prior) CurrentWeights() shift.Weights { return p.currentWeights(p.State.Weights) }

// currentStable is the state's Stable, with the current environment names, and with the
// versions that the environments have now: one that was changed in place, with the traffic
// on it, is the stable one. One that was changed while it had no traffic is not.
func (p Prior) currentStable(w Desired) Stable {
	if p.Memory.Adopted != nil {
		return Stable{Weights: withNames(p.stable(p.Spec(w)), w.Names()), Versions: w.versions()}
	}
	stable := Stable{Weights: p.currentWeights(p.State.Stable.Weights), Versions: p.stableVersions()}
	now := p.observedMean(w, p.Spec(w).Owners)
	for name, share := range stable.Weights {
		if version := w.VersionOf(name); share > 0 && now[name] > 0 && version != "" && len(stable.Versions) > 0 {
			stable.Versions[name] = version
		}
	}
	return stable
}

// currentLive is the environment that has all traffic, with the version that is
// configured for it.
func (p Prior) currentLive(w Desired) Identity {
	return w.liveOf(p.observedMean(w, p.Spec(w).Owners))
}

// liveOf is the environment that has all traffic by the weights.
func (w Desired) liveOf(weights shift.Weights) Identity {
	name, ok := weights.Sole()
	if !ok {
		return Identity{}
	}
	return Identity{Environment: name, Version: w.VersionOf(name)}
}

// dependsOnUnknown reports whether the schedule depends on unknown values. Of a new
// environment only the name is needed, and whether it is inline, of which the schedule warns, also
// where it has no version.
func (p Prior) dependsOnUnknown(w Desired) bool {
	if w.Unknown || w.Environments == nil {
		return true
	}
	for name, e := range w.Environments {
		if e.InlineUnknown || e.VersionUnknown && (e.Inline || p.versionMatters(w, name)) || e.GroupsUnknown && p.groupsMatter(w, name) {
			return true
		}
	}
	return false
}

// versionMatters reports whether the schedule depends on the version: it contains the
// versions of environments that have or gain traffic, and compares them with previous and
// rejected versions.
func (p Prior) versionMatters(w Desired, name string) bool {
	if p.State == nil {
		return w.Weights[name] > 0
	}
	s := p.Spec(w)
	if w.Weights[name] > 0 || s.Stable[name] > 0 {
		return true
	}
	for i, found := range p.Observed(w) {
		if s.Owners.Weights(w.Routes[i].Entry, found)[name] > 0 {
			return true
		}
	}
	id, r := p.previous(w), p.Rejection(w)
	return id != nil && id.Environment == name || r != nil && r.Environment == name
}

// groupsMatter reports whether unknown groups may turn out to be attached to a route, or
// to be those of a remembered version.
func (p Prior) groupsMatter(w Desired, name string) bool {
	if p.State == nil {
		return false
	}
	for _, id := range []*IdentityMemory{p.Memory.Previous, p.Memory.Rejected} {
		if id != nil && id.Version != "" && id.Version == w.VersionOf(name) {
			return true
		}
	}
	others := map[string]bool{} // groups that certainly belong to another environment
	for other, e := range w.Environments {
		for _, group := range e.Groups {
			others[group] = other != name
		}
	}
	for before, e := range p.State.Environments {
		for _, group := range e.Groups {
			if p.CurrentName(before) != name {
				others[group] = true
			}
		}
	}
	return slices.ContainsFunc(p.observedGroups(w), func(group string) bool { return !others[group] })
}

// observedGroups returns all groups that the last refresh found, including those in
// warnings.
func (p Prior) observedGroups(w Desired) []string {
	var seen []string
	for _, found := range p.Observed(w) {
		seen = append(seen, found.Groups()...)
	}
	for _, other := range p.Memory.OtherRoutes {
		seen = append(seen, other.Groups...)
	}
	return slices.AppendSeq(seen, maps.Keys(p.Memory.SlowStart))
}
