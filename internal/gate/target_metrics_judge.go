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

// judgement is one contest in one round.
type judgement struct {
	TargetMetrics
	contest contest
	figures figures
	since   metricSpan // whole periods from after the change
	before  metricSpan // those that ended by it
}

// findings are what came of the limits of errors and of those of latency.
func (j judgement) findings() []finding {
	for _, m := range j.measures(j.contest) {
		if s := j.figures[m]; s != nil && s.partial {
			return []finding{j.unsure("CloudWatch gave only a part of its data%s", remarks(s.remarks))}
		}
	}
	j.since = j.settled()
	if j.since.empty() {
		return []finding{j.unsure("its newest points are not all there yet")}
	}
	if len(j.contest.live) == 0 && j.MaxErrorRate == nil && j.MaxLatency == 0 {
		return []finding{{rollout.Pass, j.contest.words() + ": nothing gives way to it, so there is nothing to compare it with"}}
	}
	var all []finding
	if j.MaxErrorRate != nil || j.WorseThanLiveBy != nil && len(j.contest.live) > 0 {
		all = append(all, j.errors())
	}
	if j.MaxLatency > 0 || j.LatencyRatio != nil && len(j.contest.live) > 0 {
		all = append(all, j.latency())
	}
	return all
}

func (j judgement) unsure(format string, args ...any) finding {
	return finding{rollout.Inconclusive, j.contest.words() + ": " + fmt.Sprintf(format, args...)}
}

// settled leaves the newest period out where only some of its points are there:
// requests without one answer, or answers without a request.
func (j judgement) settled() metricSpan {
	newest := j.since.to.Add(-j.Period)
	groups := j.contest.groups()
	if !slices.ContainsFunc(groups, func(g group) bool { return j.isTorn(g, newest.Unix()) }) {
		return j.since
	}
	return metricSpan{j.since.from, newest}
}

func (j judgement) isTorn(g group, second int64) bool {
	has := func(metrics ...string) bool {
		return slices.ContainsFunc(metrics, func(m string) bool { return j.figures.at(g.of(m, "Sum"), second) > 0 })
	}
	timed := j.figures.has(g.of(responseTime, j.Stat), second)
	if !j.judgesErrors() {
		return has(requestCount) != timed
	}
	answered := has(code2xx, code3xx, code4xx, code5xx)
	if j.judgesLatency() && answered != timed {
		return true
	}
	refused := has(failedConnects) || j.figures.at(measure{g.region, g.balancer, "", balancerErrors, "Sum"}, second) > 0
	if has(requestCount) {
		return !answered && !refused
	}
	return answered
}

// seconds are when the periods of a span begin.
func (j judgement) seconds(s metricSpan) []int64 {
	var all []int64
	for at := s.from; at.Before(s.to); at = at.Add(j.Period) {
		all = append(all, at.Unix())
	}
	return all
}

// demand is what a window must hold to be judged by.
type demand struct {
	requests float64
	periods  int // that have any
}

// window is the newest periods since the change that are within the lookback,
// and as many more as it takes to hold what is wanted. It returns what it holds.
func (j judgement) window(want demand, amount func(second int64) float64) (w metricSpan, got demand) {
	take := func(second int64) {
		if n := amount(second); n > 0 {
			got.requests, got.periods = got.requests+n, got.periods+1
		}
	}
	w = j.since.newest(j.Lookback, j.Period)
	for _, at := range j.seconds(w) {
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
	requests, fine float64 // fine are 2xx, 3xx and 4xx
	failed         float64 // 5xx of the targets
	refused        float64 // connections to targets that failed
	balancer       float64 // 5xx of the balancer's own, whoever they were for
}

func (j judgement) tally(groups []group, s metricSpan) tally {
	var t tally
	var balancers []string
	for _, g := range groups {
		own := !slices.Contains(balancers, g.balancer)
		balancers = append(balancers, g.balancer)
		for _, at := range j.seconds(s) {
			sum := func(metric string) float64 { return j.figures.at(g.of(metric, "Sum"), at) }
			t.requests += sum(requestCount)
			t.fine += sum(code2xx) + sum(code3xx) + sum(code4xx)
			t.failed += sum(code5xx)
			t.refused += sum(failedConnects)
			if own {
				t.balancer += j.figures.at(measure{g.region, g.balancer, "", balancerErrors, "Sum"}, at)
			}
		}
	}
	return t
}

// errors are what is left of the requests, up to what is known to have gone
// wrong, and the targets' own 5xx in any case.
func (t tally) errors() int {
	left := min(t.requests-t.fine, t.failed+max(t.refused, t.balancer))
	return int(math.Round(min(t.requests, max(t.failed, left))))
}

// unexplained are requests that got no code that is counted and are no error.
func (t tally) unexplained() int {
	return int(math.Round(max(0, t.requests-t.fine-float64(t.errors()))))
}

func (t tally) proportion() proportion { return proportion{t.errors(), int(math.Round(t.requests))} }

func (j judgement) errors() finding {
	fresh := []group{j.contest.fresh}
	w, held := j.window(demand{requests: float64(j.MinRequests)}, func(at int64) float64 {
		return j.figures.at(j.contest.fresh.of(requestCount, "Sum"), at)
	})
	got := held.requests
	if got < float64(j.MinRequests) {
		return j.unsure("%s in %s, at least %d are needed", requestsOf(got), w.words(), j.MinRequests)
	}
	t := j.tally(fresh, w)
	n := t.proportion()
	f := finding{rollout.Pass, fmt.Sprintf("%s: %s in %s in %s", j.contest.words(), errorsOf(n.bad), requestsOf(got), w.words())}
	f.text += ", " + percentOf(n.rate(), j.MaxErrorRate)
	if j.MaxErrorRate != nil {
		f.text += fmt.Sprintf(" (at most %s %%)", plain(*j.MaxErrorRate))
		if 100*n.rate() > *j.MaxErrorRate {
			f.answer = rollout.Fail
		}
	}
	f = f.and(j.unanswered(t, w))
	if j.WorseThanLiveBy == nil {
		return f
	}
	return f.and(j.againstLive(n, w))
}

// and puts two findings of one window together.
func (f finding) and(other finding) finding {
	if other.text != "" {
		f.text += "; " + other.text
	}
	if f.answer != rollout.Fail && other.answer != rollout.Pass {
		f.answer = other.answer
	}
	return f
}

// nothingGives is told where there is no side to compare with.
const nothingGives = "nothing gives way to it, so it is compared with nothing"

// againstLive compares error rates by the test of two proportions.
func (j judgement) againstLive(fresh proportion, w metricSpan) finding {
	if len(j.contest.live) == 0 {
		return finding{rollout.Pass, nothingGives}
	}
	beside := j.tally(j.contest.live, w)
	live, when := beside, "in the same time"
	if live.requests < float64(j.MinRequests) {
		live, when = j.tally(j.contest.live, j.before), j.beforeWords()
	}
	if live.requests < float64(j.MinRequests) {
		return finding{rollout.Inconclusive, fmt.Sprintf("%s %s in the same time and %s %s, at least %d are needed to compare",
			j.contest.rivalHas(), requestsOf(beside.requests), number(live.requests), when, j.MinRequests)}
	}
	n := live.proportion()
	f := finding{rollout.Pass, fmt.Sprintf("%s %s in %s %s, %s", j.contest.rivalHas(), errorsOf(n.bad), requestsOf(live.requests), when, percentOf(n.rate(), nil))}
	return f.and(j.difference(100*(fresh.rate()-n.rate()), chanceOfWorse(fresh, n, *j.WorseThanLiveBy/100)))
}

// difference words by how many percentage points the fresh side is worse, and how
// likely that is at the margin.
func (j judgement) difference(points, p float64) finding {
	who := j.contest.fresh.environment
	if points <= 0 {
		return finding{rollout.Pass, who + " is no worse"}
	}
	f := finding{rollout.Pass, fmt.Sprintf("%s is worse by %s (at most %s)", who, pointsOf(shownDigits(points, j.WorseThanLiveBy)), plain(*j.WorseThanLiveBy))}
	bar := j.bar()
	switch {
	case points <= *j.WorseThanLiveBy:
	case p <= bar:
		f.answer = rollout.Fail
		f.text += fmt.Sprintf(", and hardly by chance: p %s, where %s is enough", shownChance(p, bar), strconv.FormatFloat(bar, 'g', 2, 64))
	default:
		f.text += fmt.Sprintf(", but that may be chance: p %s, where %s would be enough", shownChance(p, bar), strconv.FormatFloat(bar, 'g', 2, 64))
	}
	return f
}

func (j judgement) beforeWords() string { return "in the " + j.before.words() + " before the change" }

// slowPeriods is of how many periods the one in the middle must be too slow. One
// alone may be a cold cache or a busy neighbour.
const slowPeriods = 3

// enough is how many requests a latency needs.
func (c TargetMetrics) enough() float64 {
	q := percentile(c.Stat)
	if q == 0 {
		return float64(c.MinRequests)
	}
	return max(float64(c.MinRequests), math.Ceil(5/(1-q)-1e-6))
}

func (j judgement) latency() finding {
	need := j.enough()
	fresh := j.contest.fresh
	w, held := j.window(demand{need, slowPeriods}, func(at int64) float64 { return j.timed(fresh, at) })
	got := held.requests
	if got < need {
		return j.unsure("%s in %s to take %s of, at least %s are needed", requestsOf(got), w.words(), j.Stat, number(need))
	}
	value, _ := j.middle([]group{fresh}, w)
	f := finding{rollout.Pass, fmt.Sprintf("%s: %s %s in %s in %s", j.contest.words(), j.Stat, inWords(value), requestsOf(got), w.words())}
	if j.MaxLatency > 0 {
		f.text += fmt.Sprintf(" (at most %s)", j.MaxLatency)
		if value > j.MaxLatency.Seconds() {
			f.answer = rollout.Fail
		}
	}
	if j.LatencyRatio != nil {
		f = f.and(j.againstLiveLatency(value, w))
	}
	if f.answer == rollout.Fail && held.periods < slowPeriods {
		f.answer = rollout.Inconclusive
		f.text += fmt.Sprintf("; a slow moment is no slow release, so it takes %d periods with requests to tell, and there are %d", slowPeriods, held.periods)
	}
	return f
}

func (j judgement) againstLiveLatency(fresh float64, w metricSpan) finding {
	if len(j.contest.live) == 0 {
		return finding{rollout.Pass, nothingGives}
	}
	value, beside := j.middle(j.contest.live, w)
	got, when := beside, "in the same time"
	if got < j.enough() {
		value, got = j.middle(j.contest.live, j.before)
		when = j.beforeWords()
	}
	if got < j.enough() || value <= 0 {
		return finding{rollout.Inconclusive, fmt.Sprintf("%s %s in the same time and %s %s to take %s of, at least %s are needed to compare",
			j.contest.rivalHas(), requestsOf(beside), number(got), when, j.Stat, number(j.enough()))}
	}
	f := finding{rollout.Pass, fmt.Sprintf("%s times that of %s, %s in %s %s (at most %s times)", shownDigits(fresh/value, j.LatencyRatio),
		j.contest.rival(), inWords(value), requestsOf(got), when, plain(*j.LatencyRatio))}
	if fresh/value > *j.LatencyRatio {
		f.answer = rollout.Fail
	}
	return f
}

// timed is how many requests of a period a latency is known of.
func (j judgement) timed(g group, second int64) float64 {
	if !j.figures.has(g.of(responseTime, j.Stat), second) {
		return 0
	}
	return j.figures.at(g.of(requestCount, "Sum"), second)
}

// middle is the median of the periods' latencies in seconds, weighted by their
// requests, and how many these are.
func (j judgement) middle(groups []group, s metricSpan) (value, requests float64) {
	type weighted struct{ value, weight float64 }
	var all []weighted
	for _, g := range groups {
		for _, at := range j.seconds(s) {
			if n := j.timed(g, at); n > 0 {
				all = append(all, weighted{j.figures.at(g.of(responseTime, j.Stat), at), n})
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

func number(n float64) string { return strconv.FormatFloat(math.Round(n), 'f', -1, 64) }

func requestsOf(n float64) string {
	if math.Round(n) == 1 {
		return "1 request"
	}
	return number(n) + " requests"
}

func errorsOf(n int) string {
	if n == 1 {
		return "1 error"
	}
	return strconv.Itoa(n) + " errors"
}

// pointsOf words percentage points.
func pointsOf(n string) string {
	if n == "1" {
		return "1 point"
	}
	return n + " points"
}

// percentOf words a rate as percent.
func percentOf(rate float64, limit *float64) string { return shownDigits(100*rate, limit) + " %" }

// shownDigits is a number of three digits, unless that would make it read as the
// limit that it is not.
func shownDigits(v float64, limit *float64) string {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if limit != nil && short == *limit {
		return plain(v)
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// shownChance is a probability of two digits, or of more where these would make
// it read as the bar.
func shownChance(p, bar float64) string {
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

func inWords(seconds float64) time.Duration {
	return rounded(time.Duration(seconds * float64(time.Second)))
}
