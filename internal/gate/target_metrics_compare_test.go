package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// bad is a minute in which some requests failed.
func bad(n, failed float64) counts {
	return counts{requests: n, ok: n - failed, failed: failed, p99: 0.2}
}

func TestTargetMetrics_worseThanLive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fill func(s scene)
		args gate.TargetMetrics
		ago  time.Duration
		want rollout.Status
	}{
		{"much worse, after a minute", func(s scene) { s.minute("green", 2, bad(1500, 40)); s.minute("blue", 2, bad(28_500, 57)) }, worse(0.5), 2 * time.Minute,
			"fail"},
		{"worse within the margin", func(s scene) { s.minute("green", 2, bad(1500, 9)); s.minute("blue", 2, bad(28_500, 57)) }, worse(0.5), 2 * time.Minute,
			"pass"},
		{"worse, but it may be chance", func(s scene) { s.minute("green", 2, bad(1500, 14)); s.minute("blue", 2, bad(28_500, 57)) }, worse(0.5), 2 * time.Minute,
			"pass"},
		{"what would do on the first look", func(s scene) { s.minute("green", 2, bad(1500, 18)); s.minute("blue", 2, bad(28_500, 56)) }, worse(0.5), 2 * time.Minute,
			"fail"},
		{"does not on the second", func(s scene) { s.minutes("green", 3, 2, bad(750, 9)); s.minutes("blue", 3, 2, bad(14_250, 28)) }, worse(0.5), 3 * time.Minute,
			"pass"},
		{"at 100 % against the time before", func(s scene) {
			s.minutes("green", 6, 2, bad(1000, 30))
			s.minutes("blue", 12, 7, bad(1000, 2))
			s.minutes("blue", 6, 2, bad(9, 9)) // the last sticky ones
		}, worse(0.5), 6*time.Minute + 20*time.Second,
			"fail"},
		{"with more confidence", func(s scene) { s.minute("green", 2, bad(1500, 20)); s.minute("blue", 2, bad(28_500, 57)) },
			gate.TargetMetrics{WorseThanLiveBy: new(0.5), Confidence: new(0.999)}, 2 * time.Minute,
			"pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			c.fill(s)
			says(t, s.judge(t, c.args, c.ago), c.want)
		})
	}
}

func TestTargetMetrics_latency(t *testing.T) {
	t.Parallel()
	took := func(n, seconds float64) counts { return counts{requests: n, ok: n, p99: seconds} }
	steady := func(s scene) { s.minutes("blue", 20, 2, took(3000, 0.4)) }
	for _, c := range []struct {
		name string
		fill func(s scene)
		args gate.TargetMetrics
		ago  time.Duration
		want rollout.Status
	}{
		{"the middle minute", func(s scene) {
			for i, seconds := range []float64{0.3, 9, 0.35, 0.2, 0.31} {
				s.minute("green", 6-i, took(200, seconds))
			}
		}, gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, time.Hour, "pass"},
		{"the upper one of two", func(s scene) {
			s.minute("green", 4, took(150, 0.25))
			s.minute("green", 3, took(150, 0.3))
			s.minute("green", 2, took(300, 0.6))
		}, gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, 4 * time.Minute, "fail"},
		{"one slow minute", func(s scene) { s.minute("green", 2, took(600, 9)) },
			gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, 2 * time.Minute, "inconclusive"},
		{"three with a short lookback", func(s scene) { s.minutes("green", 6, 2, took(600, 9)) },
			gate.TargetMetrics{MaxLatency: 500 * time.Millisecond, Lookback: time.Minute}, time.Hour, "fail"},
		{"by its requests", func(s scene) {
			s.minute("green", 4, took(600, 0.3))
			s.minutes("green", 3, 2, took(200, 0.6))
		}, gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, 4 * time.Minute, "pass"},
		{"just above", func(s scene) { s.minutes("green", 4, 2, took(600, 0.5000001)) },
			gate.TargetMetrics{MaxLatency: 500 * time.Millisecond}, 4 * time.Minute, "fail"},
		{"as far back as it takes", func(s scene) { s.minutes("green", 30, 2, took(60, 0.3)) },
			gate.TargetMetrics{MaxLatency: time.Second}, time.Hour, "pass"},
		{"too few", func(s scene) { s.minutes("green", 30, 2, took(60, 0.3)) },
			gate.TargetMetrics{MaxLatency: time.Second}, 6 * time.Minute, "inconclusive"},
		{"enough for an average", func(s scene) { s.minutes("green", 30, 2, took(60, 0.4)) },
			gate.TargetMetrics{MaxLatency: time.Second, Stat: "Average"}, 6 * time.Minute, "pass"},
		{"as slow as before", func(s scene) { steady(s); s.minutes("green", 6, 2, took(300, 0.42)) },
			gate.TargetMetrics{LatencyRatio: new(1.5)}, 6 * time.Minute,
			"pass"},
		{"three times as slow", func(s scene) { steady(s); s.minutes("green", 6, 2, took(300, 1.2)) },
			gate.TargetMetrics{LatencyRatio: new(1.5), MaxErrorRate: new(2.0)}, 6 * time.Minute,
			"fail"},
		{"at 100 % against the time before", func(s scene) { s.minutes("blue", 12, 7, took(300, 0.4)); s.minutes("green", 6, 2, took(300, 1.2)) },
			gate.TargetMetrics{LatencyRatio: new(1.5)}, 6 * time.Minute,
			"fail"},
		{"too few to compare with", func(s scene) { s.minutes("blue", 12, 2, took(90, 0.4)); s.minutes("green", 6, 2, took(300, 1.2)) },
			gate.TargetMetrics{LatencyRatio: new(1.5)}, 6 * time.Minute, "inconclusive"},
		{"the newest has no time yet", func(s scene) { s.minute("green", 3, took(600, 0.3)); s.minute("green", 2, took(600, 0)) },
			gate.TargetMetrics{MaxLatency: time.Second}, 3 * time.Minute, "pass"},
		{"the newest has codes and no time yet", func(s scene) { s.minute("green", 3, took(600, 0.3)); s.minute("green", 2, took(600, 0)) },
			gate.TargetMetrics{MaxLatency: time.Second, MaxErrorRate: new(1.0)}, 3 * time.Minute,
			"pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			c.fill(s)
			says(t, s.judge(t, c.args, c.ago), c.want)
		})
	}
}

// Every entry point is judged for itself, and every group that receives there
// against all that give.
func TestTargetMetrics_severalEntryPoints(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.minutes("green", 6, 2, bad(300, 0))
	s.minutes("teal", 6, 2, bad(300, 30))
	s.minutes("blue", 6, 2, bad(1000, 1))
	s.minutes("red", 6, 2, bad(500, 1))
	s.minutes("api-green", 6, 2, bad(300, 15))
	s.minutes("api-blue", 6, 2, bad(300, 15))
	api := func(environment string) rollout.Backend {
		s := side("api-" + environment)
		s.Entry, s.Environment, s.Routes = "api", environment, []string{webRule}
		return s
	}
	m := rollout.GateInput{Step: 1, ChangedAt: noon.Add(-6 * time.Minute),
		Incoming: []rollout.Backend{side("green"), side("teal"), api("green")}, Live: []rollout.Backend{side("blue"), api("blue"), side("red")}}
	says(t, s.judgeAt(t, worse(0.5), m),
		"fail")
	says(t, s.judgeAt(t, errorRate(20), m), "pass")
	if len(s.fake.asked) != 2 {
		t.Errorf("%d calls in two rounds", len(s.fake.asked))
	}
}

// One call for each region, of what is needed and no more.
func TestTargetMetrics_asksForWhatItNeeds(t *testing.T) {
	t.Parallel()
	of := func(c gate.TargetMetrics) []string {
		s := newScene()
		_ = s.judge(t, c, 6*time.Minute+10*time.Second)
		if len(s.fake.asked) != 1 {
			t.Fatalf("%d calls", len(s.fake.asked))
		}
		in := s.fake.asked[0]
		asked := []string{fmt.Sprintf("%s to %s", in.StartTime.Format("15:04:05"), in.EndTime.Format("15:04:05"))}
		for _, q := range in.MetricDataQueries {
			text := strings.TrimPrefix(seriesOf(q), "AWS/ApplicationELB ")
			text = strings.Replace(text, " "+balancer, "", 1)
			asked = append(asked, strings.Replace(text, "/73e2d6bc24d8a067 60", "", 1))
		}
		return asked
	}
	errorsOf := func(group string) []string {
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
		{"errors", errorRate(1), slices.Concat([]string{"23:48:00 to 23:59:00"}, errorsOf("green"), []string{"HTTPCode_ELB_5XX_Count Sum 60"}, errorsOf("blue"))},
		{"errors compared", worse(1), slices.Concat([]string{"23:48:00 to 23:59:00"}, errorsOf("green"), []string{"HTTPCode_ELB_5XX_Count Sum 60"}, errorsOf("blue"))},
		{"latency", gate.TargetMetrics{MaxLatency: time.Second, Stat: "p90"}, []string{"23:54:00 to 23:59:00",
			"RequestCount Sum TargetGroup=targetgroup/green", "TargetResponseTime p90 TargetGroup=targetgroup/green"}},
		{"latency compared", gate.TargetMetrics{LatencyRatio: new(2.0)}, []string{"23:48:00 to 23:59:00",
			"RequestCount Sum TargetGroup=targetgroup/green", "TargetResponseTime p99 TargetGroup=targetgroup/green",
			"RequestCount Sum TargetGroup=targetgroup/blue", "TargetResponseTime p99 TargetGroup=targetgroup/blue"}},
	} {
		if got := of(c.args); !slices.Equal(got, c.want) {
			t.Errorf("%s: it asks\n  %s\nwant\n  %s", c.name, strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
		}
	}
}

func TestTargetMetrics_regions(t *testing.T) {
	t.Parallel()
	west, east := newScene(), newScene()
	west.minutes("green", 6, 2, bad(300, 0))
	east.minutes("green", 6, 2, bad(300, 30))
	far := side("green")
	far.Entry, far.Group = "far", strings.Replace(far.Group, "eu-west-1", "us-east-1", 1)
	far.Routes = []string{strings.Replace(webRoute, "eu-west-1", "us-east-1", 1)}
	c := errorRate(2)
	c.Lag = gate.DefaultLag
	g, _ := built(t)(gate.NewTargetMetrics(c, means(map[string]*fakeCloudWatch{"eu-west-1": west.fake, "us-east-1": east.fake}))).(gate.Replayer)
	m := rollout.GateInput{ChangedAt: noon.Add(-6 * time.Minute), Incoming: []rollout.Backend{side("green"), far}}
	says(t, g.EvaluateAt(t.Context(), m, noon), "fail")
	if len(west.fake.asked) != 1 || len(east.fake.asked) != 1 {
		t.Errorf("%d and %d calls in a round", len(west.fake.asked), len(east.fake.asked))
	}
}

// Fifty entry points are more than CloudWatch takes in a call.
func TestTargetMetrics_manyEntryPoints(t *testing.T) {
	t.Parallel()
	s := newScene()
	m := rollout.GateInput{ChangedAt: noon.Add(-6 * time.Minute)}
	for i := range 50 {
		for _, environment := range []string{"green", "blue"} {
			one := side(fmt.Sprint(environment, i))
			one.Entry = fmt.Sprint("e", i)
			s.minutes(one.Environment, 6, 2, bad(300, 0))
			if environment == "green" {
				m.Incoming = append(m.Incoming, one)
			} else {
				m.Live = append(m.Live, one)
			}
		}
	}
	if v := s.judgeAt(t, worse(0.5), m); v.Status != rollout.Pass || strings.Count(v.Detail, "error rate not higher") != 50 {
		t.Errorf("it says %s: %s", v.Status, v.Detail)
	}
	if len(s.fake.asked) != 2 || len(s.fake.asked[0].MetricDataQueries) != 500 || len(s.fake.asked[1].MetricDataQueries) != 101 {
		t.Errorf("%d calls", len(s.fake.asked))
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
		{"a rate of all", errorRate(100), 1},
		{"a negative rate", errorRate(-1), 1},
		{"a negative margin", worse(-0.5), 1},
		{"a negative latency", gate.TargetMetrics{MaxLatency: -time.Second}, 1},
		{"a negative ratio", gate.TargetMetrics{LatencyRatio: new(-2.0)}, 1},
		{"another stat", gate.TargetMetrics{MaxLatency: 1, Stat: "Maximum"}, 1},
		{"the very slowest", gate.TargetMetrics{MaxLatency: 1, Stat: "p100"}, 1},
		{"negative requests", gate.TargetMetrics{MaxLatency: 1, MinRequests: -1}, 1},
		{"too little confidence", gate.TargetMetrics{MaxLatency: 1, Confidence: new(0.5)}, 1},
		{"a ratio of nothing", gate.TargetMetrics{LatencyRatio: new(0.0)}, 1},
		{"confidence in percent", gate.TargetMetrics{MaxLatency: 1, Confidence: new(95.0)}, 1},
		{"a period that is none", gate.TargetMetrics{MaxLatency: 1, Period: 15 * time.Second}, 1},
		{"a short lookback", gate.TargetMetrics{MaxLatency: 1, Lookback: time.Second}, 1},
		{"a negative lag", gate.TargetMetrics{MaxLatency: 1, Lag: -time.Second}, 1},
		{"no error at all", errorRate(0), 0},
		{"everything", gate.TargetMetrics{MaxErrorRate: new(2.0), MaxLatency: time.Second, Stat: "p99.9", MinRequests: 1, WorseThanLiveBy: new(0.0),
			Confidence: new(0.99), LatencyRatio: new(0.9), Lookback: time.Second, Period: time.Second}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			refuses(t, c.args.Check(), c.want)
			if _, err := gate.NewTargetMetrics(c.args, gate.Dependencies{}); (err != nil) != (c.want > 0) {
				t.Errorf("making it returns %v", err)
			}
		})
	}
}
