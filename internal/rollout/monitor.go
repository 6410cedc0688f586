package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// stage is one wait of a shift, and the conditions that end it.
type stage struct {
	name string // for Failure.Stage
	part shift.When
	hold time.Duration // the minimum duration

	gates     []*activeGate // evaluated during the stage; a failure ends it
	needGates bool          // each must have passed since the last weight change

	ready  shift.Weights // health must suffice for these weights; nil: not required
	steady bool          // ... and must have been steady for SteadyFor
	watch  shift.Weights // health is degraded if it does not suffice for these weights; nil: not watched
}

// monitor is a stage in progress: its timers, and what gates and health returned so far.
type monitor struct {
	run       *run
	stage     stage
	began     time.Time
	heldUntil time.Time
	answers   chan any // gateAnswer and healthAnswer

	healthRunning bool // a health read is in progress
	nextHealth    time.Time
	poll          time.Duration

	healthKnown  bool   // at least one health read returned
	readyNow     bool   // by the last health read
	readyDetail  string // why not; empty: ready
	steadySince  time.Time
	members      string    // the targets of the last health read, see membership
	breachSince  time.Time // zero: health is not degraded
	breachDetail string
	healthErrors int // consecutive
}

func (r *run) newMonitor(st stage) *monitor {
	now := time.Now()
	return &monitor{run: r, stage: st, began: now, heldUntil: now.Add(st.hold),
		poll: minPollInterval, readyDetail: "health was not read", answers: make(chan any)}
}

// wait runs a stage until its conditions are met, and returns a Failure if they cannot
// be. It is the only wait of a shift, so gates and health are monitored in every one.
func (r *run) wait(ctx context.Context, st stage) *Failure {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends calls that are still running
	defer func() { resetRunning(st.gates, time.Now()) }()
	m := r.newMonitor(st)
	for ctx.Err() == nil {
		// All conditions use the same now: what is due by now is handled here, and what
		// is due later sets the timer.
		now := time.Now()
		if f := m.overdue(now); f != nil {
			return m.atStage(f)
		}
		if m.passed(now) {
			return nil
		}
		m.startDue(ctx, now)
		if f := m.waitForAnswer(ctx, m.nextAfter(now)); f != nil {
			return m.atStage(f)
		}
	}
	return m.atStage(r.failureFrom(ctx, "", ctx.Err()))
}

// waitForAnswer waits for one answer of a gate or of health and handles it. It ignores
// answers after ctx has ended, which may be errors because of that.
func (m *monitor) waitForAnswer(ctx context.Context, until time.Time) *Failure {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case answer := <-m.answers:
		if ctx.Err() == nil {
			return m.handle(answer, time.Now())
		}
	}
	return nil
}

// atStage sets the stage of a Failure.
func (m *monitor) atStage(f *Failure) *Failure {
	f.Stage = m.stage.name
	return f
}

// passed reports whether the stage is complete: the hold is over, required gates have
// passed, none is inconclusive, and health is ready and not degraded.
func (m *monitor) passed(now time.Time) bool {
	if now.Before(m.heldUntil) || !m.breachSince.IsZero() {
		return false
	}
	if m.stage.ready != nil && !m.isReady(now) {
		return false
	}
	for _, g := range m.stage.gates {
		if g.inconclusive() || m.stage.needGates && !g.satisfied() {
			return false
		}
	}
	return true
}

func (m *monitor) isReady(now time.Time) bool {
	if !m.readyNow {
		return false
	}
	if !m.stage.steady {
		return true
	}
	return !m.steadySince.IsZero() && !now.Before(m.steadySince.Add(m.run.spec.Health.SteadyFor))
}

// overdue returns a Failure if a time limit is exceeded: of degraded health, of waiting
// for health, or of an inconclusive gate.
func (m *monitor) overdue(now time.Time) *Failure {
	health := m.run.spec.Health
	if !m.breachSince.IsZero() && !now.Before(m.breachSince.Add(health.BreachFor)) {
		return &Failure{Cause: HealthFailed,
			Detail: fmt.Sprintf("%s, for %s", m.breachDetail, formatElapsed(now.Sub(m.breachSince)))}
	}
	if m.stage.ready != nil && !m.isReady(now) && !now.Before(m.began.Add(health.Timeout)) {
		detail := m.readyDetail
		if detail == "" {
			detail = "healthy, but not steady for " + schedule.FormatDuration(health.SteadyFor)
		}
		return &Failure{Cause: NotHealthy, Detail: fmt.Sprintf("%s, after %s", detail, schedule.FormatDuration(health.Timeout))}
	}
	for _, g := range m.stage.gates {
		if f := g.overdue(now, m.heldUntil); f != nil {
			return f
		}
	}
	return nil
}

// startDue starts the calls of gates and health that are due.
func (m *monitor) startDue(ctx context.Context, now time.Time) {
	for _, g := range m.stage.gates {
		if !g.running && !now.Before(g.next) && !m.mayEndAtOnce(now) {
			g.start(ctx, m.run.gateInput(g, m.stage.part), m.answers, now)
		}
	}
	if m.healthDue() && !m.healthRunning && !now.Before(m.nextHealth) {
		m.healthRunning = true
		go readHealth(ctx, m.run.spec.Router, groupsOf(m.incoming()), m.answers)
	}
}

// mayEndAtOnce reports whether the first health read may complete the stage. Gates wait
// for it, up to firstAnswerWait, because the next step would cancel their calls.
func (m *monitor) mayEndAtOnce(now time.Time) bool {
	return m.stage.ready != nil && !m.healthKnown && now.Before(m.began.Add(firstAnswerWait))
}

// healthDue reports whether the stage needs health.
func (m *monitor) healthDue() bool {
	return len(m.run.schedule.Gaining) > 0 && (m.stage.ready != nil || m.stage.watch != nil)
}

// nextAfter returns the next time at which a condition changes without an answer. It must
// include every time that overdue, passed and startDue compare with now; they have
// handled those that are not after now.
func (m *monitor) nextAfter(now time.Time) time.Time {
	health := m.run.spec.Health
	next := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	sooner(m.heldUntil)
	if m.healthDue() && !m.healthRunning {
		sooner(m.nextHealth)
	}
	if m.stage.ready != nil {
		sooner(m.began.Add(health.Timeout))
		sooner(m.began.Add(firstAnswerWait))
	}
	if !m.steadySince.IsZero() {
		sooner(m.steadySince.Add(health.SteadyFor))
	}
	if !m.breachSince.IsZero() {
		sooner(m.breachSince.Add(health.BreachFor))
	}
	for _, g := range m.stage.gates {
		if !g.running {
			sooner(g.next)
		}
		if g.inconclusive() {
			sooner(g.inconclusiveDeadline(m.heldUntil))
		}
	}
	return next
}

// handle processes one answer.
func (m *monitor) handle(answer any, now time.Time) *Failure {
	switch a := answer.(type) {
	case gateAnswer:
		return m.run.handleVerdict(a, now)
	case healthAnswer:
		return m.handleHealth(a, now)
	}
	return nil
}
