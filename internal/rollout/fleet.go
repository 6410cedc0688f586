package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// callTimeout limits one router call, including its retries, except in rollbacks. A hung
// call must not suspend the monitoring of a hold, or a shift between two steps.
const callTimeout = 30 * time.Second

// fleet is the routes of a shift and their states. It reads, writes and verifies them,
// detects external changes, and rolls back. Which states to write, and what the rollback
// targets are, it is given. Only one goroutine uses it. Slices by route, and indexes, are
// in the order of routes.
type fleet struct {
	routes         []Route
	router         traffic.Router // for everything but a rollback
	rollbackRouter traffic.Router
	owners         traffic.Owners
	limits         traffic.Limits
	sticky         *time.Duration // desired group stickiness; nil: unchanged
	report         *reporter

	observed []traffic.State // at the start of the shift; nil: not read yet
	lastStates
	dirty   []bool     // written and not read back: the state is unknown
	unsure  []bool     // a write had no answer, so it may be carried out later
	moved   bool       // other traffic weights were written to some route
	missing []bool     // the service said that the route does not exist
	added   [][]string // groups that somebody added at weight 0 during the shift
}

func newFleet(spec Spec, report *reporter) *fleet {
	f := &fleet{routes: spec.Routes, router: spec.Router, rollbackRouter: spec.RollbackRouter,
		owners: spec.Owners, limits: spec.Limits, sticky: spec.Sticky, report: report,
		unsure: make([]bool, len(spec.Routes)), missing: make([]bool, len(spec.Routes)), added: make([][]string, len(spec.Routes))}
	if f.rollbackRouter == nil {
		f.rollbackRouter = spec.Router
	}
	return f
}

// observe reads every route for the first time.
func (f *fleet) observe(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := f.readExisting(limited, f.router, indexesOf(f.routes))
	if err != nil {
		return err
	}
	states := make([]traffic.State, len(f.routes)) // zero for a route that does not exist
	for i, state := range found {
		states[i] = state
	}
	f.observed, f.current, f.dirty = states, slices.Clone(states), make([]bool, len(states))
	return nil
}

// read reads all routes within callTimeout. It does not change the fleet.
func (f *fleet) read(ctx context.Context) ([]traffic.State, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return f.router.Read(limited, idsOf(f.routes))
}

// weights returns the weights of the i-th route as last read.
func (f *fleet) weights(i int) shift.Weights {
	return f.owners.Weights(f.routes[i].Entry, f.current[i])
}

// mean returns the mean weights, as last read, of the routes that exist, or of all if none
// does.
func (f *fleet) mean() shift.Weights {
	var all []shift.Weights
	indexes := f.existing()
	if len(indexes) == 0 {
		indexes = indexesOf(f.routes)
	}
	for _, i := range indexes {
		all = append(all, f.weights(i))
	}
	return shift.Mean(all)
}

// isDirty reports whether the state of some route is unknown.
func (f *fleet) isDirty() bool { return slices.Contains(f.dirty, true) }

// isSticky reports whether group stickiness is on: as desired, otherwise as last read.
func (f *fleet) isSticky() bool {
	if f.sticky != nil {
		return *f.sticky > 0
	}
	return slices.ContainsFunc(f.current, func(s traffic.State) bool { return s.Stickiness > 0 })
}

// state returns the state that gives the i-th route the weights w, with the environments
// in attached at weight 0 where they have no share. It takes Raw and unmanaged groups
// from the current state.
func (f *fleet) state(i int, w shift.Weights, attached []string) traffic.State {
	current := f.current[i]
	desired := traffic.State{Weights: map[string]int{}, Stickiness: current.Stickiness, Raw: current.Raw}
	if f.sticky != nil {
		desired.Stickiness = *f.sticky
	}
	weights := f.limits.Encode(w)
	for _, name := range append(slices.Clone(attached), w.Names()...) {
		group := f.owners.Group(f.routes[i].Entry, name, current)
		if group == "" && weights[name] > 0 { // an unmanaged group that this shift detached
			group = f.owners.Group(f.routes[i].Entry, name, f.observed[i])
		}
		if group != "" {
			desired.Weights[group] = weights[name]
		}
	}
	return desired
}

// describe formats a state of the i-th route, such as "blue 95 %, green 5 %".
func (f *fleet) describe(i int, s traffic.State) string {
	if s.Response != "" {
		return s.Response
	}
	entry := f.routes[i].Entry
	shares, idle := f.owners.Weights(entry, s), ""
	for _, group := range s.Groups() {
		if s.Weights[group] == 0 {
			idle = joinText(idle, f.owners.Owner(entry, group)+" 0 %")
		}
	}
	text := strings.ReplaceAll(joinText(shares.String(), idle), "; ", ", ")
	if s.Stickiness > 0 {
		text += ", sticky for " + schedule.FormatDuration(s.Stickiness)
	}
	return text
}

// externalChange makes states the current ones and returns the Failure for an external
// change of the i-th route, which was expected in another state.
func (f *fleet) externalChange(i int, states []traffic.State, expected traffic.State) *Failure {
	failure := &Failure{Cause: ExternalChange, Route: f.routes[i].ID,
		Detail: fmt.Sprintf("observed %s; expected %s", f.describe(i, states[i]), f.describe(i, expected))}
	f.current, f.dirty = states, make([]bool, len(states))
	return failure
}

// idsOf returns the ids of routes.
func idsOf(routes []Route) []string {
	ids := make([]string, len(routes))
	for i, route := range routes {
		ids[i] = route.ID
	}
	return ids
}

// indexesOf returns 0 to the number of routes.
func indexesOf(routes []Route) []int {
	indexes := make([]int, len(routes))
	for i := range indexes {
		indexes[i] = i
	}
	return indexes
}

// lastStates is what is known of the routes. Its methods compare a read with that, and
// change nothing. Reads are eventually consistent: one that shows the state before the last
// write may be stale. The last of several reads is never considered stale.
type lastStates struct {
	current  []traffic.State // as last read; nil: not read yet
	previous []traffic.State // as read before the last write; nil: nothing was written
	// trafficOnly: an external change that leaves the traffic alone, such as one of
	// stickiness, does not count.
	trafficOnly bool
}

// isUnchanged reports whether a state of the i-th route is the current one.
func (l lastStates) isUnchanged(i int, state traffic.State) bool {
	return state.Equal(l.current[i]) || l.trafficOnly && state.EqualTraffic(l.current[i])
}

// shows reports whether a state is the one that was written.
func (l lastStates) shows(state, written traffic.State) bool {
	return state.Equal(written) || l.trafficOnly && state.EqualTraffic(written) && hasGroups(state, written)
}

// isPrevious reports whether the i-th route had the state before the last write.
func (l lastStates) isPrevious(i int, state traffic.State) bool {
	return l.previous != nil && state.Equal(l.previous[i])
}

// compare returns the desired states that a read does not show yet, or nil if the read
// is stale, and the index of a route that was changed externally, or -1.
func (l lastStates) compare(states []traffic.State, desired map[int]traffic.State, last bool) (map[int]traffic.State, int) {
	pending, stale := map[int]traffic.State{}, false
	for i := range states {
		state, written := desired[i]
		switch {
		case written && l.shows(states[i], state):
		case l.isUnchanged(i, states[i]):
			if written {
				pending[i] = state
			}
		case !last && l.isPrevious(i, states[i]):
			stale = true
		default:
			return nil, i
		}
	}
	if stale {
		return nil, -1
	}
	return pending, -1
}

// compareBeforeRollback returns the index of a route whose external change prevents a
// rollback: one that is not at its target or, if all routes are there, any. Otherwise it
// returns -1, whether the read is stale, and the states that are current then: those of
// the read, without stale ones, whose routes are written again.
func (l lastStates) compareBeforeRollback(states []traffic.State, edit externalEdit, last bool) (current []traffic.State, index int, stale bool) {
	current, index = slices.Clone(l.current), -1
	allRestored := true
	for i := range states {
		changed, restored := edit.changed(i, states[i]), states[i].EqualTraffic(edit.targets[i])
		allRestored = allRestored && restored
		switch {
		case changed && !last && l.isPrevious(i, states[i]):
			stale = true
			continue
		case changed && !restored:
			return nil, i, false
		case changed && index < 0:
			index = i
		}
		current[i] = states[i]
	}
	if stale || !allRestored {
		index = -1
	}
	return current, index, stale
}
