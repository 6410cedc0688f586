package gate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Defaults of the kind "target_metrics".
const (
	DefaultLatencyStat = "p99"
	DefaultMinRequests = 50
	DefaultConfidence  = 0.95
)

// maxReach is how long CloudWatch keeps data of one minute.
const maxReach = 15 * 24 * time.Hour

// TargetMetrics is the arguments of the kind "target_metrics": what an Application
// Load Balancer itself counts of each target group (namespace AWS/ApplicationELB,
// which leaves health checks out), for the side that receives and for the side that
// was live before.
//
// Every group that receives is judged for itself, against the groups that give at
// the same entry point put together; what they are is read from the ARNs at run
// time. At least one limit must be given. Any that is broken is a fail; else any
// that cannot be told is inconclusive; where nothing gives (a first release, the
// proof of an environment) the comparisons are left out.
//
// # Errors
//
// The errors of a group are what is left of its requests without its 2xx, 3xx and
// 4xx, so that answers which the balancer had to make in the group's place count
// too: a 502 or 504 is counted for the balancer as a whole and for no group. That
// rest holds more than errors, though. A request is counted when a target is
// chosen for it and its code when the answer is there, so requests that are under
// way are in it, and so are WebSockets (101) and clients that left (460). Therefore
// it counts up to what is known to have gone wrong: the group's own 5xx, and beside
// them its failed connections or all 5xx that the balancer made itself, whichever
// are more. This is looked at in each round, over the same window, and not once
// before the shift, since what a balancer answered then says nothing of now. Codes
// of 5xx that the group gave are errors in any case, also where answers to requests
// from before the window hide them in the difference. What stays unexplained is
// told, and is no error; but where it is surely more than with the live side (or
// more than half, with nobody to compare with), the release may hang, and that is
// inconclusive.
//
// Not for gRPC, where an error is a 200 with a status in the trailers.
//
// # Window
//
// Only whole periods count that began after the last change of weights (before any
// traffic: after the shift began) and ended at least Lag ago: the newest ones
// within Lookback, and as many more as it takes to have enough requests, never from
// before the change. Where the newest one has requests and not one answer, or the
// other way round, its points are not all there yet, and it is left to the next
// round. The live side is measured over the same window, or, where it has too few
// requests there as at 100 %, over the Lookback before the change.
//
// # Comparison
//
// WorseThanLiveBy is not a comparison of two rates but a test of whether the
// difference can be chance (see chanceOfWorse). It is repeated with each minute
// that comes in, so each look has a part of what Confidence leaves (see
// shareOfLook): a release that is no worse than the margin is sent back in any look
// of a step with a probability of at most 1 - Confidence, for each step and entry
// point, and far less often where it is better than the margin.
//
// What it does not do: to pass is no proof of being as good, only that nothing was
// seen that chance does not do, so a difference needs requests to be seen. Requests
// are taken to be independent of each other: errors that come in bursts, from one
// client that tries again or one query that fails, are counted as if each were an
// observation of its own, and a margin is the remedy. The two sides are taken to
// have the same kind of requests, which sticky sessions or a header rule change.
//
// Measured on simulated traffic (Rates in internal/rehearsal, 2000 steps of ten
// minutes for each figure, 0.95): of releases as good as the live side, with errors
// of 0.2 %, none was sent back at a margin of 0.5 points, and 0.1 to 3.8 % at a
// margin of 0, which is what the bound of 5 % is for. At 1500 requests a minute on
// the new side and 28500 on the live one, 0.82 points more errors are caught in 9
// of 10 steps, and 2 points always; at 60 and 1140 it takes 2.6 points.
//
// # Latency
//
// A window's latency is the median of its periods' values of Stat, weighted by
// their requests, the upper one where two are in the middle: CloudWatch gives no
// percentile over periods that are chosen afterwards. It is the time from the
// request leaving the balancer until the target begins to answer; what happens in
// the balancer is not in it. It takes three periods to be too slow, so that one slow
// minute is none; until then it is inconclusive. A percentile is judged from 5 / (1 - q) requests on
// (p99: 500, p90: 50), since below that a handful of requests decides.
//
// LatencyRatio compares two measurements without a test. Where p99 is 5 times the
// median, a ratio of 1.5 sent no more than 0.4 % of good releases back; where it is
// 20 times, 14 % at 600 requests a minute on both sides, and a ratio of 2 1 %.
type TargetMetrics struct {
	MaxErrorRate    *float64      // percent of the requests, 0 to below 100
	MaxLatency      time.Duration // 0: any
	Stat            string        // of latency: "Average" or "pNN"; empty is DefaultLatencyStat
	MinRequests     int           // below that nothing is judged; 0 is DefaultMinRequests
	WorseThanLiveBy *float64      // percentage points, 0 to below 100
	Confidence      *float64      // above 0.5 and below 1; nil is DefaultConfidence
	LatencyRatio    *float64      // new by live, above 0
	Lookback        time.Duration // 0 is DefaultLookback
	// Period is 60s with a balancer of AWS, which sends once a minute, or a multiple;
	// a local balancer may be quicker. 0 is DefaultPeriod.
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
			Err: fmt.Errorf("%w where there is no max_latency, worse_than_live_by or latency_ratio", ErrMissing)})
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
		errs = append(errs, invalid("max_latency", "%s is negative", shift.FormatDuration(c.MaxLatency)))
	}
	if q := percentile(c.Stat); c.Stat != "Average" && !(q > 0 && q < 1) {
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

// NewTargetMetrics returns a gate of the kind, which is also a Replayer. It returns
// what is wrong with the arguments as *ArgumentError, joined.
func NewTargetMetrics(c TargetMetrics, means Dependencies) (rollout.Gate, error) {
	if errs := c.Check(); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	return &targetGate{TargetMetrics: c.withDefaults(), clients: clients{connect: means.CloudWatch}}, nil
}

// Replayer is a gate that can be asked as if it were another time, so that hours
// of traffic can be judged in a moment.
type Replayer interface {
	EvaluateAt(ctx context.Context, m rollout.GateInput, now time.Time) rollout.Verdict
}

type targetGate struct {
	TargetMetrics
	clients clients
}

// Evaluate implements rollout.Gate.
func (g *targetGate) Evaluate(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	return g.EvaluateAt(ctx, m, time.Now())
}

// EvaluateAt implements Replayer.
func (g *targetGate) EvaluateAt(ctx context.Context, m rollout.GateInput, now time.Time) rollout.Verdict {
	contests, unattached, err := entryGroupsOf(m)
	if err != nil {
		return readFailed("the groups' metrics", err)
	}
	findings := unattached
	since := completePeriods(m.ChangedAt, now, g.Period, g.Lag).last(maxReach, g.Period)
	if len(contests) > 0 && since.empty() {
		findings = append(findings, finding{status: rollout.Inconclusive, text: waitText(m.ChangedAt, now, g.Period, g.Lag)})
		return verdictOf(findings)
	}
	asked := since
	if g.comparesWithLive() {
		asked.from = g.before(m).from
	}
	figures, err := g.read(ctx, contests, asked)
	if err != nil {
		return readFailed("the groups' metrics", err)
	}
	for _, c := range contests {
		j := evaluation{TargetMetrics: g.TargetMetrics, groups: c, data: figures, since: since, before: g.before(m)}
		findings = append(findings, j.findings()...)
	}
	return verdictOf(findings)
}

// Preflight implements rollout.Preflight: whether the groups' metrics may be read.
// What they say before the shift does not matter.
func (g *targetGate) Preflight(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	contests, unattached, err := entryGroupsOf(m)
	if err == nil && len(contests) == 0 {
		return verdictOf(unattached)
	}
	if err == nil {
		end := periodStart(time.Now(), g.Period)
		_, err = g.read(ctx, contests, metricSpan{end.Add(-g.Period), end})
	}
	return preflightVerdict("the groups' metrics", err)
}

// before is the whole periods that ended by the last change of weights.
func (g *targetGate) before(m rollout.GateInput) metricSpan {
	end := periodStart(m.ChangedAt, g.Period)
	return metricSpan{end.Add(-max(g.Period, g.Lookback.Truncate(g.Period))), end}
}

// finding is what came of one limit.
type finding struct {
	status rollout.Status
	text   string
}

// verdictOf is the worst of all findings, told by those that make it so.
func verdictOf(all []finding) rollout.Verdict {
	for _, answer := range []rollout.Status{rollout.Fail, rollout.Inconclusive, rollout.Pass} {
		var told []string
		for _, f := range all {
			if f.status == answer {
				told = append(told, f.text)
			}
		}
		if told != nil {
			return rollout.Verdict{Status: answer, Detail: strings.Join(told, ". ")}
		}
	}
	return rollout.Verdict{Status: rollout.Inconclusive, Detail: "there is no target group to judge"}
}
