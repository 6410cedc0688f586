package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Successor is what takes a shift over.
type Successor struct {
	Router   traffic.Router   // with the retry budget of a rollback
	Recorder traffic.Recorder // nil only where the shift has no record
	Owner    traffic.Owner
	// OnEvent receives every event, in order, from one goroutine. It must not block. Nil: nobody
	// listens.
	OnEvent func(Event)

	// Of RollBack:
	Alive bool // the owner of the shift may run, and remove its record
	Force bool // also to targets that are not healthy
	Blind bool // what a pending write was to replace is not known
}

// The errors of TakeOver for a shift that is no longer the dead owner's.
var (
	ErrTakenOver       = errors.New("another apply has taken the routes over")
	ErrChanged         = errors.New("somebody else changed the traffic")
	ErrTargetUnhealthy = errors.New("there are no healthy targets to return to")
)

// renewalGap is added to the renewal counter of a record that is taken over: a write of the dead
// owner may be carried out late.
const renewalGap = 10

// lateWriteInterval is the pause between two looks for a write that is executed late.
const lateWriteInterval = 5 * time.Second

// takeover is a shift whose owner died.
type takeover struct {
	Handover
	fleet *fleet
	lease *lease
}

// TakeOver returns the traffic of a shift whose owner died to where it belongs, with one write
// per route, verifies it, and leaves the record for the next refresh. It writes nothing where a
// route has weights that the shift did not write. It returns within Handover.RollbackTimeout. UndoLate
// is for what may come after that.
func TakeOver(ctx context.Context, h Handover, by Successor) error {
	ctx, cancel := context.WithTimeout(ctx, h.RollbackTimeout)
	defer cancel()
	t := newTakeover(h, by)
	if h.Stop {
		return t.close(ctx, traffic.PhaseStopped)
	}
	targets, err := t.check(ctx)
	if err != nil {
		return err
	}
	handedLease{t.lease}.resume(ctx, h.Record, true)
	t.fleet.report.emit(Event{Kind: RollbackStarted, Text: "the owner of the shift died"})
	err = t.fleet.rollBack(ctx, t.remaining(targets), h.RollbackTimeout)
	if err == nil {
		err = t.fleet.inspect().checkAt(targets)
	}
	if err != nil {
		handedLease{t.lease}.suspend()
		return err
	}
	t.fleet.report.emit(Event{Kind: ShiftEnded, Text: string(RolledBack)})
	if h.Reason != "" {
		return t.close(ctx, traffic.PhaseRejected)
	}
	return t.close(ctx, traffic.PhaseRolledBack)
}

// UndoLate undoes writes of the dead owner that are executed after TakeOver rolled its shift back, for as long
// as one can come, where the router does not make them fail (traffic.Fencer). The shift has ended, so that the
// next apply need not wait. Its record, which the next refresh removes, distinguishes such a write from another
// shift: without the record, or beside that of another shift, nothing is written. It emits no events.
func UndoLate(ctx context.Context, h Handover, by Successor) {
	by.OnEvent = nil
	late := lateWrites{newTakeover(h, by), map[int]traffic.State{}}
	for i, r := range h.Routes {
		if r.Pending && (h.Moved || r.Exact) && !late.fleet.fence(i, r.Target) {
			late.targets[i] = r.Target
		}
	}
	if h.Record == nil || h.Stop || len(late.targets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lateWriteLimit)
	defer cancel()
	for sleep(ctx, lateWriteInterval) == nil {
		desired, isOurs := late.find(ctx)
		if !isOurs {
			return
		}
		if len(desired) > 0 {
			_ = late.fleet.rollBack(ctx, desired, h.RollbackTimeout) // the next look sees what it left
		}
	}
}

// lateWrites is the routes whose last write may be executed late, with their rollback targets.
type lateWrites struct {
	*takeover
	targets map[int]traffic.State
}

// find returns the rollback targets of those that have what the owner wrote. It returns false where
// somebody else decides about the routes. The routes are read before the records: another shift writes
// its record first.
func (t lateWrites) find(ctx context.Context) (desired map[int]traffic.State, isOurs bool) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := t.fleet.readExisting(limited, t.fleet.rollbackRouter, slices.Sorted(maps.Keys(t.targets)))
	if err != nil {
		return nil, true
	}
	desired = map[int]traffic.State{}
	for i, state := range found {
		target := t.targets[i]
		switch {
		case state.EqualTraffic(target):
		case !slices.ContainsFunc(t.Routes[i].Ours, state.EqualTraffic):
			return nil, false
		default:
			if target.Response == "" {
				target.Raw = state.Raw
			}
			desired[i] = target
		}
	}
	records, err := t.lease.read(limited)
	if err != nil {
		return nil, true
	}
	all := traffic.MergeRecords(records)
	return desired, len(all) == 1 && all[0].Shift == t.Record.Record.Shift && !all[0].IsOpen()
}

// Returned is what RollBack left.
type Returned struct {
	Routes []ReturnedRoute // in the order of Handover.Routes
	Moved  bool            // traffic was written
	// Unmarked is why the record does not say that somebody rolled the shift back, or not that this is
	// done; nil: it does, or there is none.
	Unmarked error
}

// ReturnedRoute is one route.
type ReturnedRoute struct {
	State   traffic.State // as last read
	Read    bool          // false: not read back after the last write
	Missing bool          // the service said that the route does not exist
}

// RollBack returns the traffic of routes to where the handover says, because somebody asks for it
// beside the process that runs the shift. It marks the record first, with which a running owner
// stops, then writes each route once and verifies it, as every rollback. Where the targets are not
// healthy, it changes nothing and returns ErrTargetUnhealthy. It returns within Handover.RollbackTimeout,
// and the time of a last read where the rollback did not complete.
func RollBack(asked context.Context, h Handover, by Successor) (Returned, error) {
	ctx, cancel := context.WithTimeout(asked, h.RollbackTimeout)
	defer cancel()
	t := newTakeover(h, by)
	targets := t.targets()
	if !by.Force {
		if detail := t.unhealthy(ctx, targets); detail != "" {
			return t.returned(nil), fmt.Errorf("%w: %s", ErrTargetUnhealthy, detail)
		}
	}
	unmarked := t.mark(ctx)
	handedLease{t.lease}.resume(ctx, h.Record, unmarked != nil)
	t.fleet.report.emit(Event{Kind: RollbackStarted, Text: h.Reason})
	err := t.fleet.rollBack(ctx, t.remaining(targets), h.RollbackTimeout)
	if err == nil {
		err = t.fleet.inspect().checkAt(targets)
	}
	handedLease{t.lease}.suspend()
	if err != nil {
		limited, cancel := context.WithTimeout(asked, checkTimeout)
		defer cancel()
		t.fleet.inspect().refreshDirty(limited)
		return t.returned(unmarked), err
	}
	t.fleet.report.emit(Event{Kind: ShiftEnded, Text: string(RolledBack)})
	return t.returned(t.conclude(ctx, by.Alive)), nil
}

// unhealthy returns why the targets cannot serve; empty: they can, or it is not known in time.
func (t *takeover) unhealthy(ctx context.Context, targets []traffic.State) string {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return t.fleet.inspect().unhealthyTarget(limited, targets)
}

// mark notes in the record that somebody rolls the shift back. The rollback goes on without it.
func (t *takeover) mark(ctx context.Context) error {
	if t.Record == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	t.lease.record.Phase = traffic.PhaseRollingBack
	return t.lease.put(limited, false)
}

// conclude notes in the record that the rollback is done. A running owner has removed its record
// when it has saved that, and then nothing is left to say.
func (t *takeover) conclude(ctx context.Context, alive bool) error {
	if t.Record == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordEndLimit)
	defer cancel()
	if alive {
		records, err := t.lease.read(limited)
		id := t.lease.record.Shift
		if err == nil && !slices.ContainsFunc(traffic.MergeRecords(records), func(x traffic.Left) bool { return x.Shift == id }) {
			return nil
		}
	}
	t.lease.record.Phase = traffic.PhaseRolledBack
	if t.Reason != "" {
		t.lease.record.Phase = traffic.PhaseRejected
	}
	for {
		err := t.lease.put(limited, false)
		if err == nil || isAnswer(err) && !errors.Is(err, traffic.ErrThrottled) {
			return err
		}
		if sleep(limited, minRollbackPause) != nil {
			return err
		}
	}
}

// returned returns what the routes have now.
func (t *takeover) returned(unmarked error) Returned {
	all := Returned{Moved: t.fleet.moved, Unmarked: unmarked}
	for i := range t.Routes {
		all.Routes = append(all.Routes, ReturnedRoute{State: t.fleet.current[i], Read: !t.fleet.dirty[i] && !t.fleet.missing[i], Missing: t.fleet.missing[i]})
	}
	return all
}

func newTakeover(h Handover, by Successor) *takeover {
	report := &reporter{onEvent: by.OnEvent}
	spec := Spec{Router: by.Router, RollbackRouter: by.Router, Record: RecordSpec{Recorder: by.Recorder, Off: h.Record == nil}}
	for _, r := range h.Routes {
		spec.Routes = append(spec.Routes, Route{Route: traffic.Route{ID: r.ID, Entry: r.Entry}})
	}
	t := &takeover{Handover: h, fleet: newFleet(spec, report), lease: newLease(spec, report)}
	t.fleet.moved, t.fleet.blind = h.Moved, by.Blind
	n := len(h.Routes)
	t.fleet.current, t.fleet.dirty = make([]traffic.State, n), make([]bool, n)
	t.fleet.replaced, t.fleet.asked = make([][]replacedState, n), make([]*traffic.State, n)
	for i, r := range h.Routes {
		t.fleet.current[i], t.fleet.dirty[i] = r.Current, r.Pending
		if r.Pending {
			t.fleet.unsure[i] = time.Now().Add(lateWriteLimit)
		}
		for _, state := range r.Ours { // long ago, so that no read is stale because of them
			t.fleet.replaced[i] = append(t.fleet.replaced[i], replacedState{state: state})
		}
	}
	if h.Record == nil {
		return t
	}
	t.lease.record = h.Record.Record
	t.lease.record.Owner, t.lease.record.Reason = by.Owner, h.Reason
	t.lease.record.Renewal += renewalGap
	return t
}

// check reads what the routes and their records have become, and returns where each route
// belongs. A check without an answer does not delay the rollback.
func (t *takeover) check(ctx context.Context) ([]traffic.State, error) {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	taken := make(chan bool, 1)
	go func() { taken <- t.isTaken(limited) }()
	changed := t.read(limited)
	switch {
	case <-taken:
		return nil, ErrTakenOver
	case changed:
		return nil, ErrChanged
	}
	targets := t.targets()
	if t.fleet.inspect().unhealthyTarget(limited, targets) != "" {
		return nil, ErrTargetUnhealthy
	}
	return targets, nil
}

// targets returns where each route belongs.
func (t *takeover) targets() []traffic.State {
	targets := make([]traffic.State, len(t.Routes))
	for i, r := range t.Routes {
		targets[i] = r.Target
		if targets[i].Response == "" {
			targets[i].Raw = t.fleet.current[i].Raw
		}
	}
	return targets
}

// isTaken reports whether the record of the shift has ended, or is gone and another shift has
// one: somebody else decides about the routes now.
func (t *takeover) isTaken(ctx context.Context) bool {
	if t.Record == nil {
		return false
	}
	records, err := t.lease.spec.Recorder.Records(ctx, t.lease.routes)
	if err != nil {
		return false
	}
	id := t.Record.Record.Shift // that of an earlier shift, if this one only rolls it back
	own, other := false, false
	for _, x := range traffic.MergeRecords(records) {
		switch {
		case x.Shift == id && !x.IsOpen():
			return true
		case x.Shift == id:
			own = true
		default:
			other = other || x.IsOpen() && x.Phase != traffic.PhaseCompleted
		}
	}
	return other && !own
}

// read reads the routes, and reports whether one has traffic that this shift did not give it.
func (t *takeover) read(ctx context.Context) (changed bool) {
	found, err := t.fleet.readExisting(ctx, t.fleet.router, indexesOf(t.fleet.routes))
	if err != nil {
		return false
	}
	for i, state := range found {
		r := t.Routes[i]
		ours := append([]traffic.State{r.Current, r.Target}, r.Ours...)
		if !slices.ContainsFunc(ours, state.EqualTraffic) {
			return true
		}
	}
	t.fleet.inspect().seeFresh(found)
	return false
}

// remaining returns the states to write. What the dead owner knew counts, not the read, which may
// be older than its last write; and a write of its own may still be carried out.
func (t *takeover) remaining(targets []traffic.State) map[int]traffic.State {
	states := map[int]traffic.State{}
	for _, i := range t.fleet.existing() {
		r := t.Routes[i]
		same := r.Current.EqualTraffic(targets[i])
		if r.Exact {
			same = r.Current.Equal(targets[i])
		}
		if !same || r.Pending && (t.Moved || r.Exact) {
			states[i] = targets[i]
		}
	}
	return states
}

// close writes the phase in which the record remains until a refresh has seen it.
func (t *takeover) close(ctx context.Context, phase traffic.Phase) error {
	if t.Record == nil {
		return nil
	}
	handedLease{t.lease}.suspend()
	t.lease.record.Phase = phase
	if !retry(ctx, func() error { return t.lease.put(ctx, false) }) {
		return errRecordNotWritten
	}
	return nil
}

var errRecordNotWritten = errors.New("the record of the shift could not be written")

// IsAbandoned reports whether the owner of a shift has ended. Where the owner cannot be asked, it
// watches the record for a lease, which takes minutes.
func IsAbandoned(ctx context.Context, spec RecordSpec, routes []string, x traffic.Left) (bool, error) {
	abandoned, f := otherLeases{&lease{spec: spec, routes: routes, report: &reporter{}}}.isAbandoned(ctx, x, leaseDuration)
	if f != nil {
		return false, f
	}
	return abandoned, nil
}
