package gate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/statistic"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// Defaults of the kind "target_metrics".
const (
	DefaultLatencyStat = "p99"
	DefaultMinRequests = 50
	DefaultConfidence  = 0.95
)

// maxReach is how long CloudWatch retains data points with a period of one minute.
const maxReach = 15 * 24 * time.Hour

// TargetMetrics is the arguments of the kind "target_metrics": the metrics that an
// Application Load Balancer publishes for each target group (namespace
// AWS/ApplicationELB, without health checks), for the incoming and for the live
// environment.
//
// Each incoming group is evaluated separately. It is compared with the sum of the
// live groups at the same entry point; the groups are read from the ARNs at run time.
// At least one limit is required. A violated limit is a fail; otherwise a limit that
// cannot be evaluated is inconclusive. Without a live group (a first release, an
// environment's readiness gates), there are no comparisons.
//
// # Errors
//
// The errors of a group are its requests without its 2xx, 3xx and 4xx responses. That
// includes responses that the load balancer generated for the group: a 502 or 504
// counts for the load balancer as a whole and for no group. But the difference
// contains more than errors. A request is counted when a target is chosen, and its
// code when the response arrives, so it also contains requests in flight, WebSockets
// (101) and clients that disconnected (460). It therefore counts only up to the known
// errors: the group's own 5xx plus the larger of its failed connections and all 5xx
// of the load balancer. Each evaluation reads these over the same window, because
// what a load balancer responded before the shift does not apply now. The group's own
// 5xx are always errors, even if responses to requests from before the window hide
// them in the difference. Other requests without a code are reported, but are not
// errors. If there are significantly more than for the live environment (or more than
// half, without a live environment to compare with), the release may hang, and the
// verdict is inconclusive.
//
// Not for gRPC, where an error is a 200 with a status in the trailers.
//
// # Window
//
// Only whole periods count that started after the last weight change (before any
// traffic: after the shift started) and ended at least Lag ago: the newest ones within
// Lookback, plus as many earlier ones as it takes to have enough requests, never from
// before the change. A newest period with requests but no responses, or the reverse,
// is incomplete and is left to the next evaluation. The live environment is measured
// over the same window. If it has too few requests there, as at 100 %, it is measured
// over the Lookback before the change.
//
// # Comparison
//
// WorseThanLiveBy does not compare two rates, but tests whether the difference is
// statistically significant (see pValue). The test is repeated with each new minute,
// so each evaluation has a part of 1 - Confidence (see alphaOfEvaluation). A release
// that is no worse than the margin fails in any evaluation of a step with a
// probability of at most 1 - Confidence, per step and entry point, and far less often
// if it is better than the margin.
//
// Limitations: a pass does not prove that a release is as good, only that the data
// shows no significant difference, so detecting one requires requests. Requests are
// assumed to be independent: errors in bursts, from one client that retries or one
// query that fails, count as separate observations; a margin compensates for that.
// Both environments are assumed to get the same kind of requests, which sticky
// sessions or a header rule change.
//
// Measured on simulated traffic (Rates in internal/rehearsal, 2000 steps of ten
// minutes for each figure, confidence 0.95): of releases as good as the live
// environment, with errors of 0.2 %, none failed at a margin of 0.5 points, and 0.1 to
// 3.8 % failed at a margin of 0, within the bound of 5 %. At 1500 requests a minute on
// the incoming and 28500 on the live environment, 0.82 points more errors are detected
// in 9 of 10 steps, and 2 points always; at 60 and 1140 it takes 2.6 points.
//
// # Latency
//
// The latency of a window is the median of its periods' values of Stat, weighted by
// their requests (the upper one of two in the middle), because CloudWatch has no
// percentile over a set of periods. It is the time from the request leaving the load
// balancer until the target starts to respond, without the time in the load balancer.
// A fail requires three periods, because one slow minute is not a slow release; until
// then, the verdict is inconclusive. A percentile requires 5 / (1 - q) requests (p99:
// 500, p90: 50), because with fewer a handful of requests decides.
//
// LatencyRatio compares two measurements without a test. Where p99 is 5 times the
// median, at most 0.4 % of good releases failed at a ratio of 1.5. Where it is 20
// times, 14 % failed at 600 requests a minute on both sides, and 1 % at a ratio of 2.
type TargetMetrics struct {
	MaxErrorRate    *float64      // percent of the requests, from 0 to below 100
	MaxLatency      time.Duration // 0 means no limit
	Stat            string        // statistic of latency, "Average" or "pNN"; empty means DefaultLatencyStat
	MinRequests     int           // minimum for an evaluation; 0 means DefaultMinRequests
	WorseThanLiveBy *float64      // percentage points, from 0 to below 100
	Confidence      *float64      // above 0.5 and below 1; nil means DefaultConfidence
	LatencyRatio    *float64      // latency of incoming divided by that of live, above 0
	Lookback        time.Duration // 0 means DefaultLookback
	// Period is 60s, the interval at which AWS publishes the metrics, or a multiple; a
	// local load balancer may publish more often. 0 means DefaultPeriod.
	Period time.Duration
	Lag    time.Duration
}

func (c TargetMetrics) withDefaults() TargetMetrics {
	c.Stat = cmp.Or(c.Stat, DefaultLatencyStat)
	c.MinRequests = cmp.Or(c.MinRequests, DefaultMinRequests)
	c.Confidence = cmp.Or(c.Confidence, new(DefaultConfidence))
	c.Lookback = cmp.Or(c.Lookback, DefaultLookback)
	c.Period = cmp.Or(c.Period, DefaultPeriod)
	return c
}

// Check returns everything that is wrong with the arguments.
func (c TargetMetrics) Check() []*ArgumentError {
	c = c.withDefaults()
	var errs []*ArgumentError
	if c.MaxErrorRate == nil && c.MaxLatency == 0 && c.WorseThanLiveBy == nil && c.LatencyRatio == nil {
		errs = append(errs, &ArgumentError{Argument: "max_error_rate",
			Err: fmt.Errorf("%w unless max_latency, worse_than_live_by or latency_ratio is set", ErrMissing)})
	}
	for _, percent := range []struct {
		argument string
		value    *float64
	}{{"max_error_rate", c.MaxErrorRate}, {"worse_than_live_by", c.WorseThanLiveBy}} {
		if percent.value != nil && !(*percent.value >= 0 && *percent.value < 100) {
			errs = append(errs, invalid(percent.argument, "%s is not from 0 to below 100", formatNumber(*percent.value)))
		}
	}
	if c.MaxLatency < 0 {
		errs = append(errs, invalid("max_latency", "%s is negative", schedule.FormatDuration(c.MaxLatency)))
	}
	if q := statistic.Percentile(c.Stat); c.Stat != "Average" && !(q > 0 && q < 1) {
		errs = append(errs, invalid("stat", "%q is neither Average nor a percentile such as p99 or p99.9", c.Stat))
	}
	if c.MinRequests < 1 {
		errs = append(errs, invalid("min_requests", "%d is below 1", c.MinRequests))
	}
	if !(*c.Confidence > 0.5 && *c.Confidence < 1) {
		errs = append(errs, invalid("confidence", "%s is not between 0.5 and 1, such as 0.95", formatNumber(*c.Confidence)))
	}
	if c.LatencyRatio != nil && (!(*c.LatencyRatio > 0) || math.IsInf(*c.LatencyRatio, 0)) {
		errs = append(errs, invalid("latency_ratio", "%s is not above 0", formatNumber(*c.LatencyRatio)))
	}
	if err := validatePeriod(c.Period); err != nil {
		errs = append(errs, invalid("period", "%w", err))
	}
	return append(errs, checkTimes(c.Period, c.Lookback, c.Lag)...)
}

// NewTargetMetrics returns a target metrics gate, which is also a Replayer. Wrong
// arguments are returned as joined *ArgumentError.
func NewTargetMetrics(c TargetMetrics, deps Dependencies) (rollout.Gate, error) {
	if errs := c.Check(); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	return &targetGate{TargetMetrics: c.withDefaults(), clients: clients{connect: deps.CloudWatch}}, nil
}

// Replayer is a gate that can be evaluated as of another time, so that hours of
// traffic are evaluated without waiting.
type Replayer interface {
	EvaluateAt(ctx context.Context, in rollout.GateInput, now time.Time) rollout.Verdict
}

type targetGate struct {
	TargetMetrics
	clients clients
}

// metricsText names what this gate reads.
const metricsText = "target group metrics"

// Evaluate implements rollout.Gate.
func (g *targetGate) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	return g.EvaluateAt(ctx, in, time.Now())
}

// EvaluateAt implements Replayer.
func (g *targetGate) EvaluateAt(ctx context.Context, in rollout.GateInput, now time.Time) rollout.Verdict {
	all, unattached, err := entryGroupsOf(in)
	if err != nil {
		return readFailed(metricsText, err)
	}
	findings := unattached
	since := completePeriods(in.Since(), now, g.Period, g.Lag).last(maxReach, g.Period)
	if len(all) > 0 && since.empty() {
		findings = append(findings, finding{status: rollout.Inconclusive, text: "inconclusive because " + waitText(in, now, g.Period, g.Lag)})
		return verdictOf(findings)
	}
	span := since
	if g.comparesWithLive() {
		span.from = g.before(in).from
	}
	data, err := g.read(ctx, all, span)
	if err != nil {
		return readFailed(metricsText, err)
	}
	for _, groups := range all {
		e := evaluation{TargetMetrics: g.TargetMetrics, groups: groups, data: data, since: since, before: g.before(in)}
		findings = append(findings, e.findings()...)
	}
	return verdictOf(findings)
}

// Preflight implements rollout.Preflight. It checks that the metrics can be read;
// their values before the shift do not matter.
func (g *targetGate) Preflight(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	all, unattached, err := entryGroupsOf(in)
	if err == nil && len(all) == 0 {
		return verdictOf(unattached)
	}
	if err == nil {
		end := periodStart(time.Now(), g.Period)
		_, err = g.read(ctx, all, metricSpan{end.Add(-g.Period), end})
	}
	return preflightVerdict(metricsText, err)
}

// before returns the whole periods within Lookback that ended by the last weight
// change.
func (g *targetGate) before(in rollout.GateInput) metricSpan {
	end := periodStart(in.ChangedAt, g.Period)
	return metricSpan{end.Add(-max(g.Period, g.Lookback.Truncate(g.Period))), end}
}

// finding is the result for one limit.
type finding struct {
	status   rollout.Status
	text     string
	measured []rollout.Measurement
}

// withNumber adds a number that was measured over a window.
func (f finding) withNumber(e evaluation, m rollout.Measurement, w metricSpan) finding {
	m.Entry, m.From, m.To = e.groups.entry, w.from, w.to
	f.measured = append(f.measured, m)
	return f
}

// verdictOf returns the worst status of all findings, with the texts of the findings
// that have it.
func verdictOf(all []finding) rollout.Verdict {
	var measured []rollout.Measurement
	for _, f := range all {
		measured = append(measured, f.measured...)
	}
	for _, status := range []rollout.Status{rollout.Fail, rollout.Inconclusive, rollout.Pass} {
		var texts []string
		for _, f := range all {
			if f.status == status {
				texts = append(texts, f.text)
			}
		}
		if texts != nil {
			return rollout.Verdict{Status: status, Detail: strings.Join(texts, ". "), Measured: measured}
		}
	}
	return rollout.Verdict{Status: rollout.Inconclusive, Detail: "there is no target group to evaluate"}
}
