package rollout

import (
	"context"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

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
	limit := &limitError{"the revert was not written and read back", rollbackTimeout, TimedOut}
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
	if err := s.fleet.rollBack(rollbackCtx, states); err != nil {
		return &Failure{Cause: RouterFailed, RollbackErr: err}
	}
	if err := s.fleet.checkAt(s.desired.rollbackTargets(s.exposed)); err != nil {
		return &Failure{Cause: ExternalChange, Err: err}
	}
	s.progress = completed
	s.report.phase("settle")
	if f := s.monitor.wait(ctx, stage{name: "settle", part: shift.After, hold: s.spec.Request.Strategy.Settle}); f != nil {
		return f
	}
	return s.conclude(ctx)
}

// conclude ends a shift that reached the desired weights: it cleans up, or checks that the
// routes are unchanged. A check that cannot read is ignored, because every write has
// been read back before.
func (s *sequence) conclude(ctx context.Context) *Failure {
	if len(s.desired.cleanUp()) > 0 {
		return s.cleanUp(ctx)
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), externalChangeTimeout)
	defer cancel()
	if f := s.fleet.unchanged(limited); f != nil && f.Cause == ExternalChange {
		f.Stage = "final check"
		return f
	}
	return nil
}

// cleanUp attaches and detaches until each action has exactly Schedule.AttachedAfter. It
// moves no traffic. The shift is complete by then, so neither an interrupt nor a failure
// of the write causes a rollback.
func (s *sequence) cleanUp(ctx context.Context) *Failure {
	s.progress = completed
	if len(s.desired.cleanUp()) == 0 {
		return nil
	}
	s.report.phase("attach and detach")
	limit := &limitError{"the groups were not attached and detached", rollbackTimeout, RouterFailed}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit.limit, limit)
	defer cancel()
	f := s.fleet.unchanged(ctx)
	if f == nil {
		f = s.fleet.writeAndVerify(ctx, s.desired.cleanUp()) // based on the states just read
	}
	if f != nil {
		f.Stage = "attach and detach"
	}
	return f
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
	err := s.spec.CredentialsLast(ctx, hold+rollbackTimeout)
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
