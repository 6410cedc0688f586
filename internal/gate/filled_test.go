package gate_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// filledInput is a release of version 1.5.0.
func filledInput() rollout.GateInput {
	green, blue := backend("green"), backend("blue")
	green.Version, blue.Version = "1.5.0", "1.4.0"
	return rollout.GateInput{Step: 1, Incoming: []traffic.Backend{green}, Live: []traffic.Backend{blue}}
}

// recorder is a server that records what it is asked for.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newRecorder(t *testing.T, body string) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		text, _ := io.ReadAll(req.Body)
		form, _ := url.QueryUnescape(string(text))
		r.mu.Lock()
		r.seen = append(r.seen, strings.TrimSpace(req.URL.Path+" "+req.Header.Get("X-Environment")+" "+form))
		r.mu.Unlock()
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		return ""
	}
	return r.seen[len(r.seen)-1]
}

// One configuration measures the environment of each shift.
func TestFilled_http(t *testing.T) {
	t.Parallel()
	server := newRecorder(t, "version 1.5.0, built today")
	g := mustBuild(t)(gate.NewHTTP(gate.HTTP{
		Request:    gate.Request{URL: server.URL + "/{{incoming.environment}}/{{live.version}}", Headers: map[string]string{"X-Environment": "{{incoming.environment}}"}},
		ExpectBody: "version {{incoming.version}}",
	}, gate.Dependencies{}))
	in := filledInput()
	wantVerdictFrom(t, g.Evaluate(t.Context(), in), server.URL, rollout.Pass)
	if got := server.last(); got != "/green/1.4.0 green" {
		t.Errorf("got %s", got)
	}
	in.Incoming[0].Version = "1x5y0" // 1.5.0 is no regular expression
	wantVerdictFrom(t, g.Evaluate(t.Context(), in), server.URL, rollout.Fail)
	in.Incoming[0].Version = ""
	v := g.Evaluate(t.Context(), in)
	wantVerdictFrom(t, v, server.URL, rollout.Errored)
	if p, _ := g.(rollout.Preflight); p.Preflight(t.Context(), in).Status != rollout.Errored || !v.Final {
		t.Errorf("got %+v", v)
	}
	in = filledInput()
	in.Live = nil
	wantVerdictFrom(t, g.Evaluate(t.Context(), in), server.URL, rollout.Pass)
}

func TestFilled_prometheus(t *testing.T) {
	t.Parallel()
	server := newRecorder(t, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`)
	g := mustBuild(t)(gate.NewPrometheus(gate.Prometheus{Request: gate.Request{URL: server.URL}, Query: `up{version="{{incoming.version}}"}`, Max: new(1.0)}, gate.Dependencies{}))
	in := filledInput()
	in.Incoming[0].Version = `1"5`
	wantVerdictFrom(t, g.Evaluate(t.Context(), in), server.URL, rollout.Pass)
	if got := server.last(); !strings.Contains(got, `query=up{version="1\"5"}`) {
		t.Errorf("got %s", got)
	}
}

func TestFilled_cloudwatchMetric(t *testing.T) {
	t.Parallel()
	f := &fakeCloudWatch{}
	c := rate(nil)
	c.Queries[0].Dimensions = map[string]string{"TargetGroup": "{{incoming.target_group}}", "Stage": "production"}
	c.Queries[0].AccountID, c.AccountID = "210987654321", "123456789012"
	g := mustBuild(t)(gate.NewCloudWatchMetric(c, defaultRegionDeps(f)))
	in := filledInput()
	g.Evaluate(t.Context(), in)
	queries := f.queried[0].MetricDataQueries
	group := in.Incoming[0].Group[strings.LastIndex(in.Incoming[0].Group, ":")+1:]
	if got := queries[0].MetricStat.Metric.Dimensions; len(got) != 2 || aws.ToString(got[0].Value) != "production" || aws.ToString(got[1].Value) != group {
		t.Errorf("got %+v", got)
	}
	if got := aws.ToString(queries[0].AccountId) + " " + aws.ToString(queries[1].AccountId) + " " + aws.ToString(queries[2].AccountId); got != "210987654321 123456789012 " {
		t.Errorf("got the accounts %s", got)
	}
	if c.Queries[0].Dimensions["TargetGroup"] != "{{incoming.target_group}}" {
		t.Error("the arguments were changed")
	}
}

// A placeholder that does not exist is reported with its argument.
func TestFilled_unknownPlaceholder(t *testing.T) {
	t.Parallel()
	metric := age(func(c *gate.CloudWatchMetric) { c.Dimensions = map[string]string{"D": "{{incoming.arn}}"} })
	for want, errs := range map[string][]*gate.ArgumentError{
		"url":                      gate.HTTP{Request: gate.Request{URL: "http://{{incoming.host}}"}}.Check(),
		`headers["X"]`:             gate.HTTP{Request: gate.Request{URL: "http://h", Headers: map[string]string{"X": "{{x}}"}}}.Check(),
		"json[0].equals":           gate.HTTP{Request: gate.Request{URL: "http://h"}, JSON: []gate.JSONValue{{Path: "$", Equals: new("{{version}}")}}}.Check(),
		"query":                    gate.Prometheus{Request: gate.Request{URL: "http://h"}, Query: "{{stable.version}}", Max: new(1.0)}.Check(),
		"address":                  gate.GRPC{Address: "{{live.host}}:443"}.Check(),
		`headers["X-Y"]`:           gate.Webhook{Request: gate.Request{URL: "http://h", Headers: map[string]string{"X-Y": "{{x}}"}}}.Check(),
		`dimensions["D"]`:          metric.Check(),
		`query[0].dimensions["D"]`: rate(func(c *gate.CloudWatchMetric) { c.Queries[0].Dimensions = map[string]string{"D": "{{incoming.arn}}"} }).Check(),
	} {
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), want+": ") || !strings.Contains(errs[0].Error(), "is not a placeholder") {
			t.Errorf("want one error at %s, got %v", want, errs)
		}
	}
	if at := (gate.HTTP{Request: gate.Request{URL: "http://h/{{live.version}}"}}).NeedsLive(); at == nil || at.Argument != "url" {
		t.Errorf("got %v", at)
	}
}

// SEARCH over several accounts may return series with the same label.
func TestCloudWatchMetric_seriesWithTheSameLabel(t *testing.T) {
	t.Parallel()
	f := &sameLabels{}
	g := mustBuild(t)(gate.NewCloudWatchMetric(gate.CloudWatchMetric{Expression: "SEARCH('MetricName=\"Errors\"', 'Sum', 60)", Max: new(10.0)},
		gate.Dependencies{Region: "eu-west-1", CloudWatch: func(string) (gate.CloudWatch, error) { return f, nil }}))
	synctest.Test(t, func(t *testing.T) {
		wantVerdict(t, g.Evaluate(t.Context(), rollout.GateInput{Step: 1}), rollout.Fail)
	})
}

// sameLabels returns two series with one label, the first of which is bad.
type sameLabels struct{ fakeCloudWatch }

func (*sameLabels) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	out := &cloudwatch.GetMetricDataOutput{}
	for _, value := range []float64{99, 1} {
		out.MetricDataResults = append(out.MetricDataResults, types.MetricDataResult{
			Id: new("result"), Label: new("Errors"), StatusCode: types.StatusCodeComplete, Timestamps: []time.Time{*in.StartTime}, Values: []float64{value},
		})
	}
	return out, nil
}
