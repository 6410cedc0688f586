package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// receiver is a destination that answers as the test says.
type receiver struct {
	answer func(call int, id string) gate.Posted
	hangs  func(call int) bool // the request has no answer

	mu    sync.Mutex
	began time.Time
	calls []string // the time and the number of each request
	got   []string // the numbers of those that were accepted
}

func newReceiver() *receiver {
	return &receiver{began: time.Now(), answer: func(int, string) gate.Posted { return gate.Posted{Accepted: true} }, hangs: func(int) bool { return false }}
}

// Post implements poster.
func (r *receiver) Post(ctx context.Context, m gate.Message) gate.Posted {
	number := m.ID[strings.Index(m.ID, "/")+1:]
	r.mu.Lock()
	call := len(r.calls) + 1
	r.calls = append(r.calls, fmt.Sprintf("%s %s", time.Since(r.began), number))
	r.mu.Unlock()
	if r.hangs(call) {
		<-ctx.Done()
		return gate.Posted{Again: true, Detail: "no response"}
	}
	x := r.answer(call, number)
	if x.Accepted {
		r.mu.Lock()
		r.got = append(r.got, number)
		r.mu.Unlock()
	}
	return x
}

func (r *receiver) called() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.calls, ", ")
}

// notifierTo returns a notifier to receivers, which gets all events.
func notifierTo(t *testing.T, receivers ...*receiver) *Notifier {
	t.Helper()
	n := &Notifier{tracker: newTracker(sampleShift()), timeout: closeTimeout}
	for i, r := range receivers {
		d := Destination{Name: fmt.Sprint("d", i), Events: Events(), Slack: &Slack{}}
		n.senders = append(n.senders, startSender(t.Context(), d, func() (poster, error) { return r, nil }))
	}
	return n
}

func (n *Notifier) play(events ...rollout.Event) {
	for _, e := range events {
		n.OnEvent(e)
	}
}

func completed() Ending { return Ending{Outcome: release.Completed, Weights: split(100)} }

// closed closes a notifier, and returns what was not delivered and how long it took.
func closed(t *testing.T, n *Notifier) ([]Undelivered, time.Duration) {
	t.Helper()
	return closedIn(t.Context(), n)
}

func closedIn(ctx context.Context, n *Notifier) ([]Undelivered, time.Duration) {
	start := time.Now()
	left := n.Close(ctx, time.Now(), completed())
	return left, time.Since(start)
}

func TestNotifier_deliversInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newReceiver(), newReceiver()
		n := notifierTo(t, a, b)
		n.play(slices.Concat(opening(shift.Forward), stepTo(1, 5), stepTo(2, 100))...)
		left, took := closed(t, n)
		if want := []string{"1", "2", "3", "4"}; !slices.Equal(a.got, want) || !slices.Equal(b.got, want) || left != nil || took != 0 {
			t.Errorf("got %v and %v after %s, not delivered %v", a.got, b.got, took, left)
		}
	})
}

// What a server cannot take now is sent again, with pauses that grow, or as long as it asks.
func TestNotifier_retries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReceiver()
		r.answer = func(call int, _ string) gate.Posted {
			switch call {
			case 1, 2, 3:
				return gate.Posted{Again: true, Detail: "status 503"}
			case 4:
				return gate.Posted{Again: true, RetryAfter: 25 * time.Second, Detail: "status 429"}
			}
			return gate.Posted{Accepted: true}
		}
		n := notifierTo(t, r)
		n.play(opening(shift.Forward)...)
		time.Sleep(time.Hour)
		if got, want := r.called(), "0s 1, 1s 1, 3s 1, 7s 1, 32s 1"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if left, took := closed(t, n); left != nil || took != 0 {
			t.Errorf("not delivered %v, after %s", left, took)
		}
	})
}

// A refusal is not repeated, and the next notification is sent.
func TestNotifier_refused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReceiver()
		r.answer = func(call int, _ string) gate.Posted {
			return gate.Posted{Accepted: call > 1, Detail: "status 404"}
		}
		n := notifierTo(t, r)
		n.play(opening(shift.Forward)...)
		left, _ := closed(t, n)
		if got := r.called(); got != "0s 1, 0s 2" || len(left) != 1 || left[0].Name != "d0" || !slices.Equal(left[0].Events, []Event{Started}) || left[0].Cause != "status 404" {
			t.Errorf("called %s, not delivered %+v", got, left)
		}
	})
}

// Attempts end after a while, and one that hangs as well.
func TestNotifier_timeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReceiver()
		r.hangs = func(call int) bool { return call == 2 }
		r.answer = func(int, string) gate.Posted { return gate.Posted{Again: true, Detail: "status 502"} }
		n := notifierTo(t, r)
		n.play(opening(shift.Forward)...)
		time.Sleep(time.Hour)
		if got, want := r.called(), "0s 1, 1s 1, 13s 1, 17s 1, 25s 1, 41s 1, 1m11s 1, 1m41s 1"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		left, took := closed(t, n)
		if len(left) != 1 || left[0].Cause != "status 502" || took != closeTimeout-time.Second {
			t.Errorf("not delivered %+v, after %s", left, took)
		}
	})
}

// A destination that hangs delays neither the events nor the other destinations. The end is sent to
// it, although what was before it is not.
func TestNotifier_hangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, other := newReceiver(), newReceiver()
		r.hangs = func(int) bool { return true }
		n := notifierTo(t, r, other)
		start := time.Now()
		n.play(slices.Concat(opening(shift.Forward), stepTo(1, 5), stepTo(2, 100))...)
		if took := time.Since(start); took != 0 {
			t.Errorf("the events took %s", took)
		}
		time.Sleep(time.Second)
		left, took := closed(t, n)
		if got, want := r.called(), "0s 1, 3s 4"; got != want || took != closeTimeout {
			t.Errorf("got %s after %s, want %s", got, took, want)
		}
		if len(left) != 1 || left[0].Name != "d0" || !slices.Equal(left[0].Events, []Event{Started, Step, Completed}) || left[0].Cause != "no response" {
			t.Errorf("not delivered %+v", left)
		}
		if want := []string{"1", "2", "3", "4"}; !slices.Equal(other.got, want) {
			t.Errorf("the other got %v", other.got)
		}
	})
}

// An interrupt ends the wait for a destination at once; after an interrupt of the shift, it is short.
func TestNotifier_interrupted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before bool // the shift was interrupted
		after  time.Duration
		took   time.Duration
		cause  string
	}{
		{"in the wait", false, 300 * time.Millisecond, 300 * time.Millisecond, "the apply was interrupted before everything was sent"},
		{"before", true, 0, interruptTimeout, "no response"},
		{"never", false, time.Hour, closeTimeout, "no response"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReceiver()
				r.hangs = func(int) bool { return true }
				n := notifierTo(t, r)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.before {
					cancel()
				} else {
					time.AfterFunc(tt.after, cancel)
				}
				n.play(opening(shift.Forward)...)
				left, took := closedIn(ctx, n)
				if took != tt.took || len(left) != 1 || left[0].Cause != tt.cause {
					t.Errorf("it took %s, not delivered %+v", took, left)
				}
				time.Sleep(closeTimeout) // the goroutines end
			})
		})
	}
}

// The end of a shift ends a pause, unless the server asked for it; one that would be too long is not
// waited for.
func TestNotifier_closesInAPause(t *testing.T) {
	for _, tt := range []struct {
		name  string
		asked time.Duration
		calls string
		took  time.Duration
	}{
		{"of ours", 0, "0s 1, 1s 1, 1.5s 1, 1.5s 2", 0},
		{"as asked, for a moment", 1700 * time.Millisecond, "0s 1, 1.7s 1, 1.7s 2", 200 * time.Millisecond},
		{"as asked, for long", 20 * time.Second, "0s 1, 1.5s 2", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReceiver()
				r.answer = func(_ int, number string) gate.Posted {
					accepted := number == "2" || time.Since(r.began) > 1200*time.Millisecond
					return gate.Posted{Accepted: accepted, Again: true, RetryAfter: tt.asked, Detail: "status 503"}
				}
				n := notifierTo(t, r)
				n.play(opening(shift.Forward)...)
				time.Sleep(1500 * time.Millisecond)
				if _, took := closed(t, n); took != tt.took || r.called() != tt.calls {
					t.Errorf("got %s after %s, want %s after %s", r.called(), took, tt.calls, tt.took)
				}
			})
		})
	}
}

// Of many notifications that wait some are lost, but not the end.
func TestNotifier_queueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReceiver()
		r.hangs = func(call int) bool { return call == 1 }
		n := notifierTo(t, r)
		n.play(opening(shift.Forward)...)
		synctest.Wait()
		for range 3 * maxQueued {
			n.play(stepTo(1, 5)...)
		}
		time.Sleep(20 * time.Second)
		left, _ := closed(t, n)
		if len(r.got) != 1+maxQueued+1 || r.got[len(r.got)-1] != fmt.Sprint(3*maxQueued+2) {
			t.Errorf("got %d: %v", len(r.got), r.got)
		}
		if len(left) != 1 || !slices.Equal(left[0].Events, []Event{Step}) || left[0].Cause != tooMany {
			t.Errorf("not delivered %+v", left)
		}
	})
}

// A destination gets the events that it names, or all but steps. The numbers are those of all.
func TestNotifier_events(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, other := newReceiver(), newReceiver()
		n := notifierTo(t, r, other)
		n.senders[0].Events, n.senders[1].Events = []Event{Completed, Step}, nil
		n.play(slices.Concat(opening(shift.Forward), stepTo(1, 5), stepTo(2, 100))...)
		closed(t, n)
		if !slices.Equal(r.got, []string{"2", "3", "4"}) || !slices.Equal(other.got, []string{"1", "4"}) {
			t.Errorf("got %v and %v", r.got, other.got)
		}
	})
}

// Without a destination, nothing is notified of.
func TestNotifier_none(t *testing.T) {
	n := Start(t.Context(), Options{Shift: sampleShift()})
	n.See(listener, split(0))
	n.play(opening(shift.Forward)...)
	if left := n.Close(t.Context(), began, completed()); n != nil || left != nil {
		t.Errorf("got %v", left)
	}
}
