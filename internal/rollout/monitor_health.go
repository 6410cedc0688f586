package rollout

import (
	"context"
	"fmt"
	"time"
)

// Health is asked often at first, since most waits are short, then seldom
// enough for ELB's limit on reads (10 a second for an account and region).
const (
	minPollInterval = 100 * time.Millisecond
	maxPollInterval = 5 * time.Second
	// failedPollInterval is the least pause after a reading that failed, so that a
	// moment of trouble does not use up all that are tolerated.
	failedPollInterval = 2 * time.Second
)

// maxHealthErrors is how many readings of health may fail in a row before
// the shift counts as blind and goes back; as the gates' default.
const maxHealthErrors = 4

// firstAnswerWait is how long gates stand back for the first answer of health
// where that alone may let a step go on.
const firstAnswerWait = time.Second

// callTimeout is how long one call forward may take, its retries included. A
// call that does not come back must not blind a hold, nor stop a shift
// between two steps.
const callTimeout = 30 * time.Second

type healthAnswer struct {
	health map[string]Health
	err    error
}

func askHealth(ctx context.Context, router Router, groups []string, answers chan<- any) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	health, err := router.Health(limited, groups)
	select {
	case answers <- healthAnswer{health, err}:
	case <-ctx.Done():
	}
}

// incoming are the groups whose health the stage is about.
func (v *monitor) incoming() []incoming {
	if v.stage.ready != nil {
		return v.run.incoming(v.stage.ready)
	}
	return v.run.incoming(v.stage.watch)
}

func (v *monitor) handleHealth(a healthAnswer, now time.Time) *Failure {
	v.healthRunning, v.healthKnown = false, true
	pause := v.nextPoll()
	if a.err != nil {
		return v.handleHealthError(a.err, now.Add(max(pause, failedPollInterval)))
	}
	v.nextHealth = now.Add(pause)
	v.healthErrors = 0
	v.updateReady(a.health, now)
	v.updateBreach(a.health, now)
	v.run.warnUnchecked(v.incoming(), a.health)
	return nil
}

// handleHealthError: nobody knows whether what was healthy still is.
func (v *monitor) handleHealthError(err error, again time.Time) *Failure {
	v.nextHealth = again
	v.healthErrors++
	v.steadySince, v.readyNow, v.readyDetail = time.Time{}, false, "health could not be read: "+err.Error()
	if v.healthErrors > maxHealthErrors || isFinal(err) {
		return &Failure{Cause: RouterFailed, Err: fmt.Errorf("health could not be read: %w", err)}
	}
	return nil
}

func (v *monitor) updateReady(health map[string]Health, now time.Time) {
	if v.stage.ready == nil {
		return
	}
	receivers := v.run.incoming(v.stage.ready)
	v.readyDetail = v.run.shortfall(receivers, health)
	v.readyNow = v.readyDetail == ""
	members := membership(receivers, health)
	if !v.readyNow || members == "" || members != v.members {
		v.steadySince = time.Time{}
	}
	if v.readyNow && members != "" && v.steadySince.IsZero() {
		v.steadySince = now
	}
	v.members = members
}

func (v *monitor) updateBreach(health map[string]Health, now time.Time) {
	if v.stage.watch == nil {
		return
	}
	saw := v.run.shortfall(v.run.incoming(v.stage.watch), health)
	switch {
	case saw == "" && !v.breachSince.IsZero():
		v.breachSince = time.Time{}
		v.run.emit(Event{Kind: HealthRecovered})
	case saw != "" && v.breachSince.IsZero():
		v.breachSince = now
		v.run.emit(Event{Kind: HealthDegraded, Text: saw})
	}
	v.breachDetail = saw
}

// nextPoll doubles up to pollMost, and stays fine enough for the times that
// health must have lasted or been broken.
func (v *monitor) nextPoll() time.Duration {
	health, poll := v.run.spec.Health, v.poll
	v.poll = min(2*v.poll, maxPollInterval)
	if v.stage.steady && health.SteadyFor > 0 {
		poll = min(poll, max(health.SteadyFor/3, minPollInterval))
	}
	if v.stage.watch != nil && health.BreachFor > 0 {
		poll = min(poll, max(health.BreachFor/3, minPollInterval))
	}
	return poll
}

// shortfall joins what is missing at all receivers.
func (r *run) shortfall(receivers []incoming, health map[string]Health) string {
	text := ""
	for _, x := range receivers {
		text = joinText(text, r.spec.Health.shortfall(x, health))
	}
	return text
}

// warnUnchecked tells once that nobody checks a group's health.
func (r *run) warnUnchecked(receivers []incoming, health map[string]Health) {
	for _, x := range receivers {
		if health[x.group].Count(Unchecked) > 0 {
			r.warn(x.environment + " (" + x.entry + "): its health checks are switched off, so it counts as healthy")
		}
	}
}
