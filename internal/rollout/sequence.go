package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
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

	progress progress      // what a failure would find
	step     int           // from 1; 0 before any traffic
	at       shift.Share   // the part of the shift that is done
	bakeLeft time.Duration // at 100 %
	baked    bool          // below 100 %, so no gate is evaluated there
	exposed  bool          // the gaining environments have had traffic, from this or an earlier apply
	// evaluated is the gates of the last stage that evaluated some: before any traffic, or a hold.
	// They go on while the next step waits for health.
	evaluated []*activeGate

	guardian Guardian                // nil: none was started, or it was released
	abort    context.CancelCauseFunc // ends the context of execute
	failed   bool                    // the shift is being rolled back
	reason   string                  // why the version is rejected; empty: it is not

	recovering bool     // it rolls back an unfinished shift before anything else
	sticky     *Failure // stickiness was changed since the plan, which only stops what is no rollback or revert
	back       bool     // it did
	wasRead    bool     // after a failure, all routes were read before the rollback
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
		limited, s.abort = context.WithCancelCause(limited)
		defer s.abort(nil)
		s.lease.onMark = s.abort
		f = s.execute(limited)
	}
	if f != nil {
		failing{s}.handle(ctx, f)
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
	s.monitor.position, s.monitor.requests = s.position, newRequests(s.lease)
	s.monitor.poll = newPoll(s.fleet, spec.PollRoutes)
	s.lease.onLook = s.monitor.poll.show
	return s
}

// longest returns the limit of the shift. The retries of a rollback, and the leases that are
// watched after it, are not part of the schedule, and must not use up the time for what follows.
func (s *sequence) longest() time.Duration {
	watching := time.Duration(len(s.lease.unwatched)) * (leaseDuration + watchInterval)
	if s.schedule.Kind == shift.Rollback || s.schedule.RollsBackFirst {
		return s.schedule.Longest() + s.spec.rollbackTimeout() + watching
	}
	return s.schedule.Longest()
}

// observe reads every route, compares it with the plan, and computes the schedule.
func (s *sequence) observe(ctx context.Context) *Failure {
	if f := s.desired.observe(ctx); f != nil {
		return otherLeases{s.lease}.explain(ctx, f)
	}
	s.spec.Routes = slices.Clone(s.spec.Routes)
	for i := range s.spec.Routes {
		s.spec.Routes[i].Missing = s.fleet.missing[i]
	}
	if f := s.lease.observe(ctx); f != nil {
		return f
	}
	s.spec = s.lease.resolve(s.spec)
	s.observeJoining(ctx)
	var err error
	if s.schedule, err = s.spec.Decide(s.fleet.observed); err != nil {
		if short, is := errors.AsType[*shift.HoldError](err); is {
			return &Failure{Cause: HoldTooShort, Detail: schedule.HoldText(short)}
		}
		return &Failure{Cause: TooManyGroups, Err: err}
	}
	if f := (otherLeases{s.lease}).await(ctx, s.schedule.Kind == shift.Rollback || s.schedule.RollsBackFirst); f != nil {
		return f
	}
	if f := s.checkStickiness(); f != nil {
		return f
	}
	s.path, s.bakeLeft = pathOf(s.schedule), s.spec.Request.Strategy.Bake
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

// checkStickiness compares the stickiness with the plan, which had other groups attached
// and detached with it. A rollback or revert only depends on the traffic, so what comes after
// a rollback of an unfinished shift is stopped when that is done.
func (s *sequence) checkStickiness() *Failure {
	kind := s.schedule.Kind
	s.fleet.trafficOnly = kind == shift.Rollback || kind == shift.Revert
	if s.fleet.trafficOnly || s.schedule.RollsBackFirst && kind.Refuses() {
		return nil
	}
	f := s.desired.checkStickiness()
	if s.schedule.RollsBackFirst {
		s.sticky, f = f, nil
	}
	return f
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
// failing.handle, which rolls back if needed.
func (s *sequence) execute(ctx context.Context) *Failure {
	s.progress = notStarted
	if s.schedule.RollsBackFirst || s.schedule.Kind == shift.Rollback {
		handing{s}.start(ctx)
		otherLeases{s.lease}.marksReturn(ctx, s.fleet.missing)
	}
	if s.schedule.RollsBackFirst {
		if f := s.rollBackFirst(ctx); f != nil {
			return f
		}
	}
	if s.sticky != nil {
		return s.sticky
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
	if f := (otherLeases{s.lease}).awaitUnwatched(ctx); f != nil {
		return f
	}
	if s.schedule.Kind == shift.Forward {
		if f := (stepwise{s}).preflight(ctx); f != nil {
			return f
		}
	}
	handing{s}.start(ctx)
	handing{s}.await(ctx)
	if f := s.lease.acquire(ctx, s.spec.ID, s.desired.splits()); f != nil {
		return f
	}
	handing{s}.over(nil)
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
	steps := stepwise{s}
	advances, f := steps.checkIdle(ctx)
	if f != nil {
		return f
	}
	if f := steps.takeSteps(ctx, advances); f != nil {
		return f
	}
	return s.finish(ctx)
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
	f := writing{s}.write(ctx, states)
	if s.schedule.ReplacesFixedError {
		s.monitor.weightsChanged()
	}
	return f
}

// setWeights sets the weights of a step on all routes.
func (s *sequence) setWeights(ctx context.Context, at shift.Share) *Failure {
	f := writing{s}.unchanged(ctx)
	if f == nil {
		s.step, s.at, s.exposed = s.path.number(at), at, true
		f = writing{s}.write(ctx, s.desired.step(at))
	}
	if f != nil {
		f.Stage = cmp.Or(f.Stage, s.path.name(at))
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
		hold = s.bakeLeft + s.schedule.Request.Strategy.Settle
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

// gatesFor returns the gates that are evaluated in a part of the shift.
func (s *sequence) gatesFor(part shift.When, step shift.Step) []*activeGate {
	return s.monitor.named(s.spec.Request.Strategy.GatesFor(part, step))
}

// position is the input of the gates at this point of the shift.
func (s *sequence) position() GateInput {
	return GateInput{
		Shift: s.spec.ID, From: s.schedule.From(), To: s.schedule.Desired,
		Step: s.step, Steps: s.path.last(), Weights: s.fleet.mean(),
		Incoming: s.backends.gaining(), Live: s.backends.live(), Rollback: s.schedule.Kind == shift.Revert || s.schedule.Kind == shift.Rollback,
	}
}

// path is the configured steps of a shift, by which stages are named and numbered. The last
// step, at 100 %, is not in it; a revert has no other.
type path []shift.Step

// pathOf returns the path of a schedule.
func pathOf(s shift.Schedule) path {
	if s.Kind == shift.Revert {
		return nil
	}
	return s.Request.Strategy.Path()
}

// number returns the number of the step that a part of the shift belongs to, from 1.
func (p path) number(at shift.Share) int {
	i := slices.IndexFunc(p, func(s shift.Step) bool { return s.At >= at })
	if i < 0 {
		return p.last()
	}
	return i + 1
}

// at returns a step by its number; the last one is that at 100 %.
func (p path) at(number int) shift.Step {
	if number < 1 || number >= p.last() {
		return shift.Step{At: shift.Full}
	}
	return p[number-1]
}

// last returns the number of the step at 100 %.
func (p path) last() int { return len(p) + 1 }

func (p path) name(at shift.Share) string {
	return fmt.Sprintf("step %d of %d (%s)", p.number(at), p.last(), at)
}

// reached returns the number of the last step that a split has reached, or 1 if it has
// reached none.
func (p path) reached(at shift.Share) int {
	n := 0
	for _, step := range p {
		if step.At <= at {
			n++
		}
	}
	return max(n, 1)
}
