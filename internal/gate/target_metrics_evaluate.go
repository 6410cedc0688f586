package gate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/statistic"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// evaluation is one evaluation of the groups of one entry point.
type evaluation struct {
	TargetMetrics
	groups entryGroups
	data   metricData
	since  metricSpan // whole periods after the last weight change
	before metricSpan // whole periods that ended by then
}

// findings returns the results for the error limits and the latency limits.
func (e evaluation) findings() []finding {
	for _, key := range e.metricKeys(e.groups) {
		if s := e.data[key]; s != nil && s.partial {
			return []finding{e.inconclusive("CloudWatch returned partial data%s", messagesText(s.messages))}
		}
	}
	e.since = e.completeSpan()
	if e.since.empty() {
		return []finding{e.inconclusive("its newest data points are incomplete")}
	}
	if len(e.groups.live) == 0 && e.MaxErrorRate == nil && e.MaxLatency == 0 {
		return []finding{{status: rollout.Pass, text: e.groups.name() + ": " + noLiveText}}
	}
	var all []finding
	if e.MaxErrorRate != nil || e.WorseThanLiveBy != nil && len(e.groups.live) > 0 {
		all = append(all, e.errors())
	}
	if e.MaxLatency > 0 || e.LatencyRatio != nil && len(e.groups.live) > 0 {
		all = append(all, e.latency())
	}
	return all
}

func (e evaluation) inconclusive(format string, args ...any) finding {
	return finding{status: rollout.Inconclusive, text: e.groups.name() + ": inconclusive because " + fmt.Sprintf(format, args...)}
}

// completeSpan returns the periods since the change without the newest one if that is
// incomplete: it has requests but no responses, or the reverse.
func (e evaluation) completeSpan() metricSpan {
	newest := e.since.to.Add(-e.Period)
	groups := e.groups.all()
	if !slices.ContainsFunc(groups, func(g group) bool { return e.isIncomplete(g, newest.Unix()) }) {
		return e.since
	}
	return metricSpan{e.since.from, newest}
}

func (e evaluation) isIncomplete(g group, second int64) bool {
	has := func(metrics ...string) bool {
		return slices.ContainsFunc(metrics, func(m string) bool { return e.data.value(g.key(m, "Sum"), second) > 0 })
	}
	hasLatency := e.data.has(g.key(responseTime, e.Stat), second)
	if !e.needsErrors() {
		return has(requestCount) != hasLatency
	}
	hasResponses := has(code2xx, code3xx, code4xx, code5xx)
	if e.needsLatency() && hasResponses != hasLatency {
		return true
	}
	hasFailures := has(failedConnects) || e.data.value(metricKey{g.region, g.balancer, "", balancerErrors, "Sum"}, second) > 0
	if has(requestCount) {
		return !hasResponses && !hasFailures
	}
	return hasResponses
}

// periodStarts returns the starts of the periods of a span, in Unix seconds.
func (e evaluation) periodStarts(s metricSpan) []int64 {
	var all []int64
	for at := s.from; at.Before(s.to); at = at.Add(e.Period) {
		all = append(all, at.Unix())
	}
	return all
}

// sampleSize is the number of requests in a window and of periods that have any.
type sampleSize struct {
	requests float64
	periods  int
}

// window returns the newest periods since the change within the lookback, plus as
// many earlier ones as it takes to reach the minimum, and the size of the result.
func (e evaluation) window(minimum sampleSize, requests func(second int64) float64) (w metricSpan, size sampleSize) {
	add := func(second int64) {
		if n := requests(second); n > 0 {
			size.requests, size.periods = size.requests+n, size.periods+1
		}
	}
	w = e.since.last(e.Lookback, e.Period)
	for _, at := range e.periodStarts(w) {
		add(at)
	}
	for (size.requests < minimum.requests || size.periods < minimum.periods) && w.from.After(e.since.from) {
		w.from = w.from.Add(-e.Period)
		add(w.from.Unix())
	}
	return w, size
}

// tally sums the counts of groups of one entry point over a window.
type tally struct {
	requests, ok     float64 // ok are 2xx, 3xx and 4xx responses
	failed           float64 // 5xx responses of the targets
	connectionErrors float64 // failed connections to targets
	balancerErrors   float64 // 5xx responses of the load balancer itself, for any group
}

func (e evaluation) tally(groups []group, s metricSpan) tally {
	var t tally
	var balancers []string
	for _, g := range groups {
		isNew := !slices.Contains(balancers, g.balancer)
		balancers = append(balancers, g.balancer)
		for _, at := range e.periodStarts(s) {
			sum := func(metric string) float64 { return e.data.value(g.key(metric, "Sum"), at) }
			t.requests += sum(requestCount)
			t.ok += sum(code2xx) + sum(code3xx) + sum(code4xx)
			t.failed += sum(code5xx)
			t.connectionErrors += sum(failedConnects)
			if isNew {
				t.balancerErrors += e.data.value(metricKey{g.region, g.balancer, "", balancerErrors, "Sum"}, at)
			}
		}
	}
	return t
}

// errors returns the requests without an ok response, up to the known errors, and at
// least the 5xx responses of the targets.
func (t tally) errors() int {
	rest := min(t.requests-t.ok, t.failed+max(t.connectionErrors, t.balancerErrors))
	return int(math.Round(min(t.requests, max(t.failed, rest))))
}

// uncounted returns the requests without a counted response code that are not errors.
func (t tally) uncounted() int {
	return int(math.Round(max(0, t.requests-t.ok-float64(t.errors()))))
}

func (t tally) proportion() proportion { return proportion{t.errors(), int(math.Round(t.requests))} }

func (e evaluation) errors() finding {
	w, size := e.window(sampleSize{requests: float64(e.MinRequests)}, func(at int64) float64 {
		return e.data.value(e.groups.incoming.key(requestCount, "Sum"), at)
	})
	if size.requests < float64(e.MinRequests) {
		return e.inconclusive("it had %s over %s (minimum %d)", requestsText(size.requests), w.text(), e.MinRequests)
	}
	t := e.tally([]group{e.groups.incoming}, w)
	n := t.proportion()
	f := finding{status: rollout.Pass, text: fmt.Sprintf("%s had %s in %s over %s (%s", e.groups.name(), errorsText(n.bad), requestsText(size.requests), w.text(), percentText(n.rate(), e.MaxErrorRate))}
	if e.MaxErrorRate != nil {
		f.text += fmt.Sprintf(", limit %s %%", formatNumber(*e.MaxErrorRate))
		if 100*n.rate() > *e.MaxErrorRate {
			f.status = rollout.Fail
		}
	}
	f.text += ")"
	f = f.withNumber(e, rollout.Measurement{Name: "error rate", Unit: "%", Value: 100 * n.rate(), Max: e.MaxErrorRate, Samples: n.total}, w)
	f = f.and(e.checkUnanswered(t, w))
	if e.WorseThanLiveBy == nil {
		return f
	}
	return f.and(e.compareErrors(n, w))
}

// and combines two findings about one window. The text of an inconclusive finding is
// a reason, which also reads well after a fail.
func (f finding) and(other finding) finding {
	if f.status == rollout.Pass && other.status == rollout.Inconclusive {
		other.text = "inconclusive because " + other.text
	}
	if other.text != "" {
		f.text += "; " + other.text
	}
	f.measured = append(f.measured, other.measured...)
	if f.status != rollout.Fail && other.status != rollout.Pass {
		f.status = other.status
	}
	return f
}

// noLiveText is the text of a comparison without a live environment.
const noLiveText = "no live environment to compare with"

// compareErrors compares error rates with a test of two proportions.
func (e evaluation) compareErrors(incoming proportion, w metricSpan) finding {
	if len(e.groups.live) == 0 {
		return finding{status: rollout.Pass, text: noLiveText}
	}
	inWindow := e.tally(e.groups.live, w)
	live, when := inWindow, ""
	if live.requests < float64(e.MinRequests) {
		live, when = e.tally(e.groups.live, e.before), e.beforeText()
	}
	if live.requests < float64(e.MinRequests) {
		return finding{status: rollout.Inconclusive, text: fmt.Sprintf("%s had %s in the same time and %s%s (minimum %d to compare)",
			e.groups.liveNames(), requestsText(inWindow.requests), formatCount(live.requests), when, e.MinRequests)}
	}
	n := live.proportion()
	f := finding{status: rollout.Pass, text: fmt.Sprintf("%s had %s in %s%s (%s)", e.groups.liveNames(), errorsText(n.bad), requestsText(live.requests), when, percentText(n.rate(), nil))}
	points := 100 * (incoming.rate() - n.rate())
	f = f.withNumber(e, rollout.Measurement{Name: "error rate above live", Unit: "points", Value: points, Max: e.WorseThanLiveBy, Samples: incoming.total}, w)
	return f.and(e.difference(points, pValue(incoming, n, *e.WorseThanLiveBy/100)))
}

// difference evaluates by how many percentage points incoming is worse, and the
// p-value of that at the margin.
func (e evaluation) difference(points, p float64) finding {
	if points <= 0 {
		return finding{status: rollout.Pass, text: "error rate not higher"}
	}
	f := finding{status: rollout.Pass, text: fmt.Sprintf("difference %s (limit %s)", percentagePoints(formatDigits(points, e.WorseThanLiveBy)), formatNumber(*e.WorseThanLiveBy))}
	threshold := e.threshold()
	significance := fmt.Sprintf("statistically significant (p %s, threshold %s)", formatP(p, threshold), strconv.FormatFloat(threshold, 'g', 2, 64))
	switch {
	case points <= *e.WorseThanLiveBy:
	case p <= threshold:
		f.status = rollout.Fail
		f.text += ", " + significance
	default:
		f.text += ", not " + significance
	}
	return f
}

func (e evaluation) beforeText() string { return " in the " + e.before.text() + " before the change" }

// minSlowPeriods is the number of periods that a latency fail requires. A single slow
// period may be a cold cache or a noisy neighbor.
const minSlowPeriods = 3

// minLatencyRequests returns how many requests a latency requires.
func (c TargetMetrics) minLatencyRequests() float64 {
	q := statistic.Percentile(c.Stat)
	if q == 0 {
		return float64(c.MinRequests)
	}
	return max(float64(c.MinRequests), math.Ceil(5/(1-q)-1e-6))
}

func (e evaluation) latency() finding {
	minimum := e.minLatencyRequests()
	incoming := e.groups.incoming
	w, size := e.window(sampleSize{minimum, minSlowPeriods}, func(at int64) float64 { return e.timedRequests(incoming, at) })
	if size.requests < minimum {
		return e.inconclusive("it had %s over %s (minimum %s for %s)", requestsText(size.requests), w.text(), formatCount(minimum), e.Stat)
	}
	value, _ := e.median([]group{incoming}, w)
	f, comparison := finding{status: rollout.Pass}, finding{status: rollout.Pass}
	var limits []string
	if e.MaxLatency > 0 {
		limits = append(limits, fmt.Sprintf("limit %s", e.MaxLatency))
		if value > e.MaxLatency.Seconds() {
			f.status = rollout.Fail
		}
	}
	if e.LatencyRatio != nil {
		var isMeasured bool
		if comparison, isMeasured = e.compareLatency(value, w); isMeasured {
			limits, comparison.text = append(limits, comparison.text), ""
		}
	}
	f.text = fmt.Sprintf("%s: %s %s over %s in %s", e.groups.name(), e.Stat, latencyDuration(value), requestsText(size.requests), w.text())
	if len(limits) > 0 {
		f.text += " (" + strings.Join(limits, "; ") + ")"
	}
	f = f.withNumber(e, rollout.Measurement{Name: e.Stat + " latency", Unit: "s", Value: value, Max: secondsLimit(e.MaxLatency), Samples: int(size.requests)}, w)
	f = f.and(comparison)
	if f.status == rollout.Fail && size.periods < minSlowPeriods {
		f.status = rollout.Inconclusive
		f.text += fmt.Sprintf("; inconclusive because a fail requires %d periods with requests (so far %d)", minSlowPeriods, size.periods)
	}
	return f
}

// compareLatency compares a latency in seconds with that of the live groups. It
// reports whether that was measured.
func (e evaluation) compareLatency(incoming float64, w metricSpan) (f finding, isMeasured bool) {
	if len(e.groups.live) == 0 {
		return finding{status: rollout.Pass, text: noLiveText}, false
	}
	value, inWindow := e.median(e.groups.live, w)
	requests, when := inWindow, ""
	if requests < e.minLatencyRequests() {
		value, requests = e.median(e.groups.live, e.before)
		when = e.beforeText()
	}
	if requests < e.minLatencyRequests() || value <= 0 {
		return finding{status: rollout.Inconclusive, text: fmt.Sprintf("%s had %s in the same time and %s%s (minimum %s to compare %s)",
			e.groups.liveNames(), requestsText(inWindow), formatCount(requests), when, formatCount(e.minLatencyRequests()), e.Stat)}, false
	}
	f = finding{status: rollout.Pass, text: fmt.Sprintf("%s times %s's %s over %s%s, limit %s times", formatDigits(incoming/value, e.LatencyRatio),
		e.groups.liveNames(), latencyDuration(value), requestsText(requests), when, formatNumber(*e.LatencyRatio))}
	if incoming/value > *e.LatencyRatio {
		f.status = rollout.Fail
	}
	f = f.withNumber(e, rollout.Measurement{Name: e.Stat + " latency compared with live", Unit: "times", Value: incoming / value, Max: e.LatencyRatio}, w)
	return f, true
}

// timedRequests returns the requests of a period that has a latency; otherwise 0.
func (e evaluation) timedRequests(g group, second int64) float64 {
	if !e.data.has(g.key(responseTime, e.Stat), second) {
		return 0
	}
	return e.data.value(g.key(requestCount, "Sum"), second)
}

// median returns the median of the periods' latencies in seconds, weighted by their
// requests, and the number of requests.
func (e evaluation) median(groups []group, s metricSpan) (value, requests float64) {
	type weighted struct{ value, weight float64 }
	var all []weighted
	for _, g := range groups {
		for _, at := range e.periodStarts(s) {
			if n := e.timedRequests(g, at); n > 0 {
				all = append(all, weighted{e.data.value(g.key(responseTime, e.Stat), at), n})
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

func percentagePoints(n string) string {
	if n == "1" {
		return "1 percentage point"
	}
	return n + " percentage points"
}

// percentText formats a rate as percent.
func percentText(rate float64, limit *float64) string { return formatDigits(100*rate, limit) + " %" }

// formatDigits formats a number with three digits, or with all if it would otherwise
// read as equal to a limit that it does not equal.
func formatDigits(v float64, limit *float64) string {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if limit != nil && short == *limit {
		return formatNumber(v)
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

func latencyDuration(seconds float64) time.Duration {
	return roundUp(time.Duration(seconds * float64(time.Second)))
}
