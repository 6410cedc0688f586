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
		want  string
	}{
		// Its newest minute has not one answer, and so is left to the next round.
		{"all of it", silent(500, 0), fine(9500), errorRate(1),
			"inconclusive: web (green): 0 errors in 1500 requests in 3m, 0 % (at most 1 %); 1500 without a code that is counted (blue has 0 in 28500 requests), so they may not have been answered yet"},
		{"compared as well", silent(500, 0), fine(9500), worse(0.5),
			"inconclusive: web (green): 0 errors in 1500 requests in 3m, 0 %; 1500 without a code that is counted (blue has 0 in 28500 requests), so they may not have been answered yet; " +
				"blue has 0 errors in 28500 requests in the same time, 0 %; green is no worse"},
		{"half of it", silent(500, 250), fine(9500), errorRate(1),
			"inconclusive: web (green): 0 errors in 2000 requests in 4m, 0 % (at most 1 %); 1000 without a code that is counted (blue has 0 in 38000 requests), so they may not have been answered yet"},
		{"some fail", counts{requests: 500, failed: 50}, fine(9500), errorRate(1),
			"fail: web (green): 200 errors in 2000 requests in 4m, 10 % (at most 1 %); 1800 without a code that is counted (blue has 0 in 38000 requests), so they may not have been answered yet"},
		{"as many WebSockets as on the live side", silent(500, 300), silent(9500, 5700), errorRate(1),
			"pass: web (green): 0 errors in 2000 requests in 4m, 0 % (at most 1 %); 800 without a code that is counted"},
		{"a few under way", silent(500, 495), fine(9500), errorRate(1),
			"pass: web (green): 0 errors in 2000 requests in 4m, 0 % (at most 1 %); 20 without a code that is counted"},
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
		"inconclusive: web (green): 0 errors in 1500 requests in 4m, 0 % (at most 1 %); 900 without a code that is counted, so most may not have been answered yet")
}
