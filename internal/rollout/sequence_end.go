package rollout

import (
	"context"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// end ends the record of the shift, completes the result with the last state of every
// route, and emits the outcome.
func (s *sequence) end(ctx context.Context, f *Failure) (Result, error) {
	s.monitor.warnTolerated(s.monitor.named(s.spec.Request.Strategy.Gates))
	s.result.RecordRemains = !s.lease.end(ctx, f)
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
	s.report.emit(Event{Kind: ShiftEnded, Text: fmt.Sprintf("%s, %s", f.Cause, f.Disposition)})
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
	for _, split := range s.desired.splits() {
		for _, route := range split.routes {
			left.From[route], left.To[route] = split.from, split.to
		}
	}
	return left
}
