package dataplane_test

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

func TestChooser_sequence(t *testing.T) {
	for _, tc := range []struct {
		weights []int
		want    string
	}{
		{[]int{1}, "000000"},
		{[]int{1, 1}, "010101"},
		{[]int{50, 50}, "010101"},
		{[]int{3, 1}, "00100010"},
		{[]int{0, 7}, "1111"},
		{[]int{1, 1, 1}, "012012"},
		{[]int{5, 0, 1}, "000200"},
	} {
		c := dataplane.NewChooser(tc.weights)
		got := ""
		for range len(tc.want) {
			got += fmt.Sprint(c.Next())
		}
		if got != tc.want {
			t.Errorf("weights %v: got %s, want %s", tc.weights, got, tc.want)
		}
	}
}

func TestChooser_noWeightChoosesNothing(t *testing.T) {
	for _, weights := range [][]int{nil, {0}, {0, 0}} {
		if got := dataplane.NewChooser(weights).Next(); got != -1 {
			t.Errorf("weights %v: got %d", weights, got)
		}
	}
}

func TestChooser_staysWithinOneOfTheExactShare(t *testing.T) {
	for _, weights := range [][]int{{95, 5}, {999, 1}, {50, 50}, {67, 33}, {7, 13, 80}, {1, 2, 3, 4, 5}, {999, 998, 1, 1, 1}, {997, 991, 983, 977, 971}} {
		checkShares(t, weights, 10_000)
	}
}

func TestChooser_anyWeightsAnyMoment(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(0, 999), 1, 5).Draw(rt, "weights")
		checkShares(rt, weights, 3_000)
	})
}

type reporter interface {
	Fatalf(format string, args ...any)
}

// checkShares compares every prefix of a run with the exact shares.
func checkShares(t reporter, weights []int, turns int) {
	total := 0
	for _, w := range weights {
		total += w
	}
	if total == 0 {
		return
	}
	c := dataplane.NewChooser(weights)
	got := make([]int, len(weights))
	for turn := 1; turn <= turns; turn++ {
		got[c.Next()]++
		for i, w := range weights {
			exact := float64(turn) * float64(w) / float64(total)
			if math.Abs(float64(got[i])-exact) >= 1 {
				t.Fatalf("weights %v: after %d turns index %d had %d, its exact share is %.3f", weights, turn, i, got[i], exact)
			}
		}
	}
}

func TestChooser_everyStretchOfWholeCyclesIsExact(t *testing.T) {
	weights := []int{70, 25, 5}
	c := dataplane.NewChooser(weights)
	for range 137 { // begin anywhere
		c.Next()
	}
	got := make([]int, len(weights))
	for range 10_000 {
		got[c.Next()]++
	}
	if want := []int{7000, 2500, 500}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestChooser_concurrentCallersShareOneCycle(t *testing.T) {
	c := dataplane.NewChooser([]int{9, 1})
	var mu sync.Mutex
	got := map[int]int{}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 1000 {
				i := c.Next()
				mu.Lock()
				got[i]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got[0] != 9000 || got[1] != 1000 {
		t.Errorf("got %v", got)
	}
}

func BenchmarkChooser(b *testing.B) {
	c := dataplane.NewChooser([]int{70, 25, 5})
	for b.Loop() {
		c.Next()
	}
}
