package chance

import (
	"math"
	"math/rand/v2"
	"testing"
)

// closedFormRate is the restricted maximum likelihood estimate in the closed form of
// Farrington and Manning (1990).
func closedFormRate(incoming, live Share, s float64) float64 {
	theta := float64(live.Total) / float64(incoming.Total)
	p1, p2 := incoming.Rate(), live.Rate()
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
		incoming := Share{Total: 20 + random.IntN(2000)}
		live := Share{Total: 20 + random.IntN(20000)}
		incoming.Bad, live.Bad = 1+random.IntN(incoming.Total-1), 1+random.IntN(live.Total-1)
		margin := 0.001 + 0.2*random.Float64()
		if incoming.Rate()-live.Rate() <= margin {
			continue
		}
		p, _ := edgeRates(incoming, live, Tolerance{1, margin})
		got, want := p, closedFormRate(incoming, live, margin)
		if math.Abs(got-want) > 1e-7 {
			t.Fatalf("%v against %v with margin %v: got %v, want %v", incoming, live, margin, got, want)
		}
	}
}

// bruteForcePValue sums over every outcome of both sides with at least the observed score.
func bruteForcePValue(incoming, live Share, h Tolerance) float64 {
	p, q := edgeRates(incoming, live, h)
	z, sum := score(incoming, live, h), 0.0
	for a := range incoming.Total + 1 {
		for b := range live.Total + 1 {
			if score(Share{a, incoming.Total}, Share{b, live.Total}, h) >= z*(1-1e-9) {
				sum += binomialPMF(a, incoming.Total, p) * binomialPMF(b, live.Total, q)
			}
		}
	}
	return max(sum, math.Erfc(z/math.Sqrt2)/2)
}

func TestPValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		incoming, live Share
		tolerance      Tolerance
		want           float64
	}{
		{"better", Share{1, 1000}, Share{20, 1000}, Tolerance{1, 0}, 1},
		{"equal", Share{5, 1000}, Share{5, 1000}, Tolerance{1, 0}, 1},
		{"worse, within the margin", Share{9, 1000}, Share{5, 1000}, Tolerance{1, 0.005}, 1},
		{"no requests", Share{0, 0}, Share{5, 1000}, Tolerance{1, 0}, 1},
		{"no live requests", Share{5, 10}, Share{0, 0}, Tolerance{1, 0}, 1},
		// Without a margin, the most likely common rate is the pooled one, so this is the
		// pooled score test; with so many errors there is no exact test.
		{"pooled", Share{3200, 100_000}, Share{3000, 100_000}, Tolerance{1, 0},
			math.Erfc(0.002/math.Sqrt(0.031*0.969*2/100_000)/math.Sqrt2) / 2},
		// Without errors on the live side, the most likely rates are the margin and 0.
		{"at the edge", Share{4, 100}, Share{0, 10_000}, Tolerance{1, 0.01}, binomialTail(4, 100, 0.01)},
		{"all against half", Share{100, 100}, Share{50, 100}, Tolerance{1, 0.5}, 1},
		{"a single error", Share{1, 20}, Share{0, 60}, Tolerance{1, 0}, bruteForcePValue(Share{1, 20}, Share{0, 60}, Tolerance{1, 0})},
		{"few errors", Share{5, 30}, Share{3, 90}, Tolerance{1, 0.02}, bruteForcePValue(Share{5, 30}, Share{3, 90}, Tolerance{1, 0.02})},
		{"nearly all", Share{38, 40}, Share{30, 50}, Tolerance{1, 0.1}, bruteForcePValue(Share{38, 40}, Share{30, 50}, Tolerance{1, 0.1})},
		{"within the factor", Share{20, 1000}, Share{10, 1000}, Tolerance{2, 0}, 1},
		{"outside the factor", Share{9, 40}, Share{3, 60}, Tolerance{2, 0}, bruteForcePValue(Share{9, 40}, Share{3, 60}, Tolerance{2, 0})},
		{"outside a factor and a margin", Share{9, 40}, Share{3, 60}, Tolerance{1.5, 0.02},
			bruteForcePValue(Share{9, 40}, Share{3, 60}, Tolerance{1.5, 0.02})},
		// Without errors of live, the most likely rates outside a factor are those that the
		// errors of incoming make most likely.
		{"no errors of live", Share{3, 30}, Share{0, 90}, Tolerance{3, 0}, bruteForcePValue(Share{3, 30}, Share{0, 90}, Tolerance{3, 0})},
	} {
		wantClose(t, c.name, pValue(c.incoming, c.live, c.tolerance), c.want)
	}
}

// The p-value never grows with the errors and never falls with the margin or the factor.
func TestPValue_isMonotone(t *testing.T) {
	t.Parallel()
	before := 1.0
	for bad := 0; bad <= 300; bad++ {
		p := pValue(Share{bad, 300}, Share{10, 5700}, Tolerance{1, 0.005})
		if p > before*(1+1e-9) || p < 0 || math.IsNaN(p) {
			t.Fatalf("%d errors: got p %v after %v", bad, p, before)
		}
		before = p
	}
	before = 0
	for margin := 0.0; margin < 0.2; margin += 0.01 {
		p := pValue(Share{60, 300}, Share{10, 5700}, Tolerance{1, margin})
		if p < before {
			t.Fatalf("margin %v: got p %v after %v", margin, p, before)
		}
		before = p
	}
	before = 0
	for factor := 1.0; factor < 20; factor++ {
		p := pValue(Share{10, 300}, Share{10, 5700}, Tolerance{factor, 0})
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
	Tolerance
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
			if pValue(Share{k, s.incoming}, Share{b, s.live}, s.Tolerance) <= alpha {
				high = k
			} else {
				low = k + 1
			}
		}
		if low <= s.incoming {
			total += weight * binomialTail(low, s.incoming, s.Factor*s.p+s.Margin)
		}
	}
	return total
}

// An evaluation rejects a release on the edge of the tolerance at most with
// probability alpha.
func TestPValue_boundsFalseAlarms(t *testing.T) {
	t.Parallel()
	for _, s := range []scenario{{60, 1140, 0.002, Tolerance{2, 0}}, {300, 5700, 0.01, Tolerance{1.5, 0}}} {
		if got := s.falseAlarmRate(0.025); got > 1.02*0.025 {
			t.Errorf("%+v: got false alarm rate %.3g, want at most 0.025", s, got)
		}
	}
	for _, n := range [][2]int{{60, 1140}, {300, 5700}, {500, 500}} {
		for _, p := range []float64{0.0005, 0.002, 0.02} {
			for _, s := range []scenario{{n[0], n[1], p, Tolerance{1, 0}}, {n[0], n[1], p, Tolerance{1, 0.005}}} {
				for _, alpha := range []float64{0.025, 0.05 / 110} {
					if got := s.falseAlarmRate(alpha); got > 1.02*alpha {
						t.Errorf("%+v: got false alarm rate %.3g, want at most %.3g", s, got, alpha)
					}
				}
			}
		}
	}
}
