package chance

import (
	"math/bits"
	"testing"
)

// bruteForceWins counts the wins of every order of n+m periods.
func bruteForceWins(n, m int) []float64 {
	counts := make([]float64, n*m+1)
	orders := 0.0
	for order := range uint(1) << (n + m) { // a bit is a period of incoming
		if bits.OnesCount(order) != n {
			continue
		}
		won, below := 0, 0
		for i := range n + m {
			if order>>i&1 == 1 {
				won += below
			} else {
				below++
			}
		}
		counts[won]++
		orders++
	}
	for i := range counts {
		counts[i] /= orders
	}
	return counts
}

func TestWinsTail(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]int{{1, 1}, {1, 7}, {4, 3}, {5, 9}, {7, 7}} {
		n, m := c[0], c[1]
		tail := 1.0
		for won, chance := range bruteForceWins(n, m) {
			wantClose(t, "the tail", winsTail(won, n, m), tail)
			tail -= chance
		}
	}
	// One order of many: every period of incoming is worse than every one of the history.
	wantClose(t, "ten of 70", winsTail(600, 10, 60), 1/396704524216.0)
	if p := winsTail(300, 10, 60); p < 0.5 || p > 0.51 {
		t.Errorf("got %v for half of the pairs", p)
	}
}

func TestRankPValue(t *testing.T) {
	t.Parallel()
	history := countsOf(1000, 2, 2, 3, 1, 2, 50, 2, 3, 1, 2, 2, 50, 1, 2, 3, 2, 50, 2, 2, 1)
	for _, c := range []struct {
		name      string
		incoming  Counted
		history   Counted
		tolerance Tolerance
		want      float64
	}{
		{"worse in every minute", countsOf(1000, 60, 60), history, Tolerance{1, 0}, 1.0 / 231},
		{"worse than all but three", countsOf(1000, 20), history, Tolerance{1, 0}, 4.0 / 21},
		{"within the margin", countsOf(1000, 60, 60), history, Tolerance{1, 0.06}, 1},
		{"within the factor", countsOf(1000, 60, 60), history, Tolerance{2, 0}, winsTail(34, 2, 20)},
		{"equal rates", countsOf(1000, 2), history, Tolerance{1, 0}, 17.0 / 21},
		{"a period without requests", Counted{Periods: []Share{{60, 1000}, {}}}, history, Tolerance{1, 0}, 1.0 / 21},
		{"no requests", Counted{}, history, Tolerance{1, 0}, 1},
		{"short history", countsOf(1000, 60, 60), countsOf(1000, 1, 2, 3), Tolerance{1, 0}, 1},
	} {
		wantClose(t, c.name, rankPValue(c.incoming, c.history, c.tolerance), c.want)
	}
}
