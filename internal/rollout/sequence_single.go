package rollout

import (
	"context"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Schedules with one write per route.

// rollBackFirst returns every route to where an unfinished shift started. It does not
// settle: what follows waits before it moves traffic.
func (s *sequence) rollBackFirst(ctx context.Context) *Failure {
	s.progress, s.recovering = started, true
	s.result.Reached = s.fleet.mean()
	rollbackCtx := context.WithoutCancel(ctx)
	s.report.phase("roll back the unfinished shift")
	checkCtx, cancel := context.WithTimeout(rollbackCtx, checkTimeout)
	defer cancel()
	if detail := s.fleet.inspect().unhealthyTarget(checkCtx, s.desired.backTargets()); detail != "" {
		return &Failure{Cause: NotHealthy, Detail: detail}
	}
	if err := s.fleet.rollBack(rollbackCtx, s.desired.back(), s.spec.rollbackTimeout()); err != nil {
		return &Failure{Cause: RouterFailed, RollbackErr: err}
	}
	s.progress, s.recovering, s.back = notStarted, false, true
	s.fleet.observed = s.fleet.current
	s.monitor.weightsChanged()
	return nil
}

// accept runs a schedule of kind Accept: gates report, and nothing is written but what is
// attached and detached at the end.
func (s *sequence) accept(ctx context.Context) *Failure {
	s.progress = started
	return s.settle(ctx, s.reportOnly())
}

// reportOnly returns the gates of the bake, which only report.
func (s *sequence) reportOnly() []*activeGate {
	gates := s.gatesFor(shift.After, shift.Step{})
	for _, g := range gates {
		g.DryRun = true
	}
	return gates
}

// join gives the routes that join from idle environments the desired weights, once these
// are healthy. Where no route shows their health yet, they are attached first, unless the
// routes serve nobody now.
func (s *sequence) join(ctx context.Context) *Failure {
	states := s.desired.join()
	if len(states) == 0 {
		return nil
	}
	served, checked := s.healthOfJoining(ctx, states)
	if !checked && served {
		if f := s.attach(ctx); f != nil {
			return f
		}
	}
	if checked || served {
		s.report.phase("health check")
		f := s.monitor.wait(ctx, stage{name: "health check before routes join", part: shift.Before, ready: s.backends.incoming(s.schedule.Desired), permit: s.lease.permit()})
		if f != nil {
			return f
		}
	}
	s.progress = started
	s.report.phase("routes join")
	f := writing{s}.unchanged(ctx)
	if f == nil {
		f = writing{s}.write(ctx, s.desired.join()) // based on the states just read
	}
	if f != nil {
		f.Stage = "routes join"
		return f
	}
	s.monitor.weightsChanged()
	return nil
}

// healthOfJoining reports whether a route that joins forwards to a healthy target now, and
// whether the load balancer checks the groups that it gets. Without an answer, both are
// assumed to need care: served, and not checked.
func (s *sequence) healthOfJoining(ctx context.Context, joining map[int]traffic.State) (served, checked bool) {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var groups []string
	for i, state := range joining {
		groups = append(groups, state.Groups()...)
		groups = append(groups, s.fleet.current[i].Groups()...)
	}
	slices.Sort(groups)
	health, err := s.fleet.router.Health(limited, slices.Compact(groups))
	if err != nil {
		return true, false
	}
	checked = true
	for i, state := range joining {
		served = served || serving(s.fleet.current[i], health) > 0
		for group, weight := range state.Weights {
			checked = checked && (weight == 0 || !isUnused(health[group]))
		}
	}
	return served, checked
}

// isUnused reports whether the load balancer does not check the targets of a group.
func isUnused(h traffic.Health) bool {
	return len(h.Targets) > 0 && h.Count(traffic.Unused) == len(h.Targets)
}

// revert shifts to the previous version in one write per route, checking only health.
// Gates are evaluated afterwards and are report-only.
func (s *sequence) revert(ctx context.Context) *Failure {
	if f := s.attach(ctx); f != nil {
		return f
	}
	s.report.phase("health check")
	f := s.monitor.wait(ctx, stage{name: "health check before the revert", part: shift.Before, ready: s.backends.incoming(s.schedule.Desired), permit: s.lease.permit()})
	if f != nil {
		return f
	}
	if f := s.checkCredentials(ctx, shift.Step{At: shift.Full}); f != nil {
		return f
	}
	s.report.step(s.path, shift.Full)
	if f := s.moveAll(ctx); f != nil {
		return f
	}
	return s.settle(ctx, s.reportOnly())
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
	return s.setWeights(limited, shift.Full)
}

// rollBackToStable runs a schedule of kind Rollback: the desired weights are the rollback
// target. If settling fails or is interrupted, the traffic remains there.
func (s *sequence) rollBackToStable(ctx context.Context) *Failure {
	s.progress = started
	rollbackCtx := context.WithoutCancel(ctx)
	states := s.desired.stable()
	checkCtx, cancel := context.WithTimeout(rollbackCtx, checkTimeout)
	defer cancel()
	if detail := s.fleet.inspect().unhealthyTarget(checkCtx, s.desired.rollbackTargets(s.exposed)); detail != "" {
		return &Failure{Cause: NotHealthy, Detail: detail}
	}
	if err := s.fleet.rollBack(rollbackCtx, states, s.spec.rollbackTimeout()); err != nil {
		return &Failure{Cause: RouterFailed, RollbackErr: err}
	}
	if err := s.fleet.inspect().checkAt(s.desired.rollbackTargets(s.exposed)); err != nil {
		return &Failure{Cause: ExternalChange, Err: err}
	}
	if i := slices.Index(s.fleet.missing, true); i >= 0 { // the others are rolled back
		return &Failure{Cause: RouteMissing, Route: s.spec.Routes[i].ID}
	}
	s.progress = completed
	s.report.phase("settle")
	if f := s.monitor.wait(ctx, stage{name: "settle", part: shift.After, hold: s.schedule.Request.Strategy.Settle}); f != nil {
		return f
	}
	return finishing{s}.conclude(ctx)
}
