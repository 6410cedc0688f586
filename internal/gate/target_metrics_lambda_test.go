package gate_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const functionARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"

// version returns a version of the function behind two aliases of the entry point api.
func version(environment, number string) traffic.Backend {
	return traffic.Backend{Entry: "api", Environment: environment, Group: functionARN + ":" + number, Routes: []string{functionARN + ":live", functionARN + ":test"}}
}

// invoked sets the metrics of an alias for the minute that started ago minutes before noon.
func (f metricsFixture) invoked(alias, number string, ago int, c counts) {
	name := func(metric string) string {
		return fmt.Sprintf("AWS/Lambda %s ExecutedVersion=%s FunctionName=shop Resource=shop:%s 60", metric, number, alias)
	}
	f.put(name("Invocations Sum"), ago, c.requests)
	f.put(name("Errors Sum"), ago, c.failed) // also where it is 0
	if !c.untimed {
		f.put(name("Duration PR(:500)"), ago, 100*(1-c.slow/c.requests))
	}
}

func (f metricsFixture) evaluateFunction(t *testing.T, c gate.TargetMetrics, ago time.Duration) rollout.Verdict {
	t.Helper()
	return f.evaluateAt(t, c, rollout.GateInput{
		Step: 1, ChangedAt: noon.Add(-ago), Incoming: []traffic.Backend{version("green", "13")}, Live: []traffic.Backend{version("blue", "12")},
	})
}

// Invocations of all aliases of an entry point count, each for the version that ran.
func TestTargetMetrics_function(t *testing.T) {
	t.Parallel()
	slow := gate.TargetMetrics{SlowThreshold: halfASecond, MaxSlowRate: new(1.0)}
	for name, c := range map[string]struct {
		args       gate.TargetMetrics
		live, test counts // of version 13
		want       rollout.Status
		measured   float64
	}{
		"no errors":                {errorRate(2), counts{requests: 5000}, counts{requests: 5000}, rollout.Pass, 0},
		"errors of one alias":      {errorRate(2), counts{requests: 5000}, counts{requests: 5000, failed: 500}, rollout.Fail, 0.05},
		"errors of both":           {errorRate(2), counts{requests: 5000, failed: 250}, counts{requests: 5000, failed: 250}, rollout.Fail, 0.05},
		"worse than live":          {worseBy(1), counts{requests: 5000, failed: 500}, counts{requests: 5000}, rollout.Fail, 0.05},
		"like live":                {worseBy(1), counts{requests: 5000, failed: 5}, counts{requests: 5000}, rollout.Pass, 0.0005},
		"slow":                     {slow, counts{requests: 5000, slow: 500}, counts{requests: 5000, slow: 500}, rollout.Fail, 0.1},
		"fast":                     {slow, counts{requests: 5000}, counts{requests: 5000, slow: 1}, rollout.Pass, 0.0001},
		"too few invocations":      {errorRate(2), counts{requests: 3}, counts{requests: 3}, rollout.Inconclusive, 0},
		"all invocations that ran": {errorRate(50), counts{requests: 5000, failed: 5000}, counts{requests: 5000, failed: 5000}, rollout.Fail, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newMetricsFixture()
			for ago := 6; ago >= 2; ago-- {
				f.invoked("live", "13", ago, c.live)
				f.invoked("test", "13", ago, c.test)
				f.invoked("live", "12", ago, counts{requests: 90_000, failed: 10})
			}
			got := f.evaluateFunction(t, c.args, 6*time.Minute)
			wantVerdict(t, got, c.want)
			measured := slices.ContainsFunc(got.Measured, func(m rollout.Measurement) bool {
				return fmt.Sprintf("%.4f", m.Value/100) == fmt.Sprintf("%.4f", c.measured)
			})
			if c.want != rollout.Inconclusive && !measured {
				t.Errorf("measured %+v, want %v", got.Measured, c.measured)
			}
		})
	}
}

// The newest minute is left to the next evaluation where one of its metrics is not there yet.
func TestTargetMetrics_functionIncomplete(t *testing.T) {
	t.Parallel()
	slow := gate.TargetMetrics{SlowThreshold: halfASecond, MaxSlowRate: new(1.0), MaxErrorRate: new(2.0)}
	f := newMetricsFixture()
	f.invoked("live", "13", 3, counts{requests: 1000})
	f.invoked("live", "13", 2, counts{requests: 1000, failed: 1000, untimed: true})
	if got := f.evaluateFunction(t, slow, 3*time.Minute); got.Status == rollout.Fail {
		t.Errorf("an incomplete minute fails: %s", got.Detail)
	}
	f.invoked("live", "13", 2, counts{requests: 1000, failed: 1000})
	wantVerdict(t, f.evaluateFunction(t, slow, 3*time.Minute), rollout.Fail)
}

func TestTargetMetrics_functionARNs(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *traffic.Backend){
		"$LATEST":     func(b *traffic.Backend) { b.Group = functionARN + ":$LATEST" },
		"unqualified": func(b *traffic.Backend) { b.Routes = []string{functionARN} },
		"listener":    func(b *traffic.Backend) { b.Routes = []string{webRoute} },
	} {
		b := version("green", "13")
		change(&b)
		got := newMetricsFixture().evaluateAt(t, errorRate(1), rollout.GateInput{Step: 1, ChangedAt: noon.Add(-time.Hour), Incoming: []traffic.Backend{b}})
		if got.Status != rollout.Errored {
			t.Errorf("%s: %s, %s", name, got.Status, got.Detail)
		}
	}
}

// A good version passes on the metrics of a function that runs, and fails when it starts to return errors.
func TestTargetMetrics_onAFunction(t *testing.T) {
	t.Parallel()
	srv, err := localaws.Start(localaws.WithMetricsClock(time.Second, 0), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	keys := credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", "")
	b := &balancerBench{t: t, srv: srv, cloudwatch: cloudwatch.New(cloudwatch.Options{Region: "eu-west-1", BaseEndpoint: new(srv.URL()), RetryMaxAttempts: 1, Credentials: keys})}
	api := lambda.New(lambda.Options{Region: "eu-west-1", BaseEndpoint: new(srv.URL()), RetryMaxAttempts: 1, Credentials: keys})
	var broken atomic.Bool
	blue := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	green := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(blue.Close)
	t.Cleanup(green.Close)
	at := func(url string) *types.Environment {
		return &types.Environment{Variables: map[string]string{"LOCALAWS_HANDLER": url}}
	}
	_, err = api.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: new("shop"), Role: new("arn:aws:iam::123456789012:role/shop"), Code: &types.FunctionCode{ZipFile: []byte("zip")}, Environment: at(blue.URL), Publish: true,
	})
	b.must(err)
	_, err = api.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: new("shop"), Environment: at(green.URL)})
	b.must(err)
	_, err = api.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: new("shop")})
	b.must(err)
	_, err = api.CreateAlias(t.Context(), &lambda.CreateAliasInput{
		FunctionName: new("shop"), Name: new("live"), FunctionVersion: new("1"), RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.5}},
	})
	b.must(err)
	b.green, b.blue = version("green", "2"), version("blue", "1")
	b.green.Routes, b.blue.Routes = b.green.Routes[:1], b.blue.Routes[:1]

	g := mustBuild(t)(gate.NewTargetMetrics(everySecond(gate.TargetMetrics{MaxErrorRate: new(20.0), WorseThanLiveBy: new(1.0), SlowThreshold: time.Minute, SlowRatio: new(2.0)}), b.deps()))
	wantVerdict(t, preflight(t, g, b.gateInput()), rollout.Pass)
	in := b.gateInput()
	b.repeat(func(ctx context.Context) {
		_, _ = api.Invoke(ctx, &lambda.InvokeInput{FunctionName: new("shop"), Qualifier: new("live")})
	})
	b.waitForVerdict(g, in, rollout.Pass, rollout.Fail, rollout.Errored)
	broken.Store(true)
	if detail := b.waitForVerdict(g, in, rollout.Fail, rollout.Errored); !strings.HasPrefix(detail, "api (green)") {
		t.Errorf("got %s", detail)
	}
}
