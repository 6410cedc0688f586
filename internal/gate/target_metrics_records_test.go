package gate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// recordOf returns the records of an environment.
func recordOf(environment string) traffic.Backend {
	return traffic.Backend{Entry: "web", Environment: environment, Group: "Z1/app.example.com#" + environment, Routes: []string{"Z1/app.example.com/A"}}
}

// balancerARN is the load balancer behind the records of an environment.
func balancerARN(region, kind, environment string) string {
	return fmt.Sprintf("arn:aws:elasticloadbalancing:%s:123456789012:loadbalancer/%s/%s/50dc6c495c0c9188", region, kind, environment)
}

// own are load balancers of each environment, green's in another region.
func own() map[string][]string {
	return map[string][]string{
		recordOf("blue").Group: {balancerARN("eu-west-1", "app", "blue")}, recordOf("green").Group: {balancerARN("eu-central-1", "app", "green")},
	}
}

// whole sets the metrics of a load balancer as a whole; errors are its own 5xx by code.
func (f metricsFixture) whole(environment string, ago int, c counts, errors map[string]float64) {
	name := func(metric string) string {
		return fmt.Sprintf("AWS/ApplicationELB %s LoadBalancer=app/%s/50dc6c495c0c9188 60", metric, environment)
	}
	for metric, v := range map[string]float64{
		"RequestCount Sum": c.requests, "HTTPCode_Target_2XX_Count Sum": c.ok, "HTTPCode_Target_5XX_Count Sum": c.failed,
		"HTTPCode_ELB_502_Count Sum": errors["502"], "HTTPCode_ELB_503_Count Sum": errors["503"], "HTTPCode_ELB_504_Count Sum": errors["504"],
		"HTTPCode_ELB_5XX_Count Sum": errors["502"] + errors["503"] + errors["504"],
	} {
		if v != 0 {
			f.put(name(metric), ago, v)
		}
	}
	if c.requests > 0 {
		f.put(name("TargetResponseTime PR(:0.5)"), ago, 100*(1-c.slow/c.requests))
	}
}

// evaluateRecords evaluates records six minutes after the weight change from blue to green.
func evaluateRecords(t *testing.T, c gate.TargetMetrics, deps gate.Dependencies) rollout.Verdict {
	t.Helper()
	c.Lag = gate.DefaultLag
	g, ok := mustBuild(t)(gate.NewTargetMetrics(c, deps)).(gate.Replayer)
	if !ok {
		t.Fatal("the gate cannot be replayed")
	}
	return g.EvaluateAt(t.Context(), rollout.GateInput{Step: 1, ChangedAt: noon.Add(-6 * time.Minute),
		Incoming: []traffic.Backend{recordOf("green")}, Live: []traffic.Backend{recordOf("blue")}}, noon)
}

// The metrics are those of the load balancers behind the records, each from its region.
func TestTargetMetrics_records(t *testing.T) {
	t.Parallel()
	slow := gate.TargetMetrics{SlowThreshold: halfASecond, MaxSlowRate: new(1.0)}
	for name, c := range map[string]struct {
		args   gate.TargetMetrics
		counts counts
		errors map[string]float64
		want   rollout.Status
		text   string
	}{
		"no errors":              {errorRate(2), succeeded(1000), nil, rollout.Pass, "0 errors in 5000 requests"},
		"errors of targets":      {errorRate(2), counts{requests: 1000, ok: 900, failed: 100}, nil, rollout.Fail, "500 errors in 5000 requests"},
		"no answer of targets":   {errorRate(2), counts{requests: 1000, ok: 900}, map[string]float64{"502": 60, "504": 40}, rollout.Fail, "500 errors in 5000 requests"},
		"no target for some":     {errorRate(2), succeeded(900), map[string]float64{"503": 100}, rollout.Fail, "500 errors in 5000 requests"},
		"no target at all":       {errorRate(2), counts{}, map[string]float64{"503": 100}, rollout.Fail, "500 errors in 500 requests"},
		"requests in flight":     {errorRate(2), counts{requests: 1000, ok: 900}, nil, rollout.Inconclusive, "0 errors in 5000 requests"},
		"worse than live":        {worseBy(1), counts{requests: 1000, ok: 900, failed: 100}, nil, rollout.Fail, "blue had 5 errors in 45000 requests"},
		"like live":              {worseBy(1), counts{requests: 1000, ok: 999, failed: 1}, nil, rollout.Pass, "5 errors in 5000 requests"},
		"slow":                   {slow, counts{requests: 1000, ok: 1000, slow: 100}, nil, rollout.Fail, "500 of 5000 responses"},
		"too few requests":       {errorRate(2), succeeded(3), nil, rollout.Inconclusive, "it had 15 requests over 5m (minimum 50)"},
		"no requests, no errors": {errorRate(2), counts{}, nil, rollout.Inconclusive, "it had 0 requests over 5m (minimum 50)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blue, green := newMetricsFixture(), newMetricsFixture()
			for ago := 6; ago >= 2; ago-- {
				blue.whole("blue", ago, counts{requests: 9000, ok: 8999, failed: 1}, nil)
				green.whole("green", ago, c.counts, c.errors)
			}
			deps := regionalDeps(map[string]*fakeCloudWatch{"eu-west-1": blue.fake, "eu-central-1": green.fake})
			deps.Balancers = func(context.Context, []traffic.Backend) (map[string][]string, error) { return own(), nil }
			got := evaluateRecords(t, c.args, deps)
			wantVerdict(t, got, c.want)
			if !strings.Contains(got.Detail, c.text) {
				t.Errorf("%q has no %q", got.Detail, c.text)
			}
		})
	}
}

// Metrics that are not those of one environment block the start of a shift.
func TestTargetMetrics_recordsWithoutMetrics(t *testing.T) {
	t.Parallel()
	blue, green := recordOf("blue").Group, recordOf("green").Group
	for name, c := range map[string]struct {
		of   map[string][]string
		err  error
		want string
	}{
		"one load balancer": {map[string][]string{blue: own()[blue], green: own()[blue]}, nil, "the records of green and blue are aliases of the same load balancer, app/blue/50dc6c495c0c9188"},
		"both types":        {map[string][]string{blue: {balancerARN("eu-west-1", "net", "blue")}, green: own()[green]}, nil, "Application and of Network Load Balancers"},
		"only network":      {map[string][]string{blue: {balancerARN("eu-west-1", "net", "blue")}, green: {balancerARN("eu-west-1", "net", "green")}}, nil, "AWS/NetworkELB"},
		"values":            {nil, &traffic.NoMetricsError{Cause: "the record has values", Action: "use prometheus"}, "the record has values: use prometheus"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deps := defaultRegionDeps(&fakeCloudWatch{})
			deps.Balancers = func(context.Context, []traffic.Backend) (map[string][]string, error) { return c.of, c.err }
			g := mustBuild(t)(gate.NewTargetMetrics(errorRate(1), deps))
			in := rollout.GateInput{Step: 1, Incoming: []traffic.Backend{recordOf("green")}, Live: []traffic.Backend{recordOf("blue")}}
			for _, v := range []rollout.Verdict{g.Evaluate(t.Context(), in), preflight(t, g, in)} {
				if _, is := errors.AsType[*traffic.NoMetricsError](v.Err); !is || v.Status != rollout.Errored || !strings.Contains(v.Err.Error(), c.want) {
					t.Errorf("got %s: %v", v.Status, v.Err)
				}
			}
		})
	}
}
