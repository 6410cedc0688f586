package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// rollbackTimeout is how long a rollback is retried, throttled or not, and so how much
// longer than a hold the credentials must last. Usually a rollback is one write per
// route and one read.
const rollbackTimeout = time.Minute

// rollbackCallTimeout limits one call of a rollback, so that a hung connection does not
// use up rollbackTimeout.
const rollbackCallTimeout = 10 * time.Second

// checkTimeout limits the checks before and after a rollback. They must not delay it:
// without a result, the rollback proceeds.
const checkTimeout = 2 * time.Second

// externalChangeTimeout replaces checkTimeout after a failure of health, which an
// external change may have caused.
const externalChangeTimeout = 5 * time.Second

// handleFailure is the only place that decides what happens to the traffic after a
// failure, and does it. It sets f.Disposition and f.Rejects, and leaves r.current and
// r.dirty as last read.
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
		if f.Disposition = Unchanged; r.result.Moved { // and is at the rollback target again
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

// externallyChanged reads the routes before a rollback and reports whether an external
// change replaces f: then nothing is rolled back, and missing health is not the
// version's fault (a group that somebody detached is not checked). A route that was
// externally returned to its rollback target is no obstacle, the others follow. The
// read also updates r.current, on which the rollback's writes are based. Reads that
// fail, are late or stale, and writes with an unknown result (dirty) never prevent the
// rollback.
func (r *run) externallyChanged(ctx context.Context, f *Failure) bool {
	if slices.Contains(r.dirty, true) {
		return false
	}
	pauses := rereadPauses[:1]
	if f.Cause == HealthFailed || f.Cause == NotHealthy {
		pauses = rereadPauses // a stale read would hide that an external change is the cause
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

// findExternalChange returns the index of a route whose external change prevents the
// rollback: one that is not at its rollback target or, if all routes are there, any.
// Otherwise it returns -1 and makes the states current, except stale ones, whose routes
// are written again. The last read is never considered stale.
func (r *run) findExternalChange(states []traffic.State, last bool) (index int, stale bool) {
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

// reportExternalChange replaces f with the external change of the i-th route, and keeps
// the stage and detail of f.
func (r *run) reportExternalChange(f *Failure, i int, states []traffic.State) {
	change := r.externalChange(i, states)
	change.Stage, change.Detail = f.Stage, joinText(change.Detail, f.Detail)
	*f = *change
}

// checkTimeoutFor returns the limit for all checks before a rollback.
func checkTimeoutFor(f *Failure) time.Duration {
	if f.Cause == HealthFailed || f.Cause == NotHealthy {
		return externalChangeTimeout
	}
	return checkTimeout
}

// stopsInPlace reports whether the failure stops the shift instead of rolling it back, as
// configured. An interrupted revert always stops: its rollback target is the version
// that the user reverts from.
func (r *run) stopsInPlace(f *Failure) bool {
	if f.Cause == Interrupted {
		return r.spec.StopOnInterrupt || r.schedule.Kind == shift.Revert
	}
	return f.stops || r.spec.StopOnFailure && r.exposed
}

// isEvidence reports whether the failure shows that the version is bad.
func (f *Failure) isEvidence() bool {
	switch f.Cause {
	case GateFailed, HealthFailed, NotHealthy:
		return true
	default:
		return false
	}
}

// mayBeStale reports whether r.current may be outdated although nothing was written:
// preflight gates take time, in which an external change may happen.
func (f *Failure) mayBeStale() bool { return f.Cause != VersionRejected && f.Cause != MovedExternally }

// rollBackToStable runs a schedule of kind Rollback: the desired weights are the rollback
// target. Environments that lose traffic stay attached until settle is over, unless
// stickiness is on: their clients would stay with them.
func (r *run) rollBackToStable(ctx context.Context) *Failure {
	rollbackCtx := context.WithoutCancel(ctx)
	attached := r.schedule.Attached
	if r.isSticky() {
		attached = r.schedule.AttachedAfter
	}
	desired := map[int]traffic.State{}
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

// settleRollback settles and detaches after a rollback. If it fails or is interrupted, the
// traffic remains at the desired weights.
func (r *run) settleRollback(ctx context.Context) *Failure {
	r.phase("settle")
	f := r.wait(ctx, stage{name: "settle", part: shift.After, hold: r.spec.Request.Strategy.Settle})
	if f != nil {
		f.Disposition = Stopped
		return f
	}
	return r.conclude(ctx)
}

// isSticky reports whether group stickiness is on: as desired, otherwise as last read.
func (r *run) isSticky() bool {
	if r.spec.Sticky != nil {
		return *r.spec.Sticky > 0
	}
	return slices.ContainsFunc(r.current, func(s traffic.State) bool { return s.Stickiness > 0 })
}

// rollbackStates returns the states that a rollback must write, by index of the route. It
// is empty if every route is at its rollback target.
func (r *run) rollbackStates() map[int]traffic.State {
	desired := map[int]traffic.State{}
	for i := range r.spec.Routes {
		target := r.rollbackState(i)
		same := r.current[i].EqualTraffic(target)
		if r.joins(i) {
			same = r.current[i].Equal(target) // a failed Create detaches what it attached
		}
		// A write with an unknown result is rolled back, unless this run has only attached
		// groups at weight 0: that moves no traffic, and a refused attach is refused again.
		if r.dirty[i] && (r.result.Moved || r.joins(i)) || !same {
			desired[i] = target
		}
	}
	return desired
}

// errExternalChange reports a route that left its rollback target after the rollback.
var errExternalChange = errors.New("changed outside this shift")

// checkRolledBack returns an error for every route that is not at its rollback target.
func (r *run) checkRolledBack() error {
	var errs []error
	for i := range r.spec.Routes {
		if !r.current[i].EqualTraffic(r.rollbackState(i)) {
			errs = append(errs, fmt.Errorf("%s: %w: %s", r.spec.Routes[i].ID, errExternalChange, r.describe(i, r.current[i])))
		}
	}
	return errors.Join(errs...)
}

// rollbackState returns the rollback target of the i-th route: the exact observed state
// of a route that joins, otherwise the weights of the last completed shift. With
// stickiness on, it lacks gaining environments, because their clients would stay there.
func (r *run) rollbackState(i int) traffic.State {
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
		for _, name := range r.schedule.GainingOn(i) {
			if group := r.spec.Owners.Group(entry, name, r.current[i]); target.Weights[group] == 0 {
				delete(target.Weights, group)
			}
		}
	}
	return target
}

// rollbackTargetUnhealthy returns a detail if a rollback would move an entry point from
// healthy targets to none; empty otherwise, also if health cannot be read in time.
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
			return route.Entry + " has no healthy targets to roll back to"
		}
	}
	return ""
}

// serving returns how many healthy targets the groups with weight have.
func serving(s traffic.State, health map[string]traffic.Health) int {
	n := 0
	for group, weight := range s.Weights {
		if weight > 0 {
			n += health[group].Serving()
		}
	}
	return n
}
