package rollout

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// An interrupt makes whatever is being asked answer with an error. Where both
// are there at the same time, it is the interrupt that counts: an answer that
// speaks of it would be taken for a gate that cannot measure.
func TestVigil_doesNotHearWhatAnInterruptBrings(t *testing.T) {
	gate := &activeGate{NamedGate: NamedGate{}}
	r := &run{}
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		v := r.newMonitor(stage{})
		v.answers = make(chan any, 1)
		v.answers <- gateAnswer{gate: gate, verdict: Verdict{Status: Errored, Err: context.Canceled}}
		if f := v.waitForAnswer(ctx, time.Now().Add(time.Hour)); f != nil {
			t.Fatalf("heard %v", f)
		}
	}
}

// drawVigil draws a stage under way at some moment of it.
func drawVigil(t *rapid.T) (*monitor, time.Time) {
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
	v := &monitor{run: r, began: start, heldUntil: start.Add(span("hold")), healthRunning: rapid.Bool().Draw(t, "asking"),
		nextHealth: start.Add(span("next health")), healthKnown: rapid.Bool().Draw(t, "heard"), readyNow: rapid.Bool().Draw(t, "ready now"),
		steadySince: since("steady"), breachSince: since("breach")}
	v.stage.needGates, v.stage.steady = rapid.Bool().Draw(t, "need gates"), rapid.Bool().Draw(t, "steady")
	if rapid.Bool().Draw(t, "ready") {
		v.stage.ready = shift.Sole("green")
	}
	if rapid.Bool().Draw(t, "watch") {
		v.stage.watch = shift.Sole("green")
	}
	for range rapid.IntRange(0, 2).Draw(t, "gates") {
		g := &activeGate{running: rapid.Bool().Draw(t, "running"), next: start.Add(span("next")), passed: rapid.Bool().Draw(t, "passed"), inconclusiveSince: since("undecided")}
		g.InconclusiveTimeout, g.DryRun = span("granted"), rapid.IntRange(0, 4).Draw(t, "dry") == 0
		v.stage.gates = append(v.stage.gates, g)
	}
	return v, start.Add(span("now"))
}

// state is all that depends on the time: what passes, what is over, what is
// due to be asked.
func (v *monitor) state(now time.Time) string {
	text := fmt.Sprint(v.passed(now), v.overdue(now) != nil, v.healthDue() && !v.healthRunning && !now.Before(v.nextHealth))
	for _, g := range v.stage.gates {
		text += fmt.Sprint(" ", !g.running && !now.Before(g.next) && !v.mayEndAtOnce(now))
	}
	return text
}

// A stage that nobody answers wakes up by itself exactly when something
// changes: never at once again (it would spin), and never too late.
func TestVigil_sleepsUntilSomethingChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, now := drawVigil(t)
		next := v.nextAfter(now)
		if !next.After(now) {
			t.Fatalf("it wakes up at once: %s after", next.Sub(now))
		}
		if before, after := v.state(now), v.state(next.Add(-time.Nanosecond)); before != after {
			t.Fatalf("it sleeps for %s, and meanwhile %s becomes %s", next.Sub(now), before, after)
		}
	})
}
