package chance

import "math"

const (
	// SameVersionFactor is by how much the rates of two groups of hosts with the same
	// version may differ. Where 20 hosts differ with a relative standard deviation of
	// 50 %, the mean of 2 new ones is more than 1.5 times theirs in 9 % of releases. At an
	// error rate of 0.2 % and 1500 requests per minute, it is significantly more than that
	// in 3 % of them; at higher rates in more, up to the 9 %.
	SameVersionFactor = 1.5
	// minLiveShare is the smallest number of live requests, relative to incoming, that
	// is a comparison at the same time. Fewer are the last sticky sessions.
	minLiveShare = 0.01
	// enoughIndependent is how many independent bad requests are significant against any
	// limit up to 98 %.
	enoughIndependent = 500
	// ranksShare is the part of the error for the ranks of periods.
	ranksShare = 0.8
)

// Evidence is what is known about one kind of bad requests (errors, or slow responses).
// It decides whether chance explains them.
type Evidence struct {
	Incoming Counted
	Live     Counted // in the same periods
	History  Counted // live before the weight change
	// MustPersist is true for what may happen to a good release in its first minutes,
	// such as slow responses until a cache is full.
	MustPersist bool
}

// IsConcurrent reports whether live had enough requests at the same time.
func (e Evidence) IsConcurrent(minimum int) bool {
	return e.Live.Sum.Total >= max(minimum, int(minLiveShare*float64(e.Incoming.Sum.Total)))
}

// AllBad returns the same evidence with the worst possible sum of incoming. It shows
// whether any result would have been significant. It has no more requests than this takes,
// because the exact tests of many errors are slow.
func (e Evidence) AllBad() Evidence {
	most := int(enoughIndependent * max(1, e.effectAlone(), e.effectBeside()))
	n := min(e.Incoming.Sum.Total, most)
	e.Incoming.Sum = Share{n, n}
	return e
}

// Significance is the result of a test.
type Significance struct {
	P            float64
	DesignEffect float64 // how many bad requests counted as one
}

// AboveLimit tests whether the rate of incoming is above a limit (a fraction).
func (e Evidence) AboveLimit(limit float64) Significance {
	effect := e.effectAlone()
	return Significance{e.Incoming.Sum.interpolate(effect, func(n Share) float64 { return limitPValue(n, limit) }), effect}
}

// outside tests whether the rate of incoming is outside all tolerances. A release
// within any of them passes, so the p-value is the largest one (an intersection-union
// test: Berger, Technometrics 24 (1982), 295-300).
func (e Evidence) outside(live Share, effect float64, tolerances ...Tolerance) Significance {
	other := live.dividedBy(effect, math.Ceil)
	s := Significance{DesignEffect: effect}
	for _, h := range tolerances {
		s.P = max(s.P, e.Incoming.Sum.interpolate(effect, func(incoming Share) float64 { return pValue(incoming, other, h) }))
	}
	return s
}

// OutsideOfLive does so with live at the same time.
func (e Evidence) OutsideOfLive(tolerances ...Tolerance) Significance {
	return e.outside(e.Live.Sum, e.effectBeside(), tolerances...)
}

// OutsideOfHistory does so with live before the change. Whichever of two tests is
// stronger counts: that of the ranks of the periods, and that of the sums. To pay for the
// choice, each has its part of the error (a weighted Bonferroni method: Genovese, Roeder
// and Wasserman, Biometrika 93 (2006), 509-524). The ranks have the larger one, because
// they are exact. The sums find what begins in one of the last periods, where almost any
// part is enough.
func (e Evidence) OutsideOfHistory(tolerances ...Tolerance) Significance {
	sums := e.outside(e.History.Sum, e.effectAlone(), tolerances...)
	if !canRank(e.Incoming, e.History) {
		return sums
	}
	ranks := 0.0
	for _, h := range tolerances {
		ranks = max(ranks, rankPValue(e.Incoming, e.History, h))
	}
	byRanks, bySums := min(1, ranks/ranksShare), min(1, sums.P/(1-ranksShare))
	if byRanks < bySums {
		return Significance{P: byRanks, DesignEffect: 1}
	}
	return Significance{bySums, sums.DesignEffect}
}

// effectAlone returns the design effect where incoming is not compared with live at
// the same time: that of live in the hour before the change. Without an estimate of it,
// it is that of incoming, up to the assumed one: a release that fails from one minute on
// has a large scatter, and must not get time for it.
//
// Where bad requests must persist, the scatter of incoming always counts.
func (e Evidence) effectAlone() float64 {
	own, isOwn := scatterOf(e.Incoming).designEffect(MinPeriods)
	before, isBefore := scatterOf(e.History).designEffect(MinPeriods)
	switch {
	case e.MustPersist && isOwn && isBefore:
		return max(own, before)
	case e.MustPersist && isOwn:
		return own
	case isBefore:
		return before
	}
	return min(own, assumedDesignEffect)
}

// effectBeside returns the design effect of a comparison at the same time. Each of the
// two estimates is an upper limit by itself, so the smaller one counts:
//
//   - the scatter of live, before and after the change. It is known from the first
//     evaluation on. It is too large where something affects both sides at once, and
//     where live has more requests and its rate varies as a whole;
//   - after some periods, the scatter of the difference.
//
// Where bad requests must persist, only the second one counts: it is large if one
// period of incoming is the cause.
func (e Evidence) effectBeside() float64 {
	paired := pairedScatter(e.Incoming, e.Live)
	if e.MustPersist {
		effect, _ := paired.designEffect(MinPeriods)
		return effect
	}
	all := Counted{Periods: append(append([]Share(nil), e.History.Periods...), e.Live.Periods...)}
	before, _ := scatterOf(all).designEffect(MinPeriods) // or the assumed one
	if effect, ok := paired.designEffect(minPairedPeriods); ok {
		return min(before, effect)
	}
	return before
}
