package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	// AbandonedAfter is how long after its lease has expired a shift counts as abandoned
	// without being watched. It is long, because clocks of two machines may differ.
	AbandonedAfter = time.Hour
	// watchInterval is the pause between two reads of a record that may be abandoned.
	watchInterval = 5 * time.Second
	// unreadWatch is how much longer it is watched where the last reads failed.
	unreadWatch = time.Minute
)

// RenewedAt returns when the owner of a shift last wrote its record: it moved traffic before
// that, or while this was written.
func RenewedAt(x traffic.Left) time.Time { return x.Expires.Add(-leaseDuration) }

// Describe names a shift with a record for people.
func Describe(x traffic.Left) string {
	text := fmt.Sprintf("shift %s", x.Shift)
	if owner := x.Owner.String(); owner != "" {
		text += " of " + owner
	}
	return fmt.Sprintf("%s, at %s", text, x.Reached)
}

// observe reads the records of the routes.
func (l *lease) observe(ctx context.Context) *Failure {
	if !l.isRecorded() {
		return nil
	}
	records, err := l.read(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return failureOf(ctx, "", err)
		}
		l.unread = err // a rollback needs no record
		return nil
	}
	l.found = traffic.MergeRecords(records)
	return nil
}

// otherLeases is the part of a lease that is about the shifts of others whose records it found.
type otherLeases struct{ *lease }

// await returns a Failure where somebody else may be shifting the routes. A record whose owner
// cannot be asked is watched for a whole lease. A rollback waits only until the lease has
// expired; what follows it waits for the rest, see awaitUnwatched.
func (l otherLeases) await(ctx context.Context, rollsBack bool) *Failure {
	all := slices.Clone(l.found) // none where the records could not be read
	if l.unread == nil {
		all = append(all, l.lost()...)
	}
	for _, x := range all {
		if !l.spec.mayBeRunning(x) {
			continue
		}
		limit := leaseDuration
		if rollsBack && !l.isKnown(x) {
			l.unwatched = append(l.unwatched, x)
			limit = min(limit, time.Until(x.Expires))
		}
		if f := l.awaitAbandoned(ctx, x, limit); f != nil && (!rollsBack || f.Cause != RecordFailed) {
			return f
		}
	}
	return nil
}

// explain returns the Failure for a change since the plan: another apply that is known to run
// has made it.
func (l otherLeases) explain(ctx context.Context, f *Failure) *Failure {
	if f.Cause != ExternalChange {
		return f
	}
	if unread := l.observe(ctx); unread != nil {
		return f
	}
	for _, x := range l.found {
		if l.spec.mayBeRunning(x) && l.isKnown(x) {
			if abandoned, _ := l.spec.Abandoned(x.Owner); !abandoned {
				return &Failure{Cause: Locked, Detail: Describe(x)}
			}
		}
	}
	return f
}

// awaitUnwatched watches the records for which a rollback did not wait. Nothing may be increased
// before.
func (l otherLeases) awaitUnwatched(ctx context.Context) *Failure {
	for _, x := range l.unwatched {
		if f := l.awaitAbandoned(ctx, x, leaseDuration); f != nil {
			return f
		}
	}
	return nil
}

// awaitAbandoned returns a Failure where the owner of a shift has not ended. Where that is not
// known, it watches the record for limit.
func (l otherLeases) awaitAbandoned(ctx context.Context, x traffic.Left, limit time.Duration) *Failure {
	abandoned, f := l.isAbandoned(ctx, x, limit)
	if f == nil && !abandoned {
		f = &Failure{Cause: Locked, Detail: Describe(x)}
	}
	if f != nil {
		l.taken = nil // its owner may still need it
	}
	return f
}

// isKnown reports whether it is known if the owner of a shift has ended.
func (l otherLeases) isKnown(x traffic.Left) bool {
	if l.spec.Abandoned == nil {
		return false
	}
	_, known := l.spec.Abandoned(x.Owner)
	return known
}

// mayBeRunning reports whether the owner of a record may still shift the routes. Where a shift
// of this switch completed, its apply may be about to save that.
func (s RecordSpec) mayBeRunning(x traffic.Left) bool {
	if !x.IsOpen() || s.isEnded(x) {
		return false
	}
	return x.Phase != traffic.PhaseCompleted || slices.Contains(s.Switches, x.Switch)
}

// isEnded reports whether the end of a shift is remembered, or it completed earlier in this
// process.
func (s RecordSpec) isEnded(x traffic.Left) bool {
	own := s.Template.Owner
	own.Guardian = x.Owner.Guardian // each shift has one of its own
	return slices.Contains(s.Ended, x.Shift) || x.Phase == traffic.PhaseCompleted && x.Owner == own && x.Owner.PID != 0
}

// lost returns the record that the plan knew and the routes do not have: its owner may be
// running and about to write it again.
func (l *lease) lost() []traffic.Left {
	left := l.spec.Left
	if left == nil || left.Owner == (traffic.Owner{}) || slices.ContainsFunc(l.found, func(x traffic.Left) bool { return x.Shift == left.Shift }) {
		return nil
	}
	return []traffic.Left{*left}
}

// isAbandoned reports whether the owner of a shift has ended.
func (l otherLeases) isAbandoned(ctx context.Context, x traffic.Left, limit time.Duration) (bool, *Failure) {
	if l.spec.Abandoned != nil {
		if abandoned, known := l.spec.Abandoned(x.Owner); known {
			return abandoned, nil
		}
	}
	if time.Since(x.Expires) > AbandonedAfter || limit <= 0 {
		return true, nil
	}
	l.report.phase(fmt.Sprintf("watch the lease of %s for %s", Describe(x), schedule.FormatDuration(limit)))
	for began := time.Now(); ; {
		if err := sleep(ctx, watchInterval); err != nil {
			return false, failureOf(ctx, "", err)
		}
		watched := time.Since(began)
		records, err := l.read(ctx)
		switch {
		case err != nil && watched > limit+unreadWatch: // it is not known to stand still
			return false, l.recordFailure(ctx, errors.Join(errRecordUnread, err))
		case err != nil:
			continue
		case isRenewed(x, records):
			return false, nil
		case watched >= limit:
			return true, nil
		}
	}
}

// isRenewed reports whether the record of a shift was renewed, or written again, since it was read.
func isRenewed(x traffic.Left, records map[string][]traffic.Record) bool {
	return slices.ContainsFunc(traffic.MergeRecords(records), func(now traffic.Left) bool {
		return now.Shift == x.Shift && now.Renewal != x.Renewal && now.IsOpen()
	})
}

// resolve returns the spec with what the records say: the unfinished shift of this switch,
// an abandoned one of another switch, and a closed record to remove. Where the routes have
// no record of this switch any more, what the plan knew counts: a missing tag is never
// proof that there was no record.
func (l *lease) resolve(spec Spec) Spec {
	if spec.Request.Desired != nil {
		for _, x := range l.lost() { // or unread, or late: it may be there all the same
			l.taken, l.past = append(l.taken, x.Shift), append(l.past, x.Shift)
		}
	}
	for _, x := range l.found {
		ended := spec.Record.isEnded(x)
		switch {
		case !slices.Contains(spec.Record.Switches, x.Switch):
			if x.IsOpen() && x.Phase != traffic.PhaseCompleted && !ended {
				spec.Request.OtherSwitch = Describe(x)
			}
			continue
		case !x.IsOpen() || ended:
			spec.Request.ClosedRecord = x.Shift // also one that a plan did not show, because its owner was alive
		default:
			spec.Record.Left = &x
			if spec.Request.Desired == nil {
				continue // it stays until somebody decides
			}
		}
		l.taken, l.past = append(l.taken, x.Shift), append(l.past, x.Shift)
		if x.Reason != "" && !ended && spec.Request.Rejected == nil {
			spec.Request.Rejected = rejectionOf(spec.Request, x)
			spec.Request.Retry = spec.Record.Template.Retry != "" && spec.Record.Template.Retry != x.Retry
		}
	}
	return spec
}

// marksReturn notes in the records of unfinished shifts that this apply returns their traffic.
// If it is killed before it saves that, the next refresh would conclude that somebody else
// returned it, which rejects the version. It only begins the calls: no rollback waits for
// them, but the removal of the records does.
func (l otherLeases) marksReturn(ctx context.Context, missing []bool) {
	all := l.found
	if l.unread != nil {
		all = l.lost()
	}
	for _, x := range all {
		if !slices.Contains(l.spec.Switches, x.Switch) || !x.IsOpen() || l.spec.isEnded(x) {
			continue
		}
		noted := x.Phase == traffic.PhaseRollingBack
		x.Phase = traffic.PhaseRollingBack
		if l.isKnown(x) { // otherwise a renewal would look like one of its owner, who is watched
			x.Owner = l.spec.Template.Owner
			x.Renewal += renewalGap
		}
		l.marked = &x.Record
		if noted {
			continue
		}
		routes := slices.DeleteFunc(slices.Clone(l.routes), func(route string) bool {
			_, has := x.To[route]
			return !has || missing[slices.Index(l.routes, route)]
		})
		l.marking.Go(func() {
			limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
			defer cancel()
			if err := l.spec.Recorder.Put(limited, routes, x.Record, false); err != nil && !isAnswer(err) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.unsure = true
			}
		})
	}
}

// rejectionOf is the rejection that a record has and no state: that of a Create that
// failed.
func rejectionOf(r shift.Request, x traffic.Left) *shift.Rejection {
	rejected := &shift.Rejection{Identity: shift.Identity{Environment: x.Environment, Version: x.Version}, Reason: x.Reason, At: RenewedAt(x)}
	if version := r.Environment(x.Environment).Version; traffic.SameValue(x.Version, version) {
		rejected.Version = version
	}
	return rejected
}

// endingLease is the part of a lease that follows its shift.
type endingLease struct{ *lease }

// end ends the record of the shift: it is removed, or stays with its phase where nothing
// else will remember the shift. So do earlier records, where an apply fails before it has
// its own. It returns the shifts whose record was not removed yet, or may come back, although
// what they say is taken into account.
func (l endingLease) end(ctx context.Context, f *Failure) []string {
	if !l.isRecorded() || f != nil && f.Cause == Locked {
		return nil
	}
	l.marking.Wait()
	held := l.isHeld()
	if held {
		close(l.ending)
		<-l.done
		l.setPhase(f)
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordEndLimit)
	defer cancel()
	if held && l.remainsAfter(f) {
		retry(limited, func() error { return l.put(limited, false) })
		return nil
	}
	if !held && f != nil && l.spec.KeepFailed != nil && l.spec.KeepFailed() {
		return nil // nothing but the records that were found remembers what they say
	}
	remove := l.taken
	if held {
		remove = append(remove, l.record.Shift)
	}
	switch {
	case len(remove) == 0 || l.spec.Later == nil && l.remove(limited, remove):
		return nil
	case l.spec.Later != nil:
		l.removeLater(limited, remove, f)
	}
	return remove
}

// remove removes records, and reports whether none of them can come back.
func (l endingLease) remove(ctx context.Context, ids []string) bool {
	done := true
	for _, id := range ids {
		done = retry(ctx, func() error { return l.spec.Recorder.Remove(ctx, l.routes, id) }) && done
	}
	if !done {
		l.report.warn("The record of the shift could not be removed from the routes. The next plan removes it.")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return done && !l.unsure
}

// removeLater leaves the removal of records to RecordSpec.Later. Until the state is saved, the
// record has to say how the shift ended.
func (l endingLease) removeLater(ctx context.Context, ids []string, f *Failure) {
	if l.isHeld() && (f == nil || f.Cause != LeaseLost) {
		retry(ctx, func() error { return l.put(ctx, false) })
	}
	recorder, routes := l.spec.Recorder, l.routes
	l.spec.Later(ids, func(ctx context.Context) error {
		var errs []error
		for _, id := range ids {
			errs = append(errs, recorder.Remove(ctx, routes, id))
		}
		return errors.Join(errs...)
	})
}

// setPhase sets the phase at the end of a shift.
func (l endingLease) setPhase(f *Failure) {
	switch {
	case f == nil:
		l.record.Phase = traffic.PhaseCompleted
	case f.Disposition == RolledBack && f.Rejects:
		l.record.Phase = traffic.PhaseRejected
	case f.Disposition == RolledBack || f.Disposition == Unchanged:
		l.record.Phase = traffic.PhaseRolledBack
	}
}

// remainsAfter reports whether the record of a shift stays, because nothing else remembers it.
func (l endingLease) remainsAfter(f *Failure) bool {
	if f == nil {
		return l.spec.KeepCompleted != nil && l.spec.KeepCompleted()
	}
	if f.Cause == LeaseLost || l.spec.KeepFailed == nil || !l.spec.KeepFailed() {
		return false
	}
	return l.record.Phase != traffic.PhaseRolledBack || l.record.Reason != ""
}

// retry calls until it succeeds or ctx ends.
func retry(ctx context.Context, call func() error) bool {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		if call() == nil {
			return true
		}
		if sleep(ctx, pause) != nil {
			return false
		}
	}
}
