package gate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// simulatedSide is a group of a simulated balancer.
func simulatedSide(environment, group string) rollout.Backend {
	return rollout.Backend{Entry: "web", Environment: environment, Group: group, Routes: []string{rehearsal.SimulatedListener}}
}

// careful judges a simulated balancer by all that a user would write.
func careful(t *testing.T) rehearsal.SimulatedGate {
	return func(s *rehearsal.Simulated, l rehearsal.SimulatedLimits) func() (bool, error) {
		c := gate.TargetMetrics{MaxErrorRate: new(2.0), Lag: gate.DefaultLag}
		if l.Compares {
			c.WorseThanLiveBy = &l.Margin
		}
		if l.Ratio > 0 {
			c.LatencyRatio = &l.Ratio
		}
		g, err := gate.NewTargetMetrics(c, gate.Dependencies{CloudWatch: func(string) (gate.CloudWatch, error) { return s, nil }})
		replayed, ok := g.(gate.Replayer)
		if err != nil || !ok {
			return func() (bool, error) { return false, fmt.Errorf("%T cannot be replayed: %w", g, err) }
		}
		m := rollout.GateInput{
			Step: 1, ChangedAt: s.ChangedAt(),
			Incoming: []rollout.Backend{simulatedSide("green", rehearsal.SimulatedFresh)},
			Live:     []rollout.Backend{simulatedSide("blue", rehearsal.SimulatedLive)},
		}
		return func() (bool, error) {
			v := replayed.EvaluateAt(t.Context(), m, s.Now())
			if v.Status == rollout.Errored {
				return false, fmt.Errorf("the gate says %s: %s: %w", v.Status, v.Detail, v.Err)
			}
			return v.Status == rollout.Fail, nil
		}
	}
}

// trial is ten minutes at 500 requests a second, of which the new side gets 5 %.
func trial(fresh rehearsal.SimulatedSide) rehearsal.Trial {
	return rehearsal.Trial{
		SimulatedTerms:  rehearsal.SimulatedTerms{Rate: 500, Share: 5, Live: usual(), Fresh: fresh},
		SimulatedLimits: rehearsal.SimulatedLimits{Compares: true, Margin: 0.5, Ratio: 1.5},
		Minutes:         10, Runs: 100,
	}
}

func usual() rehearsal.SimulatedSide {
	return rehearsal.SimulatedSide{Errors: 0.2, P50: 80 * time.Millisecond, P99: 400 * time.Millisecond}
}

// A release as good as the one before is never sent back, and one that is clearly
// worse always is.
func TestTargetMetrics_simulated(t *testing.T) {
	t.Parallel()
	worse, slower := usual(), usual()
	worse.Errors += 2
	slower.P50, slower.P99 = 3*slower.P50, 3*slower.P99
	for _, c := range []struct {
		name     string
		fresh    rehearsal.SimulatedSide
		sentBack int
	}{
		{"as good", usual(), 0},
		{"2 points more errors", worse, 100},
		{"three times as slow", slower, 100},
		{"slow answers three times as slow", usual().Slower(3), 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := trial(c.fresh).Run(careful(t))
			if err != nil {
				t.Fatal(err)
			}
			if got.RolledBack != c.sentBack {
				t.Errorf("%d of %d were sent back, want %d", got.RolledBack, got.Runs, c.sentBack)
			}
			if c.sentBack > 0 && got.After > 3*time.Minute { // which is how many it takes for a latency
				t.Errorf("it took %s in the middle", got.After)
			}
		})
	}
}

// Without a margin a release that is as good is the hardest there is, and is sent
// back no more often than the confidence leaves.
func TestTargetMetrics_simulatedWithoutMargin(t *testing.T) {
	t.Parallel()
	at := trial(usual())
	at.SimulatedLimits = rehearsal.SimulatedLimits{Compares: true}
	at.Runs = 300
	got, err := at.Run(careful(t))
	if err != nil {
		t.Fatal(err)
	}
	if got.Rate() > 5 {
		t.Errorf("%.1f %% were sent back", got.Rate())
	}
}
