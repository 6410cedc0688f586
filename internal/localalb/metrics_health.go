package localalb

import (
	"slices"
	"sync"
	"time"
)

// healthLog remembers how many targets of a group were healthy and unhealthy at any time.
type healthLog struct {
	clock metricsClock

	mu      sync.Mutex
	changes []healthChange // oldest first
}

// healthChange is what holds from a moment on. A group without targets has no figures at all, as with AWS.
type healthChange struct {
	at                 time.Time
	reported           bool
	healthy, unhealthy int
}

func (h *healthLog) note(c healthChange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.at = h.clock.now()
	if n := len(h.changes); n > 0 {
		last := h.changes[n-1]
		if last.reported == c.reported && last.healthy == c.healthy && last.unhealthy == c.unhealthy {
			return
		}
	}
	h.changes = append(h.changes, c)
	oldest := h.clock.oldest(c.at)
	// The last change before the oldest slot still says what held at its start.
	for len(h.changes) > 1 && h.clock.slot(h.changes[1].at) < oldest {
		h.changes = slices.Delete(h.changes, 0, 1)
	}
}

// slots makes a point of every slot in which the group was reported. Its samples are what held when the slot
// began and every change in it.
func (h *healthLog) slots(from, to int64, value func(healthChange) int) map[int64]*summary {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[int64]*summary{}
	if len(h.changes) == 0 {
		return out
	}
	from = max(from, h.clock.slot(h.changes[0].at))
	next, held := 0, healthChange{}
	for slot := from; slot < to; slot++ {
		s := &summary{}
		begin, end := slot*int64(h.clock.period), (slot+1)*int64(h.clock.period)
		for ; next < len(h.changes) && h.changes[next].at.UnixNano() <= begin; next++ {
			held = h.changes[next]
		}
		held.sample(s, value)
		for ; next < len(h.changes) && h.changes[next].at.UnixNano() < end; next++ {
			held = h.changes[next]
			held.sample(s, value)
		}
		if s.count > 0 {
			out[slot] = s
		}
	}
	return out
}

func (c healthChange) sample(s *summary, value func(healthChange) int) {
	if c.reported {
		s.add(float64(value(c)), 1)
	}
}
