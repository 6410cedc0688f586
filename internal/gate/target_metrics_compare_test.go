package gate_test

import (
	"fmt"
	"math"
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
	return counts{requests: n, ok: n - failed, failed: failed}
}

// usual is an hour of a live environment with 0.2 % errors and 1 % slow responses,
// until the minute that started ago.
func usual(f metricsFixture, ago int) {
	f.minutes("blue", ago+60, ago, counts{requests: 28_500, ok: 28_443, failed: 57, slow: 285})
}

func errorRatio(times float64) gate.TargetMetrics { return gate.TargetMetrics{ErrorRatio: &times} }

func TestTargetMetrics_comparesErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fill func(f metricsFixture)
		args gate.TargetMetrics
		ago  time.Duration
		want rollout.Status
	}{
		{"much worse after a minute", func(f metricsFixture) { f.minute("green", 2, withErrors(1500, 40)) }, worseBy(0.5), 2 * time.Minute,
			"fail"},
		{"worse within the margin", func(f metricsFixture) { f.minute("green", 2, withErrors(1500, 9)) }, worseBy(0.5), 2 * time.Minute,
			"pass"},
		{"worse, not significant", func(f metricsFixture) { f.minute("green", 2, withErrors(1500, 14)) }, worseBy(0.5), 2 * time.Minute,
			"pass"},
		{"significant", func(f metricsFixture) { f.minute("green", 2, withErrors(1500, 19)) }, worseBy(0.5), 2 * time.Minute,
			"fail"},
		{"significant in a later evaluation", func(f metricsFixture) {
			f.minute("green", 3, withErrors(750, 9))
			f.minute("green", 2, withErrors(750, 10))
		}, worseBy(0.5), 3 * time.Minute,
			"fail"},
		{"significantly above live, not above what hosts differ by", func(f metricsFixture) { f.minute("green", 2, withErrors(1500, 10)) }, worseBy(0), 2 * time.Minute,
			"pass"},
		{"significantly above what hosts differ by", func(f metricsFixture) { f.minute("green", 2, withErrors(1500, 13)) }, worseBy(0), 2 * time.Minute,
			"fail"},
		{"not significant at a higher confidence", func(f metricsFixture) { f.minute("green", 2, withErrors(1500, 20)) },
			gate.TargetMetrics{WorseThanLiveBy: new(0.5), Confidence: new(0.999)}, 2 * time.Minute,
			"pass"},
		{"hosts that differ", func(f metricsFixture) { f.minutes("green", 11, 2, withErrors(3000, 9)) }, worseBy(0), 11 * time.Minute,
			"pass"},
		{"twice as many without a margin", func(f metricsFixture) { f.minutes("green", 11, 2, withErrors(3000, 15)) }, worseBy(0), 11 * time.Minute,
			"fail"},
		{"small in points, large as a ratio", func(f metricsFixture) { f.minutes("green", 6, 2, withErrors(1500, 10)) }, worseBy(0.5), 6 * time.Minute,
			"pass"},
		{"the same with a ratio", func(f metricsFixture) { f.minutes("green", 6, 2, withErrors(1500, 10)) }, errorRatio(2), 6 * time.Minute,
			"fail"},
		{"within the ratio", func(f metricsFixture) { f.minutes("green", 6, 2, withErrors(1500, 5)) }, errorRatio(2), 6 * time.Minute,
			"pass"},
		{"better", func(f metricsFixture) { f.minutes("green", 6, 2, withErrors(1500, 1)) }, errorRatio(2), 6 * time.Minute,
			"pass"},
		{"a ratio is the reason, not the margin", func(f metricsFixture) { f.minutes("green", 6, 2, withErrors(1500, 11)) },
			gate.TargetMetrics{MaxErrorRate: new(0.7), WorseThanLiveBy: new(0.5), ErrorRatio: new(2.0)}, 6 * time.Minute,
			"fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			usual(f, 2)
			c.fill(f)
			wantVerdict(t, f.evaluate(t, c.args, c.ago), c.want)
		})
	}
}

// Without live requests at the same time, the hour before the change counts.
func TestTargetMetrics_comparesWithTheTimeBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		before func(f metricsFixture)
		green  counts
		want   rollout.Status
	}{
		{"as good", func(f metricsFixture) { usual(f, 7) }, withErrors(30_000, 60), "pass"},
		{"worse", func(f metricsFixture) { usual(f, 7) }, withErrors(30_000, 900), "fail"},
		{"always as bad as live in a few minutes before", func(f metricsFixture) {
			usual(f, 7)
			for ago := 10; ago < 67; ago += 8 {
				f.minute("blue", ago, withErrors(28_500, 1425))
			}
		}, withErrors(30_000, 900), "fail"},
		{"always as bad as live in many minutes before", func(f metricsFixture) {
			usual(f, 7)
			for ago := 10; ago < 67; ago += 4 {
				f.minute("blue", ago, withErrors(28_500, 1425))
			}
		}, withErrors(30_000, 900), "pass"},
		{"no errors before, few now", func(f metricsFixture) { f.minutes("blue", 67, 7, succeeded(28_500)) }, withErrors(30_000, 90), "pass"},
		{"no errors before, many now", func(f metricsFixture) { f.minutes("blue", 67, 7, succeeded(28_500)) }, withErrors(30_000, 900), "fail"},
		{"a short time before", func(f metricsFixture) { f.minutes("blue", 8, 7, withErrors(28_500, 57)) }, withErrors(30_000, 900), "fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			c.before(f)
			f.minutes("blue", 6, 2, withErrors(60, 60)) // the last sticky sessions
			f.minutes("green", 6, 2, c.green)
			wantVerdict(t, f.evaluate(t, worseBy(0.5), 6*time.Minute+20*time.Second), c.want)
		})
	}
}

// A release that fails from one minute on is detected in that minute, whether or not
// live had errors before.
func TestTargetMetrics_detectsAReleaseThatBreaksLater(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]counts{"some errors before": withErrors(28_500, 57), "no errors before": succeeded(28_500)} {
		for _, c := range []gate.TargetMetrics{errorRate(1), worseBy(0.5), errorRatio(2)} {
			f := newMetricsFixture()
			f.minutes("blue", 70, 2, before)
			f.minutes("green", 10, 3, withErrors(1500, 2))
			f.minute("green", 2, withErrors(1500, 1500))
			if v := f.evaluate(t, c, 10*time.Minute); v.Status != rollout.Fail {
				t.Errorf("%s: got %s: %s", name, v.Status, v.Detail)
			}
		}
	}
}

// The error of a step is shared by limits and entry points, and that of more than two
// steps is twice that of one.
func TestTargetMetrics_sharesTheError(t *testing.T) {
	t.Parallel()
	evaluate := func(c gate.TargetMetrics, change func(*rollout.GateInput)) rollout.Status {
		f := newMetricsFixture()
		usual(f, 2)
		f.minute("green", 2, withErrors(1500, 12))
		in := rollout.GateInput{Step: 1, ChangedAt: noon.Add(-2 * time.Minute), Incoming: []traffic.Backend{backend("green")}, Live: []traffic.Backend{backend("blue")}}
		change(&in)
		return f.evaluateAt(t, c, in).Status
	}
	for name, c := range map[string]struct {
		args   gate.TargetMetrics
		change func(*rollout.GateInput)
		want   rollout.Status
	}{
		"one step":     {worseBy(0), func(*rollout.GateInput) {}, "fail"},
		"two steps":    {worseBy(0), func(in *rollout.GateInput) { in.Steps = 2 }, "fail"},
		"ten steps":    {worseBy(0), func(in *rollout.GateInput) { in.Steps = 10 }, "pass"},
		"three limits": {gate.TargetMetrics{WorseThanLiveBy: new(0.0), ErrorRatio: new(40.0), MaxErrorRate: new(5.0)}, func(*rollout.GateInput) {}, "pass"},
		"three entry points": {worseBy(0), func(in *rollout.GateInput) {
			for _, name := range []string{"a", "b"} {
				other := backend(name)
				other.Entry = name
				in.Incoming = append(in.Incoming, other)
			}
		}, "pass"}, // the others have no live side
	} {
		if got := evaluate(c.args, c.change); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestTargetMetrics_slowResponses(t *testing.T) {
	t.Parallel()
	timed := func(n, slow float64) counts { return counts{requests: n, ok: n, slow: slow} }
	limit := gate.TargetMetrics{MaxSlowRate: new(2.0), SlowThreshold: halfASecond}
	margin := gate.TargetMetrics{SlowerThanLiveBy: new(0.5), SlowThreshold: halfASecond}
	ratio := gate.TargetMetrics{SlowRatio: new(2.0), SlowThreshold: halfASecond}
	for _, c := range []struct {
		name string
		fill func(f metricsFixture)
		args gate.TargetMetrics
		ago  time.Duration
		want rollout.Status
	}{
		{"none", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 0)) }, limit, 6 * time.Minute, "pass"},
		{"at the limit", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 30)) }, limit, 6 * time.Minute, "pass"},
		{"above the limit, perhaps by chance", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 33)) }, limit, 6 * time.Minute,
			"pass"},
		{"above the limit", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 60)) }, limit, 6 * time.Minute, "fail"},
		{"all slow", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 1500)) }, limit, 6 * time.Minute, "fail"},
		{"one slow minute so far", func(f metricsFixture) { f.minute("green", 2, timed(1500, 1500)) }, limit, 2 * time.Minute,
			"inconclusive"},
		{"one slow minute of five", func(f metricsFixture) {
			f.minute("green", 6, timed(1500, 1500))
			f.minutes("green", 5, 2, timed(1500, 15))
		}, limit, 6 * time.Minute,
			"pass"},
		{"one slow minute of five, compared", func(f metricsFixture) {
			f.minute("green", 6, timed(1500, 1500))
			f.minutes("green", 5, 2, timed(1500, 15))
		}, margin, 6 * time.Minute,
			"pass"},
		{"three slow minutes with a short lookback", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 150)) },
			gate.TargetMetrics{MaxSlowRate: new(2.0), SlowThreshold: halfASecond, Lookback: time.Minute}, time.Hour, "fail"},
		{"as slow as live", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 17)) }, margin, 6 * time.Minute,
			"pass"},
		{"three times as many", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 45)) }, margin, 6 * time.Minute,
			"fail"},
		{"three times as many, as a ratio", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 45)) }, ratio, 6 * time.Minute,
			"fail"},
		{"within the ratio", func(f metricsFixture) { f.minutes("green", 6, 2, timed(1500, 28)) }, ratio, 6 * time.Minute,
			"pass"},
		{"too few requests", func(f metricsFixture) { f.minutes("green", 6, 2, timed(9, 0)) }, limit, 6 * time.Minute, "inconclusive"},
		{"newest without response times", func(f metricsFixture) {
			f.minute("green", 3, timed(600, 3))
			f.minute("green", 2, counts{requests: 600, ok: 600, untimed: true})
		}, limit, 3 * time.Minute, "pass"},
		{"newest with codes and without response times", func(f metricsFixture) {
			f.minute("green", 3, timed(600, 3))
			f.minute("green", 2, counts{requests: 600, ok: 600, untimed: true})
		}, gate.TargetMetrics{MaxSlowRate: new(2.0), SlowThreshold: halfASecond, MaxErrorRate: new(1.0)}, 3 * time.Minute,
			"pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			usual(f, 2)
			c.fill(f)
			wantVerdict(t, f.evaluate(t, c.args, c.ago), c.want)
		})
	}
}

// A verdict gives only the limits that are its reason: text of a limit that was not
// exceeded beside one that was would contradict it.
func TestTargetMetrics_verdictsDoNotContradictThemselves(t *testing.T) {
	t.Parallel()
	for errors := 0.0; errors < 60; errors += 3 {
		f := newMetricsFixture()
		usual(f, 2)
		f.minutes("green", 6, 2, withErrors(1500, errors))
		v := f.evaluate(t, gate.TargetMetrics{MaxErrorRate: new(0.6), WorseThanLiveBy: new(0.5), ErrorRatio: new(3.0)}, 6*time.Minute)
		isChance := strings.Contains(v.Detail, "not statistically significant")
		isSignificant := strings.Contains(strings.ReplaceAll(v.Detail, "not statistically", ""), "statistically significant")
		if isChance && v.Status == rollout.Fail || isSignificant != (v.Status == rollout.Fail) {
			t.Errorf("%g errors: %s: %s", errors, v.Status, v.Detail)
		}
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
		{"errors", errorRate(1), slices.Concat([]string{"22:53:00 to 23:59:00"}, errorMetricsOf("green"), []string{"HTTPCode_ELB_5XX_Count Sum 60"}, errorMetricsOf("blue"))},
		{"errors compared", worseBy(1), slices.Concat([]string{"22:53:00 to 23:59:00"}, errorMetricsOf("green"), []string{"HTTPCode_ELB_5XX_Count Sum 60"}, errorMetricsOf("blue"))},
		{"slow responses", gate.TargetMetrics{MaxSlowRate: new(1.0), SlowThreshold: 1500 * time.Millisecond}, []string{"22:53:00 to 23:59:00",
			"RequestCount Sum TargetGroup=targetgroup/green", "TargetResponseTime PR(:1.5) TargetGroup=targetgroup/green",
			"RequestCount Sum TargetGroup=targetgroup/blue", "TargetResponseTime PR(:1.5) TargetGroup=targetgroup/blue"}},
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
		{"negative threshold", gate.TargetMetrics{MaxSlowRate: new(1.0), SlowThreshold: -time.Second}, 1},
		{"no threshold", gate.TargetMetrics{SlowRatio: new(2.0)}, 1},
		{"threshold without a limit", gate.TargetMetrics{MaxErrorRate: new(1.0), SlowThreshold: time.Second}, 1},
		{"slow rate of 100", gate.TargetMetrics{MaxSlowRate: new(100.0), SlowThreshold: time.Second}, 1},
		{"negative slow margin", gate.TargetMetrics{SlowerThanLiveBy: new(-1.0), SlowThreshold: time.Second}, 1},
		{"ratio of hosts that differ", errorRatio(1.4), 1},
		{"slow ratio of 1", gate.TargetMetrics{SlowRatio: new(1.0), SlowThreshold: time.Second}, 1},
		{"infinite ratio", errorRatio(math.Inf(1)), 1},
		{"negative min_requests", gate.TargetMetrics{MaxErrorRate: new(1.0), MinRequests: -1}, 1},
		{"confidence too low", gate.TargetMetrics{MaxErrorRate: new(1.0), Confidence: new(0.5)}, 1},
		{"confidence in percent", gate.TargetMetrics{MaxErrorRate: new(1.0), Confidence: new(95.0)}, 1},
		{"invalid period", gate.TargetMetrics{MaxErrorRate: new(1.0), Period: 15 * time.Second}, 1},
		{"lookback below the period", gate.TargetMetrics{MaxErrorRate: new(1.0), Lookback: time.Second}, 1},
		{"negative lag", gate.TargetMetrics{MaxErrorRate: new(1.0), Lag: -time.Second}, 1},
		{"error rate of 0", errorRate(0), 0},
		{"all arguments", gate.TargetMetrics{MaxErrorRate: new(2.0), WorseThanLiveBy: new(0.0), ErrorRatio: new(1.5), SlowThreshold: 1,
			MaxSlowRate: new(1.0), SlowerThanLiveBy: new(0.0), SlowRatio: new(1.5), MinRequests: 1,
			Confidence: new(0.99), Lookback: time.Second, Period: time.Second}, 0},
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
