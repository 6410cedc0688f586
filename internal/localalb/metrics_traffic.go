package localalb

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The counters of a window, in the order of counterNames.
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
	counters
)

// counterNames is what AWS calls the counters.
func counterNames() [counters]string {
	return [counters]string{
		"RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_3XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count",
		"TargetConnectionErrorCount", "HTTPCode_ELB_4XX_Count", "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_502_Count",
		"HTTPCode_ELB_503_Count", "HTTPCode_ELB_504_Count",
	}
}

const (
	// shortest is the bound below which response times are not told apart.
	shortest = time.Microsecond
	// classes is how many classes of response times there are: enough for 1.02^1279 µs, which is over a day.
	classes = 1280
	// settled is how long after its end a window is left alone before it is packed. Whoever still holds it
	// took it before its end and writes within this time.
	settled = 10 * time.Second
)

// window counts what happens in one period of the clock. Counting is a few atomic additions.
type window struct {
	slot   int64
	counts [counters]atomic.Int64
	times  *timing // nil where no response times are taken
}

// timing is response times in classes that grow by 2 %: class i stands for shortest × 1.02^(i−½), and a
// percentile made of it is off by less than 1 %.
type timing struct {
	sum, low, high atomic.Int64 // nanoseconds; low is 0 while there is none
	classes        [classes]atomic.Uint32
}

func (t *timing) add(took time.Duration) {
	took = max(took, 1)
	t.sum.Add(int64(took))
	for low := t.low.Load(); (low == 0 || int64(took) < low) && !t.low.CompareAndSwap(low, int64(took)); {
		low = t.low.Load()
	}
	for high := t.high.Load(); int64(took) > high && !t.high.CompareAndSwap(high, int64(took)); {
		high = t.high.Load()
	}
	t.classes[timeClass(took)].Add(1)
}

func timeClass(took time.Duration) int {
	if took < shortest {
		return 0
	}
	return min(1+int(math.Log(float64(took)/float64(shortest))/math.Log(growth)), classes-1)
}

// classTime is the response time that stands for a class, in seconds.
func classTime(class int) float64 {
	return shortest.Seconds() * math.Pow(growth, float64(class)-0.5)
}

// packed is a window that nobody writes to any more, in as little memory as it needs.
type packed struct {
	slot           int64
	counts         [counters]int64
	sum, low, high time.Duration
	times          []classCount
}

type classCount struct {
	class uint16
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
	for i := range w.times.classes {
		if n := w.times.classes[i].Load(); n > 0 {
			p.times = append(p.times, classCount{class: uint16(i), count: n})
		}
	}
	return p
}

// counted is a counter as AWS sends it: every event is a sample of 1, and no events are no point.
func (p *packed) counted(counter int) *summary {
	s := &summary{}
	s.add(1, float64(p.counts[counter]))
	return s
}

// responseTimes is the response times in seconds.
func (p *packed) responseTimes() *summary {
	s := &summary{}
	for _, c := range p.times {
		s.add(classTime(int(c.class)), float64(c.count))
	}
	if s.count > 0 {
		s.sum, s.min, s.max = p.sum.Seconds(), p.low.Seconds(), p.high.Seconds()
	}
	return s
}

// recorder counts the traffic of a balancer, or of a balancer's group. It is for concurrent use; a request
// costs it a clock reading and a few additions, and no lock but the first one of each period.
type recorder struct {
	clock   metricsClock
	timed   bool
	current atomic.Pointer[window]

	mu     sync.Mutex
	recent []*window // ended, perhaps still written to, oldest first
	past   []packed  // oldest first
}

func (r *recorder) window() *window {
	now := r.clock.now()
	slot := r.clock.slot(now)
	if w := r.current.Load(); w != nil && w.slot >= slot {
		return w
	}
	return r.turn(now, slot)
}

// turn begins a new period.
func (r *recorder) turn(now time.Time, slot int64) *window {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.current.Load()
	if old != nil && old.slot >= slot {
		return old
	}
	w := &window{slot: slot}
	if r.timed {
		w.times = &timing{}
	}
	r.current.Store(w)
	if old != nil {
		r.recent = append(r.recent, old)
	}
	r.tidy(now)
	return w
}

// tidy packs what has settled and forgets what is too old. The caller holds the lock.
func (r *recorder) tidy(now time.Time) {
	quiet := r.clock.slot(now.Add(-settled)) // windows before this one ended long enough ago
	for len(r.recent) > 0 && r.recent[0].slot < quiet {
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

// count adds 1 to each of the counters. A nil recorder counts nothing.
func (r *recorder) count(counters ...int) {
	if r == nil {
		return
	}
	w := r.window()
	for _, c := range counters {
		w.counts[c].Add(1)
	}
}

// answered counts a target's answer of a class 1 to 5 and the time that it took.
func (r *recorder) answered(class int, took time.Duration) {
	if r == nil {
		return
	}
	w := r.window()
	if class >= 2 && class <= 5 {
		w.counts[target2xx+class-2].Add(1)
	}
	w.times.add(took)
}

// slots is the windows from one slot up to another, oldest first.
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
