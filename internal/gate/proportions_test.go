package gate

import (
	"math"
	"math/rand/v2"
	"testing"
)

// closedFormRate is the restricted maximum likelihood estimate in the closed form of
// Farrington and Manning (1990).
func closedFormRate(incoming, live proportion, s float64) float64 {
	theta := float64(live.total) / float64(incoming.total)
	p1, p2 := incoming.rate(), live.rate()
	a := 1 + theta
	b := -(1 + theta + p1 + theta*p2 + s*(theta+2)) / (3 * a)
	c := (s*s + s*(2*p1+theta+1) + p1 + theta*p2) / (3 * a)
	d := -p1 * s * (1 + s) / (2 * a)
	v := b*b*b - 1.5*b*c + d
	u := math.Copysign(math.Sqrt(b*b-c), v)
	w := (math.Pi + math.Acos(max(-1, min(1, v/(u*u*u))))) / 3
	return 2*u*math.Cos(w) - b
}

func TestEdgeRates_matchTheClosedForm(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		incoming := proportion{total: 20 + random.IntN(2000)}
		live := proportion{total: 20 + random.IntN(20000)}
		incoming.bad, live.bad = 1+random.IntN(incoming.total-1), 1+random.IntN(live.total-1)
		margin := 0.001 + 0.2*random.Float64()
		if incoming.rate()-live.rate() <= margin {
			continue
		}
		p, _ := edgeRates(incoming, live, tolerance{1, margin})
		got, want := p, closedFormRate(incoming, live, margin)
		if math.Abs(got-want) > 1e-7 {
			t.Fatalf("%v against %v with margin %v: got %v, want %v", incoming, live, margin, got, want)
		}
	}
}

// bruteForcePValue sums over every outcome of both sides with at least the observed score.
func bruteForcePValue(incoming, live proportion, h tolerance) float64 {
	p, q := edgeRates(incoming, live, h)
	z, sum := score(incoming, live, h), 0.0
	for a := range incoming.total + 1 {
		for b := range live.total + 1 {
			if score(proportion{a, incoming.total}, proportion{b, live.total}, h) >= z*(1-1e-9) {
				sum += binomialPMF(a, incoming.total, p) * binomialPMF(b, live.total, q)
			}
		}
	}
	return max(sum, math.Erfc(z/math.Sqrt2)/2)
}

func TestPValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		incoming, live proportion
		tolerance      tolerance
		want           float64
	}{
		{"better", proportion{1, 1000}, proportion{20, 1000}, tolerance{1, 0}, 1},
		{"equal", proportion{5, 1000}, proportion{5, 1000}, tolerance{1, 0}, 1},
		{"worse, within the margin", proportion{9, 1000}, proportion{5, 1000}, tolerance{1, 0.005}, 1},
		{"no requests", proportion{0, 0}, proportion{5, 1000}, tolerance{1, 0}, 1},
		{"no live requests", proportion{5, 10}, proportion{0, 0}, tolerance{1, 0}, 1},
		// Without a margin, the most likely common rate is the pooled one, so this is the
		// pooled score test; with so many errors there is no exact test.
		{"pooled", proportion{3200, 100_000}, proportion{3000, 100_000}, tolerance{1, 0},
			math.Erfc(0.002/math.Sqrt(0.031*0.969*2/100_000)/math.Sqrt2) / 2},
		// Without errors on the live side, the most likely rates are the margin and 0.
		{"at the edge", proportion{4, 100}, proportion{0, 10_000}, tolerance{1, 0.01}, binomialTail(4, 100, 0.01)},
		{"all against half", proportion{100, 100}, proportion{50, 100}, tolerance{1, 0.5}, 1},
		{"a single error", proportion{1, 20}, proportion{0, 60}, tolerance{1, 0}, bruteForcePValue(proportion{1, 20}, proportion{0, 60}, tolerance{1, 0})},
		{"few errors", proportion{5, 30}, proportion{3, 90}, tolerance{1, 0.02}, bruteForcePValue(proportion{5, 30}, proportion{3, 90}, tolerance{1, 0.02})},
		{"nearly all", proportion{38, 40}, proportion{30, 50}, tolerance{1, 0.1}, bruteForcePValue(proportion{38, 40}, proportion{30, 50}, tolerance{1, 0.1})},
		{"within the factor", proportion{20, 1000}, proportion{10, 1000}, tolerance{2, 0}, 1},
		{"outside the factor", proportion{9, 40}, proportion{3, 60}, tolerance{2, 0}, bruteForcePValue(proportion{9, 40}, proportion{3, 60}, tolerance{2, 0})},
		{"outside a factor and a margin", proportion{9, 40}, proportion{3, 60}, tolerance{1.5, 0.02},
			bruteForcePValue(proportion{9, 40}, proportion{3, 60}, tolerance{1.5, 0.02})},
		// Without errors of live, the most likely rates outside a factor are those that the
		// errors of incoming make most likely.
		{"no errors of live", proportion{3, 30}, proportion{0, 90}, tolerance{3, 0}, bruteForcePValue(proportion{3, 30}, proportion{0, 90}, tolerance{3, 0})},
	} {
		wantClose(t, c.name, pValue(c.incoming, c.live, c.tolerance), c.want)
	}
}

// The p-value never grows with the errors and never falls with the margin or the factor.
func TestPValue_isMonotone(t *testing.T) {
	t.Parallel()
	before := 1.0
	for bad := 0; bad <= 300; bad++ {
		p := pValue(proportion{bad, 300}, proportion{10, 5700}, tolerance{1, 0.005})
		if p > before*(1+1e-9) || p < 0 || math.IsNaN(p) {
			t.Fatalf("%d errors: got p %v after %v", bad, p, before)
		}
		before = p
	}
	before = 0
	for margin := 0.0; margin < 0.2; margin += 0.01 {
		p := pValue(proportion{60, 300}, proportion{10, 5700}, tolerance{1, margin})
		if p < before {
			t.Fatalf("margin %v: got p %v after %v", margin, p, before)
		}
		before = p
	}
	before = 0
	for factor := 1.0; factor < 20; factor++ {
		p := pValue(proportion{10, 300}, proportion{10, 5700}, tolerance{factor, 0})
		if p < before {
			t.Fatalf("factor %v: got p %v after %v", factor, p, before)
		}
		before = p
	}
}

// scenario is a comparison in which incoming is exactly on the edge of the tolerance.
type scenario struct {
	incoming, live int     // requests
	p              float64 // the rate of live
	tolerance
}

// falseAlarmRate returns the probability that one evaluation rejects at alpha, summed
// over all outcomes.
func (s scenario) falseAlarmRate(alpha float64) float64 {
	total := 0.0
	for b := range s.live + 1 {
		weight := binomialPMF(b, s.live, s.p)
		if weight < 1e-12 {
			continue
		}
		// low becomes the least number of errors that is rejected.
		low, high := 0, s.incoming+1
		for low < high {
			k := (low + high) / 2
			if pValue(proportion{k, s.incoming}, proportion{b, s.live}, s.tolerance) <= alpha {
				high = k
			} else {
				low = k + 1
			}
		}
		if low <= s.incoming {
			total += weight * binomialTail(low, s.incoming, s.factor*s.p+s.margin)
		}
	}
	return total
}

// An evaluation rejects a release on the edge of the tolerance at most with
// probability alpha.
func TestPValue_boundsFalseAlarms(t *testing.T) {
	t.Parallel()
	for _, n := range [][2]int{{60, 1140}, {300, 5700}, {500, 500}} {
		for _, p := range []float64{0.0005, 0.002, 0.02} {
			for _, s := range []scenario{{n[0], n[1], p, tolerance{1, 0}}, {n[0], n[1], p, tolerance{1, 0.005}}, {n[0], n[1], p, tolerance{2, 0}}} {
				for _, alpha := range []float64{0.025, 0.05 / 110} {
					if got := s.falseAlarmRate(alpha); got > 1.02*alpha {
						t.Errorf("%+v: got false alarm rate %.3g, want at most %.3g", s, got, alpha)
					}
				}
			}
		}
	}
}

func TestAlphaOfEvaluation_sumsToAlpha(t *testing.T) {
	t.Parallel()
	sum := 0.0
	for n := 1; n <= 100_000; n++ {
		sum += alphaOfEvaluation(0.05, n)
	}
	if sum >= 0.05 || sum < 0.0499 {
		t.Errorf("got a sum of %v, want 0.05", sum)
	}
	wantClose(t, "alpha of the first evaluation", alphaOfEvaluation(0.05, 1), 0.025)
}
