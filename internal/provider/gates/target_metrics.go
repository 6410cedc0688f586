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

// targetMetricsKind evaluates the metrics that AWS publishes of target groups and function versions.
func targetMetricsKind() kind {
	return kind{
		name:         "target_metrics",
		inconclusive: 10 * time.Minute,
		description: "Compares the metrics of what gains traffic with the live environment: target groups or, behind alias records, load balancers (`AWS/ApplicationELB`), or function versions (`AWS/Lambda`). " +
			"At least one limit is required: `max_error_rate`, `worse_than_live_by`, `error_ratio`, or with `slow_threshold`, `max_slow_rate`, `slower_than_live_by`, `slow_ratio`. " +
			"A limit fails only when exceeded by more than chance explains. Too few requests are inconclusive. " +
			"Not for gRPC, Network Load Balancers and records with values. Requires `cloudwatch:GetMetricData`; see [Choosing gates](../guides/choosing-gates.md).",
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
		"max_error_rate":      number("Maximum error rate in percent, from 0 to below 100. Default: no limit."),
		"worse_than_live_by":  number("Maximum difference of the error rate from the live environment, in percentage points, from 0 to below 100. Up to 1.5 times the live rate never fails, because hosts with the same version differ. Default: no limit."),
		"error_ratio":         number("Maximum ratio of the error rate to that of the live environment, 1.5 or more. Detects what is small in percentage points, such as 0.5 % after 0.1 %. Default: no limit."),
		"slow_threshold":      text("Target response time above which a response is slow, as a duration above zero. Required with `max_slow_rate`, `slower_than_live_by` and `slow_ratio`."),
		"max_slow_rate":       number("Maximum share of slow responses in percent, from 0 to below 100. `1` means that p99 is at most `slow_threshold`. Three periods must have requests for a fail. Default: no limit."),
		"slower_than_live_by": number("Maximum difference of the share of slow responses from the live environment, in percentage points, from 0 to below 100. Default: no limit."),
		"slow_ratio":          number("Maximum ratio of the share of slow responses to that of the live environment, 1.5 or more. Default: no limit."),
		"min_requests": schema.Int64Attribute{Optional: true,
			MarkdownDescription: "Minimum number of requests per environment, 1 or more; fewer since the last weight change are inconclusive. Default: `50`."},
		"confidence": number("Confidence over all limits and evaluations of a step, above 0.5 and below 1. At `0.95`, a release as good as the live version fails by chance in at most 5 % of the steps and 10 % of the shifts. Default: `0.95`."),
		"lookback":   text("How far back requests are evaluated together, in whole periods, at least one. Default: `10m`."),
		"period":     text("Period of the load balancer metrics: `60s` (what Elastic Load Balancing publishes) or a multiple; shorter periods work only with `localaws`; see [Rehearsing locally](../guides/rehearsing-locally.md). Default: `60s`."),
		"lag":        text("Delay after which a period counts as complete, as a duration. Default: `60s`."),
	}
}

func readTargetMetrics(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.TargetMetrics{
		MaxErrorRate:     r.limit(a["max_error_rate"], 0),
		WorseThanLiveBy:  r.limit(a["worse_than_live_by"], 0),
		ErrorRatio:       r.limit(a["error_ratio"], 2),
		SlowThreshold:    r.optional(at.AtName("slow_threshold"), a["slow_threshold"], time.Second),
		MaxSlowRate:      r.limit(a["max_slow_rate"], 0),
		SlowerThanLiveBy: r.limit(a["slower_than_live_by"], 0),
		SlowRatio:        r.limit(a["slow_ratio"], 2),
		MinRequests:      r.Whole(at.AtName("min_requests"), a["min_requests"], 1, gate.DefaultMinRequests),
		Confidence:       r.limit(a["confidence"], gate.DefaultConfidence),
		Lookback:         r.Positive(at.AtName("lookback"), a["lookback"], gate.DefaultTargetLookback),
		Period:           r.Positive(at.AtName("period"), a["period"], gate.DefaultPeriod),
		Lag:              r.Duration(at.AtName("lag"), a["lag"], gate.DefaultLag),
	}
	if unknown(a["lookback"], a["period"]) {
		c.Lookback = max(c.Lookback, c.Period) // one of them is a placeholder
	}
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	var alone *fault
	if input.Missing(a["max_error_rate"]) && input.Missing(a["max_slow_rate"]) {
		alone = &fault{at.AtName("max_error_rate"), "The gate only compares with a live environment, which a readiness check does not have. Set max_error_rate or max_slow_rate."}
	}
	return configuration{
		withoutLive: alone,
		ofRequests:  true,
		build:       func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewTargetMetrics(c, deps) },
		lag:         c.Period + c.Lag,
		unknown:     unknown(a["period"], a["lag"]),
		beforeTrafficNote: func(idle []string) string {
			return fmt.Sprintf("has no user requests to evaluate before any traffic, only test requests through the load balancer to %s. It needs at least %d of them.", schedule.And(idle), c.MinRequests)
		},
		noteUnknown: unknown(a["min_requests"]),
	}
}
