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

// age limits the age of the oldest job in a queue to 30.
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

// minutes returns points by the number of minutes before noon.
func minutes(values map[int]float64) map[time.Time]float64 {
	all := map[time.Time]float64{}
	for ago, v := range values {
		all[noon.Add(-time.Duration(ago)*time.Minute)] = v
	}
	return all
}

// noon is the start time of a synctest bubble, which is a whole minute.
var noon = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// evaluateMetric evaluates a gate in a bubble, ago after the weight change.
func evaluateMetric(t *testing.T, c gate.CloudWatchMetric, f *fakeCloudWatch, ago time.Duration) (v rollout.Verdict) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := mustBuild(t)(gate.NewCloudWatchMetric(c, defaultRegionDeps(f)))
		v = g.Evaluate(t.Context(), rollout.GateInput{ChangedAt: time.Now().Add(-ago)})
	})
	return v
}

func TestCloudWatchMetric_verdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(c *gate.CloudWatchMetric)
		points map[int]float64 // by minutes ago
		ago    time.Duration   // since the change
		want   rollout.Status
	}{
		{"all within the limit", nil, map[int]float64{2: 4, 3: 12.5, 4: 30}, time.Hour, "pass"},
		{"one point", nil, map[int]float64{2: 4}, 2 * time.Minute, "pass"},
		{"one outside, the newest within", nil, map[int]float64{2: 4, 3: 30.5, 4: 6}, time.Hour,
			"fail"},
		{"two outside", nil, map[int]float64{2: 31, 3: 99, 4: 6}, time.Hour,
			"fail"},
		{"just outside", nil, map[int]float64{2: 30.00000001}, time.Hour, "fail"},
		{"below the minimum", func(c *gate.CloudWatchMetric) { c.Min, c.Max = new(5.0), nil }, map[int]float64{2: 4}, time.Hour,
			"fail"},
		{"within both limits", func(c *gate.CloudWatchMetric) { c.Min = new(5.0) }, map[int]float64{2: 6}, time.Hour, "pass"},
		{"outside before the change", nil, map[int]float64{2: 4, 3: 5, 4: 99}, 3 * time.Minute, "pass"},
		{"outside in the minute of the change", nil, map[int]float64{2: 4, 3: 99}, 2*time.Minute + 30*time.Second, "pass"},
		{"outside, but not complete yet", nil, map[int]float64{1: 99, 2: 4}, time.Hour, "pass"},
		{"outside before the lookback", nil, map[int]float64{2: 4, 7: 99}, time.Hour, "pass"},
		{"outside within a longer lookback", func(c *gate.CloudWatchMetric) { c.Lookback = 10 * time.Minute }, map[int]float64{2: 4, 7: 99}, time.Hour,
			"fail"},
		{"no lag", func(c *gate.CloudWatchMetric) { c.Lag = 0 }, map[int]float64{1: 99}, time.Hour,
			"fail"},
		{"no data points", nil, nil, time.Hour, "inconclusive"},
		{"no whole minute since the change", nil, map[int]float64{2: 4}, 90 * time.Second,
			"inconclusive"},
		{"just after the change", nil, map[int]float64{2: 4}, 0, "inconclusive"},
		{"NaN", nil, map[int]float64{2: 4, 3: math.NaN()}, time.Hour, "inconclusive"},
		{"infinite", nil, map[int]float64{3: math.Inf(1)}, time.Hour, "inconclusive"},
		{"no data points, which passes", func(c *gate.CloudWatchMetric) { c.OnNoData = "pass" }, nil, time.Hour, "pass"},
		{"no data points, which fails", func(c *gate.CloudWatchMetric) { c.OnNoData = "fail" }, nil, time.Hour, "fail"},
		{"no data points, as said", func(c *gate.CloudWatchMetric) { c.OnNoData = "inconclusive" }, nil, time.Hour, "inconclusive"},
		{"no whole minute yet, whatever that counts as", func(c *gate.CloudWatchMetric) { c.OnNoData = "fail" }, nil, 90 * time.Second, "inconclusive"},
		{"NaN, which passes", func(c *gate.CloudWatchMetric) { c.OnNoData = "pass" }, map[int]float64{2: math.NaN()}, time.Hour, "pass"},
		{"NaN among others, which passes", func(c *gate.CloudWatchMetric) { c.OnNoData = "pass" }, map[int]float64{2: 4, 3: math.NaN()}, time.Hour, "pass"},
		{"NaN among others, which fails", func(c *gate.CloudWatchMetric) { c.OnNoData = "fail" }, map[int]float64{2: 4, 3: math.NaN()}, time.Hour, "fail"},
		{"infinite, whatever no data counts as", func(c *gate.CloudWatchMetric) { c.OnNoData = "pass" }, map[int]float64{3: math.Inf(1)}, time.Hour, "inconclusive"},
		{"NaN and one outside", nil, map[int]float64{2: 31, 3: math.NaN()}, time.Hour,
			"fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fakeCloudWatch{points: map[string]map[time.Time]float64{ageSeries: minutes(c.points)}}
			wantVerdict(t, evaluateMetric(t, age(c.change), f, c.ago), c.want)
			if len(f.queried) > 1 {
				t.Errorf("got %d calls in one evaluation", len(f.queried))
			}
		})
	}
}

func TestCloudWatchMetric_longPeriods(t *testing.T) {
	t.Parallel()
	c := age(func(c *gate.CloudWatchMetric) { c.Period, c.Lookback = 5*time.Minute, 12*time.Minute })
	f := &fakeCloudWatch{points: map[string]map[time.Time]float64{"AWS/SQS Age Maximum QueueName=jobs 300": minutes(map[int]float64{5: 99, 10: 4, 15: 5, 20: 99})}}
	// The newest two whole periods that ended a minute ago; the change is in the third.
	wantVerdict(t, evaluateMetric(t, c, f, 17*time.Minute), "pass")
	if in := f.queried[0]; !in.StartTime.Equal(noon.Add(-15*time.Minute)) || !in.EndTime.Equal(noon.Add(-5*time.Minute)) {
		t.Errorf("got a range from %v to %v", in.StartTime, in.EndTime)
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
	wantVerdict(t, evaluateMetric(t, rate(nil), f, time.Hour), "fail")
	var got []string
	for _, q := range f.queried[0].MetricDataQueries {
		got = append(got, fmt.Sprintf("%s: %s, returned: %t", aws.ToString(q.Id), seriesOf(q), aws.ToBool(q.ReturnData)))
	}
	want := []string{
		"e: AWS/ApplicationELB Errors Sum 60, returned: false",
		"result: AWS/ApplicationELB Requests Sum 60, returned: false",
		"result_: 100 * e / result 60, returned: true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got queries\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if f.queried[0].ScanBy != types.ScanByTimestampAscending {
		t.Errorf("got order %s", f.queried[0].ScanBy)
	}
}

// The expression has the longest period of its queries.
func TestCloudWatchMetric_periodsOfQueries(t *testing.T) {
	t.Parallel()
	c := rate(func(c *gate.CloudWatchMetric) { c.Queries[0].Period = 5 * time.Minute })
	if p := c.LongestPeriod(); p != 5*time.Minute {
		t.Errorf("got longest period %s", p)
	}
	f := &fakeCloudWatch{}
	wantVerdict(t, evaluateMetric(t, c, f, time.Hour), "inconclusive")
	if got := seriesOf(f.queried[0].MetricDataQueries[2]); got != "100 * e / result 300" {
		t.Errorf("got series %s", got)
	}
}

// A search returns several series, each of which must be within the limits.
func TestCloudWatchMetric_severalSeries(t *testing.T) {
	t.Parallel()
	c := gate.CloudWatchMetric{Expression: "SELECT MAX(Age) FROM SCHEMA(Jobs) GROUP BY Queue", Max: new(30.0), Lag: gate.DefaultLag}
	f := &severalSeries{values: map[string]float64{"jobs": 4, "mails": 31}}
	synctest.Test(t, func(t *testing.T) {
		g := mustBuild(t)(gate.NewCloudWatchMetric(c, gate.Dependencies{Region: "eu-west-1", CloudWatch: func(string) (gate.CloudWatch, error) { return f, nil }}))
		wantVerdict(t, g.Evaluate(t.Context(), rollout.GateInput{ChangedAt: time.Now().Add(-time.Hour)}),
			"fail")
	})
}

func TestCloudWatchMetric_pagesAndStatus(t *testing.T) {
	t.Parallel()
	points := func() map[string]map[time.Time]float64 {
		return map[string]map[time.Time]float64{ageSeries: minutes(map[int]float64{2: 4, 3: 5, 4: 6, 5: 40})}
	}
	for _, c := range []struct {
		name  string
		fake  *fakeCloudWatch
		calls int
		want  rollout.Status
	}{
		{"pages", &fakeCloudWatch{points: points(), perPage: 1}, 4, "fail"},
		{"the same page again", &fakeCloudWatch{loops: true}, 2, "error"},
		{"partial data", &fakeCloudWatch{status: types.StatusCodePartialData, message: "too\nmuch"}, 1,
			"inconclusive"},
		{"message", &fakeCloudWatch{message: "no such metric"}, 1, "inconclusive"},
		{"forbidden", &fakeCloudWatch{status: types.StatusCodeForbidden}, 1, "error"},
		{"internal error", &fakeCloudWatch{status: types.StatusCodeInternalError}, 1, "error"},
		{"access denied", &fakeCloudWatch{err: apiError(403, "AccessDenied", "no")}, 1, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantVerdict(t, evaluateMetric(t, age(nil), c.fake, time.Hour), c.want)
			if len(c.fake.queried) != c.calls {
				t.Errorf("got %d calls, want %d", len(c.fake.queried), c.calls)
			}
		})
	}
}

// A permanent error blocks a shift from starting; a temporary one does not.
func TestCloudWatchMetric_preflight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fake *fakeCloudWatch
		want rollout.Status
	}{
		{"readable", &fakeCloudWatch{}, "pass"},
		{"malformed expression", &fakeCloudWatch{err: apiError(400, "ValidationError", "Error in expression")}, "error"},
		{"access denied", &fakeCloudWatch{err: apiError(403, "AccessDenied", "no")}, "error"},
		{"metric forbidden", &fakeCloudWatch{status: types.StatusCodeForbidden}, "error"},
		{"throttled", &fakeCloudWatch{err: apiError(400, "Throttling", "Rate exceeded")},
			"inconclusive"},
		{"internal failure", &fakeCloudWatch{err: apiError(500, "InternalFailure", "try again")},
			"inconclusive"},
		{"no network", &fakeCloudWatch{err: errors.New("no such host")}, "inconclusive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := mustBuild(t)(gate.NewCloudWatchMetric(age(nil), defaultRegionDeps(c.fake)))
			wantVerdict(t, preflight(t, g, rollout.GateInput{}), c.want)
		})
	}
}
