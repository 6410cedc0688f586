package rollout

import (
	"context"
	"errors"
)

// errTidying is the cause of a context whose last write, which moves nothing,
// has taken too long: no interrupt.
var errTidying = errors.New("the time for attaching and detaching is over")

// tidy names in each action what is to stay there, and nothing else: idle
// environments come, leaving ones, strangers and sticky old sides go. No
// traffic moves. The traffic has been judged by now, so an interrupt does not
// keep the one write from being done, and no failure of it is worth a way back.
func (r *run) tidy(ctx context.Context) *Failure {
	want := r.untidy()
	if len(want) == 0 {
		return nil
	}
	r.phase("attach and detach")
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), homeLimit, errTidying)
	defer cancel()
	f := r.unchanged(ctx)
	if f == nil {
		f = r.put(ctx, r.untidy()) // by what was read just now
	}
	if f == nil {
		return nil
	}
	f.Stage = "attaching and detaching"
	if f.Left == "" {
		f.Left = Stayed // where it is wanted; the next apply tidies
	}
	return f
}

// untidy are the routes that do not name just what is to stay.
func (r *run) untidy() map[int]Setting {
	want := map[int]Setting{}
	for i, route := range r.spec.Routes {
		next := r.spec.setting(route.Entry, r.weights(i), r.schedule.Kept, r.now[i])
		if r.now[i].Answer == "" && !next.Same(r.now[i]) {
			want[i] = next
		}
	}
	return want
}

// conclude ends a shift whose traffic has been judged at the goal: it looks
// whether it is still there, and tidies. A look that fails changes nothing:
// what was written was read back then.
func (r *run) conclude(ctx context.Context) *Failure {
	if len(r.untidy()) > 0 {
		return r.tidy(ctx)
	}
	limited, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), handLimit, errTidying)
	defer cancel()
	if f := r.unchanged(limited); f != nil && f.Cause == Changed {
		f.Stage = "the end"
		return f
	}
	return nil
}
