package rollout

import (
	"context"
	"fmt"
	"time"
)

// Health is asked often at first, since most waits are short, then seldom
// enough for ELB's limit on reads (10 a second for an account and region).
const (
	pollFirst = 100 * time.Millisecond
	pollMost  = 5 * time.Second
	// pollFailed is the least pause after a reading that failed, so that a
	// moment of trouble does not use up all that are tolerated.
	pollFailed = 2 * time.Second
)

// healthErrorsMost is how many readings of health may fail in a row before
// the shift counts as blind and goes back; as the gates' default.
const healthErrorsMost = 4

// firstAnswer is how long gates stand back for the first answer of health
// where that alone may let a step go on.
const firstAnswer = time.Second

// callLimit is how long one call forward may take, its retries included. A
// call that does not come back must not blind a hold, nor stop a shift
// between two steps.
const callLimit = 30 * time.Second

type healthAnswer struct {
	health map[string]Health
	err    error
}

func askHealth(ctx context.Context, router Router, groups []string, answers chan<- any) {
	limited, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	health, err := router.Health(limited, groups)
	select {
	case answers <- healthAnswer{health, err}:
	case <-ctx.Done():
	}
}

// receivers are the groups whose health the stage is about.
func (v *vigil) receivers() []receiver {
	if v.stage.ready != nil {
		return v.run.receivers(v.stage.ready)
	}
	return v.run.receivers(v.stage.watch)
}

func (v *vigil) hearHealth(a healthAnswer, now time.Time) *Failure {
	v.asking, v.healthHeard = false, true
	pause := v.nextPoll()
	if a.err != nil {
		return v.hearHealthError(a.err, now.Add(max(pause, pollFailed)))
	}
	v.nextHealth = now.Add(pause)
	v.healthErrors = 0
	v.hearReady(a.health, now)
	v.hearBreach(a.health, now)
	v.run.noteUnchecked(v.receivers(), a.health)
	return nil
}

// hearHealthError: nobody knows whether what was healthy still is.
func (v *vigil) hearHealthError(err error, again time.Time) *Failure {
	v.nextHealth = again
	v.healthErrors++
	v.steadySince, v.readyNow, v.readySaw = time.Time{}, false, "health could not be read: "+err.Error()
	if v.healthErrors > healthErrorsMost || final(err) {
		return &Failure{Cause: RouterFailed, Err: fmt.Errorf("health could not be read: %w", err)}
	}
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
	if v.stage.watch != nil && health.BreachFor > 0 {
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
			r.note(x.environment + " (" + x.entry + "): its health checks are switched off, so it counts as healthy")
		}
	}
}
