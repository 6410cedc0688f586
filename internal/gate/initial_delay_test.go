package gate_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// A release with a cold cache is bad in its first minutes. Data from before the end of
// initial_delay does not count, also where lookback reaches beyond it.
func TestMetricGates_initialDelayMovesTheData(t *testing.T) {
	t.Parallel()
	const ago = 6 * time.Minute // the weight change
	for _, c := range []struct {
		name  string
		delay time.Duration
		want  rollout.Status
	}{
		{"without a delay", 0, rollout.Fail},
		{"the cold minutes are over", 4 * time.Minute, rollout.Pass},
		{"no whole minute since", 5 * time.Minute, rollout.Inconclusive},
	} {
		input := rollout.GateInput{Step: 1, ChangedAt: noon.Add(-ago), Incoming: []traffic.Backend{backend("green")}, Live: []traffic.Backend{backend("blue")}}
		if c.delay > 0 {
			input.DataFrom = input.ChangedAt.Add(c.delay)
		}
		t.Run("cloudwatch_metric "+c.name, func(t *testing.T) {
			t.Parallel()
			f := &fakeCloudWatch{points: map[string]map[time.Time]float64{ageSeries: minutes(map[int]float64{6: 99, 5: 99, 4: 99, 3: 99, 2: 4})}}
			synctest.Test(t, func(t *testing.T) {
				wantVerdict(t, mustBuild(t)(gate.NewCloudWatchMetric(age(nil), defaultRegionDeps(f))).Evaluate(t.Context(), input), c.want)
			})
		})
		t.Run("target_metrics "+c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			f.minutes("green", 6, 3, counts{requests: 100, failed: 100})
			f.minute("green", 2, succeeded(100))
			wantVerdict(t, f.evaluateAt(t, errorRate(2), input), c.want)
		})
	}
}

// OK of an alarm counts after its periods since the end of initial_delay.
func TestCloudWatchAlarm_initialDelay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		delay time.Duration
		want  rollout.Status
	}{{"after its periods", 2 * time.Minute, rollout.Pass}, {"within its periods", 4 * time.Minute, rollout.Inconclusive}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeCloudWatch{metric: []types.MetricAlarm{metricAlarm("errors", types.StateValueOk, "")}}
				in := rollout.GateInput{Step: 1, ChangedAt: time.Now().Add(-5 * time.Minute)}
				in.DataFrom = in.ChangedAt.Add(c.delay)
				wantVerdict(t, alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": f}, "errors").Evaluate(t.Context(), in), c.want)
			})
		})
	}
}
