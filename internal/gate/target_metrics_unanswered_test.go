package gate_test

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// A release that takes requests and never answers has no errors until somebody
// gives up. That is no pass.
func TestTargetMetrics_aReleaseThatHangs(t *testing.T) {
	t.Parallel()
	silent := func(requests, answered float64) counts { return counts{requests: requests, ok: answered} }
	for _, c := range []struct {
		name  string
		green counts
		blue  counts
		args  gate.TargetMetrics
		want  rollout.Status
	}{
		// Its newest minute has not one answer, and so is left to the next round.
		{"all of it", silent(500, 0), fine(9500), errorRate(1),
			"inconclusive"},
		{"compared as well", silent(500, 0), fine(9500), worse(0.5),
			"inconclusive"},
		{"half of it", silent(500, 250), fine(9500), errorRate(1),
			"inconclusive"},
		{"some fail", counts{requests: 500, failed: 50}, fine(9500), errorRate(1),
			"fail"},
		{"as many WebSockets as on the live side", silent(500, 300), silent(9500, 5700), errorRate(1),
			"pass"},
		{"a few under way", silent(500, 495), fine(9500), errorRate(1),
			"pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			s.minutes("green", 5, 2, c.green)
			s.minutes("blue", 30, 2, c.blue)
			says(t, s.judge(t, c.args, 5*time.Minute), c.want)
		})
	}
}

func TestTargetMetrics_aFirstReleaseThatHangs(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.minutes("green", 5, 3, counts{requests: 500, ok: 200})
	m := rollout.GateInput{Step: 1, ChangedAt: noon.Add(-5 * time.Minute), Incoming: []rollout.Backend{side("green")}}
	says(t, s.judgeAt(t, errorRate(1), m),
		"inconclusive")
}
