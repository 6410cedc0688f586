package localalb

import (
	"context"
	"slices"
	"time"
)

// drain lets a deregistered target go. It gets no new requests from now on, those in flight are finished, and
// it shows as draining until the group's delay is over, as with AWS even where nothing is in flight. A target
// that was not in use is gone at once. The caller holds the group's lock.
func (g *liveGroup) drain(t *liveTarget) {
	t.stopCheck()
	delay := time.Duration(seconds(groupAttributes(g.record.targetType), g.record.attributes, drainDelay)) * time.Second
	if t.state == stateUnused || delay == 0 {
		return
	}
	t.state, t.reason, t.description = stateDraining, "Target.DeregistrationInProgress", "Target deregistration is in progress"
	ctx, cancel := context.WithCancel(g.plane.ctx)
	t.drained = cancel
	g.leaving = append(g.leaving, t)
	g.plane.tasks.Go(func() {
		defer cancel()
		if hold(ctx, delay) != nil {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.leaving = slices.DeleteFunc(g.leaving, func(o *liveTarget) bool { return o == t })
	})
}

// undrain forgets a draining target that is registered again. The caller holds the group's lock.
func (g *liveGroup) undrain(record targetRecord) {
	g.leaving = slices.DeleteFunc(g.leaving, func(t *liveTarget) bool {
		if !t.record.same(record) {
			return false
		}
		t.drained()
		return true
	})
}
