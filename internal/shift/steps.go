package shift

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"time"
)

// Step is a stop on the way from stable to the wanted weights.
type Step struct {
	At    Share         // how much of the way, above 0; the last is Whole
	Hold  time.Duration // how long it is watched
	Gates []string      // names of the gates that belong to this step alone
}

// CheckSteps returns ErrOutOfRange for a step at 0, at 100 or outside, and
// ErrNotRising where one is not above the one before, with its index.
func CheckSteps(steps []Step) (int, error) {
	before := Share(0)
	for i, s := range steps {
		if s.At <= 0 || s.At >= Full {
			return i, ErrOutOfRange
		}
		if s.At <= before {
			return i, fmt.Errorf("%w: %s stands after %s", ErrNotRising, s.At, before)
		}
		before = s.At
	}
	return 0, nil
}

// Between returns the weights at a part of the way. 0 and Whole are exact, the
// shares sum to Whole, and over a rising way nobody's share goes back and
// forth. From nothing there is no way: whatever lies above 0 is the end.
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

// portion rounds half up: at/Whole of d.
func portion(d, at Share) Share { return (d*at + Full/2) / Full }

// distribute divides what the losers gave among the gainers, seat by seat after
// Webster's method: a method by divisors never takes a seat away when there
// are more of them, which is what keeps a share from going back and forth.
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

// Progress returns how much of the way from stable to goal has been gone: 0
// where nothing that is to be gained has been, Whole where found is the goal
// and only there. In between it is the furthest that Between does not move
// more for, so that a step above it always moves more than is found, and one
// below it never does.
func Progress(stable, goal, found Weights) Share {
	if found.Equal(goal) {
		return Full
	}
	gained := Share(0)
	for name, want := range goal {
		gained += max(min(found[name], want)-stable[name], 0)
	}
	if gained == 0 {
		return 0
	}
	above := sort.Search(int(Full), func(at int) bool { return movedAt(stable, goal, Share(at)) > gained })
	// Not the goal, so never Whole: what is found may have the goal's gains
	// and still give the rest to a stranger.
	return Share(above) - MinShare
}

// movedAt is how much has changed sides at a part of the way.
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
