package gate_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// age is the age of the oldest job in a queue, at most 30.
func age(change func(c *gate.CloudWatchMetric)) gate.CloudWatchMetric {
	c := gate.CloudWatchMetric{
		MetricQuery: gate.MetricQuery{Namespace: "AWS/SQS", Metric: "Age", Dimensions: map[string]string{"QueueName": "jobs"}, Stat: "Maximum"},
		Max:         new(30.0), Lag: gate.DefaultLag,
	}
	if change != nil {
		change(&c)
	}
	return c
}

const ageSeries = "AWS/SQS Age Maximum QueueName=jobs 60"

// minutes are points of the minutes that began so long before noon.
func minutes(values map[int]float64) map[time.Time]float64 {
	all := map[time.Time]float64{}
	for ago, v := range values {
		all[noon.Add(-time.Duration(ago)*time.Minute)] = v
	}
	return all
}

// noon is when a synctest bubble begins: a whole minute.
var noon = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// judged asks a gate of the kind in a bubble, so long after the change of weights.
func judged(t *testing.T, c gate.CloudWatchMetric, f *fakeCloudWatch, ago time.Duration) (v rollout.Verdict) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := built(t)(gate.NewCloudWatchMetric(c, only(f)))
		v = g.Evaluate(t.Context(), rollout.GateInput{ChangedAt: time.Now().Add(-ago)})
	})
	return v
}

func TestCloudWatchMetric_verdicts(t *testing.T) {
	t.Parallel()
	const subject = "Maximum of AWS/SQS Age (QueueName=jobs): "
	for _, c := range []struct {
		name   string
		change func(c *gate.CloudWatchMetric)
		points map[int]float64 // by minutes ago
		ago    time.Duration   // since the change
		want   rollout.Status
	}{
		{"all within", nil, map[int]float64{2: 4, 3: 12.5, 4: 30}, time.Hour, "pass"},
		{"one point", nil, map[int]float64{2: 4}, 2 * time.Minute, "pass"},
		{"one of them outside, the newest within", nil, map[int]float64{2: 4, 3: 30.5, 4: 6}, time.Hour,
			"fail"},
		{"the newest of those outside", nil, map[int]float64{2: 31, 3: 99, 4: 6}, time.Hour,
			"fail"},
		{"just outside", nil, map[int]float64{2: 30.00000001}, time.Hour, "fail"},
		{"too low", func(c *gate.CloudWatchMetric) { c.Min, c.Max = new(5.0), nil }, map[int]float64{2: 4}, time.Hour,
			"fail"},
		{"between", func(c *gate.CloudWatchMetric) { c.Min = new(5.0) }, map[int]float64{2: 6}, time.Hour, "pass"},
		{"bad before the change", nil, map[int]float64{2: 4, 3: 5, 4: 99}, 3 * time.Minute, "pass"},
		{"bad in the minute of the change", nil, map[int]float64{2: 4, 3: 99}, 2*time.Minute + 30*time.Second, "pass"},
		{"bad, but not complete yet", nil, map[int]float64{1: 99, 2: 4}, time.Hour, "pass"},
		{"bad, but long ago", nil, map[int]float64{2: 4, 7: 99}, time.Hour, "pass"},
		{"looking further back", func(c *gate.CloudWatchMetric) { c.Lookback = 10 * time.Minute }, map[int]float64{2: 4, 7: 99}, time.Hour,
			"fail"},
		{"no lag", func(c *gate.CloudWatchMetric) { c.Lag = 0 }, map[int]float64{1: 99}, time.Hour,
			"fail"},
		{"no point", nil, nil, time.Hour, "inconclusive"},
		{"no whole minute since the change", nil, map[int]float64{2: 4}, 90 * time.Second,
			"inconclusive"},
		{"a change just now", nil, map[int]float64{2: 4}, 0, "inconclusive"},
		{"no number", nil, map[int]float64{2: 4, 3: math.NaN()}, time.Hour, "inconclusive"},
		{"beyond all numbers", nil, map[int]float64{3: math.Inf(1)}, time.Hour, "inconclusive"},
		{"no number, and one outside", nil, map[int]float64{2: 31, 3: math.NaN()}, time.Hour,
			"fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fakeCloudWatch{points: map[string]map[time.Time]float64{ageSeries: minutes(c.points)}}
			says(t, judged(t, age(c.change), f, c.ago), c.want)
			if len(f.asked) > 1 {
				t.Errorf("%d calls in a round", len(f.asked))
			}
		})
	}
}

func TestCloudWatchMetric_longPeriods(t *testing.T) {
	t.Parallel()
	c := age(func(c *gate.CloudWatchMetric) { c.Period, c.Lookback = 5*time.Minute, 12*time.Minute })
	f := &fakeCloudWatch{points: map[string]map[time.Time]float64{"AWS/SQS Age Maximum QueueName=jobs 300": minutes(map[int]float64{5: 99, 10: 4, 15: 5, 20: 99})}}
	// The newest two whole periods that ended a minute ago; the change was within a third.
	says(t, judged(t, c, f, 17*time.Minute), "pass")
	if in := f.asked[0]; !in.StartTime.Equal(noon.Add(-15*time.Minute)) || !in.EndTime.Equal(noon.Add(-5*time.Minute)) {
		t.Errorf("it asks from %v to %v", in.StartTime, in.EndTime)
	}
}

func rate(change func(c *gate.CloudWatchMetric)) gate.CloudWatchMetric {
	query := func(id, metric string) gate.MetricQuery {
		return gate.MetricQuery{ID: id, Namespace: "AWS/ApplicationELB", Metric: metric, Stat: "Sum"}
	}
	c := gate.CloudWatchMetric{
		Expression: "100 * e / result", Queries: []gate.MetricQuery{query("e", "Errors"), query("result", "Requests")},
		Max: new(1.0), Lag: gate.DefaultLag,
	}
	if change != nil {
		change(&c)
	}
	return c
}

func TestCloudWatchMetric_expression(t *testing.T) {
	t.Parallel()
	f := &fakeCloudWatch{points: map[string]map[time.Time]float64{"100 * e / result 60": minutes(map[int]float64{2: 0.5, 3: 1.25})}}
	says(t, judged(t, rate(nil), f, time.Hour), "fail")
	var asked []string
	for _, q := range f.asked[0].MetricDataQueries {
		asked = append(asked, fmt.Sprintf("%s: %s, given back: %t", aws.ToString(q.Id), seriesOf(q), aws.ToBool(q.ReturnData)))
	}
	want := []string{
		"e: AWS/ApplicationELB Errors Sum 60, given back: false",
		"result: AWS/ApplicationELB Requests Sum 60, given back: false",
		"result_: 100 * e / result 60, given back: true",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("it asks\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
	if f.asked[0].ScanBy != types.ScanByTimestampAscending {
		t.Errorf("it asks in the order %s", f.asked[0].ScanBy)
	}
}

// The longest of the queries' periods is that of the answer.
func TestCloudWatchMetric_periodsOfQueries(t *testing.T) {
	t.Parallel()
	c := rate(func(c *gate.CloudWatchMetric) { c.Queries[0].Period = 5 * time.Minute })
	if p := c.LongestPeriod(); p != 5*time.Minute {
		t.Errorf("the longest period is %s", p)
	}
	f := &fakeCloudWatch{}
	says(t, judged(t, c, f, time.Hour), "inconclusive")
	if got := seriesOf(f.asked[0].MetricDataQueries[2]); got != "100 * e / result 300" {
		t.Errorf("it asks for %s", got)
	}
}

// A search gives several series, and every one of them counts.
func TestCloudWatchMetric_severalSeries(t *testing.T) {
	t.Parallel()
	c := gate.CloudWatchMetric{Expression: "SELECT MAX(Age) FROM SCHEMA(Jobs) GROUP BY Queue", Max: new(30.0), Lag: gate.DefaultLag}
	f := &severalSeries{values: map[string]float64{"jobs": 4, "mails": 31}}
	synctest.Test(t, func(t *testing.T) {
		g := built(t)(gate.NewCloudWatchMetric(c, gate.Dependencies{Region: "eu-west-1", CloudWatch: func(string) (gate.CloudWatch, error) { return f, nil }}))
		says(t, g.Evaluate(t.Context(), rollout.GateInput{ChangedAt: time.Now().Add(-time.Hour)}),
			"fail")
	})
}

func TestCloudWatchMetric_pagesAndStatus(t *testing.T) {
	t.Parallel()
	points := func() map[string]map[time.Time]float64 {
		return map[string]map[time.Time]float64{ageSeries: minutes(map[int]float64{2: 4, 3: 5, 4: 6, 5: 40})}
	}
	const subject = "Maximum of AWS/SQS Age (QueueName=jobs)"
	for _, c := range []struct {
		name  string
		fake  *fakeCloudWatch
		calls int
		want  rollout.Status
	}{
		{"pages", &fakeCloudWatch{points: points(), perPage: 1}, 4, "fail"},
		{"the same page for ever", &fakeCloudWatch{circles: true}, 2, "error"},
		{"a part of the data", &fakeCloudWatch{status: types.StatusCodePartialData, remark: "too\nmuch"}, 1,
			"inconclusive"},
		{"a remark", &fakeCloudWatch{remark: "no such metric"}, 1, "inconclusive"},
		{"forbidden", &fakeCloudWatch{status: types.StatusCodeForbidden}, 1, "error"},
		{"broken", &fakeCloudWatch{status: types.StatusCodeInternalError}, 1, "error"},
		{"refused", &fakeCloudWatch{err: answered(403, "AccessDenied", "no")}, 1, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			says(t, judged(t, age(nil), c.fake, time.Hour), c.want)
			if len(c.fake.asked) != c.calls {
				t.Errorf("%d calls, want %d", len(c.fake.asked), c.calls)
			}
		})
	}
}

// What will be refused in every round is said before anything moves.
func TestCloudWatchMetric_ahead(t *testing.T) {
	t.Parallel()
	const subject = "Maximum of AWS/SQS Age (QueueName=jobs)"
	for _, c := range []struct {
		name string
		fake *fakeCloudWatch
		want rollout.Status
	}{
		{"it is answered", &fakeCloudWatch{}, "pass"},
		{"it is malformed", &fakeCloudWatch{err: answered(400, "ValidationError", "Error in expression")}, "error"},
		{"it is not allowed", &fakeCloudWatch{err: answered(403, "AccessDenied", "no")}, "error"},
		{"its metric is not allowed", &fakeCloudWatch{status: types.StatusCodeForbidden}, "error"},
		{"too many calls", &fakeCloudWatch{err: answered(400, "Throttling", "Rate exceeded")},
			"inconclusive"},
		{"out of order", &fakeCloudWatch{err: answered(500, "InternalFailure", "sorry")},
			"inconclusive"},
		{"no network", &fakeCloudWatch{err: errors.New("no such host")}, "inconclusive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := built(t)(gate.NewCloudWatchMetric(age(nil), only(c.fake)))
			says(t, ahead(t, g, rollout.GateInput{}), c.want)
		})
	}
}
