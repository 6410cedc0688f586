package localalb

import "time"

// WithNow gives CloudWatch a clock of the test's own.
func WithNow(now func() time.Time) Option {
	return func(c *config) { c.clock.now = now }
}

// Recorder lets tests count without traffic.
type Recorder struct{ recorder *recorder }

// NewRecorder makes a recorder with points of a second, which reads the time of the test.
func NewRecorder(now func() time.Time) Recorder {
	return Recorder{&recorder{clock: metricsClock{period: time.Second, now: now}, timed: true}}
}

// Answered counts a request and its answer.
func (r Recorder) Answered(took time.Duration) {
	r.recorder.count(requestCount)
	r.recorder.answered(2, took)
}

// Percentile is that of the response times of the present second, in seconds.
func (r Recorder) Percentile(percent float64) float64 {
	slot := r.recorder.clock.slot(r.recorder.clock.now())
	found := r.recorder.slots(slot, slot+1)
	v, _ := found[0].responseTimes().percentile(percent)
	return v
}

// Requests is how many requests were counted in all.
func (r Recorder) Requests() int {
	total := 0
	for _, p := range r.recorder.slots(0, r.recorder.clock.slot(r.recorder.clock.now())+1) {
		total += int(p.counts[requestCount])
	}
	return total
}
