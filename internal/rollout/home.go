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
	case f.Left == Stayed || f.Left == Unmoved && f.tookTime():
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
	if f.HomeErr = r.goHome(ctx, want); f.HomeErr == nil {
		f.HomeErr = r.notHome()
	}
	if f.HomeErr != nil {
		f.Left = NotRestored
	}
	f.Rejects = r.exposed && f.condemns()
}

// byHand: before anything is put back it is looked at who moved it last. A
// foreign change seen now means that somebody is in charge; and health that is
// missing because they took the group off a route, where nobody checks it then,
// is not the version's fault. Somebody who took a route home is helped with the
// rest. The look also brings the newest of what a route does beside forwarding.
// What cannot be read in time, or shows what was before the last write, does
// not keep the traffic on a bad side, and neither does a write of which nobody
// knows whether it came through.
func (r *run) byHand(ctx context.Context, f *Failure) bool {
	if slices.Contains(r.dirty, true) {
		return false
	}
	pauses := readAgain[:1]
	if f.Cause == HealthBroke || f.Cause == NotReady {
		pauses = readAgain // a late reading or a hand makes all the difference
	}
	for n, pause := range pauses {
		if sleep(ctx, pause) != nil {
			return false
		}
		now, err := r.readForward(ctx)
		if err != nil {
			return false
		}
		if hand, late := r.handIn(now, n == len(readAgain)-1); hand >= 0 {
			r.blame(f, hand, now)
			return true
		} else if !late {
			return false
		}
	}
	return false
}

// handIn returns the route that somebody else moved, or -1 where there is none
// or where they took it home and something is left to be done. It takes over
// what was read, but for what may be late: that is told again, to be sure. The
// last reading is held to be of now.
func (r *run) handIn(now []Setting, last bool) (hand int, late bool) {
	seen, hand, home := slices.Clone(r.now), -1, true
	for i := range now {
		changed, atHome := !now[i].Same(r.now[i]), now[i].SameTraffic(r.homeOf(i))
		home = home && atHome
		switch {
		case changed && !last && r.before != nil && now[i].Same(r.before[i]):
			late = true
			continue
		case changed && !atHome:
			return i, false
		case changed && hand < 0:
			hand = i
		}
		seen[i] = now[i]
	}
	if late || !home {
		hand = -1
	}
	if hand < 0 {
		r.now = seen
	}
	return hand, late
}

// blame says that the i-th route was moved by somebody else.
func (r *run) blame(f *Failure, i int, now []Setting) {
	hand := r.foreign(i, now)
	hand.Stage, hand.Saw = f.Stage, join(hand.Saw, f.Saw)
	*f = *hand
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
	case GateFailed, HealthBroke, NotReady:
		return true
	default:
		return false
	}
}

// tookTime: gates were asked before anything was written, and somebody may have
// moved the traffic meanwhile.
func (f *Failure) tookTime() bool { return f.Cause != WasRejected && f.Cause != WasHandedBack }

// back takes the traffic to what the last completed shift left, where that is
// what is wanted: a way back like any other, with a healthy end. What has lost
// its traffic stays named until the balancer's nodes obey, but for a sticky
// side, whose clients would stay with it.
func (r *run) back(ctx context.Context) *Failure {
	home := context.WithoutCancel(ctx)
	named := r.schedule.Held
	if r.sticks() {
		named = r.schedule.Kept
	}
	want := map[int]Setting{}
	for i, route := range r.spec.Routes {
		next := r.spec.setting(route.Entry, r.schedule.Goal, named, r.now[i])
		if !next.SameTraffic(r.now[i]) || r.sticks() && !next.Same(r.now[i]) {
			want[i] = next
		}
	}
	looks, cancel := context.WithTimeout(home, lookLimit)
	defer cancel()
	if saw := r.homeIsDead(looks); saw != "" {
		return &Failure{Cause: NotReady, Left: CannotServe, Saw: saw}
	}
	if err := r.goHome(home, want); err != nil {
		return &Failure{Cause: RouterFailed, Left: NotRestored, HomeErr: err}
	}
	if err := r.notHome(); err != nil {
		return &Failure{Cause: Changed, Left: Untouched, Err: err}
	}
	return r.settleBack(ctx)
}

// settleBack waits as after any move, and tidies. An interrupt leaves the
// traffic where it is wanted.
func (r *run) settleBack(ctx context.Context) *Failure {
	r.phase("settle")
	f := r.wait(ctx, stage{name: "settling", part: shift.After, hold: r.spec.Request.Terms.Settle})
	if f != nil {
		f.Left = Stayed
		return f
	}
	return r.conclude(ctx)
}

// sticks: clients stay with their group.
func (r *run) sticks() bool {
	if r.spec.Sticky != nil {
		return *r.spec.Sticky > 0
	}
	return slices.ContainsFunc(r.now, func(s Setting) bool { return s.Sticky > 0 })
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

// errNotOurs says that a route is elsewhere although this run has not left it
// there.
var errNotOurs = errors.New("someone else has moved it")

// notHome tells which routes are elsewhere although nothing failed.
func (r *run) notHome() error {
	var errs []error
	for i := range r.spec.Routes {
		if !r.now[i].SameTraffic(r.homeOf(i)) {
			errs = append(errs, fmt.Errorf("%s: %w: %s", r.spec.Routes[i].ID, errNotOurs, r.describe(i, r.now[i])))
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
