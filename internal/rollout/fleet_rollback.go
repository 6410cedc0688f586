package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	// rollbackCallTimeout limits one call of a rollback, so that a hung connection does
	// not use up the timeout of the rollback.
	rollbackCallTimeout = 10 * time.Second
	// sharedReadTimeout limits a read of several routes: one of them may be the reason
	// why it hangs, and then each is read alone.
	sharedReadTimeout = 2 * time.Second
	// sharedCallWindow is how long a rollback waits, after an answer, for those about other
	// routes, so that they are read with one call. aloneCallWindow is the same for routes
	// that share no calls.
	sharedCallWindow, aloneCallWindow = 250 * time.Millisecond, 5 * time.Millisecond
	// The pauses before the retries of a route. They remain short: a recovery of the API
	// is followed within seconds.
	minRollbackPause, maxRollbackPause = 100 * time.Millisecond, 2 * time.Second
	// maxReadAge is how old the last read of a route may be when a rollback ends.
	maxReadAge = time.Second
	// lateWriteWatch is how long a route is read after its rollback where a write before that had no answer: the
	// API may carry it out late. A guardian then stays for lateWriteLimit, because nobody waits for it. The shift
	// does not: Terraform waits for it. What comes even later is an external change, which the next plan shows.
	lateWriteWatch = 30 * time.Second
)

// errRollbackTimeout reports that a rollback was retried until its timeout.
var errRollbackTimeout = errors.New("rollback not verified")

// errExternalChange reports a route that left its rollback target after the rollback.
var errExternalChange = errors.New("changed outside this shift")

// rollbackStep is what the rollback of a route does next.
type rollbackStep int

const (
	toWrite rollbackStep = iota
	toRead
	calling // a call is in progress
	finished
)

// routeRollback is the rollback of one route. It does not depend on that of others.
type routeRollback struct {
	index  int
	target traffic.State
	watch  bool      // only read, once: the route is not written
	until  time.Time // a write without an answer may still be carried out

	next     rollbackStep
	due      time.Time     // of next
	pause    time.Duration // before the next retry
	alone    bool          // its calls have hung or failed: it shares no call
	accepted bool          // the last write was accepted, and no read failed to show it
	verified bool          // the last read showed the rollback target
	seenAt   time.Time     // when it was last read
	err      error         // of the last attempt that had an answer
	failed   bool          // for good: its rollback target cannot be written
}

// rollbackAnswer is the answer to a call about one route, or about several that were read
// together.
type rollbackAnswer struct {
	routes []*routeRollback
	write  bool
	states []traffic.State
	err    error
	took   time.Duration
}

// rollback is a rollback in progress. Only the goroutine of run uses it; calls run in
// others and send their answers to it.
type rollback struct {
	fleet   *fleet
	routes  []*routeRollback
	answers chan rollbackAnswer
	// unsynced is why the weights that were written are not known to have taken effect everywhere.
	unsynced error
}

// rollBack writes all routes concurrently and reads them back, each on its own: one that
// fails or hangs affects no other. A write that reads do not show is read a second time,
// then written again. Whatever the API answers, a route is retried until timeout; only a
// route or rollback target that does not exist ends it, for that route.
func (f *fleet) rollBack(ctx context.Context, desired map[int]traffic.State, timeout time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel() // ends reads that nobody waits for
	f.hand(desired)
	b := &rollback{fleet: f, answers: make(chan rollbackAnswer)}
	for i := range f.routes {
		if f.missing[i] {
			continue
		}
		target, written := desired[i]
		r := &routeRollback{index: i, target: target, watch: !written, pause: minRollbackPause, due: time.Now()}
		if r.watch {
			r.next = toRead
		}
		if f.isUnsure(i) && (r.watch || !f.fence(i, target)) {
			r.until = time.Now().Add(lateWriteWatch)
		}
		b.routes = append(b.routes, r)
	}
	b.run(limited)
	b.awaitSync(limited)
	f.inspect().refreshOld(ctx, b.old())
	f.inspect().refreshDirty(ctx)
	return b.err(timeout)
}

// run starts calls and handles their answers until every route is finished or ctx ends.
func (b *rollback) run(ctx context.Context) {
	for ctx.Err() == nil && slices.ContainsFunc(b.routes, func(r *routeRollback) bool { return r.next != finished }) {
		b.start(ctx, time.Now())
		answers := b.awaitAnswers(ctx)
		// In the order of routes, so that the events do not depend on the goroutines.
		slices.SortStableFunc(answers, func(x, y rollbackAnswer) int { return cmp.Compare(x.routes[0].index, y.routes[0].index) })
		for _, a := range answers {
			b.handle(a)
		}
	}
}

// start starts the calls that are due. Routes are read together, except those that are
// alone. Routes that are only watched join the first read of others.
func (b *rollback) start(ctx context.Context, now time.Time) {
	var together, watched, writes []*routeRollback
	sharing := false // some route will be read together with others
	for _, r := range b.routes {
		sharing = sharing || !r.watch && !r.alone && r.next != finished
		switch {
		case r.next == calling || r.next == finished || now.Before(r.due):
		case r.next == toWrite:
			writes = append(writes, r)
		case r.alone:
			b.read(ctx, []*routeRollback{r})
		case r.watch:
			watched = append(watched, r)
		default:
			together = append(together, r)
		}
	}
	b.write(ctx, writes)
	if len(together) > 0 || !sharing {
		together = append(together, watched...)
	}
	if len(together) > 0 {
		b.read(ctx, together)
	}
}

// write writes each of the routes with a call of its own, as one group.
func (b *rollback) write(ctx context.Context, routes []*routeRollback) {
	f := b.fleet
	ctx = traffic.WithGroup(ctx, f.ids(indexesIn(routes)))
	for _, r := range routes {
		id, target := f.routes[r.index].ID, r.target
		f.dirty[r.index] = true // until read back
		f.moved = f.moved || !target.EqualTraffic(f.current[r.index])
		b.call(ctx, rollbackAnswer{routes: []*routeRollback{r}, write: true}, rollbackCallTimeout,
			func(ctx context.Context, a *rollbackAnswer) { a.err = f.rollbackRouter.Write(ctx, id, target) })
	}
}

func indexesIn(routes []*routeRollback) []int {
	var indexes []int
	for _, r := range routes {
		indexes = append(indexes, r.index)
	}
	return indexes
}

func (b *rollback) read(ctx context.Context, routes []*routeRollback) {
	ids, limit := b.fleet.ids(indexesIn(routes)), rollbackCallTimeout
	if len(routes) > 1 || routes[0].watch {
		limit = sharedReadTimeout
	}
	b.call(ctx, rollbackAnswer{routes: routes}, limit,
		func(ctx context.Context, a *rollbackAnswer) { a.states, a.err = b.fleet.rollbackRouter.Read(ctx, ids) })
}

// call runs do in a goroutine, which sends the answer.
func (b *rollback) call(ctx context.Context, a rollbackAnswer, limit time.Duration, do func(context.Context, *rollbackAnswer)) {
	for _, r := range a.routes {
		r.next = calling
	}
	go func() {
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		start := time.Now()
		do(limited, &a)
		a.took = time.Since(start)
		select {
		case b.answers <- a:
		case <-ctx.Done():
		}
	}()
}

// awaitAnswers waits for an answer, or until the next call is due, then for the answers that
// arrive at about the same time. A route whose answer does not is alone from then on.
func (b *rollback) awaitAnswers(ctx context.Context) []rollbackAnswer {
	due := time.NewTimer(time.Until(b.nextDue()))
	defer due.Stop()
	var answers []rollbackAnswer
	select {
	case <-ctx.Done():
		return nil
	case <-due.C:
		return nil
	case a := <-b.answers:
		answers = []rollbackAnswer{a}
	}
	waiting := b.waitingFor(answers)
	window := time.NewTimer(callWindow(waiting))
	defer window.Stop()
	for len(waiting) > 0 {
		select {
		case <-window.C:
			for _, r := range waiting {
				r.alone = true
			}
			return answers
		case a := <-b.answers:
			answers = append(answers, a)
			waiting = b.waitingFor(answers)
		}
	}
	return answers
}

// waitingFor returns the routes that have a call in progress and no answer yet.
func (b *rollback) waitingFor(answers []rollbackAnswer) []*routeRollback {
	return slices.DeleteFunc(slices.Clone(b.routes), func(r *routeRollback) bool {
		return r.next != calling || slices.ContainsFunc(answers, func(a rollbackAnswer) bool { return slices.Contains(a.routes, r) })
	})
}

// callWindow returns how long to wait for the answers about the other routes.
func callWindow(waiting []*routeRollback) time.Duration {
	if slices.ContainsFunc(waiting, func(r *routeRollback) bool { return !r.alone }) {
		return sharedCallWindow
	}
	return aloneCallWindow
}

// nextDue returns when the next call is due.
func (b *rollback) nextDue() time.Time {
	next := time.Now().Add(maxRollbackPause)
	for _, r := range b.routes {
		if (r.next == toWrite || r.next == toRead && !r.watch) && r.due.Before(next) {
			next = r.due
		}
	}
	return next
}

func (b *rollback) handle(a rollbackAnswer) {
	if a.write {
		b.written(a.routes[0], a)
		return
	}
	if a.err != nil {
		b.unread(a.routes, a.err)
		return
	}
	for n, r := range a.routes {
		b.seen(r, a.states[n])
	}
}

// written handles the answer to a write. Whatever it is, only a read shows the weights: an
// answer can be lost.
func (b *rollback) written(r *routeRollback, a rollbackAnswer) {
	f, route, err := b.fleet, b.fleet.routes[r.index], a.err
	f.report.emit(Event{Kind: WeightsWritten, Route: route.ID, Weights: f.owners.Weights(route.Entry, r.target), Text: errorText(err), Took: a.took})
	r.next, r.due, r.accepted = toRead, time.Now(), err == nil
	if r.err == nil || !errors.Is(err, traffic.ErrThrottled) { // which says less than an earlier answer
		r.err = err
	}
	if err == nil {
		f.replace(r.index, r.target, time.Now())
	}
	// A shared read can hang because of another route, and must not delay the next write.
	r.alone = r.alone || err != nil && !errors.Is(err, traffic.ErrThrottled)
	if !errors.Is(err, traffic.ErrNotFound) {
		return
	}
	id, _ := traffic.Missing(err)
	switch {
	case id == route.ID:
		b.markMissing(r)
	case r.dropIdle(id): // written again without it
		r.next = toWrite
	default:
		r.next, r.failed = finished, true
	}
}

// dropIdle removes a group that does not exist from the rollback target, or all groups at
// weight 0 if the router does not know which one it is. It returns false if that changes
// nothing: the group has weight, so no write can succeed.
func (r *routeRollback) dropIdle(group string) bool {
	before := len(r.target.Weights)
	r.target.Weights = maps.Clone(r.target.Weights) // a write may still read the other one
	maps.DeleteFunc(r.target.Weights, func(id string, weight int) bool { return weight == 0 && (group == "" || id == group) })
	return len(r.target.Weights) < before
}

// unread handles a read that failed. If it was about several routes, one of them may be the
// reason, and each is read alone; throttled reads remain shared.
func (b *rollback) unread(routes []*routeRollback, err error) {
	gone, _ := traffic.Missing(err)
	for _, r := range routes {
		isGone := b.fleet.routes[r.index].ID == gone
		switch {
		case isGone || len(routes) == 1 && errors.Is(err, traffic.ErrNotFound):
			b.markMissing(r)
		case len(routes) > 1 && !errors.Is(err, traffic.ErrThrottled):
			r.next, r.due, r.alone = toRead, time.Now(), gone == ""
		default:
			r.retry(err)
		}
	}
}

// seen handles the state that a read shows. One that may be stale proves nothing, also where it
// is the rollback target: the route had it before the step.
func (b *rollback) seen(r *routeRollback, state traffic.State) {
	stale := b.fleet.mayBeStale(r.index, state)
	if !stale {
		b.fleet.see(r.index, state)
		r.seenAt = time.Now()
	}
	r.verified = !stale && state.Equal(r.target)
	switch {
	case r.verified && time.Now().Before(r.until):
		r.next, r.due, r.accepted, r.err = toRead, time.Now().Add(maxRollbackPause), false, nil
		return
	case r.watch || r.verified:
		r.next = finished
		return
	}
	if r.target.Response == "" {
		r.target.Raw = state.Raw // so that the next write preserves what it shows
	}
	r.retry(nil)
}

// retry schedules the next attempt. What was written but does not show is read again
// before it is written again, because reads are eventually consistent.
func (r *routeRollback) retry(err error) {
	if r.err == nil {
		r.err = err
	}
	if r.watch {
		r.next = finished
		return
	}
	r.next = toWrite
	if r.accepted {
		r.next, r.accepted = toRead, false
	}
	r.due = time.Now().Add(r.pause)
	r.pause = min(2*r.pause, maxRollbackPause)
}

func (b *rollback) markMissing(r *routeRollback) {
	r.next, r.err = finished, nil
	b.fleet.markMissing(r.index)
}

// err returns why routes are not at their rollback targets, nil if all that exist are.
func (b *rollback) err(timeout time.Duration) error {
	var errs []error
	if b.unsynced != nil && !errors.Is(b.unsynced, ErrUnconfirmed) {
		errs = append(errs, b.unsynced)
	}
	for _, r := range b.routes {
		switch {
		case r.watch || r.verified || r.next == finished && !r.failed:
		case r.failed:
			errs = append(errs, r.err)
		default:
			errs = append(errs, r.err, fmt.Errorf("%w within %s", errRollbackTimeout, schedule.FormatDuration(timeout)))
		}
	}
	return cmp.Or(errors.Join(errs...), b.unsynced)
}
