package gates

import (
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// cloudwatchMetricKind compares a CloudWatch metric with limits.
func cloudwatchMetricKind() kind {
	return kind{
		name:         "cloudwatch_metric",
		inconclusive: 10 * time.Minute,
		description: "Compares a CloudWatch metric, or a metric math expression, with limits. Every data point within `lookback` must be within them. " +
			"Only whole periods count that started after the last weight change and ended at least `lag` ago. Missing data counts by `on_no_data`, partial data is inconclusive; a refused call is an error and blocks the shift from starting.",
		arguments: cloudwatchMetricAttributes(),
		blocks:    map[string]schema.Block{"query": queryBlock()},
		read:      readCloudWatchMetric,
	}
}

const statDescription = "`SampleCount`, `Average`, `Sum`, `Minimum`, `Maximum`, `IQM`, a percentile such as `p99`, a trimmed or winsorized one (`tm90`, `tc90`, `ts90`, `wm90`), " +
	"or a range (`PR(:300)`, `TM(10%:90%)`, `TC`, `TS`, `WM`), as CloudWatch defines them."

func cloudwatchMetricAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	number := func(description string) schema.NumberAttribute {
		return schema.NumberAttribute{Optional: true, MarkdownDescription: description}
	}
	return map[string]schema.Attribute{
		"namespace":  text("Namespace of the metric, such as `AWS/SQS`. Required with `metric`."),
		"metric":     text("Name of the metric. Exactly one of `metric` and `expression` must be set."),
		"dimensions": dimensionsAttribute(),
		"stat":       text(statDescription + " Required with `metric`."),
		"period":     text("Period of a data point: `1s`, `5s`, `10s`, `20s`, `30s` or a multiple of `60s`. Most metrics have no data below `60s`. Applies to each `query` without a `period`. Default: `60s`."),
		"expression": text("Metric math expression over the IDs of the blocks `query`, a `SEARCH` or a Metrics Insights query. Every time series that it returns is evaluated. " + placeholdersNote + " Exactly one of `metric` and `expression` must be set."),
		"min":        number("Minimum value, in the unit of the metric. At least one of `min` and `max` is required. Default: no limit."),
		"max":        number("Maximum value, in the unit of the metric. Default: no limit."),
		"lookback":   text("How far back data points are evaluated, at least the longest period and never before the last weight change. Default: `5m`."),
		"lag":        text("Delay after which a period counts as complete, as a duration. Default: `60s`."),
		"on_no_data": onNoDataAttribute("no data point in the complete periods since the last weight change, and NaN, count as"),
		"account_id": text("ID of the source account of the metrics, for cross-account observability: the credentials are those of a monitoring account. Applies to each `query` without an `account_id`. In an expression such as `SEARCH`, name the account itself (`:aws.AccountId`). Default: the account of the credentials."),
		"region":     text("Region of the metrics. Default: the region of the routes or, for Route 53 and Kubernetes, that of the provider."),
	}
}

// queryBlock is a metric for an expression.
func queryBlock() schema.ListNestedBlock {
	required := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Required: true, MarkdownDescription: description}
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "A metric for `expression`; there can be at most 499.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"id":         required("ID used in the expression: a lowercase letter, then letters, digits and underscores."),
			"namespace":  required("Namespace of the metric."),
			"metric":     required("Name of the metric."),
			"dimensions": dimensionsAttribute(),
			"stat":       required(statDescription),
			"period":     schema.StringAttribute{Optional: true, MarkdownDescription: "Period of a data point. Default: the `period` of the gate."},
			"account_id": schema.StringAttribute{Optional: true, MarkdownDescription: "ID of the source account of the metric. Default: the `account_id` of the gate."},
		}},
	}
}

func dimensionsAttribute() schema.MapAttribute {
	return schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Map of dimension to value, at most 30. " + placeholdersNote + " Default: none."}
}

func readCloudWatchMetric(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.CloudWatchMetric{
		MetricQuery: r.metricQuery(at, a),
		Expression:  r.textOr(a["expression"], ""),
		Queries:     r.metricQueries(at.AtName("query"), a["query"]),
		Min:         r.limit(a["min"], -math.MaxFloat64),
		Max:         r.limit(a["max"], math.MaxFloat64),
		Lookback:    r.Positive(at.AtName("lookback"), a["lookback"], gate.DefaultLookback),
		Lag:         r.Duration(at.AtName("lag"), a["lag"], gate.DefaultLag),
		Region:      r.Text(a["region"]),
		OnNoData:    r.onNoData(at.AtName("on_no_data"), a["on_no_data"]),
	}
	periodUnknown := unknown(a["period"], a["lag"]) || periodsUnknown(a["query"])
	if periodUnknown || unknown(a["lookback"]) {
		c.Lookback = max(c.Lookback, c.LongestPeriod()) // one of them is a placeholder
	}
	// Whether metric or expression is set may depend on unknown values.
	if !unknown(a["expression"], a["metric"], a["query"], a["namespace"], a["stat"], a["dimensions"], a["account_id"]) && r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	return configuration{
		withoutLive: needsLive(at, c.NeedsLive()),
		build:       func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewCloudWatchMetric(c, deps) },
		lag:         c.LongestPeriod() + c.Lag,
		unknown:     periodUnknown,
		regionless:  needsRegion(at.AtName("region"), a["region"], "The metrics need", ""),
	}
}

// metricQuery reads the arguments that identify a metric. Unknown values are replaced
// by valid placeholders.
func (r reader) metricQuery(at path.Path, a map[string]attr.Value) gate.MetricQuery {
	return gate.MetricQuery{
		Namespace:  r.textOr(a["namespace"], "unknown"),
		Metric:     r.textOr(a["metric"], "unknown"),
		Dimensions: r.Texts(at.AtName("dimensions"), a["dimensions"]),
		Stat:       r.textOr(a["stat"], "Sum"),
		Period:     r.optional(at.AtName("period"), a["period"], gate.DefaultPeriod),
		AccountID:  r.textOr(a["account_id"], ""),
	}
}

func (r reader) metricQueries(at path.Path, v attr.Value) []gate.MetricQuery {
	list, ok := v.(types.List)
	if !r.Known(v) || !ok {
		return nil
	}
	var all []gate.MetricQuery
	for i, e := range list.Elements() {
		unknownID := fmt.Sprint("unknown", i)
		one := gate.MetricQuery{ID: unknownID, Namespace: "unknown", Metric: "unknown", Stat: "Sum"}
		if a := r.Attributes(e); a != nil {
			one = r.metricQuery(at.AtListIndex(i), a)
			one.ID = r.textOr(a["id"], unknownID)
		}
		all = append(all, one)
	}
	return all
}

// periodsUnknown reports whether the longest period of the queries is not known.
func periodsUnknown(v attr.Value) bool {
	list, ok := v.(types.List)
	if unknown(v) || !ok {
		return unknown(v)
	}
	for _, e := range list.Elements() {
		if o, ok := e.(types.Object); unknown(e) || ok && unknown(o.Attributes()["period"]) {
			return true
		}
	}
	return false
}

// unknown reports whether any of them is not known yet.
func unknown(values ...attr.Value) bool {
	for _, v := range values {
		if v != nil && v.IsUnknown() {
			return true
		}
	}
	return false
}

// textOr reads a string, or returns the placeholder while it is unknown.
func (r reader) textOr(v attr.Value, meanwhile string) string {
	if unknown(v) {
		return meanwhile
	}
	return r.Text(v)
}

// limit reads a number; nil where it is not set. While it is unknown, it returns the
// placeholder.
func (r reader) limit(v attr.Value, meanwhile float64) *float64 {
	if unknown(v) {
		return &meanwhile
	}
	n, ok := v.(types.Number)
	if !r.Known(v) || !ok {
		return nil
	}
	value, _ := n.ValueBigFloat().Float64()
	return &value
}

// optional reads a duration above zero; 0 where it is not set. While it is unknown, it
// returns the placeholder.
func (r reader) optional(at path.Path, v attr.Value, meanwhile time.Duration) time.Duration {
	if input.Missing(v) {
		return 0
	}
	return r.Positive(at, v, meanwhile)
}
