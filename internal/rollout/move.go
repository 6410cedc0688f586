package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// attach names every environment that will be needed, at weight 0, so that
// their health is checked. A route that answered an error gets the goal at
// once, since no one is served there.
func (r *run) attach(ctx context.Context) *Failure {
	if r.schedule.ReplacesFixedError {
		if f := r.checkCredentials(ctx, shift.Step{At: shift.Full}); f != nil {
			return f
		}
	}
	desired := map[int]RouteState{}
	for i, route := range r.spec.Routes {
		share := r.weights(i)
		if r.current[i].FixedError {
			share = r.schedule.Desired
		}
		next := r.spec.desiredState(route.Entry, share, r.schedule.Attached, r.current[i])
		if r.current[i].FixedError || !r.hasGroups(i, next) {
			desired[i] = next
		}
	}
	if len(desired) == 0 {
		return nil
	}
	r.phase("attach")
	f := r.writeAndVerify(ctx, desired)
	if r.schedule.ReplacesFixedError {
		r.changed()
	}
	return f
}

// hasGroups: every group of want stands in the route's action already.
func (r *run) hasGroups(i int, desired RouteState) bool {
	for group := range desired.Weights {
		if _, ok := r.current[i].Weights[group]; !ok {
			return false
		}
	}
	return true
}

// move takes all routes to a step, in lock-step. A route that was found
// further along is left there.
func (r *run) move(ctx context.Context, step shift.Step) *Failure {
	if f := r.unchanged(ctx); f != nil {
		return f
	}
	desired := map[int]RouteState{}
	for i, route := range r.spec.Routes {
		if r.reached(i) < step.At {
			desired[i] = r.spec.desiredState(route.Entry, r.schedule.At(i, step.At), r.schedule.Attached, r.current[i])
		}
	}
	r.step, r.at = r.stepNumber(step), step.At
	r.exposed = true
	if f := r.writeAndVerify(ctx, desired); f != nil {
		return f
	}
	r.changed()
	return nil
}

// reached is how far along the i-th route was found. One that answered an
// error has been given the goal.
func (r *run) reached(i int) shift.Share {
	if r.observed[i].FixedError {
		return shift.Full
	}
	observed := r.spec.Weights(r.spec.Routes[i].Entry, r.observed[i])
	return shift.Progress(r.schedule.Origin(i), r.schedule.Desired, observed)
}

// changed: what was measured until now tells nothing about the new weights.
func (r *run) changed() {
	r.changedAt = time.Now()
	r.resetGates()
}

// unchanged reads all routes and stops where one is not as this run left it. A
// reading that shows what was before the last write may only be late.
func (r *run) unchanged(ctx context.Context) *Failure {
	_, f := r.verify(ctx, nil)
	return f
}

// writeAndVerify writes all wanted settings at once and reads them back. A write that
// does not show is written once more; then it counts as not done.
func (r *run) writeAndVerify(ctx context.Context, desired map[int]RouteState) *Failure {
	pending := desired
	for range 2 {
		if err := ctx.Err(); err != nil {
			return r.failureFrom(ctx, "", err)
		}
		if i, err := r.writeForward(ctx, pending); err != nil {
			return r.failureFrom(ctx, r.spec.Routes[i].ID, err)
		}
		var f *Failure
		if pending, f = r.verify(ctx, desired); f != nil {
			return f
		}
		if len(pending) == 0 {
			return nil
		}
	}
	i := slices.Min(slices.Collect(maps.Keys(pending)))
	return &Failure{Cause: RouterFailed, Route: r.spec.Routes[i].ID, Err: errNotVerified,
		Detail: "it still gives " + r.describe(i, r.current[i])}
}

// errNotVerified says that writes were accepted and are not seen.
var errNotVerified = errors.New("two writes were accepted and do not show")

// writeForward writes for as long as one call may take, and returns the first
// route that failed.
func (r *run) writeForward(ctx context.Context, desired map[int]RouteState) (int, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for i, err := range r.write(limited, r.spec.Router, desired) {
		if err != nil {
			return i, err
		}
	}
	return 0, nil
}

// write tells several routes at the same time, so that they move together. All
// are told even where one fails; the errors are by the number of the route.
func (r *run) write(ctx context.Context, router Router, desired map[int]RouteState) []error {
	errs := make([]error, len(r.spec.Routes))
	var writes sync.WaitGroup
	for i, state := range desired {
		r.dirty[i] = true // until it is read back
		r.result.Moved = r.result.Moved || !state.EqualTraffic(r.current[i])
		writes.Go(func() { errs[i] = router.Write(ctx, r.spec.Routes[i].ID, state) })
	}
	writes.Wait()
	for i, route := range r.spec.Routes {
		if state, written := desired[i]; written {
			r.emit(Event{Kind: WeightsWritten, Route: route.ID, Weights: r.spec.Weights(route.Entry, state), Text: errorText(errs[i])})
		}
	}
	return errs
}

// rereadPauses are the waits between readings of which one does not show what was
// written: a balancer's answer may be a moment old.
var rereadPauses = []time.Duration{0, 200 * time.Millisecond, time.Second, 3 * time.Second}

// verify reads all routes until each shows what it was told (or, where it was
// told nothing, what this run knows of it), and returns those that do not in
// the end. What is none of that, nor older, is somebody else's.
func (r *run) verify(ctx context.Context, desired map[int]RouteState) (map[int]RouteState, *Failure) {
	var pending map[int]RouteState
	for n, pause := range rereadPauses {
		if err := sleep(ctx, pause); err != nil {
			return nil, r.failureFrom(ctx, "", err)
		}
		states, err := r.readForward(ctx)
		if err != nil {
			return nil, r.failureFrom(ctx, "", err)
		}
		var changed int
		pending, changed = r.compare(states, desired, n == len(rereadPauses)-1)
		if changed >= 0 {
			return nil, r.externalChange(changed, states)
		}
		if pending != nil && len(pending) == 0 {
			r.accept(states, desired)
			break
		}
	}
	return pending, nil
}

// compare tells who does not show yet what it was told; nil where a reading
// is too old to say. It also returns whose state is somebody else's, or -1.
// The last reading is held to be of now.
func (r *run) compare(states []RouteState, desired map[int]RouteState, last bool) (map[int]RouteState, int) {
	pending, stale := map[int]RouteState{}, false
	for i := range states {
		state, written := desired[i]
		switch {
		case written && states[i].Equal(state):
		case states[i].Equal(r.current[i]):
			if written {
				pending[i] = state
			}
		case !last && r.previous != nil && states[i].Equal(r.previous[i]):
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

// accept takes over what was read back.
func (r *run) accept(states []RouteState, desired map[int]RouteState) {
	if len(desired) > 0 {
		r.previous = r.current
	}
	r.current = states
	for i, route := range r.spec.Routes {
		r.dirty[i] = false
		if _, written := desired[i]; written {
			r.emit(Event{Kind: WeightsVerified, Route: route.ID, Weights: r.weights(i)})
		}
	}
}

// externalChange: somebody else is at work. Where all routes are back at the start by
// that hand, the version was sent back as surely as by a gate.
func (r *run) externalChange(i int, states []RouteState) *Failure {
	f := &Failure{Cause: ExternalChange, Disposition: LeftToOthers, Route: r.spec.Routes[i].ID,
		Detail: fmt.Sprintf("%s; this run had left it at %s", r.describe(i, states[i]), r.describe(i, r.current[i]))}
	r.current, r.dirty = states, make([]bool, len(states)) // as just read
	f.Rejects = r.exposed
	for j := range states {
		if !r.weights(j).Equal(r.schedule.Origin(j)) {
			f.Rejects = false
		}
	}
	return f
}

// readForward asks for all routes, for as long as one call may take.
func (r *run) readForward(ctx context.Context) ([]RouteState, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.spec.Router.Read(limited, r.ids())
}

// sleep waits under ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
