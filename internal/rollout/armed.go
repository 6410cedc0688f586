package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// hangs is how much longer than its timeout a gate may take to come back
// before it counts as hung. A gate that keeps to its context needs none of it.
const hangs = time.Second

// armed is a gate in a shift, and what it has said so far.
type armed struct {
	NamedGate

	fails       int // in the whole shift
	errorsInRow int
	lastErr     error

	// Since the last change of weights:
	round          int // which change; answers to an older one do not count
	attempt        int
	running        bool
	next           time.Time
	passed         bool
	answered       bool
	undecidedSince time.Time // zero: the last answer was not inconclusive
	undecidedSaw   string
}

type gateAnswer struct {
	gate    *armed
	round   int
	verdict Verdict
}

// content: it stands in nobody's way. A dry run has been heard, that is all.
func (g *armed) content() bool {
	if g.DryRun {
		return g.answered
	}
	return g.passed && g.undecidedSince.IsZero()
}

// overdue: undecided for longer than the user grants.
func (g *armed) overdue(now time.Time) *Failure {
	if g.DryRun || g.undecidedSince.IsZero() || now.Before(g.undecidedSince.Add(g.InconclusiveTimeout)) {
		return nil
	}
	if g.OnInconclusive == Pass {
		g.passed, g.undecidedSince = true, time.Time{}
		return nil
	}
	return &Failure{Cause: GateInconclusive, Gate: g.Name, stops: g.OnInconclusive == Inconclusive,
		Saw: fmt.Sprintf("%s, undecided for %s", g.undecidedSaw, g.InconclusiveTimeout)}
}

// start asks in the background. The answer comes even from a gate that hangs
// or panics.
func (g *armed) start(ctx context.Context, m Moment, answers chan<- any, now time.Time) {
	g.running = true
	g.next = now.Add(g.Interval)
	go func(round int) {
		answer := gateAnswer{gate: g, round: round, verdict: judge(ctx, g.NamedGate, m)}
		select {
		case answers <- answer:
		case <-ctx.Done():
		}
	}(g.round)
}

// judge keeps a gate to its timeout.
func judge(ctx context.Context, g NamedGate, m Moment) Verdict {
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	answer := make(chan Verdict, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				answer <- Verdict{Answer: Errored, Err: fmt.Errorf("%w: %v", errPanicked, p)}
			}
		}()
		answer <- g.Gate.Judge(ctx, m)
	}()
	timer := time.NewTimer(g.Timeout + hangs)
	defer timer.Stop()
	select {
	case v := <-answer:
		return v
	case <-timer.C:
		return Verdict{Answer: Errored, Err: fmt.Errorf("no answer within %s: %w", g.Timeout, context.DeadlineExceeded)}
	}
}

// hearGate counts an answer and says when there have been too many.
func (r *run) hearGate(a gateAnswer, now time.Time) *Failure {
	g, v := a.gate, a.verdict
	if a.round != g.round {
		return nil // from before the last change of weights
	}
	g.running, g.answered = false, true
	r.tell(Event{Kind: Judged, Gate: g.Name, Answer: v.Answer, Text: join(v.Saw, errorText(v.Err))})
	if v.Answer != Inconclusive {
		g.undecidedSince = time.Time{}
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
			return &Failure{Cause: GateFailed, Gate: g.Name, Saw: v.Saw, Err: v.Err}
		}
	case Inconclusive:
		g.errorsInRow = 0
		g.undecidedSaw = v.Saw
		if g.undecidedSince.IsZero() {
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
		return &Failure{Cause: GateErrored, Gate: g.Name, Saw: v.Saw, Err: v.Err}
	}
	return nil
}

// arm makes all gates forget what they said: the weights have changed.
func (r *run) arm() {
	for _, g := range r.gates {
		g.round++
		g.attempt, g.running, g.passed, g.answered = 0, false, false, false
		g.undecidedSince = time.Time{}
		g.next = time.Now().Add(g.InitialDelay)
	}
}

// armOnce arms where nothing has yet: a shift that was found at its goal.
func (r *run) armOnce() {
	for _, g := range r.gates {
		if g.round > 0 {
			return
		}
	}
	r.arm()
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
	receiving, giving := shift.Sides(r.result.From, r.schedule.Goal)
	return Moment{
		Shift: r.spec.ID, From: r.result.From.String(), To: r.schedule.Goal.String(), Part: part,
		Step: r.step, Steps: len(r.spec.Request.Terms.Steps) + 1, Weights: r.mean(),
		StartedAt: r.startedAt, ChangedAt: r.changedAt, Attempt: g.attempt,
		Receiving: r.sides(receiving), Giving: r.sides(giving),
	}
}
