package gate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	elbPrefix = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
	webRoute  = elbPrefix + "listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
	webRule   = elbPrefix + "listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
	balancer  = "LoadBalancer=app/web/50dc6c495c0c9188"
)

// side is a group of the entry point web.
func side(environment string) rollout.Backend {
	return rollout.Backend{Entry: "web", Environment: environment, Group: elbPrefix + "targetgroup/" + environment + "/73e2d6bc24d8a067", Routes: []string{webRoute}}
}

// counts is what the balancer counted of a group in a minute.
type counts struct {
	requests, ok, moved, missing, failed, refused float64
	p99                                           float64 // seconds
}

// fine is a minute in which every request was answered well.
func fine(n float64) counts { return counts{requests: n, ok: n, p99: 0.2} }

// scene is a balancer's figures.
type scene struct {
	fake *fakeCloudWatch
}

func newScene() scene {
	return scene{&fakeCloudWatch{points: map[string]map[time.Time]float64{}}}
}

func (s scene) put(series string, ago int, v float64) {
	if v == 0 {
		return // a balancer sends nothing for what did not happen
	}
	if s.fake.points[series] == nil {
		s.fake.points[series] = map[time.Time]float64{}
	}
	s.fake.points[series][noon.Add(-time.Duration(ago)*time.Minute)] = v
}

// minute is what was counted in the minute that began so many minutes before noon.
func (s scene) minute(environment string, ago int, c counts) {
	for metric, v := range map[string]float64{
		"RequestCount Sum": c.requests, "HTTPCode_Target_2XX_Count Sum": c.ok, "HTTPCode_Target_3XX_Count Sum": c.moved,
		"HTTPCode_Target_4XX_Count Sum": c.missing, "HTTPCode_Target_5XX_Count Sum": c.failed, "TargetConnectionErrorCount Sum": c.refused,
		"TargetResponseTime p99": c.p99, "TargetResponseTime Average": c.p99 / 4,
	} {
		s.put(fmt.Sprintf("AWS/ApplicationELB %s %s TargetGroup=targetgroup/%s/73e2d6bc24d8a067 60", metric, balancer, environment), ago, v)
	}
}

// minutes is the same in several, the first of which began the longest ago.
func (s scene) minutes(environment string, from, to int, c counts) {
	for ago := from; ago >= to; ago-- {
		s.minute(environment, ago, c)
	}
}

// own is how many 5xx the balancer made itself.
func (s scene) own(ago int, n float64) {
	s.put("AWS/ApplicationELB HTTPCode_ELB_5XX_Count Sum "+balancer+" 60", ago, n)
}

// judge asks at noon, so long after the change from blue to green.
func (s scene) judge(t *testing.T, c gate.TargetMetrics, ago time.Duration) rollout.Verdict {
	t.Helper()
	return s.judgeAt(t, c, rollout.GateInput{Step: 1, ChangedAt: noon.Add(-ago), Incoming: []rollout.Backend{side("green")}, Live: []rollout.Backend{side("blue")}})
}

func (s scene) judgeAt(t *testing.T, c gate.TargetMetrics, m rollout.GateInput) rollout.Verdict {
	t.Helper()
	c.Lag = gate.DefaultLag
	g, ok := built(t)(gate.NewTargetMetrics(c, only(s.fake))).(gate.Replayer)
	if !ok {
		t.Fatal("the gate cannot be replayed")
	}
	return g.EvaluateAt(t.Context(), m, noon)
}

func errorRate(percent float64) gate.TargetMetrics {
	return gate.TargetMetrics{MaxErrorRate: &percent}
}
func worse(points float64) gate.TargetMetrics { return gate.TargetMetrics{WorseThanLiveBy: &points} }

// What counts as an error, in one minute.
func TestTargetMetrics_errors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		counts counts
		own    float64
		want   rollout.Status
	}{
		{"none", fine(100), 0, "pass"},
		{"what clients ask for in vain is none", counts{requests: 100, ok: 50, moved: 20, missing: 30}, 0,
			"pass"},
		{"the group's own", counts{requests: 100, ok: 97, failed: 3}, 0, "fail"},
		{"just at the limit", counts{requests: 100, ok: 98, failed: 2}, 0, "pass"},
		{"just above it", counts{requests: 100_000, ok: 97_999, failed: 2001}, 0,
			"fail"},
		{"answers that the balancer made", counts{requests: 100, ok: 95}, 5, "fail"},
		{"connections that failed", counts{requests: 100, ok: 95, refused: 5}, 0, "fail"},
		{"both tell of the same ones", counts{requests: 100, ok: 94, failed: 1, refused: 4}, 5,
			"fail"},
		{"connections that another try made good", counts{requests: 100, ok: 100, refused: 9}, 0,
			"pass"},
		{"the balancer's answers for others", fine(100), 500, "pass"},
		{"requests under way", counts{requests: 100, ok: 90}, 0, "pass"},
		{"requests under way, some of which failed", counts{requests: 100, ok: 88, failed: 1}, 1,
			"pass"},
		{"answers to requests of the minute before hide none", counts{requests: 100, ok: 98, failed: 4}, 0,
			"fail"},
		{"never more than requests", counts{requests: 60, failed: 70}, 0, "fail"},
		{"one", counts{requests: 60, ok: 59, failed: 1}, 0, "pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			s.minute("green", 2, c.counts)
			s.own(2, c.own)
			says(t, s.judge(t, errorRate(2), 2*time.Minute), c.want)
		})
	}
}

func TestTargetMetrics_window(t *testing.T) {
	t.Parallel()
	bad := counts{requests: 100, failed: 100}
	for _, c := range []struct {
		name string
		fill func(s scene)
		ago  time.Duration
		args gate.TargetMetrics
		want rollout.Status
	}{
		{"the newest five minutes", func(s scene) { s.minutes("green", 20, 7, bad); s.minutes("green", 6, 2, fine(100)) }, 30 * time.Minute, errorRate(2),
			"pass"},
		{"nothing from before the change", func(s scene) { s.minutes("green", 20, 5, bad); s.minutes("green", 4, 2, fine(100)) }, 4 * time.Minute, errorRate(2),
			"pass"},
		{"nothing from the minute of the change", func(s scene) { s.minute("green", 4, bad); s.minutes("green", 3, 2, fine(100)) }, 3*time.Minute + 10*time.Second, errorRate(2),
			"pass"},
		{"nothing that is not complete", func(s scene) { s.minute("green", 2, fine(100)); s.minute("green", 1, bad) }, 3 * time.Minute, errorRate(2),
			"pass"},
		{"as far back as it takes", func(s scene) { s.minutes("green", 20, 2, fine(6)) }, 30 * time.Minute, errorRate(2),
			"pass"},
		{"not far enough", func(s scene) { s.minutes("green", 20, 2, fine(6)) }, 8 * time.Minute, errorRate(2),
			"inconclusive"},
		{"fewer are enough", func(s scene) { s.minute("green", 2, fine(1)) }, 8 * time.Minute,
			gate.TargetMetrics{MaxErrorRate: new(2.0), MinRequests: 1}, "pass"},
		{"a longer lookback", func(s scene) { s.minutes("green", 20, 2, fine(100)) }, 30 * time.Minute,
			gate.TargetMetrics{MaxErrorRate: new(2.0), Lookback: 10*time.Minute + 30*time.Second}, "pass"},
		{"the newest has no answer yet", func(s scene) { s.minute("green", 3, fine(100)); s.minute("green", 2, counts{requests: 100}) }, 3 * time.Minute, errorRate(2),
			"pass"},
		{"the newest has no request yet", func(s scene) { s.minute("green", 3, fine(100)); s.minute("green", 2, counts{failed: 100}) }, 3 * time.Minute, errorRate(2),
			"pass"},
		{"the newest has no answer but the balancer's", func(s scene) {
			s.minute("green", 3, fine(100))
			s.minute("green", 2, counts{requests: 100})
			s.own(2, 100)
		}, 3 * time.Minute, errorRate(2), "fail"},
		{"an older one has no answer", func(s scene) { s.minute("green", 3, counts{requests: 100}); s.minute("green", 2, fine(100)) }, 3 * time.Minute, errorRate(2),
			"pass"},
		{"only the newest, and torn", func(s scene) { s.minute("green", 2, counts{requests: 100}) }, 2 * time.Minute, errorRate(2),
			"inconclusive"},
		{"a torn one of the live side counts as well", func(s scene) {
			s.minutes("green", 3, 2, fine(100))
			s.minute("blue", 3, fine(900))
			s.minute("blue", 2, counts{requests: 900})
		}, 3 * time.Minute, worse(0.5), "pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			c.fill(s)
			says(t, s.judge(t, c.args, c.ago), c.want)
		})
	}
}

// What each limit amounts to where there is no data.
func TestTargetMetrics_withoutData(t *testing.T) {
	t.Parallel()
	quiet := func(scene) {}
	oneSided := func(s scene) { s.minutes("green", 6, 2, fine(200)) }
	latency := gate.TargetMetrics{MaxLatency: time.Second}
	ratio := gate.TargetMetrics{LatencyRatio: new(1.5)}
	for _, c := range []struct {
		name string
		fill func(s scene)
		args gate.TargetMetrics
		ago  time.Duration
		want rollout.Status
	}{
		{"too early", oneSided, errorRate(2), 100 * time.Second, "inconclusive"},
		{"no request, errors", quiet, errorRate(2), time.Hour, "inconclusive"},
		{"no request, compared", quiet, worse(0.5), time.Hour, "inconclusive"},
		{"no request, latency", quiet, latency, time.Hour, "inconclusive"},
		{"no request, ratio", quiet, ratio, time.Hour, "inconclusive"},
		{"a silent live side, errors", oneSided, errorRate(2), time.Hour, "pass"},
		{"a silent live side, compared", oneSided, worse(0.5), time.Hour, "inconclusive"},
		{"a silent live side, latency", oneSided, latency, time.Hour, "pass"},
		{"a silent live side, ratio", oneSided, ratio, time.Hour, "inconclusive"},
		{"a bad release and a silent live side", func(s scene) { s.minutes("green", 6, 2, counts{requests: 200, ok: 100, failed: 100}) },
			gate.TargetMetrics{MaxErrorRate: new(2.0), WorseThanLiveBy: new(0.5)}, time.Hour,
			"fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			c.fill(s)
			says(t, s.judge(t, c.args, c.ago), c.want)
		})
	}
}

// A first release and an environment's proof have nobody to be compared with, and
// a group that no route names is not counted by the balancer.
func TestTargetMetrics_sidesThatAreNotThere(t *testing.T) {
	t.Parallel()
	detached := side("green")
	detached.Routes = nil
	for _, c := range []struct {
		name   string
		args   gate.TargetMetrics
		moment rollout.GateInput
		want   rollout.Status
	}{
		{"nothing gives, errors", gate.TargetMetrics{MaxErrorRate: new(2.0), WorseThanLiveBy: new(0.5)}, rollout.GateInput{Incoming: []rollout.Backend{side("green")}},
			"pass"},
		{"nothing gives, latency", gate.TargetMetrics{MaxLatency: time.Second, LatencyRatio: new(2.0)}, rollout.GateInput{Incoming: []rollout.Backend{side("green")}},
			"pass"},
		{"nothing gives, comparisons alone", gate.TargetMetrics{WorseThanLiveBy: new(0.5), LatencyRatio: new(2.0)}, rollout.GateInput{Incoming: []rollout.Backend{side("green")}},
			"pass"},
		{"what gives is detached", worse(0.5), rollout.GateInput{Incoming: []rollout.Backend{side("green")}, Live: []rollout.Backend{detached}},
			"pass"},
		{"detached", errorRate(2), rollout.GateInput{Incoming: []rollout.Backend{detached}},
			"inconclusive"},
		{"nothing receives", errorRate(2), rollout.GateInput{Live: []rollout.Backend{side("blue")}}, "inconclusive"},
		{"not of a balancer", errorRate(2), rollout.GateInput{Incoming: []rollout.Backend{{Group: "green", Routes: []string{webRoute}}}}, "error"},
		{"not of an Application Load Balancer", errorRate(2), rollout.GateInput{Incoming: []rollout.Backend{{Group: side("green").Group,
			Routes: []string{strings.Replace(webRoute, "/app/", "/net/", 1)}}}}, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			s.minutes("green", 20, 2, fine(200))
			c.moment.ChangedAt = noon.Add(-time.Hour)
			says(t, s.judgeAt(t, c.args, c.moment), c.want)
		})
	}
}

func TestTargetMetrics_couldNotAsk(t *testing.T) {
	t.Parallel()
	denied := answered(403, "AccessDenied", "not authorized to perform: cloudwatch:GetMetricData")
	s := newScene()
	s.fake.err = denied
	v := s.judge(t, errorRate(2), time.Hour)
	says(t, v, "error")
	if !errors.Is(v.Err, denied) {
		t.Errorf("the cause is %v", v.Err)
	}
	s = newScene()
	s.fake.status, s.fake.remark = types.StatusCodePartialData, "too much"
	says(t, s.judge(t, errorRate(2), time.Hour), "inconclusive")

	g := built(t)(gate.NewTargetMetrics(errorRate(2), means(nil)))
	v = g.Evaluate(t.Context(), rollout.GateInput{ChangedAt: time.Now().Add(-time.Hour), Incoming: []rollout.Backend{side("green")}})
	says(t, v, "error")
	if !errors.Is(v.Err, errNoClient) {
		t.Errorf("the cause is %v", v.Err)
	}
}

func TestTargetMetrics_ahead(t *testing.T) {
	t.Parallel()
	m := rollout.GateInput{Incoming: []rollout.Backend{side("green")}, Live: []rollout.Backend{side("blue")}}
	for name, c := range map[string]struct {
		fake *fakeCloudWatch
		want rollout.Status
	}{
		"it may":     {&fakeCloudWatch{}, "pass"},
		"it may not": {&fakeCloudWatch{err: answered(403, "AccessDenied", "no")}, "error"},
		"not now":    {&fakeCloudWatch{err: errors.New("no route to host")}, "inconclusive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			says(t, ahead(t, built(t)(gate.NewTargetMetrics(worse(0.5), only(c.fake))), m), c.want)
		})
	}
	bad := rollout.GateInput{Incoming: []rollout.Backend{{Group: "green", Routes: []string{webRoute}}}}
	says(t, ahead(t, built(t)(gate.NewTargetMetrics(worse(0.5), only(&fakeCloudWatch{}))), bad), "error")
}

// Evaluate goes by the clock.
func TestTargetMetrics_judgesNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		s.minutes("green", 4, 2, fine(100))
		c := errorRate(2)
		c.Lag = gate.DefaultLag
		g := built(t)(gate.NewTargetMetrics(c, only(s.fake)))
		says(t, g.Evaluate(t.Context(), rollout.GateInput{ChangedAt: time.Now().Add(-4 * time.Minute), Incoming: []rollout.Backend{side("green")}}),
			"pass")
	})
}
