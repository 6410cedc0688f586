package gate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/chance"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Defaults of the kind "target_metrics".
const (
	DefaultMinRequests    = 50
	DefaultConfidence     = 0.95
	DefaultTargetLookback = 10 * time.Minute
)

// historyPeriods is how many periods of live before the weight change are read.
const historyPeriods = 60

// maxReach is how long CloudWatch retains data points with a period of one minute.
const maxReach = 15 * 24 * time.Hour

// TargetMetrics is the arguments of the kind "target_metrics": the metrics that an
// Application Load Balancer publishes for each target group (namespace
// AWS/ApplicationELB, without health checks), or Lambda for each version, for the
// incoming and for the live environment.
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
// # Records
//
// Route 53 counts no requests. Where a group is an alias record, the metrics are those of
// the Application Load Balancers that it is an alias of, as a whole (Dependencies.Balancers).
// Each serves one environment, so all its 5xx are errors of that, also the 503 without a
// target, which RequestCount leaves out.
//
// # Functions
//
// Of a version of a Lambda function, requests are its invocations through the aliases of
// the entry point (namespace AWS/Lambda, dimension ExecutedVersion), errors are those that
// Lambda counts, and the response time is the duration, without the time that Lambda needs
// to start the function. CloudWatch dates an invocation by its start, so with functions
// that run for minutes the newest periods are incomplete: Lag must be longer.
//
// # Window
//
// Only whole periods count that started after the last weight change (before any
// traffic: after the shift started) and ended at least Lag ago: the newest ones within
// Lookback, plus as many earlier ones as it takes to have enough requests, never from
// before the change. A newest period with requests but no responses, or the reverse,
// is incomplete and is left to the next evaluation. The live environment is measured
// over the same window. If it has too few requests there, as at 100 %, its last hour
// before the change (60 periods) is used instead.
//
// # Slow responses
//
// A percentile of a period is not a sum: it has no variance that its counts would show,
// and between two humps (most responses take 80 ms, 1 % take 2 s) p99 is 80 ms or 2 s by
// chance. So a response is slow if it takes longer than SlowThreshold, and the share of
// slow responses is evaluated like that of errors. CloudWatch has it as the percentile
// rank PR(:x), the percentage of values up to and including x (User Guide, "CloudWatch
// statistics definitions"). A limit of 1 % of responses above 500 ms is the limit of
// 500 ms for p99. The time is that from the request leaving the load balancer until the
// target starts to respond, without the time in the load balancer.
//
// A fail requires three periods, and that not one of them is the cause, because one slow
// minute is not a slow release; until then, the verdict is inconclusive.
//
// # Statistics
//
// No limit is compared with an observed rate directly: a limit fails only if chance does
// not explain that the observed rate is above it.
//
//   - A maximum: the exact one-sided binomial test (chance.Evidence.AboveLimit).
//   - A margin or a ratio to live: two tests of two proportions (chance.Evidence.OutsideOfLive).
//     For a margin, the rate must be significantly more than chance.SameVersionFactor times
//     that of live, because two groups of hosts with the same version are never exactly
//     equal. It must also be outside the margin with the confidence of one evaluation.
//   - Errors that come in runs count as fewer independent ones, by the scatter of the
//     periods (package chance).
//   - A release is evaluated many times. 1 - Confidence is the error of a step, and twice
//     that the error of a shift (chance.AlphaOfStep). It is divided by the number of limits
//     of the gate and of entry points, and among the evaluations of the step
//     (chance.AlphaOfEvaluation). So a release as good as live, or within a maximum or a
//     ratio, fails with at most these probabilities. One exactly at the edge of a margin
//     fails in at most 1 - Confidence of the evaluations, not of the steps.
//
// A result above a limit that is not significant is a pass, unless no result would have been
// significant with so few requests: then it is inconclusive.
//
// What is assumed: periods are independent of each other, so that their scatter shows
// how errors come in runs (a stumble of three minutes counts as three). Runs are as long
// in the incoming environment as in the live one. Both get the same kind of requests,
// which sticky sessions or a header rule change. Where both are not measured at the same
// time, the hour before was like now. A pass does not prove that a release is as good,
// only that the data shows no significant difference.
//
// All of this was chosen on simulated traffic; the table in the guide Benchmarks has the
// results (make bench -rates, rehearsal.Rates).
type TargetMetrics struct {
	MaxErrorRate    *float64 // percent of the requests, from 0 to below 100
	WorseThanLiveBy *float64 // percentage points, from 0 to below 100
	ErrorRatio      *float64 // error rate divided by that of live, at least chance.SameVersionFactor

	SlowThreshold    time.Duration // a slower response is slow; required for the next three
	MaxSlowRate      *float64      // percent of the responses, from 0 to below 100
	SlowerThanLiveBy *float64      // percentage points, from 0 to below 100
	SlowRatio        *float64      // share of slow responses divided by that of live

	MinRequests int           // minimum for an evaluation; 0 means DefaultMinRequests
	Confidence  *float64      // above 0.5 and below 1; nil means DefaultConfidence
	Lookback    time.Duration // 0 means DefaultTargetLookback
	// Period is 60s, the interval at which AWS publishes the metrics, or a multiple; a
	// local load balancer may publish more often. 0 means DefaultPeriod.
	Period time.Duration
	Lag    time.Duration
}

func (c TargetMetrics) withDefaults() TargetMetrics {
	c.MinRequests = cmp.Or(c.MinRequests, DefaultMinRequests)
	c.Confidence = cmp.Or(c.Confidence, new(DefaultConfidence))
	c.Lookback = cmp.Or(c.Lookback, DefaultTargetLookback)
	c.Period = cmp.Or(c.Period, DefaultPeriod)
	return c
}

// Check returns everything that is wrong with the arguments.
func (c TargetMetrics) Check() []*ArgumentError {
	c = c.withDefaults()
	errs := c.checkLimits()
	if c.MinRequests < 1 {
		errs = append(errs, invalid("min_requests", "%d is below 1", c.MinRequests))
	}
	if !(*c.Confidence > 0.5 && *c.Confidence < 1) {
		errs = append(errs, invalid("confidence", "%s is not between 0.5 and 1, such as 0.95", formatNumber(*c.Confidence)))
	}
	if err := validatePeriod(c.Period); err != nil {
		errs = append(errs, invalid("period", "%w", err))
	}
	return append(errs, checkTimes(c.Period, c.Lookback, c.Lag)...)
}

func (c TargetMetrics) checkLimits() []*ArgumentError {
	var errs []*ArgumentError
	if !c.needsErrors() && !c.needsSlow() {
		errs = append(errs, &ArgumentError{Argument: "max_error_rate",
			Err: fmt.Errorf("%w unless worse_than_live_by, error_ratio, max_slow_rate, slower_than_live_by or slow_ratio is set", ErrMissing)})
	}
	for _, percent := range []struct {
		argument string
		value    *float64
	}{
		{"max_error_rate", c.MaxErrorRate}, {"worse_than_live_by", c.WorseThanLiveBy},
		{"max_slow_rate", c.MaxSlowRate}, {"slower_than_live_by", c.SlowerThanLiveBy},
	} {
		if percent.value != nil && !(*percent.value >= 0 && *percent.value < 100) {
			errs = append(errs, invalid(percent.argument, "%s is not from 0 to below 100", formatNumber(*percent.value)))
		}
	}
	for _, ratio := range []struct {
		argument string
		value    *float64
	}{{"error_ratio", c.ErrorRatio}, {"slow_ratio", c.SlowRatio}} {
		if ratio.value != nil && (!(*ratio.value >= chance.SameVersionFactor) || math.IsInf(*ratio.value, 0)) {
			errs = append(errs, invalid(ratio.argument, "%s is below %g, by which hosts with the same version may differ", formatNumber(*ratio.value), chance.SameVersionFactor))
		}
	}
	switch {
	case c.SlowThreshold < 0:
		errs = append(errs, invalid("slow_threshold", "%s is negative", schedule.FormatDuration(c.SlowThreshold)))
	case c.SlowThreshold == 0 && c.needsSlow():
		errs = append(errs, &ArgumentError{Argument: "slow_threshold", Err: fmt.Errorf("%w for max_slow_rate, slower_than_live_by and slow_ratio", ErrMissing)})
	case c.SlowThreshold > 0 && !c.needsSlow():
		errs = append(errs, invalid("slow_threshold", "it has no effect without max_slow_rate, slower_than_live_by or slow_ratio"))
	}
	return errs
}

// NewTargetMetrics returns a target metrics gate, which is also a Replayer. Wrong
// arguments are returned as joined *ArgumentError.
func NewTargetMetrics(c TargetMetrics, deps Dependencies) (rollout.Gate, error) {
	if errs := c.Check(); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	return &targetGate{TargetMetrics: c.withDefaults(), deps: deps, clients: clients{connect: deps.CloudWatch}}, nil
}

// Replayer is a gate that can be evaluated as of another time, so that hours of
// traffic are evaluated without waiting.
type Replayer interface {
	EvaluateAt(ctx context.Context, in rollout.GateInput, now time.Time) rollout.Verdict
}

type targetGate struct {
	TargetMetrics
	deps    Dependencies
	clients clients
}

// metricsText names what this gate reads.
func (g *targetGate) metricsText(in rollout.GateInput) string {
	isVersion := func(b traffic.Backend) bool { return versionARN.MatchString(b.Group) }
	switch {
	case g.deps.Balancers != nil:
		return "load balancer metrics"
	case slices.ContainsFunc(in.Incoming, isVersion):
		return "function metrics"
	}
	return "target group metrics"
}

// Evaluate implements rollout.Gate.
func (g *targetGate) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	return g.EvaluateAt(ctx, in, time.Now())
}

// EvaluateAt implements Replayer.
func (g *targetGate) EvaluateAt(ctx context.Context, in rollout.GateInput, now time.Time) rollout.Verdict {
	all, unattached, err := g.entryGroups(ctx, in)
	if err != nil {
		return readFailed(g.metricsText(in), err)
	}
	findings := unattached
	since := completePeriods(in.Since(), now, g.Period, g.Lag).last(maxReach, g.Period)
	if len(all) > 0 && since.empty() {
		findings = append(findings, finding{status: rollout.Inconclusive, text: "inconclusive because " + waitText(in, now, g.Period, g.Lag)})
		return verdictOf(findings)
	}
	data, err := g.read(ctx, all, metricSpan{g.before(in).from, since.to})
	if err != nil {
		return readFailed(g.metricsText(in), err)
	}
	for _, groups := range all {
		e := evaluation{
			TargetMetrics: g.TargetMetrics, groups: groups, data: data, since: since, before: g.before(in),
			alpha: chance.AlphaOfStep(1-*g.Confidence, in.Steps) / float64(g.limits()*len(all)),
		}
		findings = append(findings, e.findings()...)
	}
	return verdictOf(findings)
}

// Preflight implements rollout.Preflight. It checks that the metrics can be read;
// their values before the shift do not matter.
func (g *targetGate) Preflight(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	all, unattached, err := g.entryGroups(ctx, in)
	if err == nil && len(all) == 0 {
		return verdictOf(unattached)
	}
	if err == nil {
		end := periodStart(time.Now(), g.Period)
		_, err = g.read(ctx, all, metricSpan{end.Add(-g.Period), end})
	}
	return preflightVerdict(g.metricsText(in), err)
}

// entryGroups is entryGroupsOf with the load balancers of groups that have no metrics of their own.
func (g *targetGate) entryGroups(ctx context.Context, in rollout.GateInput) ([]entryGroups, []finding, error) {
	of, err := locate(ctx, slices.Concat(in.Incoming, in.Live), g.deps)
	if err != nil {
		return nil, nil, err
	}
	return entryGroupsOf(in, of)
}

// before returns the last whole periods that ended by the last weight change.
func (g *targetGate) before(in rollout.GateInput) metricSpan {
	end := periodStart(in.ChangedAt, g.Period)
	return metricSpan{end.Add(-historyPeriods * g.Period), end}
}

// finding is the result for one limit.
type finding struct {
	status   rollout.Status
	text     string
	measured []rollout.Measurement
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
			return rollout.Verdict{Status: status, Detail: strings.Join(slices.Compact(texts), ". "), Measured: measured}
		}
	}
	return rollout.Verdict{Status: rollout.Inconclusive, Detail: "there is no target group to evaluate"}
}
