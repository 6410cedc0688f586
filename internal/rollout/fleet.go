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
	blind   bool       // what a write that may be carried out late was to replace is not known
	moved   bool       // other traffic weights were written to some route
	missing []bool     // the service said that the route does not exist
	added   [][]string // groups that somebody added at weight 0 during the shift
	// handing is called before states are written, and when what was written is known; nil: no
	// guardian.
	handing func(pending map[int]traffic.State)
}

func newFleet(spec Spec, report *reporter) *fleet {
	f := &fleet{routes: spec.Routes, router: spec.Router, rollbackRouter: spec.RollbackRouter,
		owners: spec.Owners, limits: spec.Limits, sticky: spec.Sticky, report: report,
		lastStates: lastStates{unsure: make([]time.Time, len(spec.Routes))}, missing: make([]bool, len(spec.Routes)), added: make([][]string, len(spec.Routes))}
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
	f.replaced, f.asked = make([][]replacedState, len(states)), make([]*traffic.State, len(states))
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
	desired := traffic.State{Weights: map[string]int{}, Stickiness: current.Stickiness, Cached: current.Cached, Raw: current.Raw}
	if f.sticky != nil {
		desired.Stickiness = *f.sticky
	}
	weights := f.limits.Encode(w)
	for _, name := range append(slices.Clone(attached), w.Names()...) {
		group := f.owners.Group(f.routes[i].Entry, name, current)
		if group == "" && weights[name] > 0 { // an unmanaged group that this shift detached
			group = f.owners.Group(f.routes[i].Entry, name, f.observed[i])
		}
		if group != "" && (weights[name] > 0 || f.limits.AttachesIdle) {
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
// change of the i-th route, which was expected in another state. What other routes show may
// be stale: their states remain, and those that were not read back remain unknown.
func (f *fleet) externalChange(i int, states []traffic.State, expected traffic.State) *Failure {
	failure := &Failure{Cause: ExternalChange, Route: f.routes[i].ID,
		Detail: fmt.Sprintf("observed %s; expected %s", f.describe(i, states[i]), f.describe(i, expected))}
	f.current = slices.Clone(f.current)
	for n, state := range states {
		if n == i || !f.mayBeStale(n, state) {
			f.current[n], f.dirty[n], f.asked[n] = state, false, nil
		}
	}
	return failure
}

// fence reports whether a write of the target of a route makes earlier writes fail that are executed late.
func (f *fleet) fence(i int, target traffic.State) bool {
	fencer, is := f.rollbackRouter.(traffic.Fencer)
	if is && f.blind {
		return fencer.Fence(f.routes[i].ID, target, nil)
	}
	return is && fencer.Fence(f.routes[i].ID, target, append(f.written(i), withoutRaw(f.current[i])))
}

// idsOf returns the ids of routes.
func idsOf(routes []Route) []string {
	ids := make([]string, len(routes))
	for i, route := range routes {
		ids[i] = route.ID
	}
	return ids
}

// ids returns the ids of the routes with the indexes.
func (f *fleet) ids(indexes []int) []string {
	var ids []string
	for _, i := range indexes {
		ids = append(ids, f.routes[i].ID)
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

// StaleFor is how old a read can be: for that long after a write, a read may show what the
// route had before. The API documents no bound. It is as long as a record is waited for
// (verifyPauses) and a late write (lateWriteWatch), and a lease lasts several times longer.
const StaleFor = 30 * time.Second

// lastStates is what is known of the routes. Reads are eventually consistent: one that shows
// what a route had before a write of this run may be stale, and then it is no external change.
type lastStates struct {
	current  []traffic.State   // as last read; nil: not read yet
	dirty    []bool            // written and not read back: the state is unknown
	asked    []*traffic.State  // the last accepted write that was not read back; nil: none
	unsure   []time.Time       // until then, a write that had no answer may be carried out; zero: there was none
	replaced [][]replacedState // what the routes had before writes, the last one at the end
	// trafficOnly: an external change that leaves the traffic alone, such as one of
	// stickiness, does not count.
	trafficOnly bool
}

// isUnchanged reports whether a state of the i-th route is the current one.
func (l lastStates) isUnchanged(i int, state traffic.State) bool {
	return state.Equal(l.current[i]) || l.trafficOnly && state.EqualTraffic(l.current[i])
}

// isUnsure reports whether a write of the i-th route that had no answer may still be carried out.
func (l lastStates) isUnsure(i int) bool { return time.Now().Before(l.unsure[i]) }

// shows reports whether a state is the one that was written.
func (l lastStates) shows(state, written traffic.State) bool {
	return state.Equal(written) || l.trafficOnly && state.EqualTraffic(written) && hasGroups(state, written)
}

// replacedState is a state that a write replaced at a time.
type replacedState struct {
	state traffic.State
	at    time.Time
}

// replace records that a write of a state was accepted. One that only repeats the last write
// does not extend the time in which reads may be stale.
func (l lastStates) replace(i int, state traffic.State, now time.Time) {
	last := l.asked[i]
	if last != nil && last.Equal(state) {
		return
	}
	l.asked[i] = &state
	before := []traffic.State{l.current[i]}
	if last != nil {
		before = []traffic.State{*last, l.current[i]}
	}
	for _, b := range before {
		l.replaced[i] = slices.DeleteFunc(l.replaced[i], func(x replacedState) bool { return x.state.Equal(b) })
		l.replaced[i] = append(l.replaced[i], replacedState{b, now})
	}
}

// mayBeStale reports whether a read of the i-th route shows something else than what is known
// because it is old.
func (l lastStates) mayBeStale(i int, state traffic.State) bool {
	if state.Fresh {
		return false
	}
	if asked := l.asked[i]; asked != nil && state.Equal(*asked) || !l.dirty[i] && state.Equal(l.current[i]) {
		return false
	}
	return slices.ContainsFunc(l.replaced[i], func(x replacedState) bool { return x.state.Equal(state) && time.Since(x.at) < StaleFor })
}

// isPrevious reports whether the i-th route had the state before the last write, however long
// ago. Such a read is worth another one, whatever StaleFor says.
func (l lastStates) isPrevious(i int, state traffic.State) bool {
	n := len(l.replaced[i])
	return n > 0 && !state.Fresh && state.Equal(l.replaced[i][n-1].state)
}

// isUndone reports whether somebody has changed the i-th route since the API accepted the write of
// a state: a read that is not older does not show it. It may show what the route had before.
func (l lastStates) isUndone(i int, state, written traffic.State) bool {
	return state.Fresh && l.asked[i] != nil && l.asked[i].Equal(written) && !l.shows(state, written)
}

// comparison is what a read of all routes shows.
type comparison struct {
	pending map[int]traffic.State // the desired states that do not show yet
	stale   bool                  // some route shows what it had before a write, so the read may be old
	changed int                   // the index of a route that was changed externally, or -1
}

// isShown reports whether every route is in its desired state, or in its current one if it
// has none.
func (c comparison) isShown() bool { return c.changed < 0 && !c.stale && len(c.pending) == 0 }

// compare compares a read with the desired states. again says that another read follows
// at once.
func (l lastStates) compare(states []traffic.State, desired map[int]traffic.State, again bool) comparison {
	c := comparison{pending: map[int]traffic.State{}, changed: -1}
	for i := range states {
		state, written := desired[i]
		switch {
		case written && l.isUndone(i, states[i], state):
			c.changed = i
			return c
		case written && !states[i].Equal(state) && l.mayBeStale(i, states[i]): // also where the traffic is the same
			c.stale = true
		case written && l.shows(states[i], state):
		case l.isUnchanged(i, states[i]):
			if written {
				c.pending[i] = state
			}
		case l.mayBeStale(i, states[i]) || again && l.isPrevious(i, states[i]):
			c.stale = true
		default:
			c.changed = i
			return c
		}
	}
	return c
}

// compareBeforeRollback returns the index of a route whose external change prevents a
// rollback: one that is not at its target or, if all routes are there, any. Otherwise it
// returns -1, whether the read is stale, and the states that are current then: those of
// the read, without stale ones, whose routes are written again.
func (l lastStates) compareBeforeRollback(states []traffic.State, edit externalEdit, again bool) (current []traffic.State, index int, stale bool) {
	current, index = slices.Clone(l.current), -1
	allRestored := true
	for i := range states {
		changed, restored := edit.changed(i, states[i]), states[i].EqualTraffic(edit.targets[i])
		allRestored = allRestored && restored
		switch {
		case changed && (l.mayBeStale(i, states[i]) || again && l.isPrevious(i, states[i])):
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
