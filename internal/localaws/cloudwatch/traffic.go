package cloudwatch

import (
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// Indexes of the counters of a window, in the order of counterNames.
const (
	requestCount = iota
	target2xx
	target3xx
	target4xx
	target5xx
	connectionErrors
	elb4xx
	elb5xx
	elb502
	elb503
	elb504
	newFlows
	clientResets
	targetResets
	balancerResets
	counters
)

// counterNames returns the CloudWatch names of the counters.
func counterNames() [counters]string {
	return [counters]string{
		"RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_3XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count",
		"TargetConnectionErrorCount", "HTTPCode_ELB_4XX_Count", "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_502_Count",
		"HTTPCode_ELB_503_Count", "HTTPCode_ELB_504_Count",
		"NewFlowCount", "TCP_Client_Reset_Count", "TCP_Target_Reset_Count", "TCP_ELB_Reset_Count",
	}
}

const (
	// shortest is the resolution limit for response times.
	shortest = time.Microsecond
	// bucketCount is the number of response time buckets: up to 1.02^1279 µs, which is over a day.
	bucketCount = 1280
	// packDelay is how long after its end a window is left unpacked. A request that obtained the window before its end
	// counts within this time.
	packDelay = 10 * time.Second
)

// window counts the events of one period of the clock. Counting takes a few atomic additions.
type window struct {
	slot   int64
	counts [counters]atomic.Int64
	times  *histogram // nil if response times are not recorded
}

// histogram is a histogram of response times with buckets that grow by 2 %. Bucket i represents
// shortest × 1.02^(i−½); a percentile is off by less than 1 %.
type histogram struct {
	sum, low, high atomic.Int64 // nanoseconds; low is 0 while there are no samples
	buckets        [bucketCount]atomic.Uint32
}

func (t *histogram) add(took time.Duration) {
	took = max(took, 1)
	t.sum.Add(int64(took))
	for low := t.low.Load(); (low == 0 || int64(took) < low) && !t.low.CompareAndSwap(low, int64(took)); {
		low = t.low.Load()
	}
	for high := t.high.Load(); int64(took) > high && !t.high.CompareAndSwap(high, int64(took)); {
		high = t.high.Load()
	}
	t.buckets[bucketIndex(took)].Add(1)
}

func bucketIndex(took time.Duration) int {
	if took < shortest {
		return 0
	}
	return min(1+int(math.Log(float64(took)/float64(shortest))/math.Log(bucketRatio)), bucketCount-1)
}

// bucketSeconds returns the response time that represents a bucket, in seconds.
func bucketSeconds(class int) float64 {
	return shortest.Seconds() * math.Pow(bucketRatio, float64(class)-0.5)
}

// packed is the compact form of a window that is no longer written to.
type packed struct {
	slot           int64
	counts         [counters]int64
	sum, low, high time.Duration
	times          []bucket
}

type bucket struct {
	index uint16
	count uint32
}

func (w *window) pack() packed {
	p := packed{slot: w.slot}
	for i := range w.counts {
		p.counts[i] = w.counts[i].Load()
	}
	if w.times == nil {
		return p
	}
	p.sum, p.low, p.high = time.Duration(w.times.sum.Load()), time.Duration(w.times.low.Load()), time.Duration(w.times.high.Load())
	for i := range w.times.buckets {
		if n := w.times.buckets[i].Load(); n > 0 {
			p.times = append(p.times, bucket{index: uint16(i), count: n})
		}
	}
	return p
}

// counted returns a counter in the form of AWS: every event is a sample of 1, and without events there is no point.
func (p *packed) counted(counter int) *summary {
	s := &summary{}
	s.add(1, float64(p.counts[counter]))
	return s
}

// responseTimes returns the response times in seconds.
func (p *packed) responseTimes() *summary {
	s := &summary{}
	for _, c := range p.times {
		s.add(bucketSeconds(int(c.index)), float64(c.count))
	}
	if s.count > 0 {
		s.sum, s.min, s.max = p.sum.Seconds(), p.low.Seconds(), p.high.Seconds()
	}
	return s
}

// recorder counts the traffic of a load balancer, or of a group behind one. It is safe for concurrent use. A
// request costs a clock read and a few atomic additions; only the first one in each period takes the lock.
type recorder struct {
	clock   metricsClock
	timed   bool
	current atomic.Pointer[window]

	mu     sync.Mutex
	recent []*window // ended windows that may still be written to, oldest first
	past   []packed  // oldest first
}

func (r *recorder) window() *window {
	now := r.clock.now()
	slot := r.clock.slot(now)
	if w := r.current.Load(); w != nil && w.slot >= slot {
		return w
	}
	return r.startWindow(now, slot)
}

// startWindow starts a new period.
func (r *recorder) startWindow(now time.Time, slot int64) *window {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.current.Load()
	if old != nil && old.slot >= slot {
		return old
	}
	w := &window{slot: slot}
	if r.timed {
		w.times = &histogram{}
	}
	r.current.Store(w)
	if old != nil {
		r.recent = append(r.recent, old)
	}
	r.tidy(now)
	return w
}

// tidy packs settled windows and removes expired ones. The caller holds the lock.
func (r *recorder) tidy(now time.Time) {
	settled := r.clock.slot(now.Add(-packDelay)) // windows before this slot are settled
	for len(r.recent) > 0 && r.recent[0].slot < settled {
		r.past = append(r.past, r.recent[0].pack())
		r.recent = r.recent[1:]
	}
	oldest := r.clock.oldest(now)
	first := slices.IndexFunc(r.past, func(p packed) bool { return p.slot >= oldest })
	switch {
	case first > 0:
		r.past = slices.Delete(r.past, 0, first)
	case first < 0:
		r.past = nil
	}
}

// count adds 1 to each of the counters.
func (r *recorder) count(counters ...int) {
	w := r.window()
	for _, c := range counters {
		w.counts[c].Add(1)
	}
}

// Generated counts a response that the load balancer generated.
func (r *recorder) Generated(status int) {
	switch {
	case status == http.StatusBadGateway:
		r.count(elb5xx, elb502)
	case status == http.StatusServiceUnavailable:
		r.count(elb5xx, elb503)
	case status == http.StatusGatewayTimeout:
		r.count(elb5xx, elb504)
	case status/100 == 4:
		r.count(elb4xx)
	}
}

// Request counts a request for which a target was chosen.
func (r *recorder) Request() { r.count(requestCount) }

// ConnectionError counts a failed attempt to connect to a target.
func (r *recorder) ConnectionError() { r.count(connectionErrors) }

// Response counts a target's response by its status class, 1 to 5, and its response time.
func (r *recorder) Response(class int, took time.Duration) {
	w := r.window()
	if class >= 2 && class <= 5 {
		w.counts[target2xx+class-2].Add(1)
	}
	w.times.add(took)
}

// Flow counts a new connection or flow of a network load balancer.
func (r *recorder) Flow() { r.count(newFlows) }

// Reset counts a connection of a network load balancer that was reset.
func (r *recorder) Reset(by dataplane.Peer) {
	switch by {
	case dataplane.ResetByClient:
		r.count(clientResets)
	case dataplane.ResetByTarget:
		r.count(targetResets)
	case dataplane.ResetByBalancer:
		r.count(balancerResets)
	}
}

// slots returns the windows in [from, to), oldest first.
func (r *recorder) slots(from, to int64) []packed {
	r.mu.Lock()
	defer r.mu.Unlock()
	first, _ := slices.BinarySearchFunc(r.past, from, func(p packed, slot int64) int { return int(p.slot - slot) })
	var out []packed
	for _, p := range r.past[first:] {
		if p.slot < to {
			out = append(out, p)
		}
	}
	for _, w := range append(slices.Clone(r.recent), r.current.Load()) {
		if w != nil && w.slot >= from && w.slot < to {
			out = append(out, w.pack())
		}
	}
	return out
}
