package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// homeLimit is how long a way back is tried, throttled or not, and so how much
// longer than a hold the credentials must last. In an ordinary moment one
// call per route and one reading do it.
const homeLimit = time.Minute

// homeCallLimit is how long one call of a way back may take before the next is
// tried: a connection that swallows everything may be one of several.
const homeCallLimit = 10 * time.Second

// lookLimit bounds a look that a way back does not rest on: before it, where
// it must not keep the traffic on a bad side, and after it.
const lookLimit = 2 * time.Second

// handLimit is the same for the look whether a foreign hand took health away.
const handLimit = 5 * time.Second

// leave is the one place that decides where the traffic goes after a failure
// and takes it there. It fills in f.Left and f.Rejects.
func (r *run) leave(ctx context.Context, f *Failure) {
	ctx = context.WithoutCancel(ctx)
	switch {
	case f.Left == Stayed:
		r.lookOnce(ctx)
		return
	case f.Left != "":
		r.lookAgain(ctx)
		return
	}
	looks, cancel := context.WithTimeout(ctx, limitOfLooks(f))
	defer cancel()
	if r.byHand(looks, f) {
		return
	}
	want := r.homeSettings()
	if len(want) == 0 {
		if f.Left = Unmoved; r.result.Moved { // to where a way back leads
			f.Left, f.Rejects = Restored, r.exposed && f.condemns()
		}
		r.lookOnce(ctx)
		return
	}
	if r.stops(f) {
		f.Left = Stayed
		r.lookOnce(ctx)
		return
	}
	if saw := r.homeIsDead(looks); saw != "" {
		f.Left, f.Saw = CannotServe, join(f.Saw, saw)
		r.lookOnce(ctx)
		return
	}
	r.tell(Event{Kind: GoingBack, Text: f.Error()})
	f.Left = Restored
	if f.HomeErr = errors.Join(r.goHome(ctx, want), r.notHome(want)); f.HomeErr != nil {
		f.Left = NotRestored
	}
	f.Rejects = r.exposed && f.condemns()
}

// byHand: before anything is put back it is looked at who moved it last. A
// foreign change seen now means that somebody is in charge; and health that is
// missing because they took the group off a route, where nobody checks it then,
// is not the version's fault. The look also brings the newest of what a route
// does beside forwarding. What cannot be read in time does not keep the traffic
// on a bad side, and neither does a write of which nobody knows whether it came
// through.
func (r *run) byHand(ctx context.Context, f *Failure) bool {
	if slices.Contains(r.dirty, true) {
		return false
	}
	hand := r.unchanged(ctx)
	if hand == nil || hand.Cause != Changed {
		return false
	}
	hand.Stage, hand.Saw = f.Stage, join(hand.Saw, f.Saw)
	*f = *hand
	return true
}

// limitOfLooks is how long the looks before a way back may take together.
func limitOfLooks(f *Failure) time.Duration {
	if f.Cause == HealthBroke || f.Cause == NotReady {
		return handLimit
	}
	return lookLimit
}

// stops: the user said that what happened stops the shift where it is. An
// interrupted return stays too: it has left a version that somebody fled from.
func (r *run) stops(f *Failure) bool {
	if f.Cause == Interrupted {
		return r.spec.StopOnInterrupt || r.schedule.Kind == shift.Return
	}
	return f.stops || r.spec.StopOnFailure && r.exposed
}

// condemns: it was seen that the version is bad, by a gate or by health.
func (f *Failure) condemns() bool {
	switch f.Cause {
	case GateFailed, GateInconclusive, HealthBroke, NotReady:
		return true
	default:
		return false
	}
}

// back takes the traffic to what the last completed shift left, where that is
// what is wanted: a way back like any other, with a healthy end.
func (r *run) back(ctx context.Context) *Failure {
	ctx = context.WithoutCancel(ctx)
	want := map[int]Setting{}
	for i, route := range r.spec.Routes {
		next := r.spec.setting(route.Entry, r.schedule.Goal, r.schedule.Kept, r.now[i])
		if !next.Same(r.now[i]) {
			want[i] = next
		}
	}
	looks, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	if saw := r.homeIsDead(looks); saw != "" {
		return &Failure{Cause: NotReady, Left: CannotServe, Saw: saw}
	}
	if err := r.goHome(ctx, want); err != nil {
		return &Failure{Cause: RouterFailed, Left: NotRestored, HomeErr: err}
	}
	return nil
}

// homeSettings is what must be written to go back; empty where nothing was
// moved. A route of which nobody knows what it does is always among them.
func (r *run) homeSettings() map[int]Setting {
	want := map[int]Setting{}
	for i := range r.spec.Routes {
		home := r.homeOf(i)
		same := r.now[i].SameTraffic(home)
		if r.joins(i) {
			same = r.now[i].Same(home) // a failed Create leaves no trace
		}
		if r.dirty[i] || !same {
			want[i] = home
		}
	}
	return want
}

// errNotOurs says that a route was not taken back, since this run had not
// moved it, and that it is elsewhere all the same.
var errNotOurs = errors.New("someone else has moved it")

// notHome tells which routes of those that were not written are elsewhere.
func (r *run) notHome(written map[int]Setting) error {
	var errs []error
	for i, route := range r.spec.Routes {
		if _, told := written[i]; !told && !r.now[i].SameTraffic(r.homeOf(i)) {
			errs = append(errs, fmt.Errorf("%s: %w: %s", route.ID, errNotOurs, r.describe(i, r.now[i])))
		}
	}
	return errors.Join(errs...)
}

// homeOf is where a way back leads: for a route of which the plan knew nothing
// exactly what was found, else what the last completed shift left. With
// stickiness on, the failed side is not named, or its clients would stay there.
func (r *run) homeOf(i int) Setting {
	entry := r.spec.Routes[i].Entry
	home := r.found[i]
	if !r.joins(i) || r.schedule.Kind == shift.Back {
		home = r.spec.setting(entry, r.schedule.Origin(i), r.schedule.Held, r.now[i])
		home.Sticky = r.found[i].Sticky
	}
	if home.Answer != "" {
		return home
	}
	home.Keep, home.Weights = r.now[i].Keep, maps.Clone(home.Weights)
	if r.exposed && (r.now[i].Sticky > 0 || home.Sticky > 0) {
		for _, name := range r.schedule.Gaining {
			if group := r.spec.groupOf(entry, name, r.now[i]); home.Weights[group] == 0 {
				delete(home.Weights, group)
			}
		}
	}
	return home
}

// homeIsDead returns what was seen where the way back leads to a side without
// a healthy target while the present one has some; empty where the way is
// open. What cannot be measured in time does not keep the traffic.
func (r *run) homeIsDead(ctx context.Context) string {
	var groups []string
	for i := range r.spec.Routes {
		groups = append(groups, r.now[i].Groups()...)
		groups = append(groups, r.homeOf(i).Groups()...)
	}
	slices.Sort(groups)
	health, err := r.spec.Home.Health(ctx, slices.Compact(groups))
	if err != nil {
		return ""
	}
	for i, route := range r.spec.Routes {
		home := r.homeOf(i)
		if home.Answer == "" && serving(home, health) == 0 && serving(r.now[i], health) > 0 {
			return "the side to go back to has no healthy target for " + route.Entry
		}
	}
	return ""
}

// serving counts the healthy targets of the groups with weight.
func serving(s Setting, health map[string]Health) int {
	n := 0
	for group, weight := range s.Weights {
		if weight > 0 {
			n += health[group].Serving()
		}
	}
	return n
}
