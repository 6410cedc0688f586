package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The lease of a record. It guards increases only: holds, bakes and rollbacks go on
// without it.
const (
	leaseDuration  = 3 * time.Minute
	renewInterval  = time.Minute
	renewRetry     = 10 * time.Second // after a failed renewal
	recordTimeout  = 10 * time.Second // of one call about records while a shift runs
	recordEndLimit = 15 * time.Second // for removing the record at the end
)

// verifyPauses are the pauses before each read of a record that was just written. Tags are
// eventually consistent, and the API documents no bound.
var verifyPauses = []time.Duration{0, 200 * time.Millisecond, time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 10 * time.Second}

// RecordSpec is how a shift keeps its record.
type RecordSpec struct {
	// Off reports that shifts leave no record, so that nothing distinguishes an unfinished shift
	// from an external change.
	Off      bool
	Recorder traffic.Recorder // of Run; not needed to decide
	// Template has the fields that do not depend on the run: Switch, Routes, Owner, Goal,
	// Environment, Version and Retry.
	Template traffic.Record
	// Switches are the ids of this switch: those of its routes now and in the prior state.
	Switches []string
	// Left is what the plan knew of an unfinished shift of this switch: a copy of its
	// record, or what a failed apply left. Nil: nothing.
	Left *traffic.Left
	// Running describes Left where the plan did not know that its owner has ended.
	Running string
	// Ended are shifts whose end is remembered, so that a record of them that could not be
	// removed means nothing.
	Ended []string
	// Abandoned reports whether the process of an owner has ended, and false for known
	// where that is not known. Nil: it never can.
	Abandoned func(traffic.Owner) (abandoned, known bool)
	// Reason words a failure that rejects the version, for its record. Nil: the failure's
	// own text.
	Reason func(*Failure) string
	// KeepFailed reports that no state remembers a failed apply (a Create), or that
	// nothing of this apply is remembered, because Terraform is gone. The record stays.
	KeepFailed func() bool
	// KeepCompleted is the same for an apply that completes.
	KeepCompleted func() bool
	// Later takes over the removal of the records of shifts at the end, and makes it once the
	// state that remembers them is saved. Nil: they are removed at the end of Run.
	Later func(shifts []string, remove func(context.Context) error)
}

// Errors about records.
var (
	errRecordNotVisible = errors.New("the record was written, but the routes do not show it")
	errRecordUnread     = errors.New("the records of the routes could not be read")
)

// leaseLostError reports that somebody else shifts the routes now.
type leaseLostError struct{ by traffic.Left }

func (e *leaseLostError) Error() string { return Describe(e.by) }

// failure is the failure of a shift that lost its lease.
func (e *leaseLostError) failure() *Failure { return &Failure{Cause: LeaseLost, Detail: e.Error()} }

// lease is the record of a running shift. Its methods are called from the goroutine of
// Run, except check, which may run beside it, and renewals, which have a goroutine of their
// own.
type lease struct {
	spec   RecordSpec
	routes []string
	report *reporter

	found     []traffic.Left // records at the start
	taken     []string       // ids of records to remove: abandoned ones of this switch, and closed ones
	past      []string       // all ids that were ever in taken: a stale read may show them again
	unwatched []traffic.Left // their lease has expired, and a rollback did not wait for more
	unread    error          // why the records could not be read at the start

	marked *traffic.Record // the record of the unfinished shift that this one rolls back, see marksReturn

	mu       sync.Mutex
	record   traffic.Record // our own; without an id until acquired
	splits   []recordSplit
	renewed  time.Time                      // when the lease was last extended
	unsure   bool                           // a write of the record had no answer, so it may be carried out later
	lapsed   bool                           // the lease had expired, and no route had the record: another apply may have taken it over
	rolled   bool                           // somebody rolls this shift back, and record.Reason is theirs
	requests *requests                      // of people; nil: nobody answers
	onMark   func(error)                    // called once when that is found; nil: nobody looks
	onLook   func(map[string]traffic.State) // called with what a look at the record shows of the routes
	wake     chan struct{}
	marking  sync.WaitGroup // of marksReturn
	ending   chan struct{}  // closed: no further renewal begins
	done     chan struct{}  // closed: none is in progress
}

// recordSplit is the routes that have the same From and To.
type recordSplit struct {
	routes   []string
	from, to map[string]shift.Share
}

func newLease(spec Spec, report *reporter) *lease {
	return &lease{spec: spec.Record, routes: idsOf(spec.Routes), report: report}
}

// isRecorded reports whether this shift leaves a record.
func (l *lease) isRecorded() bool { return !l.spec.Off }

// isHeld reports whether this shift has a record.
func (l *lease) isHeld() bool { return l.ending != nil }

// acquire writes the record of a shift and waits until every route shows it. Nothing may
// be moved before.
func (l *lease) acquire(ctx context.Context, id string, splits []recordSplit) *Failure {
	if !l.isRecorded() || l.isHeld() {
		return nil
	}
	if l.unread != nil {
		return &Failure{Cause: RecordFailed, Err: errors.Join(errRecordUnread, l.unread)}
	}
	l.report.phase("write the record of the shift")
	l.record = l.spec.Template
	l.record.Shift, l.record.Phase = id, traffic.PhaseOpen
	l.splits = splits
	if err := l.put(ctx, true); err != nil {
		l.withdraw(ctx)
		return l.recordFailure(ctx, err)
	}
	if f := l.verify(ctx); f != nil {
		l.withdraw(ctx)
		return f
	}
	l.ending, l.done, l.wake = make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	go renewing{l}.keepRenewing(context.WithoutCancel(ctx))
	l.removeTaken(ctx)
	return nil
}

// recordFailure is a call about records that failed before anything was moved.
func (l *lease) recordFailure(ctx context.Context, err error) *Failure {
	f := failureOf(ctx, "", err)
	if f.Cause == RouterFailed {
		f.Cause = RecordFailed
	}
	return f
}

// put extends the lease, or writes the whole record.
func (l *lease) put(ctx context.Context, whole bool) error {
	l.mu.Lock()
	l.record.Renewal++
	now := time.Now()
	l.record.Expires = now.Add(leaseDuration).Truncate(time.Second).UTC()
	record, splits := l.record, l.splits
	l.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := l.putSplits(limited, record, splits, whole)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.unsure = l.unsure || !isAnswer(err)
		return err
	}
	l.renewed = now
	return nil
}

func (l *lease) putSplits(ctx context.Context, record traffic.Record, splits []recordSplit, whole bool) error {
	if !whole {
		return l.spec.Recorder.Put(ctx, l.routes, record, false)
	}
	for _, s := range splits {
		record.From, record.To = s.from, s.to
		if err := l.spec.Recorder.Put(ctx, s.routes, record, true); err != nil {
			return err
		}
	}
	return nil
}

// verify waits until every route shows the record, and no other shift has an older one.
func (l *lease) verify(ctx context.Context) *Failure {
	for _, pause := range verifyPauses {
		if err := sleep(ctx, pause); err != nil {
			return failureOf(ctx, "", err)
		}
		records, err := l.read(ctx)
		if err != nil {
			return l.recordFailure(ctx, err)
		}
		if by := l.conflict(records); by != nil {
			return &Failure{Cause: Locked, Detail: Describe(*by)}
		}
		if len(l.without(records)) == 0 {
			return nil
		}
	}
	return &Failure{Cause: RecordFailed, Err: errRecordNotVisible}
}

func (l *lease) read(ctx context.Context) (map[string][]traffic.Record, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return l.spec.Recorder.Records(limited, l.routes)
}

// conflict returns a shift of somebody else that comes before this one: the lowest id
// wins. One that was found abandoned at the start does not count, and neither does one
// that has ended.
func (l *lease) conflict(records map[string][]traffic.Record) *traffic.Left {
	for _, other := range traffic.MergeRecords(records) {
		if l.isOther(other) && other.Shift < l.record.Shift {
			return &other
		}
	}
	return nil
}

// isOther reports whether a record is that of a shift of somebody else that may be running.
func (l *lease) isOther(x traffic.Left) bool {
	return x.Shift != l.record.Shift && !slices.Contains(l.past, x.Shift) && l.spec.mayBeRunning(x)
}

// without returns the routes that do not show the whole record. A renewal after the tags
// were removed writes only a part of it.
func (l *lease) without(records map[string][]traffic.Record) []string {
	return slices.DeleteFunc(slices.Clone(l.routes), func(route string) bool {
		return slices.ContainsFunc(records[route], func(r traffic.Record) bool { return r.Shift == l.record.Shift && r.To != nil })
	})
}

// permit returns check for a stage that ends with an increase; nil where there is no record.
func (l *lease) permit() func(context.Context) error {
	if !l.isHeld() {
		return nil
	}
	return l.check
}

// check reports whether the shift may increase weights: it still has the lease. A record
// that somebody removed is written again; hashicorp/aws removes tags that it does not know.
// The error is a *leaseLostError where somebody else shifts the routes, and a *markError where
// somebody rolls this shift back.
func (l *lease) check(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	records, err := l.spec.Recorder.Records(limited, l.routes)
	if err != nil {
		return err
	}
	if mark := l.markIn(records); mark != nil {
		return mark
	}
	l.mu.Lock()
	expired := time.Since(l.renewed) > leaseDuration
	l.mu.Unlock()
	missing := l.without(records)
	if expired && len(missing) == len(l.routes) {
		l.mu.Lock()
		l.lapsed = true
		l.mu.Unlock()
	}
	for _, other := range traffic.MergeRecords(records) {
		// The apply that found the record expired took the routes over, and removed it.
		if l.isOther(other) && (other.Shift < l.record.Shift || expired || len(missing) > 0) {
			return &leaseLostError{other}
		}
		if other.Shift == l.record.Shift && !other.IsOpen() {
			return &leaseLostError{other}
		}
	}
	if len(missing) > 0 || expired {
		return l.put(limited, true)
	}
	return nil
}

// hasLapsed reports whether another apply may have taken this shift over.
func (l *lease) hasLapsed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lapsed || l.isHeld() && time.Since(l.renewed) > leaseDuration
}

// reached notes the part of the shift that was read back.
func (l *lease) reached(at shift.Share) {
	l.change(func(r *traffic.Record) { r.Reached = at })
}

// reject notes, before a rollback, why the version is rejected, and returns it.
func (l *lease) reject(f *Failure) (reason string) {
	reason = f.Error()
	if l.spec.Reason != nil {
		reason = l.spec.Reason(f)
	}
	l.change(func(r *traffic.Record) { r.Phase, r.Reason = traffic.PhaseRollingBack, reason })
	return reason
}

// rollsBack notes, before a rollback that says nothing about the version, that this shift
// makes it. Otherwise the next refresh would conclude that somebody returned the traffic.
func (l *lease) rollsBack() {
	l.change(func(r *traffic.Record) { r.Phase = traffic.PhaseRollingBack })
}

// change changes the record and lets the goroutine of renewals write it, so that nothing
// waits for it.
func (l *lease) change(change func(*traffic.Record)) {
	if !l.isHeld() {
		return
	}
	l.mu.Lock()
	change(&l.record)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default: // a renewal is due already
	}
}

// withdraw removes a record that was not acquired.
func (l *lease) withdraw(ctx context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := l.spec.Recorder.Remove(limited, l.routes, l.record.Shift); err != nil {
		l.report.warn(fmt.Sprintf("The record of shift %s could not be removed from the routes. The next plan removes it.", l.record.Shift))
	}
}

// removeTaken removes the records that this shift replaces. A failure is repeated at the
// end.
func (l *lease) removeTaken(ctx context.Context) {
	l.marking.Wait()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	l.taken = slices.DeleteFunc(l.taken, func(id string) bool {
		return l.spec.Recorder.Remove(limited, l.routes, id) == nil
	})
}

// splitsOf groups routes by equal shares. The maps are by route.
func splitsOf(routes []string, from, to map[string]map[string]shift.Share) []recordSplit {
	var splits []recordSplit
	for _, route := range routes {
		i := slices.IndexFunc(splits, func(s recordSplit) bool {
			return maps.Equal(s.from, from[route]) && maps.Equal(s.to, to[route])
		})
		if i < 0 {
			splits, i = append(splits, recordSplit{from: from[route], to: to[route]}), len(splits)
		}
		splits[i].routes = append(splits[i].routes, route)
	}
	return splits
}
