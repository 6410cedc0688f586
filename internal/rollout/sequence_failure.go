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

// externalChangeTimeout replaces checkTimeout after a failure of health, which an
// external change may have caused.
const externalChangeTimeout = 5 * time.Second

// failing is the part of a sequence that follows a failure. It is the only place that rolls
// a shift back.
type failing struct{ *sequence }

// handle collects the facts about a failure until facts.ending decides what happens
// to the traffic, and does it. It completes f, and leaves the states of the fleet as last read.
func (s failing) handle(interrupted context.Context, f *Failure) {
	ctx := context.WithoutCancel(interrupted)
	if s.progress != notRead && (!s.back || s.exposed) {
		s.result.Reached = s.fleet.mean()
	}
	s.nameMissing(f)
	s.nameMarked(ctx, f)
	s.nameOvertaken(f)
	known := s.facts(f)
	if f.Cause == RolledBackByUser && s.progress != notRead && s.progress != notStarted {
		known.routes = followed{sequence: s.sequence}.await(interrupted)
	}
	checkCtx, cancel := context.WithTimeout(ctx, checkTimeoutFor(f))
	defer cancel()
	end := known.ending()
	for ; !end.decided(); end = known.ending() {
		if end.next == readRoutes {
			known.routes = s.readRoutes(checkCtx, f)
			known.cause, known.gateStops = f.Cause, f.stops
		} else {
			known.target = s.readHealth(checkCtx, f)
		}
	}
	readCtx, stopReading := ctx, context.CancelFunc(func() {})
	if f.Cause == Interrupted { // nobody who interrupts waits until a read cannot be stale
		readCtx, stopReading = context.WithTimeout(ctx, externalChangeTimeout)
	}
	defer stopReading()
	switch end.next {
	case rollBack:
		s.failed = true
		if end.rejects {
			s.reason = s.lease.reject(f)
		} else {
			s.lease.rollsBack()
		}
		handing(s).over(nil)
		s.report.emit(Event{Kind: RollbackStarted, Text: f.Error(), Failure: f})
		f.RollbackErr = s.rollBack(ctx)
		end = s.afterRollback(f, known)
	case refresh:
		handing(s).release()
		s.fleet.inspect().refresh(readCtx)
		if f.Change = s.changedSinceBack(); f.Change != "" {
			end.disposition = NotOverridden
		}
	default:
		handing(s).release()
		s.fleet.inspect().refreshDirty(readCtx)
	}
	f.Disposition, f.Rejects = end.disposition, end.rejects
	if end.next == rollBack && f.RollbackErr != nil && !errors.Is(f.RollbackErr, ErrUnconfirmed) {
		f.Disposition = RollbackFailed
	}
}

// changedSinceBack describes an external change since this run rolled an unfinished shift
// back, before it began one of its own; empty: there is none.
func (s failing) changedSinceBack() string {
	if !s.back || s.progress != notStarted {
		return ""
	}
	for _, i := range s.fleet.existing() {
		if now, before := s.fleet.current[i], s.fleet.observed[i]; !now.EqualTraffic(before) {
			return fmt.Sprintf("observed %s; expected %s", s.fleet.describe(i, now), s.fleet.describe(i, before))
		}
	}
	return ""
}

// afterRollback decides again after a rollback, which may have found that a route does not
// exist. That is the cause of f unless all routes were there before the rollback.
func (s failing) afterRollback(f *Failure, known facts) ending {
	if !s.wasRead {
		s.nameMissing(f)
		known.cause, known.gateStops = f.Cause, f.stops
	}
	if s.fleet.allMissing() {
		known.routes = routesGone
	}
	return known.ending()
}

// facts returns what is known about a failure without a call.
func (s failing) facts(f *Failure) facts {
	known := facts{progress: s.progress, kind: s.schedule.Kind, cause: f.Cause,
		moved: s.fleet.moved, back: s.back, repairs: s.schedule.Repairs, exposed: s.exposed,
		stopOnFailure: s.spec.StopOnFailure, stopOnInterrupt: s.spec.StopOnInterrupt, gateStops: f.stops}
	if s.recovering { // a rollback is not rolled back
		known.kind = shift.Rollback
	}
	switch {
	case s.progress == notRead || s.progress == notStarted && f.Cause != ExternalChange:
	case s.fleet.allMissing():
		known.routes = routesGone
	case f.Cause == ExternalChange:
		known.routes = s.changedRoutes()
	}
	return known
}

// nameOvertaken makes the loss of the lease the cause of an external change where it may have been
// another apply: it took this shift over when its lease had expired, and has ended.
func (s failing) nameOvertaken(f *Failure) {
	if f.Cause == ExternalChange && s.lease.hasLapsed() {
		f.Cause = LeaseLost
		f.Detail = joinText("its lease had expired, and the record was removed from the routes", f.Detail)
	}
}

// changedRoutes is what an external change left. One that returned all routes is evidence against
// the version only if a person did it in mid-shift, and not if another apply may have, or another
// resource that manages the routes.
func (s failing) changedRoutes() routesSeen {
	seen := s.desired.changedRoutes()
	if seen == routesReturned && (s.lease.hasLapsed() || s.desired.areReset()) {
		return routesChanged
	}
	return seen
}

// nameMissing makes a route or group that does not exist the cause of a failure: it may
// explain any other, such as the missing health of a group without a listener, and it says
// nothing about the version. An interrupt remains the cause.
func (s failing) nameMissing(f *Failure) {
	s.fleet.markMissingFrom(f.Err)
	i := slices.Index(s.fleet.missing, true)
	switch {
	case f.Cause == Interrupted || f.Cause == Aborted || f.Cause == RouteMissing || f.RollbackErr != nil && (s.recovering || s.schedule.Kind == shift.Rollback):
	case i >= 0:
		if !errors.Is(f.Err, traffic.ErrNotFound) {
			f.Symptom = f.Cause
		}
		f.Cause, f.Route, f.stops = RouteMissing, s.spec.Routes[i].ID, false
	case f.Cause == RouterFailed && errors.Is(f.Err, traffic.ErrNotFound):
		f.Cause = GroupMissing
		f.Group, _ = traffic.Missing(f.Err)
	}
}

// readRoutes reads the routes before a rollback. A route that does not exist becomes the
// cause of f, and so does an external change that may explain it, because the version may
// be good then (a group that somebody detached is not checked); f keeps its stage and
// detail. Any other cause remains, and f has the change beside it.
func (s failing) readRoutes(ctx context.Context, f *Failure) routesSeen {
	edit := externalEdit{targets: s.desired.rollbackTargets(s.exposed), pauses: rereadPauses[:1], changed: s.isChanged}
	if isAboutHealth(f) {
		edit.pauses = rereadPauses // a stale read would hide that an external change is the cause
		edit.changed = func(i int, state traffic.State) bool {
			return s.isChanged(i, state) || s.desired.lacksGaining(i, state)
		}
	}
	var change *Failure
	change, s.wasRead = s.fleet.inspect().changedBeforeRollback(ctx, edit)
	s.nameMissing(f)
	switch {
	case change != nil && isExplainedByChange(f):
		change.Stage, change.Detail = f.Stage, joinText(change.Detail, f.Detail)
		*f = *change
		return s.changedRoutes()
	case change != nil:
		f.Change = change.Detail
		if f.Route == "" {
			f.Route = change.Route
		}
		return s.changedRoutes()
	case s.fleet.allMissing():
		return routesGone
	case len(s.desired.rollback(s.exposed)) == 0:
		return routesRestored
	}
	return routesElsewhere
}

// isChanged reports whether the traffic of the i-th route is not what it was when it was
// last read. A change beside the traffic, such as stickiness, does not count.
func (s failing) isChanged(i int, state traffic.State) bool {
	return !state.EqualTraffic(s.fleet.current[i])
}

// readHealth reads the health of the rollback targets, and adds to f what they lack.
func (s failing) readHealth(ctx context.Context, f *Failure) healthSeen {
	detail := s.fleet.inspect().unhealthyTarget(ctx, s.desired.rollbackTargets(s.exposed))
	if detail == "" {
		return healthGood
	}
	f.Detail = joinText(f.Detail, detail)
	return healthNone
}

// rollBack rolls every route back, and checks that all are at their rollback targets.
func (s failing) rollBack(ctx context.Context) error {
	if err := s.fleet.rollBack(ctx, s.desired.rollback(s.exposed), s.spec.rollbackTimeout()); err != nil {
		return err
	}
	return s.fleet.inspect().checkAt(s.desired.rollbackTargets(s.exposed))
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

// isExplainedByChange reports whether an external change may be the reason for a failure:
// of health, of a gate without data, of a call. What a gate measured, and an interrupt,
// have other reasons.
func isExplainedByChange(f *Failure) bool {
	return slices.Contains([]Cause{HealthFailed, NotHealthy, TooFewTargets, HealthUnreadable, GateInconclusive, RouterFailed, TimedOut}, f.Cause)
}
