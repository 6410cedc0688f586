package notify

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
)

const (
	// attemptTimeout limits one request, and deliveryTimeout all attempts of a notification.
	attemptTimeout, deliveryTimeout = 10 * time.Second, 2 * time.Minute
	// firstPause and maxPause are the pauses between attempts, unless the server asks for another one.
	firstPause, maxPause = time.Second, 30 * time.Second
	// maxQueued is how many notifications wait for a destination. More are lost, except for the end.
	maxQueued = 100
)

// The causes that are not answers of the destination.
const (
	tooMany  = "too many notifications waited for the destination"
	tooShort = "the shift ended before it could be sent"
)

// poster is a gate.Poster.
type poster interface {
	Post(ctx context.Context, m gate.Message) gate.Posted
}

// limits are the times at which a closed sender stops.
type limits struct {
	older time.Time // with what happened before the end
	end   time.Time // with the end
}

// of returns the limit for an event.
func (l limits) of(e Event) time.Time {
	if e.isEnd() {
		return l.end
	}
	return l.older
}

// sender sends to one destination, in order, in a goroutine of its own.
type sender struct {
	Destination
	wake    chan struct{} // holds one token while there is something to do
	closing chan struct{} // closed: nothing more is coming
	done    chan struct{}
	limits  limits // to be read after closing

	mu     sync.Mutex
	queue  []Notification
	failed []Event
	cause  string

	openErr error // to be read after done
}

func startSender(ctx context.Context, d Destination, open func() (poster, error)) *sender {
	s := &sender{Destination: d, wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{})}
	go s.run(ctx, open)
	return s
}

// add queues a notification.
func (s *sender) add(n Notification) {
	s.mu.Lock()
	if len(s.queue) < maxQueued || n.Event.isEnd() {
		s.queue = append(s.queue, n)
	} else {
		s.fail(n.Event, tooMany)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fail notes that an event was not delivered. It must be called with the lock. What the destination
// answered is more useful than what followed from it.
func (s *sender) fail(e Event, cause string) {
	if !slices.Contains(s.failed, e) {
		s.failed = append(s.failed, e)
	}
	if s.cause == "" || cause != tooMany && cause != tooShort {
		s.cause = cause
	}
}

// close ends the goroutine when the queue is empty, or at the limits.
func (s *sender) close(l limits) {
	s.limits = l
	close(s.closing)
}

// run is the goroutine of the destination.
func (s *sender) run(ctx context.Context, open func() (poster, error)) {
	defer close(s.done)
	var to poster
	to, s.openErr = open()
	for {
		n, more := s.take()
		if !more {
			return
		}
		cause := ""
		if s.openErr != nil {
			cause = strings.ReplaceAll(s.openErr.Error(), "\n", "; ")
		} else {
			cause = s.deliver(ctx, n, to)
		}
		if cause != "" {
			s.mu.Lock()
			s.fail(n.Event, cause)
			s.mu.Unlock()
		}
	}
}

// take waits for the next notification; false: there will be none.
func (s *sender) take() (Notification, bool) {
	for closed := false; ; {
		s.mu.Lock()
		if len(s.queue) > 0 {
			n := s.queue[0]
			s.queue = s.queue[1:]
			s.mu.Unlock()
			return n, true
		}
		s.mu.Unlock()
		if closed {
			return Notification{}, false
		}
		select {
		case <-s.closing:
			closed = true
		case <-s.wake:
		}
	}
}

// deliver sends a notification until it is accepted, and returns why it was not; empty: it was.
func (s *sender) deliver(ctx context.Context, n Notification, to poster) (cause string) {
	m, err := s.message(n)
	if err != nil {
		return err.Error() // unreachable: every number is finite
	}
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	go s.cancelAtLimit(ctx, cancel, n.Event)
	if s.isClosing() && !time.Now().Before(s.limits.of(n.Event)) {
		return tooShort
	}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		x := to.Post(attempt, m)
		cancel()
		switch {
		case x.Accepted:
			return ""
		case !x.Again, !s.pause(ctx, n.Event, pause, x.RetryAfter):
			return x.Detail
		}
	}
}

// cancelAtLimit ends a delivery at the limit that the end of the shift sets.
func (s *sender) cancelAtLimit(ctx context.Context, cancel context.CancelFunc, e Event) {
	select {
	case <-ctx.Done():
		return
	case <-s.closing:
	}
	limit := time.NewTimer(time.Until(s.limits.of(e)))
	defer limit.Stop()
	select {
	case <-ctx.Done():
	case <-limit.C:
		cancel()
	}
}

func (s *sender) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// pause waits before another attempt, and reports whether there is time for it. Asked is how long the
// server asks to wait; 0: it does not. A pause that it did not ask for ends with the shift.
func (s *sender) pause(ctx context.Context, e Event, d, asked time.Duration) bool {
	next := time.Now().Add(max(d, asked))
	if until, limited := ctx.Deadline(); limited && !next.Before(until) {
		return false
	}
	closing := s.closing
	if s.isClosing() {
		closing = nil
		if asked == 0 {
			next = time.Now().Add(firstPause)
		}
	}
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for {
		if closing == nil && !next.Before(s.limits.of(e)) {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-closing:
			if closing = nil; asked == 0 {
				return true
			}
		}
	}
}

// undelivered returns what the destination did not get; nil: nothing. It must be called after done.
func (s *sender) undelivered() *Undelivered {
	if len(s.failed) == 0 {
		return nil
	}
	return &Undelivered{Name: s.Name, Events: s.failed, Cause: s.cause, Setup: s.openErr != nil}
}
