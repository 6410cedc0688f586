package rollout

import (
	"fmt"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// path is the configured steps of a shift, by which stages are named and numbered. The last
// step, at 100 %, is not in it; a revert has no other.
type path []shift.Step

// pathOf returns the path of a schedule.
func pathOf(s shift.Schedule) path {
	if s.Kind == shift.Revert {
		return nil
	}
	return s.Request.Strategy.Steps
}

// number returns the number of the step that a part of the shift belongs to, from 1.
func (p path) number(at shift.Share) int {
	i := slices.IndexFunc(p, func(s shift.Step) bool { return s.At >= at })
	if i < 0 {
		return p.last()
	}
	return i + 1
}

// last returns the number of the step at 100 %.
func (p path) last() int { return len(p) + 1 }

func (p path) name(at shift.Share) string {
	return fmt.Sprintf("step %d of %d (%s)", p.number(at), p.last(), at)
}

// reached returns the number of the last step that a split has reached, or 1 if it has
// reached none.
func (p path) reached(at shift.Share) int {
	n := 0
	for _, step := range p {
		if step.At <= at {
			n++
		}
	}
	return max(n, 1)
}
