package gate

import "math"

// proportion is how many of so many requests went wrong.
type proportion struct{ bad, total int }

func (p proportion) rate() float64 { return float64(p.bad) / float64(p.total) }

const (
	// maxRejectedP is the p-value above which nothing is ever rejected: a confidence
	// is above 0.5, and the first look has half of what it leaves.
	maxRejectedP = 0.25
	// maxExactErrors are so many that their distribution is as good as normal. It
	// also keeps the sum over all outcomes to some ten milliseconds.
	maxExactErrors = 20_000
	// negligible is a probability that adds nothing to a sum.
	negligible = 1e-15
)

// pValue is the p-value of the hypothesis that the fresh side's true rate
// of errors is at most margin (a fraction, not percent) above the live side's: how
// likely at most it is to see the fresh side do as badly against the live side as
// it did, or worse, if that holds. It is 1 where the fresh side was seen to be
// within the margin.
//
// It is the larger of two tests' p-values, so that both must reject. Both take the
// rates that are likeliest where they differ by exactly the margin, which is what
// is hardest to tell from being worse:
//
//   - the score test of Farrington and Manning, Statistics in Medicine 9 (1990),
//     1447-1454, whose variance is that of these rates (as in Miettinen and
//     Nurminen, Statistics in Medicine 4 (1985), 213-226);
//   - up to manyErrors also the exact probability of an outcome with that score or
//     a higher one, summed over both binomials (Lakkis and Lakkis, "Analysis of two
//     binomial proportions in non-inferiority confirmatory trials",
//     arXiv:2207.04372). At 5 % of the traffic the fresh side is by far the smaller
//     one, and a handful of errors there is not distributed normally: summed over
//     all outcomes, 60 requests against 1140 at an error rate of 0.2 %, the score
//     test alone rejects 3 times as often as it may at 0.025 and 36 times at
//     0.0005, both together 0.7 and 0.2 times.
func pValue(fresh, live proportion, margin float64) float64 {
	if fresh.total == 0 || live.total == 0 {
		return 1
	}
	z := score(fresh, live, margin)
	if z <= 0 {
		return 1
	}
	p := math.Erfc(z/math.Sqrt2) / 2
	if p > maxRejectedP || fresh.bad+live.bad > maxExactErrors {
		return p
	}
	return max(p, exactPValue(fresh, live, margin))
}

// score is by how many standard deviations the fresh side is further above the
// live side than margin, with the deviation as it is where the rates differ by
// exactly that. It is never above 0 where the fresh side is within the margin.
func score(fresh, live proportion, margin float64) float64 {
	excess := fresh.rate() - live.rate() - margin
	if excess <= 0 {
		return 0
	}
	p := constrainedRate(fresh, live, margin)
	q := max(0, p-margin)
	return excess / math.Sqrt(p*(1-p)/float64(fresh.total)+q*(1-q)/float64(live.total))
}

// exactPValue is the probability of a score at least as high as that of fresh and
// live, at the rates that are likeliest within the margin.
func exactPValue(fresh, live proportion, margin float64) float64 {
	p := constrainedRate(fresh, live, margin)
	q := max(0, p-margin)
	z := score(fresh, live, margin) * (1 - 1e-9)
	mean := int(q * float64(live.total))
	begin := mean
	for begin > 0 && binomialPMF(begin-1, live.total, q) > negligible {
		begin--
	}
	sum, least := 0.0, 0 // how many errors it takes on the fresh side
	for b := begin; b <= live.total; b++ {
		weight := binomialPMF(b, live.total, q)
		if weight < negligible && b > mean {
			break
		}
		// It takes more the more errors the live side has.
		for least <= fresh.total && score(proportion{least, fresh.total}, proportion{b, live.total}, margin) < z {
			least++
		}
		if least > fresh.total {
			break
		}
		sum += weight * binomialTail(least, fresh.total, p)
	}
	return min(1, sum)
}

// constrainedRate is the maximum likelihood estimate of the fresh side's rate
// under the constraint that it is exactly margin above the live side's. The
// likelihood is concave along the constraint, so that the zero of its slope is
// found by halving; Farrington and Manning's closed form for it is a cubic that
// loses its digits at rates near 0, which is where error rates are.
func constrainedRate(fresh, live proportion, margin float64) float64 {
	low, high := margin, 1.0
	for high-low > 1e-15*high {
		p := (low + high) / 2
		if p == low || p == high {
			break
		}
		if slope(fresh, p)+slope(live, p-margin) > 0 {
			low = p
		} else {
			high = p
		}
	}
	return (low + high) / 2
}

// slope is the derivative of a binomial's log likelihood at the rate p.
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

// binomialPMF is P(X = k) for X binomial with n and p.
func binomialPMF(k, n int, p float64) float64 {
	switch {
	case p <= 0:
		return indicator(k == 0)
	case p >= 1:
		return indicator(k == n)
	}
	return math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// binomialTail is P(X >= k) for X binomial with n and p. It sums away from the
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

func indicator(certain bool) float64 {
	if certain {
		return 1
	}
	return 0
}

func logChoose(n, k int) float64 {
	of := func(m int) float64 { v, _ := math.Lgamma(float64(m + 1)); return v }
	return of(n) - of(k) - of(n-k)
}

// alphaOfEvaluation is the part of alpha that belongs to the n-th look (from 1) at data
// that grows: alpha/(n(n+1)). These sum to alpha however many there are, so by
// Bonferroni's inequality a release that is within its margin is sent back in all
// looks together with a probability of at most alpha. The first look has half of
// it, since a release that is much worse is to go back after a minute.
func alphaOfEvaluation(alpha float64, n int) float64 {
	return alpha / (float64(n) * float64(n+1))
}
