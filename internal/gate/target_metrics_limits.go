package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/chance"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// quality is one kind of bad requests, and its limits.
type quality struct {
	of          func(tally) chance.Share
	limit       *float64 // percent
	worseBy     *float64 // percentage points
	factor      *float64
	mustPersist bool
	noun        string // "errors"
	rate        string // "error rate"
	text        func(n chance.Share) string
}

// qualities returns the kinds of bad requests that have limits.
func (c TargetMetrics) qualities() []quality {
	var all []quality
	if c.needsErrors() {
		all = append(all, quality{
			of: tally.failedShare, limit: c.MaxErrorRate, worseBy: c.WorseThanLiveBy, factor: c.ErrorRatio,
			noun: "errors", rate: "error rate",
			text: func(n chance.Share) string { return errorsText(n.Bad) + " in " + requestsText(float64(n.Total)) },
		})
	}
	if c.needsSlow() {
		all = append(all, quality{
			of: tally.slowShare, limit: c.MaxSlowRate, worseBy: c.SlowerThanLiveBy, factor: c.SlowRatio, mustPersist: true,
			noun: "slow responses", rate: "share of slow responses",
			text: func(n chance.Share) string {
				return fmt.Sprintf("%d of %s slower than %s", n.Bad, responsesText(n.Total), c.SlowThreshold)
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

// check evaluates the limits of one quality. The text has the data and the limits that
// are the reason for the status, and no others.
func (e evaluation) check(q quality) finding {
	minimum := sampleSize{requests: float64(e.MinRequests)}
	if q.mustPersist {
		minimum.periods = chance.MinPeriods
	}
	w, size := e.window(minimum, q.of)
	if size.requests < minimum.requests {
		return e.inconclusive("it had %s over %s (minimum %d)", requestsText(size.requests), w.text(), e.MinRequests)
	}
	ev := e.evidence(q, w)
	n := ev.Incoming.Sum
	all := clauses{{finding: e.againstLimit(q, ev)}, {finding: e.unanswered(q, w)}}
	all = append(all, e.againstLive(q, ev)...)
	f := all.finding()
	if f.status == rollout.Fail && q.mustPersist && size.periods < chance.MinPeriods {
		f.status = rollout.Inconclusive
		f.text += fmt.Sprintf("; inconclusive because a fail requires %d periods with requests (so far %d)", chance.MinPeriods, size.periods)
	}
	f.measured = e.numbers(q, ev, w)
	f.text = strings.TrimSuffix(fmt.Sprintf("%s had %s over %s (%s); %s", e.groups.name(), q.text(n), w.text(), percentText(n.Rate(), q.limit), f.text), "; ")
	return f
}

// numbers are the rate, and how it compares with that of live where both were measured.
func (e evaluation) numbers(q quality, ev chance.Evidence, w metricSpan) []rollout.Measurement {
	n := ev.Incoming.Sum
	number := func(name, unit string, value float64, limit *float64) rollout.Measurement {
		return rollout.Measurement{Name: name, Unit: unit, Value: value, Max: limit, Samples: n.Total, Entry: e.groups.entry, From: w.from, To: w.to}
	}
	all := []rollout.Measurement{number(q.rate, "%", 100*n.Rate(), q.limit)}
	live := ev.Live.Sum
	if !ev.IsConcurrent(e.MinRequests) {
		live = ev.History.Sum
	}
	if len(e.groups.live) == 0 || live.Total < e.MinRequests {
		return all
	}
	if q.worseBy != nil {
		all = append(all, number(q.rate+" above live", "points", 100*(n.Rate()-live.Rate()), q.worseBy))
	}
	if q.factor != nil && live.Bad > 0 {
		all = append(all, number(q.rate+" compared with live", "times", n.Rate()/live.Rate(), q.factor))
	}
	return all
}

func (e evaluation) evidence(q quality, w metricSpan) chance.Evidence {
	return chance.Evidence{
		Incoming: e.counted([]group{e.groups.incoming}, w, q.of), Live: e.counted(e.groups.live, w, q.of),
		History: e.counted(e.groups.live, e.before, q.of), MustPersist: q.mustPersist,
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
			return finding{status: status, text: strings.Join(texts, "; ")}
		}
	}
	return f
}

// againstLimit evaluates the limit of the rate.
func (e evaluation) againstLimit(q quality, ev chance.Evidence) finding {
	if q.limit == nil {
		return finding{}
	}
	limit := formatNumber(*q.limit) + " %"
	if 100*ev.Incoming.Sum.Rate() <= *q.limit {
		return finding{status: rollout.Pass, text: "limit " + limit}
	}
	above := testOf(ev, e.threshold(), func(ev chance.Evidence) chance.Significance { return ev.AboveLimit(*q.limit / 100) })
	return above.finding(q, "above the limit of "+limit)
}

// noLiveText is the text of a comparison without a live environment.
const noLiveText = "no live environment to compare with"

// againstLive evaluates the limits of the comparison with live.
func (e evaluation) againstLive(q quality, ev chance.Evidence) clauses {
	if q.worseBy == nil && q.factor == nil {
		return nil
	}
	if len(e.groups.live) == 0 {
		return clauses{{finding: finding{status: rollout.Pass, text: noLiveText}}}
	}
	live, when, outside := ev.Live.Sum, "", chance.Evidence.OutsideOfLive
	if !ev.IsConcurrent(e.MinRequests) {
		live, when, outside = ev.History.Sum, " in the "+e.before.text()+" before the change", chance.Evidence.OutsideOfHistory
	}
	if live.Total < e.MinRequests {
		return clauses{{finding: finding{status: rollout.Inconclusive, text: fmt.Sprintf("inconclusive because %s had %s in the same time and %d%s (minimum %d to compare)",
			e.groups.liveNames(), requestsText(float64(ev.Live.Sum.Total)), live.Total, when, e.MinRequests)}}}
	}
	c := comparison{quality: q, evidence: ev, incoming: ev.Incoming.Sum, live: live, outside: outside, names: e.groups.liveNames()}
	seen := fmt.Sprintf("%s had %s%s (%s)", c.names, q.text(live), when, percentText(live.Rate(), nil))
	if c.incoming.Rate() <= live.Rate() {
		return clauses{{finding{status: rollout.Pass, text: q.rate + " not higher"}, seen}}
	}
	return clauses{{e.againstMargin(c), seen}, {e.againstFactor(c), seen}}
}

// comparison is the two observed rates that are compared.
type comparison struct {
	quality
	evidence       chance.Evidence
	incoming, live chance.Share
	outside        func(chance.Evidence, ...chance.Tolerance) chance.Significance
	names          string // of the live environments
}

func (c comparison) outsideOf(h chance.Tolerance, threshold float64) tested {
	return testOf(c.evidence, threshold, func(ev chance.Evidence) chance.Significance { return c.outside(ev, h) })
}

// againstMargin evaluates by how many percentage points incoming is worse. It must be
// outside what hosts with the same version may differ by, with the threshold of this
// evaluation, so the error of the whole step holds for a release as good as live. It must
// also be outside the margin, at the confidence of one evaluation, because a release within
// it is allowed. The threshold of all evaluations together would be too strict for that:
// where errors come in runs, it hides releases that are far outside.
func (e evaluation) againstMargin(c comparison) finding {
	if c.worseBy == nil {
		return finding{}
	}
	margin, same := chance.Tolerance{Factor: 1, Margin: *c.worseBy / 100}, chance.Tolerance{Factor: chance.SameVersionFactor}
	points := 100 * (c.incoming.Rate() - c.live.Rate())
	text := fmt.Sprintf("difference %s (limit %s)", percentagePoints(formatDigits(points, c.worseBy)), formatNumber(*c.worseBy))
	switch {
	case points <= *c.worseBy:
		return finding{status: rollout.Pass, text: text}
	case same.Excess(c.incoming, c.live) <= 0:
		return finding{status: rollout.Pass, text: fmt.Sprintf("%s, but not more than %g times the rate of %s", text, chance.SameVersionFactor, c.names)}
	}
	weaker := c.outsideOf(margin, 1-*e.Confidence)
	if other := c.outsideOf(same, e.threshold()); other.P/other.threshold > weaker.P/weaker.threshold {
		weaker = other
	}
	return weaker.finding(c.quality, text)
}

// againstFactor evaluates how many times the rate of live that of incoming is.
func (e evaluation) againstFactor(c comparison) finding {
	if c.factor == nil {
		return finding{}
	}
	limit := chance.Tolerance{Factor: *c.factor}
	times := "more than any number of"
	if c.live.Bad > 0 {
		times = formatDigits(c.incoming.Rate()/c.live.Rate(), c.factor)
	}
	text := fmt.Sprintf("%s times the rate of %s (limit %s)", times, c.names, formatNumber(*c.factor))
	if limit.Excess(c.incoming, c.live) <= 0 {
		return finding{status: rollout.Pass, text: text}
	}
	return c.outsideOf(limit, e.threshold()).finding(c.quality, text)
}

// tested is the result of a statistical test of a rate that is above a limit. A p-value at
// or below the threshold is significant.
type tested struct {
	chance.Significance
	threshold float64
	// canFail reports whether bad requests only would have been significant.
	canFail func() bool
}

func testOf(ev chance.Evidence, threshold float64, test func(chance.Evidence) chance.Significance) tested {
	return tested{test(ev), threshold, func() bool { return test(ev.AllBad()).P <= threshold }}
}

// finding returns a fail if the result is significant. A pass requires that a fail was
// possible: otherwise, a release that fails every request would pass.
func (t tested) finding(q quality, text string) finding {
	f, not := finding{status: rollout.Fail}, ""
	if t.P > t.threshold {
		f.status, not = rollout.Pass, "not "
	}
	f.text = fmt.Sprintf("%s, %sstatistically significant (p %s, threshold %s", text, not, formatP(t.P, t.threshold), formatThreshold(t.threshold))
	if t.DesignEffect >= 1.05 {
		f.text += fmt.Sprintf("; %s %s count as one", formatDigits(t.DesignEffect, nil), q.noun)
	}
	f.text += ")"
	if f.status == rollout.Pass && !t.canFail() {
		f.status = rollout.Inconclusive
		f.text += fmt.Sprintf("; inconclusive because %s in all of so few requests would not be significant", q.noun)
	}
	return f
}

// threshold returns the p-value at or below which a result is significant in this
// evaluation.
func (e evaluation) threshold() float64 {
	return chance.AlphaOfEvaluation(e.alpha, int(e.since.length()/e.Period), int(e.Lookback/e.Period))
}
