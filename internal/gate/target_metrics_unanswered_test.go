package gate_test

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// A release that accepts requests and never responds has no errors until a timeout.
// That must not pass.
func TestTargetMetrics_hangingRelease(t *testing.T) {
	t.Parallel()
	unanswered := func(requests, ok float64) counts { return counts{requests: requests, ok: ok} }
	for _, c := range []struct {
		name  string
		green counts
		blue  counts
		args  gate.TargetMetrics
		want  rollout.Status
	}{
		// The newest minute has no responses, so it is left to the next evaluation.
		{"no responses", unanswered(500, 0), succeeded(9500), errorRate(1),
			"inconclusive"},
		{"no responses, compared", unanswered(500, 0), succeeded(9500), worseBy(0.5),
			"inconclusive"},
		{"half of the responses", unanswered(500, 250), succeeded(9500), errorRate(1),
			"inconclusive"},
		{"some errors", counts{requests: 500, failed: 50}, succeeded(9500), errorRate(1),
			"fail"},
		{"as many WebSockets as on the live side", unanswered(500, 300), unanswered(9500, 5700), errorRate(1),
			"pass"},
		{"a few in flight", unanswered(500, 495), succeeded(9500), errorRate(1),
			"pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			f.minutes("green", 5, 2, c.green)
			f.minutes("blue", 30, 2, c.blue)
			wantVerdict(t, f.evaluate(t, c.args, 5*time.Minute), c.want)
		})
	}
}

func TestTargetMetrics_hangingFirstRelease(t *testing.T) {
	t.Parallel()
	f := newMetricsFixture()
	f.minutes("green", 5, 3, counts{requests: 500, ok: 200})
	in := rollout.GateInput{Step: 1, ChangedAt: noon.Add(-5 * time.Minute), Incoming: []traffic.Backend{backend("green")}}
	wantVerdict(t, f.evaluateAt(t, errorRate(1), in),
		"inconclusive")
}
