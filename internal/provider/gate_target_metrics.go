package provider

import (
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// targetMetricsKind judges what the balancer counts of the groups.
func targetMetricsKind() gateKind {
	return gateKind{
		name:         "target_metrics",
		inconclusive: 10 * time.Minute,
		attribute: schema.SingleNestedAttribute{
			Optional: true,
			MarkdownDescription: "Judges what the load balancer itself counts of each target group (CloudWatch, namespace `AWS/ApplicationELB`): the groups that gain traffic, each for itself, and those that give it as what to compare with. " +
				"At least one of `max_error_rate`, `max_latency`, `worse_than_live_by` and `latency_ratio` is given; any that is broken is a fail. " +
				"Only whole periods count that began after the last change of weights and ended at least `lag` ago. Too few requests, on either side of a comparison, are inconclusive; where nothing gives traffic (a first release, the proof of an environment) comparisons are left out. " +
				"Errors are the requests without those answered with 2xx, 3xx and 4xx, as far as the groups' own 5xx, failed connections and the 5xx of the balancer's own account for them; requests under way, WebSockets and clients that left are none. Where surely more requests than on the live side are without an answer, the release may hang, and that is inconclusive. Not for gRPC, where an error is a 200 with a status in the trailers. " +
				"Needs `cloudwatch:GetMetricData`; where that is refused, a shift does not begin.",
			Attributes: targetMetricsAttributes(),
		},
		read: readTargetMetrics,
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
		"max_error_rate": number("Highest share of requests that may fail, in percent, from 0 to below 100. A plain comparison: among few requests a single error is much, so see `min_requests`. Default: any."),
		"max_latency":    text("Highest latency, as a duration above zero, of `stat`: the time from the request leaving the balancer until the target begins to answer. What happens in the balancer is not in it. Default: any."),
		"stat": text("Statistic of latency: `Average` or a percentile such as `p99`. Of several periods the one in the middle counts, weighted by requests; it takes three to be too slow, and until then one that is is inconclusive. " +
			"A percentile needs 5 / (1 - q) requests, 500 for `p99` and 50 for `p90`; fewer are inconclusive. Default: `p99`."),
		"min_requests": schema.Int64Attribute{Optional: true,
			MarkdownDescription: "Requests that a side must have had, 1 or more. Where `lookback` has fewer, it goes further back, up to the last change of weights; fewer in all are inconclusive. Default: `50`."},
		"worse_than_live_by": number("By how many percentage points the error rate may be above that of the live side, from 0 to below 100. It is a fail when a test of the two proportions says that the difference is more than that and hardly chance. " +
			"The live side is measured over the same time, or over `lookback` before the change where it has too few requests since then. Default: any."),
		"confidence": number("How sure the test must be, above 0.5 and below 1. It is for all looks at a step together: a release that is no worse than `worse_than_live_by` is sent back by chance in at most 1 - `confidence` of its steps, for each entry point. " +
			"Requests that fail in bursts are not as independent as the test takes them to be; a margin above 0 is the remedy. Default: `0.95`."),
		"latency_ratio": number("How many times the latency of the live side the latency may be, above 0. A plain comparison of two measurements, without a test of chance: with few requests, or slow answers that are many times as slow as the usual ones, it needs room, such as 2. Default: any."),
		"lookback":      text("How far back requests are judged together, in whole periods, at least one. Default: `5m`."),
		"period":        text("Period of the balancer's metrics: `60s`, which is how often Elastic Load Balancing sends them, or a multiple; `1s`, `5s`, `10s`, `20s` or `30s` with a local balancer alone. Default: `60s`."),
		"lag":           text("How long after its end a period is taken to be complete, as a duration. Default: `60s`."),
	}
}

func readTargetMetrics(r *reader, at path.Path, a map[string]attr.Value) gateConfig {
	before := r.diags.ErrorsCount()
	c := gate.TargetMetrics{
		MaxErrorRate:    r.limit(a["max_error_rate"], 0),
		MaxLatency:      r.optional(at.AtName("max_latency"), a["max_latency"], time.Second),
		Stat:            r.text(a["stat"]),
		MinRequests:     r.whole(at.AtName("min_requests"), a["min_requests"], 1, gate.DefaultMinRequests),
		WorseThanLiveBy: r.limit(a["worse_than_live_by"], 0),
		Confidence:      r.limit(a["confidence"], gate.DefaultConfidence),
		LatencyRatio:    r.limit(a["latency_ratio"], 1),
		Lookback:        r.positive(at.AtName("lookback"), a["lookback"], gate.DefaultLookback),
		Period:          r.positive(at.AtName("period"), a["period"], gate.DefaultPeriod),
		Lag:             r.duration(at.AtName("lag"), a["lag"], gate.DefaultLag),
	}
	if unknown(a["lookback"], a["period"]) {
		c.Lookback = max(c.Lookback, c.Period) // one of them is only a guess
	}
	if r.diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	alone := ""
	if missing(a["max_error_rate"]) && missing(a["max_latency"]) {
		alone = "It only compares with a live side, and an environment is proven by itself. Give it max_error_rate or max_latency."
	}
	return gateConfig{
		alone:   alone,
		build:   func(means gate.Dependencies) (rollout.Gate, error) { return gate.NewTargetMetrics(c, means) },
		lag:     c.Period + c.Lag,
		unknown: unknown(a["period"], a["lag"]),
		beforeTrafficNote: func(idle []string) string {
			return fmt.Sprintf("sees no user's request before any traffic, only test requests that go through the balancer to %s, of which it needs at least %d.", joinAnd(idle), c.MinRequests)
		},
		noteUnknown: unknown(a["min_requests"]),
	}
}
