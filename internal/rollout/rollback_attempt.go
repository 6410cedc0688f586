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
	run     *run
	pending map[int]RouteState // not seen home yet
	toWrite map[int]RouteState // to be written now
	failed  map[int]error      // given up, since no retry can help
	lastErr map[int]error      // why the others are not home

	verified bool
}

// rollBack writes all routes at once, each whether or not another fails, and
// reads them back; what does not show is read once more and then told again,
// until homeLimit or until no retry can help.
func (r *run) rollBack(ctx context.Context, want map[int]RouteState) error {
	limited, cancel := context.WithTimeout(ctx, rollbackTimeout)
	defer cancel()
	h := &rollback{run: r, pending: maps.Clone(want), toWrite: maps.Clone(want), failed: map[int]error{}}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		if h.try(limited); len(h.pending) == 0 {
			break
		}
		if sleep(limited, pause) != nil {
			break
		}
	}
	r.refreshDirty(ctx)
	return h.err()
}

// try writes what is to be told and looks once. What was told and does not
// show is looked at once more before it is told again.
func (h *rollback) try(ctx context.Context) {
	told, errs := h.toWrite, h.write(ctx)
	h.toWrite = map[int]RouteState{}
	h.verify(ctx)
	for i, setting := range h.pending {
		if errs[i] != nil && !isFinal(h.lastErr[i]) {
			h.lastErr[i] = errs[i]
		}
		if isFinal(h.lastErr[i]) {
			h.failed[i] = h.lastErr[i]
			delete(h.pending, i)
			continue
		}
		if _, waits := told[i]; !waits || errs[i] != nil {
			h.toWrite[i] = setting
		}
	}
}

func (h *rollback) write(ctx context.Context) []error {
	if len(h.toWrite) == 0 {
		return make([]error, len(h.run.spec.Routes))
	}
	limited, cancel := context.WithTimeout(ctx, rollbackCallTimeout)
	defer cancel()
	return h.run.write(limited, h.run.spec.RollbackRouter, h.toWrite)
}

// verify reads back and strikes off what is home. The first look is at all
// routes, which may have been moved by others; then what is home is not looked
// at again, since a later answer may be an older one.
func (h *rollback) verify(ctx context.Context) {
	routes := h.run.indexes()
	if h.verified {
		routes = slices.Sorted(maps.Keys(h.pending))
	}
	h.lastErr = h.run.readForRollback(ctx, routes)
	h.verified = h.verified || len(h.lastErr) == 0
	for i, setting := range h.pending {
		if !h.run.dirty[i] && h.run.current[i].Equal(setting) {
			delete(h.pending, i)
		}
	}
}

// err is what keeps routes from being home, nil where all are.
func (h *rollback) err() error {
	var errs []error
	for i := range h.run.spec.Routes {
		if _, open := h.pending[i]; open {
			errs = append(errs, h.lastErr[i], errRollbackTimeout)
		}
		errs = append(errs, h.failed[i])
	}
	return errors.Join(errs...)
}

// readForRollback takes over what these routes do, as far as they can be read, and
// returns the errors of the others alone. Where one cannot be read at all, the
// others are read without it.
func (r *run) readForRollback(ctx context.Context, all []int) map[int]error {
	errs := map[int]error{}
	err := r.readRoutes(ctx, all)
	if err == nil {
		return errs
	}
	for _, i := range all {
		one := err
		if isFinal(err) && len(all) > 1 {
			one = r.readRoutes(ctx, []int{i})
		}
		if one != nil {
			errs[i] = one
		}
	}
	return errs
}

// readRoutes takes over what these routes do.
func (r *run) readRoutes(ctx context.Context, numbers []int) error {
	limited, cancel := context.WithTimeout(ctx, rollbackCallTimeout)
	defer cancel()
	var ids []string
	for _, i := range numbers {
		ids = append(ids, r.spec.Routes[i].ID)
	}
	now, err := r.spec.RollbackRouter.Read(limited, ids)
	if err != nil {
		return err
	}
	r.current = slices.Clone(r.current)
	for n, i := range numbers {
		told := r.dirty[i]
		r.current[i], r.dirty[i] = now[n], false
		if told {
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
