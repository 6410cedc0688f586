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

// errScheduleExceeded is the cause of a context whose shift outlasted its schedule.
var errScheduleExceeded = errors.New("the schedule's longest time is over")

// run is one shift under way. Only Run's own goroutine touches it.
type run struct {
	spec     Spec
	schedule shift.Schedule

	observed []RouteState // what each route did when the shift began
	current  []RouteState // what each was last read to do
	previous []RouteState // the same before the last write; nil: none was made
	dirty    []bool       // written and not read back: nobody knows what the route does

	gates      map[string]*activeGate
	startedAt  time.Time
	changedAt  time.Time // of the last change of weights
	step       int       // 1 is the first; 0 before any traffic
	at         shift.Share
	exposed    bool // the new side has had traffic, from this run or an earlier one
	gatesReset bool
	result     Result
}

// Run does what spec asks and returns what it left behind; see Result. Its
// error is always a *Failure. When ctx ends, the shift goes back (or stops,
// where spec says so) on a context of its own before Run returns.
func Run(ctx context.Context, spec Spec) (Result, error) {
	r := newRun(spec)
	defer r.awaitGateCalls()
	if f := r.observe(ctx); f != nil {
		return r.end(f)
	}
	limited, cancel := context.WithTimeoutCause(ctx, r.schedule.Longest(), errScheduleExceeded)
	defer cancel()
	if f := r.execute(limited); f != nil {
		r.handleFailure(ctx, f)
		return r.end(f)
	}
	return r.end(nil)
}

func newRun(spec Spec) *run {
	if spec.RollbackRouter == nil {
		spec.RollbackRouter = spec.Router
	}
	r := &run{spec: spec, startedAt: time.Now(), gates: map[string]*activeGate{}}
	r.changedAt = r.startedAt
	for _, g := range spec.Gates {
		r.gates[g.Name] = &activeGate{NamedGate: g, calling: make(chan struct{}, 1)}
	}
	return r
}

// execute is the way forward. Every return but the last is a reason to go back.
func (r *run) execute(ctx context.Context) *Failure {
	switch r.schedule.Kind {
	case shift.Rejected:
		return &Failure{Cause: VersionRejected, Disposition: Unchanged}
	case shift.ExternalChange:
		return &Failure{Cause: MovedExternally, Disposition: Unchanged, Rejects: r.schedule.Certain}
	case shift.NoChange:
		return r.cleanUp(ctx)
	case shift.Rollback:
		return r.rollBackToStable(ctx)
	case shift.Revert:
		return r.revert(ctx)
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
	if f := r.evaluateSplit(ctx); f != nil {
		return f
	}
	for _, step := range r.schedule.Steps {
		if f := r.takeStep(ctx, step); f != nil {
			return f
		}
	}
	return r.finish(ctx)
}

// observe reads every route, compares with what the plan saw, and decides.
func (r *run) observe(ctx context.Context) *Failure {
	states, err := r.readForward(ctx)
	if err != nil {
		return r.failureFrom(ctx, "", err)
	}
	r.observed, r.current, r.dirty = states, append([]RouteState(nil), states...), make([]bool, len(states))
	for i := range states {
		if f := r.checkPlanned(i); f != nil {
			return f
		}
	}
	r.schedule, err = r.spec.Decide(states)
	if err != nil {
		return &Failure{Cause: TooManyGroups, Disposition: Unchanged, Err: err}
	}
	r.result.Kind = r.schedule.Kind
	r.result.From = r.mean()
	if f := r.checkFeasible(); f != nil {
		return f
	}
	r.exposed = r.schedule.Split != nil || r.schedule.BakeOnly
	r.emit(Event{Kind: ShiftStarted, Text: r.schedule.Kind.String()})
	for i := range states {
		r.emit(Event{Kind: RouteRead, Route: r.spec.Routes[i].ID, Weights: r.weights(i)})
	}
	return nil
}

// checkPlanned: a route that the plan knew gives its traffic as the plan saw it;
// one that it did not know forwards, or answers an error that serves no one. Who
// is named with weight 0 may differ: an environment that goes in the same apply
// takes itself off, and what is due is decided by what is found.
func (r *run) checkPlanned(i int) *Failure {
	route, now := r.spec.Routes[i], r.observed[i]
	if r.joins(i) {
		if now.Response != "" && !now.FixedError {
			return &Failure{Cause: NotForwarding, Disposition: Unchanged, Route: route.ID, Detail: now.Response}
		}
		return nil
	}
	if now.Response != "" && now.Equal(*route.Planned) {
		return &Failure{Cause: ExternalChange, Disposition: LeftToOthers, Route: route.ID, Detail: now.Response}
	}
	if now.Response != "" || !now.EqualTraffic(*route.Planned) || now.Stickiness != route.Planned.Stickiness {
		return &Failure{Cause: ExternalChange, Disposition: LeftToOthers, Route: route.ID,
			Detail: fmt.Sprintf("%s; the plan saw %s", r.describe(i, now), r.describe(i, *route.Planned))}
	}
	return nil
}

// joins: nothing was known of the route when this was planned, so its own
// setting is where a way back leads.
func (r *run) joins(i int) bool { return r.spec.Stable == nil || r.spec.Routes[i].Planned == nil }

// checkFeasible: every gate that is to judge is there, and whoever is to have traffic
// has a group on every route.
func (r *run) checkFeasible() *Failure {
	switch r.schedule.Kind {
	case shift.NoChange, shift.Rejected, shift.ExternalChange:
		return nil
	case shift.Forward, shift.Rollback, shift.Revert:
	}
	for _, g := range r.spec.Request.Strategy.Gates {
		if a := r.gates[g.Name]; a == nil || a.Gate == nil {
			return &Failure{Cause: GateErrored, Disposition: Unchanged, Gate: g.Name, Err: errNoGate}
		}
	}
	for i, route := range r.spec.Routes {
		for _, name := range r.schedule.Desired.Names() {
			if r.spec.groupOf(route.Entry, name, r.observed[i]) == "" {
				return &Failure{Cause: RouterFailed, Disposition: Unchanged, Route: route.ID,
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
	first := r.schedule.Desired
	if len(r.schedule.Steps) > 0 {
		first = r.highest(r.schedule.Steps[0].At)
	}
	r.phase("health")
	if f := r.wait(ctx, stage{name: "health before the first weight", part: shift.Before, ready: first, steady: true}); f != nil {
		return f
	}
	r.resetGates()
	gates := r.gatesFor(shift.Before, shift.Step{})
	if len(gates) == 0 {
		return nil
	}
	r.phase("gates before any traffic")
	return r.wait(ctx, stage{name: "the gates before the first weight", part: shift.Before, gates: gates, needGates: true})
}

// evaluateSplit judges a split that was found as if this run had made it.
func (r *run) evaluateSplit(ctx context.Context) *Failure {
	if r.schedule.Split == nil {
		return nil
	}
	step := *r.schedule.Split
	r.step, r.at = r.stepReached(step.At), step.At
	r.resetGates()
	r.phase("judge what was found")
	return r.wait(ctx, stage{name: "the split that was found", part: shift.During, hold: step.Hold,
		gates: r.gatesFor(shift.During, step), needGates: true, watch: r.mean()})
}

// takeStep goes one step: health for its share, the weights, the hold.
func (r *run) takeStep(ctx context.Context, step shift.Step) *Failure {
	next := r.highest(step.At)
	r.phase("health for " + step.At.String())
	check := stage{name: "health before " + r.stepName(step), part: shift.During, ready: next}
	if r.exposed {
		check.gates, check.watch = r.gatesFor(shift.During, r.lastStep()), r.mean()
	}
	if f := r.wait(ctx, check); f != nil {
		return f
	}
	if f := r.checkCredentials(ctx, step); f != nil {
		return f
	}
	r.phase("move to " + step.At.String())
	if f := r.move(ctx, step); f != nil {
		f.Stage = r.stepName(step)
		return f
	}
	if step.At == shift.Full {
		return nil // the bake holds it
	}
	r.phase("hold at " + step.At.String())
	return r.wait(ctx, stage{name: r.stepName(step), part: shift.During, hold: step.Hold,
		gates: r.gatesFor(shift.During, step), needGates: true, watch: next})
}

// finish is everything at 100 %: bake, settle, let go of what is not wanted.
func (r *run) finish(ctx context.Context) *Failure {
	r.step, r.at, r.exposed = len(r.steps())+1, shift.Full, true
	strategy, gates := r.spec.Request.Strategy, r.gatesFor(shift.After, shift.Step{})
	r.resetGatesOnce()
	r.phase("bake")
	f := r.wait(ctx, stage{name: "the bake", part: shift.After, hold: strategy.Bake,
		gates: gates, needGates: true, watch: r.schedule.Desired})
	if f != nil {
		return f
	}
	return r.settle(ctx, gates)
}

// settle gives the balancer's nodes time to obey before a group is let go.
func (r *run) settle(ctx context.Context, gates []*activeGate) *Failure {
	r.phase("settle")
	f := r.wait(ctx, stage{name: "settling", part: shift.After, hold: r.spec.Request.Strategy.Settle,
		gates: gates, needGates: true, watch: r.schedule.Desired})
	if f != nil {
		return f
	}
	return r.conclude(ctx)
}

// revert goes back to a version that was live before, under health alone.
// Its gates are asked once the traffic is there, and told, not obeyed.
func (r *run) revert(ctx context.Context) *Failure {
	if f := r.attach(ctx); f != nil {
		return f
	}
	r.phase("health")
	if f := r.wait(ctx, stage{name: "health before going back", part: shift.Before, ready: r.schedule.Desired}); f != nil {
		return f
	}
	full := shift.Step{At: shift.Full}
	if f := r.checkCredentials(ctx, full); f != nil {
		return f
	}
	r.phase("move to " + full.At.String())
	if f := r.moveAll(ctx, full); f != nil {
		f.Stage = r.stepName(full)
		return f
	}
	gates := r.gatesFor(shift.After, shift.Step{})
	for _, g := range gates {
		g.DryRun = true
	}
	return r.settle(ctx, gates)
}

// moveAll moves even where an interrupt comes in between: half of a way back
// is no place to stay.
func (r *run) moveAll(ctx context.Context, full shift.Step) *Failure {
	if err := ctx.Err(); err != nil {
		return r.failureFrom(ctx, "", err)
	}
	limited, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), rollbackTimeout, errScheduleExceeded)
	defer cancel()
	return r.move(limited, full)
}

// checkCredentials makes sure that the credentials outlive the hold and a way back.
func (r *run) checkCredentials(ctx context.Context, step shift.Step) *Failure {
	if r.spec.CredentialsLast == nil {
		return nil
	}
	need := step.Hold + rollbackTimeout
	if step.At == shift.Full {
		need = r.spec.Request.Strategy.Bake + r.spec.Request.Strategy.Settle + rollbackTimeout
	}
	if err := r.spec.CredentialsLast(ctx, need); err != nil {
		f := r.failureFrom(ctx, "", err)
		if f.Cause != Interrupted && f.Cause != TimedOut {
			f.Cause = CredentialsExpire
		}
		f.Stage = "the check before " + r.stepName(step)
		return f
	}
	return nil
}

// failureFrom words an error from below: an interrupt and a schedule that is over
// come to light as errors of whatever was under way.
func (r *run) failureFrom(ctx context.Context, route string, err error) *Failure {
	f := &Failure{Cause: RouterFailed, Route: route, Err: err}
	switch cause := context.Cause(ctx); {
	case ctx.Err() == nil || errors.Is(cause, errCleanup):
	case errors.Is(cause, errScheduleExceeded):
		f.Cause = TimedOut
	default:
		f.Cause = Interrupted
	}
	if r.current == nil {
		f.Disposition = Unchanged
	}
	return f
}

// end closes the books: what is true now, and why if the goal was not reached.
func (r *run) end(f *Failure) (Result, error) {
	r.warnTolerated()
	for i, route := range r.spec.Routes {
		x := RouteResult{Route: route}
		if r.current != nil {
			x.State, x.Weights, x.Read = r.current[i], r.weights(i), !r.dirty[i]
		}
		r.result.Routes = append(r.result.Routes, x)
	}
	if f == nil {
		r.emit(Event{Kind: ShiftEnded, Text: "done"})
		return r.result, nil
	}
	if f.Stage == "" && r.exposed && r.at > 0 {
		f.Stage = r.stepName(shift.Step{At: r.at})
	}
	r.emit(Event{Kind: ShiftEnded, Text: fmt.Sprintf("%s; %s", f.Cause, f.Disposition)})
	return r.result, f
}
