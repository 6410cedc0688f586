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

func readHealth(ctx context.Context, router Router, groups []string, answers chan<- any) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	health, err := router.Health(limited, groups)
	select {
	case answers <- healthAnswer{health, err}:
	case <-ctx.Done():
	}
}

// incoming are the groups whose health the stage is about.
func (m *monitor) incoming() []incoming {
	if m.stage.ready != nil {
		return m.run.incoming(m.stage.ready)
	}
	return m.run.incoming(m.stage.watch)
}

func (m *monitor) handleHealth(a healthAnswer, now time.Time) *Failure {
	m.healthRunning, m.healthKnown = false, true
	pause := m.nextPoll()
	if a.err != nil {
		return m.handleHealthError(a.err, now.Add(max(pause, failedPollInterval)))
	}
	m.nextHealth = now.Add(pause)
	m.healthErrors = 0
	m.updateReady(a.health, now)
	m.updateBreach(a.health, now)
	m.run.warnUnchecked(m.incoming(), a.health)
	return nil
}

// handleHealthError: nobody knows whether what was healthy still is.
func (m *monitor) handleHealthError(err error, next time.Time) *Failure {
	m.nextHealth = next
	m.healthErrors++
	m.steadySince, m.readyNow, m.readyDetail = time.Time{}, false, "health could not be read: "+err.Error()
	if m.healthErrors > maxHealthErrors || isFinal(err) {
		return &Failure{Cause: RouterFailed, Err: fmt.Errorf("health could not be read: %w", err)}
	}
	return nil
}

func (m *monitor) updateReady(health map[string]Health, now time.Time) {
	if m.stage.ready == nil {
		return
	}
	gaining := m.run.incoming(m.stage.ready)
	m.readyDetail = m.run.shortfall(gaining, health)
	m.readyNow = m.readyDetail == ""
	members := membership(gaining, health)
	if !m.readyNow || members == "" || members != m.members {
		m.steadySince = time.Time{}
	}
	if m.readyNow && members != "" && m.steadySince.IsZero() {
		m.steadySince = now
	}
	m.members = members
}

func (m *monitor) updateBreach(health map[string]Health, now time.Time) {
	if m.stage.watch == nil {
		return
	}
	detail := m.run.shortfall(m.run.incoming(m.stage.watch), health)
	switch {
	case detail == "" && !m.breachSince.IsZero():
		m.breachSince = time.Time{}
		m.run.emit(Event{Kind: HealthRecovered})
	case detail != "" && m.breachSince.IsZero():
		m.breachSince = now
		m.run.emit(Event{Kind: HealthDegraded, Text: detail})
	}
	m.breachDetail = detail
}

// nextPoll doubles up to pollMost, and stays fine enough for the times that
// health must have lasted or been broken.
func (m *monitor) nextPoll() time.Duration {
	health, poll := m.run.spec.Health, m.poll
	m.poll = min(2*m.poll, maxPollInterval)
	if m.stage.steady && health.SteadyFor > 0 {
		poll = min(poll, max(health.SteadyFor/3, minPollInterval))
	}
	if m.stage.watch != nil && health.BreachFor > 0 {
		poll = min(poll, max(health.BreachFor/3, minPollInterval))
	}
	return poll
}

// shortfall joins what is missing at all receivers.
func (r *run) shortfall(gaining []incoming, health map[string]Health) string {
	text := ""
	for _, x := range gaining {
		text = joinText(text, r.spec.Health.shortfall(x, health))
	}
	return text
}

// warnUnchecked tells once that nobody checks a group's health.
func (r *run) warnUnchecked(gaining []incoming, health map[string]Health) {
	for _, x := range gaining {
		if health[x.group].Count(Unchecked) > 0 {
			r.warn(x.environment + " (" + x.entry + "): its health checks are switched off, so it counts as healthy")
		}
	}
}
