package cloudwatch

import (
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// healthLog records how many targets of a group were healthy and unhealthy over time.
type healthLog struct {
	clock metricsClock

	mu      sync.Mutex
	changes []healthChange // oldest first
}

// healthChange is the health of a group from a time on. As with AWS, a group without targets has no host counts.
type healthChange struct {
	at time.Time
	dataplane.HostCounts
}

// Hosts records a change of the health.
func (h *healthLog) Hosts(counts dataplane.HostCounts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.changes); n > 0 && h.changes[n-1].HostCounts == counts {
		return
	}
	change := healthChange{at: h.clock.now(), HostCounts: counts}
	h.changes = append(h.changes, change)
	oldest := h.clock.oldest(change.at)
	// The last change before the oldest slot is needed for the health at its start.
	for len(h.changes) > 1 && h.clock.slot(h.changes[1].at) < oldest {
		h.changes = slices.Delete(h.changes, 0, 1)
	}
}

// hosts returns a point for every slot in which the group was reported. Its samples are the health at the start of
// the slot and after every change in it.
func (h *healthLog) hosts(from, to int64, value func(healthChange) int) map[int64]*summary {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[int64]*summary{}
	if len(h.changes) == 0 {
		return out
	}
	from = max(from, h.clock.slot(h.changes[0].at))
	next, current := 0, healthChange{}
	for slot := from; slot < to; slot++ {
		s := &summary{}
		begin, end := slot*int64(h.clock.period), (slot+1)*int64(h.clock.period)
		for ; next < len(h.changes) && h.changes[next].at.UnixNano() <= begin; next++ {
			current = h.changes[next]
		}
		current.sample(s, value)
		for ; next < len(h.changes) && h.changes[next].at.UnixNano() < end; next++ {
			current = h.changes[next]
			current.sample(s, value)
		}
		if s.count > 0 {
			out[slot] = s
		}
	}
	return out
}

func (c healthChange) sample(s *summary, value func(healthChange) int) {
	if c.Reported {
		s.add(float64(value(c)), 1)
	}
}
