package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// stage is a wait: for how long, under which gates, and what health must be.
type stage struct {
	name string
	part shift.When
	hold time.Duration

	gates     []*activeGate // asked and obeyed while it lasts
	needGates bool          // each must have passed since the last change of weights

	ready  shift.Weights // health must allow this share before it ends
	steady bool          // ... and have been steady
	watch  shift.Weights // health is in breach where it no longer carries this
}

// monitor is one stage under way.
type monitor struct {
	run       *run
	stage     stage
	began     time.Time
	heldUntil time.Time
	answers   chan any // of gates (gateAnswer) and of health (healthAnswer)

	healthRunning bool      // health is being asked
	nextHealth    time.Time // when to ask again
	poll          time.Duration

	healthKnown  bool
	readyNow     bool
	readyDetail  string
	steadySince  time.Time
	members      string
	breachSince  time.Time // zero: none
	breachDetail string
	healthErrors int
}

func (r *run) newMonitor(st stage) *monitor {
	now := time.Now()
	return &monitor{run: r, stage: st, began: now, heldUntil: now.Add(st.hold),
		poll: minPollInterval, readyDetail: "nothing is known of its health", answers: make(chan any)}
}

// wait holds until the stage is passed, and returns why it cannot be. It is
// the only wait of a shift: gates and health stay armed in all of them.
func (r *run) wait(ctx context.Context, st stage) *Failure {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends whatever is still being asked
	defer func() { resetRunning(st.gates, time.Now()) }()
	m := r.newMonitor(st)
	for ctx.Err() == nil {
		// One moment for all that is looked at: what is due by then is done here,
		// and what is not sets the timer, so that nothing falls in between.
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

// waitForAnswer waits for one answer until then. What comes in after ctx has ended
// speaks of that end, not of the release.
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

func (m *monitor) atStage(f *Failure) *Failure {
	f.Stage = m.stage.name
	return f
}

// passed: the hold is over, every gate that must has passed and none is
// undecided, health is there and not in breach.
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

// overdue: health that was waited for too long, a breach that has lasted, a
// gate that stays undecided.
func (m *monitor) overdue(now time.Time) *Failure {
	health := m.run.spec.Health
	if !m.breachSince.IsZero() && !now.Before(m.breachSince.Add(health.BreachFor)) {
		return &Failure{Cause: HealthFailed,
			Detail: fmt.Sprintf("%s, for %s", m.breachDetail, formatElapsed(now.Sub(m.breachSince)))}
	}
	if m.stage.ready != nil && !m.isReady(now) && !now.Before(m.began.Add(health.Timeout)) {
		detail := m.readyDetail
		if detail == "" {
			detail = "healthy, but not steady for " + shift.FormatDuration(health.SteadyFor)
		}
		return &Failure{Cause: NotHealthy, Detail: fmt.Sprintf("%s, after %s", detail, shift.FormatDuration(health.Timeout))}
	}
	for _, g := range m.stage.gates {
		if f := g.overdue(now, m.heldUntil); f != nil {
			return f
		}
	}
	return nil
}

// startDue starts whatever is due; the answers come through the channel.
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

// mayEndAtOnce: nothing but health is waited for, and it may be there with its
// first answer. A gate that is asked now would be cut short by the next step.
func (m *monitor) mayEndAtOnce(now time.Time) bool {
	return m.stage.ready != nil && !m.healthKnown && now.Before(m.began.Add(firstAnswerWait))
}

func (m *monitor) healthDue() bool {
	return len(m.run.schedule.Gaining) > 0 && (m.stage.ready != nil || m.stage.watch != nil)
}

// nextAfter is when something happens without an answer coming in. Everything
// that overdue, passed and ask look at has its moment here; what is not after
// now they have dealt with.
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

// handle takes one answer in.
func (m *monitor) handle(answer any, now time.Time) *Failure {
	switch a := answer.(type) {
	case gateAnswer:
		return m.run.handleVerdict(a, now)
	case healthAnswer:
		return m.handleHealth(a, now)
	}
	return nil
}
