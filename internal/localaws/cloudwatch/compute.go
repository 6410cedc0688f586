package cloudwatch

import (
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// maxExpression is the maximum length of an expression in characters.
const maxExpression = 2048

// points maps the start of a period, in seconds since the Unix epoch, to a value.
type points map[int64]float64

func (p points) times() []int64 { return slices.Sorted(maps.Keys(p)) }

// timeframe is the range of a query: points that begin in [from, to) and are visible at a time.
type timeframe struct {
	region   string
	from, to int64
	at       time.Time
}

// compute returns the results of queries by ID. Its errors are validation errors of the caller.
func (cw *Service) compute(queries []dataQuery, frame timeframe) (map[string]points, error) {
	if err := checkQueries(queries); err != nil {
		return nil, err
	}
	scope := &mathScope{frame: frame, results: map[string]timeSeries{}, queries: map[string]dataQuery{}}
	for _, q := range queries {
		scope.queries[q.ID] = q
		if q.MetricStat != nil {
			scope.results[q.ID] = cw.readMetric(*q.MetricStat, frame)
			scope.metrics = append(scope.metrics, q.ID)
		}
	}
	out := map[string]points{}
	for _, q := range queries {
		result, err := scope.series(q.ID)
		if err != nil {
			return nil, err
		}
		out[q.ID] = result.points
	}
	return out, nil
}

// start returns the first second to read for a period. AWS rounds a start time down to the minute, or to the
// period if that is shorter.
func (f timeframe) start(period int64) int64 {
	grid := min(period, standardResolution)
	return f.from / grid * grid
}

// readMetric reads one metric.
func (cw *Service) readMetric(m metricStat, frame timeframe) timeSeries {
	period := int64(*m.Period)
	stat, _ := parseStatistic(m.Stat) // already validated
	out := timeSeries{points: points{}, period: period}
	summaries := cw.metrics.read(readRequest{
		metric: newMetricID(frame.region, m.Metric.Namespace, m.Metric.MetricName, m.Metric.Dimensions),
		unit:   m.Unit, period: period, from: frame.start(period), to: frame.to, at: frame.at,
	})
	for at, s := range summaries {
		if v, ok := stat(s); ok {
			out.points[at] = v
		}
	}
	return out
}

func checkQueries(queries []dataQuery) error {
	if len(queries) > maxQueries {
		return wire.ValidationError("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	}
	pattern, seen := idPattern(), map[string]bool{}
	for i, q := range queries {
		if !pattern.MatchString(q.ID) {
			return wire.ValidationError("The value %s for parameter MetricDataQueries.member.%d.Id is not matching the expected pattern %s.", q.ID, i+1, pattern)
		}
		if seen[q.ID] {
			return wire.ValidationError("The values for parameter id in MetricDataQueries are not unique: %s is used twice.", q.ID)
		}
		seen[q.ID] = true
		if err := q.check(); err != nil {
			return err
		}
	}
	return nil
}

func (q dataQuery) check() error {
	switch {
	case (q.Expression == nil) == (q.MetricStat == nil):
		return wire.ValidationError("Either the Expression or the MetricStat must be specified for the query %s, and not both.", q.ID)
	case q.Expression != nil && (len(*q.Expression) < 1 || len(*q.Expression) > maxExpression):
		return wire.ValidationError("The expression of the query %s must have 1 to %d characters: it has %d.", q.ID, maxExpression, len(*q.Expression))
	case q.Period != nil && !queryPeriod(*q.Period):
		return badPeriod(q.ID, *q.Period)
	case q.MetricStat == nil:
		return nil
	}
	m := q.MetricStat
	switch {
	case m.Metric == nil || m.Metric.MetricName == "" || m.Metric.Namespace == "":
		return wire.ValidationError("The namespace and the name of the metric must be specified for the query %s.", q.ID)
	case m.Period == nil:
		return wire.MissingParameter("metricDataQueries.metricStat.period")
	case !queryPeriod(*m.Period):
		return badPeriod(q.ID, *m.Period)
	}
	if _, ok := parseStatistic(m.Stat); !ok {
		return wire.ValidationError("The value %s for the statistic of the query %s is not supported: it must be SampleCount, Average, Sum, Minimum, Maximum, a percentile such as p99 or a percentile rank such as PR(:0.5).", m.Stat, q.ID)
	}
	return checkDimensions("MetricStat.Metric.Dimensions", m.Metric.Dimensions)
}

func badPeriod(id string, period int) error {
	return wire.ValidationError("The period %d of the query %s must be 1, 5, 10, 20, 30 or a multiple of 60.", period, id)
}

// queryPeriod reports whether metrics can be read with this period, in seconds.
func queryPeriod(seconds int) bool {
	return slices.Contains([]int{1, 5, 10, 20, 30}, seconds) || (seconds >= standardResolution && seconds%standardResolution == 0)
}

func checkDimensions(at string, dimensions []dimension) error {
	if len(dimensions) > maxDimensions {
		return wire.BadRequest("InvalidParameterValue", "The collection %s must not have a size greater than %d.", at, maxDimensions)
	}
	seen := map[string]bool{}
	for _, d := range dimensions {
		if d.Name == "" || d.Value == "" || len(d.Name) > 255 || len(d.Value) > 1024 {
			return wire.BadRequest("InvalidParameterValue", "The dimension '%s' with the value '%s' in %s must have a name of 1 to 255 characters and a value of 1 to 1024.", d.Name, d.Value, at)
		}
		if seen[d.Name] {
			return wire.BadRequest("InvalidParameterValue", "The dimension %s is listed twice in %s.", d.Name, at)
		}
		seen[d.Name] = true
	}
	return nil
}
