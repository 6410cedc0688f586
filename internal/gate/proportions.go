package gate

import "math"

// proportion is a number of bad requests (failed, or slow) out of a total.
type proportion struct{ bad, total int }

func (p proportion) rate() float64 { return float64(p.bad) / float64(p.total) }

const (
	// maxRejectedP is the p-value above which no evaluation rejects: a confidence is
	// above 0.5, and the first evaluation has half of the remaining alpha.
	maxRejectedP = 0.25
	// maxExactErrors is the number of errors from which a normal distribution is close
	// enough. It also limits the exact sum to some tens of milliseconds.
	maxExactErrors = 20_000
	// negligible is a probability that does not change a sum.
	negligible = 1e-15
)

// tolerance is the worst that a release may be: its rate is at most factor times that
// of live, plus margin (a fraction, not percent). This is the null hypothesis of a
// comparison. The factor is 1 or more.
type tolerance struct{ factor, margin float64 }

// excess returns how far the observed rate of incoming is outside the tolerance.
func (h tolerance) excess(incoming, live proportion) float64 {
	return incoming.rate() - h.factor*live.rate() - h.margin
}

// pValue returns the p-value of the hypothesis that the true rate of incoming is
// within the tolerance: the highest probability, if that holds, of a result at least
// as bad for incoming as the observed one. It is 1 if the observed rates are within it.
//
// It is the larger p-value of two tests, so both must reject. Both assume the most
// likely rates on the edge of the tolerance, the case that is hardest to distinguish
// from a worse release:
//
//   - the score test of Farrington and Manning, Statistics in Medicine 9 (1990),
//     1447-1454, for a difference and for a ratio of rates, whose variance is that of
//     these rates (as in Miettinen and Nurminen, Statistics in Medicine 4 (1985),
//     213-226);
//   - up to maxExactErrors errors, also the exact probability of an outcome with at
//     least that score, summed over both binomials (Lakkis and Lakkis, "Analysis of
//     two binomial proportions in non-inferiority confirmatory trials",
//     arXiv:2207.04372). At 5 % of the traffic, incoming has far fewer requests, and
//     a handful of errors is not normally distributed: summed over all outcomes, for
//     60 requests against 1140 at an error rate of 0.2 %, the score test alone
//     rejects 3 times as often as allowed at 0.025 and 36 times at 0.0005, and both
//     together 0.7 and 0.2 times.
//
// Requests are assumed to be independent; see designEffect for those that are not.
func pValue(incoming, live proportion, h tolerance) float64 {
	if incoming.total == 0 || live.total == 0 {
		return 1
	}
	z := score(incoming, live, h)
	if z <= 0 {
		return 1
	}
	p := math.Erfc(z/math.Sqrt2) / 2
	if p > maxRejectedP || incoming.bad+live.bad > maxExactErrors {
		return p
	}
	return max(p, exactPValue(incoming, live, h))
}

// limitPValue returns the p-value of the hypothesis that the true rate is at most
// limit, by the exact one-sided binomial test (Clopper and Pearson, Biometrika 26
// (1934), 404-413).
func limitPValue(n proportion, limit float64) float64 {
	if n.total == 0 || n.rate() <= limit {
		return 1
	}
	return binomialTail(n.bad, n.total, limit)
}

// score returns how many standard deviations the rate of incoming is outside the
// tolerance; 0 if it is within. The standard deviation is that of rates on its edge.
func score(incoming, live proportion, h tolerance) float64 {
	excess := h.excess(incoming, live)
	if excess <= 0 {
		return 0
	}
	p, q := edgeRates(incoming, live, h)
	return excess / math.Sqrt(p*(1-p)/float64(incoming.total)+h.factor*h.factor*q*(1-q)/float64(live.total))
}

// exactPValue returns the probability of a score at least as high as that of incoming
// and live, at the most likely rates within the tolerance.
func exactPValue(incoming, live proportion, h tolerance) float64 {
	p, q := edgeRates(incoming, live, h)
	z := score(incoming, live, h) * (1 - 1e-9)
	mean := int(q * float64(live.total))
	begin := mean
	for begin > 0 && binomialPMF(begin-1, live.total, q) > negligible {
		begin--
	}
	sum, least := 0.0, 0 // least is the number of errors of incoming that reaches the score
	for b := begin; b <= live.total; b++ {
		weight := binomialPMF(b, live.total, q)
		if weight < negligible && b > mean {
			break
		}
		// It grows with the errors of live.
		for least <= incoming.total && score(proportion{least, incoming.total}, proportion{b, live.total}, h) < z {
			least++
		}
		if least > incoming.total {
			break
		}
		sum += weight * binomialTail(least, incoming.total, p)
	}
	return min(1, sum)
}

// edgeRates returns the maximum likelihood estimates of the rates of incoming and live
// under the constraint that they are on the edge of the tolerance. The likelihood is
// concave along the edge, so bisection locates the zero of its slope. The closed form
// of Farrington and Manning is a cubic that loses precision at rates near 0, where
// error rates are.
func edgeRates(incoming, live proportion, h tolerance) (p, q float64) {
	at := func(p float64) float64 { return max(0, p-h.margin) / h.factor } // the rate of live
	low, high := h.margin, 1.0
	for high-low > 1e-15*high {
		p = (low + high) / 2
		if p == low || p == high {
			break
		}
		if slope(incoming, p)+slope(live, at(p))/h.factor > 0 {
			low = p
		} else {
			high = p
		}
	}
	p = (low + high) / 2
	return p, at(p)
}

// slope returns the derivative of a binomial's log likelihood at the rate p.
func slope(n proportion, p float64) float64 {
	s := 0.0
	if n.bad > 0 {
		s += float64(n.bad) / p
	}
	if good := n.total - n.bad; good > 0 {
		s -= float64(good) / (1 - p)
	}
	return s
}

// alphaOfEvaluation returns the part of alpha for the n-th evaluation (from 1) of
// growing data: alpha/(n(n+1)). The parts sum to alpha for any number of evaluations.
// By Bonferroni's inequality, a release within its tolerance fails in any of them with
// a probability of at most alpha. The first evaluation has half of alpha, because a
// release that is much worse must be rolled back after a minute.
func alphaOfEvaluation(alpha float64, n int) float64 {
	return alpha / (float64(n) * float64(n+1))
}
