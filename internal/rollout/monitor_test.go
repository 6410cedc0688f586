package rollout

import (
	"context"
	"testing"
	"time"
)

// An interrupt makes running calls return errors. These must not count as errors of a
// gate.
func TestMonitor_ignoresAnswersAfterInterrupt(t *testing.T) {
	m := newMonitor(nil, HealthSettings{}, []NamedGate{{}}, &reporter{})
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w := m.begin(stage{}, time.Now())
		w.answers = make(chan any, 1)
		w.answers <- gateAnswer{gate: m.gates[0], verdict: Verdict{Status: Errored, Err: context.Canceled}}
		if f := w.waitForAnswer(ctx, time.Now().Add(time.Hour)); f != nil {
			t.Fatalf("got %v, want no failure", f)
		}
	}
}
