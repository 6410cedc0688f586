package gate_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// balancerBench is a local load balancer that publishes metrics every second, and its
// CloudWatch, both called through the real SDK.
type balancerBench struct {
	t          *testing.T
	srv        *localaws.Server
	elb        *elbv2.Client
	cloudwatch *cloudwatch.Client

	listener string
	blue     traffic.Backend
	green    traffic.Backend
}

func newBalancerBench(t *testing.T) *balancerBench {
	t.Helper()
	srv, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(5*time.Millisecond),
		localaws.WithMetricsClock(time.Second, 0), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	keys := credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", "")
	return &balancerBench{
		t: t, srv: srv,
		elb:        elbv2.New(elbv2.Options{Region: "us-east-1", BaseEndpoint: new(srv.URL()), RetryMaxAttempts: 1, Credentials: keys}),
		cloudwatch: cloudwatch.New(cloudwatch.Options{Region: "us-east-1", BaseEndpoint: new(srv.URL()), RetryMaxAttempts: 1, Credentials: keys}),
	}
}

func (b *balancerBench) deps() gate.Dependencies {
	return gate.Dependencies{Region: "us-east-1", CloudWatch: func(string) (gate.CloudWatch, error) { return b.cloudwatch, nil }}
}

func (b *balancerBench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// serve starts two versions behind a listener with a weight of 50 each.
func (b *balancerBench) serve(blue, green http.HandlerFunc) {
	b.t.Helper()
	out, err := b.elb.CreateLoadBalancer(b.t.Context(), &elbv2.CreateLoadBalancerInput{Name: new("web"), Subnets: []string{"subnet-1", "subnet-2"}})
	b.must(err)
	b.blue, b.green = b.backend("blue", blue), b.backend("green", green)
	config := &elbtypes.ForwardActionConfig{}
	for _, backend := range []traffic.Backend{b.blue, b.green} {
		config.TargetGroups = append(config.TargetGroups, elbtypes.TargetGroupTuple{TargetGroupArn: new(backend.Group), Weight: new(int32(50))})
	}
	listener, err := b.elb.CreateListener(b.t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: out.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: new(int32(8001)),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, ForwardConfig: config}},
	})
	b.must(err)
	b.listener = aws.ToString(listener.Listeners[0].ListenerArn)
	b.blue.Routes, b.green.Routes = []string{b.listener}, []string{b.listener}
	waitFor(b.t, "healthy targets", func() bool { return b.healthy(b.blue) && b.healthy(b.green) })
}

// backend creates a target group with one target whose health checks pass.
func (b *balancerBench) backend(name string, handler http.HandlerFunc) traffic.Backend {
	b.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			handler(w, r)
		}
	}))
	b.t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	b.must(err)
	n, err := strconv.Atoi(port)
	b.must(err)
	out, err := b.elb.CreateTargetGroup(b.t.Context(), &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: elbtypes.ProtocolEnumHttp, Port: new(int32(80)), VpcId: new("vpc-1"), TargetType: elbtypes.TargetTypeEnumIp,
		HealthyThresholdCount: new(int32(2)), UnhealthyThresholdCount: new(int32(2)), HealthCheckPath: new("/health"),
	})
	b.must(err)
	group := aws.ToString(out.TargetGroups[0].TargetGroupArn)
	_, err = b.elb.RegisterTargets(b.t.Context(), &elbv2.RegisterTargetsInput{
		TargetGroupArn: &group, Targets: []elbtypes.TargetDescription{{Id: &host, Port: new(int32(n))}},
	})
	b.must(err)
	return traffic.Backend{Entry: "web", Environment: name, Group: group}
}

func (b *balancerBench) healthy(s traffic.Backend) bool {
	out, err := b.elb.DescribeTargetHealth(b.t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &s.Group})
	b.must(err)
	return len(out.TargetHealthDescriptions) == 1 && out.TargetHealthDescriptions[0].TargetHealth.State == elbtypes.TargetHealthStateEnumHealthy
}

// sendRequests sends requests until the test ends.
func (b *balancerBench) sendRequests() {
	b.t.Helper()
	client, url := &http.Client{}, "http://"+b.srv.ListenerAddr(b.listener)
	b.t.Cleanup(client.CloseIdleConnections)
	b.repeat(func(ctx context.Context) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return
		}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
		}
	})
}

// repeat sends a request every few milliseconds until the test ends.
func (b *balancerBench) repeat(send func(ctx context.Context)) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			send(ctx)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	b.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// waitForVerdict evaluates the gate until its status is want, and returns the detail.
// A status of never fails the test.
func (b *balancerBench) waitForVerdict(g rollout.Gate, in rollout.GateInput, want rollout.Status, never ...rollout.Status) string {
	b.t.Helper()
	var v rollout.Verdict
	waitFor(b.t, string(want), func() bool {
		v = g.Evaluate(b.t.Context(), in)
		for _, status := range never {
			if v.Status == status {
				b.t.Fatalf("got %s: %s: %v", v.Status, v.Detail, v.Err)
			}
		}
		return v.Status == want
	})
	return v.Detail
}

// everySecond configures a gate for metrics that are published every second. It looks
// back so far that a slow machine sends enough requests.
func everySecond(c gate.TargetMetrics) gate.TargetMetrics {
	c.Period, c.Lookback, c.MinRequests = time.Second, 30*time.Second, 30
	return c
}

func (b *balancerBench) gateInput() rollout.GateInput {
	return rollout.GateInput{Step: 1, ChangedAt: time.Now(), Incoming: []traffic.Backend{b.green}, Live: []traffic.Backend{b.blue}}
}

// A good release passes on the metrics of a load balancer, and fails when it starts to
// return errors.
func TestTargetMetrics_onALoadBalancer(t *testing.T) {
	t.Parallel()
	b := newBalancerBench(t)
	var status atomic.Int64
	status.Store(http.StatusOK)
	b.serve(func(http.ResponseWriter, *http.Request) {}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) })
	g := mustBuild(t)(gate.NewTargetMetrics(everySecond(gate.TargetMetrics{MaxErrorRate: new(20.0), WorseThanLiveBy: new(1.0), SlowThreshold: time.Minute, SlowRatio: new(2.0)}), b.deps()))
	wantVerdict(t, preflight(t, g, b.gateInput()), rollout.Pass)
	in := b.gateInput()
	b.sendRequests()
	if detail := b.waitForVerdict(g, in, rollout.Pass, rollout.Fail, rollout.Errored); strings.Count(detail, "web (green)") != 2 || strings.Count(detail, "blue") != 2 {
		t.Errorf("got %s", detail)
	}
	status.Store(http.StatusInternalServerError)
	if detail := b.waitForVerdict(g, in, rollout.Fail, rollout.Errored); !strings.HasPrefix(detail, "web (green)") {
		t.Errorf("got %s", detail)
	}
}

// The metrics of the target group do not contain the errors that the load balancer
// returns itself, but the gate detects them.
func TestTargetMetrics_errorsOfTheLoadBalancer(t *testing.T) {
	t.Parallel()
	b := newBalancerBench(t)
	b.serve(func(http.ResponseWriter, *http.Request) {}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	g := mustBuild(t)(gate.NewTargetMetrics(everySecond(gate.TargetMetrics{MaxErrorRate: new(50.0)}), b.deps()))
	in := b.gateInput()
	b.sendRequests()
	if detail := b.waitForVerdict(g, in, rollout.Fail, rollout.Pass, rollout.Errored); !strings.HasPrefix(detail, "web (green)") {
		t.Errorf("got %s", detail)
	}
}

func TestTargetMetrics_slowReleaseOnALoadBalancer(t *testing.T) {
	t.Parallel()
	b := newBalancerBench(t)
	wait := func(r *http.Request, d time.Duration) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	b.serve(func(http.ResponseWriter, *http.Request) {}, func(_ http.ResponseWriter, r *http.Request) { wait(r, 100*time.Millisecond) })
	g := mustBuild(t)(gate.NewTargetMetrics(everySecond(gate.TargetMetrics{MaxSlowRate: new(1.0), SlowThreshold: 50 * time.Millisecond}), b.deps()))
	in := b.gateInput()
	b.sendRequests()
	if detail := b.waitForVerdict(g, in, rollout.Fail, rollout.Pass, rollout.Errored); !strings.HasPrefix(detail, "web (green) had ") {
		t.Errorf("got %s", detail)
	}
}

func TestCloudWatchAlarm_onAServer(t *testing.T) {
	t.Parallel()
	b := newBalancerBench(t)
	_, err := b.cloudwatch.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: new("errors"), Namespace: new("Shop"), MetricName: new("Errors"), Statistic: types.StatisticSum, Period: new(int32(86400)),
		EvaluationPeriods: new(int32(1)), Threshold: new(1.0), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
	})
	b.must(err)
	_, err = b.cloudwatch.PutCompositeAlarm(t.Context(), &cloudwatch.PutCompositeAlarmInput{AlarmName: new("any"), AlarmRule: new(`ALARM("errors")`)})
	b.must(err)
	set := func(name string, state types.StateValue) {
		t.Helper()
		_, err := b.cloudwatch.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: state, StateReason: new("set by the test")})
		b.must(err)
	}
	evaluate := func(want rollout.Status, names ...string) {
		t.Helper()
		wantVerdict(t, mustBuild(t)(gate.NewCloudWatchAlarm(gate.CloudWatchAlarm{Names: names}, b.deps())).Evaluate(t.Context(), rollout.GateInput{}), want)
	}
	set("errors", types.StateValueOk)
	set("any", types.StateValueOk)
	out, err := b.cloudwatch.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"errors"}})
	b.must(err)
	evaluate(rollout.Pass, aws.ToString(out.MetricAlarms[0].AlarmArn), "any")
	evaluate(rollout.Errored, "errors", "erorrs")
	set("any", types.StateValueAlarm)
	evaluate(rollout.Fail, "errors", "any")
}

func TestCloudWatchMetric_onAServer(t *testing.T) {
	t.Parallel()
	b := newBalancerBench(t)
	start := time.Now().Truncate(time.Minute).Add(-3 * time.Minute)
	for metric, v := range map[string]float64{"Failed": 3, "All": 60} {
		_, err := b.cloudwatch.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
			Namespace: new("Shop"), MetricData: []types.MetricDatum{{MetricName: &metric, Value: &v, Timestamp: &start}},
		})
		b.must(err)
	}
	query := func(id, metric string) gate.MetricQuery {
		return gate.MetricQuery{ID: id, Namespace: "Shop", Metric: metric, Stat: "Sum"}
	}
	in := rollout.GateInput{ChangedAt: start.Add(-time.Hour)}
	for _, c := range []struct {
		args gate.CloudWatchMetric
		want rollout.Status
	}{
		{gate.CloudWatchMetric{MetricQuery: query("", "Failed"), Max: new(5.0), Lookback: 10 * time.Minute}, rollout.Pass},
		{gate.CloudWatchMetric{Expression: "100 * failed / all", Queries: []gate.MetricQuery{query("failed", "Failed"), query("all", "All")}, Max: new(1.0), Lookback: 10 * time.Minute},
			rollout.Fail},
		{gate.CloudWatchMetric{MetricQuery: query("", "Missing"), Max: new(5.0)}, rollout.Inconclusive},
	} {
		g := mustBuild(t)(gate.NewCloudWatchMetric(c.args, b.deps()))
		v := g.Evaluate(t.Context(), in)
		v.Detail = strings.ReplaceAll(v.Detail, start.UTC().Format(time.TimeOnly)+"Z", "START")
		wantVerdict(t, v, c.want)
	}
	// An invalid expression blocks a shift from starting.
	g := mustBuild(t)(gate.NewCloudWatchMetric(gate.CloudWatchMetric{Expression: "100 * unknown", Max: new(1.0)}, b.deps()))
	v := preflight(t, g, rollout.GateInput{})
	wantVerdict(t, v, rollout.Errored)
	if v.Err == nil || errors.Is(v.Err, context.DeadlineExceeded) {
		t.Errorf("got cause %v", v.Err)
	}
}
