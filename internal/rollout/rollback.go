package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// rollbackTimeout is how long a way back is tried, throttled or not, and so how much
// longer than a hold the credentials must last. In an ordinary moment one
// call per route and one reading do it.
const rollbackTimeout = time.Minute

// rollbackCallTimeout is how long one call of a way back may take before the next is
// tried: a connection that swallows everything may be one of several.
const rollbackCallTimeout = 10 * time.Second

// checkTimeout bounds a look that a way back does not rest on: before it, where
// it must not keep the traffic on a bad side, and after it.
const checkTimeout = 2 * time.Second

// externalChangeTimeout is the same for the look whether a foreign hand took health away.
const externalChangeTimeout = 5 * time.Second

// handleFailure is the one place that decides where the traffic goes after a failure
// and takes it there. It fills in f.Left and f.Rejects.
func (r *run) handleFailure(ctx context.Context, f *Failure) {
	ctx = context.WithoutCancel(ctx)
	if r.current != nil {
		r.result.Reached = r.mean()
	}
	switch {
	case f.Disposition == Stopped || f.Disposition == Unchanged && f.mayBeStale():
		r.refresh(ctx)
		return
	case f.Disposition != "":
		r.refreshDirty(ctx)
		return
	}
	checkCtx, cancel := context.WithTimeout(ctx, checkTimeoutFor(f))
	defer cancel()
	if r.externallyChanged(checkCtx, f) {
		return
	}
	desired := r.rollbackStates()
	if len(desired) == 0 {
		if f.Disposition = Unchanged; r.result.Moved { // to where a way back leads
			f.Disposition, f.Rejects = RolledBack, r.exposed && f.isEvidence()
		}
		r.refresh(ctx)
		return
	}
	if r.stopsInPlace(f) {
		f.Disposition = Stopped
		r.refresh(ctx)
		return
	}
	if detail := r.rollbackTargetUnhealthy(checkCtx); detail != "" {
		f.Disposition, f.Detail = RollbackUnhealthy, joinText(f.Detail, detail)
		r.refresh(ctx)
		return
	}
	r.emit(Event{Kind: RollbackStarted, Text: f.Error()})
	f.Disposition = RolledBack
	if f.RollbackErr = r.rollBack(ctx, desired); f.RollbackErr == nil {
		f.RollbackErr = r.checkRolledBack()
	}
	if f.RollbackErr != nil {
		f.Disposition = RollbackFailed
	}
	f.Rejects = r.exposed && f.isEvidence()
}

// externallyChanged: before anything is put back it is looked at who moved it last. A
// foreign change seen now means that somebody is in charge; and health that is
// missing because they took the group off a route, where nobody checks it then,
// is not the version's fault. Somebody who took a route home is helped with the
// rest. The look also brings the newest of what a route does beside forwarding.
// What cannot be read in time, or shows what was before the last write, does
// not keep the traffic on a bad side, and neither does a write of which nobody
// knows whether it came through.
func (r *run) externallyChanged(ctx context.Context, f *Failure) bool {
	if slices.Contains(r.dirty, true) {
		return false
	}
	pauses := rereadPauses[:1]
	if f.Cause == HealthFailed || f.Cause == NotHealthy {
		pauses = rereadPauses // a late reading or a hand makes all the difference
	}
	for n, pause := range pauses {
		if sleep(ctx, pause) != nil {
			return false
		}
		states, err := r.readForward(ctx)
		if err != nil {
			return false
		}
		if index, stale := r.findExternalChange(states, n == len(rereadPauses)-1); index >= 0 {
			r.reportExternalChange(f, index, states)
			return true
		} else if !stale {
			return false
		}
	}
	return false
}

// findExternalChange returns the route that somebody else moved, or -1 where there is none
// or where they took it home and something is left to be done. It takes over
// what was read, but for what may be late: that is told again, to be sure. The
// last reading is held to be of now.
func (r *run) findExternalChange(states []RouteState, last bool) (index int, stale bool) {
	current, index, allRestored := slices.Clone(r.current), -1, true
	for i := range states {
		changed, restored := !states[i].Equal(r.current[i]), states[i].EqualTraffic(r.rollbackState(i))
		allRestored = allRestored && restored
		switch {
		case changed && !last && r.previous != nil && states[i].Equal(r.previous[i]):
			stale = true
			continue
		case changed && !restored:
			return i, false
		case changed && index < 0:
			index = i
		}
		current[i] = states[i]
	}
	if stale || !allRestored {
		index = -1
	}
	if index < 0 {
		r.current = current
	}
	return index, stale
}

// reportExternalChange says that the i-th route was moved by somebody else.
func (r *run) reportExternalChange(f *Failure, i int, states []RouteState) {
	change := r.externalChange(i, states)
	change.Stage, change.Detail = f.Stage, joinText(change.Detail, f.Detail)
	*f = *change
}

// checkTimeoutFor is how long the looks before a way back may take together.
func checkTimeoutFor(f *Failure) time.Duration {
	if f.Cause == HealthFailed || f.Cause == NotHealthy {
		return externalChangeTimeout
	}
	return checkTimeout
}

// stopsInPlace: the user said that what happened stops the shift where it is. An
// interrupted return stays too: it has left a version that somebody fled from.
func (r *run) stopsInPlace(f *Failure) bool {
	if f.Cause == Interrupted {
		return r.spec.StopOnInterrupt || r.schedule.Kind == shift.Revert
	}
	return f.stops || r.spec.StopOnFailure && r.exposed
}

// isEvidence: it was seen that the version is bad, by a gate or by health.
func (f *Failure) isEvidence() bool {
	switch f.Cause {
	case GateFailed, HealthFailed, NotHealthy:
		return true
	default:
		return false
	}
}

// mayBeStale: gates were asked before anything was written, and somebody may have
// moved the traffic meanwhile.
func (f *Failure) mayBeStale() bool { return f.Cause != VersionRejected && f.Cause != MovedExternally }

// rollBackToStable takes the traffic to what the last completed shift left, where that is
// what is wanted: a way back like any other, with a healthy end. What has lost
// its traffic stays named until the balancer's nodes obey, but for a sticky
// side, whose clients would stay with it.
func (r *run) rollBackToStable(ctx context.Context) *Failure {
	rollbackCtx := context.WithoutCancel(ctx)
	attached := r.schedule.Attached
	if r.isSticky() {
		attached = r.schedule.AttachedAfter
	}
	desired := map[int]RouteState{}
	for i, route := range r.spec.Routes {
		next := r.spec.desiredState(route.Entry, r.schedule.Desired, attached, r.current[i])
		if !next.EqualTraffic(r.current[i]) || r.isSticky() && !next.Equal(r.current[i]) {
			desired[i] = next
		}
	}
	checkCtx, cancel := context.WithTimeout(rollbackCtx, checkTimeout)
	defer cancel()
	if detail := r.rollbackTargetUnhealthy(checkCtx); detail != "" {
		return &Failure{Cause: NotHealthy, Disposition: RollbackUnhealthy, Detail: detail}
	}
	if err := r.rollBack(rollbackCtx, desired); err != nil {
		return &Failure{Cause: RouterFailed, Disposition: RollbackFailed, RollbackErr: err}
	}
	if err := r.checkRolledBack(); err != nil {
		return &Failure{Cause: ExternalChange, Disposition: LeftToOthers, Err: err}
	}
	return r.settleRollback(ctx)
}

// settleRollback waits as after any move, and tidies. An interrupt leaves the
// traffic where it is wanted.
func (r *run) settleRollback(ctx context.Context) *Failure {
	r.phase("settle")
	f := r.wait(ctx, stage{name: "settling", part: shift.After, hold: r.spec.Request.Strategy.Settle})
	if f != nil {
		f.Disposition = Stopped
		return f
	}
	return r.conclude(ctx)
}

// isSticky: clients stay with their group.
func (r *run) isSticky() bool {
	if r.spec.Sticky != nil {
		return *r.spec.Sticky > 0
	}
	return slices.ContainsFunc(r.current, func(s RouteState) bool { return s.Stickiness > 0 })
}

// rollbackStates is what must be written to go back; empty where nothing was
// moved. A route of which nobody knows what it does is always among them.
func (r *run) rollbackStates() map[int]RouteState {
	desired := map[int]RouteState{}
	for i := range r.spec.Routes {
		target := r.rollbackState(i)
		same := r.current[i].EqualTraffic(target)
		if r.joins(i) {
			same = r.current[i].Equal(target) // a failed Create leaves no trace
		}
		if r.dirty[i] || !same {
			desired[i] = target
		}
	}
	return desired
}

// errExternalChange says that a route is elsewhere although this run has not left it
// there.
var errExternalChange = errors.New("someone else has moved it")

// checkRolledBack tells which routes are elsewhere although nothing failed.
func (r *run) checkRolledBack() error {
	var errs []error
	for i := range r.spec.Routes {
		if !r.current[i].EqualTraffic(r.rollbackState(i)) {
			errs = append(errs, fmt.Errorf("%s: %w: %s", r.spec.Routes[i].ID, errExternalChange, r.describe(i, r.current[i])))
		}
	}
	return errors.Join(errs...)
}

// rollbackState is where a way back leads: for a route of which the plan knew nothing
// exactly what was found, else what the last completed shift left. With
// stickiness on, the failed side is not named, or its clients would stay there.
func (r *run) rollbackState(i int) RouteState {
	entry := r.spec.Routes[i].Entry
	target := r.observed[i]
	if !r.joins(i) || r.schedule.Kind == shift.Rollback {
		target = r.spec.desiredState(entry, r.schedule.Origin(i), r.schedule.Attached, r.current[i])
		target.Stickiness = r.observed[i].Stickiness
	}
	if target.Response != "" {
		return target
	}
	target.Raw, target.Weights = r.current[i].Raw, maps.Clone(target.Weights)
	if r.exposed && (r.current[i].Stickiness > 0 || target.Stickiness > 0) {
		for _, name := range r.schedule.Gaining {
			if group := r.spec.groupOf(entry, name, r.current[i]); target.Weights[group] == 0 {
				delete(target.Weights, group)
			}
		}
	}
	return target
}

// rollbackTargetUnhealthy returns what was seen where the way back leads to a side without
// a healthy target while the present one has some; empty where the way is
// open. What cannot be measured in time does not keep the traffic.
func (r *run) rollbackTargetUnhealthy(ctx context.Context) string {
	var groups []string
	for i := range r.spec.Routes {
		groups = append(groups, r.current[i].Groups()...)
		groups = append(groups, r.rollbackState(i).Groups()...)
	}
	slices.Sort(groups)
	health, err := r.spec.RollbackRouter.Health(ctx, slices.Compact(groups))
	if err != nil {
		return ""
	}
	for i, route := range r.spec.Routes {
		target := r.rollbackState(i)
		if target.Response == "" && serving(target, health) == 0 && serving(r.current[i], health) > 0 {
			return "the side to go back to has no healthy target for " + route.Entry
		}
	}
	return ""
}

// serving counts the healthy targets of the groups with weight.
func serving(s RouteState, health map[string]Health) int {
	n := 0
	for group, weight := range s.Weights {
		if weight > 0 {
			n += health[group].Serving()
		}
	}
	return n
}
