package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Poll intervals of health. They start short, because most waits are short, and double
// to stay within ELB's limit on reads (10 per second, account and region).
const (
	minPollInterval = 100 * time.Millisecond
	maxPollInterval = 5 * time.Second
	// failedPollInterval is the minimum pause after a failed read, so that a short outage
	// does not use up maxHealthErrors.
	failedPollInterval = 2 * time.Second
)

// maxHealthErrors is how many consecutive health reads may fail before the shift fails;
// the same as the default consecutive_error_limit of gates.
const maxHealthErrors = 4

// firstAnswerWait is how long gates wait for the first health read of a stage that it
// may complete; see mayEndAtOnce.
const firstAnswerWait = time.Second

// callTimeout limits one router call, including its retries, except in rollbacks. A hung
// call must not suspend the monitoring of a hold, or a shift between two steps.
const callTimeout = 30 * time.Second

type healthAnswer struct {
	health map[string]traffic.Health
	err    error
}

func readHealth(ctx context.Context, router traffic.Router, groups []string, answers chan<- any) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	health, err := router.Health(limited, groups)
	select {
	case answers <- healthAnswer{health, err}:
	case <-ctx.Done():
	}
}

// incoming returns the groups whose health the stage needs.
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

// handleHealthError counts a failed read. Until the next one succeeds, health is neither
// ready nor steady.
func (m *monitor) handleHealthError(err error, next time.Time) *Failure {
	m.nextHealth = next
	m.healthErrors++
	m.steadySince, m.readyNow, m.readyDetail = time.Time{}, false, "health could not be read: "+err.Error()
	if m.healthErrors > maxHealthErrors || isFinal(err) {
		return &Failure{Cause: RouterFailed, Err: fmt.Errorf("health could not be read: %w", err)}
	}
	return nil
}

func (m *monitor) updateReady(health map[string]traffic.Health, now time.Time) {
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

func (m *monitor) updateBreach(health map[string]traffic.Health, now time.Time) {
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

// nextPoll returns the pause before the next read. It doubles up to maxPollInterval, but
// is at most a third of SteadyFor and BreachFor where these apply.
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

// shortfall returns what the groups lack, empty if nothing.
func (r *run) shortfall(gaining []incoming, health map[string]traffic.Health) string {
	text := ""
	for _, x := range gaining {
		text = joinText(text, r.spec.Health.shortfall(x, health))
	}
	return text
}

// warnUnchecked warns about groups whose health checks are disabled.
func (r *run) warnUnchecked(gaining []incoming, health map[string]traffic.Health) {
	for _, x := range gaining {
		if health[x.group].Count(traffic.Unchecked) > 0 {
			r.warn(x.environment + " (" + x.entry + "): health checks are disabled, so its targets count as healthy")
		}
	}
}
