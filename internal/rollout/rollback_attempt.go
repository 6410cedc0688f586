package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// errRollbackTimeout reports that a rollback was retried until rollbackTimeout.
var errRollbackTimeout = errors.New("rollback not verified within " + schedule.FormatDuration(rollbackTimeout))

// rollback is a rollback in progress. All maps are by the index of the route.
type rollback struct {
	run      *run
	pending  map[int]traffic.State // not read back yet
	toWrite  map[int]traffic.State // to write in the next attempt
	failed   map[int]error         // permanently: a retry cannot succeed
	lastErrs map[int]error         // of the last attempt

	verified bool // all routes have been read since the first write
}

// rollBack writes all routes concurrently and reads them back; one that fails does not
// affect the others. A write that reads do not show is read a second time, then written
// again, until rollbackTimeout or until a retry cannot succeed.
func (r *run) rollBack(ctx context.Context, desired map[int]traffic.State) error {
	limited, cancel := context.WithTimeout(ctx, rollbackTimeout)
	defer cancel()
	b := &rollback{run: r, pending: maps.Clone(desired), toWrite: maps.Clone(desired), failed: map[int]error{}}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		if b.attempt(limited); len(b.pending) == 0 {
			break
		}
		if sleep(limited, pause) != nil {
			break
		}
	}
	r.refreshDirty(ctx)
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
		return make([]error, len(b.run.spec.Routes))
	}
	limited, cancel := context.WithTimeout(ctx, rollbackCallTimeout)
	defer cancel()
	return b.run.write(limited, b.run.spec.RollbackRouter, b.toWrite)
}

// verify removes from pending what reads show. It reads all routes until that succeeds
// once, because others may have changed, and only pending ones afterwards: a later read
// of a verified route could be stale.
func (b *rollback) verify(ctx context.Context) {
	routes := b.run.indexes()
	if b.verified {
		routes = slices.Sorted(maps.Keys(b.pending))
	}
	b.lastErrs = b.run.readForRollback(ctx, routes)
	b.verified = b.verified || len(b.lastErrs) == 0
	for i, state := range b.pending {
		if !b.run.dirty[i] && b.run.current[i].Equal(state) {
			delete(b.pending, i)
		}
	}
}

// err returns why routes are not at their rollback targets, nil if all are.
func (b *rollback) err() error {
	var errs []error
	for i := range b.run.spec.Routes {
		if _, pending := b.pending[i]; pending {
			errs = append(errs, b.lastErrs[i], errRollbackTimeout)
		}
		errs = append(errs, b.failed[i])
	}
	return errors.Join(errs...)
}

// readForRollback reads routes into r.current and returns the errors of those that could
// not be read. If an error is final, it reads each route separately, because one route
// may prevent the read of the others.
func (r *run) readForRollback(ctx context.Context, indexes []int) map[int]error {
	errs := map[int]error{}
	err := r.readRoutes(ctx, indexes)
	if err == nil {
		return errs
	}
	for _, i := range indexes {
		routeErr := err
		if isFinal(err) && len(indexes) > 1 {
			routeErr = r.readRoutes(ctx, []int{i})
		}
		if routeErr != nil {
			errs[i] = routeErr
		}
	}
	return errs
}

// readRoutes reads routes into r.current and clears their dirty marks.
func (r *run) readRoutes(ctx context.Context, indexes []int) error {
	limited, cancel := context.WithTimeout(ctx, rollbackCallTimeout)
	defer cancel()
	var ids []string
	for _, i := range indexes {
		ids = append(ids, r.spec.Routes[i].ID)
	}
	states, err := r.spec.RollbackRouter.Read(limited, ids)
	if err != nil {
		return err
	}
	r.current = slices.Clone(r.current)
	for n, i := range indexes {
		written := r.dirty[i]
		r.current[i], r.dirty[i] = states[n], false
		if written {
			r.emit(Event{Kind: WeightsVerified, Route: r.spec.Routes[i].ID, Weights: r.weights(i)})
		}
	}
	return nil
}

// refresh reads all routes for the result, and marks those that could not be read as
// dirty.
func (r *run) refresh(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for i := range r.readForRollback(limited, r.indexes()) {
		r.dirty[i] = true
	}
}

// refreshDirty refreshes if a route is dirty.
func (r *run) refreshDirty(ctx context.Context) {
	if slices.Contains(r.dirty, true) {
		r.refresh(ctx)
	}
}

// isFinal reports whether a retry cannot succeed.
func isFinal(err error) bool {
	return errors.Is(err, traffic.ErrDenied) || errors.Is(err, traffic.ErrExpired) || errors.Is(err, traffic.ErrNotFound)
}
