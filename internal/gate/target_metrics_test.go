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
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	elbPrefix = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
	webRoute  = elbPrefix + "listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
	webRule   = elbPrefix + "listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
	balancer  = "LoadBalancer=app/web/50dc6c495c0c9188"
)

// backend returns a target group of the entry point web.
func backend(environment string) traffic.Backend {
	return traffic.Backend{Entry: "web", Environment: environment, Group: elbPrefix + "targetgroup/" + environment + "/73e2d6bc24d8a067", Routes: []string{webRoute}}
}

const halfASecond = 500 * time.Millisecond

// counts is the metrics of a target group for a minute.
type counts struct {
	requests, ok, redirects, clientErrors, failed, connectionErrors float64
	slow                                                            float64 // responses slower than half a second
	untimed                                                         bool    // there are no response times
}

// succeeded is a minute in which every request succeeded.
func succeeded(n float64) counts { return counts{requests: n, ok: n} }

// metricsFixture is the metrics of a load balancer.
type metricsFixture struct {
	fake *fakeCloudWatch
}

func newMetricsFixture() metricsFixture {
	return metricsFixture{&fakeCloudWatch{points: map[string]map[time.Time]float64{}}}
}

func seriesName(metric, environment string) string {
	return fmt.Sprintf("AWS/ApplicationELB %s %s TargetGroup=targetgroup/%s/73e2d6bc24d8a067 60", metric, balancer, environment)
}

func (f metricsFixture) put(series string, ago int, v float64) {
	if f.fake.points[series] == nil {
		f.fake.points[series] = map[time.Time]float64{}
	}
	f.fake.points[series][noon.Add(-time.Duration(ago)*time.Minute)] = v
}

// minute sets the metrics of the minute that started ago minutes before noon.
func (f metricsFixture) minute(environment string, ago int, c counts) {
	for metric, v := range map[string]float64{
		"RequestCount Sum": c.requests, "HTTPCode_Target_2XX_Count Sum": c.ok, "HTTPCode_Target_3XX_Count Sum": c.redirects,
		"HTTPCode_Target_4XX_Count Sum": c.clientErrors, "HTTPCode_Target_5XX_Count Sum": c.failed, "TargetConnectionErrorCount Sum": c.connectionErrors,
	} {
		if v != 0 { // a load balancer does not publish zeros
			f.put(seriesName(metric, environment), ago, v)
		}
	}
	if !c.untimed && c.requests > 0 {
		f.put(seriesName("TargetResponseTime PR(:0.5)", environment), ago, 100*(1-c.slow/c.requests))
	}
}

// minutes does so for several, from the earliest to the latest.
func (f metricsFixture) minutes(environment string, from, to int, c counts) {
	for ago := from; ago >= to; ago-- {
		f.minute(environment, ago, c)
	}
}

// balancerErrors sets the number of 5xx of the load balancer itself.
func (f metricsFixture) balancerErrors(ago int, n float64) {
	if n > 0 {
		f.put("AWS/ApplicationELB HTTPCode_ELB_5XX_Count Sum "+balancer+" 60", ago, n)
	}
}

// evaluate evaluates at noon, ago after the weight change from blue to green.
func (f metricsFixture) evaluate(t *testing.T, c gate.TargetMetrics, ago time.Duration) rollout.Verdict {
	t.Helper()
	return f.evaluateAt(t, c, rollout.GateInput{Step: 1, ChangedAt: noon.Add(-ago), Incoming: []traffic.Backend{backend("green")}, Live: []traffic.Backend{backend("blue")}})
}

func (f metricsFixture) evaluateAt(t *testing.T, c gate.TargetMetrics, in rollout.GateInput) rollout.Verdict {
	t.Helper()
	c.Lag = gate.DefaultLag
	g, ok := mustBuild(t)(gate.NewTargetMetrics(c, defaultRegionDeps(f.fake))).(gate.Replayer)
	if !ok {
		t.Fatal("the gate cannot be replayed")
	}
	return g.EvaluateAt(t.Context(), in, noon)
}

func errorRate(percent float64) gate.TargetMetrics {
	return gate.TargetMetrics{MaxErrorRate: &percent}
}
func worseBy(points float64) gate.TargetMetrics { return gate.TargetMetrics{WorseThanLiveBy: &points} }

func TestTargetMetrics_errors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		counts         counts
		balancerErrors float64
		want           rollout.Status
	}{
		{"no errors", succeeded(10_000), 0, "pass"},
		{"redirects and client errors", counts{requests: 10_000, ok: 5000, redirects: 2000, clientErrors: 3000}, 0,
			"pass"},
		{"5xx of the target group", counts{requests: 10_000, ok: 9500, failed: 500}, 0, "fail"},
		{"at the limit", counts{requests: 10_000, ok: 9800, failed: 200}, 0, "pass"},
		{"above the limit, perhaps by chance", counts{requests: 10_000, ok: 9790, failed: 210}, 0,
			"pass"},
		{"5xx of the load balancer", counts{requests: 10_000, ok: 9500}, 500, "fail"},
		{"failed connections", counts{requests: 10_000, ok: 9500, connectionErrors: 500}, 0, "fail"},
		{"failed connections and 5xx of the load balancer overlap", counts{requests: 10_000, ok: 9400, failed: 100, connectionErrors: 400}, 500,
			"fail"},
		{"retried connections", counts{requests: 10_000, ok: 10_000, connectionErrors: 900}, 0,
			"pass"},
		{"5xx of the load balancer for other groups", succeeded(10_000), 50_000, "pass"},
		{"requests in flight", counts{requests: 10_000, ok: 9000}, 0, "pass"},
		{"requests in flight, some failed", counts{requests: 10_000, ok: 8800, failed: 100}, 100,
			"pass"},
		{"responses from the previous minute hide no errors", counts{requests: 10_000, ok: 9800, failed: 500}, 0,
			"fail"},
		{"no more errors than requests", counts{requests: 60, failed: 70}, 0, "fail"},
		{"one error", counts{requests: 60, ok: 59, failed: 1}, 0, "pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			f.minute("green", 2, c.counts)
			f.balancerErrors(2, c.balancerErrors)
			wantVerdict(t, f.evaluate(t, errorRate(2), 2*time.Minute), c.want)
		})
	}
}

// A release that fails every request never passes: if that would not be significant, the
// data says nothing. Nothing is known about runs, so 10 errors count as one.
func TestTargetMetrics_tooFewRequestsForAFail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		requests, failed float64
		want             rollout.Status
	}{{70, 70, "inconclusive"}, {70, 40, "inconclusive"}, {70, 30, "pass"}, {80, 80, "fail"}, {80, 50, "pass"}} {
		f := newMetricsFixture()
		f.minute("green", 2, withErrors(c.requests, c.failed))
		wantVerdict(t, f.evaluate(t, errorRate(50), 2*time.Minute), c.want)
	}
}

func TestTargetMetrics_window(t *testing.T) {
	t.Parallel()
	bad := counts{requests: 100, failed: 100}
	for _, c := range []struct {
		name string
		fill func(f metricsFixture)
		ago  time.Duration
		args gate.TargetMetrics
		want rollout.Status
	}{
		{"newest ten minutes", func(f metricsFixture) { f.minutes("green", 20, 12, bad); f.minutes("green", 11, 2, succeeded(100)) }, 30 * time.Minute, errorRate(2),
			"pass"},
		{"nothing from before the change", func(f metricsFixture) { f.minutes("green", 20, 5, bad); f.minutes("green", 4, 2, succeeded(100)) }, 4 * time.Minute, errorRate(2),
			"pass"},
		{"nothing from the minute of the change", func(f metricsFixture) { f.minute("green", 4, bad); f.minutes("green", 3, 2, succeeded(100)) }, 3*time.Minute + 10*time.Second, errorRate(2),
			"pass"},
		{"nothing incomplete", func(f metricsFixture) { f.minute("green", 2, succeeded(100)); f.minute("green", 1, bad) }, 3 * time.Minute, errorRate(2),
			"pass"},
		{"extends to the minimum of requests", func(f metricsFixture) { f.minutes("green", 20, 2, succeeded(6)) }, 30 * time.Minute, errorRate(2),
			"pass"},
		{"not before the change", func(f metricsFixture) { f.minutes("green", 20, 2, succeeded(6)) }, 8 * time.Minute, errorRate(2),
			"inconclusive"},
		{"lower minimum of requests", func(f metricsFixture) { f.minute("green", 2, succeeded(1)) }, 8 * time.Minute,
			gate.TargetMetrics{MaxErrorRate: new(2.0), MinRequests: 1}, "pass"},
		{"longer lookback", func(f metricsFixture) { f.minutes("green", 20, 2, succeeded(100)) }, 30 * time.Minute,
			gate.TargetMetrics{MaxErrorRate: new(2.0), Lookback: 10*time.Minute + 30*time.Second}, "pass"},
		{"newest without responses", func(f metricsFixture) {
			f.minute("green", 3, succeeded(100))
			f.minute("green", 2, counts{requests: 100})
		}, 3 * time.Minute, errorRate(2),
			"pass"},
		{"newest without requests", func(f metricsFixture) {
			f.minute("green", 3, succeeded(100))
			f.minute("green", 2, counts{failed: 100})
		}, 3 * time.Minute, errorRate(2),
			"pass"},
		{"newest with responses of the load balancer only", func(f metricsFixture) {
			f.minute("green", 3, succeeded(100))
			f.minute("green", 2, counts{requests: 100})
			f.balancerErrors(2, 100)
		}, 3 * time.Minute, errorRate(2), "fail"},
		{"older without responses", func(f metricsFixture) {
			f.minute("green", 3, counts{requests: 100})
			f.minute("green", 2, succeeded(100))
		}, 3 * time.Minute, errorRate(2),
			"pass"},
		{"only the newest, incomplete", func(f metricsFixture) { f.minute("green", 2, counts{requests: 100}) }, 2 * time.Minute, errorRate(2),
			"inconclusive"},
		{"newest of the live side incomplete", func(f metricsFixture) {
			f.minutes("green", 3, 2, succeeded(100))
			f.minute("blue", 3, succeeded(900))
			f.minute("blue", 2, counts{requests: 900})
		}, 3 * time.Minute, worseBy(0.5), "pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			c.fill(f)
			wantVerdict(t, f.evaluate(t, c.args, c.ago), c.want)
		})
	}
}

func TestTargetMetrics_withoutData(t *testing.T) {
	t.Parallel()
	noData := func(metricsFixture) {}
	onlyGreen := func(f metricsFixture) { f.minutes("green", 6, 2, succeeded(200)) }
	latency := gate.TargetMetrics{MaxSlowRate: new(1.0), SlowThreshold: halfASecond}
	ratio := gate.TargetMetrics{SlowRatio: new(1.5), SlowThreshold: halfASecond}
	for _, c := range []struct {
		name string
		fill func(f metricsFixture)
		args gate.TargetMetrics
		ago  time.Duration
		want rollout.Status
	}{
		{"too early", onlyGreen, errorRate(2), 100 * time.Second, "inconclusive"},
		{"no requests, errors", noData, errorRate(2), time.Hour, "inconclusive"},
		{"no requests, compared", noData, worseBy(0.5), time.Hour, "inconclusive"},
		{"no requests, latency", noData, latency, time.Hour, "inconclusive"},
		{"no requests, ratio", noData, ratio, time.Hour, "inconclusive"},
		{"no live requests, errors", onlyGreen, errorRate(2), time.Hour, "pass"},
		{"no live requests, compared", onlyGreen, worseBy(0.5), time.Hour, "inconclusive"},
		{"no live requests, latency", onlyGreen, latency, time.Hour, "pass"},
		{"no live requests, ratio", onlyGreen, ratio, time.Hour, "inconclusive"},
		{"bad release without live requests", func(f metricsFixture) { f.minutes("green", 6, 2, counts{requests: 200, ok: 100, failed: 100}) },
			gate.TargetMetrics{MaxErrorRate: new(2.0), WorseThanLiveBy: new(0.5)}, time.Hour,
			"fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			c.fill(f)
			wantVerdict(t, f.evaluate(t, c.args, c.ago), c.want)
		})
	}
}

// A first release and a readiness check have no live side to compare with, and a
// detached target group has no metrics.
func TestTargetMetrics_missingSides(t *testing.T) {
	t.Parallel()
	detached := backend("green")
	detached.Routes = nil
	for _, c := range []struct {
		name string
		args gate.TargetMetrics
		in   rollout.GateInput
		want rollout.Status
	}{
		{"no live side, errors", gate.TargetMetrics{MaxErrorRate: new(2.0), WorseThanLiveBy: new(0.5)}, rollout.GateInput{Incoming: []traffic.Backend{backend("green")}},
			"pass"},
		{"no live side, latency", gate.TargetMetrics{MaxSlowRate: new(1.0), SlowRatio: new(2.0), SlowThreshold: halfASecond}, rollout.GateInput{Incoming: []traffic.Backend{backend("green")}},
			"pass"},
		{"no live side, comparisons only", gate.TargetMetrics{WorseThanLiveBy: new(0.5), SlowRatio: new(2.0), SlowThreshold: halfASecond}, rollout.GateInput{Incoming: []traffic.Backend{backend("green")}},
			"pass"},
		{"live side detached", worseBy(0.5), rollout.GateInput{Incoming: []traffic.Backend{backend("green")}, Live: []traffic.Backend{detached}},
			"pass"},
		{"incoming side detached", errorRate(2), rollout.GateInput{Incoming: []traffic.Backend{detached}},
			"inconclusive"},
		{"no incoming side", errorRate(2), rollout.GateInput{Live: []traffic.Backend{backend("blue")}}, "inconclusive"},
		{"not a target group ARN", errorRate(2), rollout.GateInput{Incoming: []traffic.Backend{{Group: "green", Routes: []string{webRoute}}}}, "error"},
		{"Network Load Balancer", errorRate(2), rollout.GateInput{Incoming: []traffic.Backend{{Group: backend("green").Group,
			Routes: []string{strings.Replace(webRoute, "/app/", "/net/", 1)}}}}, "error"},
		{"Network Load Balancer beside an Application Load Balancer", errorRate(2), rollout.GateInput{Incoming: []traffic.Backend{backend("green"), {Entry: "tcp", Environment: "green",
			Group: elbPrefix + "targetgroup/tcp/73e2d6bc24d8a067", Routes: []string{strings.Replace(webRoute, "/app/", "/net/", 1)}}}}, "pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			f.minutes("green", 20, 2, succeeded(200))
			c.in.ChangedAt = noon.Add(-time.Hour)
			wantVerdict(t, f.evaluateAt(t, c.args, c.in), c.want)
		})
	}
}

func TestTargetMetrics_readFails(t *testing.T) {
	t.Parallel()
	denied := apiError(403, "AccessDenied", "not authorized to perform: cloudwatch:GetMetricData")
	f := newMetricsFixture()
	f.fake.err = denied
	v := f.evaluate(t, errorRate(2), time.Hour)
	wantVerdict(t, v, "error")
	if !errors.Is(v.Err, denied) {
		t.Errorf("got cause %v", v.Err)
	}
	f = newMetricsFixture()
	f.fake.status, f.fake.message = types.StatusCodePartialData, "too much"
	wantVerdict(t, f.evaluate(t, errorRate(2), time.Hour), "inconclusive")

	g := mustBuild(t)(gate.NewTargetMetrics(errorRate(2), regionalDeps(nil)))
	v = g.Evaluate(t.Context(), rollout.GateInput{ChangedAt: time.Now().Add(-time.Hour), Incoming: []traffic.Backend{backend("green")}})
	wantVerdict(t, v, "error")
	if !errors.Is(v.Err, errNoClient) {
		t.Errorf("got cause %v", v.Err)
	}
}

func TestTargetMetrics_preflight(t *testing.T) {
	t.Parallel()
	in := rollout.GateInput{Incoming: []traffic.Backend{backend("green")}, Live: []traffic.Backend{backend("blue")}}
	for name, c := range map[string]struct {
		fake *fakeCloudWatch
		want rollout.Status
	}{
		"readable":      {&fakeCloudWatch{}, "pass"},
		"access denied": {&fakeCloudWatch{err: apiError(403, "AccessDenied", "no")}, "error"},
		"no network":    {&fakeCloudWatch{err: errors.New("no route to host")}, "inconclusive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantVerdict(t, preflight(t, mustBuild(t)(gate.NewTargetMetrics(worseBy(0.5), defaultRegionDeps(c.fake))), in), c.want)
		})
	}
	bad := rollout.GateInput{Incoming: []traffic.Backend{{Group: "green", Routes: []string{webRoute}}}}
	wantVerdict(t, preflight(t, mustBuild(t)(gate.NewTargetMetrics(worseBy(0.5), defaultRegionDeps(&fakeCloudWatch{}))), bad), "error")
}

func TestTargetMetrics_evaluatesAtTheCurrentTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newMetricsFixture()
		f.minutes("green", 4, 2, succeeded(100))
		c := errorRate(2)
		c.Lag = gate.DefaultLag
		g := mustBuild(t)(gate.NewTargetMetrics(c, defaultRegionDeps(f.fake)))
		wantVerdict(t, g.Evaluate(t.Context(), rollout.GateInput{ChangedAt: time.Now().Add(-4 * time.Minute), Incoming: []traffic.Backend{backend("green")}}),
			"pass")
	})
}
