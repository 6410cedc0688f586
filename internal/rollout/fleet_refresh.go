package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// checkTimeout limits the checks before and after a rollback. They must not delay it:
// without a result, the rollback proceeds.
const checkTimeout = 2 * time.Second

// errNotInSync reports a rollback that some servers may not have when its timeout ends.
var errNotInSync = errors.New("the weights are written, but not in sync on all servers yet")

// ErrUnconfirmed reports a rollback whose weights were read back on every route, while access to whether all
// servers have them is denied.
var ErrUnconfirmed = errors.New("the weights are written and read back, but it is not known whether all servers have them")

// isAnswer reports whether an error is an answer of the service: the call changed nothing, and
// will not. Without an answer, or after a server error, the service may carry the call out later.
func isAnswer(err error) bool {
	return slices.ContainsFunc([]error{traffic.ErrDenied, traffic.ErrExpired, traffic.ErrNotFound, traffic.ErrThrottled, traffic.ErrRefusedRecord},
		func(answer error) bool { return errors.Is(err, answer) })
}

// markMissing records that the i-th route does not exist.
func (f *fleet) markMissing(i int) {
	f.missing[i] = true
	if f.dirty != nil {
		f.dirty[i] = false // nothing is left to be read back
	}
}

// allMissing reports whether none of the routes exists.
func (f *fleet) allMissing() bool { return !slices.Contains(f.missing, false) }

// existing returns the indexes of the routes that are not known to be missing.
func (f *fleet) existing() []int {
	return slices.DeleteFunc(indexesOf(f.routes), func(i int) bool { return f.missing[i] })
}

// markMissingFrom records the route that an error says does not exist. It returns false if
// the error is another one.
func (f *fleet) markMissingFrom(err error) bool {
	id, ok := traffic.Missing(err)
	i := slices.IndexFunc(f.routes, func(r Route) bool { return r.ID == id })
	if !ok || i < 0 || f.missing[i] {
		return false
	}
	f.markMissing(i)
	return true
}

// readExisting reads those of some routes that exist, with one call, and again without
// those that turn out not to exist. It returns the states by index, and does not change the
// current ones.
func (f *fleet) readExisting(ctx context.Context, router traffic.Router, indexes []int) (map[int]traffic.State, error) {
	for {
		existing := slices.DeleteFunc(slices.Clone(indexes), func(i int) bool { return f.missing[i] })
		found := map[int]traffic.State{}
		if len(existing) == 0 {
			return found, nil
		}
		states, err := router.Read(ctx, f.ids(existing))
		if err == nil {
			for n, i := range existing {
				found[i] = states[n]
			}
			return found, nil
		}
		if !f.markMissingFrom(err) {
			return nil, err
		}
	}
}

// inspection is what a fleet reads around a failure: the states of routes for a decision and for
// the result, and the health of rollback targets.
type inspection struct{ *fleet }

func (f *fleet) inspect() inspection { return inspection{f} }

// refresh reads all routes for the result, and marks those that could not be read as
// dirty.
func (f inspection) refresh(ctx context.Context) { f.refreshRoutes(ctx, indexesOf(f.routes)) }

// refreshDirty is refresh for the routes that are dirty.
func (f inspection) refreshDirty(ctx context.Context) {
	if f.isDirty() {
		f.refreshRoutes(ctx, slices.DeleteFunc(indexesOf(f.routes), func(i int) bool { return !f.dirty[i] }))
	}
}

// refreshOld is refresh for routes whose state is known but not recent. It remains if they
// cannot be read.
func (f inspection) refreshOld(ctx context.Context, indexes []int) {
	for len(indexes) > 0 {
		indexes = f.seeFresh(f.readAlone(ctx, indexes))
		if len(indexes) > 0 && sleep(ctx, rereadPause) != nil {
			return
		}
	}
}

// seeFresh makes states that were read the current ones, and returns the indexes of those
// that may be stale, which are read again.
func (f inspection) seeFresh(found map[int]traffic.State) (stale []int) {
	for _, i := range slices.Sorted(maps.Keys(found)) {
		if f.mayBeStale(i, found[i]) {
			stale = append(stale, i)
		} else {
			f.see(i, found[i])
		}
	}
	return stale
}

// refreshRoutes reads routes until what they show is not stale. Those of which that is not sure
// when ctx ends are unknown.
func (f inspection) refreshRoutes(ctx context.Context, indexes []int) {
	for len(indexes) > 0 {
		indexes = f.refreshOnce(ctx, indexes)
		if len(indexes) > 0 && sleep(ctx, rereadPause) != nil {
			for _, i := range indexes {
				f.dirty[i] = true
			}
			return
		}
	}
}

// refreshOnce reads the routes with one call, and returns those whose state may be stale. If the
// call fails, it reads each alone, because one of them may be the reason.
func (f inspection) refreshOnce(ctx context.Context, indexes []int) (stale []int) {
	shared, cancel := context.WithTimeout(ctx, checkTimeout/2)
	defer cancel()
	found, err := f.readExisting(shared, f.rollbackRouter, indexes)
	if err != nil {
		found = f.readAlone(ctx, indexes)
	}
	stale = f.seeFresh(found)
	for _, i := range indexes {
		if _, ok := found[i]; !ok && !f.missing[i] {
			f.dirty[i] = true
		}
	}
	return stale
}

// readAlone reads each of the routes with a call of its own, concurrently, and returns the
// states of those that could be read.
func (f inspection) readAlone(ctx context.Context, indexes []int) map[int]traffic.State {
	limited, cancel := context.WithTimeout(ctx, checkTimeout/2)
	defer cancel()
	states, errs := make([]traffic.State, len(f.routes)), make([]error, len(f.routes))
	var reads sync.WaitGroup
	for _, i := range indexes {
		if f.missing[i] {
			continue
		}
		reads.Go(func() {
			found, err := f.rollbackRouter.Read(limited, []string{f.routes[i].ID})
			if errs[i] = err; err == nil {
				states[i] = found[0]
			}
		})
	}
	reads.Wait()
	found := map[int]traffic.State{}
	for _, i := range indexes {
		if !f.markMissingFrom(errs[i]) && errs[i] == nil && !f.missing[i] {
			found[i] = states[i]
		}
	}
	return found
}

// see makes a state that was read the current one.
func (f *fleet) see(i int, state traffic.State) {
	written := f.dirty[i]
	f.current = slices.Clone(f.current)
	f.current[i], f.dirty[i], f.asked[i] = state, false, nil
	if written {
		f.report.emit(Event{Kind: WeightsVerified, Route: f.routes[i].ID, Weights: f.weights(i)})
	}
}

// externalEdit says what counts as an external change before a rollback.
type externalEdit struct {
	targets []traffic.State // the rollback targets
	pauses  []time.Duration // before each read: rereadPauses or its start
	// changed reports whether a state that was read differs from the current one of the
	// i-th route in a way that matters.
	changed func(i int, state traffic.State) bool
}

// changedBeforeRollback reads the routes before a rollback and returns a Failure if an
// external change prevents it. A route that was externally returned to its rollback target
// is no obstacle, the others follow; neither is one that does not exist. The read also
// updates the current states, on which the rollback's writes are based. Reads that fail,
// are late or stale, and writes with an unknown result (dirty) never prevent the rollback.
// read reports whether all routes were read.
func (f inspection) changedBeforeRollback(ctx context.Context, edit externalEdit) (change *Failure, read bool) {
	if f.isDirty() {
		return nil, false
	}
	for n, pause := range edit.pauses {
		states := f.tryRead(ctx, pause)
		if states == nil {
			return nil, read
		}
		read = true
		f.rememberAdded(states)
		current, changed, stale := f.compareBeforeRollback(states, edit, n < len(rereadPauses)-1)
		if changed >= 0 {
			return f.externalChange(changed, states, f.current[changed]), true
		}
		if f.current = current; !stale {
			return nil, true
		}
	}
	return nil, read
}

// tryRead reads all routes after a pause; a missing one keeps its current state. It returns
// nil if that fails or ctx ends.
func (f inspection) tryRead(ctx context.Context, pause time.Duration) []traffic.State {
	if sleep(ctx, pause) != nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := f.readExisting(limited, f.router, indexesOf(f.routes))
	if err != nil {
		return nil
	}
	states := slices.Clone(f.current)
	for i, state := range found {
		states[i] = state
	}
	return states
}

// rememberAdded remembers the groups that somebody added to a route at weight 0. They
// remain attached after a rollback.
func (f inspection) rememberAdded(states []traffic.State) {
	for i, state := range states {
		for _, group := range state.Groups() {
			if _, known := f.current[i].Weights[group]; !known && state.Weights[group] == 0 && !f.mayBeStale(i, state) {
				f.added[i] = append(f.added[i], group)
			}
		}
	}
}

// checkAt returns an error for every route that exists and whose traffic is not that of its
// target.
func (f inspection) checkAt(targets []traffic.State) error {
	var errs []error
	for _, i := range f.existing() {
		if !f.current[i].EqualTraffic(targets[i]) {
			errs = append(errs, fmt.Errorf("%s: %w: %s", f.routes[i].ID, errExternalChange, f.describe(i, f.current[i])))
		}
	}
	return errors.Join(errs...)
}

// confirmPauses are the pauses before health that would hold back a rollback is read again: a
// single answer may be wrong, and traffic would remain on a version that failed.
var confirmPauses = []time.Duration{200 * time.Millisecond, 500 * time.Millisecond}

// unhealthyTarget returns a detail if a rollback to targets would move an entry point from
// healthy targets to none, and no later answer says otherwise; empty otherwise, also if health
// cannot be read in time.
func (f inspection) unhealthyTarget(ctx context.Context, targets []traffic.State) string {
	detail, _ := f.readTargetHealth(ctx, targets)
	for _, pause := range confirmPauses {
		if detail == "" || sleep(ctx, pause) != nil {
			break
		}
		if again, err := f.readTargetHealth(ctx, targets); err == nil {
			detail = again
		}
	}
	return detail
}

// readTargetHealth is unhealthyTarget by one answer.
func (f inspection) readTargetHealth(ctx context.Context, targets []traffic.State) (string, error) {
	var groups []string
	for _, i := range f.existing() {
		groups = append(groups, f.current[i].Groups()...)
		groups = append(groups, targets[i].Groups()...)
	}
	slices.Sort(groups)
	health, err := f.healthOfExisting(ctx, slices.Compact(groups))
	if err != nil {
		return "", err
	}
	for _, i := range f.existing() {
		if targets[i].Response == "" && serving(targets[i], health) == 0 && serving(f.current[i], health) > 0 && !isUncheckable(f.current[i], targets[i], health) {
			return f.routes[i].Entry + " has no healthy targets to roll back to", nil
		}
	}
	return "", nil
}

// isUncheckable reports whether a target gives traffic to a group whose health cannot be known,
// because the route does not have it: the load balancer does not check what is in no action.
func isUncheckable(current, target traffic.State, health map[string]traffic.Health) bool {
	for group, weight := range target.Weights {
		if _, attached := current.Weights[group]; weight > 0 && !attached && isUnused(health[group]) {
			return true
		}
	}
	return false
}

// healthOfExisting reads the health of those groups that exist.
func (f inspection) healthOfExisting(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	for {
		health, err := f.rollbackRouter.Health(ctx, groups)
		id, missing := traffic.Missing(err)
		if !missing || !slices.Contains(groups, id) {
			return health, err
		}
		groups = slices.DeleteFunc(groups, func(group string) bool { return group == id })
	}
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

// old returns the finished routes that were read long before the others: they may have been
// changed since.
func (b *rollback) old() []int {
	var old []int
	for _, r := range b.routes {
		if r.next == finished && !r.failed && time.Since(r.seenAt) > maxReadAge {
			old = append(old, r.index)
		}
	}
	return old
}

// awaitSync waits until what was written has taken effect everywhere, whatever the API answers, unless it
// denies access: the traffic is back, and waiting for a permission helps nobody.
func (b *rollback) awaitSync(ctx context.Context) {
	router, is := b.fleet.rollbackRouter.(traffic.Propagator)
	var ids []string
	for _, r := range b.routes {
		if r.verified && !r.watch {
			ids = append(ids, b.fleet.routes[r.index].ID)
		}
	}
	var last error
	for is && len(ids) > 0 {
		limited, cancel := context.WithTimeout(ctx, rollbackCallTimeout)
		synced, err := router.InSync(limited, ids)
		cancel()
		if err == nil && synced {
			return
		}
		if ctx.Err() == nil { // else the end of the rollback has cut the call off, which says nothing
			last = err
		}
		if errors.Is(err, traffic.ErrDenied) {
			b.unsynced = fmt.Errorf("%w: %w", ErrUnconfirmed, err)
			return
		}
		if sleep(ctx, rereadPause) != nil {
			b.unsynced = cmp.Or(last, errNotInSync)
			return
		}
	}
}
