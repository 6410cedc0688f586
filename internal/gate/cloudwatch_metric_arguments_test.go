package gate_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
)

func TestCloudWatchMetric_arguments(t *testing.T) {
	t.Parallel()
	var many []gate.MetricQuery
	for i := range 500 {
		many = append(many, gate.MetricQuery{ID: fmt.Sprint("q", i), Namespace: "N", Metric: "M", Stat: "Sum"})
	}
	wide := map[string]string{}
	for i := range 31 {
		wide[fmt.Sprint("d", i)] = "x"
	}
	query := func(id string, q gate.MetricQuery) func(*gate.CloudWatchMetric) {
		q.ID = id
		return func(c *gate.CloudWatchMetric) { c.Queries = []gate.MetricQuery{q} }
	}
	for _, c := range []struct {
		name string
		args gate.CloudWatchMetric
		want []string
	}{
		{"neither", gate.CloudWatchMetric{Max: new(1.0)}, []string{"metric: it is required where there is no expression"}},
		{"both", age(func(c *gate.CloudWatchMetric) { c.Expression = "SELECT 1" }),
			[]string{"expression: it is not valid: there is a metric too: keep one of the two, and put what an expression uses into queries"}},
		{"queries alone", rate(func(c *gate.CloudWatchMetric) { c.Expression = "" }), []string{"expression: it is required where there are queries"}},
		{"half a metric", gate.CloudWatchMetric{MetricQuery: gate.MetricQuery{Metric: "Age"}, Max: new(1.0)},
			[]string{"namespace: it is required with a metric", "stat: it is required with a metric"}},
		{"no metric", age(func(c *gate.CloudWatchMetric) { c.Metric = "" }), []string{"metric: it is required with a metric"}},
		{"a stat that is none", age(func(c *gate.CloudWatchMetric) { c.Stat = "p101" }), []string{`stat: it is not valid: "p101" is above 100 percent`}},
		{"too many dimensions", age(func(c *gate.CloudWatchMetric) { c.Dimensions = wide }),
			[]string{"dimensions: it is not valid: there are 31, and a metric has at most 30"}},
		{"a period that is none", age(func(c *gate.CloudWatchMetric) { c.Period = 45 * time.Second }),
			[]string{"period: it is not valid: 45s is not 1s, 5s, 10s, 20s, 30s or a multiple of 60s"}},
		{"a negative period", age(func(c *gate.CloudWatchMetric) { c.Period = -time.Minute }),
			[]string{"period: it is not valid: -1m is not 1s, 5s, 10s, 20s, 30s or a multiple of 60s"}},
		{"no limit", age(func(c *gate.CloudWatchMetric) { c.Max = nil }), []string{"max: it is required: give min, max or both"}},
		{"limits crossed", age(func(c *gate.CloudWatchMetric) { c.Min = new(30.5) }), []string{"min: it is not valid: 30.5 is above max, 30"}},
		{"a short lookback", age(func(c *gate.CloudWatchMetric) { c.Lookback = 30 * time.Second }),
			[]string{"lookback: it is not valid: 30s is shorter than the period of 1m"}},
		{"a negative lag", age(func(c *gate.CloudWatchMetric) { c.Lag = -time.Second }), []string{"lag: it is not valid: -1s is negative"}},
		{"no region", age(func(c *gate.CloudWatchMetric) { c.Region = "here" }), []string{`region: it is not valid: "here" is no region of AWS, such as eu-west-1`}},
		{"too many queries", rate(func(c *gate.CloudWatchMetric) { c.Queries = many }),
			[]string{"queries: it is not valid: there are 500, and CloudWatch takes 499 beside an expression"}},
		{"a query with no id", rate(func(c *gate.CloudWatchMetric) { c.Queries[1].ID = "" }), []string{"queries: it is not valid: query 2 has no id"}},
		{"an id twice", rate(func(c *gate.CloudWatchMetric) { c.Queries[1].ID = "e" }), []string{`queries: it is not valid: the id "e" is there twice`}},
		{"an id that is none", rate(query("E", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "Sum"})),
			[]string{`queries: it is not valid: query "E": its id does not begin with a small letter and go on with letters, digits and underscores`}},
		{"an empty query", rate(query("e", gate.MetricQuery{})), []string{`queries: it is not valid: query "e": it has no namespace`}},
		{"a query with no stat", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M"})), []string{`queries: it is not valid: query "e": it has no stat`}},
		{"a query's stat", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "TM(:)"})),
			[]string{`queries: it is not valid: query "e": its stat "TM(:)" has no bound`}},
		{"a query's dimensions", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "Sum", Dimensions: wide})),
			[]string{`queries: it is not valid: query "e": it has 31 dimensions, and a metric has at most 30`}},
		{"a query's period", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "Sum", Period: 90 * time.Second})),
			[]string{`queries: it is not valid: query "e": its period of 1m30s is not 1s, 5s, 10s, 20s, 30s or a multiple of 60s`}},
		{"a query's long period", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "Sum", Period: time.Hour})),
			[]string{"lookback: it is not valid: 5m is shorter than the period of 1h"}},
		{"nothing", age(nil), nil},
		{"nothing in an expression", rate(nil), nil},
		{"nothing in one without queries", gate.CloudWatchMetric{Expression: "SELECT MAX(Age) FROM Jobs", Min: new(0.0)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			refuses(t, c.args.Check(), c.want...)
			if _, err := gate.NewCloudWatchMetric(c.args, only(&fakeCloudWatch{})); (err != nil) != (c.want != nil) {
				t.Errorf("making it returns %v", err)
			}
		})
	}
}

func TestCloudWatchMetric_noClient(t *testing.T) {
	t.Parallel()
	_, err := gate.NewCloudWatchMetric(age(func(c *gate.CloudWatchMetric) { c.Region = "eu-north-1" }), only(&fakeCloudWatch{}))
	if !errors.Is(err, errNoClient) || err.Error() != "there is no client in eu-north-1" {
		t.Errorf("it returns %v", err)
	}
}
