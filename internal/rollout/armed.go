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

// hangs is how much longer than its timeout a gate may take to come back
// before it counts as hung. A gate that keeps to its context needs none of it.
const hangs = time.Second

// leastInterval keeps a gate without an interval from being asked in a circle.
const leastInterval = 100 * time.Millisecond

var (
	errPanicked = errors.New("the gate panicked")
	errBusy     = errors.New("the gate has not come back from the call before")
	errHung     = errors.New("the gate did not come back at its timeout")
)

// armed is a gate in a shift, and what it has said so far.
type armed struct {
	NamedGate
	// calling holds one token while the gate is being called, so that a gate
	// that never comes back is called once and not again.
	calling chan struct{}

	fails       int      // in the whole shift
	forgiven    []string // what was tolerated, to be told
	errorsInRow int

	// In the present stage:
	running bool
	next    time.Time // not before then is it asked

	// Since the last change of weights:
	attempt        int
	passed         bool
	answered       bool
	waived         bool      // undecided for so long that it counts as passed
	undecidedSince time.Time // zero: the last answer was not inconclusive
	undecidedSaw   string
}

type gateAnswer struct {
	gate    *armed
	verdict Verdict
}

// undecided: its last word that counts was that it cannot be told yet.
func (g *armed) undecided() bool { return !g.DryRun && !g.undecidedSince.IsZero() }

// content: it stands in nobody's way. A dry run has been heard, that is all.
func (g *armed) content() bool {
	if g.DryRun {
		return g.answered
	}
	return g.passed && !g.undecided()
}

// decideBy is when a gate that is undecided must have decided: what the user
// grants counts from the end of the hold, since until then nobody waits for it.
func (g *armed) decideBy(heldUntil time.Time) time.Time {
	from := g.undecidedSince
	if heldUntil.After(from) {
		from = heldUntil
	}
	return from.Add(g.InconclusiveTimeout)
}

// overdue: undecided for longer than the user grants.
func (g *armed) overdue(now, heldUntil time.Time) *Failure {
	if !g.undecided() || now.Before(g.decideBy(heldUntil)) {
		return nil
	}
	saw := fmt.Sprintf("%s; undecided for %s (inconclusive_timeout is %s)", strings.TrimSuffix(g.undecidedSaw, "."),
		lasting(now.Sub(g.undecidedSince)), shift.Words(g.InconclusiveTimeout))
	if g.OnInconclusive == Pass {
		g.passed, g.waived, g.undecidedSince = true, true, time.Time{}
		g.forgiven = append(g.forgiven, fmt.Sprintf("gate %s counts as passed, as on_inconclusive_timeout says: %s", g.Name, saw))
		return nil
	}
	return &Failure{Cause: GateInconclusive, Gate: g.Name, stops: g.OnInconclusive == Inconclusive, Saw: saw}
}

// lasting words how long something has lasted, no finer than it matters.
func lasting(d time.Duration) string {
	if d < 10*time.Second {
		return shift.Words(d.Round(time.Millisecond))
	}
	return shift.Words(d.Round(time.Second))
}

// start asks in the background. The answer comes even from a gate that hangs
// or panics, unless ctx ends: then nobody waits for it.
func (g *armed) start(ctx context.Context, m Moment, answers chan<- any, now time.Time) {
	g.running = true
	g.next = now.Add(max(g.Interval, leastInterval))
	go func() {
		judge := func(ctx context.Context) Verdict { return g.Gate.Judge(ctx, m) }
		answer := gateAnswer{gate: g, verdict: g.judge(ctx, judge)}
		select {
		case answers <- answer:
		case <-ctx.Done():
		}
	}()
}

// judge keeps a call of a gate to its timeout, and to one at a time.
func (g *armed) judge(ctx context.Context, ask func(context.Context) Verdict) Verdict {
	limit := time.NewTimer(g.Timeout + hangs)
	defer limit.Stop()
	select {
	case g.calling <- struct{}{}:
	case <-ctx.Done():
		return Verdict{Answer: Errored, Err: ctx.Err()}
	case <-limit.C:
		return Verdict{Answer: Errored, Err: errBusy}
	}
	limit.Reset(g.Timeout + hangs)
	asked, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	answer := make(chan Verdict, 1)
	go func() {
		defer func() { <-g.calling }()
		answer <- answered(asked, ask)
	}()
	select {
	case v := <-answer:
		return v
	case <-ctx.Done():
		return Verdict{Answer: Errored, Err: ctx.Err()}
	case <-limit.C:
		return Verdict{Answer: Errored, Err: fmt.Errorf("%w of %s", errHung, shift.Words(g.Timeout))}
	}
}

// answered turns a panic into an error: the traffic must not stay split for it.
func answered(ctx context.Context, ask func(context.Context) Verdict) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = Verdict{Answer: Errored, Err: fmt.Errorf("%w: %v", errPanicked, p)}
		}
	}()
	return ask(ctx)
}

// hearGate counts an answer and says when there have been too many.
func (r *run) hearGate(a gateAnswer, now time.Time) *Failure {
	g, v := a.gate, a.verdict
	g.running, g.answered = false, true
	r.tell(Event{Kind: Judged, Gate: g.Name, Answer: v.Answer, Text: join(v.Saw, errorText(v.Err))})
	if v.Answer == Pass || v.Answer == Fail { // whoever could not measure has not decided
		g.undecidedSince, g.waived = time.Time{}, false
	}
	if g.DryRun {
		if v.Answer != Pass {
			r.note(fmt.Sprintf("gate %s (not obeyed) says %s: %s", g.Name, v.Answer, join(v.Saw, errorText(v.Err))))
		}
		return nil
	}
	return g.count(v, now)
}

func (g *armed) count(v Verdict, now time.Time) *Failure {
	switch v.Answer {
	case Pass:
		g.passed, g.errorsInRow = true, 0
	case Fail:
		g.fails++
		g.errorsInRow = 0
		if g.fails > g.FailureLimit {
			return &Failure{Cause: GateFailed, Gate: g.Name, Saw: counted(v.Saw, g.fails, g.FailureLimit, "fails"), Err: v.Err}
		}
		g.forgiven = append(g.forgiven, fmt.Sprintf("gate %s failed and was tolerated: %s", g.Name, counted(v.Saw, g.fails, g.FailureLimit, "fails")))
	case Inconclusive:
		g.errorsInRow = 0
		g.undecidedSaw = v.Saw
		if g.undecidedSince.IsZero() && !g.waived {
			g.undecidedSince = now
		}
	case Errored:
		return g.countError(v)
	default: // a gate that says nothing has not measured
		return g.countError(v)
	}
	return nil
}

func (g *armed) countError(v Verdict) *Failure {
	g.errorsInRow++
	if g.errorsInRow > g.ErrorLimit {
		return &Failure{Cause: GateErrored, Gate: g.Name, Saw: counted(v.Saw, g.errorsInRow, g.ErrorLimit, "times in a row"), Err: v.Err}
	}
	return nil
}

// counted adds how often something has come, where more than none was granted.
func counted(saw string, n, limit int, what string) string {
	if limit == 0 {
		return saw
	}
	text := fmt.Sprintf("%d %s, %d tolerated", n, what, limit)
	if saw == "" {
		return text
	}
	return fmt.Sprintf("%s (%s)", strings.TrimSuffix(saw, "."), text)
}

// tellForgiven tells at the end what was tolerated.
func (r *run) tellForgiven() {
	for _, terms := range r.spec.Request.Terms.Gates {
		if g := r.gates[terms.Name]; g != nil {
			for _, text := range g.forgiven {
				r.note(text)
			}
		}
	}
}

// arm makes all gates forget what they said: the weights have changed.
func (r *run) arm() {
	r.armedYet = true
	for _, g := range r.gates {
		g.attempt, g.passed, g.answered, g.waived = 0, false, false, false
		g.undecidedSince = time.Time{}
		g.next = time.Now().Add(g.InitialDelay)
	}
}

// armOnce arms where nothing has yet: a shift that was found at its goal.
func (r *run) armOnce() {
	if !r.armedYet {
		r.arm()
	}
}

// awaitCalls gives gates that are still being called a moment to end what they
// have begun, such as a program: when Run has returned, the whole process may
// end. It is the last thing that is done, so that no way back waits for it.
func (r *run) awaitCalls() {
	limit := time.NewTimer(hangs)
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

// release lets go of gates that are still being asked when a stage ends. Their
// answers come to nobody, so they are asked again as soon as the next begins.
func release(gates []*armed, now time.Time) {
	for _, g := range gates {
		if g.running {
			g.running, g.next = false, now
		}
	}
}

// armedFor picks the gates that watch a part of the shift.
func (r *run) armedFor(part shift.When, step shift.Step) []*armed {
	var gates []*armed
	for _, terms := range r.spec.Request.Terms.Armed(part, step) {
		if g := r.gates[terms.Name]; g != nil {
			gates = append(gates, g)
		}
	}
	return gates
}

// moment tells a gate where the shift stands.
func (r *run) moment(g *armed, part shift.When) Moment {
	g.attempt++
	from := r.schedule.From()
	giving := slices.DeleteFunc(from.Of(), func(name string) bool { return slices.Contains(r.schedule.Gaining, name) })
	return Moment{
		Shift: r.spec.ID, Gate: g.Name, From: from, To: r.schedule.Goal, Part: part,
		Step: r.step, Steps: len(r.steps()) + 1, Weights: r.mean(),
		StartedAt: r.startedAt, ChangedAt: r.changedAt, Attempt: g.attempt,
		Receiving: r.sides(r.schedule.Gaining), Giving: r.sides(giving),
	}
}
