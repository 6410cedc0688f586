package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// markInterval is the pause between two looks of a running shift at its record: how long it takes
// until a shift notices that somebody rolls it back. It divides no usual duration, so that a look
// does not coincide with the end of a hold.
const markInterval = 4973 * time.Millisecond

// markError reports that somebody rolls the shift back: the record has a reason that this run did
// not write. It is the cause of a context that ends because of that.
type markError struct{ reason string }

func (e *markError) Error() string { return e.reason }

// failure is the failure of a shift that somebody rolls back.
func (e *markError) failure() *Failure {
	return &Failure{Cause: RolledBackByUser, Detail: e.reason}
}

// renewing is the part of a lease that runs in a goroutine of its own.
type renewing struct{ *lease }

// keepRenewing extends the lease every renewInterval, and when the record changes, and looks in
// between whether somebody marked it. A write that has begun is not canceled at the end: the API
// might carry it out after the record was removed.
func (l renewing) keepRenewing(ctx context.Context) {
	defer close(l.done)
	renewAt, lookAt := time.Now().Add(renewInterval), l.nextLook()
	for !l.ends() { // a renewal may have taken so long that the next look is due
		timer := time.NewTimer(time.Until(earlier(renewAt, lookAt)))
		woken := false
		select {
		case <-l.ending:
			timer.Stop()
			return
		case <-timer.C:
		case <-l.wake:
			woken = true
		}
		timer.Stop()
		if !woken && time.Now().Before(renewAt) {
			woken = l.look(ctx) // a rollback does not wait for the answer
			lookAt = l.nextLook()
		}
		if !woken && time.Now().Before(renewAt) {
			continue
		}
		pause := l.renew(ctx, woken)
		renewAt = time.Now().Add(pause)
	}
}

// ends reports whether the lease ends.
func (l renewing) ends() bool {
	select {
	case <-l.ending:
		return true
	default:
		return false
	}
}

// renew extends the lease, and returns the pause before the next time.
func (l renewing) renew(ctx context.Context, changed bool) time.Duration {
	l.mu.Lock()
	expired := time.Since(l.renewed) > leaseDuration
	rolled := l.rolled
	l.mu.Unlock()
	if expired || rolled && !changed { // check finds out who has the routes now, or the record is the other's
		return renewInterval
	}
	limited, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if err := l.put(limited, false); err != nil {
		return renewRetry
	}
	return renewInterval
}

// nextLook returns when the record is looked at next.
func (l renewing) nextLook() time.Time {
	if l.onMark == nil || l.isRolledBack() {
		return time.Now().Add(renewInterval)
	}
	return time.Now().Add(markInterval)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// look reads the record to find a mark. It returns true where the record of this run has to be
// written at once, and does not wait for the answer then, nor where the lease ends.
func (l renewing) look(ctx context.Context) (woken bool) {
	if l.onMark == nil || l.isRolledBack() {
		return false
	}
	limited, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	found := make(chan lookAnswer, 1)
	go func() { found <- l.lookOnce(limited) }()
	select {
	case <-l.ending: // which the caller sees as well
	case <-l.wake:
		return true
	case a := <-found:
		if mark := l.markIn(a.records); mark != nil {
			l.onMark(mark)
			break
		}
		if l.requests != nil {
			l.requests.found(a.records)
		}
		if l.onLook != nil {
			l.onLook(a.states)
		}
	}
	return false
}

// lookAnswer is what a look shows: nothing where it failed, because the next one may succeed.
type lookAnswer struct {
	records map[string][]traffic.Record
	states  map[string]traffic.State // nil: the recorder does not show them
}

func (l renewing) lookOnce(ctx context.Context) (a lookAnswer) {
	var err error
	if observer, is := l.spec.Recorder.(traffic.Observer); is {
		a.records, a.states, err = observer.Observe(ctx, l.routes)
	} else {
		a.records, err = l.spec.Recorder.Records(ctx, l.routes)
	}
	if err != nil {
		return lookAnswer{}
	}
	return a
}

// isRolledBack reports whether somebody else rolls this shift back.
func (l *lease) isRolledBack() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rolled
}

// lastMark looks whether somebody has marked the record, nil where nobody has or that cannot be
// read: what a running look found counts as well.
func (l renewing) lastMark(ctx context.Context) error {
	if !l.isHeld() || l.onMark == nil {
		return nil
	}
	if l.isRolledBack() {
		l.mu.Lock()
		defer l.mu.Unlock()
		return &markError{l.record.Reason}
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	records, err := l.spec.Recorder.Records(limited, l.routes)
	if err != nil {
		return nil
	}
	return l.markIn(records)
}

// markIn returns the mark of somebody who rolls this shift back, nil where there is none. A reason
// is a mark unless this run wrote one itself; it is never overwritten, as the phase is by a
// renewal that crossed it.
func (l *lease) markIn(records map[string][]traffic.Record) error {
	for _, x := range traffic.MergeRecords(records) {
		l.mu.Lock()
		if own := l.record.Shift; own == "" || x.Shift != own || x.Reason == "" || l.record.Reason != "" && !l.rolled {
			l.mu.Unlock()
			continue
		}
		l.rolled, l.record.Reason = true, x.Reason
		l.mu.Unlock()
		return &markError{x.Reason}
	}
	return nil
}

// poll reads the routes while a shift waits: every markInterval where it leaves no record, otherwise where a look at
// the record has shown an external change.
type poll struct {
	fleet  *fleet
	always bool
	shown  chan map[string]traffic.State // by the last look
}

func newPoll(f *fleet, always bool) *poll {
	return &poll{f, always, make(chan map[string]traffic.State, 1)}
}

// show passes on what a look shows. It replaces what was not taken yet.
func (p *poll) show(states map[string]traffic.State) {
	if len(states) == 0 {
		return
	}
	select {
	case <-p.shown:
	default:
	}
	p.shown <- states
}

// looks returns the channel of what looks show; nil where no route is known.
func (p *poll) looks() <-chan map[string]traffic.State {
	if p == nil {
		return nil
	}
	return p.shown
}

// pollAnswer is the answer of a poll.
type pollAnswer struct {
	states []traffic.State
	err    error
}

func (p *poll) ask(ctx context.Context, answers chan<- any) {
	states, err := p.fleet.read(ctx)
	select {
	case answers <- pollAnswer{states, err}:
	case <-ctx.Done():
	}
}

// handleShown lets the stage read the routes where a look shows an external change. The look may have been made
// before the last write.
func (w *waiting) handleShown(shown map[string]traffic.State, now time.Time) {
	if w.polled || w.stage.unpolled {
		return
	}
	fleet := w.monitor.poll.fleet
	states := slices.Clone(fleet.current)
	for i, route := range fleet.routes {
		if state, is := shown[route.ID]; is {
			states[i] = state
		}
	}
	if fleet.compare(states, nil, false).changed >= 0 {
		w.polled, w.polls = true, routesState{changed: true, next: now.Add(rereadPause)}
	}
}

// handlePoll returns a Failure where two reads in a row show an external change: somebody who
// returns several routes writes one after the other. A read that fails is ignored, because the
// routes are read again before the next write.
func (w *waiting) handlePoll(a pollAnswer, now time.Time) *Failure {
	fleet := w.monitor.poll.fleet
	w.polls.running, w.polls.next = false, now.Add(markInterval)
	if a.err == nil {
		return w.comparePoll(fleet, a.states, now)
	}
	return nil
}

func (w *waiting) comparePoll(fleet *fleet, states []traffic.State, now time.Time) *Failure {
	c := fleet.compare(states, nil, false)
	if c.changed >= 0 && w.polls.changed {
		return fleet.externalChange(c.changed, states, fleet.current[c.changed])
	}
	if w.polls.changed = c.changed >= 0; w.polls.changed {
		w.polls.next = now.Add(rereadPause)
	}
	w.polled = w.monitor.poll.always || w.polls.changed
	return nil
}

// userRollbackTimeout is how long a shift waits until a command that marked its record has moved
// the traffic. After it, the command has failed, and the shift rolls back itself: both write the
// same.
const userRollbackTimeout = 15 * time.Second

// nameMarked makes the rollback of a user the cause of an external change, or of the loss of the
// lease: the command moves the traffic right after it marked the record.
func (s failing) nameMarked(ctx context.Context, f *Failure) {
	if f.Cause != ExternalChange && f.Cause != LeaseLost || !s.lease.isHeld() {
		return
	}
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	records, err := s.lease.spec.Recorder.Records(limited, s.lease.routes)
	if err != nil {
		return
	}
	if mark, is := errors.AsType[*markError](s.lease.markIn(records)); is {
		f.Cause, f.Detail, f.Route = RolledBackByUser, mark.reason, ""
	}
}

// followed is a shift that somebody rolls back with a command, which the shift follows with reads.
type followed struct {
	*sequence
	targets []traffic.State // of a rollback
	before  []traffic.State // what the routes had when the mark was found
}

// await waits until the command has moved the traffic, and returns where. It ends early with
// interrupted.
func (s followed) await(interrupted context.Context) routesSeen {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(interrupted), userRollbackTimeout)
	defer cancel()
	s.targets, s.before = s.desired.rollbackTargets(s.exposed), s.fleet.current
	for {
		seen, ended := s.look(ctx), s.hasEnded(ctx)
		switch {
		case s.fleet.allMissing():
			return routesGone
		case seen == routesReturned || seen == routesChanged && ended:
			return seen
		}
		timer := time.NewTimer(rereadPause)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
		case <-interrupted.Done():
		}
		timer.Stop()
		return seen
	}
}

// look reads the routes. It returns routesElsewhere where some still have what this run wrote, or
// were not read, and no other has what only somebody else can have written.
func (s followed) look(ctx context.Context) routesSeen {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	found, err := s.fleet.readExisting(limited, s.fleet.rollbackRouter, indexesOf(s.fleet.routes))
	if err != nil {
		return routesElsewhere
	}
	seen := routesReturned
	for _, i := range s.fleet.existing() {
		switch state := found[i]; {
		case state.EqualTraffic(s.targets[i]):
		case !s.wrote(i, state):
			seen = routesChanged
		case seen == routesReturned:
			seen = routesElsewhere
		}
	}
	if seen == routesElsewhere {
		return seen
	}
	for _, i := range s.fleet.existing() { // what somebody else wrote is not stale
		s.fleet.see(i, found[i])
	}
	return seen
}

// wrote reports whether the traffic of a state of the i-th route is what this run gave it, or
// found there.
func (s followed) wrote(i int, state traffic.State) bool {
	return state.EqualTraffic(s.before[i]) || slices.ContainsFunc(s.fleet.written(i), state.EqualTraffic)
}

// hasEnded reports whether the record says that the command is done.
func (s followed) hasEnded(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	records, err := s.lease.spec.Recorder.Records(limited, s.lease.routes)
	return err == nil && !slices.ContainsFunc(traffic.MergeRecords(records), func(x traffic.Left) bool {
		return x.Shift == s.lease.record.Shift && x.IsOpen()
	})
}
