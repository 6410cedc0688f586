package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// sequence is one shift in progress: its schedule and how far it is. Its methods are the
// phases of the shift, in the order in which they run. Only the goroutine of Run uses it.
type sequence struct {
	spec     Spec
	schedule shift.Schedule
	path     path

	fleet    *fleet
	monitor  *monitor
	desired  desiredStates
	backends backends
	lease    *lease
	report   *reporter

	progress progress    // what a failure would find
	step     int         // from 1; 0 before any traffic
	at       shift.Share // the part of the shift that is done
	exposed  bool        // the gaining environments have had traffic, from this or an earlier apply

	recovering bool // it rolls back an unfinished shift before anything else
	back       bool // it did
	wasRead    bool // after a failure, all routes were read before the rollback
	result     Result
}

// Run runs the shift and returns where it left the traffic, also with an error. The
// error is always a *Failure. When ctx ends, Run rolls back (or stops in place, see
// Spec.StopOnInterrupt) on its own context before it returns.
func Run(ctx context.Context, spec Spec) (Result, error) {
	s := newSequence(spec)
	defer s.monitor.awaitGateCalls()
	f := s.observe(ctx)
	if f == nil {
		limited, cancel := context.WithTimeoutCause(ctx, s.longest(), errScheduleExceeded)
		defer cancel()
		f = s.execute(limited)
	}
	if f != nil {
		s.handleFailure(ctx, f)
	}
	return s.end(ctx, f)
}

func newSequence(spec Spec) *sequence {
	report := &reporter{onEvent: spec.OnEvent}
	s := &sequence{spec: spec, report: report, progress: notRead,
		fleet: newFleet(spec, report), monitor: newMonitor(spec.Router, spec.Health, spec.Gates, report)}
	s.lease = newLease(spec, report)
	s.desired = desiredStates{&s.spec, &s.schedule, s.fleet}
	s.backends = backends{&s.spec, &s.schedule, s.fleet}
	s.monitor.position = s.position
	return s
}

// longest returns the limit of the shift. The retries of a rollback are not part of the
// schedule, and must not use up the time for what follows it.
func (s *sequence) longest() time.Duration {
	if s.schedule.Kind == shift.Rollback || s.schedule.RollsBackFirst {
		return s.schedule.Longest() + s.spec.rollbackTimeout()
	}
	return s.schedule.Longest()
}

// observe reads every route, compares it with the plan, and computes the schedule.
func (s *sequence) observe(ctx context.Context) *Failure {
	if err := s.fleet.observe(ctx); err != nil {
		return failureOf(ctx, "", err)
	}
	s.spec.Routes = slices.Clone(s.spec.Routes)
	for i := range s.spec.Routes {
		s.spec.Routes[i].Missing = s.fleet.missing[i]
	}
	if f := s.desired.checkPlanned(); f != nil {
		return f
	}
	if f := s.lease.observe(ctx); f != nil {
		return f
	}
	s.spec = s.lease.resolve(s.spec)
	s.observeJoining(ctx)
	var err error
	if s.schedule, err = s.spec.Decide(s.fleet.observed); err != nil {
		return &Failure{Cause: TooManyGroups, Err: err}
	}
	s.path = pathOf(s.schedule)
	s.result.Kind, s.result.From = s.schedule.Kind, s.fleet.mean()
	if s.schedule.Kind.Moves() {
		if f := s.monitor.checkGates(s.spec.Request.Strategy); f != nil {
			return f
		}
		if f := s.desired.checkGroups(); f != nil {
			return f
		}
	}
	s.exposed = s.schedule.Split != nil || s.schedule.BakeOnly
	s.report.emit(Event{Kind: ShiftStarted, Text: s.schedule.Kind.String()})
	for _, i := range s.fleet.existing() {
		s.report.emit(Event{Kind: RouteRead, Route: s.spec.Routes[i].ID, Weights: s.fleet.weights(i)})
	}
	return nil
}

// observeJoining finds out which routes that join serve nobody. Without an answer they
// count as serving.
func (s *sequence) observeJoining(ctx context.Context) {
	if s.spec.Stable == nil {
		return
	}
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for i, state := range s.fleet.observed {
		if !s.desired.joins(i) || len(state.Groups()) == 0 {
			continue
		}
		health, err := s.fleet.router.Health(limited, state.Groups())
		s.spec.Routes[i].unserved = err == nil && serving(state, health) == 0
	}
}

// execute runs the schedule from top to bottom. Run passes every Failure of it to
// handleFailure, which rolls back if needed.
func (s *sequence) execute(ctx context.Context) *Failure {
	s.progress = notStarted
	if s.schedule.RollsBackFirst {
		if f := s.rollBackFirst(ctx); f != nil {
			return f
		}
	}
	switch s.schedule.Kind {
	case shift.Rejected:
		return &Failure{Cause: VersionRejected}
	case shift.ExternalChange:
		return &Failure{Cause: MovedExternally}
	case shift.OtherSwitch:
		return &Failure{Cause: OtherSwitch, Detail: s.schedule.Request.OtherSwitch}
	case shift.RouteMissing:
		return &Failure{Cause: RouteMissing, Route: s.spec.Routes[max(slices.Index(s.fleet.missing, true), 0)].ID}
	case shift.NoChange:
		return s.cleanUp(ctx)
	case shift.Rollback:
		return s.rollBackToStable(ctx)
	case shift.Accept:
		return s.accept(ctx)
	case shift.Forward, shift.Revert, shift.Join:
	}
	if s.schedule.Kind == shift.Forward {
		if f := s.preflight(ctx); f != nil {
			return f
		}
	}
	if f := s.lease.acquire(ctx, s.spec.ID, s.desired.splits()); f != nil {
		return f
	}
	return s.move(ctx)
}

// move runs a schedule that increases weights.
func (s *sequence) move(ctx context.Context) *Failure {
	if s.schedule.Kind == shift.Revert {
		return s.revert(ctx)
	}
	if f := s.join(ctx); f != nil {
		return f
	}
	if s.schedule.Kind == shift.Join {
		return s.settle(ctx, nil)
	}
	if f := s.attach(ctx); f != nil {
		return f
	}
	if f := s.checkIdle(ctx); f != nil {
		return f
	}
	if f := s.takeSteps(ctx); f != nil {
		return f
	}
	return s.finish(ctx)
}

// takeSteps takes the steps up to 100 %, and skips those in between where the giving side
// has no registered target.
func (s *sequence) takeSteps(ctx context.Context) *Failure {
	advances, f := s.evaluateSplit(ctx)
	for _, step := range s.schedule.Steps {
		switch {
		case f != nil:
			return f
		case !advances:
			advances, f = s.takeStep(ctx, step)
		case step.At == shift.Full:
			f = s.advance(ctx, step)
		}
	}
	return f
}

// preflight calls the gates that can prevent a start. It skips them for a current split,
// because blocking would leave the split in place, and where the gaining environments
// have most of the traffic: an alarm that a canary set off must not block the shift that
// makes the canary smaller.
func (s *sequence) preflight(ctx context.Context) *Failure {
	if s.exposed || s.backends.haveMostTraffic() {
		return nil
	}
	return s.monitor.preflight(ctx, s.monitor.named(s.spec.Request.Strategy.Gates))
}

// attach adds the groups of the shift's environments to every action at weight 0, where
// the router needs that, and replaces fixed errors.
func (s *sequence) attach(ctx context.Context) *Failure {
	s.progress = started
	if s.schedule.ReplacesFixedError {
		if f := s.checkCredentials(ctx, shift.Step{At: shift.Full}); f != nil {
			return f
		}
	}
	states := s.desired.attach()
	if len(states) == 0 {
		return nil
	}
	s.report.phase("attach")
	f := s.fleet.writeAndVerify(ctx, states)
	if s.schedule.ReplacesFixedError {
		s.monitor.weightsChanged()
	}
	return f
}

// checkIdle waits until the gaining environments are healthy, then until the gates before
// any traffic pass. For environments that already have traffic, evaluateSplit does this
// instead.
func (s *sequence) checkIdle(ctx context.Context) *Failure {
	if s.exposed || len(s.schedule.Gaining) == 0 {
		return nil
	}
	s.report.phase("health check")
	whole := s.backends.incoming(s.desired.highest(shift.Full)) // a shift that cannot be completed does not start
	f := s.monitor.wait(ctx, stage{name: "health check before the first step", part: shift.Before, ready: whole, steady: true})
	if f != nil {
		return f
	}
	s.monitor.resetGates()
	gates := s.gatesFor(shift.Before, shift.Step{})
	if len(gates) == 0 {
		return nil
	}
	s.report.phase("gates before any traffic")
	return s.monitor.wait(ctx, stage{name: "gates before any traffic", part: shift.Before, gates: gates, needGates: true})
}

// evaluateSplit holds and evaluates the observed split like a step of this shift.
func (s *sequence) evaluateSplit(ctx context.Context) (advances bool, f *Failure) {
	if s.schedule.Split == nil {
		return false, nil
	}
	step := *s.schedule.Split
	s.step, s.at = s.path.reached(step.At), step.At
	s.monitor.resetGates()
	s.report.phase("evaluate the current split")
	return s.hold(ctx, step, stage{name: "evaluation of the current split", watch: s.backends.incoming(s.fleet.mean())})
}

// hold holds the weights of a step below 100 %, and reports whether the rest of the shift
// follows at once. No step is skipped that has gates of its own: one of them may ask a person.
func (s *sequence) hold(ctx context.Context, step shift.Step, st stage) (advances bool, f *Failure) {
	st.part, st.hold = shift.During, step.Hold
	st.gates, st.needGates = s.gatesFor(shift.During, step), true
	st.source = s.backends.outgoing()
	gated := slices.ContainsFunc(s.schedule.Steps, func(x shift.Step) bool { return x.At > step.At && len(x.Gates) > 0 })
	if !s.spec.WarnOnSourceUnhealthy && !gated {
		st.advance, st.permit = s.backends.incoming(s.desired.highest(shift.Full)), s.lease.permit()
	}
	return s.monitor.hold(ctx, st)
}

// advance goes to 100 % at once. The hold that ended early has checked the health for that,
// the gates and the lease.
func (s *sequence) advance(ctx context.Context, full shift.Step) *Failure {
	if f := s.checkCredentials(ctx, full); f != nil {
		return f
	}
	from := s.at
	s.report.phase("shift to " + full.At.String())
	if f := s.setWeights(ctx, full.At); f != nil {
		return f
	}
	s.report.warn(fmt.Sprintf("The shift went from %s to %s at once, because the environments that give traffic had no registered targets (on_source_unhealthy = \"advance\").", from, full.At))
	return nil
}

// takeStep runs one step: it waits for the health that its weights need, sets the
// weights, and holds them.
func (s *sequence) takeStep(ctx context.Context, step shift.Step) (advances bool, f *Failure) {
	next := s.desired.highest(step.At)
	s.report.phase("health check for " + step.At.String())
	check := stage{name: "health check before " + s.path.name(step.At), part: shift.During, ready: s.backends.incoming(next), permit: s.lease.permit()}
	if s.exposed {
		check.gates, check.watch = s.gatesFor(shift.During, s.lastStep()), s.backends.incoming(s.fleet.mean())
	}
	if f := s.monitor.wait(ctx, check); f != nil {
		return false, f
	}
	if f := s.checkCredentials(ctx, step); f != nil {
		return false, f
	}
	s.report.phase("shift to " + step.At.String())
	if f := s.setWeights(ctx, step.At); f != nil || step.At == shift.Full {
		return false, f // the hold at 100 % is the bake
	}
	s.report.phase("hold at " + step.At.String())
	return s.hold(ctx, step, stage{name: s.path.name(step.At), watch: s.backends.incoming(next)})
}

// setWeights sets the weights of a step on all routes.
func (s *sequence) setWeights(ctx context.Context, at shift.Share) *Failure {
	f := s.fleet.unchanged(ctx)
	if f == nil {
		s.step, s.at, s.exposed = s.path.number(at), at, true
		f = s.fleet.writeAndVerify(ctx, s.desired.step(at))
	}
	if f != nil {
		f.Stage = s.path.name(at)
		return f
	}
	s.lease.reached(at)
	s.monitor.weightsChanged()
	return nil
}

// checkCredentials checks that the credentials last through the step's hold (at 100 %,
// bake and settle) and a rollback after it.
func (s *sequence) checkCredentials(ctx context.Context, step shift.Step) *Failure {
	if s.spec.CredentialsLast == nil {
		return nil
	}
	hold := step.Hold
	if step.At == shift.Full {
		hold = s.spec.Request.Strategy.Bake + s.spec.Request.Strategy.Settle
	}
	err := s.spec.CredentialsLast(ctx, hold+rollbackDuration)
	if err == nil {
		return nil
	}
	f := failureOf(ctx, "", err)
	if f.Cause == RouterFailed { // and not the end of ctx
		f.Cause = CredentialsExpire
	}
	f.Stage = "credentials check before " + s.path.name(step.At)
	return f
}

// lastStep returns the step whose weights the routes have now.
func (s *sequence) lastStep() shift.Step {
	if s.step > 0 && s.step < s.path.last() {
		return s.path[s.step-1]
	}
	if s.schedule.Split != nil {
		return *s.schedule.Split
	}
	return shift.Step{At: s.at}
}

// gatesFor returns the gates that are evaluated in a part of the shift.
func (s *sequence) gatesFor(part shift.When, step shift.Step) []*activeGate {
	return s.monitor.named(s.spec.Request.Strategy.GatesFor(part, step))
}

// position is the input of the gates at this point of the shift.
func (s *sequence) position() GateInput {
	return GateInput{
		Shift: s.spec.ID, From: s.schedule.From(), To: s.schedule.Desired,
		Step: s.step, Steps: s.path.last(), Weights: s.fleet.mean(),
		Incoming: s.backends.gaining(), Live: s.backends.live(),
	}
}
