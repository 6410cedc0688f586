package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// callGrace is how long after its timeout a gate may return before it counts as hung.
// A gate that returns when its context ends needs none of it.
const callGrace = time.Second

// minInterval limits how often a gate without an interval is evaluated.
const minInterval = 100 * time.Millisecond

var (
	errPanicked = errors.New("the gate panicked")
	errBusy     = errors.New("the previous call of the gate has not returned")
	errHung     = errors.New("the gate did not return within its timeout")
)

// activeGate is a gate with its results in this shift.
type activeGate struct {
	NamedGate
	// calling holds one token during a call, so that calls never overlap and a gate
	// that hangs is called only once.
	calling chan struct{}

	failures    int      // in the whole shift
	tolerated   []string // warnings about tolerated failures and timeouts
	errorsInRow int

	// In the current stage:
	running bool
	next    time.Time // earliest start of the next call

	// Since the last weight change:
	attempt            int
	passed             bool
	answered           bool
	waived             bool      // counts as passed after InconclusiveTimeout
	inconclusiveSince  time.Time // zero: the last verdict was not inconclusive
	inconclusiveDetail string
}

type gateAnswer struct {
	gate    *activeGate
	verdict Verdict
}

// inconclusive reports whether the gate has been inconclusive since its last pass or
// failure. It is always false for a report-only gate.
func (g *activeGate) inconclusive() bool { return !g.DryRun && !g.inconclusiveSince.IsZero() }

// satisfied reports whether the stage may end: the gate has passed or, if report-only,
// was evaluated.
func (g *activeGate) satisfied() bool {
	if g.DryRun {
		return g.answered
	}
	return g.passed && !g.inconclusive()
}

// inconclusiveDeadline returns when an inconclusive gate times out. InconclusiveTimeout
// counts from the end of the hold, because the shift does not wait for the gate before.
func (g *activeGate) inconclusiveDeadline(heldUntil time.Time) time.Time {
	from := g.inconclusiveSince
	if heldUntil.After(from) {
		from = heldUntil
	}
	return from.Add(g.InconclusiveTimeout)
}

// overdue returns the Failure of a gate that stayed inconclusive until its deadline, or
// waives it, depending on OnInconclusive.
func (g *activeGate) overdue(now, heldUntil time.Time) *Failure {
	if !g.inconclusive() || now.Before(g.inconclusiveDeadline(heldUntil)) {
		return nil
	}
	detail := fmt.Sprintf("%s; inconclusive for %s (inconclusive_timeout = %q)", strings.TrimSuffix(g.inconclusiveDetail, "."),
		formatElapsed(now.Sub(g.inconclusiveSince)), schedule.FormatDuration(g.InconclusiveTimeout))
	if g.OnInconclusive == Pass {
		g.passed, g.waived, g.inconclusiveSince = true, true, time.Time{}
		g.tolerated = append(g.tolerated, fmt.Sprintf("Gate %q counts as passed (on_inconclusive_timeout = %q): %s", g.Name, Pass, detail))
		return nil
	}
	return &Failure{Cause: GateInconclusive, Gate: g.Name, stops: g.OnInconclusive == Inconclusive, Detail: detail}
}

// formatElapsed formats a duration, rounded to seconds from 10s and to milliseconds
// below.
func formatElapsed(d time.Duration) string {
	if d < 10*time.Second {
		return schedule.FormatDuration(d.Round(time.Millisecond))
	}
	return schedule.FormatDuration(d.Round(time.Second))
}

// start calls the gate in the background and sends its gateAnswer, also if the gate hangs
// or panics. When ctx ends, the result is dropped.
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

// call calls the gate and returns when it does, when its timeout and callGrace are over,
// or when ctx ends. If a previous call is still running, it first waits for that.
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
		return Verdict{Status: Errored, Err: fmt.Errorf("%w of %s", errHung, schedule.FormatDuration(g.Timeout))}
	}
}

// callSafely converts a panic to an error: it must not end the shift with split traffic.
func callSafely(ctx context.Context, evaluate func(context.Context) Verdict) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = Verdict{Status: Errored, Err: fmt.Errorf("%w: %v", errPanicked, p)}
		}
	}()
	return evaluate(ctx)
}

// handleVerdict counts a verdict and returns a Failure if the gate exceeded a limit.
func (r *run) handleVerdict(a gateAnswer, now time.Time) *Failure {
	g, v := a.gate, a.verdict
	g.running, g.answered = false, true
	r.emit(Event{Kind: GateEvaluated, Gate: g.Name, Status: v.Status, Text: joinText(v.Detail, errorText(v.Err))})
	if v.Status == Pass || v.Status == Fail { // an error does not end an inconclusive period
		g.inconclusiveSince, g.waived = time.Time{}, false
	}
	if g.DryRun {
		if v.Status != Pass {
			r.warn(fmt.Sprintf("Gate %q (report-only) returned %s: %s", g.Name, v.Status, joinText(v.Detail, errorText(v.Err))))
		}
		return nil
	}
	return g.count(v, now)
}

// count applies a verdict to the limits of the gate.
func (g *activeGate) count(v Verdict, now time.Time) *Failure {
	switch v.Status {
	case Pass:
		g.passed, g.errorsInRow = true, 0
	case Fail:
		g.failures++
		g.errorsInRow = 0
		if g.failures > g.FailureLimit {
			return &Failure{Cause: GateFailed, Gate: g.Name, Detail: withCount(v.Detail, g.failures, g.FailureLimit, failuresText), Err: v.Err}
		}
		g.tolerated = append(g.tolerated, fmt.Sprintf("Gate %q failed within its limit: %s", g.Name, withCount(v.Detail, g.failures, g.FailureLimit, failuresText)))
	case Inconclusive:
		g.errorsInRow = 0
		g.inconclusiveDetail = v.Detail
		if g.inconclusiveSince.IsZero() && !g.waived {
			g.inconclusiveSince = now
		}
	case Errored:
		return g.countError(v)
	default: // an unknown status
		return g.countError(v)
	}
	return nil
}

func (g *activeGate) countError(v Verdict) *Failure {
	g.errorsInRow++
	if g.errorsInRow > g.ErrorLimit {
		return &Failure{Cause: GateErrored, Gate: g.Name, Detail: withCount(v.Detail, g.errorsInRow, g.ErrorLimit, errorsText), Err: v.Err}
	}
	return nil
}

const (
	failuresText = "failure %d, failure_limit = %d"
	errorsText   = "consecutive error %d, consecutive_error_limit = %d"
)

// withCount adds a count and its limit to the detail if the limit is not 0.
func withCount(detail string, n, limit int, format string) string {
	if limit == 0 {
		return detail
	}
	text := fmt.Sprintf(format, n, limit)
	if detail == "" {
		return text
	}
	return fmt.Sprintf("%s (%s)", strings.TrimSuffix(detail, "."), text)
}

// warnTolerated adds warnings about what was tolerated to the result.
func (r *run) warnTolerated() {
	for _, settings := range r.spec.Request.Strategy.Gates {
		if g := r.gates[settings.Name]; g != nil {
			for _, text := range g.tolerated {
				r.warn(text)
			}
		}
	}
}

// resetGates discards the verdicts of all gates after a weight change and starts their
// initial delay. The counts of failures and consecutive errors continue.
func (r *run) resetGates() {
	r.gatesReset = true
	for _, g := range r.gates {
		g.attempt, g.passed, g.answered, g.waived = 0, false, false, false
		g.inconclusiveSince = time.Time{}
		g.next = time.Now().Add(g.InitialDelay)
	}
}

// resetGatesOnce resets the gates of a shift that starts with the bake.
func (r *run) resetGatesOnce() {
	if !r.gatesReset {
		r.resetGates()
	}
}

// awaitGateCalls waits up to callGrace for calls that are still running, so that a gate
// can end what it started, such as a program: the process may exit when Run returns. It
// runs last, so that no rollback waits for it.
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

// resetRunning marks the calls that are still running when a stage ends as finished.
// Their results are dropped, so the next stage calls these gates immediately.
func resetRunning(gates []*activeGate, now time.Time) {
	for _, g := range gates {
		if g.running {
			g.running, g.next = false, now
		}
	}
}

// gatesFor returns the gates that are evaluated in a part of the shift.
func (r *run) gatesFor(part shift.When, step shift.Step) []*activeGate {
	var gates []*activeGate
	for _, settings := range r.spec.Request.Strategy.GatesFor(part, step) {
		if g := r.gates[settings.Name]; g != nil {
			gates = append(gates, g)
		}
	}
	return gates
}

// gateInput returns the input for the next evaluation of a gate, and counts it.
func (r *run) gateInput(g *activeGate, part shift.When) GateInput {
	g.attempt++
	return GateInput{
		Shift: r.spec.ID, Gate: g.Name, From: r.schedule.From(), To: r.schedule.Desired, Part: part,
		Step: r.step, Steps: len(r.steps()) + 1, Weights: r.mean(),
		StartedAt: r.startedAt, ChangedAt: r.changedAt, Attempt: g.attempt,
		Incoming: r.incomingBackends(), Live: r.liveBackends(),
	}
}
