package cloudwatch_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/cloudwatch"
)

// manualClock is a clock that only a test advances.
type manualClock struct{ seconds atomic.Int64 }

func newManualClock() *manualClock {
	c := &manualClock{}
	c.seconds.Store(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC).Unix())
	return c
}

func (c *manualClock) read() time.Time { return time.Unix(c.seconds.Load(), 0) }

func (c *manualClock) advance(d time.Duration) { c.seconds.Add(int64(d / time.Second)) }

func TestRecorder_percentilesAreCloseEnough(t *testing.T) {
	r := cloudwatch.NewRecorder(newManualClock().read)
	for i := range 10_000 {
		r.Answered(time.Duration(i+1) * 137 * time.Microsecond)
	}
	for _, percent := range []float64{1, 50, 90, 99, 99.9, 100} {
		want := percent * 100 * 137e-6
		got := r.Percentile(percent)
		if off := math.Abs(got-want) / want; off > 0.01 {
			t.Errorf("p%v: got %v, want %v, which is off by %.2f %%", percent, got, want, 100*off)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { r.Answered(time.Millisecond) }); n > 0 {
		t.Errorf("a request costs %v allocations", n)
	}
}

func TestRecorder_noRequestIsLost(t *testing.T) {
	c := newManualClock()
	r := cloudwatch.NewRecorder(c.read)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2000 {
				r.Answered(time.Millisecond)
			}
		})
	}
	for range 9 { // while the seconds change, and somebody looks
		c.advance(time.Second)
		r.Requests()
	}
	all.Wait()
	if got := r.Requests(); got != 8000 {
		t.Errorf("got %d requests, want 8000", got)
	}
	c.advance(time.Minute) // what has settled is packed, and is still there
	r.Answered(time.Millisecond)
	if got := r.Requests(); got != 8001 {
		t.Errorf("got %d requests, want 8001", got)
	}
}
