package rollout

import (
	"context"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// preflight lets the gates speak that have something to say before anything is
// written. Where a split is found it is judged instead: to keep a shift from going
// on there would leave the split as it is. And whoever moves the rest of the
// traffic to the side that has most of it, as where a canary is made smaller, is
// not kept from it by an alarm that the canary has set off.
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
	r.phase("gates before anything is written")
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

// hasMostTraffic: whoever gains has more than half of the traffic on every route
// already.
func (r *run) hasMostTraffic() bool {
	for i := range r.observed {
		share, now := shift.Share(0), r.weights(i)
		for _, name := range r.schedule.Gaining {
			share += now[name]
		}
		if 2*share <= shift.Full {
			return false
		}
	}
	return len(r.observed) > 0
}

// preflightAll asks side by side, each under its own timeout and all within what the
// schedule grants for calls.
func (r *run) preflightAll(ctx context.Context, gates []*activeGate) []Verdict {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	type answer struct {
		of      int
		verdict Verdict
	}
	results := make(chan answer, len(gates))
	for i, g := range gates {
		input := r.gateInput(g, shift.Before)
		go func() {
			preflight, _ := g.Gate.(Preflight)
			results <- answer{i, g.call(ctx, func(ctx context.Context) Verdict { return preflight.Preflight(ctx, input) })}
		}()
	}
	verdicts := make([]Verdict, len(gates))
	for range gates {
		result := <-results
		verdicts[result.of] = result.verdict
	}
	return verdicts
}

// handlePreflight: only what speaks against beginning at all counts here.
func (r *run) handlePreflight(g *activeGate, v Verdict) *Failure {
	g.attempt = 0
	detail := joinText(v.Detail, errorText(v.Err))
	r.emit(Event{Kind: GateEvaluated, Gate: g.Name, Status: v.Status, Text: detail})
	if v.Status == Pass || v.Status == Inconclusive {
		return nil
	}
	if g.DryRun {
		r.warn(fmt.Sprintf("gate %s (not obeyed) would keep this from beginning: %s", g.Name, detail))
		return nil
	}
	return &Failure{Cause: BlockedByGate, Disposition: Unchanged, Gate: g.Name, Detail: v.Detail, Err: v.Err}
}
