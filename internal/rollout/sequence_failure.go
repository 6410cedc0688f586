package rollout

import (
	"context"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// externalChangeTimeout replaces checkTimeout after a failure of health, which an
// external change may have caused.
const externalChangeTimeout = 5 * time.Second

// handleFailure collects the facts about a failure until facts.ending decides what happens
// to the traffic, and does it. It is the only place that rolls a shift back. It completes
// f, and leaves the states of the fleet as last read.
func (s *sequence) handleFailure(ctx context.Context, f *Failure) {
	ctx = context.WithoutCancel(ctx)
	if s.progress != notRead && (!s.back || s.exposed) {
		s.result.Reached = s.fleet.mean()
	}
	known := s.facts(f)
	checkCtx, cancel := context.WithTimeout(ctx, checkTimeoutFor(f))
	defer cancel()
	end := known.ending()
	for ; !end.decided(); end = known.ending() {
		if end.next == readRoutes {
			known.routes = s.readRoutes(checkCtx, f)
			known.cause = f.Cause
		} else {
			known.target = s.readHealth(checkCtx, f)
		}
	}
	switch end.next {
	case rollBack:
		if end.rejects {
			s.lease.reject(f)
		}
		s.report.emit(Event{Kind: RollbackStarted, Text: f.Error()})
		f.RollbackErr = s.rollBack(ctx)
	case refresh:
		s.fleet.refresh(ctx)
	default:
		s.fleet.refreshDirty(ctx)
	}
	f.Disposition, f.Rejects = end.disposition, end.rejects
	if end.next == rollBack && f.RollbackErr != nil {
		f.Disposition = RollbackFailed
	}
}

// facts returns what is known about a failure without a call.
func (s *sequence) facts(f *Failure) facts {
	known := facts{progress: s.progress, kind: s.schedule.Kind, cause: f.Cause,
		moved: s.fleet.moved, back: s.back, repairs: s.schedule.Repairs, exposed: s.exposed,
		stopOnFailure: s.spec.StopOnFailure, stopOnInterrupt: s.spec.StopOnInterrupt, gateStops: f.stops}
	if s.goingBack { // a rollback is not rolled back
		known.kind = shift.Rollback
	}
	if f.Cause == ExternalChange && s.progress != notRead {
		known.routes = s.desired.changedRoutes()
	}
	return known
}

// readRoutes reads the routes before a rollback. An external change replaces f, because
// missing health is then not the version's fault (a group that somebody detached is not
// checked); f keeps its stage and detail.
func (s *sequence) readRoutes(ctx context.Context, f *Failure) routesSeen {
	pauses := rereadPauses[:1]
	if isAboutHealth(f) {
		pauses = rereadPauses // a stale read would hide that an external change is the cause
	}
	if change := s.fleet.changedBeforeRollback(ctx, s.desired.rollbackTargets(s.exposed), pauses); change != nil {
		change.Stage, change.Detail = f.Stage, joinText(change.Detail, f.Detail)
		*f = *change
		return s.desired.changedRoutes()
	}
	if len(s.desired.rollback(s.exposed)) == 0 {
		return routesRestored
	}
	return routesElsewhere
}

// readHealth reads the health of the rollback targets, and adds to f what they lack.
func (s *sequence) readHealth(ctx context.Context, f *Failure) healthSeen {
	detail := s.fleet.unhealthyTarget(ctx, s.desired.rollbackTargets(s.exposed))
	if detail == "" {
		return healthGood
	}
	f.Detail = joinText(f.Detail, detail)
	return healthNone
}

// rollBack rolls every route back, and checks that all are at their rollback targets.
func (s *sequence) rollBack(ctx context.Context) error {
	if err := s.fleet.rollBack(ctx, s.desired.rollback(s.exposed)); err != nil {
		return err
	}
	return s.fleet.checkAt(s.desired.rollbackTargets(s.exposed))
}

// checkTimeoutFor returns the limit for all checks before a rollback.
func checkTimeoutFor(f *Failure) time.Duration {
	if isAboutHealth(f) {
		return externalChangeTimeout
	}
	return checkTimeout
}

func isAboutHealth(f *Failure) bool {
	return slices.Contains([]Cause{HealthFailed, NotHealthy, TooFewTargets}, f.Cause)
}
