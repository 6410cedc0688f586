package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// withErrors is a minute in which some requests failed.
func withErrors(n, failed float64) counts {
	return counts{requests: n, ok: n - failed, failed: failed, p99: 0.2}
}

func TestTargetMetrics_worseThanLive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fill func(f metricsFixture)
		args gate.TargetMetrics
		ago  time.Duration
		want rollout.Status
	}{
		{"much worse after a minute", func(f metricsFixture) {
			f.minute("green", 2, withErrors(1500, 40))
			f.minute("blue", 2, withErrors(28_500, 57))
		}, worseBy(0.5), 2 * time.Minute,
			"fail"},
		{"worse within the margin", func(f metricsFixture) {
			f.minute("green", 2, withErrors(1500, 9))
			f.minute("blue", 2, withErrors(28_500, 57))
		}, worseBy(0.5), 2 * time.Minute,
			"pass"},
		{"worse, not significant", func(f metricsFixture) {
			f.minute("green", 2, withErrors(1500, 14))
			f.minute("blue", 2, withErrors(28_500, 57))
		}, worseBy(0.5), 2 * time.Minute,
			"pass"},
		{"significant in the first evaluation", func(f metricsFixture) {
			f.minute("green", 2, withErrors(1500, 18))
			f.minute("blue", 2, withErrors(28_500, 56))
		}, worseBy(0.5), 2 * time.Minute,
			"fail"},
		{"not significant in the second evaluation", func(f metricsFixture) {
			f.minutes("green", 3, 2, withErrors(750, 9))
			f.minutes("blue", 3, 2, withErrors(14_250, 28))
		}, worseBy(0.5), 3 * time.Minute,
			"pass"},
		{"at 100 %, compared with the time before", func(f metricsFixture) {
			f.minutes("green", 6, 2, withErrors(1000, 30))
			f.minutes("blue", 12, 7, withErrors(1000, 2))
			f.minutes("blue", 6, 2, withErrors(9, 9)) // the last sticky sessions
		}, worseBy(0.5), 6*time.Minute + 20*time.Second,
			"fail"},
		{"not significant at a higher confidence", func(f metricsFixture) {
			f.minute("green", 2, withErrors(1500, 20))
			f.minute("blue", 2, withErrors(28_500, 57))
		},
			gate.TargetMetrics{WorseThanLiveBy: new(0.5), Confidence: new(0.999)}, 2 * time.Minute,
			"pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			c.fill(f)
			wantVerdict(t, f.evaluate(t, c.args, c.ago), c.want)
		})
	}
}

func TestTargetMetrics_latency(t *testing.T) {
	t.Parallel()
	timed := func(n, seconds float64) counts { return counts{requests: n, ok: n, p99: seconds} }
	steady := func(f metricsFixture) { f.minutes("blue", 20, 2, timed(3000, 0.4)) }
	for _, c := range []struct {
		name string
		fill func(f metricsFixture)
		args gate.TargetMetrics
		ago  time.Duration
		want rollout.Status
	}{
		{"median of the minutes", func(f metricsFixture) {
			for i, seconds := range []float64{0.3, 9, 0.35, 0.2, 0.31} {
				f.minute("green", 6-i, timed(200, seconds))
			}
		}, gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, time.Hour, "pass"},
		{"upper median", func(f metricsFixture) {
			f.minute("green", 4, timed(150, 0.25))
			f.minute("green", 3, timed(150, 0.3))
			f.minute("green", 2, timed(300, 0.6))
		}, gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, 4 * time.Minute, "fail"},
		{"one slow minute", func(f metricsFixture) { f.minute("green", 2, timed(600, 9)) },
			gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, 2 * time.Minute, "inconclusive"},
		{"three slow minutes with a short lookback", func(f metricsFixture) { f.minutes("green", 6, 2, timed(600, 9)) },
			gate.TargetMetrics{MaxLatency: 500 * time.Millisecond, Lookback: time.Minute}, time.Hour, "fail"},
		{"weighted by requests", func(f metricsFixture) {
			f.minute("green", 4, timed(600, 0.3))
			f.minutes("green", 3, 2, timed(200, 0.6))
		}, gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, 4 * time.Minute, "pass"},
		{"just above the limit", func(f metricsFixture) { f.minutes("green", 4, 2, timed(600, 0.5000001)) },
			gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, 4 * time.Minute, "fail"},
		{"extends to the minimum of requests", func(f metricsFixture) { f.minutes("green", 30, 2, timed(60, 0.3)) },
			gate.TargetMetrics{MaxLatency: time.Second}, time.Hour, "pass"},
		{"too few requests", func(f metricsFixture) { f.minutes("green", 30, 2, timed(60, 0.3)) },
			gate.TargetMetrics{MaxLatency: time.Second}, 6 * time.Minute, "inconclusive"},
		{"enough requests for an average", func(f metricsFixture) { f.minutes("green", 30, 2, timed(60, 0.4)) },
			gate.TargetMetrics{MaxLatency: time.Second, Stat: "Average"}, 6 * time.Minute, "pass"},
		{"as slow as live", func(f metricsFixture) { steady(f); f.minutes("green", 6, 2, timed(300, 0.42)) },
			gate.TargetMetrics{LatencyRatio: new(1.5)}, 6 * time.Minute,
			"pass"},
		{"three times as slow", func(f metricsFixture) { steady(f); f.minutes("green", 6, 2, timed(300, 1.2)) },
			gate.TargetMetrics{LatencyRatio: new(1.5), MaxErrorRate: new(2.0)}, 6 * time.Minute,
			"fail"},
		{"at 100 %, compared with the time before", func(f metricsFixture) {
			f.minutes("blue", 12, 7, timed(300, 0.4))
			f.minutes("green", 6, 2, timed(300, 1.2))
		},
			gate.TargetMetrics{LatencyRatio: new(1.5)}, 6 * time.Minute,
			"fail"},
		{"too few live requests", func(f metricsFixture) {
			f.minutes("blue", 12, 2, timed(90, 0.4))
			f.minutes("green", 6, 2, timed(300, 1.2))
		},
			gate.TargetMetrics{LatencyRatio: new(1.5)}, 6 * time.Minute, "inconclusive"},
		{"newest without a latency", func(f metricsFixture) { f.minute("green", 3, timed(600, 0.3)); f.minute("green", 2, timed(600, 0)) },
			gate.TargetMetrics{MaxLatency: time.Second}, 3 * time.Minute, "pass"},
		{"newest with codes and without a latency", func(f metricsFixture) { f.minute("green", 3, timed(600, 0.3)); f.minute("green", 2, timed(600, 0)) },
			gate.TargetMetrics{MaxLatency: time.Second, MaxErrorRate: new(1.0)}, 3 * time.Minute,
			"pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			c.fill(f)
			wantVerdict(t, f.evaluate(t, c.args, c.ago), c.want)
		})
	}
}

// Each entry point is evaluated separately, and each of its incoming target groups is
// compared with all of its live ones.
func TestTargetMetrics_severalEntryPoints(t *testing.T) {
	t.Parallel()
	f := newMetricsFixture()
	f.minutes("green", 6, 2, withErrors(300, 0))
	f.minutes("teal", 6, 2, withErrors(300, 30))
	f.minutes("blue", 6, 2, withErrors(1000, 1))
	f.minutes("red", 6, 2, withErrors(500, 1))
	f.minutes("api-green", 6, 2, withErrors(300, 15))
	f.minutes("api-blue", 6, 2, withErrors(300, 15))
	api := func(environment string) traffic.Backend {
		b := backend("api-" + environment)
		b.Entry, b.Environment, b.Routes = "api", environment, []string{webRule}
		return b
	}
	in := rollout.GateInput{Step: 1, ChangedAt: noon.Add(-6 * time.Minute),
		Incoming: []traffic.Backend{backend("green"), backend("teal"), api("green")}, Live: []traffic.Backend{backend("blue"), api("blue"), backend("red")}}
	wantVerdict(t, f.evaluateAt(t, worseBy(0.5), in),
		"fail")
	wantVerdict(t, f.evaluateAt(t, errorRate(20), in), "pass")
	if len(f.fake.queried) != 2 {
		t.Errorf("got %d calls in two evaluations, want 2", len(f.fake.queried))
	}
}

// One call per region requests only the metrics that the limits use.
func TestTargetMetrics_requestsOnlyWhatItUses(t *testing.T) {
	t.Parallel()
	queriesOf := func(c gate.TargetMetrics) []string {
		f := newMetricsFixture()
		_ = f.evaluate(t, c, 6*time.Minute+10*time.Second)
		if len(f.fake.queried) != 1 {
			t.Fatalf("got %d calls, want 1", len(f.fake.queried))
		}
		in := f.fake.queried[0]
		all := []string{fmt.Sprintf("%s to %s", in.StartTime.Format("15:04:05"), in.EndTime.Format("15:04:05"))}
		for _, q := range in.MetricDataQueries {
			text := strings.TrimPrefix(seriesOf(q), "AWS/ApplicationELB ")
			text = strings.Replace(text, " "+balancer, "", 1)
			all = append(all, strings.Replace(text, "/73e2d6bc24d8a067 60", "", 1))
		}
		return all
	}
	errorMetricsOf := func(group string) []string {
		all := []string{"RequestCount Sum"}
		for _, metric := range []string{"HTTPCode_Target_2XX_Count", "HTTPCode_Target_3XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount"} {
			all = append(all, metric+" Sum")
		}
		for i := range all {
			all[i] += " TargetGroup=targetgroup/" + group
		}
		return all
	}
	for _, c := range []struct {
		name string
		args gate.TargetMetrics
		want []string
	}{
		{"errors", errorRate(1), slices.Concat([]string{"23:48:00 to 23:59:00"}, errorMetricsOf("green"), []string{"HTTPCode_ELB_5XX_Count Sum 60"}, errorMetricsOf("blue"))},
		{"errors compared", worseBy(1), slices.Concat([]string{"23:48:00 to 23:59:00"}, errorMetricsOf("green"), []string{"HTTPCode_ELB_5XX_Count Sum 60"}, errorMetricsOf("blue"))},
		{"latency", gate.TargetMetrics{MaxLatency: time.Second, Stat: "p90"}, []string{"23:54:00 to 23:59:00",
			"RequestCount Sum TargetGroup=targetgroup/green", "TargetResponseTime p90 TargetGroup=targetgroup/green"}},
		{"latency compared", gate.TargetMetrics{LatencyRatio: new(2.0)}, []string{"23:48:00 to 23:59:00",
			"RequestCount Sum TargetGroup=targetgroup/green", "TargetResponseTime p99 TargetGroup=targetgroup/green",
			"RequestCount Sum TargetGroup=targetgroup/blue", "TargetResponseTime p99 TargetGroup=targetgroup/blue"}},
	} {
		if got := queriesOf(c.args); !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n  %s\nwant\n  %s", c.name, strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
		}
	}
}

func TestTargetMetrics_regions(t *testing.T) {
	t.Parallel()
	west, east := newMetricsFixture(), newMetricsFixture()
	west.minutes("green", 6, 2, withErrors(300, 0))
	east.minutes("green", 6, 2, withErrors(300, 30))
	far := backend("green")
	far.Entry, far.Group = "far", strings.Replace(far.Group, "eu-west-1", "us-east-1", 1)
	far.Routes = []string{strings.Replace(webRoute, "eu-west-1", "us-east-1", 1)}
	c := errorRate(2)
	c.Lag = gate.DefaultLag
	g, _ := mustBuild(t)(gate.NewTargetMetrics(c, regionalDeps(map[string]*fakeCloudWatch{"eu-west-1": west.fake, "us-east-1": east.fake}))).(gate.Replayer)
	in := rollout.GateInput{ChangedAt: noon.Add(-6 * time.Minute), Incoming: []traffic.Backend{backend("green"), far}}
	wantVerdict(t, g.EvaluateAt(t.Context(), in, noon), "fail")
	if len(west.fake.queried) != 1 || len(east.fake.queried) != 1 {
		t.Errorf("got %d and %d calls in one evaluation, want 1 and 1", len(west.fake.queried), len(east.fake.queried))
	}
}

// Fifty entry points need more queries than CloudWatch accepts in one call.
func TestTargetMetrics_manyEntryPoints(t *testing.T) {
	t.Parallel()
	f := newMetricsFixture()
	in := rollout.GateInput{ChangedAt: noon.Add(-6 * time.Minute)}
	for i := range 50 {
		for _, environment := range []string{"green", "blue"} {
			one := backend(fmt.Sprint(environment, i))
			one.Entry = fmt.Sprint("e", i)
			f.minutes(one.Environment, 6, 2, withErrors(300, 0))
			if environment == "green" {
				in.Incoming = append(in.Incoming, one)
			} else {
				in.Live = append(in.Live, one)
			}
		}
	}
	if v := f.evaluateAt(t, worseBy(0.5), in); v.Status != rollout.Pass || strings.Count(v.Detail, "error rate not higher") != 50 {
		t.Errorf("got %s: %s", v.Status, v.Detail)
	}
	if len(f.fake.queried) != 2 || len(f.fake.queried[0].MetricDataQueries) != 500 || len(f.fake.queried[1].MetricDataQueries) != 101 {
		t.Errorf("got %d calls", len(f.fake.queried))
	}
}

func TestTargetMetrics_arguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args gate.TargetMetrics
		want int
	}{
		{"no limit", gate.TargetMetrics{}, 1},
		{"error rate of 100", errorRate(100), 1},
		{"negative error rate", errorRate(-1), 1},
		{"negative margin", worseBy(-0.5), 1},
		{"negative latency", gate.TargetMetrics{MaxLatency: -time.Second}, 1},
		{"negative ratio", gate.TargetMetrics{LatencyRatio: new(-2.0)}, 1},
		{"unsupported stat", gate.TargetMetrics{MaxLatency: 1, Stat: "Maximum"}, 1},
		{"p100", gate.TargetMetrics{MaxLatency: 1, Stat: "p100"}, 1},
		{"negative min_requests", gate.TargetMetrics{MaxLatency: 1, MinRequests: -1}, 1},
		{"confidence too low", gate.TargetMetrics{MaxLatency: 1, Confidence: new(0.5)}, 1},
		{"ratio of 0", gate.TargetMetrics{LatencyRatio: new(0.0)}, 1},
		{"confidence in percent", gate.TargetMetrics{MaxLatency: 1, Confidence: new(95.0)}, 1},
		{"invalid period", gate.TargetMetrics{MaxLatency: 1, Period: 15 * time.Second}, 1},
		{"lookback below the period", gate.TargetMetrics{MaxLatency: 1, Lookback: time.Second}, 1},
		{"negative lag", gate.TargetMetrics{MaxLatency: 1, Lag: -time.Second}, 1},
		{"error rate of 0", errorRate(0), 0},
		{"all arguments", gate.TargetMetrics{MaxErrorRate: new(2.0), MaxLatency: time.Second, Stat: "p99.9", MinRequests: 1, WorseThanLiveBy: new(0.0),
			Confidence: new(0.99), LatencyRatio: new(0.9), Lookback: time.Second, Period: time.Second}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantArgumentErrors(t, c.args.Check(), c.want)
			if _, err := gate.NewTargetMetrics(c.args, gate.Dependencies{}); (err != nil) != (c.want > 0) {
				t.Errorf("got error %v", err)
			}
		})
	}
}
