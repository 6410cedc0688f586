package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// errRollbackTimeout says that a way back was tried for as long as there was time.
var errRollbackTimeout = errors.New("not seen back within " + rollbackTimeout.String())

// rollback is a way back under way; every map is by the number of the route.
type rollback struct {
	run      *run
	pending  map[int]RouteState // not seen home yet
	toWrite  map[int]RouteState // to be written now
	failed   map[int]error      // given up, since no retry can help
	lastErrs map[int]error      // why the others are not home

	verified bool
}

// rollBack writes all routes at once, each whether or not another fails, and
// reads them back; what does not show is read once more and then told again,
// until homeLimit or until no retry can help.
func (r *run) rollBack(ctx context.Context, desired map[int]RouteState) error {
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

// attempt writes what is to be told and looks once. What was told and does not
// show is looked at once more before it is told again.
func (b *rollback) attempt(ctx context.Context) {
	written, errs := b.toWrite, b.write(ctx)
	b.toWrite = map[int]RouteState{}
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

func (b *rollback) write(ctx context.Context) []error {
	if len(b.toWrite) == 0 {
		return make([]error, len(b.run.spec.Routes))
	}
	limited, cancel := context.WithTimeout(ctx, rollbackCallTimeout)
	defer cancel()
	return b.run.write(limited, b.run.spec.RollbackRouter, b.toWrite)
}

// verify reads back and strikes off what is home. The first look is at all
// routes, which may have been moved by others; then what is home is not looked
// at again, since a later answer may be an older one.
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

// err is what keeps routes from being home, nil where all are.
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

// readForRollback takes over what these routes do, as far as they can be read, and
// returns the errors of the others alone. Where one cannot be read at all, the
// others are read without it.
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

// readRoutes takes over what these routes do.
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

// refresh makes the result true where nothing more is written, or says of
// which routes it does not know.
func (r *run) refresh(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for i := range r.readForRollback(limited, r.indexes()) {
		r.dirty[i] = true
	}
}

// refreshDirty does so where nobody knows what some route does.
func (r *run) refreshDirty(ctx context.Context) {
	if slices.Contains(r.dirty, true) {
		r.refresh(ctx)
	}
}

// isFinal: no retry can help.
func isFinal(err error) bool {
	return errors.Is(err, ErrDenied) || errors.Is(err, ErrExpired) || errors.Is(err, ErrNotFound)
}
