package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// ErrNotVerified reports writes that were accepted but did not take effect.
var ErrNotVerified = errors.New("two writes were accepted, but the route does not show them")

// rereadPauses are the pauses before each read of a verification. Reads are eventually
// consistent: one may show the state before the last write.
var rereadPauses = []time.Duration{0, 200 * time.Millisecond, time.Second, 3 * time.Second}

// rereadTime is how long rereadPauses take.
const rereadTime = 4200 * time.Millisecond

// interruptedWriteTimeout is how long a write that has begun goes on after an interrupt: one
// that is canceled may be carried out all the same, after the rollback.
const interruptedWriteTimeout = 2 * time.Second

// lateWriteLimit is how long after its sender gave a write up, or died, it can be executed: AWS accepts a
// request for five minutes after it was signed.
const lateWriteLimit = 5 * time.Minute

// writeForward writes within callTimeout. The errors are by the index of the route.
func (f *fleet) writeForward(ctx context.Context, desired map[int]traffic.State) []error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(interruptedWriteTimeout, cancel)
		context.AfterFunc(limited, func() { timer.Stop() })
	})
	defer stop()
	return f.write(limited, f.router, desired)
}

// write writes several routes concurrently, so that they move together, and continues if
// one fails. The errors are by the index of the route.
func (f *fleet) write(ctx context.Context, router traffic.Router, desired map[int]traffic.State) []error {
	errs, took := make([]error, len(f.routes)), make([]time.Duration, len(f.routes))
	start := time.Now()
	var writes sync.WaitGroup
	f.hand(desired)
	ctx = traffic.WithGroup(ctx, f.ids(slices.Sorted(maps.Keys(desired))))
	for i, state := range desired {
		f.dirty[i] = true // until read back
		f.moved = f.moved || !state.EqualTraffic(f.current[i])
		writes.Go(func() {
			errs[i] = router.Write(ctx, f.routes[i].ID, state)
			took[i] = time.Since(start)
		})
	}
	writes.Wait()
	for i, err := range errs {
		if err != nil && !isAnswer(err) {
			f.unsure[i] = time.Now().Add(lateWriteLimit)
		}
		if state, written := desired[i]; written && err == nil {
			f.replace(i, state, time.Now())
		}
	}
	for i, route := range f.routes {
		if state, written := desired[i]; written {
			f.report.emit(Event{Kind: WeightsWritten, Route: route.ID, Weights: f.owners.Weights(route.Entry, state), Text: errorText(errs[i]), Took: took[i]})
		}
	}
	return errs
}

// readBack reads all routes until each is in its desired state or, if it has none, in its
// current one. Any other state, except one that may be stale, is an external change and a
// Failure.
func (f *fleet) readBack(ctx context.Context, desired map[int]traffic.State) (c comparison, failure *Failure) {
	for n, pause := range rereadPauses {
		if err := sleep(ctx, pause); err != nil {
			return c, failureOf(ctx, "", err)
		}
		states, err := f.read(ctx)
		if err != nil {
			return c, failureOf(ctx, "", err)
		}
		if c, failure = f.evaluate(states, desired, n < len(rereadPauses)-1); failure != nil || c.isShown() {
			return c, failure
		}
	}
	return c, nil
}

// evaluate compares a read with the desired states, and accepts it if it shows all of them.
func (f *fleet) evaluate(states []traffic.State, desired map[int]traffic.State, again bool) (comparison, *Failure) {
	c := f.compare(states, desired, again)
	if c.isShown() {
		f.accept(states, desired)
	}
	if c.changed < 0 {
		return c, nil
	}
	expected, written := desired[c.changed]
	if !written {
		expected = f.current[c.changed]
	}
	return c, f.externalChange(c.changed, states, expected)
}

// accept makes the states that were read back the current ones.
func (f *fleet) accept(states []traffic.State, desired map[int]traffic.State) {
	f.current = states
	for i, route := range f.routes {
		f.dirty[i], f.asked[i] = false, nil
		if _, written := desired[i]; written {
			f.report.emit(Event{Kind: WeightsVerified, Route: route.ID, Weights: f.weights(i)})
		}
	}
	f.hand(nil)
}

// hand hands the shift over to the guardian, if there is one, with the states that are being
// written.
func (f *fleet) hand(pending map[int]traffic.State) {
	if f.handing != nil {
		f.handing(pending)
	}
}

// writing is the writes of a sequence, and the checks before them. Where reads may be stale, it
// waits under the gates and the health of the traffic, and nothing is written meanwhile.
type writing struct{ *sequence }

// unchanged reads all routes and returns a Failure if one is not in the state in which
// this run left it.
func (w writing) unchanged(ctx context.Context) *Failure {
	for {
		c, f := w.fleet.readBack(ctx, nil)
		if f != nil || c.isShown() {
			return f
		}
		if _, f = w.await(ctx, nil); f != nil {
			return f
		}
	}
}

// write writes the desired states concurrently and reads them back. A write that reads do
// not show after StaleFor was lost: it is retried once, then it fails.
func (w writing) write(ctx context.Context, desired map[int]traffic.State) *Failure {
	pending := desired
	for range 2 {
		if err := ctx.Err(); err != nil {
			return failureOf(ctx, "", err)
		}
		if f := w.send(ctx, pending); f != nil {
			return f
		}
		c, f := w.fleet.readBack(ctx, desired)
		if f == nil && !c.isShown() {
			w.monitor.weightsChanged()
			c, f = w.await(ctx, desired)
		}
		if f == nil && c.isShown() {
			f = w.awaitSync(ctx)
		}
		if f != nil || c.isShown() {
			return f
		}
		pending = c.pending
	}
	i := slices.Min(slices.Collect(maps.Keys(pending)))
	return &Failure{Cause: RouterFailed, Route: w.fleet.routes[i].ID, Err: ErrNotVerified,
		Detail: "the route still has " + w.fleet.describe(i, w.fleet.current[i])}
}

// send writes the desired states. A write without an answer may not have been executed, and is repeated within
// callTimeout. Somebody may have rolled the shift back meanwhile, so that the routes and the record are read
// before: only this decides about a repetition, and no router repeats such a write.
func (w writing) send(ctx context.Context, desired map[int]traffic.State) *Failure {
	until, left := time.Now().Add(callTimeout), maps.Clone(desired)
	for pause := minRollbackPause; ; pause = min(2*pause, maxRollbackPause) {
		var unanswered *Failure
		for i, err := range w.fleet.writeForward(ctx, left) {
			switch {
			case err == nil:
				delete(left, i)
			case !errors.Is(err, traffic.ErrUnanswered):
				return failureOf(ctx, w.fleet.routes[i].ID, err)
			case unanswered == nil:
				unanswered = failureOf(ctx, w.fleet.routes[i].ID, err)
			}
		}
		if unanswered == nil {
			return nil
		}
		for may := false; !may; {
			if err := sleep(ctx, pause); err != nil {
				return failureOf(ctx, unanswered.Route, unanswered.Err)
			}
			if !time.Now().Before(until) {
				return unanswered
			}
			var f *Failure
			if may, f = w.mayRepeat(ctx, desired); f != nil {
				return f
			}
		}
	}
}

// mayRepeat reports whether the routes were read, and this run has the lease. It returns a Failure where somebody
// else changed a route, or has the lease.
func (w writing) mayRepeat(ctx context.Context, desired map[int]traffic.State) (may bool, f *Failure) {
	states, err := w.fleet.read(ctx)
	if err == nil {
		_, f = w.fleet.evaluate(states, desired, true)
	}
	if permit := w.lease.permit(); err == nil && f == nil && permit != nil {
		err = permit(ctx)
		f = refusedPermit(err)
	}
	return err == nil && f == nil, f
}

// await reads the routes until they show the desired states, for StaleFor at most, while
// gates and health are monitored.
func (w writing) await(ctx context.Context, desired map[int]traffic.State) (c comparison, failure *Failure) {
	until := time.Now().Add(StaleFor - rereadTime)
	st := w.guard(desired != nil)
	st.readRoutes, st.unpolled = w.fleet.read, true
	st.shown = func(states []traffic.State, err error) (bool, *Failure) {
		if err != nil {
			return false, failureOf(ctx, "", err)
		}
		var f *Failure
		c, f = w.fleet.evaluate(states, desired, false)
		return c.isShown() || desired != nil && !c.stale && !time.Now().Before(until), f
	}
	failure = w.monitor.wait(ctx, st)
	return c, failure
}

// awaitSync waits until the weights that were read back have taken effect everywhere, while gates
// and health are monitored.
func (w writing) awaitSync(ctx context.Context) *Failure {
	router, is := w.fleet.router.(traffic.Propagator)
	if !is {
		return nil
	}
	w.monitor.weightsChanged()
	until := time.Now().Add(shift.SyncTimeout)
	synced := false
	st := w.guard(true)
	st.readRoutes = func(ctx context.Context) (states []traffic.State, err error) {
		limited, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		synced, err = router.InSync(limited, idsOf(w.fleet.routes))
		return nil, err
	}
	st.shown = func(_ []traffic.State, err error) (bool, *Failure) {
		if errors.Is(err, traffic.ErrDenied) {
			return false, &Failure{Cause: RouterFailed, Err: err}
		}
		if (err != nil || !synced) && !time.Now().Before(until) {
			return false, &Failure{Cause: RouterFailed, Err: err, Detail: "the weights were not in sync on all servers within " + schedule.FormatDuration(shift.SyncTimeout)}
		}
		return err == nil && synced, nil
	}
	return w.monitor.wait(ctx, st)
}

// guard returns the stage that monitors the traffic as it is. Before a write, the gates that
// allowed it must still pass at its end; after one, the hold under the gates of the step follows.
func (w writing) guard(written bool) stage {
	st := stage{part: shift.Before, permit: w.lease.permit()}
	if w.schedule.Kind != shift.Forward || w.progress == completed {
		return st
	}
	if st.gates, st.unjudged = w.evaluated, written; written {
		st.gates = nil
	}
	if !w.exposed {
		return st
	}
	st.name, st.part, st.watch = w.path.name(w.at), shift.During, w.backends.incoming(w.desired.highest(w.at))
	if w.at == shift.Full {
		st.part = shift.After
	}
	if written {
		st.gates = w.gatesFor(st.part, w.path.at(w.step))
	}
	return st
}
