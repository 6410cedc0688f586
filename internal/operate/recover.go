package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	cannotRecover = "Cannot recover"
	guardedPoll   = time.Second // between two looks at a shift whose guardian returns the traffic
)

// RecoverOptions are the arguments of a recovery.
type RecoverOptions struct {
	Force   bool // also to targets that are not healthy
	Timeout time.Duration
}

// Recover rolls an abandoned shift back. It rejects its version only where the record says why, and
// does nothing where no shift is abandoned. Where the routes have no place for a record, it does nothing if the
// traffic is where the state has it, and returns ErrNoRecord otherwise.
func (o *Operator) Recover(ctx context.Context, options RecoverOptions) (Result, error) {
	limited, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	if text := o.unrecorded(); text != "" {
		return o.recoverUnrecorded(limited, text)
	}
	s, problem := o.read(limited, cannotRecover)
	if problem != nil {
		return Result{}, problem
	}
	if s.unread != nil {
		return Result{}, o.callProblem(limited, cannotRecover, s.unread)
	}
	x, detail, problem := recoverable(s)
	if problem != nil || x == nil {
		return o.nothing(s, detail, problem)
	}
	if s, *x, problem = o.complete(limited, s, *x, cannotRecover); problem != nil {
		return Result{}, problem
	}
	if s, problem = o.awaitAbandoned(limited, s, x); problem != nil {
		return Result{}, problem
	}
	if !x.IsOpen() {
		return o.nothing(s, fmt.Sprintf("Nothing to recover: the shift %s has ended meanwhile: %s.", x.Shift, phaseText(x.Phase)), nil)
	}
	p := &Plan{operator: o, options: RollbackOptions{Force: options.Force, Timeout: options.Timeout}, shift: x, states: s.states, summary: cannotRecover, reason: x.Reason}
	if p.targets, problem = p.resolve(); problem != nil {
		return Result{}, problem
	}
	if problem := p.checkOurs(); problem != nil {
		return Result{}, problem
	}
	o.progress("%s", p.Text())
	return p.Run(limited)
}

// recoverUnrecorded is Recover where the routes have no place for a record: only the state says where the
// traffic belongs. It moves none, because a shift that is still running may have moved it.
func (o *Operator) recoverUnrecorded(ctx context.Context, text string) (Result, error) {
	if len(o.Target.Saved) == 0 {
		return Result{}, o.needsRecord(cannotRecover, "so it is not known whether a shift was abandoned, and where the traffic was before it",
			"Apply the configuration: the apply continues the shift or rolls it back. To move the traffic without Terraform, use bluegreen rollback with --to.")
	}
	s, problem := o.read(ctx, cannotRecover)
	if problem != nil {
		return Result{}, problem
	}
	if o.Target.isSaved(s.states) {
		return o.nothing(s, fmt.Sprintf("Nothing to recover: the traffic is where the state has it. %s.", text), nil)
	}
	stable := o.Target.Saved[0]
	to := "--to and the name of an environment"
	if name, sole := stable.Sole(); sole {
		to = "--to " + name
	}
	problem = o.needsRecord(cannotRecover, fmt.Sprintf("and the traffic is not where the state has it (%s): a shift is in progress or was abandoned, or somebody moved the traffic", stable),
		"If an apply is running, wait until it ends. Otherwise apply the configuration: the apply continues the shift or rolls it back. To move the traffic without Terraform, use bluegreen rollback with -f, --switch "+o.Target.Switch+" and "+to+".")
	problem.Traffic = o.Target.where(s.states) + " " + unchanged
	return Result{}, problem
}

// NoSwitch is a recovery whose state has no switch: a step of CI that always runs must not fail
// after a destroy, or where the first apply has failed early.
func NoSwitch() Result {
	return Result{Outcome: Nothing, Detail: "Nothing to recover: the state has no switch. If a shift may have been abandoned before its switch was saved, name a route with --route."}
}

// nothing is a recovery that has nothing to do.
func (o *Operator) nothing(s seen, detail string, problem *Problem) (Result, error) {
	if problem != nil {
		return Result{}, problem
	}
	r := Result{Outcome: Nothing, Detail: detail, Traffic: o.Target.where(s.states)}
	for i, state := range s.states {
		r.Routes = append(r.Routes, o.routeStatus(i, state, nil))
	}
	return r, nil
}

// recoverable returns the shift that may be abandoned; nil: why there is none.
func recoverable(s seen) (x *traffic.Left, detail string, problem *Problem) {
	open := s.open()
	switch {
	case len(s.shifts) == 0:
		return nil, "Nothing to recover: the routes have no record of a shift.", nil
	case len(open) == 0:
		x := s.shifts[len(s.shifts)-1]
		return nil, fmt.Sprintf("Nothing to recover: the shift %s has ended: %s.", x.Shift, phaseText(x.Phase)), nil
	case len(open) > 1:
		return nil, "", refuse(cannotRecover, fmt.Sprintf("The routes have records of several shifts: %s; %s.", describe(open[0]), describe(open[1])), "Name the routes of one switch.")
	case open[0].Phase == traffic.PhaseCompleted:
		return nil, fmt.Sprintf("Nothing to recover: the shift %s has completed.", open[0].Shift), nil
	case open[0].Phase == traffic.PhaseStopped:
		return nil, fmt.Sprintf("Nothing to recover: the shift %s was stopped, as on_interrupt = \"stop\" says. The next apply continues it, and bluegreen rollback rolls it back.", open[0].Shift), nil
	}
	return &open[0], "", nil
}

// awaitAbandoned waits until it is known whether the owner of a shift has ended. It updates x. A
// guardian that returns the traffic is waited for.
func (o *Operator) awaitAbandoned(ctx context.Context, s seen, x *traffic.Left) (seen, *Problem) {
	for first := true; o.Guarded(x.Owner); first = false {
		if first {
			o.progress("The guardian of the shift %s is returning the traffic.", x.Shift)
		}
		select {
		case <-ctx.Done():
			return s, o.running(s, *x)
		case <-time.After(guardedPoll):
		}
		var problem *Problem
		if s, problem = o.read(ctx, cannotRecover); problem != nil {
			return s, problem
		}
		if !find(s, x) || !x.IsOpen() {
			x.Phase = traffic.PhaseRolledBack
			return s, nil
		}
	}
	spec := rollout.RecordSpec{Recorder: o.Recorder, Abandoned: o.Abandoned}
	if _, known := o.Abandoned(x.Owner); !known && !o.isAbandoned(*x) {
		o.progress("Watching the lease of %s for 3m: its process cannot be asked from here.", describe(*x))
	}
	abandoned, err := rollout.IsAbandoned(ctx, spec, o.Target.ids(), *x)
	switch {
	case err != nil && ctx.Err() == nil:
		return s, o.callProblem(ctx, cannotRecover, err)
	case err != nil || !abandoned:
		return s, o.running(s, *x)
	}
	again, problem := o.read(ctx, cannotRecover) // the watch takes minutes
	if problem == nil && !find(again, x) {
		x.Phase = traffic.PhaseRolledBack
	}
	return again, problem
}

// find updates a shift with what was read. It returns false where it has no record any more.
func find(s seen, x *traffic.Left) bool {
	for _, y := range s.shifts {
		if y.Shift == x.Shift {
			*x = y
			return true
		}
	}
	return s.unread != nil
}

// running is about a shift whose owner has not ended, or is not known to have.
func (o *Operator) running(s seen, x traffic.Left) *Problem {
	return &Problem{Exit: Running, Summary: "The shift is still running", Traffic: o.Target.where(s.states) + " " + unchanged,
		Cause: sentence("the owner of " + describe(x) + ", is running, or is not known to have ended"), Action: "Wait until it ends. To end it now, use bluegreen rollback."}
}

// checkOurs refuses to touch traffic that the shift did not leave: somebody has moved it since.
func (p *Plan) checkOurs() *Problem {
	for i, s := range p.states {
		id := p.operator.Target.Routes[i].ID
		now := traffic.KeyedShares(s)
		if s.Response != "" || !shift.Weights(now).IsBetween(p.shift.From[id], p.shift.To[id]) {
			return p.refuse(fmt.Sprintf("The traffic of %s is not where the shift %s left it: somebody has moved it since.", label(id, s), p.shift.Shift), "To move it to where the shift started all the same, use bluegreen rollback.")
		}
	}
	return nil
}
