package rollout

import (
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// lastStates is what is known of the routes. Its methods compare a read with that, and
// change nothing. Reads are eventually consistent: one that shows the state before the last
// write may be stale. The last of several reads is never considered stale.
type lastStates struct {
	current  []traffic.State // as last read; nil: not read yet
	previous []traffic.State // as read before the last write; nil: nothing was written
}

// isPrevious reports whether the i-th route had the state before the last write.
func (l lastStates) isPrevious(i int, state traffic.State) bool {
	return l.previous != nil && state.Equal(l.previous[i])
}

// compare returns the desired states that a read does not show yet, or nil if the read
// is stale, and the index of a route that was changed externally, or -1.
func (l lastStates) compare(states []traffic.State, desired map[int]traffic.State, last bool) (map[int]traffic.State, int) {
	pending, stale := map[int]traffic.State{}, false
	for i := range states {
		state, written := desired[i]
		switch {
		case written && states[i].Equal(state):
		case states[i].Equal(l.current[i]):
			if written {
				pending[i] = state
			}
		case !last && l.isPrevious(i, states[i]):
			stale = true
		default:
			return nil, i
		}
	}
	if stale {
		return nil, -1
	}
	return pending, -1
}

// compareBeforeRollback returns the index of a route whose external change prevents a
// rollback: one that is not at its target or, if all routes are there, any. Otherwise it
// returns -1, whether the read is stale, and the states that are current then: those of
// the read, without stale ones, whose routes are written again.
func (l lastStates) compareBeforeRollback(states []traffic.State, edit externalEdit, last bool) (current []traffic.State, index int, stale bool) {
	current, index = slices.Clone(l.current), -1
	allRestored := true
	for i := range states {
		changed, restored := edit.changed(i, states[i]), states[i].EqualTraffic(edit.targets[i])
		allRestored = allRestored && restored
		switch {
		case changed && !last && l.isPrevious(i, states[i]):
			stale = true
			continue
		case changed && !restored:
			return nil, i, false
		case changed && index < 0:
			index = i
		}
		current[i] = states[i]
	}
	if stale || !allRestored {
		index = -1
	}
	return current, index, stale
}
