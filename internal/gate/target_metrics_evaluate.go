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
		return []finding{{status: rollout.Pass, text: e.groups.name() + ": " + noLiveText}}
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
	return slices.ContainsFunc(g.subjects, func(s subject) bool { return e.isIncompleteSubject(g, s, second) })
}

func (e evaluation) isIncompleteSubject(g group, s subject, second int64) bool {
	has := func(metrics ...string) bool {
		return slices.ContainsFunc(metrics, func(m string) bool { return e.data.value(metricKey{s, m, "Sum"}, second) > 0 })
	}
	hasLatency := e.data.has(e.timeKey(g, s), second)
	hasRequests := has(g.requestsMetric())
	if !e.needsErrors() {
		return hasRequests != hasLatency
	}
	if g.isFunction() {
		return hasRequests != e.data.has(metricKey{s, failures, "Sum"}, second) || e.needsSlow() && hasRequests != hasLatency
	}
	hasResponses := has(code2xx, code3xx, code4xx, code5xx)
	if e.needsSlow() && hasResponses != hasLatency {
		return true
	}
	hasFailures := has(failedConnects) || slices.ContainsFunc(g.balancerKeys(), func(k metricKey) bool { return e.data.value(k, second) > 0 })
	if hasRequests {
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
func (e evaluation) window(minimum sampleSize, of func(tally) chance.Share) (w metricSpan, size sampleSize) {
	w = e.since.last(e.Lookback, e.Period)
	all := e.tallies([]group{e.groups.incoming}, e.since)
	inLookback := int(w.length() / e.Period)
	for i := len(all) - 1; i >= 0; i-- {
		isEnough := size.requests >= minimum.requests && size.periods >= minimum.periods
		if len(all)-i > inLookback {
			if isEnough {
				break
			}
			w.from = w.from.Add(-e.Period)
		}
		if n := float64(of(all[i]).Total); n > 0 {
			size.requests, size.periods = size.requests+n, size.periods+1
		}
	}
	return w, size
}

// tally sums the counts of groups of one entry point over a window.
type tally struct {
	requests, ok     float64 // ok are 2xx, 3xx and 4xx responses
	failed           float64 // 5xx responses of the targets, and of a load balancer that serves nothing else
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

// tallies returns the counts of groups in each period of a span.
func (e evaluation) tallies(groups []group, s metricSpan) []tally {
	starts := e.periodStarts(s)
	all := make([]tally, len(starts))
	var balancers []subject
	for _, g := range groups {
		for _, of := range g.subjects {
			e.addCounts(all, g, of, starts)
		}
		for _, b := range g.balancers {
			if slices.Contains(balancers, b) {
				continue
			}
			balancers = append(balancers, b)
			e.addBalancer(all, b, starts, g.whole)
		}
	}
	return all
}

// addBalancer adds the 5xx responses of a load balancer itself. Where it serves nothing else (whole), all are errors of
// the group. All but 502 and 504 were sent before a target was chosen, so they are not in its RequestCount.
func (e evaluation) addBalancer(all []tally, b subject, starts []int64, whole bool) {
	count := func(metric string, add func(*tally, float64)) {
		e.data.each(metricKey{b, metric, "Sum"}, starts, func(i int, v float64) { add(&all[i], v) })
	}
	if !whole {
		count(balancerErrors, func(t *tally, v float64) { t.balancerErrors += v })
		return
	}
	count(balancerErrors, func(t *tally, v float64) { t.failed, t.requests = t.failed+v, t.requests+v })
	for _, metric := range []string{balancer502, balancer504} {
		count(metric, func(t *tally, v float64) { t.requests -= v })
	}
}

// addCounts adds the counts of a part of a group to the periods.
func (e evaluation) addCounts(all []tally, g group, of subject, starts []int64) {
	count := func(metric string, add func(*tally, float64)) {
		e.data.each(metricKey{of, metric, "Sum"}, starts, func(i int, v float64) { add(&all[i], v) })
	}
	if g.isFunction() { // what is not an error is a success
		count(invocations, func(t *tally, v float64) { t.requests, t.ok = t.requests+v, t.ok+v })
		count(failures, func(t *tally, v float64) { t.failed, t.ok = t.failed+v, t.ok-v })
	} else {
		count(requestCount, func(t *tally, v float64) { t.requests += v })
		for _, metric := range []string{code2xx, code3xx, code4xx} {
			count(metric, func(t *tally, v float64) { t.ok += v })
		}
		count(code5xx, func(t *tally, v float64) { t.failed += v })
		if !g.whole { // otherwise the 502 of the load balancer are known
			count(failedConnects, func(t *tally, v float64) { t.connectionErrors += v })
		}
	}
	requests := e.data[metricKey{of, g.requestsMetric(), "Sum"}]
	e.data.each(e.timeKey(g, of), starts, func(i int, percent float64) {
		if requests != nil {
			all[i].timed += requests.values[starts[i]]
			all[i].slow += requests.values[starts[i]] * (1 - percent/100)
		}
	})
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
	for _, t := range e.tallies(groups, s) {
		sum.add(t)
		c.Periods = append(c.Periods, of(t))
	}
	c.Sum = of(sum)
	return c
}

const (
	// maxUnansweredShare is the share of requests that may have no response code if
	// there is no live environment to compare with.
	maxUnansweredShare = 0.5
	// unansweredMargin is how much that share may exceed the share of live.
	unansweredMargin = 0.01
)

// unanswered evaluates requests without a counted response code. WebSockets and
// clients that disconnect cause some in every environment, so a share like that of
// live is only reported. A larger share may be a release that hangs: its requests are
// not errors until they time out, but they are not ok either.
func (e evaluation) unanswered(errors quality, w metricSpan) finding {
	if errors.mustPersist {
		return finding{} // slow responses are responses
	}
	ev := e.evidence(quality{of: tally.unansweredShare}, w)
	incoming, live, test := ev.Incoming.Sum, ev.Live.Sum, ev.OutsideOfLive
	if incoming.Bad == 0 {
		return finding{}
	}
	if !ev.IsConcurrent(e.MinRequests) {
		live, test = ev.History.Sum, ev.OutsideOfHistory
	}
	f := finding{status: rollout.Pass, text: requestsText(float64(incoming.Bad)) + " without a counted response code"}
	hangs := finding{status: rollout.Inconclusive, text: "inconclusive because " + f.text}
	switch {
	case live.Total < e.MinRequests && incoming.Rate() > maxUnansweredShare:
		hangs.text += " may still be unanswered"
		return hangs
	case live.Total >= e.MinRequests && test(chance.Tolerance{Factor: 1, Margin: unansweredMargin}).P <= e.threshold():
		hangs.text += fmt.Sprintf(" (%s: %d of %s) may still be unanswered", e.groups.liveNames(), live.Bad, requestsText(float64(live.Total)))
		return hangs
	}
	return f
}
