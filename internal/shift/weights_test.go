package shift_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

func TestShareOf(t *testing.T) {
	tests := []struct {
		percent float64
		want    shift.Share
		err     error
	}{
		{0, 0, nil},
		{math.Copysign(0, -1), 0, nil},
		{0.1, 1, nil},
		{33.3, 333, nil},
		{3 * 33.3, 999, nil}, // 99.89999999999999
		{100 - 33.3, 667, nil},
		{99.9, 999, nil},
		{100, shift.Full, nil},
		{0.05, 0, shift.ErrTooFine},
		{0.01, 0, shift.ErrTooFine},
		{12.34, 0, shift.ErrTooFine},
		{-0.1, 0, shift.ErrOutOfRange},
		{100.1, 0, shift.ErrOutOfRange},
		{math.NaN(), 0, shift.ErrOutOfRange},
		{math.Inf(1), 0, shift.ErrOutOfRange},
	}
	for _, tt := range tests {
		got, err := shift.ShareOf(tt.percent)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("ShareOf(%v) = %d, %v; want %d, %v", tt.percent, got, err, tt.want, tt.err)
		}
	}
}

func TestShare_everyTenthIsRead(t *testing.T) {
	for want := shift.Share(0); want <= shift.Full; want++ {
		got, err := shift.ShareOf(want.Percent())
		if got != want || err != nil {
			t.Errorf("ShareOf(%v) = %d, %v", want.Percent(), got, err)
		}
	}
}

func TestFromPercent(t *testing.T) {
	tests := []struct {
		percent map[string]float64
		want    string
		err     string
	}{
		{map[string]float64{"blue": 90, "green": 10}, "blue 90 %, green 10 %", ""},
		{map[string]float64{"blue": 99.9, "green": 0.1}, "blue 99.9 %, green 0.1 %", ""},
		{map[string]float64{"blue": 100, "green": 0}, "blue 100 %", ""},
		{map[string]float64{"blue": 90, "green": 9}, "", "the weights do not sum to 100 percent but to 99"},
		{map[string]float64{"blue": 90, "green": 10.5}, "", "the weights do not sum to 100 percent but to 100.5"},
		{nil, "", "the weights do not sum to 100 percent but to 0"},
		{map[string]float64{"blue": 99.95, "green": 0.05}, "", `"blue": finer than 0.1 percent`},
		{map[string]float64{"blue": 101, "green": -1}, "", `"blue": outside 0 to 100 percent`},
	}
	for _, tt := range tests {
		got, err := shift.FromPercent(tt.percent)
		if tt.err != "" {
			if err == nil || err.Error() != tt.err || got != nil {
				t.Errorf("FromPercent(%v) = %v, %v; want %s", tt.percent, got, err, tt.err)
			}
			continue
		}
		if err != nil || got.String() != tt.want {
			t.Errorf("FromPercent(%v) = %v, %v; want %s", tt.percent, got, err, tt.want)
		}
	}
}

func TestFromRaw(t *testing.T) {
	tests := []struct {
		raw  map[string]int
		want string
	}{
		{nil, "no traffic"},
		{map[string]int{"blue": 0, "green": 0}, "no traffic"},
		{map[string]int{"blue": -3}, "no traffic"},
		{map[string]int{"blue": 1}, "blue 100 %"},
		{map[string]int{"blue": 7, "green": 0}, "blue 100 %"},
		{map[string]int{"blue": 95, "green": 5}, "blue 95 %, green 5 %"},
		{map[string]int{"blue": 999, "green": 1}, "blue 99.9 %, green 0.1 %"},
		{map[string]int{"blue": 1, "green": 2}, "blue 33.3 %, green 66.7 %"},
		{map[string]int{"a": 1, "b": 1, "c": 1}, "a 33.4 %, b 33.3 %, c 33.3 %"},
		// A share below 0.1 % is never rounded to 0, nor the rest to 100 %.
		{map[string]int{"blue": 999, "green": 999, "red": 1}, "blue 50 %, green 49.9 %, red 0.1 %"},
		{map[string]int{"a": 999, "b": 999, "c": 999, "d": 999, "e": 1}, "a 25 %, b 25 %, c 25 %, d 24.9 %, e 0.1 %"},
	}
	for _, tt := range tests {
		if got := shift.FromRaw(tt.raw).String(); got != tt.want {
			t.Errorf("FromRaw(%v) = %s, want %s", tt.raw, got, tt.want)
		}
	}
}

func TestMean(t *testing.T) {
	blue, green := shift.Sole("blue"), shift.Sole("green")
	tests := []struct {
		routes []shift.Weights
		want   string
	}{
		{nil, "no traffic"},
		{[]shift.Weights{nil, {}}, "no traffic"},
		{[]shift.Weights{blue, nil}, "blue 100 %"},
		{[]shift.Weights{blue, green}, "blue 50 %, green 50 %"},
		{[]shift.Weights{blue, blue, green}, "blue 66.7 %, green 33.3 %"},
		{[]shift.Weights{{"blue": 999, "green": 1}, blue, blue, blue}, "blue 99.9 %, green 0.1 %"},
	}
	for _, tt := range tests {
		if got := shift.Mean(tt.routes).String(); got != tt.want {
			t.Errorf("Mean(%v) = %s, want %s", tt.routes, got, tt.want)
		}
	}
}

func TestWeights_methods(t *testing.T) {
	split := shift.Weights{"blue": 600, "green": 400, "red": 0}
	if got := split.Names(); !slices.Equal(got, []string{"blue", "green"}) {
		t.Errorf("Names() = %v", got)
	}
	if name, ok := split.Sole(); ok {
		t.Errorf("Sole() = %s for a split", name)
	}
	if name, ok := (shift.Weights{"red": 0, "blue": shift.Full}).Sole(); !ok || name != "blue" {
		t.Errorf("Sole() = %s, %t", name, ok)
	}
	if !split.Equal(shift.Weights{"green": 400, "blue": 600}) || split.Equal(shift.Weights{"blue": 600, "red": 400}) {
		t.Error("Equal() must ignore names without a share, and compare all others")
	}
	if got := split.Gaining(shift.Sole("blue")); !slices.Equal(got, []string{"green"}) {
		t.Errorf("Gaining() = %v", got)
	}
	if got := shift.Weights(nil).String(); got != "no traffic" {
		t.Errorf("String() of no weights = %q", got)
	}
	receiving, giving := shift.Sides(shift.Weights{"blue": 900, "red": 100}, shift.Weights{"blue": 100, "red": 100, "green": 800})
	if !slices.Equal(receiving, []string{"green"}) || !slices.Equal(giving, []string{"blue", "red"}) {
		t.Errorf("Sides() = %v, %v", receiving, giving)
	}
}

// weights draws shares that sum to Full, in tenths or in whole percents.
func weights(t *rapid.T, label string) shift.Weights {
	names := []string{"a", "b", "c", "d", "e"}[:rapid.IntRange(1, 5).Draw(t, label+": environments")]
	unit := rapid.SampledFrom([]shift.Share{1, 10}).Draw(t, label+": unit")
	w, left := shift.Weights{}, shift.Full/unit
	for _, name := range names[1:] {
		share := shift.Share(rapid.IntRange(0, int(left)).Draw(t, label+": "+name))
		w[name] = share * unit
		left -= share
	}
	w[names[0]] = left * unit
	return w
}

func sum(w shift.Weights) shift.Share {
	total := shift.Share(0)
	for _, s := range w {
		total += s
	}
	return total
}

// checkRead checks that the shares of raw weights sum to Full, that they are within
// 0.5 %, and that exactly the names with none or all of the weight get 0 or Full.
func checkRead(raw map[string]int) error {
	w := shift.FromRaw(raw)
	total, most := 0, 0
	for _, n := range raw {
		total += max(n, 0)
		most = max(most, n)
	}
	if total == 0 {
		if w != nil {
			return fmt.Errorf("no weight is read as %v", w)
		}
		return nil
	}
	if sum(w) != shift.Full {
		return fmt.Errorf("%v is read as %v, which sums to %s", raw, w, sum(w))
	}
	for name, n := range raw {
		if (max(n, 0) == 0) != (w[name] == 0) || (n == total) != (w[name] == shift.Full) {
			return fmt.Errorf("%s with %d of %d is read as %s", name, n, total, w[name])
		}
		exact := float64(max(n, 0)) * 100 / float64(total)
		if off := math.Abs(w[name].Percent() - exact); off > 0.5 {
			return fmt.Errorf("%s with %d of %d is read as %s", name, n, total, w[name])
		}
	}
	return nil
}

func TestFromRaw_anyWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), rapid.IntRange(0, 999), 0, 5).Draw(t, "raw")
		if err := checkRead(raw); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMean_sumsToFull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var routes []shift.Weights
		for range rapid.IntRange(1, 6).Draw(t, "routes") {
			routes = append(routes, weights(t, "route"))
		}
		mean := shift.Mean(routes)
		if sum(mean) != shift.Full {
			t.Fatalf("the mean of %v is %v", routes, mean)
		}
		for _, w := range routes {
			for _, name := range w.Names() {
				if mean[name] == 0 {
					t.Fatalf("%s has traffic in %v and none in %v", name, routes, mean)
				}
			}
		}
	})
}

// FuzzWeights converts arbitrary configured and raw weights.
func FuzzWeights(f *testing.F) {
	f.Add(95.0, 5.0, 0.0, 999, 1, 0)
	f.Add(33.3, 33.3, 33.4, 1, 1, 1)
	f.Add(math.NaN(), math.Inf(1), -1.0, -1, 0, 5)
	f.Add(99.95, 0.05, 1e-12, 999, 999, 1)
	f.Fuzz(func(t *testing.T, x, y, z float64, a, b, c int) {
		w, err := shift.FromPercent(map[string]float64{"blue": x, "green": y, "red": z})
		known := errors.Is(err, shift.ErrSum) || errors.Is(err, shift.ErrTooFine) || errors.Is(err, shift.ErrOutOfRange)
		switch {
		case err != nil && (!known || w != nil):
			t.Errorf("FromPercent(%v, %v, %v) = %v, %v", x, y, z, w, err)
		case err == nil && sum(w) != shift.Full:
			t.Errorf("FromPercent(%v, %v, %v) = %v", x, y, z, w)
		}
		// ELB weights are 0 to 999.
		raw := map[string]int{"blue": a % 1000, "green": b % 1000, "red": c % 1000}
		if err := checkRead(raw); err != nil {
			t.Error(err)
		}
	})
}
