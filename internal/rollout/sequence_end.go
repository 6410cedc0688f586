package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

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
	f := s.monitor.wait(ctx, stage{name: "settle", part: shift.After, hold: s.spec.Request.Strategy.Settle,
		gates: gates, watch: s.backends.incoming(s.schedule.Desired)})
	if f != nil {
		return f
	}
	return s.conclude(ctx)
}

// conclude ends a shift that reached the desired weights: it cleans up, or checks that the
// routes are unchanged and exist. A check that cannot read is ignored, because every write
// has been read back before.
func (s *sequence) conclude(ctx context.Context) *Failure {
	if len(s.desired.cleanUp()) > 0 {
		return s.cleanUp(ctx)
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), StaleFor+externalChangeTimeout)
	defer cancel()
	f := writing{s}.unchanged(limited)
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
