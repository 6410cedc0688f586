package gate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// evaluation is one contest in one round.
type evaluation struct {
	TargetMetrics
	groups entryGroups
	data   metricData
	since  metricSpan // whole periods from after the change
	before metricSpan // those that ended by it
}

// findings are what came of the limits of errors and of those of latency.
func (j evaluation) findings() []finding {
	for _, m := range j.metricKeys(j.groups) {
		if s := j.data[m]; s != nil && s.partial {
			return []finding{j.inconclusive("CloudWatch gave only a part of its data%s", messagesText(s.messages))}
		}
	}
	j.since = j.completeSpan()
	if j.since.empty() {
		return []finding{j.inconclusive("its newest points are not all there yet")}
	}
	if len(j.groups.live) == 0 && j.MaxErrorRate == nil && j.MaxLatency == 0 {
		return []finding{{rollout.Pass, j.groups.name() + ": nothing gives way to it, so there is nothing to compare it with"}}
	}
	var all []finding
	if j.MaxErrorRate != nil || j.WorseThanLiveBy != nil && len(j.groups.live) > 0 {
		all = append(all, j.errors())
	}
	if j.MaxLatency > 0 || j.LatencyRatio != nil && len(j.groups.live) > 0 {
		all = append(all, j.latency())
	}
	return all
}

func (j evaluation) inconclusive(format string, args ...any) finding {
	return finding{rollout.Inconclusive, j.groups.name() + ": " + fmt.Sprintf(format, args...)}
}

// completeSpan leaves the newest period out where only some of its points are there:
// requests without one answer, or answers without a request.
func (j evaluation) completeSpan() metricSpan {
	newest := j.since.to.Add(-j.Period)
	groups := j.groups.all()
	if !slices.ContainsFunc(groups, func(g group) bool { return j.isIncomplete(g, newest.Unix()) }) {
		return j.since
	}
	return metricSpan{j.since.from, newest}
}

func (j evaluation) isIncomplete(g group, second int64) bool {
	has := func(metrics ...string) bool {
		return slices.ContainsFunc(metrics, func(m string) bool { return j.data.value(g.key(m, "Sum"), second) > 0 })
	}
	timed := j.data.has(g.key(responseTime, j.Stat), second)
	if !j.needsErrors() {
		return has(requestCount) != timed
	}
	answered := has(code2xx, code3xx, code4xx, code5xx)
	if j.needsLatency() && answered != timed {
		return true
	}
	refused := has(failedConnects) || j.data.value(metricKey{g.region, g.balancer, "", balancerErrors, "Sum"}, second) > 0
	if has(requestCount) {
		return !answered && !refused
	}
	return answered
}

// periodStarts are when the periods of a span begin.
func (j evaluation) periodStarts(s metricSpan) []int64 {
	var all []int64
	for at := s.from; at.Before(s.to); at = at.Add(j.Period) {
		all = append(all, at.Unix())
	}
	return all
}

// sampleSize is what a window must hold to be judged by.
type sampleSize struct {
	requests float64
	periods  int // that have any
}

// window is the newest periods since the change that are within the lookback,
// and as many more as it takes to hold what is wanted. It returns what it holds.
func (j evaluation) window(want sampleSize, amount func(second int64) float64) (w metricSpan, got sampleSize) {
	take := func(second int64) {
		if n := amount(second); n > 0 {
			got.requests, got.periods = got.requests+n, got.periods+1
		}
	}
	w = j.since.last(j.Lookback, j.Period)
	for _, at := range j.periodStarts(w) {
		take(at)
	}
	for (got.requests < want.requests || got.periods < want.periods) && w.from.After(j.since.from) {
		w.from = w.from.Add(-j.Period)
		take(w.from.Unix())
	}
	return w, got
}

// tally is what groups of one entry point have counted in a window.
type tally struct {
	requests, ok     float64 // fine are 2xx, 3xx and 4xx
	failed           float64 // 5xx of the targets
	connectionErrors float64 // connections to targets that failed
	balancerErrors   float64 // 5xx of the balancer's own, whoever they were for
}

func (j evaluation) tally(groups []group, s metricSpan) tally {
	var t tally
	var balancers []string
	for _, g := range groups {
		own := !slices.Contains(balancers, g.balancer)
		balancers = append(balancers, g.balancer)
		for _, at := range j.periodStarts(s) {
			sum := func(metric string) float64 { return j.data.value(g.key(metric, "Sum"), at) }
			t.requests += sum(requestCount)
			t.ok += sum(code2xx) + sum(code3xx) + sum(code4xx)
			t.failed += sum(code5xx)
			t.connectionErrors += sum(failedConnects)
			if own {
				t.balancerErrors += j.data.value(metricKey{g.region, g.balancer, "", balancerErrors, "Sum"}, at)
			}
		}
	}
	return t
}

// errors are what is left of the requests, up to what is known to have gone
// wrong, and the targets' own 5xx in any case.
func (t tally) errors() int {
	left := min(t.requests-t.ok, t.failed+max(t.connectionErrors, t.balancerErrors))
	return int(math.Round(min(t.requests, max(t.failed, left))))
}

// uncounted are requests that got no code that is counted and are no error.
func (t tally) uncounted() int {
	return int(math.Round(max(0, t.requests-t.ok-float64(t.errors()))))
}

func (t tally) proportion() proportion { return proportion{t.errors(), int(math.Round(t.requests))} }

func (j evaluation) errors() finding {
	fresh := []group{j.groups.incoming}
	w, held := j.window(sampleSize{requests: float64(j.MinRequests)}, func(at int64) float64 {
		return j.data.value(j.groups.incoming.key(requestCount, "Sum"), at)
	})
	got := held.requests
	if got < float64(j.MinRequests) {
		return j.inconclusive("%s in %s, at least %d are needed", requestsText(got), w.text(), j.MinRequests)
	}
	t := j.tally(fresh, w)
	n := t.proportion()
	f := finding{rollout.Pass, fmt.Sprintf("%s: %s in %s in %s", j.groups.name(), errorsText(n.bad), requestsText(got), w.text())}
	f.text += ", " + percentText(n.rate(), j.MaxErrorRate)
	if j.MaxErrorRate != nil {
		f.text += fmt.Sprintf(" (at most %s %%)", formatNumber(*j.MaxErrorRate))
		if 100*n.rate() > *j.MaxErrorRate {
			f.status = rollout.Fail
		}
	}
	f = f.and(j.checkUnanswered(t, w))
	if j.WorseThanLiveBy == nil {
		return f
	}
	return f.and(j.compareErrors(n, w))
}

// and puts two findings of one window together.
func (f finding) and(other finding) finding {
	if other.text != "" {
		f.text += "; " + other.text
	}
	if f.status != rollout.Fail && other.status != rollout.Pass {
		f.status = other.status
	}
	return f
}

// noLiveText is told where there is no side to compare with.
const noLiveText = "nothing gives way to it, so it is compared with nothing"

// compareErrors compares error rates by the test of two proportions.
func (j evaluation) compareErrors(fresh proportion, w metricSpan) finding {
	if len(j.groups.live) == 0 {
		return finding{rollout.Pass, noLiveText}
	}
	beside := j.tally(j.groups.live, w)
	live, when := beside, "in the same time"
	if live.requests < float64(j.MinRequests) {
		live, when = j.tally(j.groups.live, j.before), j.beforeText()
	}
	if live.requests < float64(j.MinRequests) {
		return finding{rollout.Inconclusive, fmt.Sprintf("%s %s in the same time and %s %s, at least %d are needed to compare",
			j.groups.rivalHas(), requestsText(beside.requests), formatCount(live.requests), when, j.MinRequests)}
	}
	n := live.proportion()
	f := finding{rollout.Pass, fmt.Sprintf("%s %s in %s %s, %s", j.groups.rivalHas(), errorsText(n.bad), requestsText(live.requests), when, percentText(n.rate(), nil))}
	return f.and(j.difference(100*(fresh.rate()-n.rate()), pValue(fresh, n, *j.WorseThanLiveBy/100)))
}

// difference words by how many percentage points the fresh side is worse, and how
// likely that is at the margin.
func (j evaluation) difference(points, p float64) finding {
	who := j.groups.incoming.environment
	if points <= 0 {
		return finding{rollout.Pass, who + " is no worse"}
	}
	f := finding{rollout.Pass, fmt.Sprintf("%s is worse by %s (at most %s)", who, percentagePoints(formatDigits(points, j.WorseThanLiveBy)), formatNumber(*j.WorseThanLiveBy))}
	bar := j.threshold()
	switch {
	case points <= *j.WorseThanLiveBy:
	case p <= bar:
		f.status = rollout.Fail
		f.text += fmt.Sprintf(", and hardly by chance: p %s, where %s is enough", formatP(p, bar), strconv.FormatFloat(bar, 'g', 2, 64))
	default:
		f.text += fmt.Sprintf(", but that may be chance: p %s, where %s would be enough", formatP(p, bar), strconv.FormatFloat(bar, 'g', 2, 64))
	}
	return f
}

func (j evaluation) beforeText() string { return "in the " + j.before.text() + " before the change" }

// minSlowPeriods is of how many periods the one in the middle must be too slow. One
// alone may be a cold cache or a busy neighbour.
const minSlowPeriods = 3

// minLatencyRequests is how many requests a latency needs.
func (c TargetMetrics) minLatencyRequests() float64 {
	q := percentile(c.Stat)
	if q == 0 {
		return float64(c.MinRequests)
	}
	return max(float64(c.MinRequests), math.Ceil(5/(1-q)-1e-6))
}

func (j evaluation) latency() finding {
	need := j.minLatencyRequests()
	fresh := j.groups.incoming
	w, held := j.window(sampleSize{need, minSlowPeriods}, func(at int64) float64 { return j.timedRequests(fresh, at) })
	got := held.requests
	if got < need {
		return j.inconclusive("%s in %s to take %s of, at least %s are needed", requestsText(got), w.text(), j.Stat, formatCount(need))
	}
	value, _ := j.median([]group{fresh}, w)
	f := finding{rollout.Pass, fmt.Sprintf("%s: %s %s in %s in %s", j.groups.name(), j.Stat, latencyDuration(value), requestsText(got), w.text())}
	if j.MaxLatency > 0 {
		f.text += fmt.Sprintf(" (at most %s)", j.MaxLatency)
		if value > j.MaxLatency.Seconds() {
			f.status = rollout.Fail
		}
	}
	if j.LatencyRatio != nil {
		f = f.and(j.compareLatency(value, w))
	}
	if f.status == rollout.Fail && held.periods < minSlowPeriods {
		f.status = rollout.Inconclusive
		f.text += fmt.Sprintf("; a slow moment is no slow release, so it takes %d periods with requests to tell, and there are %d", minSlowPeriods, held.periods)
	}
	return f
}

func (j evaluation) compareLatency(fresh float64, w metricSpan) finding {
	if len(j.groups.live) == 0 {
		return finding{rollout.Pass, noLiveText}
	}
	value, beside := j.median(j.groups.live, w)
	got, when := beside, "in the same time"
	if got < j.minLatencyRequests() {
		value, got = j.median(j.groups.live, j.before)
		when = j.beforeText()
	}
	if got < j.minLatencyRequests() || value <= 0 {
		return finding{rollout.Inconclusive, fmt.Sprintf("%s %s in the same time and %s %s to take %s of, at least %s are needed to compare",
			j.groups.rivalHas(), requestsText(beside), formatCount(got), when, j.Stat, formatCount(j.minLatencyRequests()))}
	}
	f := finding{rollout.Pass, fmt.Sprintf("%s times that of %s, %s in %s %s (at most %s times)", formatDigits(fresh/value, j.LatencyRatio),
		j.groups.liveNames(), latencyDuration(value), requestsText(got), when, formatNumber(*j.LatencyRatio))}
	if fresh/value > *j.LatencyRatio {
		f.status = rollout.Fail
	}
	return f
}

// timedRequests is how many requests of a period a latency is known of.
func (j evaluation) timedRequests(g group, second int64) float64 {
	if !j.data.has(g.key(responseTime, j.Stat), second) {
		return 0
	}
	return j.data.value(g.key(requestCount, "Sum"), second)
}

// median is the median of the periods' latencies in seconds, weighted by their
// requests, and how many these are.
func (j evaluation) median(groups []group, s metricSpan) (value, requests float64) {
	type weighted struct{ value, weight float64 }
	var all []weighted
	for _, g := range groups {
		for _, at := range j.periodStarts(s) {
			if n := j.timedRequests(g, at); n > 0 {
				all = append(all, weighted{j.data.value(g.key(responseTime, j.Stat), at), n})
				requests += n
			}
		}
	}
	slices.SortFunc(all, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	below := 0.0
	for _, w := range all {
		value = w.value
		if below += w.weight; below > requests/2 {
			break
		}
	}
	return value, requests
}

func formatCount(n float64) string { return strconv.FormatFloat(math.Round(n), 'f', -1, 64) }

func requestsText(n float64) string {
	if math.Round(n) == 1 {
		return "1 request"
	}
	return formatCount(n) + " requests"
}

func errorsText(n int) string {
	if n == 1 {
		return "1 error"
	}
	return strconv.Itoa(n) + " errors"
}

// percentagePoints words percentage points.
func percentagePoints(n string) string {
	if n == "1" {
		return "1 point"
	}
	return n + " points"
}

// percentText words a rate as percent.
func percentText(rate float64, limit *float64) string { return formatDigits(100*rate, limit) + " %" }

// formatDigits is a number of three digits, unless that would make it read as the
// limit that it is not.
func formatDigits(v float64, limit *float64) string {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if limit != nil && short == *limit {
		return formatNumber(v)
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// formatP is a probability of two digits, or of more where these would make
// it read as the bar.
func formatP(p, bar float64) string {
	const tiny = 1e-6
	short := strconv.FormatFloat(p, 'g', 2, 64)
	switch {
	case p < tiny && bar > tiny:
		return "below 0.000001"
	case p != bar && short == strconv.FormatFloat(bar, 'g', 2, 64):
		return "= " + strconv.FormatFloat(p, 'g', 5, 64)
	}
	return "= " + short
}

func latencyDuration(seconds float64) time.Duration {
	return roundUp(time.Duration(seconds * float64(time.Second)))
}
