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
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// attach adds the groups of the shift's environments to every action at weight 0, so
// that their health is checked, where the router needs that. A route with a fixed error gets the desired weights
// immediately, because it serves no users.
func (r *run) attach(ctx context.Context) *Failure {
	if r.schedule.ReplacesFixedError {
		if f := r.checkCredentials(ctx, shift.Step{At: shift.Full}); f != nil {
			return f
		}
	}
	desired := map[int]traffic.State{}
	for i, route := range r.spec.Routes {
		share := r.weights(i)
		if r.current[i].FixedError {
			share = r.schedule.Desired
		}
		next := r.spec.desiredState(route.Entry, share, r.schedule.Attached, r.current[i])
		if r.current[i].FixedError || r.spec.Limits.AttachesIdle && !r.hasGroups(i, next) {
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

// hasGroups reports whether the action of the i-th route has every group of desired.
func (r *run) hasGroups(i int, desired traffic.State) bool {
	for group := range desired.Weights {
		if _, ok := r.current[i].Weights[group]; !ok {
			return false
		}
	}
	return true
}

// move sets the weights of a step on all routes. A route that was observed at or past
// the step is not written.
func (r *run) move(ctx context.Context, step shift.Step) *Failure {
	if f := r.unchanged(ctx); f != nil {
		return f
	}
	desired := map[int]traffic.State{}
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

// reached returns the part of the shift that the i-th route had done at the start. A
// route with a fixed error has had the desired weights since attach.
func (r *run) reached(i int) shift.Share {
	if r.observed[i].FixedError {
		return shift.Full
	}
	observed := r.spec.Owners.Weights(r.spec.Routes[i].Entry, r.observed[i])
	return shift.Progress(r.schedule.Origin(i), r.schedule.Desired, observed)
}

// changed records a weight change: verdicts from before it no longer count.
func (r *run) changed() {
	r.changedAt = time.Now()
	r.resetGates()
}

// unchanged reads all routes and returns a Failure if one is not in the state in which
// this run left it. Stale reads, which show the state before the last write, are
// retried.
func (r *run) unchanged(ctx context.Context) *Failure {
	_, f := r.verify(ctx, nil)
	return f
}

// writeAndVerify writes the desired states concurrently and reads them back. A write
// that reads do not show is retried once, then it fails.
func (r *run) writeAndVerify(ctx context.Context, desired map[int]traffic.State) *Failure {
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
	return &Failure{Cause: RouterFailed, Route: r.spec.Routes[i].ID, Err: ErrNotVerified,
		Detail: "the route still has " + r.describe(i, r.current[i])}
}

// ErrNotVerified reports writes that were accepted but did not take effect.
var ErrNotVerified = errors.New("two writes were accepted, but the route does not show them")

// writeForward writes within callTimeout and returns the index and error of the first
// route that failed.
func (r *run) writeForward(ctx context.Context, desired map[int]traffic.State) (int, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for i, err := range r.write(limited, r.spec.Router, desired) {
		if err != nil {
			return i, err
		}
	}
	return 0, nil
}

// write writes several routes concurrently, so that they move together, and continues if
// one fails. The errors are by the index of the route.
func (r *run) write(ctx context.Context, router traffic.Router, desired map[int]traffic.State) []error {
	errs := make([]error, len(r.spec.Routes))
	var writes sync.WaitGroup
	for i, state := range desired {
		r.dirty[i] = true // until read back
		r.result.Moved = r.result.Moved || !state.EqualTraffic(r.current[i])
		writes.Go(func() { errs[i] = router.Write(ctx, r.spec.Routes[i].ID, state) })
	}
	writes.Wait()
	for i, route := range r.spec.Routes {
		if state, written := desired[i]; written {
			r.emit(Event{Kind: WeightsWritten, Route: route.ID, Weights: r.spec.Owners.Weights(route.Entry, state), Text: errorText(errs[i])})
		}
	}
	return errs
}

// rereadPauses are the pauses before each read of a verification. Reads are eventually
// consistent: one may show the state before the last write.
var rereadPauses = []time.Duration{0, 200 * time.Millisecond, time.Second, 3 * time.Second}

// verify reads all routes until each is in its desired state or, if it has none, in its
// current one. It returns the desired states that still do not show after the last read.
// Any other state, except a stale one, is an external change and a Failure.
func (r *run) verify(ctx context.Context, desired map[int]traffic.State) (map[int]traffic.State, *Failure) {
	var pending map[int]traffic.State
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

// compare returns the desired states that a read does not show yet, or nil if the read
// is stale, and the index of a route that was changed externally, or -1. The last read
// is never considered stale.
func (r *run) compare(states []traffic.State, desired map[int]traffic.State, last bool) (map[int]traffic.State, int) {
	pending, stale := map[int]traffic.State{}, false
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

// accept makes the states that were read back the current ones.
func (r *run) accept(states []traffic.State, desired map[int]traffic.State) {
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

// externalChange returns the Failure for an external change of the i-th route. If all
// routes are at their rollback targets again, somebody rolled the shift back, which
// rejects the version as a failed gate does.
func (r *run) externalChange(i int, states []traffic.State) *Failure {
	f := &Failure{Cause: ExternalChange, Disposition: LeftToOthers, Route: r.spec.Routes[i].ID,
		Detail: fmt.Sprintf("observed %s; expected %s", r.describe(i, states[i]), r.describe(i, r.current[i]))}
	r.current, r.dirty = states, make([]bool, len(states))
	f.Rejects = r.exposed
	for j := range states {
		if !r.weights(j).Equal(r.schedule.Origin(j)) {
			f.Rejects = false
		}
	}
	return f
}

// readForward reads all routes within callTimeout.
func (r *run) readForward(ctx context.Context) ([]traffic.State, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.spec.Router.Read(limited, r.ids())
}

// sleep pauses for d, or until ctx ends and returns its error.
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

// errorText returns the text of an error, empty for nil.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
