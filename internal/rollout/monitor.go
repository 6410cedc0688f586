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
	defer func() { abandonCalls(st.gates, time.Now()) }()
	v := r.newMonitor(st)
	for ctx.Err() == nil {
		// One moment for all that is looked at: what is due by then is done here,
		// and what is not sets the timer, so that nothing falls in between.
		now := time.Now()
		if f := v.overdue(now); f != nil {
			return v.atStage(f)
		}
		if v.passed(now) {
			return nil
		}
		v.ask(ctx, now)
		if f := v.waitForAnswer(ctx, v.nextAfter(now)); f != nil {
			return v.atStage(f)
		}
	}
	return v.atStage(r.failureFrom(ctx, "", ctx.Err()))
}

// waitForAnswer waits for one answer until then. What comes in after ctx has ended
// speaks of that end, not of the release.
func (v *monitor) waitForAnswer(ctx context.Context, until time.Time) *Failure {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case answer := <-v.answers:
		if ctx.Err() == nil {
			return v.handle(answer, time.Now())
		}
	}
	return nil
}

func (v *monitor) atStage(f *Failure) *Failure {
	f.Stage = v.stage.name
	return f
}

// passed: the hold is over, every gate that must has passed and none is
// undecided, health is there and not in breach.
func (v *monitor) passed(now time.Time) bool {
	if now.Before(v.heldUntil) || !v.breachSince.IsZero() {
		return false
	}
	if v.stage.ready != nil && !v.isReady(now) {
		return false
	}
	for _, g := range v.stage.gates {
		if g.inconclusive() || v.stage.needGates && !g.satisfied() {
			return false
		}
	}
	return true
}

func (v *monitor) isReady(now time.Time) bool {
	if !v.readyNow {
		return false
	}
	if !v.stage.steady {
		return true
	}
	return !v.steadySince.IsZero() && !now.Before(v.steadySince.Add(v.run.spec.Health.SteadyFor))
}

// overdue: health that was waited for too long, a breach that has lasted, a
// gate that stays undecided.
func (v *monitor) overdue(now time.Time) *Failure {
	health := v.run.spec.Health
	if !v.breachSince.IsZero() && !now.Before(v.breachSince.Add(health.BreachFor)) {
		return &Failure{Cause: HealthFailed,
			Detail: fmt.Sprintf("%s, for %s", v.breachDetail, formatElapsed(now.Sub(v.breachSince)))}
	}
	if v.stage.ready != nil && !v.isReady(now) && !now.Before(v.began.Add(health.Timeout)) {
		saw := v.readyDetail
		if saw == "" {
			saw = "healthy, but not steady for " + shift.FormatDuration(health.SteadyFor)
		}
		return &Failure{Cause: NotHealthy, Detail: fmt.Sprintf("%s, after %s", saw, shift.FormatDuration(health.Timeout))}
	}
	for _, g := range v.stage.gates {
		if f := g.overdue(now, v.heldUntil); f != nil {
			return f
		}
	}
	return nil
}

// ask starts whatever is due; the answers come through the channel.
func (v *monitor) ask(ctx context.Context, now time.Time) {
	for _, g := range v.stage.gates {
		if !g.running && !now.Before(g.next) && !v.mayEndAtOnce(now) {
			g.start(ctx, v.run.gateInput(g, v.stage.part), v.answers, now)
		}
	}
	if v.healthDue() && !v.healthRunning && !now.Before(v.nextHealth) {
		v.healthRunning = true
		go askHealth(ctx, v.run.spec.Router, groupsOf(v.incoming()), v.answers)
	}
}

// mayEndAtOnce: nothing but health is waited for, and it may be there with its
// first answer. A gate that is asked now would be cut short by the next step.
func (v *monitor) mayEndAtOnce(now time.Time) bool {
	return v.stage.ready != nil && !v.healthKnown && now.Before(v.began.Add(firstAnswerWait))
}

func (v *monitor) healthDue() bool {
	return len(v.run.schedule.Gaining) > 0 && (v.stage.ready != nil || v.stage.watch != nil)
}

// nextAfter is when something happens without an answer coming in. Everything
// that overdue, passed and ask look at has its moment here; what is not after
// now they have dealt with.
func (v *monitor) nextAfter(now time.Time) time.Time {
	health := v.run.spec.Health
	next := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	sooner(v.heldUntil)
	if v.healthDue() && !v.healthRunning {
		sooner(v.nextHealth)
	}
	if v.stage.ready != nil {
		sooner(v.began.Add(health.Timeout))
		sooner(v.began.Add(firstAnswerWait))
	}
	if !v.steadySince.IsZero() {
		sooner(v.steadySince.Add(health.SteadyFor))
	}
	if !v.breachSince.IsZero() {
		sooner(v.breachSince.Add(health.BreachFor))
	}
	for _, g := range v.stage.gates {
		if !g.running {
			sooner(g.next)
		}
		if g.inconclusive() {
			sooner(g.inconclusiveDeadline(v.heldUntil))
		}
	}
	return next
}

// handle takes one answer in.
func (v *monitor) handle(answer any, now time.Time) *Failure {
	switch a := answer.(type) {
	case gateAnswer:
		return v.run.handleVerdict(a, now)
	case healthAnswer:
		return v.handleHealth(a, now)
	}
	return nil
}
