package gate

import "math"

const (
	// sameVersionFactor is by how much the rates of two groups of hosts with the same
	// version may differ. Where 20 hosts differ with a relative standard deviation of
	// 50 %, the mean of 2 new ones is more than 1.5 times theirs in 9 % of releases, and
	// significantly more than that in 1 % at an error rate of 0.2 % and in 5 % at 1 %.
	sameVersionFactor = 1.5
	// minLiveShare is the smallest number of live requests, relative to incoming, that
	// is a comparison at the same time. Fewer are the last sticky sessions.
	minLiveShare = 0.01
)

// evidence is what is known about one kind of bad requests (errors, or slow responses).
// It decides whether chance explains them.
type evidence struct {
	incoming counted
	live     counted // in the same periods
	history  counted // live before the weight change
	// mustPersist is true for what may happen to a good release in its first minutes,
	// such as slow responses until a cache is full.
	mustPersist bool
}

// isConcurrent reports whether live had enough requests at the same time.
func (e evidence) isConcurrent(minimum int) bool {
	return e.live.sum.total >= max(minimum, int(minLiveShare*float64(e.incoming.sum.total)))
}

// significance is the result of a test.
type significance struct{ p, designEffect float64 }

// aboveLimit tests whether the rate of incoming is above a limit (a fraction).
func (e evidence) aboveLimit(limit float64) significance {
	effect := e.effectAlone()
	return significance{limitPValue(e.incoming.sum.dividedBy(effect, math.Floor), limit), effect}
}

// outside tests whether the rate of incoming is outside all tolerances. A release
// within any of them passes, so the p-value is the largest one (an intersection-union
// test: Berger, Technometrics 24 (1982), 295-300).
func (e evidence) outside(live proportion, effect float64, tolerances ...tolerance) significance {
	incoming := e.incoming.sum.dividedBy(effect, math.Floor)
	other := live.dividedBy(effect, math.Ceil)
	s := significance{designEffect: effect}
	for _, h := range tolerances {
		s.p = max(s.p, pValue(incoming, other, h))
	}
	return s
}

// outsideOfLive does so with live at the same time.
func (e evidence) outsideOfLive(tolerances ...tolerance) significance {
	return e.outside(e.live.sum, e.effectBeside(), tolerances...)
}

// outsideOfHistory does so with live before the change. Whichever of two tests is
// stronger counts, and to pay for the choice, its p-value is doubled (Bonferroni): that
// of the sums, and that of the ranks of the periods.
func (e evidence) outsideOfHistory(tolerances ...tolerance) significance {
	sums, ranks := e.outside(e.history.sum, e.effectAlone(), tolerances...), 0.0
	for _, h := range tolerances {
		ranks = max(ranks, rankPValue(e.incoming, e.history, h))
	}
	if ranks < sums.p {
		return significance{p: min(1, 2*ranks), designEffect: 1}
	}
	return significance{min(1, 2*sums.p), sums.designEffect}
}

// effectAlone returns the design effect where incoming is not compared with live at
// the same time: that of live in the hour before the change. Without an estimate of it,
// it is that of incoming, up to the assumed one: a release that fails from one minute on
// has a large scatter, and must not get time for it.
//
// Where bad requests must persist, the scatter of incoming always counts.
func (e evidence) effectAlone() float64 {
	own, isOwn := scatterOf(e.incoming).designEffect(minScatterPeriods)
	before, isBefore := scatterOf(e.history).designEffect(minScatterPeriods)
	switch {
	case e.mustPersist && isOwn && isBefore:
		return max(own, before)
	case e.mustPersist && isOwn:
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
func (e evidence) effectBeside() float64 {
	paired := pairedScatter(e.incoming, e.live)
	if e.mustPersist {
		effect, _ := paired.designEffect(minScatterPeriods)
		return effect
	}
	all := counted{periods: append(append([]proportion(nil), e.history.periods...), e.live.periods...)}
	before, _ := scatterOf(all).designEffect(minScatterPeriods) // or the assumed one
	if effect, ok := paired.designEffect(minPairedPeriods); ok {
		return min(before, effect)
	}
	return before
}
