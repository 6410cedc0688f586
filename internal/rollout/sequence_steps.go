package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// stepwise is the part of a sequence that raises the traffic by steps, under health and
// gates.
type stepwise struct{ *sequence }

// preflight calls the gates that can prevent a start. It skips them for a current split,
// because blocking would leave the split in place, and where the gaining environments
// have most of the traffic: an alarm that a canary set off must not block the shift that
// makes the canary smaller.
func (s stepwise) preflight(ctx context.Context) *Failure {
	if s.exposed || s.backends.haveMostTraffic() {
		return nil
	}
	return s.monitor.preflight(ctx, s.monitor.named(s.spec.Request.Strategy.Gates))
}

// checkIdle waits until the gaining environments are healthy, then until the gates before
// any traffic pass. For environments that already have traffic, evaluateSplit does this
// instead. It reports whether the shift goes to 100 % at once, because the giving side has no
// registered target: its users get errors, so the gaining side need not be steady either.
func (s stepwise) checkIdle(ctx context.Context) (advances bool, f *Failure) {
	if s.exposed || len(s.schedule.Gaining) == 0 {
		return false, nil
	}
	s.report.phase("health check")
	gates := s.gatesFor(shift.Before, shift.Step{})
	whole := s.backends.incoming(s.desired.highest(shift.Full)) // a shift that cannot be completed does not start
	check := s.leaving(stage{name: "health check before the first step", part: shift.Before, ready: whole, steady: true})
	if len(gates) > 0 {
		check.permit = nil // nothing is written after this stage
	}
	advances, f = s.monitor.hold(ctx, check)
	if f != nil {
		return false, f
	}
	s.monitor.resetGates()
	if len(gates) == 0 {
		return advances, nil
	}
	s.evaluated = gates
	s.report.phase("gates before any traffic")
	f = s.monitor.wait(ctx, stage{name: "gates before any traffic", part: shift.Before, gates: gates})
	if f != nil || !advances {
		return false, f
	}
	s.report.phase("health check for " + shift.Full.String()) // the gates took a while
	return s.monitor.hold(ctx, s.leaving(stage{name: "health check before " + s.path.name(shift.Full), part: shift.Before,
		hold: 2 * sourceProof, gates: gates, ready: whole}))
}

// takeSteps takes the steps up to 100 %, and skips those in between where the giving side
// has no registered target.
func (s stepwise) takeSteps(ctx context.Context, advances bool) *Failure {
	var f *Failure
	if !advances {
		advances, f = s.evaluateSplit(ctx)
	}
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

// leaving returns the stage with what ends it early: a giving side without a registered
// target. No step is skipped that has gates of its own, and no approval: a person decides.
func (s stepwise) leaving(st stage) stage {
	st.source = s.backends.outgoing()
	asks := slices.ContainsFunc(s.schedule.Steps, func(x shift.Step) bool {
		return x.At > s.at && x.At < shift.Full && !x.Bakes && (s.spec.Request.Strategy.HasOwnGates(x) || s.at == 0 && s.needsApproval(x))
	})
	if !s.spec.WarnOnSourceUnhealthy && !asks {
		st.advance, st.permit = s.backends.incoming(s.desired.highest(shift.Full)), s.lease.permit()
	}
	return st
}

// needsApproval reports whether the step waits for an approval. In a later hold the same gate
// has passed already, or keeps the shift there.
func (s stepwise) needsApproval(step shift.Step) bool {
	return slices.ContainsFunc(s.gatesFor(shift.During, step), func(g *activeGate) bool { return g.PassLasts && !g.DryRun })
}

// evaluateSplit holds and evaluates the observed split like a step of this shift.
func (s stepwise) evaluateSplit(ctx context.Context) (advances bool, f *Failure) {
	if s.schedule.Split == nil {
		return false, nil
	}
	step := *s.schedule.Split
	s.step, s.at = s.path.reached(step.At), step.At
	s.monitor.resetGates()
	s.report.phase("evaluate the current split")
	return s.hold(ctx, step, stage{name: "evaluation of the current split", watch: s.backends.incoming(s.fleet.mean())})
}

// takeStep runs one step: it waits for the health that its weights need, sets the
// weights, and holds them.
func (s stepwise) takeStep(ctx context.Context, step shift.Step) (advances bool, f *Failure) {
	next := s.desired.highest(step.At)
	s.report.phase("health check for " + step.At.String())
	check := stage{name: "health check before " + s.path.name(step.At), part: shift.Before, gates: s.evaluated, ready: s.backends.incoming(next), source: s.backends.outgoing(), permit: s.lease.permit()}
	if s.exposed {
		check.part, check.watch = shift.During, s.backends.incoming(s.fleet.mean())
	}
	if f := s.monitor.wait(ctx, check); f != nil {
		return false, f
	}
	if f := s.checkCredentials(ctx, step); f != nil {
		return false, f
	}
	s.report.step(s.path, step.At)
	if f := s.setWeights(ctx, step.At); f != nil || step.At == shift.Full {
		return false, f // the hold at 100 % is the bake
	}
	if step.Bakes {
		s.report.phase("bake at " + step.At.String())
	} else {
		s.report.phase("hold at " + step.At.String())
	}
	return s.hold(ctx, step, stage{name: s.path.name(step.At), watch: s.backends.incoming(next)})
}

// hold holds the weights of a step below 100 %, and reports whether the rest of the shift
// follows at once.
func (s stepwise) hold(ctx context.Context, step shift.Step, st stage) (advances bool, f *Failure) {
	st.part, st.hold = step.Part(), step.Hold
	st.gates = s.gatesFor(shift.During, step)
	s.evaluated, st = st.gates, s.leaving(st)
	start := time.Now()
	advances, f = s.monitor.hold(ctx, st)
	if step.Bakes && f == nil {
		s.baked = !advances
		s.bakeLeft = max(0, step.Hold-time.Since(start))
	}
	return advances, f
}

// advance goes to 100 % at once. The hold that ended early has checked the health for that,
// the gates and the lease.
func (s stepwise) advance(ctx context.Context, full shift.Step) *Failure {
	if f := s.checkCredentials(ctx, full); f != nil {
		return f
	}
	from := s.at
	s.report.step(s.path, full.At)
	if f := s.setWeights(ctx, full.At); f != nil {
		return f
	}
	if len(s.schedule.Steps) == 1 {
		return nil // as planned
	}
	s.report.warn(fmt.Sprintf("The shift went from %s to %s at once, because the environments that give traffic had no registered targets (on_source_unhealthy = \"advance\").", from, full.At))
	return nil
}

// finish runs what follows at 100 %: bake, settle, detach.
func (s *sequence) finish(ctx context.Context) *Failure {
	s.step, s.at, s.exposed = s.path.last(), shift.Full, true
	if s.baked { // with a baseline to compare with, which there is none of now
		return s.settle(ctx, nil)
	}
	gates := s.gatesFor(shift.After, shift.Step{})
	s.evaluated = gates
	if !s.monitor.reset { // the shift starts with the bake
		s.monitor.resetGates()
	}
	s.report.phase("bake")
	f := s.monitor.wait(ctx, stage{name: "bake", part: shift.After, hold: s.bakeLeft,
		gates: gates, watch: s.backends.incoming(s.schedule.Desired)})
	if f != nil {
		return f
	}
	return s.settle(ctx, gates)
}

// settle waits until all nodes of the load balancer use the new weights, because a
// group must not be detached before that.
func (s *sequence) settle(ctx context.Context, gates []*activeGate) *Failure {
	s.report.phase("settle")
	f := s.monitor.wait(ctx, stage{name: "settle", part: shift.After, hold: s.schedule.Request.Strategy.Settle, fixed: true,
		gates: gates, watch: s.backends.incoming(s.schedule.Desired)})
	if f != nil {
		return f
	}
	return finishing{s}.conclude(ctx)
}

// finishing is the part of a sequence that ends a shift whose traffic is where it should be.
type finishing struct{ *sequence }

// conclude ends a shift that reached the desired weights. The last look at its record finds a
// command that rolled it back meanwhile: without it, the shift would be completed, and the version
// that the command rejected would be stable.
func (s finishing) conclude(ctx context.Context) *Failure {
	f := s.checkEnd(ctx)
	if f != nil {
		return f
	}
	if mark, is := errors.AsType[*markError](renewing{s.lease}.lastMark(ctx)); is {
		f = mark.failure()
		f.Stage = "final check"
	}
	return f
}

// checkEnd cleans up, or checks that the routes are unchanged and exist. A check that cannot read
// is ignored, because every write has been read back before.
func (s finishing) checkEnd(ctx context.Context) *Failure {
	if len(s.desired.cleanUp()) > 0 {
		return s.cleanUp(ctx)
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), StaleFor+externalChangeTimeout)
	defer cancel()
	f := writing(s).unchanged(limited)
	unread := f != nil && slices.Contains([]Cause{RouterFailed, Interrupted, Aborted, TimedOut}, f.Cause) && !errors.Is(f.Err, traffic.ErrNotFound)
	switch {
	case f != nil && !unread:
		f.Stage = "final check"
		return f
	case s.fleet.trafficOnly: // stickiness may be on since
		return s.cleanUp(ctx)
	}
	return nil
}

// cleanUp attaches and detaches until each action has exactly Schedule.AttachedAfter. It
// moves no traffic. The shift is complete by then, so neither an interrupt nor a failure
// of the write causes a rollback.
func (s *sequence) cleanUp(ctx context.Context) *Failure {
	s.progress = completed
	handing{s}.release()
	if len(s.desired.cleanUp()) == 0 {
		return nil
	}
	s.report.phase("attach and detach")
	limit := &limitError{"the groups were not attached and detached", cleanUpTimeout}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit.limit, limit)
	defer cancel()
	f := writing{s}.unchanged(ctx)
	if f == nil {
		f = writing{s}.write(ctx, s.desired.cleanUp()) // based on the states just read
	}
	if f != nil {
		f.Stage = "attach and detach"
	}
	return f
}

// end ends the record of the shift, completes the result with the last state of every
// route, and emits the outcome.
func (s *sequence) end(ctx context.Context, f *Failure) (Result, error) {
	handing{s}.release()
	s.monitor.warnTolerated(s.monitor.named(s.spec.Request.Strategy.Gates))
	s.result.Records = endingLease{s.lease}.end(ctx, f)
	s.result.Left = s.left(f)
	if s.schedule.Kind == shift.Rejected {
		s.result.Rejected = s.schedule.Request.Rejected
	}
	s.result.Moved, s.result.Warnings = s.fleet.moved, s.report.warnings
	for i, route := range s.spec.Routes {
		x := RouteResult{Route: route}
		if s.fleet.current != nil {
			x.State, x.Weights, x.Read = s.fleet.current[i], s.fleet.weights(i), !s.fleet.dirty[i]
		}
		x.Missing = s.fleet.missing[i]
		x.Read = x.Read && !x.Missing
		s.result.Routes = append(s.result.Routes, x)
	}
	if f == nil {
		s.report.emit(Event{Kind: ShiftEnded, Text: "completed"})
		return s.result, nil
	}
	if f.Stage == "" && s.exposed && s.at > 0 {
		f.Stage = s.path.name(s.at)
	}
	s.report.emit(Event{Kind: ShiftEnded, Text: fmt.Sprintf("%s, %s", f.Cause, f.Disposition), Failure: f})
	return s.result, f
}

// left returns what a failed shift left for the next apply: where it started and its goal.
// A shift that is done, or rolled back, or has no route left, leaves nothing, and one that did not begin leaves
// what was there before.
func (s *sequence) left(f *Failure) *traffic.Left {
	switch {
	case f == nil || f.Disposition == RolledBack || f.Disposition == NoRouteLeft || s.back && s.progress == notStarted:
		return nil
	case s.progress == notRead || s.progress == notStarted || s.schedule.Kind == shift.Rollback || s.recovering || f.Disposition == Unchanged:
		return s.spec.Record.Left
	}
	left := &traffic.Left{Record: s.spec.Record.Template, From: map[string]map[string]shift.Share{}, To: map[string]map[string]shift.Share{}}
	left.Shift, left.Phase, left.Reached = s.spec.ID, traffic.PhaseOpen, s.at
	left.Owner = traffic.Owner{} // it has ended
	for _, split := range s.desired.splits() {
		for _, route := range split.routes {
			left.From[route], left.To[route] = split.from, split.to
		}
	}
	return left
}
