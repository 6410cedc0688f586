package rollout

import (
	"context"
	"errors"
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
	run     *run
	stage   stage
	began   time.Time
	answers chan any // of gates (gateAnswer) and of health (healthAnswer)

	asking     bool      // health is being asked
	nextHealth time.Time // when to ask again
	poll       time.Duration

	readyNow     bool
	readySaw     string
	steadySince  time.Time
	members      string
	breachSince  time.Time // zero: none
	breachSaw    string
	healthErrors int
}

// wait holds until the stage is passed, and returns why it cannot be. It is
// the only wait of a shift: gates and health stay armed in all of them.
func (r *run) wait(ctx context.Context, st stage) *Failure {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends whatever is still being asked
	v := &vigil{run: r, stage: st, began: time.Now(), poll: pollFirst, answers: make(chan any)}
	for {
		if f := v.overdue(time.Now()); f != nil {
			return v.at(f)
		}
		if v.passed(time.Now()) {
			return nil
		}
		v.ask(ctx, time.Now())
		timer := time.NewTimer(v.untilNext(time.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return v.at(r.broke(ctx, "", ctx.Err()))
		case answer := <-v.answers:
			timer.Stop()
			if f := v.hear(answer, time.Now()); f != nil {
				return v.at(f)
			}
		case <-timer.C:
		}
	}
}

func (v *vigil) at(f *Failure) *Failure {
	f.Stage = v.stage.name
	return f
}

// passed: the hold is over, every gate that must has passed and none is
// undecided, health is there and not in breach.
func (v *vigil) passed(now time.Time) bool {
	if now.Before(v.began.Add(v.stage.hold)) || !v.breachSince.IsZero() {
		return false
	}
	if v.stage.ready != nil && !v.isReady(now) {
		return false
	}
	for _, g := range v.stage.gates {
		if v.stage.needGates && !g.content() {
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
		return &Failure{Cause: HealthBroke, Saw: fmt.Sprintf("%s, for %s", v.breachSaw, now.Sub(v.breachSince).Round(time.Millisecond))}
	}
	if v.stage.ready != nil && !v.isReady(now) && !now.Before(v.began.Add(health.Timeout)) {
		saw := v.readySaw
		if saw == "" {
			saw = "healthy, but not steady for " + health.SteadyFor.String()
		}
		return &Failure{Cause: NotReady, Saw: fmt.Sprintf("%s, after %s", saw, health.Timeout)}
	}
	for _, g := range v.stage.gates {
		if f := g.overdue(now); f != nil {
			return f
		}
	}
	return nil
}

// ask starts whatever is due; the answers come through the channel.
func (v *vigil) ask(ctx context.Context, now time.Time) {
	for _, g := range v.stage.gates {
		if !g.running && !now.Before(g.next) {
			g.start(ctx, v.run.moment(g, v.stage.part), v.answers, now)
		}
	}
	if v.healthDue() && !v.asking && !now.Before(v.nextHealth) {
		v.asking = true
		go askHealth(ctx, v.run.spec.Router, groupsOf(v.receivers()), v.answers)
	}
}

func (v *vigil) healthDue() bool {
	return len(v.run.schedule.Gaining) > 0 && (v.stage.ready != nil || v.stage.watch != nil)
}

func (v *vigil) receivers() []receiver {
	if v.stage.ready != nil {
		return v.run.receivers(v.stage.ready)
	}
	return v.run.receivers(v.stage.watch)
}

// untilNext is when something happens without an answer coming in. Everything
// that overdue and passed look at has its moment here.
func (v *vigil) untilNext(now time.Time) time.Duration {
	health := v.run.spec.Health
	next := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	sooner(v.began.Add(v.stage.hold))
	if v.healthDue() && !v.asking {
		sooner(v.nextHealth)
	}
	if v.stage.ready != nil {
		sooner(v.began.Add(health.Timeout))
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
		if !g.undecidedSince.IsZero() {
			sooner(g.undecidedSince.Add(g.InconclusiveTimeout))
		}
	}
	return next.Sub(now)
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

// Health is asked often at first, since most waits are short, then seldom
// enough for ELB's limit on reads (10 a second for an account and region).
const (
	pollFirst = 100 * time.Millisecond
	pollMost  = 5 * time.Second
)

// healthErrorsMost is how many readings of health may fail in a row before
// the shift counts as blind and goes back; as the gates' default.
const healthErrorsMost = 4

type healthAnswer struct {
	health map[string]Health
	err    error
}

func askHealth(ctx context.Context, router Router, groups []string, answers chan<- any) {
	health, err := router.Health(ctx, groups)
	select {
	case answers <- healthAnswer{health, err}:
	case <-ctx.Done():
	}
}

func (v *vigil) hearHealth(a healthAnswer, now time.Time) *Failure {
	v.asking = false
	v.nextHealth = now.Add(v.nextPoll())
	if a.err != nil {
		v.healthErrors++
		v.steadySince, v.readyNow = time.Time{}, false
		if v.healthErrors > healthErrorsMost || final(a.err) {
			return &Failure{Cause: RouterFailed, Err: fmt.Errorf("health could not be read: %w", a.err)}
		}
		return nil
	}
	v.healthErrors = 0
	v.hearReady(a.health, now)
	v.hearBreach(a.health, now)
	v.run.noteUnchecked(v.receivers(), a.health)
	return nil
}

func (v *vigil) hearReady(health map[string]Health, now time.Time) {
	if v.stage.ready == nil {
		return
	}
	receivers := v.run.receivers(v.stage.ready)
	v.readySaw = v.run.complaint(receivers, health)
	v.readyNow = v.readySaw == ""
	members := membership(receivers, health)
	if !v.readyNow || members == "" || members != v.members {
		v.steadySince = time.Time{}
	}
	if v.readyNow && members != "" && v.steadySince.IsZero() {
		v.steadySince = now
	}
	v.members = members
}

func (v *vigil) hearBreach(health map[string]Health, now time.Time) {
	if v.stage.watch == nil {
		return
	}
	saw := v.run.complaint(v.run.receivers(v.stage.watch), health)
	switch {
	case saw == "" && !v.breachSince.IsZero():
		v.breachSince = time.Time{}
		v.run.tell(Event{Kind: Well})
	case saw != "" && v.breachSince.IsZero():
		v.breachSince = now
		v.run.tell(Event{Kind: Sick, Text: saw})
	}
	v.breachSaw = saw
}

// nextPoll doubles up to pollMost, and stays fine enough for the times that
// health must have lasted or been broken.
func (v *vigil) nextPoll() time.Duration {
	health, poll := v.run.spec.Health, v.poll
	v.poll = min(2*v.poll, pollMost)
	if v.stage.steady && health.SteadyFor > 0 {
		poll = min(poll, max(health.SteadyFor/3, pollFirst))
	}
	if v.stage.watch != nil {
		poll = min(poll, max(health.BreachFor/3, pollFirst))
	}
	return poll
}

// complaint joins what is missing at all receivers.
func (r *run) complaint(receivers []receiver, health map[string]Health) string {
	text := ""
	for _, x := range receivers {
		text = join(text, r.spec.Health.complaint(x, health))
	}
	return text
}

// noteUnchecked tells once that nobody checks a group's health.
func (r *run) noteUnchecked(receivers []receiver, health map[string]Health) {
	for _, x := range receivers {
		if health[x.group].Count(Unchecked) > 0 {
			r.note(fmt.Sprintf("%s (%s): its health checks are switched off, so it counts as healthy", x.environment, x.entry))
		}
	}
}

// errNotShown says that writes were accepted and are not seen.
func errNotShown(routes int) error {
	return fmt.Errorf("%w: %d routes do not show what was written", context.DeadlineExceeded, routes)
}

var errPanicked = errors.New("the gate panicked")
