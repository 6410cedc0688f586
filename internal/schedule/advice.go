package schedule

import (
	"cmp"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// advice writes the edits that a schedule suggests.
type advice struct{ plan }

// backend is what a group is called.
func (s advice) backend() string { return cmp.Or(s.Request.Backend, "target group") }

// acceptText is the edit that agrees with the weights; empty where there are none.
func (s advice) acceptText(w shift.Weights) string {
	live, ok := w.Sole()
	switch e := s.Request.Environment(live); {
	case len(w.Names()) == 0:
		return ""
	case ok && e.Removed:
		return fmt.Sprintf("restore environment %q and set active = %q", live, live)
	case ok && e.Unmanaged:
		return fmt.Sprintf("add an environment with %s %s and set active to it", s.backend(), live)
	case ok:
		return fmt.Sprintf("set active = %q", live)
	}
	for _, name := range w.Names() { // weights can only name environments
		if e := s.Request.Environment(name); e.Unmanaged {
			return fmt.Sprintf("add an environment with %s %s and set active to it", s.backend(), name)
		} else if e.Removed {
			return fmt.Sprintf("restore environment %q and set active = %q", name, name)
		}
	}
	return "set weights to " + w.String()
}

// awayText is the edit that keeps all traffic away from a bad version: to what has all of
// it now or else to the rollback target, never to a split with it. Empty: there is none.
func (s advice) awayText(bad string) string {
	now := s.Request.ObservedMean()
	if name, sole := now.Sole(); sole && name != bad {
		return s.acceptText(now)
	}
	back := s.Request.Stable
	if name, sole := back.Sole(); back == nil || sole && name == bad {
		back = without(now, bad)
	}
	return s.acceptText(back)
}

// movedTo is where the routes are from which the traffic was moved, without a rejected
// version: that one is not accepted.
func (s advice) movedTo() shift.Weights {
	var all []shift.Weights
	for _, x := range s.Request.Routes {
		if !x.Observed.Equal(s.Desired) {
			all = append(all, x.Observed)
		}
	}
	if r := s.Request.Rejected; r != nil && r.Matches(s.Request.Environment(r.Environment)) {
		return without(shift.Mean(all), r.Environment)
	}
	return shift.Mean(all)
}
