package cloudwatch

import (
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// metricAlarmSettings are the settings of a metric alarm, on one metric or on the queries in Metrics.
type metricAlarmSettings struct {
	Namespace                        *string `json:",omitempty"`
	MetricName                       *string `json:",omitempty"`
	Dimensions                       []dimension
	Statistic                        *string     `json:",omitempty"`
	ExtendedStatistic                *string     `json:",omitempty"`
	Period                           *int        `json:",omitempty"`
	Unit                             *string     `json:",omitempty"`
	Metrics                          []dataQuery `json:",omitempty"`
	EvaluationPeriods                *int
	DatapointsToAlarm                *int `json:",omitempty"`
	Threshold                        *float64
	ComparisonOperator               string
	TreatMissingData                 *string `json:",omitempty"`
	EvaluateLowSampleCountPercentile *string `json:",omitempty"`
}

type putMetricAlarmInput struct {
	alarmSettings
	metricAlarmSettings
	// The following parameters are not simulated.
	EvaluationCriteria, EvaluationInterval, EvaluationWindow, ThresholdMetricId, WarmUpConfiguration any
}

func putMetricAlarm(c *call, in putMetricAlarmInput) error {
	if err := in.alarmSettings.check(); err != nil {
		return err
	}
	for name, value := range map[string]any{
		"EvaluationCriteria": in.EvaluationCriteria, "EvaluationInterval": in.EvaluationInterval, "EvaluationWindow": in.EvaluationWindow,
		"ThresholdMetricId": in.ThresholdMetricId, "WarmUpConfiguration": in.WarmUpConfiguration,
	} {
		if value != nil {
			return wire.ValidationError("localaws does not simulate the parameter %s.", name)
		}
	}
	settings := in.metricAlarmSettings
	if err := settings.check(c); err != nil {
		return err
	}
	if settings.Dimensions == nil {
		settings.Dimensions = []dimension{}
	}
	a := &alarm{kind: metricAlarm, common: in.alarmSettings, metric: &settings}
	a.due = c.now.Add(c.evaluationInterval(a))
	return c.save(a)
}

// evaluationInterval returns the interval between evaluations: the alarm's period, or the period of a faster clock.
func (cw *Service) evaluationInterval(a *alarm) time.Duration {
	if cw.clock.fast() {
		return cw.clock.period
	}
	return time.Duration(a.metric.period()) * time.Second
}

// operator is a comparison with the threshold.
type operator struct {
	breaches func(value, threshold float64) bool
	text     string
}

func comparisons() map[string]operator {
	return map[string]operator{
		"GreaterThanOrEqualToThreshold": {func(v, t float64) bool { return v >= t }, "greater than or equal to"},
		"GreaterThanThreshold":          {func(v, t float64) bool { return v > t }, "greater than"},
		"LessThanThreshold":             {func(v, t float64) bool { return v < t }, "less than"},
		"LessThanOrEqualToThreshold":    {func(v, t float64) bool { return v <= t }, "less than or equal to"},
	}
}

func (m *metricAlarmSettings) check(c *call) error {
	switch {
	case m.EvaluationPeriods == nil:
		return wire.MissingParameter("evaluationPeriods")
	case *m.EvaluationPeriods < 1:
		return wire.ValidationError("1 validation error detected: Value '%d' at 'evaluationPeriods' failed to satisfy constraint: Member must have value greater than or equal to 1", *m.EvaluationPeriods)
	case m.DatapointsToAlarm != nil && (*m.DatapointsToAlarm < 1 || *m.DatapointsToAlarm > *m.EvaluationPeriods):
		return wire.ValidationError("The value %d for DatapointsToAlarm must be between 1 and EvaluationPeriods, which is %d.", *m.DatapointsToAlarm, *m.EvaluationPeriods)
	case m.Threshold == nil:
		return wire.MissingParameter("threshold")
	}
	if _, known := comparisons()[m.ComparisonOperator]; !known {
		return wire.ValidationError("localaws does not simulate the comparison operator '%s': it knows GreaterThanThreshold, GreaterThanOrEqualToThreshold, LessThanThreshold and LessThanOrEqualToThreshold.", m.ComparisonOperator)
	}
	if m.TreatMissingData != nil {
		if err := wire.CheckEnum("treatMissingData", *m.TreatMissingData, treatBreaching, treatNotBreaching, treatIgnore, treatMissing); err != nil {
			return err
		}
	}
	if err := m.checkMetric(c); err != nil {
		return err
	}
	return m.checkPeriod(c.clock.fast())
}

// checkMetric requires one metric, or queries of which exactly one returns data.
func (m *metricAlarmSettings) checkMetric(c *call) error {
	single := m.MetricName != nil || m.Namespace != nil || m.Dimensions != nil || m.Period != nil || m.Statistic != nil || m.ExtendedStatistic != nil || m.Unit != nil
	switch {
	case m.Metrics != nil && single:
		return wire.ValidationError("If you specify the parameter Metrics, you cannot specify MetricName, Namespace, Dimensions, Period, Unit, Statistic or ExtendedStatistic.")
	case m.Metrics == nil && (m.MetricName == nil || m.Namespace == nil):
		return wire.ValidationError("MetricName and Namespace must be specified for an alarm on a metric, or else Metrics.")
	case m.Metrics == nil && m.Period == nil:
		return wire.MissingParameter("period")
	case m.Metrics == nil && (m.Statistic == nil) == (m.ExtendedStatistic == nil):
		return wire.ValidationError("Exactly one of Statistic and ExtendedStatistic must be specified.")
	case m.Metrics == nil:
		return m.checkSingle()
	}
	var returned []string
	for _, q := range m.Metrics {
		if q.returned() {
			returned = append(returned, q.ID)
		}
	}
	if len(returned) != 1 {
		return wire.ValidationError("Exactly one element of the metrics list must return data: %d do.", len(returned))
	}
	_, err := c.compute(m.Metrics, timeframe{region: c.region, from: c.now.Unix() - standardResolution, to: c.now.Unix(), at: c.now})
	return err
}

func (m *metricAlarmSettings) checkSingle() error {
	if m.Statistic != nil {
		if err := wire.CheckEnum("statistic", *m.Statistic, "SampleCount", "Average", "Sum", "Minimum", "Maximum"); err != nil {
			return err
		}
	}
	if m.ExtendedStatistic != nil {
		if _, ok := parsePercentile(*m.ExtendedStatistic); !ok {
			return wire.ValidationError("The value %s for ExtendedStatistic is not supported: it must be a percentile such as p99.", *m.ExtendedStatistic)
		}
	}
	if m.Unit != nil {
		if err := checkUnit(*m.Unit); err != nil {
			return err
		}
	}
	return checkDimensions("Dimensions", m.Dimensions)
}

// checkPeriod validates the period. A faster clock also allows 1 s and 5 s, which AWS does not.
func (m *metricAlarmSettings) checkPeriod(fast bool) error {
	period := m.period()
	if !queryPeriod(period) || (period < 10 && !fast) {
		return wire.ValidationError("The period %d of an alarm must be 10, 20, 30 or a multiple of 60.", period)
	}
	limit := 86400
	if period >= 3600 {
		limit = 7 * 86400
	}
	if *m.EvaluationPeriods*period > limit {
		return wire.ValidationError("Metrics cannot be checked across more than %d days (EvaluationPeriods * Period must be <= %d).", limit/86400, limit)
	}
	return nil
}

// period returns the longest period that the alarm reads, in seconds.
func (m *metricAlarmSettings) period() int {
	if m.Period != nil {
		return *m.Period
	}
	longest := 0
	for _, q := range m.Metrics {
		if q.MetricStat != nil {
			longest = max(longest, *q.MetricStat.Period)
		}
	}
	return longest
}

// queries returns what the alarm reads, and the ID of the result that it evaluates.
func (m *metricAlarmSettings) queries() ([]dataQuery, string) {
	if m.Metrics != nil {
		at := slices.IndexFunc(m.Metrics, dataQuery.returned)
		return m.Metrics, m.Metrics[at].ID
	}
	q := dataQuery{ID: "m1", MetricStat: &metricStat{
		Metric: &metricRef{Namespace: *m.Namespace, MetricName: *m.MetricName, Dimensions: m.Dimensions},
		Period: m.Period, Stat: m.stat(),
	}}
	if m.Unit != nil {
		q.MetricStat.Unit = *m.Unit
	}
	return []dataQuery{q}, "m1"
}

func (m *metricAlarmSettings) stat() string {
	switch {
	case m.Statistic != nil:
		return *m.Statistic
	case m.ExtendedStatistic != nil:
		return *m.ExtendedStatistic
	}
	return ""
}

// logAlarmSettings are stored as sent. No query is run: only SetAlarmState changes the state of a log alarm.
type logAlarmSettings struct {
	ScheduledQueryConfiguration any
	QueryResultsToAlarm         *int
	QueryResultsToEvaluate      *int
	Threshold                   *float64
	ComparisonOperator          string
	TreatMissingData            *string `json:",omitempty"`
	ActionLogLineCount          *int    `json:",omitempty"`
	ActionLogLineRoleArn        *string `json:",omitempty"`
	WarmUpConfiguration         any     `json:",omitempty"`
}

type putLogAlarmInput struct {
	alarmSettings
	logAlarmSettings
}

func putLogAlarm(c *call, in putLogAlarmInput) error {
	if err := in.check(); err != nil {
		return err
	}
	switch {
	case in.ScheduledQueryConfiguration == nil:
		return wire.MissingParameter("scheduledQueryConfiguration")
	case in.Threshold == nil:
		return wire.MissingParameter("threshold")
	case in.QueryResultsToEvaluate == nil:
		return wire.MissingParameter("queryResultsToEvaluate")
	case in.QueryResultsToAlarm == nil:
		return wire.MissingParameter("queryResultsToAlarm")
	case *in.QueryResultsToEvaluate < 1 || *in.QueryResultsToEvaluate > 100:
		return wire.ValidationError("The value %d for QueryResultsToEvaluate must be between 1 and 100.", *in.QueryResultsToEvaluate)
	case *in.QueryResultsToAlarm < 1 || *in.QueryResultsToAlarm > *in.QueryResultsToEvaluate:
		return wire.ValidationError("The value %d for QueryResultsToAlarm must be between 1 and QueryResultsToEvaluate, which is %d.", *in.QueryResultsToAlarm, *in.QueryResultsToEvaluate)
	}
	if _, known := comparisons()[in.ComparisonOperator]; !known {
		return wire.ValidationError("The value '%s' for ComparisonOperator is not valid for a log alarm.", in.ComparisonOperator)
	}
	return c.save(&alarm{kind: logAlarm, common: in.alarmSettings, log: &in.logAlarmSettings})
}
