package gate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// fakeCloudWatch returns what a test has put into it, and records the calls.
type fakeCloudWatch struct {
	points  map[string]map[time.Time]float64 // by the series name of seriesOf
	status  types.StatusCode                 // of every result; default Complete
	message string                           // with every result
	perPage int                              // points on a page; 0 for all
	loops   bool                             // every page has the same next token
	err     error

	metric    []types.MetricAlarm
	composite []types.CompositeAlarm
	logs      []types.LogAlarm

	mu        sync.Mutex
	queried   []cloudwatch.GetMetricDataInput
	described []cloudwatch.DescribeAlarmsInput
}

// regionalDeps returns dependencies with a client for each region of fakes.
func regionalDeps(fakes map[string]*fakeCloudWatch) gate.Dependencies {
	return gate.Dependencies{Region: "eu-west-1", CloudWatch: func(region string) (gate.CloudWatch, error) {
		if f := fakes[region]; f != nil {
			return f, nil
		}
		return nil, fmt.Errorf("%w in %s", errNoClient, region)
	}}
}

var errNoClient = errors.New("no client")

// defaultRegionDeps returns dependencies with a client for the default region.
func defaultRegionDeps(f *fakeCloudWatch) gate.Dependencies {
	return regionalDeps(map[string]*fakeCloudWatch{"eu-west-1": f})
}

// seriesOf returns the name of a query's series: "AWS/SQS Age p99 QueueName=jobs 60".
func seriesOf(q types.MetricDataQuery) string {
	if q.MetricStat == nil {
		return fmt.Sprintf("%s %d", aws.ToString(q.Expression), aws.ToInt32(q.Period))
	}
	m := q.MetricStat.Metric
	parts := []string{aws.ToString(m.Namespace), aws.ToString(m.MetricName), aws.ToString(q.MetricStat.Stat)}
	for _, d := range m.Dimensions {
		parts = append(parts, aws.ToString(d.Name)+"="+aws.ToString(d.Value))
	}
	return strings.Join(append(parts, fmt.Sprint(aws.ToInt32(q.MetricStat.Period))), " ")
}

// GetMetricData returns the points in the requested time range, oldest first.
func (f *fakeCloudWatch) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queried = append(f.queried, *in)
	if f.err != nil {
		return nil, f.err
	}
	from := 0
	_, _ = fmt.Sscan(aws.ToString(in.NextToken), &from)
	out, more := &cloudwatch.GetMetricDataOutput{}, false
	for _, q := range in.MetricDataQueries {
		if !aws.ToBool(q.ReturnData) {
			continue
		}
		r := f.result(q, in)
		if f.perPage > 0 {
			end := min(from+f.perPage, len(r.Values))
			more = more || end < len(r.Values)
			r.Timestamps, r.Values = r.Timestamps[min(from, end):end], r.Values[min(from, end):end]
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	if more || f.loops {
		out.NextToken = new(fmt.Sprint(from + f.perPage))
	}
	return out, nil
}

func (f *fakeCloudWatch) result(q types.MetricDataQuery, in *cloudwatch.GetMetricDataInput) types.MetricDataResult {
	r := types.MetricDataResult{Id: q.Id, Label: new(seriesOf(q)), StatusCode: types.StatusCodeComplete}
	if f.status != "" {
		r.StatusCode = f.status
	}
	if f.message != "" {
		r.Messages = []types.MessageData{{Code: new("Note"), Value: &f.message}}
	}
	all := f.points[seriesOf(q)]
	for _, at := range slices.SortedFunc(maps.Keys(all), time.Time.Compare) {
		if !at.Before(*in.StartTime) && at.Before(*in.EndTime) {
			r.Timestamps, r.Values = append(r.Timestamps, at), append(r.Values, all[at])
		}
	}
	return r
}

// DescribeAlarms returns the alarms with the requested names and types, one on a page.
func (f *fakeCloudWatch) DescribeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.described = append(f.described, *in)
	if f.err != nil {
		return nil, f.err
	}
	page := 0
	_, _ = fmt.Sscan(aws.ToString(in.NextToken), &page)
	out := &cloudwatch.DescribeAlarmsOutput{}
	if f.loops {
		out.NextToken = new("1")
	} else if page+1 < len(in.AlarmNames) {
		out.NextToken = new(fmt.Sprint(page + 1))
	}
	name := in.AlarmNames[min(page, len(in.AlarmNames)-1)]
	matches := func(kind types.AlarmType, other *string) bool {
		return aws.ToString(other) == name && slices.Contains(in.AlarmTypes, kind)
	}
	for _, a := range f.metric {
		if matches(types.AlarmTypeMetricAlarm, a.AlarmName) {
			out.MetricAlarms = append(out.MetricAlarms, a)
		}
	}
	for _, a := range f.composite {
		if matches(types.AlarmTypeCompositeAlarm, a.AlarmName) {
			out.CompositeAlarms = append(out.CompositeAlarms, a)
		}
	}
	for _, a := range f.logs {
		if matches(types.AlarmTypeLogAlarm, a.AlarmName) {
			out.LogAlarms = append(out.LogAlarms, a)
		}
	}
	return out, nil
}

// apiError returns the SDK's error for a response with that status.
func apiError(status int, code, message string) error {
	return &smithy.OperationError{ServiceID: "CloudWatch", OperationName: "GetMetricData", Err: &awshttp.ResponseError{
		RequestID: "7a62c49f",
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
			Err:      &smithy.GenericAPIError{Code: code, Message: message},
		},
	}}
}

// wantVerdict compares the status of a verdict and records its detail. Only an error
// has a cause.
func wantVerdict(t *testing.T, got rollout.Verdict, want rollout.Status) {
	t.Helper()
	if got.Status != want {
		t.Errorf("got %s: %s, want %s", got.Status, got.Detail, want)
	}
	golden.Record(t, string(got.Status)+": "+got.Detail, golden.Volatile()...)
	if (got.Err != nil) != (got.Status == rollout.Errored) {
		t.Errorf("verdict %s has cause %v", got.Status, got.Err)
	}
}

// wantArgumentErrors records the errors and compares their number.
func wantArgumentErrors(t *testing.T, got []*gate.ArgumentError, want int) {
	t.Helper()
	for _, err := range got {
		golden.Record(t, err.Error())
		if !errors.Is(err, gate.ErrInvalid) && !errors.Is(err, gate.ErrMissing) {
			t.Errorf("%v is neither ErrInvalid nor ErrMissing", err)
		}
	}
	if len(got) != want {
		t.Errorf("got %d argument errors, want %d", len(got), want)
	}
}

// preflight calls Preflight of a gate.
func preflight(t *testing.T, g rollout.Gate, in rollout.GateInput) rollout.Verdict {
	t.Helper()
	p, ok := g.(rollout.Preflight)
	if !ok {
		t.Fatal("the gate does not implement Preflight")
	}
	return p.Preflight(t.Context(), in)
}

// mustBuild returns a function that fails the test if a gate cannot be built.
func mustBuild(t *testing.T) func(rollout.Gate, error) rollout.Gate {
	return func(g rollout.Gate, err error) rollout.Gate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
}

// severalSeries returns a series for each label, as a search expression does.
type severalSeries struct {
	fakeCloudWatch
	values map[string]float64
}

// GetMetricData returns a point for each label at the start of the newest minute.
func (f *severalSeries) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	out := &cloudwatch.GetMetricDataOutput{}
	for _, label := range slices.Sorted(maps.Keys(f.values)) {
		out.MetricDataResults = append(out.MetricDataResults, types.MetricDataResult{
			Id: in.MetricDataQueries[0].Id, Label: &label, StatusCode: types.StatusCodeComplete,
			Timestamps: []time.Time{in.EndTime.Add(-time.Minute)}, Values: []float64{f.values[label]},
		})
	}
	return out, nil
}
