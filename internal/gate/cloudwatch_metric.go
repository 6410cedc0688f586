package gate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/placeholder"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/statistic"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// maxDimensions is the maximum number of dimensions of a metric.
const maxDimensions = 30

var (
	queryID   = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]{0,254}$`)
	accountID = regexp.MustCompile(`^[0-9]{12}$`)
)

// MetricQuery identifies one CloudWatch metric and its aggregation.
type MetricQuery struct {
	ID                string // its name in an expression
	Namespace, Metric string
	Dimensions        map[string]string
	// Stat is a CloudWatch statistic, such as "Sum", "p99" or "TM(10%:90%)".
	Stat string
	// Period is 1s, 5s, 10s, 20s, 30s or a multiple of 60s; 0 means that of the gate.
	Period time.Duration
	// AccountID is the source account of the metric, for cross-account observability; empty
	// means that of the gate, and without one the account of the credentials.
	AccountID string
}

// CloudWatchMetric is the arguments of the kind "cloudwatch_metric": a metric, or an
// expression over several, whose every value must be within limits.
//
// The gate evaluates whole periods within Lookback that ended at least Lag ago and
// started after the last weight change. Before any traffic, they must start after the
// shift did, because older data may belong to a previous version. One data point
// outside the limits fails the gate, even if later ones are good, so that a late
// evaluation does not miss it. Without a data point, and for a NaN, OnNoData counts. An
// infinite value and partial data are inconclusive.
type CloudWatchMetric struct {
	// MetricQuery is the metric. With an expression it is empty, except for Period and
	// AccountID, the defaults of the queries.
	MetricQuery
	// Expression is metric math over Queries, or an expression without queries, such
	// as Metrics Insights. Every time series that it returns is evaluated.
	Expression string
	Queries    []MetricQuery
	Min, Max   *float64      // at least one is required
	Lookback   time.Duration // 0 means DefaultLookback
	Lag        time.Duration
	Region     string // empty: that of Dependencies
	OnNoData   OnNoData
}

func (c CloudWatchMetric) withDefaults() CloudWatchMetric {
	c.Period, c.Lookback = cmp.Or(c.Period, DefaultPeriod), cmp.Or(c.Lookback, DefaultLookback)
	c.Queries = slices.Clone(c.Queries)
	for i := range c.Queries {
		c.Queries[i].Period = cmp.Or(c.Queries[i].Period, c.Period)
		c.Queries[i].AccountID = cmp.Or(c.Queries[i].AccountID, c.AccountID)
	}
	return c
}

// LongestPeriod returns the longest period of the metric or the queries.
func (c CloudWatchMetric) LongestPeriod() time.Duration {
	c = c.withDefaults()
	longest := c.Period
	if len(c.Queries) > 0 {
		longest = 0
	}
	for _, q := range c.Queries {
		longest = max(longest, q.Period)
	}
	return longest
}

// fill fills in the placeholders of the dimensions and the expression.
func (c CloudWatchMetric) fill(f fill) CloudWatchMetric {
	c.Expression = f(ArgumentError{Argument: "expression"}, c.Expression, placeholder.Plain)
	c.Dimensions = f.fillMap("dimensions", c.Dimensions)
	c.Queries = slices.Clone(c.Queries)
	for i := range c.Queries {
		inQuery := func(place ArgumentError, text string, escape func(string) string) string {
			place.Block, place.Index = "query", i
			return f(place, text, escape)
		}
		c.Queries[i].Dimensions = fill(inQuery).fillMap("dimensions", c.Queries[i].Dimensions)
	}
	return c
}

// NeedsLive returns the first argument that needs a live environment; nil: none does.
func (c CloudWatchMetric) NeedsLive() *ArgumentError {
	return filling[CloudWatchMetric](c.fill).needsLive()
}

// Check returns everything that is wrong with the arguments.
func (c CloudWatchMetric) Check() []*ArgumentError {
	sample, errs := filling[CloudWatchMetric](c.fill).sampled()
	return append(errs, sample.check()...)
}

func (c CloudWatchMetric) check() []*ArgumentError {
	c = c.withDefaults()
	errs := checkRegion(c.Region)
	if err := validatePeriod(c.Period); err != nil {
		errs = append(errs, invalid("period", "%w", err))
	}
	if c.Expression == "" {
		errs = append(errs, c.checkOne()...)
	} else {
		errs = append(errs, c.checkExpression()...)
	}
	errs = slices.Concat(errs, limits{c.Min, c.Max}.check(), c.OnNoData.check("on_no_data"))
	return append(errs, checkTimes(c.LongestPeriod(), c.Lookback, c.Lag)...)
}

func (c CloudWatchMetric) checkOne() []*ArgumentError {
	if c.Metric == "" && c.Namespace == "" && c.Stat == "" && len(c.Queries) == 0 {
		return []*ArgumentError{{Argument: "metric", Err: fmt.Errorf("%w unless expression is set", ErrMissing)}}
	}
	var errs []*ArgumentError
	if len(c.Queries) > 0 {
		errs = append(errs, &ArgumentError{Argument: "expression", Err: fmt.Errorf("%w with query blocks", ErrMissing)})
		return errs
	}
	for _, required := range []struct{ argument, value string }{{"namespace", c.Namespace}, {"metric", c.Metric}, {"stat", c.Stat}} {
		if required.value == "" {
			errs = append(errs, &ArgumentError{Argument: required.argument, Err: fmt.Errorf("%w with a metric", ErrMissing)})
		}
	}
	if c.Stat != "" {
		if err := statistic.Validate(c.Stat); err != nil {
			errs = append(errs, invalid("stat", "%w", err))
		}
	}
	if len(c.Dimensions) > maxDimensions {
		errs = append(errs, invalid("dimensions", "there are %d dimensions, the maximum is %d", len(c.Dimensions), maxDimensions))
	}
	return append(errs, checkAccount(c.AccountID)...)
}

// checkAccount validates the ID of an account. Empty is valid.
func checkAccount(id string) []*ArgumentError {
	if id != "" && !accountID.MatchString(id) {
		return []*ArgumentError{invalid("account_id", "%q is not the ID of an AWS account, which has 12 digits", id)}
	}
	return nil
}

func (c CloudWatchMetric) checkExpression() []*ArgumentError {
	var errs []*ArgumentError
	if c.Metric != "" || c.Namespace != "" || c.Stat != "" || len(c.Dimensions) > 0 {
		errs = append(errs, invalid("expression", "it conflicts with metric, namespace, stat and dimensions; put the metrics of an expression into query blocks"))
	}
	if len(c.Queries) >= maxQueries {
		errs = append(errs, invalid("expression", "there are %d query blocks, the maximum with an expression is %d", len(c.Queries), maxQueries-1))
	}
	if errs = append(errs, checkAccount(c.AccountID)...); c.AccountID != "" && len(c.Queries) == 0 {
		errs = append(errs, invalid("account_id", "it would have no effect without query blocks; name the account in the expression, as in SEARCH(' :aws.AccountId=%q ...', ...)", c.AccountID))
	}
	seen := map[string]bool{}
	for i, q := range c.Queries {
		err := q.check()
		if err == nil && seen[q.ID] {
			err = invalid("id", "%q is used twice", q.ID)
		}
		if err != nil {
			err.Block, err.Index = "query", i
			errs = append(errs, err)
		}
		seen[q.ID] = true
	}
	return errs
}

func (q MetricQuery) check() *ArgumentError {
	for _, required := range []struct{ argument, value string }{{"id", q.ID}, {"namespace", q.Namespace}, {"metric", q.Metric}, {"stat", q.Stat}} {
		if required.value == "" {
			return &ArgumentError{Argument: required.argument, Err: ErrMissing}
		}
	}
	if !queryID.MatchString(q.ID) {
		return invalid("id", "it must start with a lowercase letter and contain only letters, digits and underscores")
	}
	if len(q.Dimensions) > maxDimensions {
		return invalid("dimensions", "there are %d dimensions, the maximum is %d", len(q.Dimensions), maxDimensions)
	}
	if err := validatePeriod(q.Period); err != nil {
		return invalid("period", "%w", err)
	}
	if errs := checkAccount(q.AccountID); errs != nil {
		return errs[0]
	}
	if err := statistic.Validate(q.Stat); err != nil {
		return invalid("stat", "%w", err)
	}
	return nil
}

// NewCloudWatchMetric returns a CloudWatch metric gate. Wrong arguments are returned
// as joined *ArgumentError. It also fails if there is no client for the region.
func NewCloudWatchMetric(c CloudWatchMetric, deps Dependencies) (rollout.Gate, error) {
	return filling[CloudWatchMetric](c.fill).build(func(c CloudWatchMetric) (rollout.Gate, error) { return newCloudWatchMetric(c, deps) })
}

func newCloudWatchMetric(c CloudWatchMetric, deps Dependencies) (rollout.Gate, error) {
	if errs := c.check(); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	c = c.withDefaults()
	if c.Region == "" {
		c.Region = deps.Region
	}
	api, err := (&clients{connect: deps.CloudWatch}).in(c.Region)
	if err != nil {
		return nil, err
	}
	g := &metricGate{CloudWatchMetric: c, limits: limits{c.Min, c.Max}, api: api, longest: c.LongestPeriod(), id: "result"}
	if c.Expression == "" {
		g.queries = []types.MetricDataQuery{metricQuery(g.id, c.MetricQuery)}
		return g, nil
	}
	for _, q := range c.Queries {
		one := metricQuery(q.ID, q)
		one.ReturnData = new(false)
		g.queries = append(g.queries, one)
	}
	for slices.ContainsFunc(c.Queries, func(q MetricQuery) bool { return q.ID == g.id }) { // avoid the IDs of the queries
		g.id += "_"
	}
	g.queries = append(g.queries, types.MetricDataQuery{
		Id: &g.id, Expression: &c.Expression, Period: new(int32(g.longest / time.Second)), ReturnData: new(true),
	})
	return g, nil
}

type metricGate struct {
	CloudWatchMetric
	limits  limits
	api     CloudWatch
	queries []types.MetricDataQuery
	id      string // ID of the query whose values are evaluated
	longest time.Duration
}

// Evaluate implements rollout.Gate.
func (g *metricGate) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	now := time.Now()
	s := completePeriods(in.Since(), now, g.longest, g.Lag).last(g.Lookback, g.longest)
	if s.empty() {
		return g.inconclusive("%s", waitText(in, now, g.longest, g.Lag))
	}
	all, err := readMetrics(ctx, g.api, s, g.queries)
	if err != nil {
		return readFailed(g.subject(), err)
	}
	return g.evaluate(all[g.id], s)
}

// Preflight implements rollout.Preflight. It checks that CloudWatch accepts the
// query, which fails for a misspelled expression; the values before the shift do not
// matter.
func (g *metricGate) Preflight(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	end := periodStart(time.Now(), g.longest)
	_, err := readMetrics(ctx, g.api, metricSpan{end.Add(-g.longest), end}, g.queries)
	return preflightVerdict(g.subject(), err)
}

// violation is a data point outside the limits.
type violation struct {
	at    int64 // Unix seconds
	value float64
	label string
}

func (g *metricGate) evaluate(all []*metricSeries, s metricSpan) rollout.Verdict {
	var values []float64
	var violations []violation
	var unclear, missing []string
	for _, series := range all {
		for _, at := range slices.Sorted(maps.Keys(series.values)) {
			v := series.values[at]
			switch {
			case !s.has(at):
				continue
			case math.IsNaN(v):
				missing = append(missing, fmt.Sprintf("the value at %s is NaN", clockTime(at)))
				continue
			case math.IsInf(v, 0):
				unclear = append(unclear, fmt.Sprintf("the value at %s is not a finite number (%v)", clockTime(at), v))
			case g.limits.excess(v) > 0:
				violations = append(violations, violation{at, v, series.label})
			}
			values = append(values, v)
		}
		if series.partial {
			unclear = append(unclear, "CloudWatch returned partial data"+messagesText(series.messages))
		}
	}
	switch {
	case len(violations) > 0:
		v := g.fail(violations, len(values), s, len(all) > 1)
		v.Measured = g.measured(values, s)
		return v
	case len(unclear) > 0:
		return g.inconclusive("%s", unclear[0])
	case len(missing) > 0 && (rollout.Status(g.OnNoData) != rollout.Pass || len(values) == 0):
		return g.noData(missing[0])
	case len(values) == 0:
		var messages []string
		for _, series := range all {
			messages = append(messages, series.messages...)
		}
		return g.noData(fmt.Sprintf("there are no data points over %s%s", s.text(), messagesText(messages)))
	}
	return rollout.Verdict{Status: rollout.Pass, Measured: g.measured(values, s),
		Detail: fmt.Sprintf("%s: %s, expected %s (%s over %s)", g.subject(), g.valueRange(values), g.limits, pointsText(len(values)), s.text())}
}

// fail reports the newest data point outside the limits.
func (g *metricGate) fail(violations []violation, count int, s metricSpan, several bool) rollout.Verdict {
	last := slices.MaxFunc(violations, func(a, b violation) int { return int(a.at - b.at) })
	value := g.limits.number(last.value)
	if several {
		value += " for " + last.label
	}
	return rollout.Verdict{Status: rollout.Fail, Detail: fmt.Sprintf("%s: %s at %s, expected %s (%d of %s over %s outside the limits)",
		g.subject(), value, clockTime(last.at), g.limits, len(violations), pointsText(count), s.text())}
}

func (g *metricGate) inconclusive(format string, args ...any) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Inconclusive, Detail: g.subject() + ": " + fmt.Sprintf(format, args...)}
}

func (g *metricGate) noData(detail string) rollout.Verdict {
	if g.OnNoData == "" {
		detail += "; if that is normal, set on_no_data"
	}
	return g.OnNoData.verdict("on_no_data", g.subject()+": "+detail)
}

// subject describes the metric or expression.
func (g *metricGate) subject() string {
	if g.Expression != "" {
		return shortReason(g.Expression)
	}
	text := fmt.Sprintf("%s of %s %s", g.Stat, g.Namespace, g.Metric)
	var dimensions []string
	for _, name := range slices.Sorted(maps.Keys(g.Dimensions)) {
		dimensions = append(dimensions, name+"="+g.Dimensions[name])
	}
	if dimensions != nil {
		text += " (" + strings.Join(dimensions, ", ") + ")"
	}
	return text
}

func (g *metricGate) valueRange(values []float64) string {
	low, high := g.limits.number(slices.Min(values)), g.limits.number(slices.Max(values))
	if low == high {
		return low
	}
	return low + " to " + high
}

func pointsText(n int) string {
	if n == 1 {
		return "1 data point"
	}
	return fmt.Sprintf("%d data points", n)
}

// measured returns the worst of the data points.
func (g *metricGate) measured(values []float64, s metricSpan) []rollout.Measurement {
	m := g.limits.measurement(cmp.Or(g.Metric, "expression"), g.limits.worst(values), len(values))
	m.From, m.To = s.from, s.to
	return []rollout.Measurement{m}
}
