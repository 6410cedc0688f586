package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
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

// errRollbackTimeout reports that a rollback was retried until rollbackTimeout.
var errRollbackTimeout = errors.New("rollback not verified within " + schedule.FormatDuration(rollbackTimeout))

// errExternalChange reports a route that left its rollback target after the rollback.
var errExternalChange = errors.New("changed outside this shift")

// rollback is a rollback in progress. All maps are by the index of the route.
type rollback struct {
	fleet    *fleet
	pending  map[int]traffic.State // not read back yet
	toWrite  map[int]traffic.State // to write in the next attempt
	failed   map[int]error         // permanently: a retry cannot succeed
	lastErrs map[int]error         // of the last attempt

	verified bool // all routes have been read since the first write
}

// rollBack writes all routes concurrently and reads them back; one that fails does not
// affect the others. A write that reads do not show is read a second time, then written
// again, until rollbackTimeout or until a retry cannot succeed.
func (f *fleet) rollBack(ctx context.Context, desired map[int]traffic.State) error {
	limited, cancel := context.WithTimeout(ctx, rollbackTimeout)
	defer cancel()
	b := &rollback{fleet: f, pending: maps.Clone(desired), toWrite: maps.Clone(desired), failed: map[int]error{}}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		if b.attempt(limited); len(b.pending) == 0 {
			break
		}
		if sleep(limited, pause) != nil {
			break
		}
	}
	f.refreshDirty(ctx)
	return b.err()
}

// attempt writes what is due and reads the routes. What it wrote but does not read back
// is only read in the next attempt, and written again in the one after.
func (b *rollback) attempt(ctx context.Context) {
	written, errs := b.toWrite, b.write(ctx)
	b.toWrite = map[int]traffic.State{}
	b.verify(ctx)
	for i, state := range b.pending {
		if errs[i] != nil && !isFinal(b.lastErrs[i]) {
			b.lastErrs[i] = errs[i]
		}
		if isFinal(b.lastErrs[i]) {
			b.failed[i] = b.lastErrs[i]
			delete(b.pending, i)
			continue
		}
		if _, unverified := written[i]; !unverified || errs[i] != nil {
			b.toWrite[i] = state
		}
	}
}

// write writes toWrite within rollbackCallTimeout. The errors are by the index of the
// route.
func (b *rollback) write(ctx context.Context) []error {
	if len(b.toWrite) == 0 {
		return make([]error, len(b.fleet.routes))
	}
	limited, cancel := context.WithTimeout(ctx, rollbackCallTimeout)
	defer cancel()
	return b.fleet.write(limited, b.fleet.rollbackRouter, b.toWrite)
}

// verify removes from pending what reads show. It reads all routes until that succeeds
// once, because others may have changed, and only pending ones afterwards: a later read
// of a verified route could be stale.
func (b *rollback) verify(ctx context.Context) {
	routes := indexesOf(b.fleet.routes)
	if b.verified {
		routes = slices.Sorted(maps.Keys(b.pending))
	}
	b.lastErrs = b.fleet.readEach(ctx, routes)
	b.verified = b.verified || len(b.lastErrs) == 0
	for i, state := range b.pending {
		if !b.fleet.dirty[i] && b.fleet.current[i].Equal(state) {
			delete(b.pending, i)
		}
	}
}

// err returns why routes are not at their rollback targets, nil if all are.
func (b *rollback) err() error {
	var errs []error
	for i := range b.fleet.routes {
		if _, pending := b.pending[i]; pending {
			errs = append(errs, b.lastErrs[i], errRollbackTimeout)
		}
		errs = append(errs, b.failed[i])
	}
	return errors.Join(errs...)
}

// readEach makes the states of routes current and returns the errors of those that could
// not be read. If an error is final, it reads each route separately, because one route
// may prevent the read of the others.
func (f *fleet) readEach(ctx context.Context, indexes []int) map[int]error {
	errs := map[int]error{}
	err := f.readTogether(ctx, indexes)
	if err == nil {
		return errs
	}
	for _, i := range indexes {
		routeErr := err
		if isFinal(err) && len(indexes) > 1 {
			routeErr = f.readTogether(ctx, []int{i})
		}
		if routeErr != nil {
			errs[i] = routeErr
		}
	}
	return errs
}

// readTogether makes the states of routes current, with one call, and clears their dirty
// marks.
func (f *fleet) readTogether(ctx context.Context, indexes []int) error {
	limited, cancel := context.WithTimeout(ctx, rollbackCallTimeout)
	defer cancel()
	var ids []string
	for _, i := range indexes {
		ids = append(ids, f.routes[i].ID)
	}
	states, err := f.rollbackRouter.Read(limited, ids)
	if err != nil {
		return err
	}
	f.current = slices.Clone(f.current)
	for n, i := range indexes {
		written := f.dirty[i]
		f.current[i], f.dirty[i] = states[n], false
		if written {
			f.report.emit(Event{Kind: WeightsVerified, Route: f.routes[i].ID, Weights: f.weights(i)})
		}
	}
	return nil
}

// refresh reads all routes for the result, and marks those that could not be read as
// dirty.
func (f *fleet) refresh(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for i := range f.readEach(limited, indexesOf(f.routes)) {
		f.dirty[i] = true
	}
}

// refreshDirty refreshes if a route is dirty.
func (f *fleet) refreshDirty(ctx context.Context) {
	if f.isDirty() {
		f.refresh(ctx)
	}
}

// isFinal reports whether a retry cannot succeed.
func isFinal(err error) bool {
	return errors.Is(err, traffic.ErrDenied) || errors.Is(err, traffic.ErrExpired) || errors.Is(err, traffic.ErrNotFound)
}

// changedBeforeRollback reads the routes before a rollback to targets and returns a
// Failure if an external change prevents it. A route that was externally returned to its
// rollback target is no obstacle, the others follow. The read also updates the current
// states, on which the rollback's writes are based. Reads that fail, are late or stale,
// and writes with an unknown result (dirty) never prevent the rollback. It reads at most
// once per pause; pauses are rereadPauses or its start.
func (f *fleet) changedBeforeRollback(ctx context.Context, targets []traffic.State, pauses []time.Duration) *Failure {
	if f.isDirty() {
		return nil
	}
	for n, pause := range pauses {
		states := f.tryRead(ctx, pause)
		if states == nil {
			return nil
		}
		current, changed, stale := f.compareBeforeRollback(states, targets, n == len(rereadPauses)-1)
		if changed >= 0 {
			return f.externalChange(changed, states)
		}
		if f.current = current; !stale {
			return nil
		}
	}
	return nil
}

// tryRead reads all routes after a pause. It returns nil if that fails or ctx ends.
func (f *fleet) tryRead(ctx context.Context, pause time.Duration) []traffic.State {
	if sleep(ctx, pause) != nil {
		return nil
	}
	states, err := f.read(ctx)
	if err != nil {
		return nil
	}
	return states
}

// checkAt returns an error for every route whose traffic is not that of its target.
func (f *fleet) checkAt(targets []traffic.State) error {
	var errs []error
	for i := range f.routes {
		if !f.current[i].EqualTraffic(targets[i]) {
			errs = append(errs, fmt.Errorf("%s: %w: %s", f.routes[i].ID, errExternalChange, f.describe(i, f.current[i])))
		}
	}
	return errors.Join(errs...)
}

// unhealthyTarget returns a detail if a rollback to targets would move an entry point from
// healthy targets to none; empty otherwise, also if health cannot be read in time.
func (f *fleet) unhealthyTarget(ctx context.Context, targets []traffic.State) string {
	var groups []string
	for i := range f.routes {
		groups = append(groups, f.current[i].Groups()...)
		groups = append(groups, targets[i].Groups()...)
	}
	slices.Sort(groups)
	health, err := f.rollbackRouter.Health(ctx, slices.Compact(groups))
	if err != nil {
		return ""
	}
	for i, route := range f.routes {
		if targets[i].Response == "" && serving(targets[i], health) == 0 && serving(f.current[i], health) > 0 {
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
