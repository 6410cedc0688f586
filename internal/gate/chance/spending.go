package chance

import "math"

const (
	// firstLookbackShare is the part of the alpha of a step for the evaluations of the
	// first lookback. The rest is for all later ones.
	firstLookbackShare = 0.8
	// lookCost is how fast evaluations of growing data add to the probability of a wrong
	// fail, by the logarithm of their number.
	lookCost = 2.5
)

// AlphaOfStep returns the probability of a wrong fail that one of some steps may have,
// where alpha is that of a shift with one or two steps. Longer shifts share twice alpha,
// because a tenth of alpha would hide a bad release in each of ten steps.
func AlphaOfStep(alpha float64, steps int) float64 {
	return min(alpha, 2*alpha/float64(max(1, steps)))
}

// AlphaOfEvaluation returns the p-value at or below which the n-th evaluation of a step
// (from 1) rejects, so that a release within its tolerance fails in any of them with a
// probability of at most alpha, the alpha of the step. lookback is how many periods an
// evaluation covers.
//
// Up to the lookback, data only grows, and all evaluations have the same threshold, as in
// Pocock, Biometrika 64 (1977), 191-199. Neighbors share most of their data, so their
// errors add up far slower than Bonferroni's inequality allows for: for normally
// distributed sums, 10 evaluations at p are wrong as often as one at 4.3 p if that is 0.05,
// and at 5.5 p if it is 0.005; 60 of them at 9.1 p and 12.8 p. The threshold allows for
// 8.4 p and 14 p, because it must also leave room for the evaluations after them. Counts
// are discrete, which makes the error smaller still.
//
// Later, old data leaves the window. Each further lookback has its own part of the
// rest, shared by Bonferroni's inequality; the parts, 1/(j(j+1)), sum to 1.
//
// A threshold that falls with each evaluation finds a release early that is so bad that any
// threshold does, and misses one that shows itself after ten minutes.
func AlphaOfEvaluation(alpha float64, n, lookback int) float64 {
	lookback = max(1, lookback)
	if n <= lookback {
		return firstLookbackShare * alpha / (1 + lookCost*math.Log(float64(lookback)))
	}
	j := float64((n - 1) / lookback)
	return (1 - firstLookbackShare) * alpha / (j * (j + 1) * float64(lookback))
}
