package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Guardian is a process that takes a shift over, with TakeOver, when the process of Run dies.
// Only the goroutine of Run calls its methods, and none but Process waits.
type Guardian interface {
	// Process waits until the guardian runs, and returns its process, or why it does not run.
	Process(ctx context.Context) (traffic.Process, error)
	// Hand sets what the guardian takes over if this process dies from now on.
	Hand(h Handover)
	// Release ends the guardian: there is nothing to take over any more. It returns why the
	// guardian had ended before, nil if it had not.
	Release() error
	// Aborted is closed when somebody asks the guardian to roll back at once.
	Aborted() <-chan struct{}
}

// ErrAborted is the cause of a context that ends because the shift shall be rolled back at
// once, whatever on_interrupt says.
var ErrAborted = errors.New("the shift was aborted")

// Handover is a shift as its successor finds it: what the routes have, and where they belong.
type Handover struct {
	Shift           string        `json:"shift"`
	Routes          []HandedRoute `json:"routes"`
	Record          *HandedRecord `json:"record,omitempty"` // nil: the shift has none
	RollbackTimeout time.Duration `json:"rollback_timeout"`
	Moved           bool          `json:"moved"` // other traffic weights were written to some route
	Reason          string        `json:"reason,omitempty"`
	// Stop leaves the traffic where it is: the shift has not failed, and that is what an
	// interrupt does.
	Stop bool `json:"stop,omitempty"`
}

// HandedRoute is a route of a Handover that exists.
type HandedRoute struct {
	ID    string `json:"id"`
	Entry string `json:"entry"`
	// Current is what it had when it was last read, Target where it belongs.
	Current traffic.State `json:"current"`
	Target  traffic.State `json:"target"`
	// Exact requires what is attached at weight 0 and the stickiness of Target as well.
	Exact bool `json:"exact,omitempty"`
	// Ours are the other states that this shift wrote, or replaced. Anything else is an
	// external change. They have no Raw.
	Ours []traffic.State `json:"ours,omitempty"`
	// Pending reports that a write was not read back, so that the state is not known, and the
	// write may still be carried out.
	Pending bool `json:"pending,omitempty"`
}

// HandedRecord is the record of a shift with what each of its routes has.
type HandedRecord struct {
	Record traffic.Record `json:"record"`
	Routes []string       `json:"routes"`
}

// handing is the part of a sequence that prepares a Guardian for the death of this process.
type handing struct{ *sequence }

// start starts the guardian, which takes nothing over yet.
func (h handing) start(ctx context.Context) {
	if h.spec.StartGuardian == nil || h.guardian != nil {
		return
	}
	h.guardian = h.spec.StartGuardian(context.WithoutCancel(ctx), h.spec.ID)
	h.fleet.handing = h.over
	aborted := h.guardian.Aborted()
	go func() {
		select {
		case <-aborted:
			h.abort(ErrAborted)
		case <-ctx.Done():
		}
	}()
}

// await waits until the guardian runs. Without one the shift goes on.
func (h handing) await(ctx context.Context) {
	if h.guardian == nil {
		return
	}
	if process, err := h.guardian.Process(ctx); err == nil {
		handedLease{h.lease}.guarded(process)
	} else {
		h.release() // with a warning
	}
}

// over hands the shift over as it is while the pending states are being written, by index.
func (h handing) over(pending map[int]traffic.State) {
	if h.guardian == nil {
		return
	}
	x := Handover{Shift: h.spec.ID, RollbackTimeout: h.spec.rollbackTimeout(), Record: handedLease{h.lease}.handed(),
		Moved: h.fleet.moved, Reason: h.reason, Stop: h.stops()}
	targets := h.targets()
	for _, i := range h.fleet.existing() {
		route := HandedRoute{ID: h.spec.Routes[i].ID, Entry: h.spec.Routes[i].Entry, Current: h.fleet.current[i], Target: targets[i],
			Exact: h.desired.joins(i) || h.spec.Request.Strategy.DetachIdle, Ours: h.fleet.written(i), Pending: h.fleet.dirty[i] || h.fleet.isUnsure(i)}
		if state, is := pending[i]; is {
			route.Pending = true
			route.Ours = append(route.Ours, withoutRaw(state))
			x.Moved = x.Moved || !state.EqualTraffic(h.fleet.current[i])
		}
		x.Routes = append(x.Routes, route)
	}
	h.guardian.Hand(x)
}

// stops reports whether an interrupt leaves the traffic where it is now.
func (h handing) stops() bool {
	return h.spec.StopOnInterrupt && !h.failed && !h.recovering && h.schedule.Kind != shift.Rollback && h.schedule.Kind != shift.Revert
}

// targets returns where each route belongs if this process dies now. A revert that has begun
// goes on, as after an interrupt: its rollback target is what the user leaves.
func (h handing) targets() []traffic.State {
	targets := slices.Clone(h.fleet.current)
	switch {
	case h.recovering:
		return h.desired.backTargets()
	case h.schedule.Kind == shift.Rollback && !h.failed:
		for i, state := range h.desired.stable() {
			targets[i] = state
		}
		return targets
	case h.schedule.Kind == shift.Revert && h.exposed && !h.failed:
		for i, state := range h.desired.step(shift.Full) {
			targets[i] = state
		}
		return targets
	}
	return h.desired.rollbackTargets(h.exposed)
}

// release ends the guardian.
func (h handing) release() {
	if h.guardian == nil {
		return
	}
	if err := h.guardian.Release(); err != nil {
		h.report.warn("The shift had no guardian, so nothing would have rolled the traffic back if this process had been killed: " + err.Error() + ".")
	}
	h.guardian, h.fleet.handing = nil, nil
}

// written returns the states that this run wrote to the i-th route, or replaced there.
func (l lastStates) written(i int) []traffic.State {
	var states []traffic.State
	for _, x := range l.replaced[i] {
		states = append(states, withoutRaw(x.state))
	}
	if l.asked[i] != nil {
		states = append(states, withoutRaw(*l.asked[i]))
	}
	return states
}

func withoutRaw(s traffic.State) traffic.State {
	s.Raw, s.Weights = nil, maps.Clone(s.Weights)
	return s
}

// handedLease is the part of a lease that lets another process continue.
type handedLease struct{ *lease }

// guarded notes the guardian of the shift.
func (l handedLease) guarded(by traffic.Process) { l.spec.Template.Owner.Guardian = by }

// handed returns the record for a successor; nil: there is none.
func (l handedLease) handed() *HandedRecord {
	if !l.isHeld() && l.marked != nil {
		return &HandedRecord{Record: *l.marked, Routes: l.routes}
	}
	if !l.isHeld() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return &HandedRecord{Record: l.record, Routes: l.routes}
}

// resume renews the lease of a record that is taken over, at once or only after renewInterval. The
// rollback does not wait for it.
func (l handedLease) resume(ctx context.Context, handed *HandedRecord, atOnce bool) {
	if handed == nil {
		return
	}
	l.record.Phase, l.renewed = traffic.PhaseRollingBack, time.Now()
	l.ending, l.done, l.wake = make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	if atOnce {
		l.wake <- struct{}{}
	}
	go renewing(l).keepRenewing(ctx)
}

// suspend ends the renewals, and waits for the one in progress.
func (l handedLease) suspend() {
	if l.isHeld() {
		close(l.ending)
		<-l.done
		l.ending = nil
	}
}
