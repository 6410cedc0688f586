package shift_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

func steps(at ...shift.Share) []shift.Step {
	var all []shift.Step
	for _, a := range at {
		all = append(all, shift.Step{At: a})
	}
	return all
}

func TestCheckSteps(t *testing.T) {
	tests := []struct {
		steps []shift.Step
		index int
		err   string
	}{
		{nil, 0, ""},
		{steps(50, 500), 0, ""},
		{steps(1, 999), 0, ""},
		{steps(0), 0, "outside 0 to 100 percent"},
		{steps(50, 1000), 1, "outside 0 to 100 percent"},
		{steps(-1), 0, "outside 0 to 100 percent"},
		{steps(50, 50), 1, "the steps do not rise: 5 % follows 5 %"},
		{steps(50, 500, 125), 2, "the steps do not rise: 12.5 % follows 50 %"},
	}
	for _, tt := range tests {
		i, err := shift.CheckSteps(tt.steps)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if i != tt.index || text != tt.err {
			t.Errorf("CheckSteps(%v) = %d, %v; want %d, %s", tt.steps, i, err, tt.index, tt.err)
		}
	}
}

func TestBetween(t *testing.T) {
	blue, green := shift.Sole("blue"), shift.Sole("green")
	tests := []struct {
		from, to shift.Weights
		at       shift.Share
		want     string
	}{
		{blue, green, 0, "blue 100 %"},
		{blue, green, 1, "blue 99.9 %, green 0.1 %"},
		{blue, green, 50, "blue 95 %, green 5 %"},
		{blue, green, shift.Full, "green 100 %"},
		{blue, shift.Weights{"blue": 900, "green": 100}, 500, "blue 95 %, green 5 %"},
		{shift.Weights{"blue": 500, "green": 500}, shift.Sole("red"), 500, "blue 25 %, green 25 %, red 50 %"},
		{blue, shift.Weights{"green": 500, "red": 500}, 1, "blue 99.9 %, green 0.1 %"},
		{blue, shift.Weights{"green": 500, "red": 500}, 2, "blue 99.8 %, green 0.1 %, red 0.1 %"},
		{nil, green, 0, "no traffic"},
		{nil, green, 50, "green 100 %"}, // an empty origin has no steps
		{shift.Weights{"blue": 0}, green, 50, "green 100 %"},
		{green, green, 300, "green 100 %"},
	}
	for _, tt := range tests {
		if got := shift.Between(tt.from, tt.to, tt.at).String(); got != tt.want {
			t.Errorf("Between(%v, %v, %s) = %s, want %s", tt.from, tt.to, tt.at, got, tt.want)
		}
	}
}

func TestProgress(t *testing.T) {
	blue, green := shift.Sole("blue"), shift.Sole("green")
	canary := shift.Weights{"blue": 990, "green": 10}
	tests := []struct {
		stable, desired, observed shift.Weights
		want                      shift.Share
	}{
		{blue, green, blue, 0},
		{blue, green, green, shift.Full},
		{blue, green, shift.Weights{"blue": 500, "green": 500}, 500},
		{blue, green, shift.Sole("red"), 0},
		{blue, green, shift.Weights{"green": 500, "red": 500}, 500},
		// All desired gains, but some traffic on an unmanaged group: not done.
		{blue, shift.Weights{"blue": 500, "green": 500}, shift.Weights{"green": 500, "red": 500}, 999},
		// More than the desired share does not count.
		{blue, shift.Weights{"blue": 500, "green": 500}, shift.Sole("green"), 999},
		{nil, green, nil, 0},
		{nil, green, green, shift.Full},
		// 0.1 % of 1 % has moved: the largest progress at which Between moves 0.1 %.
		{blue, canary, shift.Weights{"blue": 999, "green": 1}, 149},
		{green, green, blue, 0},
	}
	for _, tt := range tests {
		if got := shift.Progress(tt.stable, tt.desired, tt.observed); got != tt.want {
			t.Errorf("Progress(%v, %v, %v) = %s, want %s", tt.stable, tt.desired, tt.observed, got, tt.want)
		}
	}
}

// checkSteps checks a shift in strides: the ends are exact, the weights sum to 100 %,
// every share changes in one direction only, and Progress agrees with Between.
func checkSteps(from, to shift.Weights, stride shift.Share) error {
	before, reached := from, shift.Share(0)
	for at := shift.Share(0); at <= shift.Full; at += stride {
		w := shift.Between(from, to, at)
		if sum(w) != shift.Full {
			return fmt.Errorf("at %s: %v sums to %s", at, w, sum(w))
		}
		for _, name := range append(from.Names(), to.Names()...) {
			rises := to[name] >= from[name]
			if rises && (w[name] < before[name] || w[name] > to[name]) || !rises && (w[name] > before[name] || w[name] < to[name]) {
				return fmt.Errorf("at %s: %s changes from %s to %s in a shift from %s to %s", at, name, before[name], w[name], from[name], to[name])
			}
		}
		got := shift.Progress(from, to, w)
		if got < reached || (got == shift.Full) != w.Equal(to) {
			return fmt.Errorf("at %s: progress %s follows %s with %v", at, got, reached, w)
		}
		if again := shift.Between(from, to, got); !from.Equal(to) && !again.Equal(w) {
			return fmt.Errorf("at %s: %v is progress %s, but Between returns %v there", at, w, got, again)
		}
		if next := min(got+1, shift.Full); got < shift.Full && !w.Equal(from) && shift.Between(from, to, next).Equal(w) {
			return fmt.Errorf("at %s: progress %s, but at %s it is still %v", at, got, next, w)
		}
		before, reached = w, got
	}
	if !shift.Between(from, to, 0).Equal(from) || !shift.Between(from, to, shift.Full).Equal(to) {
		return errors.New("the ends are not exact")
	}
	return nil
}

func TestBetween_sharesChangeInOneDirection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := weights(t, "from"), weights(t, "to")
		stride := shift.Share(rapid.IntRange(20, 500).Draw(t, "stride"))
		if err := checkSteps(from, to, stride); err != nil {
			t.Fatalf("from %v to %v: %v", from, to, err)
		}
	})
}

// An external change can result in any weights.
func TestProgress_ofAnyWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stable, desired, observed := weights(t, "stable"), weights(t, "desired"), weights(t, "observed")
		got := shift.Progress(stable, desired, observed)
		if got < 0 || got > shift.Full || (got == shift.Full) != observed.Equal(desired) {
			t.Fatalf("Progress(%v, %v, %v) = %s", stable, desired, observed, got)
		}
		if observed.Equal(stable) && !stable.Equal(desired) && got != 0 {
			t.Fatalf("progress %s, but nothing has moved", got)
		}
		// A step above the progress must move more than observed, or a step that is
		// done would be repeated.
		if next := got + 1; got > 0 && next < shift.Full {
			gained := func(w shift.Weights) (all shift.Share) {
				for name, want := range desired {
					all += max(min(w[name], want)-stable[name], 0)
				}
				return all
			}
			if w := shift.Between(stable, desired, next); gained(w) <= gained(observed) {
				t.Fatalf("Progress(%v, %v, %v) = %s, but at %s it is %v", stable, desired, observed, got, next, w)
			}
		}
	})
}

// FuzzSteps checks that accepted steps rise, and that a shift by them is monotonic.
func FuzzSteps(f *testing.F) {
	f.Add(50, 500, 999, 1000, 0, 0)
	f.Add(0, 1000, -5, 0, 10, 990)
	f.Add(1, 2, 3, 333, 333, 334)
	f.Fuzz(func(t *testing.T, a, b, c, x, y, z int) {
		all := steps(shift.Share(a), shift.Share(b), shift.Share(c))
		i, err := shift.CheckSteps(all)
		rising := 0 < a && a < b && b < c && c < int(shift.Full)
		if (err == nil) != rising || i < 0 || i >= len(all) {
			t.Fatalf("CheckSteps(%v) = %d, %v", all, i, err)
		}
		to := shift.FromRaw(map[string]int{"blue": x % 1000, "green": y % 1000, "red": z % 1000})
		if err != nil || to == nil {
			return
		}
		before := shift.Sole("blue")
		for _, step := range all {
			w := shift.Between(shift.Sole("blue"), to, step.At)
			if sum(w) != shift.Full || w["blue"] > before["blue"] || w["green"] < before["green"] || w["red"] < before["red"] {
				t.Fatalf("step %s to %v: %v after %v", step.At, to, w, before)
			}
			before = w
		}
	})
}

func TestBetween_inTenthsOfAPercent(t *testing.T) {
	from := shift.Weights{"a": 333, "b": 333, "c": 334}
	for _, to := range []shift.Weights{shift.Sole("d"), {"a": 999, "d": 1}, {"b": 500, "d": 250, "e": 250}} {
		if err := checkSteps(from, to, shift.MinShare); err != nil {
			t.Errorf("from %v to %v: %v", from, to, err)
		}
	}
}
