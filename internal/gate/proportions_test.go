package gate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// near compares up to a millionth.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*math.Abs(want) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

func TestBinomialTail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k, n    int
		p, want float64
	}{
		{8, 10, 0.5, 56.0 / 1024},
		{0, 10, 0.5, 1},
		{1, 10, 0.5, 1023.0 / 1024},
		{10, 10, 0.5, 1.0 / 1024},
		{1, 50, 0.002, 1 - math.Exp(50*math.Log(0.998))},
		{1, 1_000_000, 1e-6, -math.Expm1(1e6 * math.Log1p(-1e-6))},
		{3, 3, 1, 1},
		{1, 3, 0, 0},
	} {
		near(t, fmt.Sprintf("P(X >= %d) of %d at %v", c.k, c.n, c.p), binomialTail(c.k, c.n, c.p), c.want)
	}
}

// The tail is that of the sum over all outcomes, on both sides of the mean.
func TestBinomialTail_sumsToOne(t *testing.T) {
	t.Parallel()
	for _, p := range []float64{0.001, 0.03, 0.5, 0.97} {
		const n = 400
		for _, k := range []int{1, 2, 12, 200, 399} {
			below := 0.0
			for i := range k {
				below += math.Exp(logChoose(n, i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
			}
			if got := binomialTail(k, n, p) + below; math.Abs(got-1) > 1e-9 {
				t.Errorf("at %v, from %d: %v in all", p, k, got)
			}
		}
	}
}

// closedForm is the same estimate by the formula of Farrington and Manning (1990),
// their equation for the restricted maximum likelihood.
func closedForm(fresh, live proportion, s float64) float64 {
	theta := float64(live.total) / float64(fresh.total)
	p1, p2 := fresh.rate(), live.rate()
	a := 1 + theta
	b := -(1 + theta + p1 + theta*p2 + s*(theta+2)) / (3 * a)
	c := (s*s + s*(2*p1+theta+1) + p1 + theta*p2) / (3 * a)
	d := -p1 * s * (1 + s) / (2 * a)
	v := b*b*b - 1.5*b*c + d
	u := math.Copysign(math.Sqrt(b*b-c), v)
	w := (math.Pi + math.Acos(max(-1, min(1, v/(u*u*u))))) / 3
	return 2*u*math.Cos(w) - b
}

func TestLikeliestWithin_isTheClosedForm(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		fresh := proportion{total: 20 + random.IntN(2000)}
		live := proportion{total: 20 + random.IntN(20000)}
		fresh.bad, live.bad = 1+random.IntN(fresh.total-1), 1+random.IntN(live.total-1)
		margin := 0.001 + 0.2*random.Float64()
		if fresh.rate()-live.rate() <= margin {
			continue
		}
		got, want := constrainedRate(fresh, live, margin), closedForm(fresh, live, margin)
		if math.Abs(got-want) > 1e-7 {
			t.Fatalf("%v against %v with %v: %v, the closed form gives %v", fresh, live, margin, got, want)
		}
	}
}

// bruteChance sums over every outcome of both sides that scores as high or higher.
func bruteChance(fresh, live proportion, margin float64) float64 {
	p := constrainedRate(fresh, live, margin)
	z, sum := score(fresh, live, margin), 0.0
	for a := range fresh.total + 1 {
		for b := range live.total + 1 {
			if score(proportion{a, fresh.total}, proportion{b, live.total}, margin) >= z*(1-1e-9) {
				sum += binomialPMF(a, fresh.total, p) * binomialPMF(b, live.total, max(0, p-margin))
			}
		}
	}
	return max(sum, math.Erfc(z/math.Sqrt2)/2)
}

func TestChanceOfWorse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		fresh, live proportion
		margin      float64
		want        float64
	}{
		{"better", proportion{1, 1000}, proportion{20, 1000}, 0, 1},
		{"the same", proportion{5, 1000}, proportion{5, 1000}, 0, 1},
		{"worse, within the margin", proportion{9, 1000}, proportion{5, 1000}, 0.005, 1},
		{"no request", proportion{0, 0}, proportion{5, 1000}, 0, 1},
		{"nothing to compare with", proportion{5, 10}, proportion{0, 0}, 0, 1},
		// With no margin the likeliest common rate is that of both together, and the
		// score test is the pooled one; with so many errors it stands alone.
		{"pooled", proportion{3200, 100_000}, proportion{3000, 100_000}, 0,
			math.Erfc(0.002/math.Sqrt(0.031*0.969*2/100_000)/math.Sqrt2) / 2},
		// Without errors on the live side the likeliest rates are the margin and none.
		{"at the edge", proportion{4, 100}, proportion{0, 10_000}, 0.01, binomialTail(4, 100, 0.01)},
		{"all and half", proportion{100, 100}, proportion{50, 100}, 0.5, 1},
		{"a single error", proportion{1, 20}, proportion{0, 60}, 0, bruteChance(proportion{1, 20}, proportion{0, 60}, 0)},
		{"a handful", proportion{5, 30}, proportion{3, 90}, 0.02, bruteChance(proportion{5, 30}, proportion{3, 90}, 0.02)},
		{"most", proportion{38, 40}, proportion{30, 50}, 0.1, bruteChance(proportion{38, 40}, proportion{30, 50}, 0.1)},
	} {
		near(t, c.name, pValue(c.fresh, c.live, c.margin), c.want)
	}
}

// More errors are never less suspicious, nor is a smaller margin.
func TestChanceOfWorse_isMonotone(t *testing.T) {
	t.Parallel()
	before := 1.0
	for bad := 0; bad <= 300; bad++ {
		p := pValue(proportion{bad, 300}, proportion{10, 5700}, 0.005)
		if p > before*(1+1e-9) || p < 0 || math.IsNaN(p) {
			t.Fatalf("with %d errors p is %v, after %v", bad, p, before)
		}
		before = p
	}
	before = 0
	for margin := 0.0; margin < 0.2; margin += 0.01 {
		p := pValue(proportion{60, 300}, proportion{10, 5700}, margin)
		if p < before {
			t.Fatalf("with a margin of %v p is %v, after %v", margin, p, before)
		}
		before = p
	}
}

// release is two sides with so many requests, of which the fresh one is worse by
// exactly the margin.
type release struct {
	fresh, live int
	p, margin   float64 // the live side's rate
}

// size is the probability that the test rejects at alpha, summed over all
// outcomes: the true false alarm rate of one look.
func (r release) size(alpha float64) float64 {
	total := 0.0
	for b := range r.live + 1 {
		ofLive := binomialPMF(b, r.live, r.p)
		if ofLive < 1e-12 {
			continue
		}
		// What is rejected is everything from some number of errors on.
		low, high := 0, r.fresh+1
		for low < high {
			k := (low + high) / 2
			if pValue(proportion{k, r.fresh}, proportion{b, r.live}, r.margin) <= alpha {
				high = k
			} else {
				low = k + 1
			}
		}
		if low <= r.fresh {
			total += ofLive * binomialTail(low, r.fresh, r.p+r.margin)
		}
	}
	return total
}

// A look rejects a release that is worse by just the margin no more often than it
// may.
func TestChanceOfWorse_keepsItsBound(t *testing.T) {
	t.Parallel()
	for _, n := range [][2]int{{60, 1140}, {300, 5700}, {500, 500}} {
		for _, p := range []float64{0.0005, 0.002, 0.02} {
			for _, r := range []release{{n[0], n[1], p, 0}, {n[0], n[1], p, 0.005}} {
				for _, alpha := range []float64{0.025, 0.05 / 110} {
					if got := r.size(alpha); got > 1.02*alpha {
						t.Errorf("%+v: false alarms %.3g of %.3g", r, got, alpha)
					}
				}
			}
		}
	}
}

func TestShareOfLook_sumsToAlpha(t *testing.T) {
	t.Parallel()
	sum := 0.0
	for n := 1; n <= 100_000; n++ {
		sum += alphaOfEvaluation(0.05, n)
	}
	if sum >= 0.05 || sum < 0.0499 {
		t.Errorf("all looks have %v", sum)
	}
	near(t, "the first look's", alphaOfEvaluation(0.05, 1), 0.025)
}
