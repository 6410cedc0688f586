package chance

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestAlphaOfStep(t *testing.T) {
	t.Parallel()
	for steps, want := range map[int]float64{0: 0.05, 1: 0.05, 2: 0.05, 4: 0.025, 10: 0.01} {
		wantClose(t, "alpha", AlphaOfStep(0.05, steps), want)
	}
}

// What later evaluations spend in any number of lookbacks is what the first left to them.
func TestAlphaOfEvaluation_laterLookbacks(t *testing.T) {
	t.Parallel()
	for _, lookback := range []int{1, 10, 60} {
		sum := 0.0
		for n := lookback + 1; n <= 10_000*lookback; n++ {
			sum += AlphaOfEvaluation(0.05, n, lookback)
		}
		if sum > 0.05*(1-firstLookbackShare) || sum < 0.049*(1-firstLookbackShare) {
			t.Errorf("lookback %d: got a sum of %v", lookback, sum)
		}
	}
	wantClose(t, "a lookback shorter than a period", AlphaOfEvaluation(0.05, 1, 0), AlphaOfEvaluation(0.05, 1, 1))
}

// crossing returns how often a sum of normally distributed terms is at or beyond the
// threshold in any of four lookbacks, the first of which grows.
func crossing(random *rand.Rand, alpha float64, lookback int) float64 {
	const runs = 20_000
	rejected, terms := 0, make([]float64, 4*lookback)
	for range runs {
		sum := 0.0
		for i := range terms {
			terms[i] = random.NormFloat64()
			sum += terms[i]
			if i >= lookback {
				sum -= terms[i-lookback]
			}
			z := sum / math.Sqrt(float64(min(i+1, lookback)))
			if math.Erfc(z/math.Sqrt2)/2 <= AlphaOfEvaluation(alpha, i+1, lookback) {
				rejected++
				break
			}
		}
	}
	return float64(rejected) / runs
}

// All evaluations of a step together reject at most with the alpha of the step.
func TestAlphaOfEvaluation_boundsAllEvaluations(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for _, alpha := range []float64{0.05, 0.01} {
		for _, lookback := range []int{1, 2, 5, 10, 30} {
			if got := crossing(random, alpha, lookback); got > alpha {
				t.Errorf("alpha %g, lookback %d: got %.4g", alpha, lookback, got)
			}
		}
	}
}

// The same for a few errors, exactly: the probability that a count with a mean of that
// many errors per period is significant in any of ten evaluations.
func TestAlphaOfEvaluation_boundsFewErrors(t *testing.T) {
	t.Parallel()
	poisson := func(k int, mean float64) float64 {
		log, _ := math.Lgamma(float64(k + 1))
		return math.Exp(float64(k)*math.Log(mean) - mean - log)
	}
	tail := func(k int, mean float64) float64 {
		below := 0.0
		for i := range k {
			below += poisson(i, mean)
		}
		return 1 - below
	}
	const lookback, most = 10, 200
	for _, mean := range []float64{0.05, 0.2, 0.75, 3} {
		rejected, counts := 0.0, make([]float64, most)
		counts[0] = 1
		for n := 1; n <= lookback; n++ {
			next := make([]float64, most)
			for before, p := range counts {
				for more := range most - before {
					next[before+more] += p * poisson(more, mean)
				}
			}
			for k := range next {
				if tail(k, mean*float64(n)) <= AlphaOfEvaluation(0.05, n, lookback) {
					rejected, next[k] = rejected+next[k], 0
				}
			}
			counts = next
		}
		if rejected > 0.05 || rejected == 0 {
			t.Errorf("%g errors per period: got %.4g", mean, rejected)
		}
	}
}
