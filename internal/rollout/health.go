package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// incoming is a group that is to have a share, and who serves its entry point
// at the start of the shift.
type incoming struct {
	environment string
	entry       string
	group       string
	share       shift.Share
	serving     []string // groups of the side that gives
}

// incoming lists the groups that gain, with their share of each entry point.
func (r *run) incoming(weights shift.Weights) []incoming {
	var all []incoming
	for i, route := range r.spec.Routes {
		for _, name := range r.schedule.Gaining {
			group := r.spec.groupOf(route.Entry, name, r.current[i])
			if weights[name] == 0 || group == "" {
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

// servingGroups are the groups that carry the entry point where a way back
// leads: what the new side must be able to take over from. Whoever has joined
// them since would count twice.
func (r *run) servingGroups(entry string) []string {
	if r.schedule.Kind == shift.Revert {
		return nil // a way back is never withheld for capacity
	}
	var groups []string
	for i, route := range r.spec.Routes {
		if route.Entry != entry {
			continue
		}
		for _, name := range r.schedule.Origin(i).Names() {
			if group := r.spec.groupOf(entry, name, r.observed[i]); group != "" && !slices.Contains(groups, group) {
				groups = append(groups, group)
			}
		}
	}
	return groups
}

// groupsOf lists the groups whose health is needed.
func groupsOf(gaining []incoming) []string {
	var groups []string
	for _, x := range gaining {
		groups = append(groups, x.group)
		groups = append(groups, x.serving...)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// shortfall says what is missing for the group to carry its share; empty when
// nothing is. Targets that are draining, unused or not judged yet count for
// neither side.
func (s HealthSettings) shortfall(x incoming, health map[string]Health) string {
	h := health[x.group]
	healthy, unhealthy := h.Serving(), h.Count(Unhealthy)
	switch need := s.capacity(x, health); {
	case len(h.Targets) == 0:
		return fmt.Sprintf("%s (%s) has no targets", x.environment, x.entry)
	case healthy < max(s.MinHealthyTargets, 1):
		return fmt.Sprintf("%s (%s) has %s, at least %d must be", x.environment, x.entry, h, max(s.MinHealthyTargets, 1))
	case float64(healthy)*100 < s.MinHealthyPercent*float64(healthy+unhealthy):
		return fmt.Sprintf("%s (%s) has %s, %g %% must be", x.environment, x.entry, h, s.MinHealthyPercent)
	case float64(healthy) < need-1e-9: // products of percents are not exact
		return fmt.Sprintf("%s (%s) has %s; %s of the traffic needs %.4g (%g %% of what serves it now)",
			x.environment, x.entry, h, x.share, need, s.CapacityPercent)
	}
	return ""
}

// capacity is how many healthy targets the share asks for: capacity_percent of
// share × the healthy targets that serve the entry point now.
func (s HealthSettings) capacity(x incoming, health map[string]Health) float64 {
	serving := 0
	for _, group := range x.serving {
		serving += health[group].Serving()
	}
	return s.CapacityPercent / 100 * x.share.Percent() / 100 * float64(serving)
}

// String words the health of a group: "2 of 3 targets healthy (1 unhealthy:
// Target.Timeout)".
func (h Health) String() string {
	text := fmt.Sprintf("%d of %d targets healthy", h.Serving(), len(h.Targets))
	count := map[string]int{}
	for _, t := range h.Targets {
		if t.State == Healthy || t.State == Unchecked {
			continue
		}
		word := string(t.State)
		if t.Reason != "" {
			word += ": " + t.Reason
		}
		count[word]++
	}
	if len(count) == 0 {
		return text
	}
	var others []string
	for word, n := range count {
		others = append(others, fmt.Sprintf("%d %s", n, word))
	}
	slices.Sort(others)
	return text + " (" + strings.Join(others, ", ") + ")"
}

// membership stands for the set of targets, to see whether it is steady; it is
// empty while one is not judged yet.
func membership(gaining []incoming, health map[string]Health) string {
	var ids []string
	for _, x := range gaining {
		for _, t := range health[x.group].Targets {
			switch t.State {
			case Initial:
				return ""
			case Draining: // it has left already
			default:
				ids = append(ids, x.group+" "+t.ID)
			}
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, "\n")
}
