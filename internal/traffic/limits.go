package traffic

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Limits is what a router can express. Each router declares its own; the engine and the
// schedule adapt to it.
type Limits struct {
	// Groups is the maximum number of groups that one route can have; 0: no limit.
	Groups int
	// Weight is the largest weight of a group. From 999 on, every share is exact to a
	// tenth of a percent; below, Encode rounds.
	Weight int
	// Whole reports that one group has all the traffic of a route: there is no share between 0 and 100 %.
	Whole bool
	// AttachesIdle reports whether a group is attached at weight 0 before it gets
	// traffic, because the router checks the health of attached groups only. Where it is
	// false, a State has no groups at weight 0, and a write gives 0 to those that it leaves out.
	AttachesIdle bool
	// MinSticky and MaxSticky are the shortest and longest group stickiness, in whole
	// seconds; 0: the router has none.
	MinSticky, MaxSticky time.Duration
}

// Encode converts shares to weights of the router: in percent if all shares are whole
// percents, otherwise in tenths (99.9 and 0.1 % become 999 and 1). Where Weight is too
// small for that, they are the smallest weights that express the shares, or come nearest to
// them; a share above 0 gets at least 1.
func (l Limits) Encode(w shift.Weights) map[string]int {
	unit, largest := shift.Share(10), shift.Share(0)
	for _, s := range w {
		if s%10 != 0 {
			unit = 1
		}
		largest = max(largest, s)
	}
	if int(largest/unit) > l.Weight {
		return l.nearest(w, int(largest))
	}
	weights := map[string]int{}
	for name, s := range w {
		weights[name] = int(s / unit)
	}
	return weights
}

// Express returns the shares that Encode gives, or the largest alone where one group has all the traffic, and
// whether they are those of w.
func (l Limits) Express(w shift.Weights) (nearest shift.Weights, exact bool) {
	if names := w.Names(); l.Whole && len(names) > 1 {
		largest := slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(w[a], w[b]) })
		return shift.Sole(largest), false
	}
	nearest = shift.FromRaw(l.Encode(w))
	return nearest, nearest.Equal(w)
}

// nearest tries every weight of the largest share.
func (l Limits) nearest(w shift.Weights, largest int) map[string]int {
	var best map[string]int
	least := math.Inf(1)
	for top := 1; top <= l.Weight; top++ {
		weights, sum, off := map[string]int{}, 0, 0.0
		for name, s := range w {
			if s > 0 {
				weights[name] = max((int(s)*top+largest/2)/largest, 1)
			} else {
				weights[name] = 0
			}
			sum += weights[name]
		}
		for name, s := range w {
			off = max(off, math.Abs(float64(weights[name])/float64(sum)-float64(s)/float64(shift.Full)))
		}
		if off < least-1e-9 {
			best, least = weights, off
		}
	}
	return best
}
