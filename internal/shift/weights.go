package shift

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Share is a part of the traffic in tenths of a percent, 0 to 1000.
type Share int

// Full is all the traffic.
const Full Share = 1000

// MinShare is the smallest share above nothing.
const MinShare Share = 1

// Errors of weights and steps that a user wrote.
var (
	ErrTooFine    = errors.New("finer than 0.1 percent")
	ErrOutOfRange = errors.New("outside 0 to 100 percent")
	ErrSum        = errors.New("the weights do not sum to 100 percent")
	ErrNotRising  = errors.New("the steps do not rise")
)

// ShareOf turns percent into a share. It returns ErrOutOfRange outside 0 to
// 100 (NaN too) and ErrTooFine for more than one decimal.
func ShareOf(percent float64) (Share, error) {
	if !(percent >= 0 && percent <= 100) {
		return 0, ErrOutOfRange
	}
	tenths := math.Round(percent * 10)
	// A tenth has no exact binary form: 33.3*10 is 333.00000000000006.
	if math.Abs(percent*10-tenths) > 1e-6 {
		return 0, ErrTooFine
	}
	return Share(tenths), nil
}

// Percent is the share as a number of percent, such as 12.5.
func (s Share) Percent() float64 { return float64(s) / 10 }

// String words the share with its unit, such as "12.5 %".
func (s Share) String() string {
	return strconv.FormatFloat(s.Percent(), 'f', -1, 64) + " %"
}

// Weights is the share of each environment. A name that is missing has none.
// The shares of a route that forwards sum to Whole.
type Weights map[string]Share

// Sole gives all the traffic to one environment.
func Sole(name string) Weights { return Weights{name: Full} }

// FromPercent turns what a user wrote into weights. It returns the errors of
// ShareOf, with the name, and ErrSum.
func FromPercent(percent map[string]float64) (Weights, error) {
	w := Weights{}
	var sum Share
	for _, name := range slices.Sorted(maps.Keys(percent)) {
		share, err := ShareOf(percent[name])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		w[name] = share
		sum += share
	}
	if sum != Full {
		return nil, fmt.Errorf("%w but to %s", ErrSum, strings.TrimSuffix(sum.String(), " %"))
	}
	return w, nil
}

// FromRaw turns the weights of a router, of whatever sum, into shares. What
// has any weight has at least Finest, so that 0 and 100 percent are always
// exact. It returns nil where nothing has weight.
func FromRaw(raw map[string]int) Weights {
	total := 0
	for _, n := range raw {
		total += max(n, 0)
	}
	if total == 0 {
		return nil
	}
	exact := map[string]float64{}
	for name, n := range raw {
		if n > 0 {
			exact[name] = float64(n) * float64(Full) / float64(total)
		}
	}
	return apportion(exact)
}

// apportion rounds shares that sum to Whole to tenths that do, by the largest
// remainder; each keeps at least Finest.
func apportion(exact map[string]float64) Weights {
	w, left := Weights{}, Full
	names := slices.Sorted(maps.Keys(exact))
	for _, name := range names {
		w[name] = max(Share(math.Floor(exact[name]+1e-9)), MinShare)
		left -= w[name]
	}
	for ; left > 0; left-- {
		w[highest(names, func(n string) float64 { return exact[n] - float64(w[n]) })]++
	}
	for ; left < 0; left++ {
		w[highest(names, func(n string) float64 {
			if w[n] <= MinShare {
				return math.Inf(-1)
			}
			return float64(w[n]) - exact[n]
		})]--
	}
	return w
}

// highest returns the first of the names with the highest score.
func highest(names []string, score func(string) float64) string {
	best := names[0]
	for _, name := range names[1:] {
		if score(name) > score(best) {
			best = name
		}
	}
	return best
}

// Raw turns shares into weights of ELB, 0 to 999: whole percents map one to
// one; where a share has a decimal, all are in tenths (999 to 1 is 99.9 to 0.1).
func (w Weights) Raw() map[string]int {
	unit := Share(10)
	for _, s := range w {
		if s%10 != 0 {
			unit = 1
		}
	}
	raw := map[string]int{}
	for name, s := range w {
		raw[name] = int(s / unit)
	}
	return raw
}

// Names returns the names with a share above nothing, sorted.
func (w Weights) Names() []string {
	var names []string
	for name, s := range w {
		if s > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Equal reports the same shares; a missing name has none.
func (w Weights) Equal(other Weights) bool {
	for name, s := range w {
		if other[name] != s {
			return false
		}
	}
	for name, s := range other {
		if w[name] != s {
			return false
		}
	}
	return true
}

// Sole returns who has all the traffic, and false while it is split.
func (w Weights) Sole() (string, bool) {
	for name, s := range w {
		if s == Full {
			return name, true
		}
	}
	return "", false
}

// Gaining returns the names that have more here than in from, sorted.
func (w Weights) Gaining(from Weights) []string {
	var names []string
	for name, s := range w {
		if s > from[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// String words the shares above nothing, by name: "blue 95 %, green 5 %".
func (w Weights) String() string {
	var parts []string
	for _, name := range w.Names() {
		parts = append(parts, name+" "+w[name].String())
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Mean is what several routes give on the whole: the mean of their shares,
// rounded so that it sums to Whole. Routes that forward nowhere (nil) count
// for nothing; it is nil where none forwards.
func Mean(routes []Weights) Weights {
	sum, n := map[string]float64{}, 0
	for _, w := range routes {
		if len(w.Names()) == 0 {
			continue
		}
		n++
		for _, name := range w.Names() {
			sum[name] += float64(w[name])
		}
	}
	if n == 0 {
		return nil
	}
	for name := range sum {
		sum[name] /= float64(n)
	}
	return apportion(sum)
}
