package rollout

import (
	"context"
	"errors"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// errCleanup is the cause of a context in which attach and detach took too long. It is
// not an interrupt.
var errCleanup = errors.New("attach and detach timed out")

// cleanUp attaches and detaches until each action has exactly Schedule.AttachedAfter. It
// moves no traffic. The shift is complete by then, so neither an interrupt nor a failure
// of the write causes a rollback.
func (r *run) cleanUp(ctx context.Context) *Failure {
	desired := r.needsCleanup()
	if len(desired) == 0 {
		return nil
	}
	r.phase("attach and detach")
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), rollbackTimeout, errCleanup)
	defer cancel()
	f := r.unchanged(ctx)
	if f == nil {
		f = r.writeAndVerify(ctx, r.needsCleanup()) // based on the states just read
	}
	if f == nil {
		return nil
	}
	f.Stage = "attach and detach"
	if f.Disposition == "" {
		f.Disposition = Stopped // at the desired weights; the next apply repeats the cleanup
	}
	return f
}

// needsCleanup returns the states to write so that each action has exactly
// Schedule.AttachedAfter, by index of the route.
func (r *run) needsCleanup() map[int]traffic.State {
	desired := map[int]traffic.State{}
	for i, route := range r.spec.Routes {
		next := r.spec.desiredState(route.Entry, r.weights(i), r.schedule.AttachedAfter, r.current[i])
		if r.current[i].Response == "" && !next.Equal(r.current[i]) {
			desired[i] = next
		}
	}
	return desired
}

// conclude ends a shift that reached the desired weights: it cleans up, or checks that the
// routes are unchanged. A check that cannot read is ignored, because every write has
// been read back before.
func (r *run) conclude(ctx context.Context) *Failure {
	if len(r.needsCleanup()) > 0 {
		return r.cleanUp(ctx)
	}
	limited, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), externalChangeTimeout, errCleanup)
	defer cancel()
	if f := r.unchanged(limited); f != nil && f.Cause == ExternalChange {
		f.Stage = "final check"
		return f
	}
	return nil
}
