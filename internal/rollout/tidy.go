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
	want := map[int]Setting{}
	for i, route := range r.spec.Routes {
		next := r.spec.setting(route.Entry, r.weights(i), r.schedule.Kept, r.now[i])
		if r.now[i].Answer == "" && !next.Same(r.now[i]) {
			want[i] = next
		}
	}
	if len(want) == 0 {
		return nil
	}
	r.phase("detach")
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), homeLimit, errTidying)
	defer cancel()
	f := r.unchanged(ctx)
	if f == nil {
		f = r.put(ctx, want)
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
