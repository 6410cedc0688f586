package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// errNoGroup reports an incomplete Spec.
var errNoGroup = errors.New("no target group for a desired environment")

// desiredStates computes which states to write, from the schedule and the current states
// of the fleet. It changes nothing. The maps are by the index of the route and have only
// the routes to write.
type desiredStates struct {
	spec     *Spec
	schedule *shift.Schedule
	fleet    *fleet
}

// joins reports whether the plan had no state of the route. Its rollback target is then
// its observed state.
func (d desiredStates) joins(i int) bool {
	return d.spec.Stable == nil || d.spec.Routes[i].Planned == nil
}

// observe reads every route, and again where it is not as planned: the read may be
// older than the plan.
func (d desiredStates) observe(ctx context.Context) (f *Failure) {
	for _, pause := range rereadPauses {
		if err := sleep(ctx, pause); err != nil {
			return failureOf(ctx, "", err)
		}
		if err := d.fleet.observe(ctx); err != nil {
			return failureOf(ctx, "", err)
		}
		if f = d.checkPlanned(); f == nil || f.Cause != ExternalChange {
			return f
		}
	}
	return f
}

// checkPlanned checks that every route has the traffic that the plan was based on. A
// route that is new to the switch must forward or respond with a fixed 5xx. Groups at
// weight 0 may differ: an environment that is destroyed in the same apply detaches itself.
// Stickiness does not matter to a rollback or revert, see checkStickiness.
func (d desiredStates) checkPlanned() *Failure {
	for _, i := range d.fleet.existing() {
		if f := d.checkPlannedRoute(i); f != nil {
			f.Route = d.spec.Routes[i].ID
			return f
		}
	}
	return nil
}

func (d desiredStates) checkPlannedRoute(i int) *Failure {
	now, planned := d.fleet.observed[i], d.spec.Routes[i].Planned
	if d.joins(i) {
		if now.Response != "" && !now.FixedError {
			return &Failure{Cause: NotForwarding, Detail: now.Response}
		}
		return nil
	}
	if now.Response != "" && now.Equal(*planned) {
		return nil // the plan was based on it, and the table refuses
	}
	if now.Response != "" || !now.EqualTraffic(*planned) {
		return d.changedSincePlan(i)
	}
	return nil
}

// checkStickiness checks that every route has the stickiness that the plan was based on.
func (d desiredStates) checkStickiness() *Failure {
	for _, i := range d.fleet.existing() {
		if now := d.fleet.observed[i]; !d.joins(i) && now.Response == "" && now.Stickiness != d.spec.Routes[i].Planned.Stickiness {
			return d.changedSincePlan(i)
		}
	}
	return nil
}

func (d desiredStates) changedSincePlan(i int) *Failure {
	route := d.spec.Routes[i]
	return &Failure{Cause: ExternalChange, Route: route.ID,
		Detail: fmt.Sprintf("observed %s; planned %s", d.fleet.describe(i, d.fleet.observed[i]), d.fleet.describe(i, *route.Planned))}
}

// checkGroups checks that every desired environment has a group on every route.
func (d desiredStates) checkGroups() *Failure {
	for i, route := range d.spec.Routes {
		for _, name := range d.schedule.Desired.Names() {
			if d.spec.Owners.Group(route.Entry, name, d.fleet.observed[i]) == "" {
				return &Failure{Cause: RouterFailed, Route: route.ID,
					Err: fmt.Errorf("%w: %s, entry point %s", errNoGroup, name, route.Entry)}
			}
		}
	}
	return nil
}

// reached returns the part of the shift that the i-th route had done at the start. A
// route with a fixed error has had the desired weights since attach.
func (d desiredStates) reached(i int) shift.Share {
	observed := d.fleet.observed[i]
	if observed.FixedError || d.schedule.Joins != nil && d.schedule.Joins[i] {
		return shift.Full
	}
	return shift.Progress(d.schedule.Origin(i), d.schedule.Desired, d.fleet.owners.Weights(d.spec.Routes[i].Entry, observed))
}

// highest returns the largest share of each environment on any route at a step. A route
// that is further along counts with its current weights.
func (d desiredStates) highest(at shift.Share) shift.Weights {
	most := shift.Weights{}
	for i := range d.spec.Routes {
		for _, w := range []shift.Weights{d.schedule.At(i, at), d.fleet.weights(i)} {
			for name, share := range w {
				most[name] = max(most[name], share)
			}
		}
	}
	return most
}

// attach returns the states that add the environments of the shift at weight 0, where the
// router needs that to check their health. A route with a fixed error gets the desired
// weights immediately, because it serves no users.
func (d desiredStates) attach() map[int]traffic.State {
	states := map[int]traffic.State{}
	for i, current := range d.fleet.current {
		share := d.fleet.weights(i)
		if current.FixedError {
			share = d.schedule.Desired
		}
		next := d.fleet.state(i, share, d.schedule.Attached)
		if current.FixedError || d.spec.Limits.AttachesIdle && !hasGroups(current, next) {
			states[i] = next
		}
	}
	return states
}

// hasGroups reports whether a state has every group of desired.
func hasGroups(state, desired traffic.State) bool {
	for group := range desired.Weights {
		if _, ok := state.Weights[group]; !ok {
			return false
		}
	}
	return true
}

// step returns the states of a step. A route that was observed at or past the step stays
// as it is.
func (d desiredStates) step(at shift.Share) map[int]traffic.State {
	states := map[int]traffic.State{}
	for i := range d.spec.Routes {
		if d.reached(i) < at {
			states[i] = d.fleet.state(i, d.schedule.At(i, at), d.schedule.Attached)
		}
	}
	return states
}

// cleanUp returns the states with which each action has exactly Schedule.AttachedAfter.
// Where stickiness was turned on during a rollback or revert, only groups with traffic
// remain: clients would stay with the others.
func (d desiredStates) cleanUp() map[int]traffic.State {
	states, attached := map[int]traffic.State{}, d.schedule.AttachedAfter
	if d.fleet.trafficOnly && d.fleet.isSticky() {
		attached = nil
	}
	for i, current := range d.fleet.current {
		next := d.fleet.state(i, d.fleet.weights(i), attached)
		if current.Response == "" && !next.Equal(current) {
			states[i] = next
		}
	}
	return states
}

// stable returns the states of a schedule of kind Rollback, whose desired weights are the
// rollback target. Environments that lose traffic stay attached until settle is over,
// unless stickiness is on: their clients would stay with them.
func (d desiredStates) stable() map[int]traffic.State {
	attached, sticky := d.schedule.Attached, d.fleet.isSticky()
	if sticky {
		attached = d.schedule.AttachedAfter
	}
	states := map[int]traffic.State{}
	for i, current := range d.fleet.current {
		next := d.fleet.state(i, d.schedule.Desired, attached)
		if !next.EqualTraffic(current) || sticky && !next.Equal(current) {
			states[i] = next
		}
	}
	return states
}

// back returns the states of the rollback that comes before everything else.
func (d desiredStates) back() map[int]traffic.State {
	states := map[int]traffic.State{}
	for i, target := range d.backTargets() {
		if !target.EqualTraffic(d.fleet.current[i]) {
			states[i] = target
		}
	}
	return states
}

// backTargets returns the state of every route after that rollback. With stickiness on, only
// groups with traffic remain: clients would stay with the version that they should leave.
func (d desiredStates) backTargets() []traffic.State {
	targets, attached := slices.Clone(d.fleet.current), d.schedule.Attached
	if d.fleet.isSticky() {
		attached = nil
	}
	for i, x := range d.schedule.Request.Routes {
		if x.Back != nil {
			targets[i] = d.fleet.state(i, x.Back, attached)
		}
	}
	return targets
}

// join returns the states of the routes that get the desired weights at once. With
// stickiness on, one that serves nobody loses the groups that had its traffic in the same
// write: their clients would get errors until they are detached.
func (d desiredStates) join() map[int]traffic.State {
	states := map[int]traffic.State{}
	for i, joins := range d.schedule.Joins {
		if !joins {
			continue
		}
		attached := slices.Clone(d.schedule.Attached)
		if x := d.schedule.Request.Routes[i]; x.Unserved && d.fleet.isSticky() {
			attached = slices.DeleteFunc(attached, func(name string) bool { return x.Observed[name] > 0 })
		}
		states[i] = d.fleet.state(i, d.schedule.Desired, attached)
	}
	return states
}

// splits returns what the record of the shift says of each route: where a failure rolls it
// back to, and where it goes.
func (d desiredStates) splits() []recordSplit {
	from, to := map[string]map[string]shift.Share{}, map[string]map[string]shift.Share{}
	for i, route := range d.spec.Routes {
		from[route.ID] = traffic.KeyedShares(d.rollbackTarget(i, false))
		to[route.ID] = traffic.KeyedShares(d.fleet.state(i, d.schedule.Desired, nil))
	}
	return splitsOf(idsOf(d.spec.Routes), from, to)
}

// rollback returns the states that a rollback must write. It is empty if every route is
// at its rollback target.
func (d desiredStates) rollback(exposed bool) map[int]traffic.State {
	states := map[int]traffic.State{}
	targets := d.rollbackTargets(exposed)
	for _, i := range d.fleet.existing() {
		target := targets[i]
		same := d.fleet.current[i].EqualTraffic(target)
		if d.joins(i) || d.spec.Request.Strategy.DetachIdle {
			same = d.fleet.current[i].Equal(target) // a failure detaches what was attached
		}
		// A write with an unknown result is rolled back, also one that may be executed later, unless this
		// run has only attached groups at weight 0: that moves no traffic, and a refused attach is refused again.
		if (d.fleet.dirty[i] || d.fleet.isUnsure(i)) && (d.fleet.moved || d.joins(i)) || !same {
			states[i] = target
		}
	}
	return states
}

// rollbackTargets returns the rollback target of every route. exposed says that the
// gaining environments have had traffic.
func (d desiredStates) rollbackTargets(exposed bool) []traffic.State {
	targets := make([]traffic.State, len(d.spec.Routes))
	for i := range targets {
		targets[i] = d.rollbackTarget(i, exposed)
	}
	return targets
}

// rollbackTarget returns the exact observed state of a route that joins, otherwise the
// weights of Schedule.Origin. It lacks idle gaining environments with DetachIdle, because an
// unhealthy one may take the load balancer out of DNS, and with stickiness on where they were
// exposed, because their clients would stay there.
func (d desiredStates) rollbackTarget(i int, exposed bool) traffic.State {
	observed, current := d.fleet.observed[i], d.fleet.current[i]
	target := observed
	if !d.joins(i) || !d.schedule.Origin(i).Equal(d.fleet.owners.Weights(d.spec.Routes[i].Entry, observed)) {
		target = d.fleet.state(i, d.schedule.Origin(i), d.schedule.Attached)
		target.Stickiness = observed.Stickiness
	}
	if target.Response != "" {
		return target
	}
	target.Raw, target.Weights = current.Raw, maps.Clone(target.Weights)
	d.keepEdits(i, &target)
	if d.spec.Request.Strategy.DetachIdle || exposed && (current.Stickiness > 0 || target.Stickiness > 0) {
		for _, name := range d.schedule.GainingOn(i) {
			if group := d.fleet.owners.Group(d.spec.Routes[i].Entry, name, current); target.Weights[group] == 0 {
				delete(target.Weights, group)
			}
		}
	}
	return target
}

// keepEdits keeps in a rollback target what somebody changed beside the traffic: groups
// added at weight 0 and, if the switch does not manage it, the stickiness.
func (d desiredStates) keepEdits(i int, target *traffic.State) {
	if d.spec.Sticky == nil {
		target.Stickiness = d.fleet.current[i].Stickiness
	}
	for _, group := range d.fleet.added[i] {
		if _, attached := target.Weights[group]; !attached && (d.spec.Limits.Groups == 0 || len(target.Weights) < d.spec.Limits.Groups) {
			target.Weights[group] = 0
		}
	}
}

// lacksGaining reports whether a state of the i-th route lacks a group that gains traffic
// and that it had when it was last read.
func (d desiredStates) lacksGaining(i int, state traffic.State) bool {
	return slices.ContainsFunc(d.schedule.GainingOn(i), func(name string) bool {
		group := d.fleet.owners.Group(d.spec.Routes[i].Entry, name, d.fleet.current[i])
		_, had := d.fleet.current[i].Weights[group]
		_, has := state.Weights[group]
		return had && !has
	})
}

// areReset reports whether every route of the shift has what another resource leaves that manages it.
func (d desiredStates) areReset() bool {
	return d.spec.Limits.AttachesIdle && !slices.ContainsFunc(d.fleet.existing(), func(i int) bool {
		return len(d.schedule.GainingOn(i)) > 0 && !d.fleet.current[i].IsReset()
	})
}

// changedRoutes returns what an external change, whose states are current, did.
func (d desiredStates) changedRoutes() routesSeen {
	for _, i := range d.fleet.existing() {
		if !d.fleet.weights(i).Equal(d.schedule.Origin(i)) {
			return routesChanged
		}
	}
	return routesReturned
}
