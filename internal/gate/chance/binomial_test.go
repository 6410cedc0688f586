package chance

import (
	"fmt"
	"math"
	"testing"
)

// wantClose allows a relative error of one millionth.
func wantClose(t *testing.T, what string, got, want float64) {
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
		wantClose(t, fmt.Sprintf("P(X >= %d) of %d at %v", c.k, c.n, c.p), binomialTail(c.k, c.n, c.p), c.want)
	}
}

// On both sides of the mean, the tail plus the sum of the other outcomes is 1.
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
				t.Errorf("p %v, k %d: got sum %v, want 1", p, k, got)
			}
		}
	}
}
