package localalb

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	keepFine   = 3 * time.Hour       // points of one second, as AWS keeps them
	keepCoarse = 15 * 24 * time.Hour // points of one minute
	coarse     = 60                  // seconds of a point of standard resolution
)

// metricID names a metric: the same name with other dimensions is another metric.
type metricID struct {
	region, namespace, name string
	dimensions              string // sorted, so that their order does not matter
}

func newMetricID(region, namespace, name string, dimensions []dimension) metricID {
	pairs := mapTo(dimensions, func(d dimension) string { return d.Name + "\x00" + d.Value })
	slices.Sort(pairs)
	return metricID{region: region, namespace: namespace, name: name, dimensions: strings.Join(pairs, "\x01")}
}

// pairs is the dimensions one by one.
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

// reading asks for the points of a metric. Times are seconds since 1970.
type reading struct {
	metric   metricID
	unit     string // "" for any
	period   int64
	from, to int64     // the start of a point is in [from, to)
	at       time.Time // when the reader looks: what is late by then is not seen
}

// periods is where the first whole period that is asked for begins and the last one ends.
func (q reading) periods() (first, end int64) {
	up := func(at int64) int64 { return (at + q.period - 1) / q.period * q.period }
	return up(q.from), up(q.to)
}

// metrics is everything that GetMetricData can read: what was put, and the balancer's own figures. What was
// put is guarded by the lock of its owner.
type metrics struct {
	own    *ownMetrics
	series map[metricID]map[string]*series // by unit
}

// series is the points of a metric by the second in which they begin.
type series struct {
	fine, coarse map[int64]*summary
}

func newMetrics(own *ownMetrics) *metrics {
	return &metrics{own: own, series: map[metricID]map[string]*series{}}
}

// sample is what is put into a metric at a time.
type sample struct {
	metric metricID
	unit   string
	at     time.Time
	fine   bool
	values *summary
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
	if p.fine {
		mergeAt(s.fine, p.at.Unix(), p.values)
	} else {
		mergeAt(s.coarse, p.at.Unix()/coarse*coarse, p.values)
	}
	s.forget(now)
}

// forget drops what is too old. It looks through the points only when there are more than can be young enough.
func (s *series) forget(now time.Time) {
	drop := func(points map[int64]*summary, oldest time.Time, most int) {
		if len(points) > most {
			maps.DeleteFunc(points, func(at int64, _ *summary) bool { return at < oldest.Unix() })
		}
	}
	// Points may lie two hours ahead, and a third on top keeps the search rare.
	drop(s.fine, now.Add(-keepFine), int((keepFine+3*time.Hour)/time.Second))
	drop(s.coarse, now.Add(-keepCoarse), int((keepCoarse+3*time.Hour)/time.Minute))
}

// read makes the points of a metric in the period that is asked for. Only points of one second are seen in
// periods under a minute.
func (m *metrics) read(q reading) map[int64]*summary {
	if q.metric.namespace == ownNamespace {
		return m.own.read(q)
	}
	out := map[int64]*summary{}
	for unit, s := range m.series[q.metric] {
		if q.unit != "" && q.unit != unit {
			continue
		}
		collect(out, s.fine, q)
		if q.period >= coarse {
			collect(out, s.coarse, q)
		}
	}
	return out
}

func collect(out, points map[int64]*summary, q reading) {
	first, end := q.periods()
	for at, s := range points {
		if at >= first && at < end {
			mergeAt(out, at/q.period*q.period, s)
		}
	}
}
