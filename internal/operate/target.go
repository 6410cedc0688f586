package operate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/routers"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Target is the routes that a verb is about, and what a state file says of their switch.
type Target struct {
	Routes []traffic.Route // without entry points where they are not known
	// Switch is the address of the switch in the state file; empty: there is no file.
	Switch       string
	Environments map[string]Environment
	Rejected     *Rejection // by the state file; nil: nothing
	// Saved are the weights, by environment, that all routes have unless a shift is in progress or was abandoned, or somebody
	// else moved the traffic: those of the last completed shift, and of the last apply or refresh.
	Saved []shift.Weights
}

// Environment is an environment of a switch.
type Environment struct {
	Version string
	Groups  map[string]string // by entry point
}

// Rejection is a version that is not shipped again.
type Rejection struct {
	Environment string `json:"environment"`
	Version     string `json:"version"`
	Reason      string `json:"reason"`
}

const cannotUseRoute = "Cannot use the route"

// FromRoutes returns the target with the ids of routes.
func FromRoutes(ids []string) (Target, error) {
	var t Target
	for _, id := range ids {
		if fault := routers.CheckRoute(id); fault != nil {
			return Target{}, refuse(cannotUseRoute, sentence(fault.Err.Error()), fault.Action)
		}
		if !slices.ContainsFunc(t.Routes, func(r traffic.Route) bool { return r.ID == id }) {
			t.Routes = append(t.Routes, traffic.Route{ID: id})
		}
	}
	return t.ofOneRouter("Cannot use the routes", "Name the routes of one switch.")
}

// ofOneRouter refuses routes of several routers: they belong to several switches.
func (t Target) ofOneRouter(summary, action string) (Target, error) {
	for _, route := range t.Routes {
		if one, other := t.router(), routers.Of(route.ID); one.Block != other.Block {
			return Target{}, refuse(summary, fmt.Sprintf("%s and %s belong to different routers: %s and %s. A switch has one.", t.Routes[0].ID, route.ID, one.Name, other.Name), action)
		}
	}
	return t, nil
}

// router is that of the routes.
func (t Target) router() routers.Entry { return routers.Of(t.Routes[0].ID) }

// FromShift returns the target with the routes of a journal. It names environments where the shift has
// one entry point: a journal does not have the entry point of a target group.
func FromShift(x report.Shift) (Target, error) {
	var t Target
	for _, route := range x.Routes {
		if fault := routers.CheckRoute(route.ID); fault != nil {
			return Target{}, refuse(cannotUseRoute, sentence(fault.Err.Error()), "Check that the folder has journals of the provider.")
		}
		t.Routes = append(t.Routes, traffic.Route{ID: route.ID, Entry: route.Entry})
	}
	if len(t.Routes) == 0 {
		return Target{}, refuse("No routes are named", "The journal of the shift "+x.ID+" has no routes.", "Use --route, or -f with a state file.")
	}
	t, err := t.ofOneRouter("Cannot use the routes", "Check that the folder has journals of the provider.")
	if err != nil || len(t.entries()) > 1 {
		return t, err
	}
	t.Environments = map[string]Environment{}
	for group, name := range x.Groups {
		t.Environments[name] = Environment{Version: x.Versions[name], Groups: map[string]string{t.Routes[0].Entry: group}}
	}
	return t, nil
}

// ids are those of the routes.
func (t Target) ids() []string {
	var ids []string
	for _, route := range t.Routes {
		ids = append(ids, route.ID)
	}
	return ids
}

// entries are the names of the entry points, sorted; none where they are not known.
func (t Target) entries() []string {
	var all []string
	for _, route := range t.Routes {
		if route.Entry != "" && !slices.Contains(all, route.Entry) {
			all = append(all, route.Entry)
		}
	}
	slices.Sort(all)
	return all
}

// owner is the environment of a group behind an entry point; empty: not known.
func (t Target) owner(entry, group string) string {
	for _, name := range slices.Sorted(maps.Keys(t.Environments)) {
		if t.Environments[name].Groups[entry] == group {
			return name
		}
	}
	return ""
}

// isSaved reports whether all routes have weights that the state has.
func (t Target) isSaved(states []traffic.State) bool {
	owners := traffic.NewOwners(t.groupsByEnvironment(), nil, groupName)
	return slices.ContainsFunc(t.Saved, func(w shift.Weights) bool {
		for i, s := range states {
			if s.Response != "" || !owners.Weights(t.Routes[i].Entry, s).Equal(w) {
				return false
			}
		}
		return true
	})
}

// groups are all groups that may be behind an entry point.
func (t Target) groups(entry string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(t.Environments)) {
		if group := t.Environments[name].Groups[entry]; group != "" {
			all = append(all, group)
		}
	}
	return all
}

// name names a group for people: its environment, or its own name.
func (t Target) name(entry, group string) string {
	if name := t.owner(entry, group); name != "" {
		return name
	}
	return groupName(group)
}

func groupName(group string) string { return routers.Of(group).GroupName(group) }

// describe describes the traffic of a state, such as "blue 95 %, green 5 %".
func (t Target) describe(entry string, s traffic.State) string {
	if s.Response != "" {
		return s.Response
	}
	owners := traffic.NewOwners(t.groupsByEnvironment(), nil, groupName)
	if text := owners.Weights(entry, s).String(); text != "" {
		return text
	}
	return "nothing"
}

func (t Target) groupsByEnvironment() map[string]map[string]string {
	all := map[string]map[string]string{}
	for name, e := range t.Environments {
		all[name] = e.Groups
	}
	return all
}

// label names a route for people.
func label(id string, s traffic.State) string {
	if s.Label != "" {
		return s.Label
	}
	return routers.Of(id).Label(id)
}

// where describes the traffic of all routes: in one sentence where they agree.
func (t Target) where(states []traffic.State) string {
	var lines []string
	agree := true
	for i, s := range states {
		text := t.describe(t.Routes[i].Entry, s)
		agree = agree && text == t.describe(t.Routes[0].Entry, states[0])
		lines = append(lines, fmt.Sprintf("%s: %s", label(t.Routes[i].ID, s), text))
	}
	switch {
	case len(states) == 0:
		return ""
	case agree && len(states) == 1:
		return t.describe(t.Routes[0].Entry, states[0]) + "."
	case agree:
		return fmt.Sprintf("%s on all %d routes.", t.describe(t.Routes[0].Entry, states[0]), len(states))
	}
	return strings.Join(lines, "; ") + "."
}
