package chance

import "math"

// Share is a number of bad requests (failed, or slow) out of a total.
type Share struct{ Bad, Total int }

// Rate returns the bad requests divided by all.
func (p Share) Rate() float64 { return float64(p.Bad) / float64(p.Total) }

const (
	// maxRejectedP is the p-value above which nothing is significant: a confidence is above
	// 0.5.
	maxRejectedP = 0.5
	// maxExactErrors is the number of errors from which a normal distribution is close
	// enough. It also limits the exact sum to some tens of milliseconds.
	maxExactErrors = 20_000
	// negligible is a probability that does not change a sum.
	negligible = 1e-15
)

// Tolerance is the worst that a release may be: its rate is at most factor times that
// of live, plus margin (a fraction, not percent). This is the null hypothesis of a
// comparison. The factor is 1 or more.
type Tolerance struct{ Factor, Margin float64 }

// Excess returns how far the observed rate of incoming is outside the tolerance.
func (h Tolerance) Excess(incoming, live Share) float64 {
	return incoming.Rate() - h.Factor*live.Rate() - h.Margin
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
func pValue(incoming, live Share, h Tolerance) float64 {
	if incoming.Total == 0 || live.Total == 0 {
		return 1
	}
	z := score(incoming, live, h)
	if z <= 0 {
		return 1
	}
	p := math.Erfc(z/math.Sqrt2) / 2
	if p > maxRejectedP || incoming.Bad+live.Bad > maxExactErrors {
		return p
	}
	return max(p, exactPValue(incoming, live, h))
}

// limitPValue returns the p-value of the hypothesis that the true rate is at most
// limit, by the exact one-sided binomial test (Clopper and Pearson, Biometrika 26
// (1934), 404-413).
func limitPValue(n Share, limit float64) float64 {
	if n.Total == 0 || n.Rate() <= limit {
		return 1
	}
	return binomialTail(n.Bad, n.Total, limit)
}

// score returns how many standard deviations the rate of incoming is outside the
// tolerance; 0 if it is within. The standard deviation is that of rates on its edge.
func score(incoming, live Share, h Tolerance) float64 {
	excess := h.Excess(incoming, live)
	if excess <= 0 {
		return 0
	}
	p, q := edgeRates(incoming, live, h)
	return excess / math.Sqrt(p*(1-p)/float64(incoming.Total)+h.Factor*h.Factor*q*(1-q)/float64(live.Total))
}

// exactPValue returns the probability of a score at least as high as that of incoming
// and live, at the most likely rates within the tolerance.
func exactPValue(incoming, live Share, h Tolerance) float64 {
	p, q := edgeRates(incoming, live, h)
	z := score(incoming, live, h) * (1 - 1e-9)
	mean := int(q * float64(live.Total))
	begin := mean
	for begin > 0 && binomialPMF(begin-1, live.Total, q) > negligible {
		begin--
	}
	sum, least := 0.0, 0 // least is the number of errors of incoming that reaches the score
	for b := begin; b <= live.Total; b++ {
		weight := binomialPMF(b, live.Total, q)
		if weight < negligible && b > mean {
			break
		}
		// It grows with the errors of live.
		for least <= incoming.Total && score(Share{least, incoming.Total}, Share{b, live.Total}, h) < z {
			least++
		}
		if least > incoming.Total {
			break
		}
		sum += weight * binomialTail(least, incoming.Total, p)
	}
	return min(1, sum)
}

// edgeRates returns the maximum likelihood estimates of the rates of incoming and live
// under the constraint that they are on the edge of the tolerance. The likelihood is
// concave along the edge, so bisection locates the zero of its slope. The closed form
// of Farrington and Manning is a cubic that loses precision at rates near 0, where
// error rates are.
func edgeRates(incoming, live Share, h Tolerance) (p, q float64) {
	at := func(p float64) float64 { return max(0, p-h.Margin) / h.Factor } // the rate of live
	low, high := h.Margin, 1.0
	for high-low > 1e-15*high {
		p = (low + high) / 2
		if p == low || p == high {
			break
		}
		if slope(incoming, p)+slope(live, at(p))/h.Factor > 0 {
			low = p
		} else {
			high = p
		}
	}
	p = (low + high) / 2
	return p, at(p)
}

// slope returns the derivative of a binomial's log likelihood at the rate p.
func slope(n Share, p float64) float64 {
	s := 0.0
	if n.Bad > 0 {
		s += float64(n.Bad) / p
	}
	if good := n.Total - n.Bad; good > 0 {
		s -= float64(good) / (1 - p)
	}
	return s
}
