package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// maxDimensions is how many dimensions a metric has at most.
const maxDimensions = 30

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]{0,254}$`)

// MetricQuery names one metric of CloudWatch, and how its data is put together.
type MetricQuery struct {
	ID                string // what an expression calls it
	Namespace, Metric string
	Dimensions        map[string]string
	// Stat is one of CloudWatch's statistics, such as "Sum", "p99" or "TM(10%:90%)".
	Stat string
	// Period is 1s, 5s, 10s, 20s, 30s or a multiple of 60s; 0 is that of the gate.
	Period time.Duration
}

// CloudWatchMetric is the arguments of the kind "cloudwatch_metric": a metric, or
// an expression over several, whose every value must be within limits.
//
// What is judged are whole periods alone that began after the last change of
// weights (before any traffic: after the shift began, since what was before that
// may speak of a version that stood there before) and that ended at least Lag ago;
// of these the ones within Lookback. One point outside the limits is a fail,
// however good those after it are, so that a gate that is asked late does not miss
// what was bad in between. No point at all, a point that is no number, and data
// that CloudWatch has only in part are inconclusive.
type CloudWatchMetric struct {
	// MetricQuery is the one metric; empty with an expression, but for Period, which
	// is then that of the queries that have none.
	MetricQuery
	// Expression is metric maths over Queries, or one that needs none, such as a
	// query of Metrics Insights. Every time series that it gives is judged.
	Expression string
	Queries    []MetricQuery
	Min, Max   *float64      // at least one
	Lookback   time.Duration // 0 is DefaultLookback
	Lag        time.Duration
	Region     string // empty: that of the means
}

func (c CloudWatchMetric) withDefaults() CloudWatchMetric {
	c.Period, c.Lookback = cmp.Or(c.Period, DefaultPeriod), cmp.Or(c.Lookback, DefaultLookback)
	c.Queries = slices.Clone(c.Queries)
	for i := range c.Queries {
		c.Queries[i].Period = cmp.Or(c.Queries[i].Period, c.Period)
	}
	return c
}

// LongestPeriod is how long it takes until there is a whole period of every
// metric.
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

// Check returns everything that is wrong with the arguments.
func (c CloudWatchMetric) Check() []*ArgumentError {
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
	errs = append(errs, limits{c.Min, c.Max}.check()...)
	return append(errs, checkTimes(c.LongestPeriod(), c.Lookback, c.Lag)...)
}

func (c CloudWatchMetric) checkOne() []*ArgumentError {
	if c.Metric == "" && c.Namespace == "" && c.Stat == "" && len(c.Queries) == 0 {
		return []*ArgumentError{{Argument: "metric", Err: fmt.Errorf("%w where there is no expression", ErrMissing)}}
	}
	var errs []*ArgumentError
	if len(c.Queries) > 0 {
		errs = append(errs, &ArgumentError{Argument: "expression", Err: fmt.Errorf("%w where there are queries", ErrMissing)})
		return errs
	}
	for _, wanted := range []struct{ argument, value string }{{"namespace", c.Namespace}, {"metric", c.Metric}, {"stat", c.Stat}} {
		if wanted.value == "" {
			errs = append(errs, &ArgumentError{Argument: wanted.argument, Err: fmt.Errorf("%w with a metric", ErrMissing)})
		}
	}
	if c.Stat != "" {
		if err := validateStat(c.Stat); err != nil {
			errs = append(errs, invalid("stat", "%w", err))
		}
	}
	if len(c.Dimensions) > maxDimensions {
		errs = append(errs, invalid("dimensions", "there are %d, and a metric has at most %d", len(c.Dimensions), maxDimensions))
	}
	return errs
}

func (c CloudWatchMetric) checkExpression() []*ArgumentError {
	var errs []*ArgumentError
	if c.Metric != "" || c.Namespace != "" || c.Stat != "" || len(c.Dimensions) > 0 {
		errs = append(errs, invalid("expression", "there is a metric too: keep one of the two, and put what an expression uses into queries"))
	}
	if len(c.Queries) >= maxQueries {
		errs = append(errs, invalid("queries", "there are %d, and CloudWatch takes %d beside an expression", len(c.Queries), maxQueries-1))
	}
	seen := map[string]bool{}
	for i, q := range c.Queries {
		switch err := q.check(); {
		case q.ID == "":
			errs = append(errs, invalid("queries", "query %d has no id", i+1))
		case seen[q.ID]:
			errs = append(errs, invalid("queries", "the id %q is there twice", q.ID))
		case err != nil:
			errs = append(errs, invalid("queries", "query %q: %w", q.ID, err))
		}
		seen[q.ID] = true
	}
	return errs
}

func (q MetricQuery) check() error {
	if !queryID.MatchString(q.ID) {
		return errors.New("its id does not begin with a small letter and go on with letters, digits and underscores")
	}
	for _, wanted := range []struct{ argument, value string }{{"namespace", q.Namespace}, {"metric", q.Metric}, {"stat", q.Stat}} {
		if wanted.value == "" {
			return fmt.Errorf("it has no %s", wanted.argument)
		}
	}
	if len(q.Dimensions) > maxDimensions {
		return fmt.Errorf("it has %d dimensions, and a metric has at most %d", len(q.Dimensions), maxDimensions)
	}
	if err := validatePeriod(q.Period); err != nil {
		return fmt.Errorf("its period of %w", err)
	}
	if err := validateStat(q.Stat); err != nil {
		return fmt.Errorf("its stat %w", err)
	}
	return nil
}

// NewCloudWatchMetric returns a gate of the kind. It returns what is wrong with
// the arguments as *ArgumentError, joined, and why there is no client for the
// region.
func NewCloudWatchMetric(c CloudWatchMetric, means Dependencies) (rollout.Gate, error) {
	if errs := c.Check(); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	c = c.withDefaults()
	if c.Region == "" {
		c.Region = means.Region
	}
	api, err := (&clients{connect: means.CloudWatch}).in(c.Region)
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
	for slices.ContainsFunc(c.Queries, func(q MetricQuery) bool { return q.ID == g.id }) { // it is the gate's own
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
	id      string // of the query whose values are judged
	longest time.Duration
}

// Evaluate implements rollout.Gate.
func (g *metricGate) Evaluate(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	now := time.Now()
	s := completePeriods(m.ChangedAt, now, g.longest, g.Lag).last(g.Lookback, g.longest)
	if s.empty() {
		return g.inconclusive("%s", waitText(m.ChangedAt, now, g.longest, g.Lag))
	}
	all, err := readMetrics(ctx, g.api, s, g.queries)
	if err != nil {
		return readFailed(g.subject(), err)
	}
	return g.evaluate(all[g.id], s)
}

// Preflight implements rollout.Preflight: whether CloudWatch takes the query, a
// misspelled expression among what it refuses. What the values were before the
// shift does not matter.
func (g *metricGate) Preflight(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	end := periodStart(time.Now(), g.longest)
	_, err := readMetrics(ctx, g.api, metricSpan{end.Add(-g.longest), end}, g.queries)
	return preflightVerdict(g.subject(), err)
}

// violation is a point that breaks a limit.
type violation struct {
	at    int64
	value float64
	label string
}

func (g *metricGate) evaluate(all []*metricSeries, s metricSpan) rollout.Verdict {
	var values []float64
	var bad []violation
	var unclear []string
	for _, one := range all {
		for _, at := range slices.Sorted(maps.Keys(one.values)) {
			v := one.values[at]
			switch {
			case !s.has(at):
				continue
			case math.IsNaN(v) || math.IsInf(v, 0):
				unclear = append(unclear, fmt.Sprintf("the value at %s is no number (%v)", clockTime(at), v))
			case g.limits.excess(v) > 0:
				bad = append(bad, violation{at, v, one.label})
			}
			values = append(values, v)
		}
		if one.partial {
			unclear = append(unclear, "CloudWatch gave only a part of the data"+messagesText(one.messages))
		}
	}
	switch {
	case len(bad) > 0:
		return g.fail(bad, len(values), s, len(all) > 1)
	case len(unclear) > 0:
		return g.inconclusive("%s", unclear[0])
	case len(values) == 0:
		var said []string
		for _, one := range all {
			said = append(said, one.messages...)
		}
		return g.inconclusive("no point in %s%s", s.text(), messagesText(said))
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: fmt.Sprintf("%s: %s in %s, %s (%s)", g.subject(), pointsText(len(values)), s.text(), g.valueRange(values), g.limits)}
}

// fail tells the newest point that is outside.
func (g *metricGate) fail(bad []violation, count int, s metricSpan, several bool) rollout.Verdict {
	last := slices.MaxFunc(bad, func(a, b violation) int { return int(a.at - b.at) })
	what := g.limits.number(last.value)
	if several {
		what += " of " + last.label
	}
	return rollout.Verdict{Status: rollout.Fail, Detail: fmt.Sprintf("%s: %s at %s (%s), %d of %s in %s outside",
		g.subject(), what, clockTime(last.at), g.limits, len(bad), pointsText(count), s.text())}
}

func (g *metricGate) inconclusive(format string, args ...any) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Inconclusive, Detail: g.subject() + ": " + fmt.Sprintf(format, args...)}
}

// subject is what is measured, in words.
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
		return "1 point"
	}
	return fmt.Sprintf("%d points", n)
}

func clockTime(second int64) string { return time.Unix(second, 0).UTC().Format(time.TimeOnly) + "Z" }

func messagesText(said []string) string {
	if len(said) == 0 {
		return ""
	}
	return ", and says: " + shortReason(strings.Join(said, "; "))
}
