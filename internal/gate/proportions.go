package gate

import (
	"math"
	"strconv"
)

// proportion is a number of failed requests out of a total.
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

// pValue returns the p-value of the hypothesis that the true error rate of incoming
// is at most margin (a fraction, not percent) above that of live: the highest
// probability, if that holds, of a result at least as bad for incoming as the
// observed one. It is 1 if the observed rates are within the margin.
//
// It is the larger p-value of two tests, so both must reject. Both assume the most
// likely rates that differ by exactly the margin, the case that is hardest to
// distinguish from a worse release:
//
//   - the score test of Farrington and Manning, Statistics in Medicine 9 (1990),
//     1447-1454, whose variance is that of these rates (as in Miettinen and
//     Nurminen, Statistics in Medicine 4 (1985), 213-226);
//   - up to maxExactErrors errors, also the exact probability of an outcome with at
//     least that score, summed over both binomials (Lakkis and Lakkis, "Analysis of
//     two binomial proportions in non-inferiority confirmatory trials",
//     arXiv:2207.04372). At 5 % of the traffic, incoming has far fewer requests, and
//     a handful of errors is not normally distributed: summed over all outcomes, for
//     60 requests against 1140 at an error rate of 0.2 %, the score test alone
//     rejects 3 times as often as allowed at 0.025 and 36 times at 0.0005, and both
//     together 0.7 and 0.2 times.
func pValue(incoming, live proportion, margin float64) float64 {
	if incoming.total == 0 || live.total == 0 {
		return 1
	}
	z := score(incoming, live, margin)
	if z <= 0 {
		return 1
	}
	p := math.Erfc(z/math.Sqrt2) / 2
	if p > maxRejectedP || incoming.bad+live.bad > maxExactErrors {
		return p
	}
	return max(p, exactPValue(incoming, live, margin))
}

// score returns how many standard deviations the rate of incoming is above that of
// live plus margin; 0 if it is within the margin. The standard deviation is that of
// rates that differ by exactly the margin.
func score(incoming, live proportion, margin float64) float64 {
	excess := incoming.rate() - live.rate() - margin
	if excess <= 0 {
		return 0
	}
	p := constrainedRate(incoming, live, margin)
	q := max(0, p-margin)
	return excess / math.Sqrt(p*(1-p)/float64(incoming.total)+q*(1-q)/float64(live.total))
}

// exactPValue returns the probability of a score at least as high as that of incoming
// and live, at the most likely rates within the margin.
func exactPValue(incoming, live proportion, margin float64) float64 {
	p := constrainedRate(incoming, live, margin)
	q := max(0, p-margin)
	z := score(incoming, live, margin) * (1 - 1e-9)
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
		for least <= incoming.total && score(proportion{least, incoming.total}, proportion{b, live.total}, margin) < z {
			least++
		}
		if least > incoming.total {
			break
		}
		sum += weight * binomialTail(least, incoming.total, p)
	}
	return min(1, sum)
}

// constrainedRate returns the maximum likelihood estimate of the rate of incoming
// under the constraint that it is exactly margin above that of live. The likelihood
// is concave along the constraint, so bisection locates the zero of its slope.
// Farrington and Manning's closed form is a cubic that loses precision at rates near
// 0, where error rates are.
func constrainedRate(incoming, live proportion, margin float64) float64 {
	low, high := margin, 1.0
	for high-low > 1e-15*high {
		p := (low + high) / 2
		if p == low || p == high {
			break
		}
		if slope(incoming, p)+slope(live, p-margin) > 0 {
			low = p
		} else {
			high = p
		}
	}
	return (low + high) / 2
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

// binomialPMF returns P(X = k) for X binomial with n and p.
func binomialPMF(k, n int, p float64) float64 {
	switch {
	case p <= 0:
		return indicator(k == 0)
	case p >= 1:
		return indicator(k == n)
	}
	return math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// binomialTail returns P(X >= k) for X binomial with n and p. It sums away from the
// mean, where the terms fall ever faster.
func binomialTail(k, n int, p float64) float64 {
	if p <= 0 || p >= 1 || k <= 0 || k > n {
		return indicator(k <= 0 || p >= 1 && k <= n)
	}
	odds := p / (1 - p)
	if float64(k) <= float64(n)*p {
		term := binomialPMF(k-1, n, p)
		sum := term
		for i := k - 1; i > 0 && term > sum*1e-17; i-- {
			term *= float64(i) / float64(n-i+1) / odds
			sum += term
		}
		return max(0, 1-sum)
	}
	term := binomialPMF(k, n, p)
	sum := term
	for i := k; i < n && term > sum*1e-17; i++ {
		term *= float64(n-i) / float64(i+1) * odds
		sum += term
	}
	return min(1, sum)
}

func indicator(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

func logChoose(n, k int) float64 {
	of := func(m int) float64 { v, _ := math.Lgamma(float64(m + 1)); return v }
	return of(n) - of(k) - of(n-k)
}

// formatP formats a p-value with two digits, or with five if it would otherwise read as
// equal to the threshold.
func formatP(p, threshold float64) string {
	const tiny = 1e-6
	short := strconv.FormatFloat(p, 'g', 2, 64)
	switch {
	case p < tiny && threshold > tiny:
		return "< 0.000001"
	case p != threshold && short == strconv.FormatFloat(threshold, 'g', 2, 64):
		return "= " + strconv.FormatFloat(p, 'g', 5, 64)
	}
	return "= " + short
}

// alphaOfEvaluation returns the part of alpha for the n-th evaluation (from 1) of
// growing data: alpha/(n(n+1)). The parts sum to alpha for any number of evaluations.
// By Bonferroni's inequality, a release within its margin fails in any of them with
// a probability of at most alpha. The first evaluation has half of alpha, because a
// release that is much worse must be rolled back after a minute.
func alphaOfEvaluation(alpha float64, n int) float64 {
	return alpha / (float64(n) * float64(n+1))
}
