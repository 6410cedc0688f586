package rollout

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// An interrupt makes running calls return errors. These must not count as errors of a
// gate.
func TestMonitor_ignoresAnswersAfterInterrupt(t *testing.T) {
	gate := &activeGate{NamedGate: NamedGate{}}
	r := &run{}
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		m := r.newMonitor(stage{})
		m.answers = make(chan any, 1)
		m.answers <- gateAnswer{gate: gate, verdict: Verdict{Status: Errored, Err: context.Canceled}}
		if f := m.waitForAnswer(ctx, time.Now().Add(time.Hour)); f != nil {
			t.Fatalf("got %v, want no failure", f)
		}
	}
}

// drawMonitor draws a stage in progress and a time during it.
func drawMonitor(t *rapid.T) (*monitor, time.Time) {
	start := time.Unix(1_000_000, 0)
	span := func(label string) time.Duration {
		return time.Duration(rapid.IntRange(0, 20).Draw(t, label)) * time.Second
	}
	since := func(label string) time.Time {
		if rapid.Bool().Draw(t, label) {
			return start.Add(span(label + " since"))
		}
		return time.Time{}
	}
	r := &run{schedule: shift.Schedule{Gaining: []string{"green"}}}
	r.spec.Health = HealthSettings{SteadyFor: span("steady for"), BreachFor: span("breach for"), Timeout: span("timeout")}
	m := &monitor{run: r, began: start, heldUntil: start.Add(span("hold")), healthRunning: rapid.Bool().Draw(t, "health running"),
		nextHealth: start.Add(span("next health")), healthKnown: rapid.Bool().Draw(t, "health known"), readyNow: rapid.Bool().Draw(t, "ready now"),
		steadySince: since("steady"), breachSince: since("breach")}
	m.stage.needGates, m.stage.steady = rapid.Bool().Draw(t, "need gates"), rapid.Bool().Draw(t, "steady")
	if rapid.Bool().Draw(t, "ready") {
		m.stage.ready = shift.Sole("green")
	}
	if rapid.Bool().Draw(t, "watch") {
		m.stage.watch = shift.Sole("green")
	}
	for range rapid.IntRange(0, 2).Draw(t, "gates") {
		g := &activeGate{running: rapid.Bool().Draw(t, "running"), next: start.Add(span("next")), passed: rapid.Bool().Draw(t, "passed"), inconclusiveSince: since("inconclusive")}
		g.InconclusiveTimeout, g.DryRun = span("inconclusive timeout"), rapid.IntRange(0, 4).Draw(t, "dry") == 0
		m.stage.gates = append(m.stage.gates, g)
	}
	return m, start.Add(span("now"))
}

// state formats all conditions that depend on the time: whether the stage has passed or is
// overdue, and which calls are due.
func (m *monitor) state(now time.Time) string {
	text := fmt.Sprint(m.passed(now), m.overdue(now) != nil, m.healthDue() && !m.healthRunning && !now.Before(m.nextHealth))
	for _, g := range m.stage.gates {
		text += fmt.Sprint(" ", !g.running && !now.Before(g.next) && !m.mayEndAtOnce(now))
	}
	return text
}

// Without an answer, a stage wakes up exactly when a condition changes: never immediately,
// which would be a busy loop, and never too late.
func TestMonitor_sleepsUntilAConditionChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, now := drawMonitor(t)
		next := m.nextAfter(now)
		if !next.After(now) {
			t.Fatalf("it wakes up immediately, after %s", next.Sub(now))
		}
		if before, after := m.state(now), m.state(next.Add(-time.Nanosecond)); before != after {
			t.Fatalf("it sleeps for %s, but meanwhile %s becomes %s", next.Sub(now), before, after)
		}
	})
}
