package shift

import (
	"fmt"
	"time"
)

// HoldError reports a hold, or a bake, that is over before all users are at its weights: a
// resolver may keep an earlier answer for longer.
type HoldError struct {
	At     Share // the step; Full: the bake
	Hold   time.Duration
	Cached time.Duration // the shortest hold that is possible
}

// Error implements error.
func (e *HoldError) Error() string {
	return fmt.Sprintf("the hold at %s is %s, below the TTL of %s", e.At, e.Hold, e.Cached)
}

// cached returns how long clients of the routes may keep an earlier answer.
func (r Request) cached() time.Duration {
	longest := time.Duration(0)
	for _, x := range r.Routes {
		longest = max(longest, x.Cached)
	}
	return longest
}

// waitForCached makes the settle last until no client has an earlier answer, and checks that
// every hold does. A bake of zero evaluates nothing.
func (s *Schedule) waitForCached() error {
	cached := s.Request.cached()
	if cached == 0 {
		return nil
	}
	s.Request.Strategy.Settle = max(s.Request.Strategy.Settle, cached)
	if s.Kind != Forward {
		return nil
	}
	steps := s.Steps
	if s.Split != nil {
		steps = append([]Step{*s.Split}, steps...)
	}
	for _, step := range steps {
		if step.At != Full && step.Hold < cached {
			return &HoldError{At: step.At, Hold: step.Hold, Cached: cached}
		}
	}
	if bake := s.Request.Strategy.Bake; bake > 0 && bake < cached {
		return &HoldError{At: Full, Hold: bake, Cached: cached}
	}
	return nil
}
