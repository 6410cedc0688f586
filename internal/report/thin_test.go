package report

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever the points are, thinning bounds them and loses none: not their number, not the extremes,
// and not those that are no pass.
func TestThinned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(4, 50).Draw(t, "limit")
		at := time.Unix(1_000_000, 0)
		var all []Point
		for range rapid.IntRange(0, 300).Draw(t, "n") {
			at = at.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "pause")) * time.Second)
			v := float64(rapid.IntRange(-5, 5).Draw(t, "value"))
			all = append(all, Point{From: at, To: at, Low: v, High: v, Times: 1, Status: rapid.SampledFrom([]string{"pass", "fail", "inconclusive", "error"}).Draw(t, "status")})
		}
		got := thinned(slices.Clone(all), limit)
		if len(got) > limit {
			t.Fatalf("%d points, the limit is %d", len(got), limit)
		}
		if !slices.IsSortedFunc(got, func(a, b Point) int { return a.From.Compare(b.From) }) {
			t.Fatal("the points are not in order")
		}
		if before, after := measure(all), measure(got); before != after {
			t.Fatalf("got %+v, want %+v", after, before)
		}
	})
}

type measured struct {
	passes, others int
	low, high      float64
	worst          int
}

func measure(points []Point) (m measured) {
	for _, p := range points {
		m.low, m.high, m.worst = min(m.low, p.Low), max(m.high, p.High), max(m.worst, badness(p.Status))
		if p.isBad() {
			m.others += p.Times
		} else {
			m.passes += p.Times
		}
	}
	return m
}
