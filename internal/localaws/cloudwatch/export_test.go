package cloudwatch

import "time"

// Recorder lets tests count without traffic.
type Recorder struct{ recorder *recorder }

// NewRecorder returns a recorder with a period of one second that uses the test's clock.
func NewRecorder(now func() time.Time) Recorder {
	return Recorder{&recorder{clock: metricsClock{period: time.Second, now: now}, timed: true}}
}

// Answered counts a request and its response.
func (r Recorder) Answered(took time.Duration) {
	r.recorder.Request()
	r.recorder.Response(2, took)
}

// Percentile returns a percentile of the response times in the current second, in seconds.
func (r Recorder) Percentile(percent float64) float64 {
	slot := r.recorder.clock.slot(r.recorder.clock.now())
	found := r.recorder.slots(slot, slot+1)
	v, _ := found[0].responseTimes().percentile(percent)
	return v
}

// Requests returns the number of counted requests.
func (r Recorder) Requests() int {
	total := 0
	for _, p := range r.recorder.slots(0, r.recorder.clock.slot(r.recorder.clock.now())+1) {
		total += int(p.counts[requestCount])
	}
	return total
}
