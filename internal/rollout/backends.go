package rollout

import (
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// backends finds the groups of a shift that gates and health are about. It changes
// nothing.
type backends struct {
	spec     *Spec
	schedule *shift.Schedule
	fleet    *fleet
}

// incoming returns the groups of gaining environments that have a share of weights. It is
// nil if no environment gains, so that no health is required, and never nil otherwise.
func (b backends) incoming(weights shift.Weights) []incoming {
	if len(b.schedule.Gaining) == 0 {
		return nil
	}
	all := []incoming{}
	for i, route := range b.spec.Routes {
		for _, name := range b.schedule.Gaining {
			group := b.spec.Owners.Group(route.Entry, name, b.fleet.current[i])
			if weights[name] == 0 || group == "" || !b.schedule.GainsOn(i, name) {
				continue
			}
			if !slices.ContainsFunc(all, func(x incoming) bool { return x.group == group }) {
				all = append(all, incoming{environment: name, entry: route.Entry, group: group,
					share: weights[name], live: b.hadTraffic(group), serving: b.serving(route.Entry)})
			}
		}
	}
	return all
}

// hadTraffic reports whether a group had traffic on some route at the start.
func (b backends) hadTraffic(group string) bool {
	return slices.ContainsFunc(b.fleet.observed, func(s traffic.State) bool { return s.Weights[group] > 0 })
}

// outgoing returns, by entry point, the groups that have more traffic than they shall keep.
func (b backends) outgoing() []outgoing {
	var all []outgoing
	for i, route := range b.spec.Routes {
		weights := b.fleet.weights(i)
		for _, name := range weights.Names() {
			group := b.spec.Owners.Group(route.Entry, name, b.fleet.current[i])
			if group == "" || weights[name] <= b.schedule.Desired[name] {
				continue
			}
			j := slices.IndexFunc(all, func(x outgoing) bool { return x.entry == route.Entry })
			if j < 0 {
				all, j = append(all, outgoing{entry: route.Entry}), len(all)
			}
			if !slices.Contains(all[j].groups, group) {
				all[j].environments, all[j].groups = append(all[j].environments, name), append(all[j].groups, group)
			}
		}
	}
	return all
}

// serving returns the groups that serve the entry point at the rollback target. The
// capacity of gaining groups is measured against them; groups that gained traffic since
// would count twice.
func (b backends) serving(entry string) []string {
	if b.schedule.Kind == shift.Revert {
		return nil // capacity does not block a revert
	}
	var groups []string
	for i, route := range b.spec.Routes {
		if route.Entry != entry {
			continue
		}
		for _, name := range b.schedule.Origin(i).Names() {
			if group := b.spec.Owners.Group(entry, name, b.fleet.observed[i]); group != "" && !slices.Contains(groups, group) {
				groups = append(groups, group)
			}
		}
	}
	return groups
}

// gaining returns the groups that gain traffic, with the routes on which they do.
func (b backends) gaining() []traffic.Backend {
	return b.where(b.schedule.Gaining, b.schedule.GainsOn)
}

// live returns the groups that had traffic at the start and do not gain any, on routes
// that this shift changes.
func (b backends) live() []traffic.Backend {
	return b.where(b.schedule.From().Names(), func(i int, name string) bool {
		return len(b.schedule.GainingOn(i)) > 0 && !b.schedule.GainsOn(i, name)
	})
}

// where returns the groups of environments with their routes, where the condition holds
// for the index of the route and the environment.
func (b backends) where(names []string, holds func(int, string) bool) []traffic.Backend {
	var all []traffic.Backend
	for _, name := range names {
		for i, route := range b.spec.Routes {
			group := b.spec.Owners.Group(route.Entry, name, b.fleet.observed[i])
			if group == "" || !holds(i, name) {
				continue
			}
			j := slices.IndexFunc(all, func(x traffic.Backend) bool { return x.Group == group })
			if j < 0 {
				all = append(all, traffic.Backend{Entry: route.Entry, Environment: name, Version: b.spec.Request.Environment(name).Version, Group: group})
				j = len(all) - 1
			}
			all[j].Routes = append(all[j].Routes, route.ID)
		}
	}
	return all
}

// haveMostTraffic reports whether the gaining environments have more than half of the
// traffic on every route on which they gain.
func (b backends) haveMostTraffic() bool {
	for i := range b.spec.Routes {
		share, current, gaining := shift.Share(0), b.fleet.weights(i), b.schedule.GainingOn(i)
		for _, name := range gaining {
			share += current[name]
		}
		if len(gaining) > 0 && 2*share <= shift.Full {
			return false
		}
	}
	return len(b.schedule.Gaining) > 0
}
