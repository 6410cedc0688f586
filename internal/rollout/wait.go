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

	gates     []*armed // asked and obeyed while it lasts
	needGates bool     // each must have passed since the last change of weights

	ready  shift.Weights // health must allow this share before it ends
	steady bool          // ... and have been steady
	watch  shift.Weights // health is in breach where it no longer carries this
}

// vigil is one stage under way.
type vigil struct {
	run       *run
	stage     stage
	began     time.Time
	heldUntil time.Time
	answers   chan any // of gates (gateAnswer) and of health (healthAnswer)

	asking     bool      // health is being asked
	nextHealth time.Time // when to ask again
	poll       time.Duration

	healthHeard  bool
	readyNow     bool
	readySaw     string
	steadySince  time.Time
	members      string
	breachSince  time.Time // zero: none
	breachSaw    string
	healthErrors int
}

func (r *run) vigil(st stage) *vigil {
	now := time.Now()
	return &vigil{run: r, stage: st, began: now, heldUntil: now.Add(st.hold),
		poll: pollFirst, readySaw: "nothing is known of its health", answers: make(chan any)}
}

// wait holds until the stage is passed, and returns why it cannot be. It is
// the only wait of a shift: gates and health stay armed in all of them.
func (r *run) wait(ctx context.Context, st stage) *Failure {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends whatever is still being asked
	defer func() { release(st.gates, time.Now()) }()
	v := r.vigil(st)
	for ctx.Err() == nil {
		// One moment for all that is looked at: what is due by then is done here,
		// and what is not sets the timer, so that nothing falls in between.
		now := time.Now()
		if f := v.overdue(now); f != nil {
			return v.at(f)
		}
		if v.passed(now) {
			return nil
		}
		v.ask(ctx, now)
		if f := v.listen(ctx, v.nextAfter(now)); f != nil {
			return v.at(f)
		}
	}
	return v.at(r.broke(ctx, "", ctx.Err()))
}

// listen waits for one answer until then. What comes in after ctx has ended
// speaks of that end, not of the release.
func (v *vigil) listen(ctx context.Context, until time.Time) *Failure {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case answer := <-v.answers:
		if ctx.Err() == nil {
			return v.hear(answer, time.Now())
		}
	}
	return nil
}

func (v *vigil) at(f *Failure) *Failure {
	f.Stage = v.stage.name
	return f
}

// passed: the hold is over, every gate that must has passed and none is
// undecided, health is there and not in breach.
func (v *vigil) passed(now time.Time) bool {
	if now.Before(v.heldUntil) || !v.breachSince.IsZero() {
		return false
	}
	if v.stage.ready != nil && !v.isReady(now) {
		return false
	}
	for _, g := range v.stage.gates {
		if g.undecided() || v.stage.needGates && !g.content() {
			return false
		}
	}
	return true
}

func (v *vigil) isReady(now time.Time) bool {
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
func (v *vigil) overdue(now time.Time) *Failure {
	health := v.run.spec.Health
	if !v.breachSince.IsZero() && !now.Before(v.breachSince.Add(health.BreachFor)) {
		return &Failure{Cause: HealthBroke,
			Saw: fmt.Sprintf("%s, for %s", v.breachSaw, lasting(now.Sub(v.breachSince)))}
	}
	if v.stage.ready != nil && !v.isReady(now) && !now.Before(v.began.Add(health.Timeout)) {
		saw := v.readySaw
		if saw == "" {
			saw = "healthy, but not steady for " + shift.Words(health.SteadyFor)
		}
		return &Failure{Cause: NotReady, Saw: fmt.Sprintf("%s, after %s", saw, shift.Words(health.Timeout))}
	}
	for _, g := range v.stage.gates {
		if f := g.overdue(now, v.heldUntil); f != nil {
			return f
		}
	}
	return nil
}

// ask starts whatever is due; the answers come through the channel.
func (v *vigil) ask(ctx context.Context, now time.Time) {
	for _, g := range v.stage.gates {
		if !g.running && !now.Before(g.next) && !v.mayEndAtOnce(now) {
			g.start(ctx, v.run.moment(g, v.stage.part), v.answers, now)
		}
	}
	if v.healthDue() && !v.asking && !now.Before(v.nextHealth) {
		v.asking = true
		go askHealth(ctx, v.run.spec.Router, groupsOf(v.receivers()), v.answers)
	}
}

// mayEndAtOnce: nothing but health is waited for, and it may be there with its
// first answer. A gate that is asked now would be cut short by the next step.
func (v *vigil) mayEndAtOnce(now time.Time) bool {
	return v.stage.ready != nil && !v.healthHeard && now.Before(v.began.Add(firstAnswer))
}

func (v *vigil) healthDue() bool {
	return len(v.run.schedule.Gaining) > 0 && (v.stage.ready != nil || v.stage.watch != nil)
}

// nextAfter is when something happens without an answer coming in. Everything
// that overdue, passed and ask look at has its moment here; what is not after
// now they have dealt with.
func (v *vigil) nextAfter(now time.Time) time.Time {
	health := v.run.spec.Health
	next := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	sooner(v.heldUntil)
	if v.healthDue() && !v.asking {
		sooner(v.nextHealth)
	}
	if v.stage.ready != nil {
		sooner(v.began.Add(health.Timeout))
		sooner(v.began.Add(firstAnswer))
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
		if g.undecided() {
			sooner(g.decideBy(v.heldUntil))
		}
	}
	return next
}

// hear takes one answer in.
func (v *vigil) hear(answer any, now time.Time) *Failure {
	switch a := answer.(type) {
	case gateAnswer:
		return v.run.hearGate(a, now)
	case healthAnswer:
		return v.hearHealth(a, now)
	}
	return nil
}
