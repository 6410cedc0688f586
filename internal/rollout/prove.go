package rollout

import (
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// proofBreach is how long degraded health is tolerated while the gates of a proof are
// evaluated.
const proofBreach = 30 * time.Second

// Proof is a readiness check of an environment: its health and gates.
type Proof struct {
	Router traffic.Router // only Health is called
	ID     string         // of this proof, for gates and events

	Environment string
	// Sides are its groups. A load balancer does not check a group without routes, so
	// its health is not required; gates get it like the others.
	Sides []traffic.Backend

	Gates []NamedGate // all are evaluated, whatever their When
	// Health is required of every group with routes. CapacityPercent and BreachFor are
	// ignored.
	Health HealthSettings

	// OnEvent receives every event, in order, from one goroutine. It must not block.
	OnEvent func(Event)
}

// Prove waits until every group with routes is healthy and steady, then until every gate
// passes. It returns warnings, and a *Failure if the environment did not become ready
// within the timeouts or ctx ended. It writes nothing.
func Prove(ctx context.Context, p Proof) (warnings []string, err error) {
	r, err := p.run()
	if err != nil {
		return nil, &Failure{Cause: RouterFailed, Disposition: Unchanged, Err: err}
	}
	defer r.awaitGateCalls()
	f := r.proveAll(ctx)
	r.warnTolerated()
	if f == nil {
		r.emit(Event{Kind: ShiftEnded, Text: "completed"})
		return r.result.Warnings, nil
	}
	f.Disposition = Unchanged
	r.emit(Event{Kind: ShiftEnded, Text: string(f.Cause)})
	return r.result.Warnings, f
}

// run returns a shift that has not moved traffic yet, so that Prove can use its waits.
// Each group with routes gets a route of its own, on which it is at weight 0.
func (p Proof) run() (*run, error) {
	spec := Spec{Router: p.Router, ID: p.ID, Health: p.Health, OnEvent: p.OnEvent}
	groups := map[string]string{}
	spec.Health.CapacityPercent, spec.Health.BreachFor = 0, proofBreach
	var observed []traffic.State
	for _, side := range p.Sides {
		if len(side.Routes) == 0 {
			continue
		}
		spec.Routes = append(spec.Routes, Route{ID: side.Entry, Entry: side.Entry})
		groups[side.Entry] = side.Group
		observed = append(observed, traffic.State{Weights: map[string]int{side.Group: 0}})
	}
	for _, g := range p.Gates {
		g.When = shift.Before
		g.Gate = readinessGates(g.Gate, p.Sides)
		spec.Gates = append(spec.Gates, g)
		spec.Request.Strategy.Gates = append(spec.Request.Strategy.Gates, g.GateSettings)
	}
	spec.Owners = traffic.NewOwners(map[string]map[string]string{p.Environment: groups}, nil, nil)
	spec.Request.Environments = []shift.Environment{{Name: p.Environment}}
	spec.Request.Desired = shift.Sole(p.Environment)
	r := newRun(spec)
	r.observed, r.current, r.dirty = observed, observed, make([]bool, len(observed))
	var err error
	if r.schedule, err = spec.Decide(nil); err == nil && len(observed) > 0 {
		r.schedule.Gaining = []string{p.Environment}
	}
	return r, err
}

func (r *run) proveAll(ctx context.Context) *Failure {
	full := r.schedule.Desired
	if f := r.preflight(ctx); f != nil {
		return f
	}
	if len(r.observed) > 0 {
		r.phase("health check")
		if f := r.wait(ctx, stage{name: "health check", part: shift.Before, ready: full, steady: true}); f != nil {
			return f
		}
	}
	r.resetGates()
	gates := r.gatesFor(shift.Before, shift.Step{})
	if len(gates) == 0 {
		return nil
	}
	r.phase("gates")
	st := stage{name: "gates", part: shift.Before, gates: gates, needGates: true}
	if len(r.observed) > 0 {
		st.watch = full
	}
	return r.wait(ctx, st)
}

// readinessGate replaces the input of a gate: all groups of the environment, with and
// without routes, and no live ones.
type readinessGate struct {
	Gate
	backends []traffic.Backend
}

// readinessGates wraps a gate, and its Preflight where it has one.
func readinessGates(g Gate, backends []traffic.Backend) Gate {
	plain := readinessGate{g, backends}
	if preflight, ok := g.(Preflight); ok {
		return readinessPreflight{plain, preflight}
	}
	return plain
}

func (g readinessGate) input(m GateInput) GateInput {
	m.Incoming, m.Live, m.Steps, m.From = g.backends, nil, 0, nil
	return m
}

// Evaluate implements Gate.
func (g readinessGate) Evaluate(ctx context.Context, m GateInput) Verdict {
	return g.Gate.Evaluate(ctx, g.input(m))
}

type readinessPreflight struct {
	readinessGate
	preflight Preflight
}

// Preflight implements Preflight. Only Errored blocks a proof: what the gate measures
// may be bad until the environment is healthy, and is evaluated then.
func (g readinessPreflight) Preflight(ctx context.Context, m GateInput) Verdict {
	v := g.preflight.Preflight(ctx, g.input(m))
	if v.Status == Fail {
		v.Status = Inconclusive
	}
	return v
}
