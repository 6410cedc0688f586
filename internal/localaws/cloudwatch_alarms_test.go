package localaws_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// errorsOver is an alarm on the sum of App:Errors in a minute.
func errorsOver(name string, threshold float64) *cw.PutMetricAlarmInput {
	return &cw.PutMetricAlarmInput{
		AlarmName: &name, Namespace: aws.String("App"), MetricName: aws.String("Errors"), Statistic: cwtypes.StatisticSum,
		Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: &threshold, ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold,
	}
}

func (b *watchBench) alarm(in *cw.PutMetricAlarmInput) {
	b.t.Helper()
	_, err := b.cw.PutMetricAlarm(b.ctx(), in)
	b.must(err)
}

func (b *watchBench) composite(name, rule string) {
	b.t.Helper()
	_, err := b.cw.PutCompositeAlarm(b.ctx(), &cw.PutCompositeAlarmInput{AlarmName: &name, AlarmRule: &rule})
	b.must(err)
}

func (b *watchBench) logAlarm(name string) {
	b.t.Helper()
	_, err := b.cw.PutLogAlarm(b.ctx(), &cw.PutLogAlarmInput{
		AlarmName: &name, Threshold: aws.Float64(5), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold,
		QueryResultsToEvaluate: aws.Int32(3), QueryResultsToAlarm: aws.Int32(2),
		ScheduledQueryConfiguration: &cwtypes.ScheduledQueryConfiguration{
			QueryString: aws.String("fields @message"), AggregationExpression: aws.String("count(*)"), LogGroupIdentifiers: []string{"app"},
			ScheduledQueryRoleARN: aws.String("arn:aws:iam::123456789012:role/q"),
			ScheduleConfiguration: &cwtypes.ScheduleConfiguration{ScheduleExpression: aws.String("rate(5 minutes)"), StartTimeOffset: aws.Int64(300)},
		},
	})
	b.must(err)
}

func (b *watchBench) set(name string, state cwtypes.StateValue) {
	b.t.Helper()
	_, err := b.cw.SetAlarmState(b.ctx(), &cw.SetAlarmStateInput{AlarmName: &name, StateValue: state, StateReason: aws.String("manual change")})
	b.must(err)
}

// describe returns alarms of all types.
func (b *watchBench) describe(names ...string) *cw.DescribeAlarmsOutput {
	b.t.Helper()
	out, err := b.cw.DescribeAlarms(b.ctx(), &cw.DescribeAlarmsInput{
		AlarmNames: names, AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm, cwtypes.AlarmTypeCompositeAlarm, cwtypes.AlarmTypeLogAlarm},
	})
	b.must(err)
	withoutMetadata(&out.ResultMetadata)
	return out
}

// state returns the state of an alarm and its reason.
func (b *watchBench) state(name string) string {
	b.t.Helper()
	out := b.describe(name)
	for _, a := range out.MetricAlarms {
		return fmt.Sprintf("%s: %s", a.StateValue, *a.StateReason)
	}
	for _, a := range out.CompositeAlarms {
		return fmt.Sprintf("%s: %s", a.StateValue, *a.StateReason)
	}
	for _, a := range out.LogAlarms {
		return fmt.Sprintf("%s: %s", a.StateValue, *a.StateReason)
	}
	b.t.Fatalf("there is no alarm %s", name)
	return ""
}

func (b *watchBench) wantState(name, want string) {
	b.t.Helper()
	if got := b.state(name); got != want {
		b.t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAlarms_wholeAnswer(t *testing.T) {
	b := newWatchBench(t)
	in := errorsOver("errors", 3)
	in.AlarmDescription, in.AlarmActions, in.Dimensions = aws.String("too many"), []string{"arn:aws:sns:us-east-1:123456789012:ops"}, dims("Service", "shop")
	in.DatapointsToAlarm, in.TreatMissingData = aws.Int32(1), aws.String("notBreaching")
	b.alarm(in)
	b.composite("any", `ALARM("errors") OR FALSE`)
	b.logAlarm("logs")
	arn := "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"
	want := &cw.DescribeAlarmsOutput{
		MetricAlarms: []cwtypes.MetricAlarm{{
			AlarmName: aws.String("errors"), AlarmArn: aws.String(arn + "errors"), AlarmDescription: aws.String("too many"),
			ActionsEnabled: aws.Bool(true), AlarmActions: in.AlarmActions, OKActions: []string{}, InsufficientDataActions: []string{},
			AlarmConfigurationUpdatedTimestamp: aws.Time(noon()), StateUpdatedTimestamp: aws.Time(noon()), StateTransitionedTimestamp: aws.Time(noon()),
			StateValue: cwtypes.StateValueInsufficientData, StateReason: aws.String("Unchecked: Initial alarm creation"),
			Namespace: in.Namespace, MetricName: in.MetricName, Dimensions: in.Dimensions, Statistic: in.Statistic, Period: in.Period,
			EvaluationPeriods: in.EvaluationPeriods, DatapointsToAlarm: in.DatapointsToAlarm, Threshold: in.Threshold,
			ComparisonOperator: in.ComparisonOperator, TreatMissingData: in.TreatMissingData,
		}},
		CompositeAlarms: []cwtypes.CompositeAlarm{{
			AlarmName: aws.String("any"), AlarmArn: aws.String(arn + "any"), AlarmRule: aws.String(`ALARM("errors") OR FALSE`),
			ActionsEnabled: aws.Bool(true), AlarmActions: []string{}, OKActions: []string{}, InsufficientDataActions: []string{},
			AlarmConfigurationUpdatedTimestamp: aws.Time(noon()), StateUpdatedTimestamp: aws.Time(noon()), StateTransitionedTimestamp: aws.Time(noon()),
			StateValue: cwtypes.StateValueOk, StateReason: aws.String(arn + "any was created and its alarm rule evaluates to OK"),
			StateReasonData: aws.String(`{"triggeringAlarms":[{"arn":"` + arn + `errors","state":{"value":"INSUFFICIENT_DATA","timestamp":"2026-03-04T12:00:00.000+0000"}}]}`),
		}},
		LogAlarms: []cwtypes.LogAlarm{{
			AlarmName: aws.String("logs"), AlarmArn: aws.String(arn + "logs"),
			ActionsEnabled: aws.Bool(true), AlarmActions: []string{}, OKActions: []string{}, InsufficientDataActions: []string{},
			AlarmConfigurationUpdatedTimestamp: aws.Time(noon()), StateUpdatedTimestamp: aws.Time(noon()), StateTransitionedTimestamp: aws.Time(noon()),
			StateValue: cwtypes.StateValueInsufficientData, StateReason: aws.String("Unchecked: Initial alarm creation"),
			Threshold: aws.Float64(5), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold,
			QueryResultsToEvaluate: aws.Int32(3), QueryResultsToAlarm: aws.Int32(2),
			ScheduledQueryConfiguration: &cwtypes.ScheduledQueryConfiguration{
				QueryString: aws.String("fields @message"), AggregationExpression: aws.String("count(*)"), LogGroupIdentifiers: []string{"app"},
				ScheduledQueryRoleARN: aws.String("arn:aws:iam::123456789012:role/q"),
				ScheduleConfiguration: &cwtypes.ScheduleConfiguration{ScheduleExpression: aws.String("rate(5 minutes)"), StartTimeOffset: aws.Int64(300)},
			},
		}},
	}
	got := b.describe()
	inUTC(got)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", pretty(got), pretty(want))
	}
}

func TestAlarms_areEvaluatedOncePerPeriod(t *testing.T) {
	b := newWatchBench(t)
	b.alarm(errorsOver("errors", 3))
	b.put("Errors", 0, 5)
	b.clock.advance(59 * time.Second)
	b.wantState("errors", "INSUFFICIENT_DATA: Unchecked: Initial alarm creation")
	b.clock.advance(time.Second)
	b.wantState("errors", "ALARM: Threshold Crossed: 1 datapoint [5.0 (04/03/26 12:00:00)] was greater than the threshold (3.0).")
	b.put("Errors", time.Minute, 3)
	b.clock.advance(time.Minute)
	b.wantState("errors", "OK: Threshold Crossed: 1 datapoint [3.0 (04/03/26 12:01:00)] was not greater than the threshold (3.0).")

	b.set("errors", cwtypes.StateValueAlarm)
	b.wantState("errors", "ALARM: manual change")
	b.clock.advance(59 * time.Second)
	b.wantState("errors", "ALARM: manual change")
	b.clock.advance(time.Second)
	b.wantState("errors", "OK: Threshold Crossed: 1 datapoint [3.0 (04/03/26 12:01:00)] was not greater than the threshold (3.0).")

	b.clock.advance(10 * time.Minute) // without a call: the states in between are made up for
	got := b.describe("errors").MetricAlarms[0]
	if got.StateValue != cwtypes.StateValueInsufficientData || !got.StateTransitionedTimestamp.Equal(noon().Add(5*time.Minute)) || *got.StateReason != "Insufficient Data: 1 datapoint was unknown." {
		t.Errorf("got %s at %s: %s", got.StateValue, got.StateTransitionedTimestamp, *got.StateReason)
	}
	want := `{"version":"1.0","queryDate":"2026-03-04T12:05:00.000+0000","statistic":"Sum","period":60,"recentDatapoints":[],"threshold":3}`
	if *got.StateReasonData != want {
		t.Errorf("got %s", *got.StateReasonData)
	}
	b.alarm(errorsOver("errors", 4)) // a change leaves the state as it is
	if again := b.describe("errors").MetricAlarms[0]; again.StateValue != got.StateValue || *again.Threshold != 4 {
		t.Errorf("got %s", pretty(again))
	}
}

// The rows are those of CloudWatch's guide: X breaches, 0 does not, - is missing, newest last.
func TestAlarms_missingData(t *testing.T) {
	const (
		ok, alarm, none, unchanged = "OK", "ALARM", "INSUFFICIENT_DATA", "unchanged"
	)
	for _, c := range []struct {
		data                                     string
		needed                                   int32
		missing, ignore, breaching, notBreaching string
	}{
		{"0-X-X", 3, ok, ok, ok, ok},
		{"0----", 3, ok, ok, ok, ok},
		{"-----", 3, none, unchanged, alarm, ok},
		{"0XX-X", 3, alarm, alarm, alarm, alarm},
		{"--X--", 3, alarm, unchanged, alarm, ok},
		{"----X", 3, unchanged, unchanged, alarm, ok},
		{"0-X-X", 2, alarm, alarm, alarm, alarm},
		{"00X0X", 2, alarm, alarm, alarm, alarm},
		{"0-X--", 2, ok, ok, alarm, ok},
		{"----0", 2, ok, ok, alarm, ok},
		{"---X-", 2, alarm, unchanged, alarm, ok},
	} {
		for treat, want := range map[string]string{"missing": c.missing, "ignore": c.ignore, "breaching": c.breaching, "notBreaching": c.notBreaching} {
			t.Run(fmt.Sprintf("%s %d of 3 %s", c.data, c.needed, treat), func(t *testing.T) {
				b := newWatchBench(t)
				for i, kind := range c.data {
					if kind != '-' {
						b.put("Errors", time.Duration(i-5)*time.Minute, map[rune]float64{'X': 1, '0': 0}[kind])
					}
				}
				b.clock.advance(-time.Minute)
				in := errorsOver("errors", 0.5)
				in.EvaluationPeriods, in.DatapointsToAlarm, in.TreatMissingData = aws.Int32(3), &c.needed, &treat
				b.alarm(in)
				if want == unchanged {
					b.set("errors", cwtypes.StateValueOk)
					want = ok
				}
				b.clock.advance(time.Minute)
				if got, _, _ := strings.Cut(b.state("errors"), ":"); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
}

func TestAlarms_reasons(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		change func(*cw.PutMetricAlarmInput)
		want   string
	}{
		"m of n": {[]float64{7, 1, 9}, func(in *cw.PutMetricAlarmInput) { in.DatapointsToAlarm = aws.Int32(2) },
			"ALARM: Threshold Crossed: 2 out of the last 3 datapoints [9.0 (04/03/26 12:02:00), 7.0 (04/03/26 12:00:00)] were greater than the threshold (3.0) (minimum 2 datapoints for OK -> ALARM transition)."},
		"filled": {[]float64{7}, func(in *cw.PutMetricAlarmInput) { in.TreatMissingData = aws.String("breaching") },
			"ALARM: Threshold Crossed: 1 datapoint [7.0 (04/03/26 12:00:00)] was greater than the threshold (3.0) and 2 missing datapoints were treated as [Breaching]."},
		"nothing": {nil, func(in *cw.PutMetricAlarmInput) { in.TreatMissingData = aws.String("notBreaching") },
			"OK: Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [NonBreaching]."},
		"too few": {[]float64{7}, func(in *cw.PutMetricAlarmInput) { in.TreatMissingData = aws.String("notBreaching") },
			"OK: Threshold Crossed: 2 missing datapoints were treated as [NonBreaching]."},
		"unknown": {nil, func(*cw.PutMetricAlarmInput) {}, "INSUFFICIENT_DATA: Insufficient Data: 3 datapoints were unknown."},
		"percentile": {[]float64{1, 2, 3.5}, func(in *cw.PutMetricAlarmInput) {
			in.Statistic, in.ExtendedStatistic, in.ComparisonOperator = "", aws.String("p99.9"), cwtypes.ComparisonOperatorLessThanOrEqualToThreshold
			in.Threshold, in.EvaluationPeriods = aws.Float64(3.5), aws.Int32(1)
		}, "ALARM: Threshold Crossed: 1 datapoint [3.5 (04/03/26 12:02:00)] was less than or equal to the threshold (3.5)."},
		"maths": {[]float64{7, 1, 9}, func(in *cw.PutMetricAlarmInput) {
			in.Namespace, in.MetricName, in.Statistic, in.Period, in.EvaluationPeriods = nil, nil, "", nil, aws.Int32(1)
			in.Metrics = []cwtypes.MetricDataQuery{hidden(stat("m", "App:Errors", "Sum")), expression("e", "m/2")}
		}, "ALARM: Threshold Crossed: 1 datapoint [4.5 (04/03/26 12:02:00)] was greater than the threshold (3.0)."},
	} {
		t.Run(name, func(t *testing.T) {
			b := newWatchBench(t)
			b.clock.advance(2 * time.Minute)
			in := errorsOver("errors", 3)
			in.EvaluationPeriods = aws.Int32(3)
			c.change(in)
			b.alarm(in)
			if c.values != nil {
				b.put("Errors", 0, c.values...)
			}
			b.clock.advance(time.Minute)
			b.wantState("errors", c.want)
		})
	}
}

func TestAlarms_withAFasterClock(t *testing.T) {
	b := newWatchBench(t, localaws.WithMetricsClock(time.Second, 0))
	in := errorsOver("errors", 3)
	in.Period = aws.Int32(5)
	b.alarm(in)
	_, err := b.cw.PutMetricData(b.ctx(), &cw.PutMetricDataInput{Namespace: aws.String("App"), MetricData: []cwtypes.MetricDatum{
		{MetricName: aws.String("Errors"), Value: aws.Float64(9), StorageResolution: aws.Int32(1)},
	}})
	b.must(err)
	b.clock.advance(4 * time.Second)
	b.wantState("errors", "INSUFFICIENT_DATA: Insufficient Data: 1 datapoint was unknown.")
	b.clock.advance(time.Second)
	b.wantState("errors", "ALARM: Threshold Crossed: 1 datapoint [9.0 (04/03/26 12:00:00)] was greater than the threshold (3.0).")
}

func TestAlarms_composite(t *testing.T) {
	b := newWatchBench(t)
	for _, name := range []string{"a", "b", "the third"} {
		b.logAlarm(name) // states change only by SetAlarmState
	}
	arn := "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"
	for rule, want := range map[string]bool{
		"ALARM(a)": true, `OK("b")`: true, "INSUFFICIENT_DATA( the third )": true, "ALARM(b)": false, "TRUE": true, "FALSE": false, "NOT FALSE": true,
		"ALARM(a) AND ALARM(b) OR TRUE": true, "ALARM(b) AND (ALARM(a) OR TRUE)": false, "NOT ALARM(a) OR NOT ALARM(b)": true, "alarm(" + arn + "a) and not (true and false)": true,
	} {
		b.set("a", cwtypes.StateValueAlarm)
		b.set("b", cwtypes.StateValueOk)
		b.composite("all", rule)
		state, _, _ := strings.Cut(b.state("all"), ":")
		if (state == "ALARM") != want {
			t.Errorf("%s: got %s", rule, state)
		}
	}
	b.composite("all", "ALARM(a) AND ALARM(b)")
	b.composite("above", "ALARM(all)")
	b.wantState("above", "OK: "+arn+"above was created and its alarm rule evaluates to OK")
	b.set("all", cwtypes.StateValueAlarm) // holds until a child changes
	b.wantState("above", "ALARM: "+arn+"all transitioned to ALARM at Wednesday 04 March, 2026 12:00:00 UTC")
	b.clock.advance(time.Hour)
	b.wantState("all", "ALARM: manual change")
	b.set("a", cwtypes.StateValueOk)
	b.wantState("all", "OK: "+arn+"a transitioned to OK at Wednesday 04 March, 2026 13:00:00 UTC")
	b.wantState("above", "OK: "+arn+"all transitioned to OK at Wednesday 04 March, 2026 13:00:00 UTC")

	b.composite("all", "NOT ALARM(above)") // a circle: it ends
	b.set("a", cwtypes.StateValueAlarm)
	b.wantState("above", "ALARM: "+arn+"all transitioned to ALARM at Wednesday 04 March, 2026 13:00:00 UTC")
}

func TestAlarms_delete(t *testing.T) {
	b := newWatchBench(t)
	b.alarm(errorsOver("a", 1))
	b.composite("c", "ALARM(a)")
	b.composite("d", "TRUE")
	b.logAlarm("l")
	remove := func(names ...string) error {
		_, err := b.cw.DeleteAlarms(b.ctx(), &cw.DeleteAlarmsInput{AlarmNames: names})
		return err
	}
	for want, names := range map[string][]string{
		"ValidationError: Cannot delete a as there are composite alarm(s) depending on it: c.": {"a"},
		"ValidationError: Only one composite alarm can be deleted per request: 2 were given.":  {"c", "d"},
		"ValidationError: A log alarm must be deleted alone.":                                  {"l", "d"},
	} {
		if got := failure(t, remove(names...)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	b.must(remove("c", "not there"))
	b.must(remove("a"))
	b.must(remove("l"))
	if got := b.describe(); len(got.MetricAlarms)+len(got.LogAlarms) != 0 || len(got.CompositeAlarms) != 1 {
		t.Errorf("got %s", pretty(got))
	}
}

func TestAlarms_describe(t *testing.T) {
	b := newWatchBench(t)
	for i := range 60 {
		b.alarm(errorsOver(fmt.Sprintf("m%02d", i), 1))
	}
	b.composite("c", "TRUE")
	ask := func(in cw.DescribeAlarmsInput) *cw.DescribeAlarmsOutput {
		t.Helper()
		out, err := b.cw.DescribeAlarms(b.ctx(), &in)
		b.must(err)
		return out
	}
	if got := ask(cw.DescribeAlarmsInput{AlarmNames: []string{"c", "m01", "nope"}}); len(got.MetricAlarms) != 1 || len(got.CompositeAlarms) != 0 || got.NextToken != nil {
		t.Errorf("without types: got %s", pretty(got))
	}
	if got := ask(cw.DescribeAlarmsInput{AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeCompositeAlarm}}); len(got.MetricAlarms) != 0 || len(got.CompositeAlarms) != 1 {
		t.Errorf("composite alone: got %s", pretty(got))
	}
	b.set("m07", cwtypes.StateValueAlarm)
	if got := ask(cw.DescribeAlarmsInput{StateValue: cwtypes.StateValueAlarm}); len(got.MetricAlarms) != 1 || *got.MetricAlarms[0].AlarmName != "m07" {
		t.Errorf("by state: got %s", pretty(got))
	}
	if got := ask(cw.DescribeAlarmsInput{AlarmNamePrefix: aws.String("m1")}); len(got.MetricAlarms) != 10 {
		t.Errorf("by prefix: got %d", len(got.MetricAlarms))
	}
	var sizes []int
	pages := cw.NewDescribeAlarmsPaginator(b.cw, &cw.DescribeAlarmsInput{MaxRecords: aws.Int32(25)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(b.ctx())
		b.must(err)
		sizes = append(sizes, len(page.MetricAlarms))
	}
	if !reflect.DeepEqual(sizes, []int{25, 25, 10}) {
		t.Errorf("got pages of %v", sizes)
	}
	if got := ask(cw.DescribeAlarmsInput{}); len(got.MetricAlarms) != 50 || got.NextToken == nil {
		t.Errorf("got a page of %d", len(got.MetricAlarms))
	}
	_, err := b.cw.DescribeAlarms(b.ctx(), &cw.DescribeAlarmsInput{NextToken: aws.String("x")})
	if _, ok := errors.AsType[*cwtypes.InvalidNextToken](err); !ok || failure(t, err) != "InvalidNextToken: The next token x is not valid." {
		t.Errorf("got %T %v", err, err)
	}
}
