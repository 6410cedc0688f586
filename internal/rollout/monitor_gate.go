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
	gateState
	// calling holds one token during a call, so that calls never overlap and a gate
	// that hangs is called only once.
	calling chan struct{}

	attempt     int      // evaluations since the last weight change
	count       int      // evaluations in the whole shift
	failures    int      // in the whole shift
	errorsInRow int      // consecutive
	tolerated   []string // warnings about tolerated failures and timeouts
}

type gateAnswer struct {
	gate    *activeGate
	verdict Verdict
	took    time.Duration
}

// waive makes the gate count as passed, with a warning for each wait.
func (g *activeGate) waive(warning string) {
	known := g.standing && g.waivedOnce
	if g.gateState.waive(); known {
		return
	}
	g.tolerated = append(g.tolerated, fmt.Sprintf("Gate %q counts as passed (on_inconclusive_timeout = %q): %s", g.Name, Pass, warning))
}

// start calls the gate in the background and sends its gateAnswer, also if the gate hangs
// or panics. When ctx ends, the result is dropped.
func (g *activeGate) start(ctx context.Context, input GateInput, answers chan<- any, now time.Time) {
	g.running = true
	g.next = now.Add(max(g.Interval, minInterval))
	go func() {
		evaluate := func(ctx context.Context) Verdict { return g.Gate.Evaluate(ctx, input) }
		answer := gateAnswer{gate: g, verdict: g.call(ctx, evaluate), took: time.Since(now)}
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

// endCalls marks the calls that are still running when a stage ends as finished. Their
// results are dropped, so the next stage calls these gates immediately.
func endCalls(gates []*activeGate, now time.Time) {
	for _, g := range gates {
		if g.running {
			g.running, g.next = false, now
		}
	}
}

// handleVerdict counts a verdict and returns a Failure if the gate exceeded a limit.
func (m *monitor) handleVerdict(a gateAnswer, now time.Time) *Failure {
	g, v := a.gate, a.verdict
	g.running, g.latest, g.standing = false, v.Status, v.Standing
	if after := now.Add(min(v.RetryAfter, MaxRetryAfter)); after.After(g.next) {
		g.next = after
	}
	m.advise(g, v)
	m.report.evaluated(a)
	if v.Status == Pass || v.Status == Fail { // an error does not end an inconclusive period
		g.inconclusiveSince, g.waived, g.waivedOnce = time.Time{}, false, false
	}
	if g.DryRun {
		if v.Status != Pass {
			m.report.warn(fmt.Sprintf("Gate %q (report-only) returned %s: %s", g.Name, v.Status, joinText(v.Detail, errorText(v.Err))))
		}
		return nil
	}
	return g.apply(v, now)
}

// advise reports what is wrong with the gate although it decides nothing.
func (m *monitor) advise(g *activeGate, v Verdict) {
	if v.Advice != "" {
		m.report.warn(fmt.Sprintf("Gate %q: %s", g.Name, v.Advice))
	}
}

// apply applies a verdict to the limits of the gate.
func (g *activeGate) apply(v Verdict, now time.Time) *Failure {
	switch v.Status {
	case Pass:
		g.errorsInRow = 0
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
	if v.Final {
		return &Failure{Cause: GateErrored, Gate: g.Name, Detail: v.Detail, Err: v.Err}
	}
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

// preflight calls those of the gates that implement Preflight and returns a Failure for
// the first one that blocks the start. All are called, so that the events show every
// reason.
func (m *monitor) preflight(ctx context.Context, gates []*activeGate) *Failure {
	var called []*activeGate
	for _, g := range gates {
		if _, ok := g.Gate.(Preflight); ok {
			called = append(called, g)
		}
	}
	if len(called) == 0 {
		return nil
	}
	m.report.phase("preflight gates")
	answers := m.preflightAll(ctx, called)
	if ctx.Err() != nil {
		return failureOf(ctx, "", ctx.Err())
	}
	var first *Failure
	for _, a := range answers {
		if f := m.handlePreflight(a); first == nil {
			first = f
		}
	}
	return first
}

// preflightAll calls the gates concurrently, each with its own timeout, all within
// callTimeout. The answers are in the order of gates.
func (m *monitor) preflightAll(ctx context.Context, gates []*activeGate) []gateAnswer {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	start := time.Now()
	type result struct {
		gate   int
		answer gateAnswer
	}
	results := make(chan result, len(gates))
	for i, g := range gates {
		input := m.input(g, shift.Before)
		go func() {
			preflight, _ := g.Gate.(Preflight)
			verdict := g.call(ctx, func(ctx context.Context) Verdict { return preflight.Preflight(ctx, input) })
			results <- result{i, gateAnswer{gate: g, verdict: verdict, took: time.Since(start)}}
		}()
	}
	answers := make([]gateAnswer, len(gates))
	for range gates {
		x := <-results
		answers[x.gate] = x.answer
	}
	return answers
}

// handlePreflight returns a Failure if the verdict blocks the shift. Verdicts of
// preflight do not count against the limits of the gate.
func (m *monitor) handlePreflight(a gateAnswer) *Failure {
	g, v := a.gate, a.verdict
	g.attempt, g.count = 0, 0
	m.advise(g, v)
	detail := joinText(v.Detail, errorText(v.Err))
	m.report.evaluated(a)
	if v.Status == Pass || v.Status == Inconclusive {
		return nil
	}
	if g.DryRun {
		m.report.warn(fmt.Sprintf("Gate %q (report-only) would block the start: %s", g.Name, detail))
		return nil
	}
	return &Failure{Cause: BlockedByGate, Gate: g.Name, Detail: v.Detail, Err: v.Err}
}
