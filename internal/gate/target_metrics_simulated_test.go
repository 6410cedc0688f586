package gate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// simulatedBackend returns a target group of a simulated load balancer.
func simulatedBackend(environment, group string) traffic.Backend {
	return traffic.Backend{Entry: "web", Environment: environment, Group: group, Routes: []string{rehearsal.SimulatedListener}}
}

// simulatedGate evaluates a simulated load balancer with all limits of a typical user.
func simulatedGate(t *testing.T) rehearsal.SimulatedGate {
	return func(s *rehearsal.Simulated, l rehearsal.SimulatedLimits) func() (bool, error) {
		c := gate.TargetMetrics{MaxErrorRate: new(2.0), Lag: gate.DefaultLag}
		if l.Compares {
			c.WorseThanLiveBy = &l.Margin
		}
		if l.Ratio > 0 {
			c.LatencyRatio = &l.Ratio
		}
		g, err := gate.NewTargetMetrics(c, gate.Dependencies{CloudWatch: func(string) (gate.CloudWatch, error) { return s, nil }})
		replayer, ok := g.(gate.Replayer)
		if err != nil || !ok {
			return func() (bool, error) { return false, fmt.Errorf("%T cannot be replayed: %w", g, err) }
		}
		in := rollout.GateInput{
			Step: 1, ChangedAt: s.ChangedAt(),
			Incoming: []traffic.Backend{simulatedBackend("green", rehearsal.SimulatedFresh)},
			Live:     []traffic.Backend{simulatedBackend("blue", rehearsal.SimulatedLive)},
		}
		return func() (bool, error) {
			v := replayer.EvaluateAt(t.Context(), in, s.Now())
			if v.Status == rollout.Errored {
				return false, fmt.Errorf("got %s: %s: %w", v.Status, v.Detail, v.Err)
			}
			return v.Status == rollout.Fail, nil
		}
	}
}

// trial is ten minutes at 500 requests a second, 5 % of them on the new version.
func trial(fresh rehearsal.SimulatedSide) rehearsal.Trial {
	return rehearsal.Trial{
		SimulatedTerms:  rehearsal.SimulatedTerms{Rate: 500, Share: 5, Live: baseline(), Fresh: fresh},
		SimulatedLimits: rehearsal.SimulatedLimits{Compares: true, Margin: 0.5, Ratio: 1.5},
		Minutes:         10, Runs: 100,
	}
}

func baseline() rehearsal.SimulatedSide {
	return rehearsal.SimulatedSide{Errors: 0.2, P50: 80 * time.Millisecond, P99: 400 * time.Millisecond}
}

// A release as good as the previous one is never rolled back, and one that is clearly
// worse always is.
func TestTargetMetrics_simulated(t *testing.T) {
	t.Parallel()
	worse, slower := baseline(), baseline()
	worse.Errors += 2
	slower.P50, slower.P99 = 3*slower.P50, 3*slower.P99
	for _, c := range []struct {
		name       string
		fresh      rehearsal.SimulatedSide
		rolledBack int
	}{
		{"as good", baseline(), 0},
		{"2 points more errors", worse, 100},
		{"three times as slow", slower, 100},
		{"slow responses three times as slow", baseline().Slower(3), 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := trial(c.fresh).Run(simulatedGate(t))
			if err != nil {
				t.Fatal(err)
			}
			if got.RolledBack != c.rolledBack {
				t.Errorf("got %d of %d rolled back, want %d", got.RolledBack, got.Runs, c.rolledBack)
			}
			if c.rolledBack > 0 && got.After > 3*time.Minute { // a latency takes three minutes
				t.Errorf("got a median time of %s, want at most 3m", got.After)
			}
		})
	}
}

// Without a margin, a release that is as good is the hardest case, and is rolled back
// at most as often as the confidence allows.
func TestTargetMetrics_simulatedWithoutMargin(t *testing.T) {
	t.Parallel()
	tr := trial(baseline())
	tr.SimulatedLimits = rehearsal.SimulatedLimits{Compares: true}
	tr.Runs = 300
	got, err := tr.Run(simulatedGate(t))
	if err != nil {
		t.Fatal(err)
	}
	if got.Rate() > 5 {
		t.Errorf("got %.1f %% rolled back, want at most 5 %%", got.Rate())
	}
}
