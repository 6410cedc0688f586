package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// ErrNotVerified reports writes that were accepted but did not take effect.
var ErrNotVerified = errors.New("two writes were accepted, but the route does not show them")

// rereadPauses are the pauses before each read of a verification. Reads are eventually
// consistent: one may show the state before the last write.
var rereadPauses = []time.Duration{0, 200 * time.Millisecond, time.Second, 3 * time.Second}

// writeAndVerify writes the desired states concurrently and reads them back. A write
// that reads do not show is retried once, then it fails.
func (f *fleet) writeAndVerify(ctx context.Context, desired map[int]traffic.State) *Failure {
	pending := desired
	for range 2 {
		if err := ctx.Err(); err != nil {
			return failureOf(ctx, "", err)
		}
		if i, err := f.writeForward(ctx, pending); err != nil {
			return failureOf(ctx, f.routes[i].ID, err)
		}
		var failure *Failure
		if pending, failure = f.verify(ctx, desired); failure != nil {
			return failure
		}
		if len(pending) == 0 {
			return nil
		}
	}
	i := slices.Min(slices.Collect(maps.Keys(pending)))
	return &Failure{Cause: RouterFailed, Route: f.routes[i].ID, Err: ErrNotVerified,
		Detail: "the route still has " + f.describe(i, f.current[i])}
}

// interruptedWriteTimeout is how long a write that has begun goes on after an interrupt: one
// that is canceled may be carried out all the same, after the rollback.
const interruptedWriteTimeout = 2 * time.Second

// writeForward writes within callTimeout and returns the index and error of the first
// route that failed.
func (f *fleet) writeForward(ctx context.Context, desired map[int]traffic.State) (int, error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(interruptedWriteTimeout, cancel)
		context.AfterFunc(limited, func() { timer.Stop() })
	})
	defer stop()
	for i, err := range f.write(limited, f.router, desired) {
		if err != nil {
			return i, err
		}
	}
	return 0, nil
}

// write writes several routes concurrently, so that they move together, and continues if
// one fails. The errors are by the index of the route.
func (f *fleet) write(ctx context.Context, router traffic.Router, desired map[int]traffic.State) []error {
	errs := make([]error, len(f.routes))
	var writes sync.WaitGroup
	for i, state := range desired {
		f.dirty[i] = true // until read back
		f.moved = f.moved || !state.EqualTraffic(f.current[i])
		writes.Go(func() { errs[i] = router.Write(ctx, f.routes[i].ID, state) })
	}
	writes.Wait()
	for i, err := range errs {
		f.unsure[i] = f.unsure[i] || err != nil && !isAnswer(err)
	}
	for i, route := range f.routes {
		if state, written := desired[i]; written {
			f.report.emit(Event{Kind: WeightsWritten, Route: route.ID, Weights: f.owners.Weights(route.Entry, state), Text: errorText(errs[i])})
		}
	}
	return errs
}

// unchanged reads all routes and returns a Failure if one is not in the state in which
// this run left it. Stale reads, which show the state before the last write, are
// retried.
func (f *fleet) unchanged(ctx context.Context) *Failure {
	_, failure := f.verify(ctx, nil)
	return failure
}

// verify reads all routes until each is in its desired state or, if it has none, in its
// current one. It returns the desired states that still do not show after the last read.
// Any other state, except a stale one, is an external change and a Failure.
func (f *fleet) verify(ctx context.Context, desired map[int]traffic.State) (map[int]traffic.State, *Failure) {
	var pending map[int]traffic.State
	for n, pause := range rereadPauses {
		if err := sleep(ctx, pause); err != nil {
			return nil, failureOf(ctx, "", err)
		}
		states, err := f.read(ctx)
		if err != nil {
			return nil, failureOf(ctx, "", err)
		}
		var changed int
		pending, changed = f.compare(states, desired, n == len(rereadPauses)-1)
		if changed >= 0 {
			expected, written := desired[changed]
			if !written {
				expected = f.current[changed]
			}
			return nil, f.externalChange(changed, states, expected)
		}
		if pending != nil && len(pending) == 0 {
			f.accept(states, desired)
			break
		}
	}
	return pending, nil
}

// accept makes the states that were read back the current ones.
func (f *fleet) accept(states []traffic.State, desired map[int]traffic.State) {
	if len(desired) > 0 {
		f.previous = f.current
	}
	f.current = states
	for i, route := range f.routes {
		f.dirty[i] = false
		if _, written := desired[i]; written {
			f.report.emit(Event{Kind: WeightsVerified, Route: route.ID, Weights: f.weights(i)})
		}
	}
}
