package shift

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"time"
)

// Step is an intermediate stop of a shift.
type Step struct {
	At   Share         // the part of the shift that is done, above 0; the last is at Full
	Hold time.Duration // how long the weights are held under gates
	// Like is the step of the strategy whose gates are evaluated here; 0: this one.
	Like Share
}

// gatesOf is the step of the strategy whose gates are evaluated at this one.
func (s Step) gatesOf() Share { return cmp.Or(s.Like, s.At) }

// CheckSteps checks that steps are between 0 and 100 % exclusive (ErrOutOfRange) and
// rise (ErrNotRising). It returns the index of the first step that does not comply.
func CheckSteps(steps []Step) (int, error) {
	before := Share(0)
	for i, s := range steps {
		if s.At <= 0 || s.At >= Full {
			return i, ErrOutOfRange
		}
		if s.At <= before {
			return i, fmt.Errorf("%w: %s follows %s", ErrNotRising, s.At, before)
		}
		before = s.At
	}
	return 0, nil
}

// Between returns the weights when the part at of a shift is done. It is exact at 0
// and Full, the shares sum to Full, and with a rising part every share changes in one
// direction only. Where from is empty, any part above 0 returns to.
func Between(from, to Weights, at Share) Weights {
	if len(from.Names()) == 0 && at > 0 {
		return maps.Clone(to)
	}
	w, moved := maps.Clone(from), Share(0)
	if w == nil {
		w = Weights{}
	}
	gains := map[string]Share{}
	for name := range union(from, to) {
		switch d := to[name] - from[name]; {
		case d < 0:
			loss := portion(-d, at)
			w[name] = from[name] - loss
			moved += loss
		case d > 0:
			gains[name] = d
		}
	}
	for name, won := range distribute(moved, gains) {
		w[name] = from[name] + won
	}
	return w
}

// portion returns at/Full of d, rounded half up.
func portion(d, at Share) Share { return (d*at + Full/2) / Full }

// distribute divides moved shares among those that gain, by Webster's method. A
// divisor method never takes a seat away when the number of seats rises, which keeps
// every gain monotonic.
func distribute(seats Share, gains map[string]Share) map[string]Share {
	won := map[string]Share{}
	names := slices.Sorted(maps.Keys(gains))
	for ; seats > 0 && len(names) > 0; seats-- {
		won[highest(names, func(n string) float64 {
			if won[n] >= gains[n] {
				return math.Inf(-1)
			}
			return float64(gains[n]) / float64(2*won[n]+1)
		})]++
	}
	return won
}

// Progress returns the part of the shift from stable to desired that is done: 0 where
// no environment has gained, Full if and only if observed equals desired. In between
// it is the largest part for which Between moves no more than observed. So a step above
// it always moves more than observed, and a step at or below it never does.
func Progress(stable, desired, observed Weights) Share {
	if observed.Equal(desired) {
		return Full
	}
	gained := Share(0)
	for name, want := range desired {
		gained += max(min(observed[name], want)-stable[name], 0)
	}
	if gained == 0 {
		return 0
	}
	above := sort.Search(int(Full), func(at int) bool { return movedAt(stable, desired, Share(at)) > gained })
	// Below Full even with all gains reached: the rest of the observed traffic may be
	// on an unmanaged group.
	return Share(above) - MinShare
}

// movedAt returns the share that Between moves when the part at of a shift is done.
func movedAt(from, to Weights, at Share) Share {
	moved := Share(0)
	for name, share := range from {
		moved += portion(max(share-to[name], 0), at)
	}
	return moved
}

func union(a, b Weights) map[string]bool {
	all := map[string]bool{}
	for name := range a {
		all[name] = true
	}
	for name := range b {
		all[name] = true
	}
	return all
}
