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

// MinShare is the smallest share above 0.
const MinShare Share = 1

// Errors in configured weights and steps.
var (
	ErrTooFine    = errors.New("finer than 0.1 percent")
	ErrOutOfRange = errors.New("outside 0 to 100 percent")
	ErrSum        = errors.New("the weights do not sum to 100 percent")
	ErrNotRising  = errors.New("the steps do not rise")
)

// ShareOf converts percent to a share. It returns ErrOutOfRange outside 0 to 100
// (also for NaN) and ErrTooFine for more than one decimal.
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

// Percent returns the share in percent, such as 12.5.
func (s Share) Percent() float64 { return float64(s) / 10 }

// String returns the share with its unit, such as "12.5 %".
func (s Share) String() string {
	return strconv.FormatFloat(s.Percent(), 'f', -1, 64) + " %"
}

// Weights is the share of each environment; a missing name has none. The shares of a
// route that forwards sum to Full.
type Weights map[string]Share

// Sole returns weights that give all traffic to one environment.
func Sole(name string) Weights { return Weights{name: Full} }

// FromPercent converts configured weights. It returns the errors of ShareOf, with the
// name, and ErrSum.
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

// FromRaw converts the weights of a router, of any sum, to shares. A weight above 0
// becomes at least MinShare, so 0 and 100 % are always exact. FromRaw returns nil if
// no weight is above 0.
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

// apportion rounds shares that sum to Full, by largest remainder, so that the result
// sums to Full. Each is at least MinShare.
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

// Names returns the names with a share above 0, sorted.
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

// Equal reports whether both give every name the same share.
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

// Sole returns the environment that has all traffic, and false if there is none.
func (w Weights) Sole() (string, bool) {
	for name, s := range w {
		if s == Full {
			return name, true
		}
	}
	return "", false
}

// Gaining returns the names whose share is larger than in from, sorted.
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

// String returns the shares above 0 by name, such as "blue 95 %, green 5 %".
func (w Weights) String() string {
	var parts []string
	for _, name := range w.Names() {
		parts = append(parts, name+" "+w[name].String())
	}
	if parts == nil {
		return "no traffic"
	}
	return strings.Join(parts, ", ")
}

// IsBetween reports whether every share is between that of from and that of to.
func (w Weights) IsBetween(from, to Weights) bool {
	names := union(from, to)
	maps.Copy(names, union(w, nil))
	for name := range names {
		if share := w[name]; share < min(from[name], to[name]) || share > max(from[name], to[name]) {
			return false
		}
	}
	return true
}

// Mean returns the mean weights of several routes, rounded so that they sum to Full.
// Routes that do not forward (nil) are left out; Mean is nil if none forwards.
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
