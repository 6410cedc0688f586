package rollout

import (
	"context"
	"errors"
)

// errCleanup is the cause of a context whose last write, which moves nothing,
// has taken too long: no interrupt.
var errCleanup = errors.New("the time for attaching and detaching is over")

// cleanUp names in each action what is to stay there, and nothing else: idle
// environments come, leaving ones, strangers and sticky old sides go. No
// traffic moves. The traffic has been judged by now, so an interrupt does not
// keep the one write from being done, and no failure of it is worth a way back.
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
		f = r.writeAndVerify(ctx, r.needsCleanup()) // by what was read just now
	}
	if f == nil {
		return nil
	}
	f.Stage = "attaching and detaching"
	if f.Disposition == "" {
		f.Disposition = Stopped // where it is wanted; the next apply tidies
	}
	return f
}

// needsCleanup are the routes that do not name just what is to stay.
func (r *run) needsCleanup() map[int]RouteState {
	desired := map[int]RouteState{}
	for i, route := range r.spec.Routes {
		next := r.spec.desiredState(route.Entry, r.weights(i), r.schedule.AttachedAfter, r.current[i])
		if r.current[i].Response == "" && !next.Equal(r.current[i]) {
			desired[i] = next
		}
	}
	return desired
}

// conclude ends a shift whose traffic has been judged at the goal: it looks
// whether it is still there, and tidies. A look that fails changes nothing:
// what was written was read back then.
func (r *run) conclude(ctx context.Context) *Failure {
	if len(r.needsCleanup()) > 0 {
		return r.cleanUp(ctx)
	}
	limited, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), externalChangeTimeout, errCleanup)
	defer cancel()
	if f := r.unchanged(limited); f != nil && f.Cause == ExternalChange {
		f.Stage = "the end"
		return f
	}
	return nil
}
