// Package rollout runs one shift of traffic from beginning to end: it reads
// the routes, attaches, waits for health, moves by steps under gates, and goes
// back when something is wrong. It owns the interfaces that it calls (Router,
// Gate) and tells what happens as events. Time is plain time and context, so
// tests run it in bubbles of virtual time.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// What a Spec lacks that could not do what it asks for.
var (
	errNoGate  = errors.New("there is no such gate")
	errNoGroup = errors.New("an environment that is to have traffic has no target group")
)

// errTooLong is the cause of a context whose shift outlasted its schedule.
var errTooLong = errors.New("the schedule's longest time is over")

// run is one shift under way. Only Run's own goroutine touches it.
type run struct {
	spec     Spec
	schedule shift.Schedule

	found  []Setting // what each route did when the shift began
	now    []Setting // what each was last read to do
	before []Setting // the same before the last write; nil: none was made
	dirty  []bool    // written and not read back: nobody knows what the route does

	gates     map[string]*armed
	startedAt time.Time
	changedAt time.Time // of the last change of weights
	step      int       // 1 is the first; 0 before any traffic
	at        shift.Share
	exposed   bool // the new side has had traffic, from this run or an earlier one
	armedYet  bool
	result    Result
}

// Run does what spec asks and returns what it left behind; see Result. Its
// error is always a *Failure. When ctx ends, the shift goes back (or stops,
// where spec says so) on a context of its own before Run returns.
func Run(ctx context.Context, spec Spec) (Result, error) {
	r := newRun(spec)
	defer r.awaitCalls()
	if f := r.look(ctx); f != nil {
		return r.end(f)
	}
	limited, cancel := context.WithTimeoutCause(ctx, r.schedule.Longest(), errTooLong)
	defer cancel()
	if f := r.travel(limited); f != nil {
		r.leave(ctx, f)
		return r.end(f)
	}
	return r.end(nil)
}

func newRun(spec Spec) *run {
	if spec.Home == nil {
		spec.Home = spec.Router
	}
	r := &run{spec: spec, startedAt: time.Now(), gates: map[string]*armed{}}
	r.changedAt = r.startedAt
	for _, g := range spec.Gates {
		r.gates[g.Name] = &armed{NamedGate: g, calling: make(chan struct{}, 1)}
	}
	return r
}

// travel is the way forward. Every return but the last is a reason to go back.
func (r *run) travel(ctx context.Context) *Failure {
	switch r.schedule.Kind {
	case shift.Refused:
		return &Failure{Cause: WasRejected, Left: Unmoved}
	case shift.HandedBack:
		return &Failure{Cause: WasHandedBack, Left: Unmoved, Rejects: r.schedule.Certain}
	case shift.Nothing:
		return r.tidy(ctx)
	case shift.Back:
		return r.back(ctx)
	case shift.Return:
		return r.returnTo(ctx)
	case shift.Forward:
	}
	if f := r.preflight(ctx); f != nil {
		return f
	}
	if f := r.attach(ctx); f != nil {
		return f
	}
	if f := r.prove(ctx); f != nil {
		return f
	}
	if f := r.judgeFound(ctx); f != nil {
		return f
	}
	for _, step := range r.schedule.Steps {
		if f := r.take(ctx, step); f != nil {
			return f
		}
	}
	return r.finish(ctx)
}

// look reads every route, compares with what the plan saw, and decides.
func (r *run) look(ctx context.Context) *Failure {
	found, err := r.readForward(ctx)
	if err != nil {
		return r.broke(ctx, "", err)
	}
	r.found, r.now, r.dirty = found, append([]Setting(nil), found...), make([]bool, len(found))
	for i := range found {
		if f := r.acceptable(i); f != nil {
			return f
		}
	}
	r.schedule, err = r.spec.Decide(found)
	if err != nil {
		return &Failure{Cause: TooManyGroups, Left: Unmoved, Err: err}
	}
	r.result.Kind = r.schedule.Kind
	r.result.From = r.mean()
	if f := r.doable(); f != nil {
		return f
	}
	r.exposed = r.schedule.Judge != nil || r.schedule.Finish
	r.tell(Event{Kind: Started, Text: r.schedule.Kind.String()})
	for i := range found {
		r.tell(Event{Kind: Read, Route: r.spec.Routes[i].ID, Weights: r.weights(i)})
	}
	return nil
}

// acceptable: a route that the plan knew gives its traffic as the plan saw it;
// one that it did not know forwards, or answers an error that serves no one. Who
// is named with weight 0 may differ: an environment that goes in the same apply
// takes itself off, and what is due is decided by what is found.
func (r *run) acceptable(i int) *Failure {
	route, now := r.spec.Routes[i], r.found[i]
	if r.joins(i) {
		if now.Answer != "" && !now.Idle {
			return &Failure{Cause: NotForwarding, Left: Unmoved, Route: route.ID, Saw: now.Answer}
		}
		return nil
	}
	if now.Answer != "" && now.Same(*route.Saw) {
		return &Failure{Cause: Changed, Left: Untouched, Route: route.ID, Saw: now.Answer}
	}
	if now.Answer != "" || !now.SameTraffic(*route.Saw) || now.Sticky != route.Saw.Sticky {
		return &Failure{Cause: Changed, Left: Untouched, Route: route.ID,
			Saw: fmt.Sprintf("%s; the plan saw %s", r.describe(i, now), r.describe(i, *route.Saw))}
	}
	return nil
}

// joins: nothing was known of the route when this was planned, so its own
// setting is where a way back leads.
func (r *run) joins(i int) bool { return r.spec.Stable == nil || r.spec.Routes[i].Saw == nil }

// doable: every gate that is to judge is there, and whoever is to have traffic
// has a group on every route.
func (r *run) doable() *Failure {
	switch r.schedule.Kind {
	case shift.Nothing, shift.Refused, shift.HandedBack:
		return nil
	case shift.Forward, shift.Back, shift.Return:
	}
	for _, g := range r.spec.Request.Terms.Gates {
		if a := r.gates[g.Name]; a == nil || a.Gate == nil {
			return &Failure{Cause: GateErrored, Left: Unmoved, Gate: g.Name, Err: errNoGate}
		}
	}
	for i, route := range r.spec.Routes {
		for _, name := range r.schedule.Goal.Of() {
			if r.spec.groupOf(route.Entry, name, r.found[i]) == "" {
				return &Failure{Cause: RouterFailed, Left: Unmoved, Route: route.ID,
					Err: fmt.Errorf("%w: %s, entry point %s", errNoGroup, name, route.Entry)}
			}
		}
	}
	return nil
}

// prove waits until the side that is to receive is healthy and its gates
// agree. A side that has traffic already is not kept waiting: it is judged.
func (r *run) prove(ctx context.Context) *Failure {
	if r.exposed || len(r.schedule.Gaining) == 0 {
		return nil
	}
	first := r.schedule.Goal
	if len(r.schedule.Steps) > 0 {
		first = r.highest(r.schedule.Steps[0].At)
	}
	r.phase("health")
	if f := r.wait(ctx, stage{name: "health before the first weight", part: shift.Before, ready: first, steady: true}); f != nil {
		return f
	}
	r.arm()
	gates := r.armedFor(shift.Before, shift.Step{})
	if len(gates) == 0 {
		return nil
	}
	r.phase("gates before any traffic")
	return r.wait(ctx, stage{name: "the gates before the first weight", part: shift.Before, gates: gates, needGates: true})
}

// judgeFound judges a split that was found as if this run had made it.
func (r *run) judgeFound(ctx context.Context) *Failure {
	if r.schedule.Judge == nil {
		return nil
	}
	step := *r.schedule.Judge
	r.step, r.at = r.stepReached(step.At), step.At
	r.arm()
	r.phase("judge what was found")
	return r.wait(ctx, stage{name: "the split that was found", part: shift.During, hold: step.Hold,
		gates: r.armedFor(shift.During, step), needGates: true, watch: r.mean()})
}

// take goes one step: health for its share, the weights, the hold.
func (r *run) take(ctx context.Context, step shift.Step) *Failure {
	next := r.highest(step.At)
	r.phase("health for " + step.At.String())
	guard := stage{name: "health before " + r.nameOf(step), part: shift.During, ready: next}
	if r.exposed {
		guard.gates, guard.watch = r.armedFor(shift.During, r.lastStep()), r.mean()
	}
	if f := r.wait(ctx, guard); f != nil {
		return f
	}
	if f := r.creditFor(ctx, step); f != nil {
		return f
	}
	r.phase("move to " + step.At.String())
	if f := r.move(ctx, step); f != nil {
		f.Stage = r.nameOf(step)
		return f
	}
	if step.At == shift.Whole {
		return nil // the bake holds it
	}
	r.phase("hold at " + step.At.String())
	return r.wait(ctx, stage{name: r.nameOf(step), part: shift.During, hold: step.Hold,
		gates: r.armedFor(shift.During, step), needGates: true, watch: next})
}

// finish is everything at 100 %: bake, settle, let go of what is not wanted.
func (r *run) finish(ctx context.Context) *Failure {
	r.step, r.at, r.exposed = len(r.steps())+1, shift.Whole, true
	terms, gates := r.spec.Request.Terms, r.armedFor(shift.After, shift.Step{})
	r.armOnce()
	r.phase("bake")
	f := r.wait(ctx, stage{name: "the bake", part: shift.After, hold: terms.Bake,
		gates: gates, needGates: true, watch: r.schedule.Goal})
	if f != nil {
		return f
	}
	return r.settle(ctx, gates)
}

// settle gives the balancer's nodes time to obey before a group is let go.
func (r *run) settle(ctx context.Context, gates []*armed) *Failure {
	r.phase("settle")
	f := r.wait(ctx, stage{name: "settling", part: shift.After, hold: r.spec.Request.Terms.Settle,
		gates: gates, needGates: true, watch: r.schedule.Goal})
	if f != nil {
		return f
	}
	return r.conclude(ctx)
}

// returnTo goes back to a version that was live before, under health alone.
// Its gates are asked once the traffic is there, and told, not obeyed.
func (r *run) returnTo(ctx context.Context) *Failure {
	if f := r.attach(ctx); f != nil {
		return f
	}
	r.phase("health")
	if f := r.wait(ctx, stage{name: "health before going back", part: shift.Before, ready: r.schedule.Goal}); f != nil {
		return f
	}
	whole := shift.Step{At: shift.Whole}
	if f := r.creditFor(ctx, whole); f != nil {
		return f
	}
	r.phase("move to " + whole.At.String())
	if f := r.moveWhole(ctx, whole); f != nil {
		f.Stage = r.nameOf(whole)
		return f
	}
	gates := r.armedFor(shift.After, shift.Step{})
	for _, g := range gates {
		g.DryRun = true
	}
	return r.settle(ctx, gates)
}

// moveWhole moves even where an interrupt comes in between: half of a way back
// is no place to stay.
func (r *run) moveWhole(ctx context.Context, whole shift.Step) *Failure {
	if err := ctx.Err(); err != nil {
		return r.broke(ctx, "", err)
	}
	limited, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), homeLimit, errTooLong)
	defer cancel()
	return r.move(limited, whole)
}

// creditFor makes sure that the credentials outlive the hold and a way back.
func (r *run) creditFor(ctx context.Context, step shift.Step) *Failure {
	if r.spec.Lasts == nil {
		return nil
	}
	need := step.Hold + homeLimit
	if step.At == shift.Whole {
		need = r.spec.Request.Terms.Bake + r.spec.Request.Terms.Settle + homeLimit
	}
	if err := r.spec.Lasts(ctx, need); err != nil {
		f := r.broke(ctx, "", err)
		if f.Cause != Interrupted && f.Cause != TookTooLong {
			f.Cause = CredentialsEnd
		}
		f.Stage = "the check before " + r.nameOf(step)
		return f
	}
	return nil
}

// broke words an error from below: an interrupt and a schedule that is over
// come to light as errors of whatever was under way.
func (r *run) broke(ctx context.Context, route string, err error) *Failure {
	f := &Failure{Cause: RouterFailed, Route: route, Err: err}
	switch cause := context.Cause(ctx); {
	case ctx.Err() == nil || errors.Is(cause, errTidying):
	case errors.Is(cause, errTooLong):
		f.Cause = TookTooLong
	default:
		f.Cause = Interrupted
	}
	if r.now == nil {
		f.Left = Unmoved
	}
	return f
}

// end closes the books: what is true now, and why if the goal was not reached.
func (r *run) end(f *Failure) (Result, error) {
	r.tellForgiven()
	for i, route := range r.spec.Routes {
		x := RouteResult{Route: route}
		if r.now != nil {
			x.Setting, x.Weights, x.Read = r.now[i], r.weights(i), !r.dirty[i]
		}
		r.result.Routes = append(r.result.Routes, x)
	}
	if f == nil {
		r.tell(Event{Kind: Ended, Text: "done"})
		return r.result, nil
	}
	if f.Stage == "" && r.exposed && r.at > 0 {
		f.Stage = r.nameOf(shift.Step{At: r.at})
	}
	r.tell(Event{Kind: Ended, Text: fmt.Sprintf("%s; %s", f.Cause, f.Left)})
	return r.result, f
}
