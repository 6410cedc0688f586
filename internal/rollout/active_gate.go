package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// callGrace is how much longer than its timeout a gate may take to come back
// before it counts as hung. A gate that keeps to its context needs none of it.
const callGrace = time.Second

// minInterval keeps a gate without an interval from being asked in a circle.
const minInterval = 100 * time.Millisecond

var (
	errPanicked = errors.New("the gate panicked")
	errBusy     = errors.New("the gate has not come back from the call before")
	errHung     = errors.New("the gate did not come back at its timeout")
)

// activeGate is a gate in a shift, and what it has said so far.
type activeGate struct {
	NamedGate
	// calling holds one token while the gate is being called, so that a gate
	// that never comes back is called once and not again.
	calling chan struct{}

	failures    int      // in the whole shift
	tolerated   []string // what was tolerated, to be told
	errorsInRow int

	// In the present stage:
	running bool
	next    time.Time // not before then is it asked

	// Since the last change of weights:
	attempt            int
	passed             bool
	answered           bool
	waived             bool      // undecided for so long that it counts as passed
	inconclusiveSince  time.Time // zero: the last answer was not inconclusive
	inconclusiveDetail string
}

type gateAnswer struct {
	gate    *activeGate
	verdict Verdict
}

// inconclusive: its last word that counts was that it cannot be told yet.
func (g *activeGate) inconclusive() bool { return !g.DryRun && !g.inconclusiveSince.IsZero() }

// satisfied: it stands in nobody's way. A dry run has been heard, that is all.
func (g *activeGate) satisfied() bool {
	if g.DryRun {
		return g.answered
	}
	return g.passed && !g.inconclusive()
}

// inconclusiveDeadline is when a gate that is undecided must have decided: what the user
// grants counts from the end of the hold, since until then nobody waits for it.
func (g *activeGate) inconclusiveDeadline(heldUntil time.Time) time.Time {
	from := g.inconclusiveSince
	if heldUntil.After(from) {
		from = heldUntil
	}
	return from.Add(g.InconclusiveTimeout)
}

// overdue: undecided for longer than the user grants.
func (g *activeGate) overdue(now, heldUntil time.Time) *Failure {
	if !g.inconclusive() || now.Before(g.inconclusiveDeadline(heldUntil)) {
		return nil
	}
	detail := fmt.Sprintf("%s; undecided for %s (inconclusive_timeout is %s)", strings.TrimSuffix(g.inconclusiveDetail, "."),
		formatElapsed(now.Sub(g.inconclusiveSince)), shift.FormatDuration(g.InconclusiveTimeout))
	if g.OnInconclusive == Pass {
		g.passed, g.waived, g.inconclusiveSince = true, true, time.Time{}
		g.tolerated = append(g.tolerated, fmt.Sprintf("gate %s counts as passed, as on_inconclusive_timeout says: %s", g.Name, detail))
		return nil
	}
	return &Failure{Cause: GateInconclusive, Gate: g.Name, stops: g.OnInconclusive == Inconclusive, Detail: detail}
}

// formatElapsed words how long something has lasted, no finer than it matters.
func formatElapsed(d time.Duration) string {
	if d < 10*time.Second {
		return shift.FormatDuration(d.Round(time.Millisecond))
	}
	return shift.FormatDuration(d.Round(time.Second))
}

// start asks in the background. The answer comes even from a gate that hangs
// or panics, unless ctx ends: then nobody waits for it.
func (g *activeGate) start(ctx context.Context, input GateInput, answers chan<- any, now time.Time) {
	g.running = true
	g.next = now.Add(max(g.Interval, minInterval))
	go func() {
		evaluate := func(ctx context.Context) Verdict { return g.Gate.Evaluate(ctx, input) }
		answer := gateAnswer{gate: g, verdict: g.call(ctx, evaluate)}
		select {
		case answers <- answer:
		case <-ctx.Done():
		}
	}()
}

// call keeps a call of a gate to its timeout, and to one at a time.
func (g *activeGate) call(ctx context.Context, evaluate func(context.Context) Verdict) Verdict {
	limit := time.NewTimer(g.Timeout + callGrace)
	defer limit.Stop()
	select {
	case g.calling <- struct{}{}:
	case <-ctx.Done():
		return Verdict{Status: Errored, Err: ctx.Err()}
	case <-limit.C:
		return Verdict{Status: Errored, Err: errBusy}
	}
	limit.Reset(g.Timeout + callGrace)
	callCtx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	answer := make(chan Verdict, 1)
	go func() {
		defer func() { <-g.calling }()
		answer <- callSafely(callCtx, evaluate)
	}()
	select {
	case v := <-answer:
		return v
	case <-ctx.Done():
		return Verdict{Status: Errored, Err: ctx.Err()}
	case <-limit.C:
		return Verdict{Status: Errored, Err: fmt.Errorf("%w of %s", errHung, shift.FormatDuration(g.Timeout))}
	}
}

// callSafely turns a panic into an error: the traffic must not stay split for it.
func callSafely(ctx context.Context, evaluate func(context.Context) Verdict) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = Verdict{Status: Errored, Err: fmt.Errorf("%w: %v", errPanicked, p)}
		}
	}()
	return evaluate(ctx)
}

// handleVerdict counts an answer and says when there have been too many.
func (r *run) handleVerdict(a gateAnswer, now time.Time) *Failure {
	g, v := a.gate, a.verdict
	g.running, g.answered = false, true
	r.emit(Event{Kind: GateEvaluated, Gate: g.Name, Status: v.Status, Text: joinText(v.Detail, errorText(v.Err))})
	if v.Status == Pass || v.Status == Fail { // whoever could not measure has not decided
		g.inconclusiveSince, g.waived = time.Time{}, false
	}
	if g.DryRun {
		if v.Status != Pass {
			r.warn(fmt.Sprintf("gate %s (not obeyed) says %s: %s", g.Name, v.Status, joinText(v.Detail, errorText(v.Err))))
		}
		return nil
	}
	return g.count(v, now)
}

func (g *activeGate) count(v Verdict, now time.Time) *Failure {
	switch v.Status {
	case Pass:
		g.passed, g.errorsInRow = true, 0
	case Fail:
		g.failures++
		g.errorsInRow = 0
		if g.failures > g.FailureLimit {
			return &Failure{Cause: GateFailed, Gate: g.Name, Detail: withCount(v.Detail, g.failures, g.FailureLimit, "fails"), Err: v.Err}
		}
		g.tolerated = append(g.tolerated, fmt.Sprintf("gate %s failed and was tolerated: %s", g.Name, withCount(v.Detail, g.failures, g.FailureLimit, "fails")))
	case Inconclusive:
		g.errorsInRow = 0
		g.inconclusiveDetail = v.Detail
		if g.inconclusiveSince.IsZero() && !g.waived {
			g.inconclusiveSince = now
		}
	case Errored:
		return g.countError(v)
	default: // a gate that says nothing has not measured
		return g.countError(v)
	}
	return nil
}

func (g *activeGate) countError(v Verdict) *Failure {
	g.errorsInRow++
	if g.errorsInRow > g.ErrorLimit {
		return &Failure{Cause: GateErrored, Gate: g.Name, Detail: withCount(v.Detail, g.errorsInRow, g.ErrorLimit, "times in a row"), Err: v.Err}
	}
	return nil
}

// withCount adds how often something has come, where more than none was granted.
func withCount(detail string, n, limit int, what string) string {
	if limit == 0 {
		return detail
	}
	text := fmt.Sprintf("%d %s, %d tolerated", n, what, limit)
	if detail == "" {
		return text
	}
	return fmt.Sprintf("%s (%s)", strings.TrimSuffix(detail, "."), text)
}

// warnTolerated tells at the end what was tolerated.
func (r *run) warnTolerated() {
	for _, settings := range r.spec.Request.Strategy.Gates {
		if g := r.gates[settings.Name]; g != nil {
			for _, text := range g.tolerated {
				r.warn(text)
			}
		}
	}
}

// resetGates makes all gates forget what they said: the weights have changed.
func (r *run) resetGates() {
	r.gatesReset = true
	for _, g := range r.gates {
		g.attempt, g.passed, g.answered, g.waived = 0, false, false, false
		g.inconclusiveSince = time.Time{}
		g.next = time.Now().Add(g.InitialDelay)
	}
}

// resetGatesOnce arms where nothing has yet: a shift that was found at its goal.
func (r *run) resetGatesOnce() {
	if !r.gatesReset {
		r.resetGates()
	}
}

// awaitGateCalls gives gates that are still being called a moment to end what they
// have begun, such as a program: when Run has returned, the whole process may
// end. It is the last thing that is done, so that no way back waits for it.
func (r *run) awaitGateCalls() {
	limit := time.NewTimer(callGrace)
	defer limit.Stop()
	for _, g := range r.gates {
		select {
		case g.calling <- struct{}{}:
			<-g.calling
		case <-limit.C:
			return
		}
	}
}

// resetRunning lets go of gates that are still being asked when a stage ends. Their
// answers come to nobody, so they are asked again as soon as the next begins.
func resetRunning(gates []*activeGate, now time.Time) {
	for _, g := range gates {
		if g.running {
			g.running, g.next = false, now
		}
	}
}

// gatesFor picks the gates that watch a part of the shift.
func (r *run) gatesFor(part shift.When, step shift.Step) []*activeGate {
	var gates []*activeGate
	for _, settings := range r.spec.Request.Strategy.GatesFor(part, step) {
		if g := r.gates[settings.Name]; g != nil {
			gates = append(gates, g)
		}
	}
	return gates
}

// gateInput tells a gate where the shift stands.
func (r *run) gateInput(g *activeGate, part shift.When) GateInput {
	g.attempt++
	from := r.schedule.From()
	live := slices.DeleteFunc(from.Names(), func(name string) bool { return slices.Contains(r.schedule.Gaining, name) })
	return GateInput{
		Shift: r.spec.ID, Gate: g.Name, From: from, To: r.schedule.Desired, Part: part,
		Step: r.step, Steps: len(r.steps()) + 1, Weights: r.mean(),
		StartedAt: r.startedAt, ChangedAt: r.changedAt, Attempt: g.attempt,
		Incoming: r.backends(r.schedule.Gaining), Live: r.backends(live),
	}
}
