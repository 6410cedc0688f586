package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// incoming is a group that gains traffic, with the share that its health must suffice for.
type incoming struct {
	environment string
	entry       string
	group       string
	share       shift.Share
	serving     []string // groups that serve the entry point at the rollback target
}

// incoming returns the groups of gaining environments that have a share of weights.
func (r *run) incoming(weights shift.Weights) []incoming {
	var all []incoming
	for i, route := range r.spec.Routes {
		for _, name := range r.schedule.Gaining {
			group := r.spec.Owners.Group(route.Entry, name, r.current[i])
			if weights[name] == 0 || group == "" || !r.schedule.GainsOn(i, name) {
				continue
			}
			if !slices.ContainsFunc(all, func(x incoming) bool { return x.group == group }) {
				all = append(all, incoming{environment: name, entry: route.Entry, group: group,
					share: weights[name], serving: r.servingGroups(route.Entry)})
			}
		}
	}
	return all
}

// servingGroups returns the groups that serve the entry point at the rollback target. The
// capacity of gaining groups is measured against them; groups that gained traffic since
// would count twice.
func (r *run) servingGroups(entry string) []string {
	if r.schedule.Kind == shift.Revert {
		return nil // capacity does not block a revert
	}
	var groups []string
	for i, route := range r.spec.Routes {
		if route.Entry != entry {
			continue
		}
		for _, name := range r.schedule.Origin(i).Names() {
			if group := r.spec.Owners.Group(entry, name, r.observed[i]); group != "" && !slices.Contains(groups, group) {
				groups = append(groups, group)
			}
		}
	}
	return groups
}

// groupsOf returns the ids of the groups and of those that they are measured against,
// sorted.
func groupsOf(gaining []incoming) []string {
	var groups []string
	for _, x := range gaining {
		groups = append(groups, x.group)
		groups = append(groups, x.serving...)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// shortfall returns why the health of a group does not suffice for its share; empty if it
// does. Only healthy and unhealthy targets count; draining, unused and initial ones
// are ignored.
func (s HealthSettings) shortfall(x incoming, health map[string]traffic.Health) string {
	h := health[x.group]
	healthy, unhealthy := h.Serving(), h.Count(traffic.Unhealthy)
	switch need := s.capacity(x, health); {
	case len(h.Targets) == 0:
		return fmt.Sprintf("%s (%s): no targets", x.environment, x.entry)
	case healthy < max(s.MinHealthyTargets, 1):
		return fmt.Sprintf("%s (%s): %s, at least %d required", x.environment, x.entry, h, max(s.MinHealthyTargets, 1))
	case float64(healthy)*100 < s.MinHealthyPercent*float64(healthy+unhealthy):
		return fmt.Sprintf("%s (%s): %s, at least %g %% required", x.environment, x.entry, h, s.MinHealthyPercent)
	case float64(healthy) < need-1e-9: // products of percents are not exact
		return fmt.Sprintf("%s (%s): %s, at least %.4g required for %s of the traffic (capacity_percent = %g)",
			x.environment, x.entry, h, need, x.share, s.CapacityPercent)
	}
	return ""
}

// capacity returns how many healthy targets the share requires: CapacityPercent of the
// share of the healthy targets that serve the entry point now.
func (s HealthSettings) capacity(x incoming, health map[string]traffic.Health) float64 {
	serving := 0
	for _, group := range x.serving {
		serving += health[group].Serving()
	}
	return s.CapacityPercent / 100 * x.share.Percent() / 100 * float64(serving)
}

// membership identifies the set of targets, so that changes of it show. It is empty while
// a target is initial.
func membership(gaining []incoming, health map[string]traffic.Health) string {
	var ids []string
	for _, x := range gaining {
		for _, t := range health[x.group].Targets {
			switch t.State {
			case traffic.Initial:
				return ""
			case traffic.Draining: // no longer a member
			default:
				ids = append(ids, x.group+" "+t.ID)
			}
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, "\n")
}
