package chance

import (
	"math"
	"math/rand/v2"
	"testing"
)

// countsOf returns periods with equal requests.
func countsOf(total int, bad ...int) Counted {
	c := Counted{}
	for _, b := range bad {
		c.Periods = append(c.Periods, Share{b, total})
	}
	c.Sum = sumOf(c.Periods)
	return c
}

func TestScatterOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		counted Counted
		want    scatter
	}{
		// The mean is 4 of 100: chi-square is (9+1+4+4)/(4*0.96).
		{"some periods", countsOf(100, 1, 3, 6, 6), scatter{18 / 3.84, 3}},
		{"steady", countsOf(100, 5, 5, 5), scatter{0, 2}},
		{"no errors", countsOf(100, 0, 0, 0), scatter{}},
		{"only errors", countsOf(100, 100, 100), scatter{}},
		{"no periods", Counted{}, scatter{}},
		{"a period without requests", Counted{Periods: []Share{{4, 100}, {}, {4, 100}}}, scatter{0, 1}},
	} {
		got := scatterOf(c.counted)
		if got.freedom != c.want.freedom || math.Abs(got.chiSquare-c.want.chiSquare) > 1e-9 {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// What happens on both sides at the same time cancels out; what happens on one does not.
func TestPairedScatter(t *testing.T) {
	t.Parallel()
	stumbles := pairedScatter(countsOf(1000, 20, 120, 20, 120), countsOf(10_000, 100, 1100, 100, 1100))
	alone := pairedScatter(countsOf(1000, 20, 120, 20, 120), countsOf(10_000, 600, 600, 600, 600))
	if stumbles.freedom != 3 || stumbles.chiSquare > 1e-9 || alone.freedom != 3 || alone.chiSquare < 100 {
		t.Errorf("got %+v and %+v", stumbles, alone)
	}
	for name, c := range map[string][2]Counted{
		"no errors":        {countsOf(100, 0, 0), countsOf(100, 0, 0)},
		"only errors":      {countsOf(100, 100, 100), countsOf(100, 100, 100)},
		"no live requests": {countsOf(100, 1, 2), countsOf(0, 0, 0)},
	} {
		if got := pairedScatter(c[0], c[1]); got != (scatter{}) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if got := pairedScatter(countsOf(100, 1, 2, 3), Counted{Sum: Share{2, 200}, Periods: []Share{{1, 100}, {}, {1, 100}}}); got.freedom != 1 {
		t.Errorf("a period without live requests: got %+v", got)
	}
}

func TestDesignEffect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		scatter     scatter
		minPeriods  int
		want        float64
		isEstimated bool
	}{
		// The first quartiles of chi-square with 2, 9 and 60 degrees of freedom are 0.575,
		// 5.899 and 52.294.
		{"three periods", scatter{2, 2}, 3, 2 / 0.575, true},
		{"ten periods", scatter{18, 9}, 3, 18 / 5.899, true},
		{"an hour", scatter{300, 60}, 3, 300 / 52.294, true},
		{"steady", scatter{0.1, 60}, 3, 1, true},
		{"too few periods", scatter{300, 1}, 3, assumedDesignEffect, false},
		{"too few for a pair", scatter{300, 2}, 4, assumedDesignEffect, false},
		{"nothing", scatter{}, 3, assumedDesignEffect, false},
	} {
		got, isEstimated := c.scatter.designEffect(c.minPeriods)
		if math.Abs(got/c.want-1) > 0.02 || isEstimated != c.isEstimated { // the quantile is approximate
			t.Errorf("%s: got %.4g, %t, want %.4g, %t", c.name, got, isEstimated, c.want, c.isEstimated)
		}
	}
}

// Errors in runs of k have a design effect of k, within its confidence limit.
func TestDesignEffect_ofRuns(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, run := range []int{1, 5, 20} {
		covered, sum := 0, 0.0
		const draws = 400
		for range draws {
			c := Counted{}
			for range 60 {
				runs := 0 // binomial, with a mean of 3
				for range 300 {
					if random.IntN(100) == 0 {
						runs++
					}
				}
				c.Periods = append(c.Periods, Share{run * runs, 300 * run * 10})
			}
			effect, _ := scatterOf(c).designEffect(MinPeriods)
			if sum += effect; effect >= float64(run)*0.99 {
				covered++
			}
		}
		if mean := sum / draws / float64(run); covered < draws*65/100 || mean < 1.05 || mean > 1.25 {
			t.Errorf("runs of %d: got a mean of %.3g times that, at least that in %d of %d", run, mean, covered, draws)
		}
	}
}

func TestDividedBy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, floor, ceil Share
		effect         float64
	}{
		{Share{7, 100}, Share{7, 100}, Share{7, 100}, 1},
		{Share{7, 100}, Share{3, 50}, Share{4, 50}, 2},
		{Share{100, 100}, Share{33, 33}, Share{33, 33}, 3},
		{Share{3, 5}, Share{0, 1}, Share{1, 1}, 20},
	} {
		if floor, ceil := c.n.dividedBy(c.effect, math.Floor), c.n.dividedBy(c.effect, math.Ceil); floor != c.floor || ceil != c.ceil {
			t.Errorf("%v by %v: got %v and %v, want %v and %v", c.n, c.effect, floor, ceil, c.floor, c.ceil)
		}
	}
}

// A p-value is that of whole numbers at these, and falls between them.
func TestInterpolate(t *testing.T) {
	t.Parallel()
	pValue := func(n Share) float64 { return limitPValue(n, 0.01) }
	before := 1.0
	for bad := 40; bad <= 120; bad++ {
		p := Share{bad, 2000}.interpolate(20, pValue)
		if bad%20 == 0 {
			wantClose(t, "whole", p, limitPValue(Share{bad / 20, 100}, 0.01))
		}
		if p >= before {
			t.Errorf("%d errors: got %v after %v", bad, p, before)
		}
		before = p
	}
	wantClose(t, "independent", Share{7, 100}.interpolate(1, pValue), limitPValue(Share{7, 100}, 0.01))
	wantClose(t, "all", Share{100, 100}.interpolate(20, pValue), limitPValue(Share{5, 5}, 0.01))
}
