package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// quality is one kind of bad requests, and its limits.
type quality struct {
	of          func(tally) proportion
	limit       *float64 // percent
	worseBy     *float64 // percentage points
	factor      *float64
	mustPersist bool
	noun        string // "errors"
	rate        string // "error rate"
	text        func(n proportion) string
}

// qualities returns the kinds of bad requests that have limits.
func (c TargetMetrics) qualities() []quality {
	var all []quality
	if c.needsErrors() {
		all = append(all, quality{
			of: tally.failedShare, limit: c.MaxErrorRate, worseBy: c.WorseThanLiveBy, factor: c.ErrorRatio,
			noun: "errors", rate: "error rate",
			text: func(n proportion) string { return errorsText(n.bad) + " in " + requestsText(float64(n.total)) },
		})
	}
	if c.needsSlow() {
		all = append(all, quality{
			of: tally.slowShare, limit: c.MaxSlowRate, worseBy: c.SlowerThanLiveBy, factor: c.SlowRatio, mustPersist: true,
			noun: "slow responses", rate: "share of slow responses",
			text: func(n proportion) string {
				return fmt.Sprintf("%d of %s slower than %s", n.bad, responsesText(n.total), c.SlowThreshold)
			},
		})
	}
	return all
}

// limits returns the number of limits, each of which is a test.
func (c TargetMetrics) limits() int {
	n := 0
	for _, q := range c.qualities() {
		for _, limit := range []*float64{q.limit, q.worseBy, q.factor} {
			if limit != nil {
				n++
			}
		}
	}
	return n
}

// judge evaluates the limits of one quality. The text has the data and the limits that
// are the reason for the status, and no others.
func (e evaluation) judge(q quality) finding {
	minimum := sampleSize{requests: float64(e.MinRequests)}
	if q.mustPersist {
		minimum.periods = minScatterPeriods
	}
	incoming := []group{e.groups.incoming}
	w, size := e.window(minimum, func(at int64) float64 { return float64(q.of(e.tally(incoming, at)).total) })
	if size.requests < minimum.requests {
		return e.inconclusive("it had %s over %s (minimum %d)", requestsText(size.requests), w.text(), e.MinRequests)
	}
	ev := e.evidence(q, w)
	n := ev.incoming.sum
	all := clauses{{finding: e.againstLimit(q, ev)}, {finding: e.unanswered(q, w)}}
	all = append(all, e.againstLive(q, ev)...)
	f := all.finding()
	if f.status == rollout.Fail && q.mustPersist && size.periods < minScatterPeriods {
		f.status = rollout.Inconclusive
		f.text += fmt.Sprintf("; inconclusive because a fail requires %d periods with requests (so far %d)", minScatterPeriods, size.periods)
	}
	f.text = strings.TrimSuffix(fmt.Sprintf("%s had %s over %s (%s); %s", e.groups.name(), q.text(n), w.text(), percentText(n.rate(), q.limit), f.text), "; ")
	return f
}

func (e evaluation) evidence(q quality, w metricSpan) evidence {
	return evidence{
		incoming: e.counted([]group{e.groups.incoming}, w, q.of), live: e.counted(e.groups.live, w, q.of),
		history: e.counted(e.groups.live, e.before, q.of), mustPersist: q.mustPersist,
	}
}

// clause is the result for one limit of a quality. Without a text, the limit does not
// apply.
type clause struct {
	finding
	seen string // what was observed of live, if it was compared
}

type clauses []clause

// finding returns the worst status, with the texts of the clauses that have it.
func (all clauses) finding() finding {
	f := finding{status: rollout.Pass}
	for _, status := range []rollout.Status{rollout.Fail, rollout.Inconclusive, rollout.Pass} {
		var texts []string
		for _, c := range all {
			if c.status != status || c.text == "" {
				continue
			}
			if c.seen != "" && !slices.Contains(texts, c.seen) {
				texts = append(texts, c.seen)
			}
			texts = append(texts, c.text)
		}
		if texts != nil {
			return finding{status, strings.Join(texts, "; ")}
		}
	}
	return f
}

// againstLimit evaluates the limit of the rate.
func (e evaluation) againstLimit(q quality, ev evidence) finding {
	if q.limit == nil {
		return finding{}
	}
	limit := formatNumber(*q.limit) + " %"
	if 100*ev.incoming.sum.rate() <= *q.limit {
		return finding{rollout.Pass, "limit " + limit}
	}
	return e.tested(q, "above the limit of "+limit, ev.aboveLimit(*q.limit/100))
}

// noLiveText is the text of a comparison without a live environment.
const noLiveText = "no live environment to compare with"

// againstLive evaluates the limits of the comparison with live.
func (e evaluation) againstLive(q quality, ev evidence) clauses {
	if q.worseBy == nil && q.factor == nil {
		return nil
	}
	if len(e.groups.live) == 0 {
		return clauses{{finding: finding{rollout.Pass, noLiveText}}}
	}
	live, when, test := ev.live.sum, "", ev.outsideOfLive
	if !ev.isConcurrent(e.MinRequests) {
		live, when, test = ev.history.sum, " in the "+e.before.text()+" before the change", ev.outsideOfHistory
	}
	if live.total < e.MinRequests {
		return clauses{{finding: finding{rollout.Inconclusive, fmt.Sprintf("inconclusive because %s had %s in the same time and %d%s (minimum %d to compare)",
			e.groups.liveNames(), requestsText(float64(ev.live.sum.total)), live.total, when, e.MinRequests)}}}
	}
	c := comparison{quality: q, incoming: ev.incoming.sum, live: live, names: e.groups.liveNames()}
	seen := fmt.Sprintf("%s had %s%s (%s)", c.names, q.text(live), when, percentText(live.rate(), nil))
	if c.incoming.rate() <= live.rate() {
		return clauses{{finding{rollout.Pass, q.rate + " not higher"}, seen}}
	}
	return clauses{{e.againstMargin(c, test), seen}, {e.againstFactor(c, test), seen}}
}

// comparison is the two observed rates that are compared.
type comparison struct {
	quality
	incoming, live proportion
	names          string // of the live environments
}

// againstMargin evaluates by how many percentage points incoming is worse. Hosts with
// the same version are never exactly equal, so it must also be outside what they may
// differ by.
func (e evaluation) againstMargin(c comparison, test func(...tolerance) significance) finding {
	if c.worseBy == nil {
		return finding{}
	}
	margin, same := tolerance{1, *c.worseBy / 100}, tolerance{sameVersionFactor, 0}
	points := 100 * (c.incoming.rate() - c.live.rate())
	text := fmt.Sprintf("difference %s (limit %s)", percentagePoints(formatDigits(points, c.worseBy)), formatNumber(*c.worseBy))
	switch {
	case points <= *c.worseBy:
		return finding{rollout.Pass, text}
	case same.excess(c.incoming, c.live) <= 0:
		return finding{rollout.Pass, fmt.Sprintf("%s, but not more than %g times the rate of %s", text, sameVersionFactor, c.names)}
	}
	return e.tested(c.quality, text, test(margin, same))
}

// againstFactor evaluates how many times the rate of live that of incoming is.
func (e evaluation) againstFactor(c comparison, test func(...tolerance) significance) finding {
	if c.factor == nil {
		return finding{}
	}
	limit := tolerance{*c.factor, 0}
	times := "more than any number of"
	if c.live.bad > 0 {
		times = formatDigits(c.incoming.rate()/c.live.rate(), c.factor)
	}
	text := fmt.Sprintf("%s times the rate of %s (limit %s)", times, c.names, formatNumber(*c.factor))
	if limit.excess(c.incoming, c.live) <= 0 {
		return finding{rollout.Pass, text}
	}
	return e.tested(c.quality, text, test(limit))
}

// tested returns the finding of a test. Only a significant result is a fail.
func (e evaluation) tested(q quality, text string, s significance) finding {
	threshold := e.threshold()
	f, not := finding{status: rollout.Fail}, ""
	if s.p > threshold {
		f.status, not = rollout.Pass, "not "
	}
	f.text = fmt.Sprintf("%s, %sstatistically significant (p %s, threshold %s", text, not, formatP(s.p, threshold), formatThreshold(threshold))
	if s.designEffect >= 1.05 {
		f.text += fmt.Sprintf("; %s %s count as one", formatDigits(s.designEffect, nil), q.noun)
	}
	f.text += ")"
	return f
}

// threshold returns the p-value at or below which a result is significant in this
// evaluation.
func (e evaluation) threshold() float64 {
	return alphaOfEvaluation(e.alpha, int(e.since.length()/e.Period))
}
