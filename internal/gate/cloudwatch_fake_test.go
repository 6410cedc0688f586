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

// fakeCloudWatch gives what a test has put into it, and keeps what it was asked.
type fakeCloudWatch struct {
	points  map[string]map[time.Time]float64 // by series, as seriesOf has it
	status  types.StatusCode                 // of every result; empty: Complete
	remark  string                           // a message with every result
	perPage int                              // how many points a page has; 0: all
	circles bool                             // every page names the same next one
	err     error

	metric    []types.MetricAlarm
	composite []types.CompositeAlarm
	logs      []types.LogAlarm

	mu        sync.Mutex
	asked     []cloudwatch.GetMetricDataInput
	described []cloudwatch.DescribeAlarmsInput
}

// means are those of a machine that reaches these, by region.
func means(fakes map[string]*fakeCloudWatch) gate.Dependencies {
	return gate.Dependencies{Region: "eu-west-1", CloudWatch: func(region string) (gate.CloudWatch, error) {
		if f := fakes[region]; f != nil {
			return f, nil
		}
		return nil, fmt.Errorf("%w in %s", errNoClient, region)
	}}
}

var errNoClient = errors.New("there is no client")

func only(f *fakeCloudWatch) gate.Dependencies {
	return means(map[string]*fakeCloudWatch{"eu-west-1": f})
}

// seriesOf is what a query asks for: "AWS/SQS Age p99 QueueName=jobs 60".
func seriesOf(q types.MetricDataQuery) string {
	if q.MetricStat == nil {
		return fmt.Sprintf("%s %d", aws.ToString(q.Expression), aws.ToInt32(q.Period))
	}
	m := q.MetricStat.Metric
	words := []string{aws.ToString(m.Namespace), aws.ToString(m.MetricName), aws.ToString(q.MetricStat.Stat)}
	for _, d := range m.Dimensions {
		words = append(words, aws.ToString(d.Name)+"="+aws.ToString(d.Value))
	}
	return strings.Join(append(words, fmt.Sprint(aws.ToInt32(q.MetricStat.Period))), " ")
}

// GetMetricData gives the points between the times asked for, oldest first.
func (f *fakeCloudWatch) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, *in)
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
	if more || f.circles {
		out.NextToken = new(fmt.Sprint(from + f.perPage))
	}
	return out, nil
}

func (f *fakeCloudWatch) result(q types.MetricDataQuery, in *cloudwatch.GetMetricDataInput) types.MetricDataResult {
	r := types.MetricDataResult{Id: q.Id, Label: new(seriesOf(q)), StatusCode: types.StatusCodeComplete}
	if f.status != "" {
		r.StatusCode = f.status
	}
	if f.remark != "" {
		r.Messages = []types.MessageData{{Code: new("Note"), Value: &f.remark}}
	}
	all := f.points[seriesOf(q)]
	for _, at := range slices.SortedFunc(maps.Keys(all), time.Time.Compare) {
		if !at.Before(*in.StartTime) && at.Before(*in.EndTime) {
			r.Timestamps, r.Values = append(r.Timestamps, at), append(r.Values, all[at])
		}
	}
	return r
}

// DescribeAlarms finds alarms by name, one a page, and of the types asked for.
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
	if f.circles {
		out.NextToken = new("1")
	} else if page+1 < len(in.AlarmNames) {
		out.NextToken = new(fmt.Sprint(page + 1))
	}
	name := in.AlarmNames[min(page, len(in.AlarmNames)-1)]
	of := func(kind types.AlarmType, other *string) bool {
		return aws.ToString(other) == name && slices.Contains(in.AlarmTypes, kind)
	}
	for _, a := range f.metric {
		if of(types.AlarmTypeMetricAlarm, a.AlarmName) {
			out.MetricAlarms = append(out.MetricAlarms, a)
		}
	}
	for _, a := range f.composite {
		if of(types.AlarmTypeCompositeAlarm, a.AlarmName) {
			out.CompositeAlarms = append(out.CompositeAlarms, a)
		}
	}
	for _, a := range f.logs {
		if of(types.AlarmTypeLogAlarm, a.AlarmName) {
			out.LogAlarms = append(out.LogAlarms, a)
		}
	}
	return out, nil
}

// answered is an error as the SDK gives it for an answer with that status.
func answered(status int, code, message string) error {
	return &smithy.OperationError{ServiceID: "CloudWatch", OperationName: "GetMetricData", Err: &awshttp.ResponseError{
		RequestID: "7a62c49f",
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
			Err:      &smithy.GenericAPIError{Code: code, Message: message},
		},
	}}
}

// says compares the status of a verdict, and records the rest; only an error has a
// cause.
func says(t *testing.T, got rollout.Verdict, want rollout.Status) {
	t.Helper()
	if got.Status != want {
		t.Errorf("the gate says %s: %s, want %s", got.Status, got.Detail, want)
	}
	golden.Record(t, string(got.Status)+": "+got.Detail, golden.Volatile()...)
	if (got.Err != nil) != (got.Status == rollout.Errored) {
		t.Errorf("with %s the cause is %v", got.Status, got.Err)
	}
}

// refuses records everything that is wrong with arguments, of which there are so many.
func refuses(t *testing.T, got []*gate.ArgumentError, want int) {
	t.Helper()
	for _, err := range got {
		golden.Record(t, err.Error())
		if !errors.Is(err, gate.ErrInvalid) && !errors.Is(err, gate.ErrMissing) {
			t.Errorf("%v is of no kind", err)
		}
	}
	if len(got) != want {
		t.Errorf("%d arguments are refused, want %d", len(got), want)
	}
}

// ahead asks a gate before a shift.
func ahead(t *testing.T, g rollout.Gate, m rollout.GateInput) rollout.Verdict {
	t.Helper()
	p, ok := g.(rollout.Preflight)
	if !ok {
		t.Fatal("the gate has nothing to say before a shift")
	}
	return p.Preflight(t.Context(), m)
}

// built fails the test where a gate is refused.
func built(t *testing.T) func(rollout.Gate, error) rollout.Gate {
	return func(g rollout.Gate, err error) rollout.Gate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
}

// severalSeries gives a series for each label, as a search does.
type severalSeries struct {
	fakeCloudWatch
	values map[string]float64
}

// GetMetricData gives each a point at the beginning of the newest minute.
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
