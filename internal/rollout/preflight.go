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
	var asked []*armed
	for _, terms := range r.spec.Request.Terms.Gates {
		if g := r.gates[terms.Name]; g != nil && !r.exposed && !r.mostlyThere() {
			if _, ok := g.Gate.(Preflight); ok {
				asked = append(asked, g)
			}
		}
	}
	if len(asked) == 0 {
		return nil
	}
	r.phase("gates before anything is written")
	verdicts := r.askAll(ctx, asked)
	if ctx.Err() != nil {
		f := r.broke(ctx, "", ctx.Err())
		f.Left = Unmoved
		return f
	}
	var first *Failure
	for i, g := range asked {
		if f := r.hearPreflight(g, verdicts[i]); first == nil {
			first = f
		}
	}
	return first
}

// mostlyThere: whoever gains has more than half of the traffic on every route
// already.
func (r *run) mostlyThere() bool {
	for i := range r.found {
		share, now := shift.Share(0), r.weights(i)
		for _, name := range r.schedule.Gaining {
			share += now[name]
		}
		if 2*share <= shift.Whole {
			return false
		}
	}
	return len(r.found) > 0
}

// askAll asks side by side, each under its own timeout and all within what the
// schedule grants for calls.
func (r *run) askAll(ctx context.Context, gates []*armed) []Verdict {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	type answer struct {
		of      int
		verdict Verdict
	}
	answers := make(chan answer, len(gates))
	for i, g := range gates {
		m := r.moment(g, shift.Before)
		go func() {
			ahead, _ := g.Gate.(Preflight)
			answers <- answer{i, g.judge(ctx, func(ctx context.Context) Verdict { return ahead.Preflight(ctx, m) })}
		}()
	}
	verdicts := make([]Verdict, len(gates))
	for range gates {
		a := <-answers
		verdicts[a.of] = a.verdict
	}
	return verdicts
}

// hearPreflight: only what speaks against beginning at all counts here.
func (r *run) hearPreflight(g *armed, v Verdict) *Failure {
	g.attempt = 0
	saw := join(v.Saw, errorText(v.Err))
	r.tell(Event{Kind: Judged, Gate: g.Name, Answer: v.Answer, Text: saw})
	if v.Answer == Pass || v.Answer == Inconclusive {
		return nil
	}
	if g.DryRun {
		r.note(fmt.Sprintf("gate %s (not obeyed) would keep this from beginning: %s", g.Name, saw))
		return nil
	}
	return &Failure{Cause: NotBegun, Left: Unmoved, Gate: g.Name, Saw: v.Saw, Err: v.Err}
}
