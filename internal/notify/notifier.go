package notify

import (
	"cmp"
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

const (
	// closeTimeout is how long the end of a shift waits for destinations, and olderTimeout the part of
	// it for what happened before the end.
	closeTimeout, olderTimeout = 5 * time.Second, 2 * time.Second
	// interruptTimeout replaces closeTimeout for an apply that was interrupted: somebody waits, and
	// might interrupt it again before Terraform has saved the state.
	interruptTimeout = 2 * time.Second
	// closeGrace is how much longer a request may take to end.
	closeGrace = time.Second
)

// Options is where the notifications of a shift go, and what they are about.
type Options struct {
	Destinations []Destination
	Shift        Shift
	Lookup       gate.Lookup   // reads one environment variable
	CloseTimeout time.Duration // how long Close waits; 0: closeTimeout
}

// Notifier notifies of one shift. Its methods must be called from one goroutine. A nil one notifies
// nobody.
type Notifier struct {
	tracker *tracker
	senders []*sender
	timeout time.Duration // of Close
}

// Undelivered is what a destination did not get.
type Undelivered struct {
	Name   string  // of the destination
	Events []Event // in order, each once
	Cause  string  // without a secret
	// Setup reports that the destination could not be opened, so that nothing was sent.
	Setup bool
}

// Start returns a notifier; nil without a destination. It makes no call. The end of ctx does not end
// it: an interrupt is news.
func Start(ctx context.Context, o Options) *Notifier {
	if len(o.Destinations) == 0 {
		return nil
	}
	n := &Notifier{tracker: newTracker(o.Shift), timeout: cmp.Or(o.CloseTimeout, closeTimeout)}
	for _, d := range o.Destinations {
		n.senders = append(n.senders, startSender(context.WithoutCancel(ctx), d, func() (poster, error) { return d.open(o.Lookup) }))
	}
	return n
}

// OnEvent handles an event, as rollout.Spec.OnEvent. It does not wait.
func (n *Notifier) OnEvent(e rollout.Event) {
	if n != nil {
		n.send(n.tracker.next(e))
	}
}

// See sets what a route was last read to have, by environment or group, before the first event.
func (n *Notifier) See(route string, w shift.Weights) {
	if n != nil {
		n.tracker.routes[route] = n.tracker.named(w)
	}
}

func (n *Notifier) send(news []Notification) {
	for _, x := range news {
		for _, s := range n.senders {
			if s.gets(x.Event) {
				s.add(x)
			}
		}
	}
}

// Close notifies of the end, waits until everything is delivered, for a limited time, and returns
// what was not. It must be called once, after the last event. If ctx ends, it waits no longer; if ctx
// has ended before, it waits for interruptTimeout at most.
func (n *Notifier) Close(ctx context.Context, at time.Time, x Ending) []Undelivered {
	if n == nil {
		return nil
	}
	n.send(n.tracker.end(at, x))
	now, timeout, interrupted := time.Now(), n.timeout, ctx.Done()
	if ctx.Err() != nil {
		timeout, interrupted = min(timeout, interruptTimeout), nil
	}
	for _, s := range n.senders {
		s.close(limits{older: now.Add(min(olderTimeout, timeout/2)), end: now.Add(timeout)})
	}
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout+closeGrace)
	defer cancel()
	var all []Undelivered
	for _, s := range n.senders {
		if left := s.await(ended.Done(), interrupted); left != nil {
			all = append(all, *left)
		}
	}
	return all
}

// await waits until a closed sender is done, and returns what was not delivered; nil: nothing.
func (s *sender) await(limit, interrupted <-chan struct{}) *Undelivered {
	select {
	case <-s.done:
		return s.undelivered()
	default:
	}
	select {
	case <-s.done:
		return s.undelivered()
	case <-limit:
		return &Undelivered{Name: s.Name, Cause: "a request did not end in time"}
	case <-interrupted:
		return &Undelivered{Name: s.Name, Cause: "the apply was interrupted before everything was sent"}
	}
}
