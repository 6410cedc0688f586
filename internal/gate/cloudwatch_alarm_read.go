package gate

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// describe reads the alarms of a region. Without AlarmTypes, DescribeAlarms returns
// only metric alarms.
func (g *alarmGate) describe(ctx context.Context, region string, refs []alarmRef) ([]alarm, error) {
	api, err := g.clients.in(region)
	if err != nil {
		return nil, err
	}
	in := &cloudwatch.DescribeAlarmsInput{
		AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm, types.AlarmTypeLogAlarm},
		MaxRecords: new(int32(maxAlarms)),
	}
	for _, ref := range refs {
		if !slices.Contains(in.AlarmNames, ref.name) {
			in.AlarmNames = append(in.AlarmNames, ref.name)
		}
	}
	var all []alarm
	for {
		out, err := api.DescribeAlarms(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, alarmsOf(out)...)
		if aws.ToString(out.NextToken) == "" {
			return all, nil
		}
		if aws.ToString(out.NextToken) == aws.ToString(in.NextToken) {
			return nil, errSamePage
		}
		in.NextToken = out.NextToken
	}
}

func alarmsOf(out *cloudwatch.DescribeAlarmsOutput) []alarm {
	var all []alarm
	for _, a := range out.MetricAlarms {
		all = append(all, alarm{
			name: aws.ToString(a.AlarmName), arn: aws.ToString(a.AlarmArn), state: a.StateValue,
			since: firstTime(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp), reason: aws.ToString(a.StateReason),
			evaluation: evaluationFailure(a.EvaluationState), period: periodOf(a), periods: periodsOf(a),
			keepsLack: slices.Contains([]string{"", "missing"}, aws.ToString(a.TreatMissingData)),
		})
	}
	for _, a := range out.CompositeAlarms {
		all = append(all, alarm{
			name: aws.ToString(a.AlarmName), arn: aws.ToString(a.AlarmArn), state: a.StateValue,
			since: firstTime(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp), reason: aws.ToString(a.StateReason),
		})
	}
	for _, a := range out.LogAlarms {
		all = append(all, alarm{
			name: aws.ToString(a.AlarmName), arn: aws.ToString(a.AlarmArn), state: a.StateValue,
			since: firstTime(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp), reason: aws.ToString(a.StateReason),
			evaluation: evaluationFailure(a.EvaluationState),
		})
	}
	return all
}

func firstTime(times ...*time.Time) time.Time {
	for _, t := range times {
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}

// evaluationFailure returns a state in which an alarm is not evaluated, so that its
// value is outdated; empty for other states.
func evaluationFailure(s types.EvaluationState) types.EvaluationState {
	if s == types.EvaluationStateEvaluationError || s == types.EvaluationStateEvaluationFailure {
		return s
	}
	return ""
}

// periodOf returns the period of an alarm: its own, the longest of its queries, or
// its evaluation interval if it has neither.
func periodOf(a types.MetricAlarm) time.Duration {
	longest := aws.ToInt32(a.Period)
	for _, q := range a.Metrics {
		longest = max(longest, aws.ToInt32(q.Period))
		if q.MetricStat != nil {
			longest = max(longest, aws.ToInt32(q.MetricStat.Period))
		}
	}
	if longest == 0 {
		longest = aws.ToInt32(a.EvaluationInterval)
	}
	return time.Duration(longest) * time.Second
}

// periodsOf returns the number of breaching periods that it takes to enter ALARM.
func periodsOf(a types.MetricAlarm) int {
	if n := aws.ToInt32(a.DatapointsToAlarm); n > 0 {
		return int(n)
	}
	return max(1, int(aws.ToInt32(a.EvaluationPeriods)))
}
