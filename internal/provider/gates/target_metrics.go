package gates

import (
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// targetMetricsKind evaluates the load balancer's own metrics of the target groups.
func targetMetricsKind() kind {
	return kind{
		name:         "target_metrics",
		inconclusive: 10 * time.Minute,
		description: "Evaluates the load balancer's own metrics (`AWS/ApplicationELB`) of the target groups that gain traffic, and compares them with the live environment. " +
			"At least one of `max_error_rate`, `max_latency`, `worse_than_live_by` and `latency_ratio` is required. Too few requests are inconclusive. " +
			"Not for gRPC. Requires `cloudwatch:GetMetricData`; see [Choosing gates](../guides/choosing-gates.md).",
		arguments: targetMetricsAttributes(),
		read:      readTargetMetrics,
	}
}

func targetMetricsAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	number := func(description string) schema.NumberAttribute {
		return schema.NumberAttribute{Optional: true, MarkdownDescription: description}
	}
	return map[string]schema.Attribute{
		"max_error_rate": number("Maximum error rate in percent, from 0 to below 100, as a plain comparison. Default: no limit."),
		"max_latency":    text("Maximum target response time of `stat`, as a duration above zero. Default: no limit."),
		"stat":           text("Latency statistic: `Average` or a percentile such as `p99`, the median over the periods. Three periods must be too slow for a fail. A percentile q needs 5 / (1 - q) requests, such as 500 for `p99`. Default: `p99`."),
		"min_requests": schema.Int64Attribute{Optional: true,
			MarkdownDescription: "Minimum number of requests per environment, 1 or more; fewer since the last weight change are inconclusive. Default: `50`."},
		"worse_than_live_by": number("Maximum difference of the error rate from the live environment in percentage points, from 0 to below 100. Fails when the difference is statistically significantly larger (two-proportion test). Default: no limit."),
		"confidence":         number("Confidence of the test of `worse_than_live_by` over all evaluations of a step, above 0.5 and below 1. At `0.95`, an equally good release fails by chance in at most 5 % of its steps. If errors come in bursts, set `worse_than_live_by` above 0. Default: `0.95`."),
		"latency_ratio":      number("Maximum ratio of the latency to that of the live environment, above 0, compared without a significance test; use a generous ratio such as `2`. Default: no limit."),
		"lookback":           text("How far back requests are evaluated together, in whole periods, at least one. Default: `5m`."),
		"period":             text("Period of the load balancer metrics: `60s` (what Elastic Load Balancing publishes) or a multiple; shorter periods work only with `localaws`; see [Rehearsing locally](../guides/rehearsing-locally.md). Default: `60s`."),
		"lag":                text("Delay after which a period counts as complete, as a duration. Default: `60s`."),
	}
}

func readTargetMetrics(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.TargetMetrics{
		MaxErrorRate:    r.limit(a["max_error_rate"], 0),
		MaxLatency:      r.optional(at.AtName("max_latency"), a["max_latency"], time.Second),
		Stat:            r.Text(a["stat"]),
		MinRequests:     r.Whole(at.AtName("min_requests"), a["min_requests"], 1, gate.DefaultMinRequests),
		WorseThanLiveBy: r.limit(a["worse_than_live_by"], 0),
		Confidence:      r.limit(a["confidence"], gate.DefaultConfidence),
		LatencyRatio:    r.limit(a["latency_ratio"], 1),
		Lookback:        r.Positive(at.AtName("lookback"), a["lookback"], gate.DefaultLookback),
		Period:          r.Positive(at.AtName("period"), a["period"], gate.DefaultPeriod),
		Lag:             r.Duration(at.AtName("lag"), a["lag"], gate.DefaultLag),
	}
	if unknown(a["lookback"], a["period"]) {
		c.Lookback = max(c.Lookback, c.Period) // one of them is a placeholder
	}
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	var alone *fault
	if input.Missing(a["max_error_rate"]) && input.Missing(a["max_latency"]) {
		alone = &fault{at.AtName("max_error_rate"), "The gate only compares with a live environment, which a readiness check does not have. Set max_error_rate or max_latency."}
	}
	return configuration{
		withoutLive: alone,
		build:       func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewTargetMetrics(c, deps) },
		lag:         c.Period + c.Lag,
		unknown:     unknown(a["period"], a["lag"]),
		beforeTrafficNote: func(idle []string) string {
			return fmt.Sprintf("has no user requests to evaluate before any traffic, only test requests through the load balancer to %s. It needs at least %d of them.", schedule.And(idle), c.MinRequests)
		},
		noteUnknown: unknown(a["min_requests"]),
	}
}
