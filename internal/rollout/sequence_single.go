package rollout

import (
	"context"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Schedules with one write per route.

// revert shifts to the previous version in one write per route, checking only health.
// Gates are evaluated afterwards and are report-only.
func (s *sequence) revert(ctx context.Context) *Failure {
	if f := s.attach(ctx); f != nil {
		return f
	}
	s.report.phase("health check")
	f := s.monitor.wait(ctx, stage{name: "health check before the revert", part: shift.Before, ready: s.backends.incoming(s.schedule.Desired)})
	if f != nil {
		return f
	}
	if f := s.checkCredentials(ctx, shift.Step{At: shift.Full}); f != nil {
		return f
	}
	s.report.phase("shift to " + shift.Full.String())
	if f := s.moveAll(ctx); f != nil {
		return f
	}
	gates := s.gatesFor(shift.After, shift.Step{})
	for _, g := range gates {
		g.DryRun = true
	}
	return s.settle(ctx, gates)
}

// moveAll moves every route of a revert even if an interrupt arrives meanwhile, so that
// none is left behind.
func (s *sequence) moveAll(ctx context.Context) *Failure {
	if err := ctx.Err(); err != nil {
		f := failureOf(ctx, "", err)
		f.Stage = s.path.name(shift.Full)
		return f
	}
	limit := &limitError{"the revert was not written and read back", revertTimeout}
	limited, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit.limit, limit)
	defer cancel()
	return s.move(limited, shift.Full)
}

// rollBackToStable runs a schedule of kind Rollback: the desired weights are the rollback
// target. If settling fails or is interrupted, the traffic remains there.
func (s *sequence) rollBackToStable(ctx context.Context) *Failure {
	s.progress = started
	rollbackCtx := context.WithoutCancel(ctx)
	states := s.desired.stable()
	checkCtx, cancel := context.WithTimeout(rollbackCtx, checkTimeout)
	defer cancel()
	if detail := s.fleet.unhealthyTarget(checkCtx, s.desired.rollbackTargets(s.exposed)); detail != "" {
		return &Failure{Cause: NotHealthy, Detail: detail}
	}
	if err := s.fleet.rollBack(rollbackCtx, states, s.spec.rollbackTimeout()); err != nil {
		return &Failure{Cause: RouterFailed, RollbackErr: err}
	}
	if err := s.fleet.checkAt(s.desired.rollbackTargets(s.exposed)); err != nil {
		return &Failure{Cause: ExternalChange, Err: err}
	}
	if i := slices.Index(s.fleet.missing, true); i >= 0 { // the others are rolled back
		return &Failure{Cause: RouteMissing, Route: s.spec.Routes[i].ID}
	}
	s.progress = completed
	s.report.phase("settle")
	if f := s.monitor.wait(ctx, stage{name: "settle", part: shift.After, hold: s.spec.Request.Strategy.Settle}); f != nil {
		return f
	}
	return s.conclude(ctx)
}
