package rollout

import (
	"context"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// preflight calls the gates that implement Preflight. It skips them for a current split,
// because blocking would leave the split in place, and where the gaining environments
// have most of the traffic: an alarm that a canary set off must not block the shift that
// makes the canary smaller.
func (r *run) preflight(ctx context.Context) *Failure {
	var gates []*activeGate
	for _, settings := range r.spec.Request.Strategy.Gates {
		if g := r.gates[settings.Name]; g != nil && !r.exposed && !r.hasMostTraffic() {
			if _, ok := g.Gate.(Preflight); ok {
				gates = append(gates, g)
			}
		}
	}
	if len(gates) == 0 {
		return nil
	}
	r.phase("preflight gates")
	verdicts := r.preflightAll(ctx, gates)
	if ctx.Err() != nil {
		f := r.failureFrom(ctx, "", ctx.Err())
		f.Disposition = Unchanged
		return f
	}
	var first *Failure
	for i, g := range gates {
		if f := r.handlePreflight(g, verdicts[i]); first == nil {
			first = f
		}
	}
	return first
}

// hasMostTraffic reports whether the gaining environments have more than half of the
// traffic on every route on which they gain.
func (r *run) hasMostTraffic() bool {
	for i := range r.observed {
		share, now, gaining := shift.Share(0), r.weights(i), r.schedule.GainingOn(i)
		for _, name := range gaining {
			share += now[name]
		}
		if len(gaining) > 0 && 2*share <= shift.Full {
			return false
		}
	}
	return len(r.schedule.Gaining) > 0
}

// preflightAll calls the gates concurrently, each with its own timeout, all within
// callTimeout. The verdicts are in the order of gates.
func (r *run) preflightAll(ctx context.Context, gates []*activeGate) []Verdict {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	type result struct {
		gate    int
		verdict Verdict
	}
	results := make(chan result, len(gates))
	for i, g := range gates {
		input := r.gateInput(g, shift.Before)
		go func() {
			preflight, _ := g.Gate.(Preflight)
			results <- result{i, g.call(ctx, func(ctx context.Context) Verdict { return preflight.Preflight(ctx, input) })}
		}()
	}
	verdicts := make([]Verdict, len(gates))
	for range gates {
		x := <-results
		verdicts[x.gate] = x.verdict
	}
	return verdicts
}

// handlePreflight returns a Failure if the verdict blocks the shift. Verdicts of
// preflight do not count against the limits of the gate.
func (r *run) handlePreflight(g *activeGate, v Verdict) *Failure {
	g.attempt = 0
	detail := joinText(v.Detail, errorText(v.Err))
	r.emit(Event{Kind: GateEvaluated, Gate: g.Name, Status: v.Status, Text: detail})
	if v.Status == Pass || v.Status == Inconclusive {
		return nil
	}
	if g.DryRun {
		r.warn(fmt.Sprintf("Gate %q (report-only) would block the start: %s", g.Name, detail))
		return nil
	}
	return &Failure{Cause: BlockedByGate, Disposition: Unchanged, Gate: g.Name, Detail: v.Detail, Err: v.Err}
}
