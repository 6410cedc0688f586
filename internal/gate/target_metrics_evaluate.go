package gate

import (
	"fmt"
	"math"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/chance"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// evaluation is one evaluation of the groups of one entry point.
type evaluation struct {
	TargetMetrics
	groups entryGroups
	data   metricData
	since  metricSpan // whole periods after the last weight change
	before metricSpan // the history: whole periods that ended by then
	alpha  float64    // probability of a wrong fail, for one limit and step
}

// findings returns the results for errors and for slow responses.
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
	if len(e.groups.live) == 0 && e.MaxErrorRate == nil && e.MaxSlowRate == nil {
		return []finding{{rollout.Pass, e.groups.name() + ": " + noLiveText}}
	}
	var all []finding
	for _, q := range e.qualities() {
		if q.limit != nil || len(e.groups.live) > 0 {
			all = append(all, e.check(q))
		}
	}
	return all
}

func (e evaluation) inconclusive(format string, args ...any) finding {
	return finding{rollout.Inconclusive, e.groups.name() + ": inconclusive because " + fmt.Sprintf(format, args...)}
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
	hasLatency := e.data.has(g.key(responseTime, e.fastStat()), second)
	if !e.needsErrors() {
		return has(requestCount) != hasLatency
	}
	hasResponses := has(code2xx, code3xx, code4xx, code5xx)
	if e.needsSlow() && hasResponses != hasLatency {
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
	timed, slow      float64 // requests in periods with response times, and slow ones of them
}

// add adds the counts of another period.
func (t *tally) add(o tally) {
	t.requests, t.ok, t.failed = t.requests+o.requests, t.ok+o.ok, t.failed+o.failed
	t.connectionErrors, t.balancerErrors = t.connectionErrors+o.connectionErrors, t.balancerErrors+o.balancerErrors
	t.timed, t.slow = t.timed+o.timed, t.slow+o.slow
}

// tally sums the counts of groups in the period that starts at a Unix second.
func (e evaluation) tally(groups []group, second int64) tally {
	var t tally
	var balancers []string
	for _, g := range groups {
		sum := func(metric string) float64 { return e.data.value(g.key(metric, "Sum"), second) }
		one := tally{
			requests: sum(requestCount), ok: sum(code2xx) + sum(code3xx) + sum(code4xx),
			failed: sum(code5xx), connectionErrors: sum(failedConnects),
		}
		if !slices.Contains(balancers, g.balancer) {
			balancers = append(balancers, g.balancer)
			one.balancerErrors = e.data.value(metricKey{g.region, g.balancer, "", balancerErrors, "Sum"}, second)
		}
		if fast := g.key(responseTime, e.fastStat()); e.data.has(fast, second) {
			one.timed = one.requests
			one.slow = one.requests * (1 - e.data.value(fast, second)/100)
		}
		t.add(one)
	}
	return t
}

// errors returns the requests without an ok response, up to the known errors, and at
// least the 5xx responses of the targets.
func (t tally) errors() int {
	rest := min(t.requests-t.ok, t.failed+max(t.connectionErrors, t.balancerErrors))
	return int(math.Round(min(t.requests, max(t.failed, rest))))
}

func (t tally) failedShare() chance.Share {
	return chance.Share{Bad: t.errors(), Total: int(math.Round(t.requests))}
}

// unansweredShare counts the requests without a counted response code that are not
// errors.
func (t tally) unansweredShare() chance.Share {
	return chance.Share{Bad: int(math.Round(max(0, t.requests-t.ok-float64(t.errors())))), Total: int(math.Round(t.requests))}
}

func (t tally) slowShare() chance.Share {
	return chance.Share{Bad: int(math.Round(t.slow)), Total: int(math.Round(t.timed))}
}

// counted counts the requests of groups over a span, as a sum and by period.
func (e evaluation) counted(groups []group, s metricSpan, of func(tally) chance.Share) chance.Counted {
	var c chance.Counted
	var sum tally
	for _, at := range e.periodStarts(s) {
		t := e.tally(groups, at)
		sum.add(t)
		c.Periods = append(c.Periods, of(t))
	}
	c.Sum = of(sum)
	return c
}
