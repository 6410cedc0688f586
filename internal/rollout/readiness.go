package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// readinessBreach is how long degraded health is tolerated while the gates of a readiness
// check are evaluated.
const readinessBreach = 30 * time.Second

// Readiness is a readiness check of an environment: its health and gates.
type Readiness struct {
	Router traffic.Router // only Health is called
	Limits traffic.Limits // of Router
	ID     string         // of this check, for gates and events

	Environment string
	// Backends are its groups. With Limits.AttachesIdle the health of a group without
	// routes is not known, so it is not required; gates get it like the others.
	Backends []traffic.Backend

	Gates []NamedGate // all are evaluated, whatever their When
	// Health is required of every group whose health is known. CapacityPercent and
	// BreachFor are ignored.
	Health HealthSettings

	// OnEvent receives every event, in order, from one goroutine. It must not block.
	OnEvent func(Event)
}

// CheckReadiness waits until every group with routes is healthy and steady, then until
// every gate passes. It returns warnings, and a *Failure if the environment did not become
// ready within the timeouts or ctx ended. It writes nothing.
func CheckReadiness(ctx context.Context, r Readiness) (warnings []string, err error) {
	report := &reporter{onEvent: r.OnEvent}
	m := r.monitor(report)
	defer m.awaitGateCalls()
	f := r.check(ctx, m)
	m.warnTolerated(m.gates)
	if f == nil {
		report.emit(Event{Kind: ShiftEnded, Text: "completed"})
		return report.warnings, nil
	}
	f.Disposition = Unchanged
	report.emit(Event{Kind: ShiftEnded, Text: string(f.Cause), Failure: f})
	return report.warnings, f
}

// monitor returns the monitor of the check. The input of its gates is that of a shift to
// the environment from nothing, before its first step.
func (r Readiness) monitor(report *reporter) *monitor {
	health := r.Health
	health.CapacityPercent, health.BreachFor = 0, readinessBreach
	var gates []NamedGate
	for _, g := range r.Gates {
		g.Gate = readinessGate(g.Gate)
		gates = append(gates, g)
	}
	m := newMonitor(r.Router, health, gates, report)
	m.position = func() GateInput {
		return GateInput{Shift: r.ID, To: shift.Sole(r.Environment), Incoming: r.Backends}
	}
	return m
}

func (r Readiness) check(ctx context.Context, m *monitor) *Failure {
	if f := m.preflight(ctx, m.gates); f != nil {
		return f
	}
	groups := r.checkedGroups()
	if groups != nil {
		m.report.phase("health check")
		if f := m.wait(ctx, stage{name: "health check", part: shift.Before, ready: groups, steady: true}); f != nil {
			return f
		}
	}
	if len(m.gates) == 0 {
		return nil
	}
	m.resetGates()
	m.report.phase("gates")
	longest := time.Duration(0)
	for _, g := range m.gates {
		longest = max(longest, g.Longest())
	}
	return m.wait(ctx, stage{name: "gates", part: shift.Before, gates: m.gates, limit: longest, watch: groups})
}

// checkedGroups returns the groups whose health is required: those that the router checks.
func (r Readiness) checkedGroups() []incoming {
	var groups []incoming
	for _, b := range r.Backends {
		checked := len(b.Routes) > 0 || !r.Limits.AttachesIdle
		if checked && !slices.ContainsFunc(groups, func(x incoming) bool { return x.group == b.Group }) {
			groups = append(groups, incoming{environment: r.Environment, entry: b.Entry, group: b.Group, share: shift.Full})
		}
	}
	return groups
}

// readinessGate returns a gate whose preflight blocks a readiness check only if it errors:
// what the gate measures may be bad until the environment is healthy, and is evaluated
// then. The same is true of a server that cannot be reached: it may be a part of the new
// environment.
func readinessGate(g Gate) Gate {
	if preflight, ok := g.(Preflight); ok {
		return readinessPreflight{g, preflight}
	}
	return g
}

type readinessPreflight struct {
	Gate
	preflight Preflight
}

// Preflight implements Preflight.
func (g readinessPreflight) Preflight(ctx context.Context, input GateInput) Verdict {
	v := g.preflight.Preflight(ctx, input)
	if v.Status == Fail || v.Status == Errored && errors.Is(v.Err, ErrUnreachable) {
		v.Status, v.Err = Inconclusive, nil
	}
	return v
}
