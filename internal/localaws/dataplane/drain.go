package dataplane

import (
	"context"
	"slices"
)

// drain takes a deregistered target out of service. The target gets no new requests, in-flight requests finish,
// and it is reported as draining for the whole deregistration delay, even when idle, as with AWS. A target that
// was not in use is removed immediately. The caller holds the group's lock.
func (g *liveGroup) drain(t *liveTarget) {
	t.stopCheck()
	delay := g.config.DeregistrationDelay
	if t.state == stateUnused || delay == 0 {
		g.cutDrained(t)
		return
	}
	t.state, t.reason, t.description = stateDraining, "Target.DeregistrationInProgress", "Target deregistration is in progress"
	ctx, cancel := context.WithCancel(g.plane.ctx)
	t.stopDrain = cancel
	g.draining = append(g.draining, t)
	g.plane.tasks.Go(func() {
		defer cancel()
		if sleep(ctx, delay) != nil {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.draining = slices.DeleteFunc(g.draining, func(o *liveTarget) bool { return o == t })
		g.cutDrained(t)
	})
}

// cutDrained ends the connections to a target that is no longer registered, if the group says so. The caller holds the
// group's lock.
func (g *liveGroup) cutDrained(t *liveTarget) {
	if g.config.CutDrained {
		t.flows.cut()
	}
}

// cancelDrain removes a draining target that is registered again. The caller holds the group's lock.
func (g *liveGroup) cancelDrain(registered Target) {
	g.draining = slices.DeleteFunc(g.draining, func(t *liveTarget) bool {
		if !t.record.Same(registered) {
			return false
		}
		t.stopDrain()
		return true
	})
}
