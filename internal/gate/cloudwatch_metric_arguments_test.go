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
		want int
	}{
		{"neither metric nor expression", gate.CloudWatchMetric{Max: new(1.0)}, 1},
		{"both metric and expression", age(func(c *gate.CloudWatchMetric) { c.Expression = "SELECT 1" }), 1},
		{"queries without an expression", rate(func(c *gate.CloudWatchMetric) { c.Expression = "" }), 1},
		{"incomplete metric", gate.CloudWatchMetric{MetricQuery: gate.MetricQuery{Metric: "Age"}, Max: new(1.0)}, 2},
		{"no metric", age(func(c *gate.CloudWatchMetric) { c.Metric = "" }), 1},
		{"invalid stat", age(func(c *gate.CloudWatchMetric) { c.Stat = "p101" }), 1},
		{"too many dimensions", age(func(c *gate.CloudWatchMetric) { c.Dimensions = wide }), 1},
		{"invalid period", age(func(c *gate.CloudWatchMetric) { c.Period = 45 * time.Second }), 1},
		{"negative period", age(func(c *gate.CloudWatchMetric) { c.Period = -time.Minute }), 1},
		{"no limit", age(func(c *gate.CloudWatchMetric) { c.Max = nil }), 1},
		{"min above max", age(func(c *gate.CloudWatchMetric) { c.Min = new(30.5) }), 1},
		{"lookback below the period", age(func(c *gate.CloudWatchMetric) { c.Lookback = 30 * time.Second }), 1},
		{"negative lag", age(func(c *gate.CloudWatchMetric) { c.Lag = -time.Second }), 1},
		{"invalid region", age(func(c *gate.CloudWatchMetric) { c.Region = "here" }), 1},
		{"too many queries", rate(func(c *gate.CloudWatchMetric) { c.Queries = many }), 1},
		{"query without an id", rate(func(c *gate.CloudWatchMetric) { c.Queries[1].ID = "" }), 1},
		{"duplicate id", rate(func(c *gate.CloudWatchMetric) { c.Queries[1].ID = "e" }), 1},
		{"invalid id", rate(query("E", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "Sum"})), 1},
		{"empty query", rate(query("e", gate.MetricQuery{})), 1},
		{"query without a stat", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M"})), 1},
		{"invalid stat of a query", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "TM(:)"})), 1},
		{"too many dimensions of a query", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "Sum", Dimensions: wide})), 1},
		{"invalid period of a query", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "Sum", Period: 90 * time.Second})), 1},
		{"period of a query above the lookback", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "Sum", Period: time.Hour})), 1},
		{"invalid account", age(func(c *gate.CloudWatchMetric) { c.AccountID = "12345" }), 1},
		{"invalid account of a query", rate(query("e", gate.MetricQuery{Namespace: "N", Metric: "M", Stat: "Sum", AccountID: "monitoring"})), 1},
		{"account without queries", gate.CloudWatchMetric{Expression: "SELECT MAX(Age) FROM Jobs", Min: new(0.0), MetricQuery: gate.MetricQuery{AccountID: "123456789012"}}, 1},
		{"valid account", age(func(c *gate.CloudWatchMetric) { c.AccountID = "123456789012" }), 0},
		{"valid metric", age(nil), 0},
		{"valid expression", rate(nil), 0},
		{"valid expression without queries", gate.CloudWatchMetric{Expression: "SELECT MAX(Age) FROM Jobs", Min: new(0.0)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantArgumentErrors(t, c.args.Check(), c.want)
			if _, err := gate.NewCloudWatchMetric(c.args, defaultRegionDeps(&fakeCloudWatch{})); (err != nil) != (c.want > 0) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestCloudWatchMetric_noClient(t *testing.T) {
	t.Parallel()
	_, err := gate.NewCloudWatchMetric(age(func(c *gate.CloudWatchMetric) { c.Region = "eu-north-1" }), defaultRegionDeps(&fakeCloudWatch{}))
	if !errors.Is(err, errNoClient) {
		t.Errorf("got error %v", err)
	}
}
