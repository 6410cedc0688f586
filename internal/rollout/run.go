// Package rollout runs one shift of traffic, as the controller of Argo Rollouts runs a
// rollout. Run reads the routes, decides (package shift), attaches the environments
// that gain traffic, waits until they are healthy, sets the weights step by step while
// gates (analysis) and health are evaluated, bakes, settles, and detaches what is no
// longer needed. When a gate or health fails, or the apply is interrupted, it rolls
// back every route. There is no process apart from the apply: a shift ends with Run.
//
// The package owns the interfaces that it calls, Router and Gate, and reports what
// happens as events. Time is plain time and context, so tests use testing/synctest.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Errors of an incomplete Spec.
var (
	errNoGate  = errors.New("the gate is not configured")
	errNoGroup = errors.New("no target group for a desired environment")
)

// errScheduleExceeded is the cause of a context whose shift exceeded its schedule.
var errScheduleExceeded = errors.New("the longest duration of the schedule is exceeded")

// run is the state of one shift. Only the goroutine of Run uses it. Slices by route
// are in the order of Spec.Routes.
type run struct {
	spec     Spec
	schedule shift.Schedule

	observed []traffic.State // at the start of the shift
	current  []traffic.State // as last read
	previous []traffic.State // as read before the last write; nil: nothing was written
	dirty    []bool          // written and not read back: the state is unknown

	gates      map[string]*activeGate
	startedAt  time.Time
	changedAt  time.Time   // of the last weight change
	step       int         // from 1; 0 before any traffic
	at         shift.Share // the part of the shift that is done
	exposed    bool        // the gaining environments have had traffic, from this or an earlier apply
	gatesReset bool
	result     Result
}

// Run runs the shift and returns where it left the traffic, also with an error. The
// error is always a *Failure. When ctx ends, Run rolls back (or stops in place, see
// Spec.StopOnInterrupt) on its own context before it returns.
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

// execute runs the schedule from top to bottom. Run passes every Failure of it to
// handleFailure, which rolls back if needed.
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

// observe reads every route, compares it with the plan, and computes the schedule.
func (r *run) observe(ctx context.Context) *Failure {
	states, err := r.readForward(ctx)
	if err != nil {
		return r.failureFrom(ctx, "", err)
	}
	r.observed, r.current, r.dirty = states, append([]traffic.State(nil), states...), make([]bool, len(states))
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

// checkPlanned checks that a route has the traffic that the plan was based on. A route
// that is new to the switch must forward or respond with a fixed 5xx. Groups at weight 0 may differ: an
// environment that is destroyed in the same apply detaches itself.
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
			Detail: fmt.Sprintf("observed %s; planned %s", r.describe(i, now), r.describe(i, *route.Planned))}
	}
	return nil
}

// joins reports whether the plan had no state of the route. Its rollback target is then
// its observed state.
func (r *run) joins(i int) bool { return r.spec.Stable == nil || r.spec.Routes[i].Planned == nil }

// checkFeasible checks that every gate is configured and that every desired environment
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
			if r.spec.Owners.Group(route.Entry, name, r.observed[i]) == "" {
				return &Failure{Cause: RouterFailed, Disposition: Unchanged, Route: route.ID,
					Err: fmt.Errorf("%w: %s, entry point %s", errNoGroup, name, route.Entry)}
			}
		}
	}
	return nil
}

// prove waits until the gaining environments are healthy, then until the gates before
// any traffic pass. For environments that already have traffic, evaluateSplit does
// this instead.
func (r *run) prove(ctx context.Context) *Failure {
	if r.exposed || len(r.schedule.Gaining) == 0 {
		return nil
	}
	first := r.schedule.Desired
	if len(r.schedule.Steps) > 0 {
		first = r.highest(r.schedule.Steps[0].At)
	}
	r.phase("health check")
	if f := r.wait(ctx, stage{name: "health check before the first step", part: shift.Before, ready: first, steady: true}); f != nil {
		return f
	}
	r.resetGates()
	gates := r.gatesFor(shift.Before, shift.Step{})
	if len(gates) == 0 {
		return nil
	}
	r.phase("gates before any traffic")
	return r.wait(ctx, stage{name: "gates before any traffic", part: shift.Before, gates: gates, needGates: true})
}

// evaluateSplit holds and evaluates the observed split like a step of this shift.
func (r *run) evaluateSplit(ctx context.Context) *Failure {
	if r.schedule.Split == nil {
		return nil
	}
	step := *r.schedule.Split
	r.step, r.at = r.stepReached(step.At), step.At
	r.resetGates()
	r.phase("evaluate the current split")
	return r.wait(ctx, stage{name: "evaluation of the current split", part: shift.During, hold: step.Hold,
		gates: r.gatesFor(shift.During, step), needGates: true, watch: r.mean()})
}

// takeStep runs one step: it waits for the health that its weights need, sets the
// weights, and holds them.
func (r *run) takeStep(ctx context.Context, step shift.Step) *Failure {
	next := r.highest(step.At)
	r.phase("health check for " + step.At.String())
	check := stage{name: "health check before " + r.stepName(step), part: shift.During, ready: next}
	if r.exposed {
		check.gates, check.watch = r.gatesFor(shift.During, r.lastStep()), r.mean()
	}
	if f := r.wait(ctx, check); f != nil {
		return f
	}
	if f := r.checkCredentials(ctx, step); f != nil {
		return f
	}
	r.phase("shift to " + step.At.String())
	if f := r.move(ctx, step); f != nil {
		f.Stage = r.stepName(step)
		return f
	}
	if step.At == shift.Full {
		return nil // the hold at 100 % is the bake
	}
	r.phase("hold at " + step.At.String())
	return r.wait(ctx, stage{name: r.stepName(step), part: shift.During, hold: step.Hold,
		gates: r.gatesFor(shift.During, step), needGates: true, watch: next})
}

// finish runs what follows at 100 %: bake, settle, detach.
func (r *run) finish(ctx context.Context) *Failure {
	r.step, r.at, r.exposed = len(r.steps())+1, shift.Full, true
	strategy, gates := r.spec.Request.Strategy, r.gatesFor(shift.After, shift.Step{})
	r.resetGatesOnce()
	r.phase("bake")
	f := r.wait(ctx, stage{name: "bake", part: shift.After, hold: strategy.Bake,
		gates: gates, needGates: true, watch: r.schedule.Desired})
	if f != nil {
		return f
	}
	return r.settle(ctx, gates)
}

// settle waits until all nodes of the load balancer use the new weights, because a
// group must not be detached before that.
func (r *run) settle(ctx context.Context, gates []*activeGate) *Failure {
	r.phase("settle")
	f := r.wait(ctx, stage{name: "settle", part: shift.After, hold: r.spec.Request.Strategy.Settle,
		gates: gates, needGates: true, watch: r.schedule.Desired})
	if f != nil {
		return f
	}
	return r.conclude(ctx)
}

// revert shifts to the previous version in one write per route, checking only health.
// Gates are evaluated afterwards and are report-only.
func (r *run) revert(ctx context.Context) *Failure {
	if f := r.attach(ctx); f != nil {
		return f
	}
	r.phase("health check")
	if f := r.wait(ctx, stage{name: "health check before the revert", part: shift.Before, ready: r.schedule.Desired}); f != nil {
		return f
	}
	full := shift.Step{At: shift.Full}
	if f := r.checkCredentials(ctx, full); f != nil {
		return f
	}
	r.phase("shift to " + full.At.String())
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

// moveAll moves every route of a revert even if an interrupt arrives meanwhile, so that
// none is left behind.
func (r *run) moveAll(ctx context.Context, full shift.Step) *Failure {
	if err := ctx.Err(); err != nil {
		return r.failureFrom(ctx, "", err)
	}
	limited, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), rollbackTimeout, errScheduleExceeded)
	defer cancel()
	return r.move(limited, full)
}

// checkCredentials checks that the credentials last through the step's hold (at 100 %,
// bake and settle) and a rollback after it.
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
		f.Stage = "credentials check before " + r.stepName(step)
		return f
	}
	return nil
}

// failureFrom converts the error of a call. If ctx has ended, the cause is the
// interrupt or the exceeded schedule: the error is only a consequence.
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

// end completes the result with the last state of every route and emits the outcome.
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
		r.emit(Event{Kind: ShiftEnded, Text: "completed"})
		return r.result, nil
	}
	if f.Stage == "" && r.exposed && r.at > 0 {
		f.Stage = r.stepName(shift.Step{At: r.at})
	}
	r.emit(Event{Kind: ShiftEnded, Text: fmt.Sprintf("%s, %s", f.Cause, f.Disposition)})
	return r.result, f
}
