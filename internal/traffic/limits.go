package traffic

import (
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
	// AttachesIdle reports whether a group is attached at weight 0 before it gets
	// traffic, because the router checks the health of attached groups only.
	AttachesIdle bool
	// MinSticky and MaxSticky are the shortest and longest group stickiness, in whole
	// seconds; 0: the router has none.
	MinSticky, MaxSticky time.Duration
}

// Encode converts shares to weights of the router: in percent if all shares are whole
// percents, otherwise in tenths (99.9 and 0.1 % become 999 and 1). Where Weight is too
// small for that, the largest share becomes Weight and the others are rounded, a share
// above 0 to at least 1.
func (l Limits) Encode(w shift.Weights) map[string]int {
	unit, largest := shift.Share(10), shift.Share(0)
	for _, s := range w {
		if s%10 != 0 {
			unit = 1
		}
		largest = max(largest, s)
	}
	weights := map[string]int{}
	for name, s := range w {
		if int(largest/unit) <= l.Weight {
			weights[name] = int(s / unit)
			continue
		}
		weights[name] = (int(s)*l.Weight + int(largest)/2) / int(largest)
		if s > 0 {
			weights[name] = max(weights[name], 1)
		}
	}
	return weights
}
