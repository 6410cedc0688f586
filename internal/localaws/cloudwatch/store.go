package cloudwatch

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	highResolutionRetention     = 3 * time.Hour       // retention of high-resolution points, as with AWS
	standardResolutionRetention = 15 * 24 * time.Hour // retention of one-minute points
	standardResolution          = 60                  // standard storage resolution in seconds
)

// metricID identifies a metric. The same name with other dimensions is another metric.
type metricID struct {
	region, namespace, name string
	dimensions              string // sorted: their order does not matter
}

func newMetricID(region, namespace, name string, dimensions []dimension) metricID {
	var pairs []string
	for _, d := range dimensions {
		pairs = append(pairs, d.Name+"\x00"+d.Value)
	}
	slices.Sort(pairs)
	return metricID{region: region, namespace: namespace, name: name, dimensions: strings.Join(pairs, "\x01")}
}

// pairs iterates over the dimensions.
func (id metricID) pairs() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for part := range strings.SplitSeq(id.dimensions, "\x01") {
			name, value, found := strings.Cut(part, "\x00")
			if found && !yield(name, value) {
				return
			}
		}
	}
}

// readRequest is a request for the points of a metric. Times are seconds since the Unix epoch.
type readRequest struct {
	metric   metricID
	unit     string // "" for any
	period   int64
	from, to int64     // the start of a point is in [from, to)
	at       time.Time // time of the read; points that are still delayed are not visible
}

// periods returns the start of the first whole period in the range and the end of the last one.
func (q readRequest) periods() (first, end int64) {
	up := func(at int64) int64 { return (at + q.period - 1) / q.period * q.period }
	return up(q.from), up(q.to)
}

// metrics holds everything that GetMetricData can read: custom metrics and the load balancer's own. The lock of
// Service guards the custom metrics.
type metrics struct {
	elb       *elbMetrics
	functions *functionMetrics
	series    map[metricID]map[string]*series // by unit
}

// series holds the points of a metric by their start in seconds.
type series struct {
	fine, coarse map[int64]*summary
}

func newMetrics(elb *elbMetrics) *metrics {
	functions := &functionMetrics{clock: elb.clock, recorders: map[invocationKey]*recorder{}}
	return &metrics{elb: elb, functions: functions, series: map[metricID]map[string]*series{}}
}

// sample is a set of values for a metric at a time.
type sample struct {
	metric         metricID
	unit           string
	at             time.Time
	highResolution bool
	values         *summary
}

func (m *metrics) put(p sample, now time.Time) {
	if m.series[p.metric] == nil {
		m.series[p.metric] = map[string]*series{}
	}
	s := m.series[p.metric][p.unit]
	if s == nil {
		s = &series{fine: map[int64]*summary{}, coarse: map[int64]*summary{}}
		m.series[p.metric][p.unit] = s
	}
	if p.highResolution {
		mergeAt(s.fine, p.at.Unix(), p.values)
	} else {
		mergeAt(s.coarse, p.at.Unix()/standardResolution*standardResolution, p.values)
	}
	s.expire(now)
}

// expire removes expired points. It scans only when there are more points than the retention can hold.
func (s *series) expire(now time.Time) {
	drop := func(points map[int64]*summary, oldest time.Time, most int) {
		if len(points) > most {
			maps.DeleteFunc(points, func(at int64, _ *summary) bool { return at < oldest.Unix() })
		}
	}
	// Points may be two hours in the future; a third hour makes the scan rare.
	drop(s.fine, now.Add(-highResolutionRetention), int((highResolutionRetention+3*time.Hour)/time.Second))
	drop(s.coarse, now.Add(-standardResolutionRetention), int((standardResolutionRetention+3*time.Hour)/time.Minute))
}

// read returns the points of a metric for the requested period. Periods under a minute include high-resolution
// points only.
func (m *metrics) read(q readRequest) map[int64]*summary {
	if ofLoadBalancers(q.metric.namespace) {
		return m.elb.read(q)
	}
	if q.metric.namespace == lambdaNamespace {
		return m.functions.read(q)
	}
	out := map[int64]*summary{}
	for unit, s := range m.series[q.metric] {
		if q.unit != "" && q.unit != unit {
			continue
		}
		collect(out, s.fine, q)
		if q.period >= standardResolution {
			collect(out, s.coarse, q)
		}
	}
	return out
}

func collect(out, points map[int64]*summary, q readRequest) {
	first, end := q.periods()
	for at, s := range points {
		if at >= first && at < end {
			mergeAt(out, at/q.period*q.period, s)
		}
	}
}
