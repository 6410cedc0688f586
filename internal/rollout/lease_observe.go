package rollout

import (
	"context"
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
	return fmt.Sprintf("%s, at %s of its way", text, x.Reached)
}

// observe reads the records of the routes. It returns a Failure where somebody else may be
// shifting them. A record whose owner cannot be asked is watched for a whole lease.
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
	for _, x := range append(slices.Clone(l.found), l.lost()...) {
		if !x.IsOpen() || slices.Contains(l.spec.Ended, x.Shift) {
			continue
		}
		abandoned, f := l.isAbandoned(ctx, x)
		if f != nil {
			return f
		}
		if !abandoned {
			return &Failure{Cause: Locked, Detail: Describe(x)}
		}
	}
	return nil
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
func (l *lease) isAbandoned(ctx context.Context, x traffic.Left) (bool, *Failure) {
	if l.spec.Abandoned != nil {
		if abandoned, known := l.spec.Abandoned(x.Owner); known {
			return abandoned, nil
		}
	}
	if time.Since(x.Expires) > AbandonedAfter {
		return true, nil
	}
	l.report.phase(fmt.Sprintf("watch the lease of %s for %s", Describe(x), schedule.FormatDuration(leaseDuration)))
	for began := time.Now(); time.Since(began) < leaseDuration; {
		if err := sleep(ctx, watchInterval); err != nil {
			return false, failureOf(ctx, "", err)
		}
		records, err := l.read(ctx)
		if err != nil {
			continue // a lease that cannot be read is not known to stand still
		}
		for _, now := range traffic.MergeRecords(records) {
			if now.Shift == x.Shift && now.Renewal != x.Renewal && now.IsOpen() { // or written again
				return false, nil
			}
		}
	}
	return true, nil
}

// resolve returns the spec with what the records say: the unfinished shift of this switch,
// an abandoned one of another switch, and a closed record to remove. Where the routes have
// no record of this switch any more, what the plan knew counts: a missing tag is never
// proof that there was no record.
func (l *lease) resolve(spec Spec) Spec {
	for _, x := range l.found {
		ended := slices.Contains(spec.Record.Ended, x.Shift)
		switch {
		case !slices.Contains(spec.Record.Switches, x.Switch):
			if x.IsOpen() && !ended {
				spec.Request.OtherSwitch = Describe(x)
			}
			continue
		case !x.IsOpen() || ended:
			spec.Request.ClosedRecord = x.Shift
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

// rejectionOf is the rejection that a record has and no state: that of a Create that
// failed.
func rejectionOf(r shift.Request, x traffic.Left) *shift.Rejection {
	rejected := &shift.Rejection{Identity: shift.Identity{Environment: x.Environment, Version: x.Version}, Reason: x.Reason, At: RenewedAt(x)}
	if version := r.Environment(x.Environment).Version; traffic.SameValue(x.Version, version) {
		rejected.Version = version
	}
	return rejected
}

// end ends the record of the shift: it is removed, or stays with its phase where nothing
// else will remember the shift. So do earlier records, where an apply fails before it has
// its own. It returns false where a record could not be removed, or may come back.
func (l *lease) end(ctx context.Context, f *Failure) bool {
	if !l.isRecorded() || f != nil && f.Cause == Locked {
		return true
	}
	held := l.isHeld()
	if held {
		close(l.ending)
		<-l.done
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordEndLimit)
	defer cancel()
	if held && l.remainsAfter(f) {
		return retry(limited, func() error { return l.put(limited, false) })
	}
	if !held && f != nil && l.spec.KeepFailed != nil && l.spec.KeepFailed() {
		return true // nothing but the records that were found remembers what they say
	}
	remove := l.taken
	if held {
		remove = append(remove, l.record.Shift)
	}
	done := true
	for _, id := range remove {
		done = retry(limited, func() error { return l.spec.Recorder.Remove(limited, l.routes, id) }) && done
	}
	if !done {
		l.report.warn("The record of the shift could not be removed from the routes. The next plan removes it.")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return done && !l.unsure
}

// remainsAfter sets the phase at the end of a shift, and reports whether its record stays.
func (l *lease) remainsAfter(f *Failure) bool {
	if f == nil {
		return l.spec.KeepCompleted != nil && l.spec.KeepCompleted()
	}
	if f.Cause == LeaseLost || l.spec.KeepFailed == nil || !l.spec.KeepFailed() {
		return false
	}
	switch {
	case f.Disposition == RolledBack && f.Rejects:
		l.record.Phase = traffic.PhaseRejected
	case f.Disposition == RolledBack || f.Disposition == Unchanged:
		l.record.Phase = traffic.PhaseRolledBack
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
