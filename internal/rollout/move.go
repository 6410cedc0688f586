package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// readBackPauses are the waits between readings of a write that does not show:
// a balancer's answer may be a moment old.
var readBackPauses = []time.Duration{0, 200 * time.Millisecond, time.Second, 3 * time.Second}

// attach names every environment that will be needed, at weight 0, so that
// their health is checked. A route that answered an error gets the goal at
// once, since no one is served there.
func (r *run) attach(ctx context.Context) *Failure {
	want := map[int]Setting{}
	for i, route := range r.spec.Routes {
		share := r.weights(i)
		if r.now[i].Idle {
			share = r.schedule.Goal
		}
		next := r.spec.setting(route.Entry, share, r.schedule.Held, r.now[i])
		if r.now[i].Idle || !r.names(i, next) {
			want[i] = next
		}
	}
	if len(want) == 0 {
		return nil
	}
	r.phase("attach")
	return r.put(ctx, want)
}

// names: every group of want stands in the route's action already.
func (r *run) names(i int, want Setting) bool {
	for group := range want.Weights {
		if _, ok := r.now[i].Weights[group]; !ok {
			return false
		}
	}
	return true
}

// move takes all routes to a step, in lock-step. A route that is further
// along already is left there.
func (r *run) move(ctx context.Context, step shift.Step) *Failure {
	if f := r.unchanged(ctx); f != nil {
		return f
	}
	want := map[int]Setting{}
	for i, route := range r.spec.Routes {
		gone := shift.Progress(r.schedule.Origin(i), r.schedule.Goal, r.weights(i))
		if gone < step.At {
			want[i] = r.spec.setting(route.Entry, r.schedule.At(i, step.At), r.schedule.Held, r.now[i])
		}
	}
	r.step, r.at = r.number(step), step.At
	r.exposed, r.result.Moved = true, true
	if f := r.put(ctx, want); f != nil {
		return f
	}
	r.changedAt = time.Now()
	r.arm()
	return nil
}

// unchanged reads all routes and stops where one is not as this run left it. A
// reading that shows what was before the last write may only be late.
func (r *run) unchanged(ctx context.Context) *Failure {
	for n, pause := range readBackPauses {
		if err := sleep(ctx, pause); err != nil {
			return r.broke(ctx, "", err)
		}
		now, err := r.spec.Router.Read(ctx, r.ids())
		if err != nil {
			return r.broke(ctx, "", err)
		}
		i := slices.IndexFunc(r.numbers(), func(i int) bool { return !now[i].Same(r.now[i]) })
		if i < 0 {
			r.now = now
			return nil
		}
		if late := r.before != nil && now[i].Same(r.before[i]); !late || n == len(readBackPauses)-1 {
			return r.foreign(i, now)
		}
	}
	return nil
}

// foreign: somebody else is at work. Where all routes are back at the start by
// that hand, the version was sent back as surely as by a gate.
func (r *run) foreign(i int, now []Setting) *Failure {
	f := &Failure{Cause: Changed, Left: Untouched, Route: r.spec.Routes[i].ID,
		Saw: fmt.Sprintf("%s; this run had left it at %s", r.describe(i, now[i]), r.describe(i, r.now[i]))}
	r.now, r.dirty = now, make([]bool, len(now)) // as just read
	f.Rejects = r.exposed
	for j := range now {
		if !r.weights(j).Equal(r.schedule.Origin(j)) {
			f.Rejects = false
		}
	}
	return f
}

// put writes all wanted settings at once and reads them back. A write that
// does not show is written once more; then it counts as not done.
func (r *run) put(ctx context.Context, want map[int]Setting) *Failure {
	if err := ctx.Err(); err != nil {
		return r.broke(ctx, "", err)
	}
	for range 2 {
		if i, err := r.write(ctx, r.spec.Router, want); err != nil {
			return r.broke(ctx, r.spec.Routes[i].ID, err)
		}
		left, f := r.readBack(ctx, want)
		if f != nil {
			return f
		}
		if len(left) == 0 {
			return nil
		}
		want = left
	}
	for i := range want {
		return &Failure{Cause: RouterFailed, Route: r.spec.Routes[i].ID,
			Saw: "two writes were accepted and do not show; it still gives " + r.describe(i, r.now[i])}
	}
	return nil
}

// write tells several routes at the same time, so that they move together. All
// are told even where one fails; it returns the first that did.
func (r *run) write(ctx context.Context, router Router, want map[int]Setting) (int, error) {
	errs := make([]error, len(r.spec.Routes))
	var all sync.WaitGroup
	for i, setting := range want {
		all.Go(func() { errs[i] = router.Write(ctx, r.spec.Routes[i].ID, setting) })
	}
	all.Wait()
	first := -1
	for i, route := range r.spec.Routes {
		setting, told := want[i]
		if !told {
			continue
		}
		r.dirty[i] = true // until it is read back
		if errs[i] != nil && first < 0 {
			first = i
		}
		r.tell(Event{Kind: Wrote, Route: route.ID, Weights: r.spec.Weights(route.Entry, setting), Text: errorText(errs[i])})
	}
	if first >= 0 {
		return first, errs[first]
	}
	return 0, nil
}

// readBack returns what does not show yet after some patience. A setting that
// is neither the wanted nor the one before is somebody else's.
func (r *run) readBack(ctx context.Context, want map[int]Setting) (map[int]Setting, *Failure) {
	var left map[int]Setting
	for _, pause := range readBackPauses {
		if err := sleep(ctx, pause); err != nil {
			return nil, r.broke(ctx, "", err)
		}
		now, err := r.spec.Router.Read(ctx, r.ids())
		if err != nil {
			return nil, r.broke(ctx, "", err)
		}
		left = map[int]Setting{}
		for i := range now {
			setting, told := want[i]
			switch {
			case told && now[i].Same(setting):
			case !now[i].Same(r.now[i]):
				return nil, r.foreign(i, now)
			case told:
				left[i] = setting
			}
		}
		if len(left) == 0 {
			r.sawAll(now, want)
			return nil, nil
		}
	}
	return left, nil
}

// sawAll takes over what was read back.
func (r *run) sawAll(now []Setting, want map[int]Setting) {
	r.before, r.now = r.now, now
	for i, route := range r.spec.Routes {
		r.dirty[i] = false
		if _, told := want[i]; told {
			r.tell(Event{Kind: Saw, Route: route.ID, Weights: r.weights(i)})
		}
	}
}

// tidy names in each action what is to stay there, and nothing else: idle
// environments come, leaving ones, strangers and sticky old sides go. No
// traffic moves. The traffic has been judged by now, so an interrupt does not
// keep the one write from being done.
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), homeLimit)
	defer cancel()
	if f := r.unchanged(ctx); f != nil {
		return f
	}
	if f := r.put(ctx, want); f != nil {
		f.Left = Stayed // at the goal; the next apply tidies
		return f
	}
	return nil
}

// broke words an error from below: an interrupt and a schedule that is over
// come to light as errors of whatever was under way.
func (r *run) broke(ctx context.Context, route string, err error) *Failure {
	f := &Failure{Cause: RouterFailed, Route: route, Err: err}
	if ctx.Err() != nil {
		f.Cause = Interrupted
		if errors.Is(context.Cause(ctx), errTooLong) {
			f.Cause = TookTooLong
		}
	}
	if r.now == nil {
		f.Left = Unmoved
	}
	return f
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
