package rollout

import (
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// breachOfProof is how long health may be in breach while the gates of a proof
// judge; what is shorter than that is waited out.
const breachOfProof = 30 * time.Second

// Proof is what must hold before anything may depend on an environment.
type Proof struct {
	Router Router // of which only Health is called
	ID     string // of this proof, for gates and events

	Environment string
	// Sides are its groups. One that no route names is not checked by anybody:
	// its health is left to whoever attaches it, and gates are told of it.
	Sides []Side

	Gates []NamedGate // all are asked, whatever their terms say of when
	// Health is what each group in use must keep to. CapacityPercent and
	// BreachFor ask nothing here.
	Health HealthTerms

	// Tell receives every event, in order, from one goroutine. It must not block.
	Tell func(Event)
}

// Prove waits until every group in use has been healthy and steady, and then
// until every gate has passed. It returns what is worth telling, and a *Failure
// where this was not to be had in time, or ctx ended. It moves no traffic and
// leaves nothing behind.
func Prove(ctx context.Context, p Proof) (told []string, err error) {
	r, err := p.run()
	if err != nil {
		return nil, &Failure{Cause: RouterFailed, Left: Unmoved, Err: err}
	}
	defer r.awaitCalls()
	f := r.proveAll(ctx)
	r.tellForgiven()
	if f == nil {
		r.tell(Event{Kind: Ended, Text: "done"})
		return r.result.Told, nil
	}
	f.Left = Unmoved
	r.tell(Event{Kind: Ended, Text: string(f.Cause)})
	return r.result.Told, f
}

// run makes the part of a shift that comes before any traffic, so that there is
// one wait for both. Each group in use stands behind a route of its own that
// gives it nothing yet.
func (p Proof) run() (*run, error) {
	spec := Spec{Router: p.Router, ID: p.ID, Health: p.Health, Tell: p.Tell, Groups: map[string]map[string]string{p.Environment: {}}}
	spec.Health.CapacityPercent, spec.Health.BreachFor = 0, breachOfProof
	var found []Setting
	for _, side := range p.Sides {
		if len(side.Routes) == 0 {
			continue
		}
		spec.Routes = append(spec.Routes, Route{ID: side.Entry, Entry: side.Entry})
		spec.Groups[p.Environment][side.Entry] = side.Group
		found = append(found, Setting{Weights: map[string]int{side.Group: 0}})
	}
	for _, g := range p.Gates {
		g.When = shift.Before
		g.Gate = aside(g.Gate, p.Sides)
		spec.Gates = append(spec.Gates, g)
		spec.Request.Terms.Gates = append(spec.Request.Terms.Gates, g.GateTerms)
	}
	spec.Request.Environments = []shift.Environment{{Name: p.Environment}}
	spec.Request.Goal = shift.Sole(p.Environment)
	r := newRun(spec)
	r.found, r.now, r.dirty = found, found, make([]bool, len(found))
	var err error
	if r.schedule, err = spec.Decide(nil); err == nil && len(found) > 0 {
		r.schedule.Gaining = []string{p.Environment}
	}
	return r, err
}

func (r *run) proveAll(ctx context.Context) *Failure {
	whole := r.schedule.Goal
	if f := r.preflight(ctx); f != nil {
		return f
	}
	if len(r.found) > 0 {
		r.phase("health")
		if f := r.wait(ctx, stage{name: "health", part: shift.Before, ready: whole, steady: true}); f != nil {
			return f
		}
	}
	r.arm()
	gates := r.armedFor(shift.Before, shift.Step{})
	if len(gates) == 0 {
		return nil
	}
	r.phase("gates")
	st := stage{name: "the gates", part: shift.Before, gates: gates, needGates: true}
	if len(r.found) > 0 {
		st.watch = whole
	}
	return r.wait(ctx, st)
}

// asideGate tells a gate of the environment as a whole, groups that are not in
// use included, and of nobody who gives.
type asideGate struct {
	Gate
	sides []Side
}

// aside wraps a gate, and its Preflight where it has one.
func aside(g Gate, sides []Side) Gate {
	plain := asideGate{g, sides}
	if ahead, ok := g.(Preflight); ok {
		return asidePreflight{plain, ahead}
	}
	return plain
}

func (g asideGate) moment(m Moment) Moment {
	m.Receiving, m.Giving, m.Steps, m.From = g.sides, nil, 0, nil
	return m
}

// Judge implements Gate.
func (g asideGate) Judge(ctx context.Context, m Moment) Verdict {
	return g.Gate.Judge(ctx, g.moment(m))
}

type asidePreflight struct {
	asideGate
	ahead Preflight
}

// Preflight implements Preflight. Only that the gate could not do its work counts
// before a proof: what it watches may well be bad until the environment is healthy,
// and is judged then.
func (g asidePreflight) Preflight(ctx context.Context, m Moment) Verdict {
	v := g.ahead.Preflight(ctx, g.moment(m))
	if v.Answer == Fail {
		v.Answer = Inconclusive
	}
	return v
}
