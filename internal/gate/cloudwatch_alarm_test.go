package gate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

var since = time.Date(2026, time.March, 1, 10, 20, 30, 0, time.UTC)

func arnOf(region, account, name string) string {
	return fmt.Sprintf("arn:aws:cloudwatch:%s:%s:alarm:%s", region, account, name)
}

func metricAlarm(name string, state types.StateValue, reason string) types.MetricAlarm {
	return types.MetricAlarm{
		AlarmName: &name, AlarmArn: new(arnOf("eu-west-1", "123456789012", name)), StateValue: state, StateReason: &reason,
		StateTransitionedTimestamp: &since, Period: new(int32(60)), ActionsEnabled: new(false),
	}
}

func alarmGate(t *testing.T, fakes map[string]*fakeCloudWatch, names ...string) rollout.Gate {
	t.Helper()
	return built(t)(gate.NewCloudWatchAlarm(gate.CloudWatchAlarm{Names: names}, means(fakes)))
}

// alarms are one of every kind and state.
func alarms() *fakeCloudWatch {
	return &fakeCloudWatch{
		metric: []types.MetricAlarm{
			metricAlarm("fine", types.StateValueOk, "Threshold Crossed"),
			metricAlarm("errors", types.StateValueAlarm, "Threshold Crossed: 1 datapoint [7.0]\n was greater than the threshold (5.0)."),
			metricAlarm("new", types.StateValueInsufficientData, "Unchecked: Initial alarm creation"),
			metricAlarm("odd", "MAINTENANCE", ""),
			{AlarmName: new("broken"), StateValue: types.StateValueOk, EvaluationState: types.EvaluationStateEvaluationError, StateUpdatedTimestamp: &since},
			{AlarmName: new("partial"), StateValue: types.StateValueOk, EvaluationState: types.EvaluationStatePartialData},
		},
		composite: []types.CompositeAlarm{
			{AlarmName: new("all fine"), StateValue: types.StateValueOk},
			{AlarmName: new("any bad"), StateValue: types.StateValueAlarm, StateReason: new("errors is in ALARM"), StateUpdatedTimestamp: &since},
		},
		logs: []types.LogAlarm{
			{AlarmName: new("quiet"), StateValue: types.StateValueOk},
			{AlarmName: new("panics"), StateValue: types.StateValueAlarm, StateReason: new("3 lines"), StateTransitionedTimestamp: &since},
			{AlarmName: new("lost"), StateValue: types.StateValueOk, EvaluationState: types.EvaluationStateEvaluationFailure},
		},
	}
}

func TestCloudWatchAlarm_verdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		names []string
		judge string
		ahead string // where it differs
	}{
		{"all are fine", []string{"fine", "all fine", "quiet", "partial"}, "pass: 4 of 4 alarms OK", "pass: 0 of 4 alarms in ALARM"},
		{"one is up", []string{"fine", "errors"},
			`fail: 1 of 2 alarms in ALARM: "errors" is ALARM since 2026-03-01T10:20:30Z: Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (5.0).`, ""},
		{"one of each kind is up", []string{"panics", "any bad", "new", "typo"},
			`fail: 2 of 4 alarms in ALARM: "panics" is ALARM since 2026-03-01T10:20:30Z: 3 lines; ` +
				`"any bad" is ALARM since 2026-03-01T10:20:30Z: errors is in ALARM; 1 of 4 alarms not there: "typo" in eu-west-1`, ""},
		{"one is not there", []string{"fine", "typo", "new"}, `error: 1 of 3 alarms not there: "typo" in eu-west-1`, ""},
		{"one has no data", []string{"fine", "new"},
			`inconclusive: 1 of 2 alarms undecided: "new" is INSUFFICIENT_DATA since 2026-03-01T10:20:30Z: Unchecked: Initial alarm creation`,
			"pass: 0 of 2 alarms in ALARM"},
		{"one is in a state that nobody knows", []string{"odd"},
			`inconclusive: 1 of 1 alarms undecided: "odd" is MAINTENANCE since 2026-03-01T10:20:30Z`, "pass: 0 of 1 alarms in ALARM"},
		{"two are not evaluated", []string{"broken", "lost"},
			`inconclusive: 2 of 2 alarms undecided: "broken" is OK since 2026-03-01T10:20:30Z, but CloudWatch cannot evaluate it (EVALUATION_ERROR); ` +
				`"lost" is OK, but CloudWatch cannot evaluate it (EVALUATION_FAILURE)`, "pass: 0 of 2 alarms in ALARM"},
		{"an ARN", []string{arnOf("eu-west-1", "123456789012", "fine")}, "pass: 1 of 1 alarms OK", "pass: 0 of 1 alarms in ALARM"},
		{"an ARN of another account", []string{arnOf("eu-west-1", "210987654321", "fine")},
			"error: 1 of 1 alarms not there: arn:aws:cloudwatch:eu-west-1:210987654321:alarm:fine", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": alarms()}, c.names...)
			says(t, g.Evaluate(t.Context(), rollout.GateInput{Step: 1}), c.judge)
			if c.ahead == "" {
				c.ahead = c.judge
			}
			says(t, ahead(t, g, rollout.GateInput{}), c.ahead)
		})
	}
}

// What an alarm says of the time before the change is not an answer to it.
func TestCloudWatchAlarm_waitsForItsPeriod(t *testing.T) {
	t.Parallel()
	with := func(change func(a *types.MetricAlarm)) types.MetricAlarm {
		a := metricAlarm("slow", types.StateValueOk, "")
		change(&a)
		return a
	}
	stat := func(period int32) types.MetricDataQuery {
		return types.MetricDataQuery{MetricStat: &types.MetricStat{Period: &period}}
	}
	of := func(period, ago string) string {
		return fmt.Sprintf(`inconclusive: 1 of 1 alarms undecided: "slow" is OK, but could not have gone off yet: that takes %s, and it can have seen %s ago`, period, ago)
	}
	for _, c := range []struct {
		name  string
		alarm types.MetricAlarm
		step  int
		ago   time.Duration
		want  string
	}{
		{"within its period", with(func(*types.MetricAlarm) {}), 1, 20*time.Second + 300*time.Millisecond, of("1 x 1m", "0 since the change 20s")},
		{"just over", with(func(*types.MetricAlarm) {}), 1, time.Minute, of("1 x 1m", "0 since the change 1m")},
		{"after it, and as late as its data is", with(func(*types.MetricAlarm) {}), 1, 2 * time.Minute, "pass: 1 of 1 alarms OK"},
		{"several periods", with(func(a *types.MetricAlarm) { a.EvaluationPeriods = new(int32(5)) }), 1, 4 * time.Minute, of("5 x 1m", "3 since the change 4m")},
		{"after several", with(func(a *types.MetricAlarm) { a.EvaluationPeriods = new(int32(5)) }), 1, 6 * time.Minute, "pass: 1 of 1 alarms OK"},
		{"some of several", with(func(a *types.MetricAlarm) { a.EvaluationPeriods, a.DatapointsToAlarm = new(int32(5)), new(int32(2)) }), 1, 3 * time.Minute,
			"pass: 1 of 1 alarms OK"},
		{"before any traffic", with(func(*types.MetricAlarm) {}), 0, 0, "pass: 1 of 1 alarms OK"},
		{"up within its period", with(func(a *types.MetricAlarm) { a.StateValue = types.StateValueAlarm }), 1, 0,
			`fail: 1 of 1 alarms in ALARM: "slow" is ALARM since 2026-03-01T10:20:30Z`},
		{"the longest of its queries", with(func(a *types.MetricAlarm) {
			a.Period, a.Metrics = nil, []types.MetricDataQuery{stat(60), stat(300), {Period: new(int32(120))}}
		}), 2, 4 * time.Minute, of("1 x 5m", "0 since the change 4m")},
		{"an expression's period", with(func(a *types.MetricAlarm) {
			a.Period, a.Metrics = nil, []types.MetricDataQuery{{Period: new(int32(120))}}
		}), 2, time.Minute, of("1 x 2m", "0 since the change 1m")},
		{"how often it is evaluated", with(func(a *types.MetricAlarm) { a.Period, a.EvaluationInterval = nil, new(int32(30)) }), 1, 0, of("1 x 30s", "0 since the change 0s")},
		{"none", with(func(a *types.MetricAlarm) { a.Period = nil }), 1, 0, "pass: 1 of 1 alarms OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeCloudWatch{metric: []types.MetricAlarm{c.alarm}}
				g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": f}, "slow")
				says(t, g.Evaluate(t.Context(), rollout.GateInput{Step: c.step, ChangedAt: time.Now().Add(-c.ago)}), c.want)
			})
		})
	}
}

func TestCloudWatchAlarm_asksEachRegionOnce(t *testing.T) {
	t.Parallel()
	west, east := alarms(), &fakeCloudWatch{metric: []types.MetricAlarm{{
		AlarmName: new("far"), AlarmArn: new(arnOf("us-east-1", "123456789012", "far")), StateValue: types.StateValueAlarm,
	}}}
	g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": west, "us-east-1": east},
		"fine", arnOf("us-east-1", "123456789012", "far"), "quiet", arnOf("eu-west-1", "123456789012", "fine"))
	says(t, g.Evaluate(t.Context(), rollout.GateInput{}), `fail: 1 of 4 alarms in ALARM: "far" is ALARM`)
	if len(east.described) != 1 || !slices.Equal(east.described[0].AlarmNames, []string{"far"}) {
		t.Errorf("us-east-1 was asked for %v", east.described)
	}
	// One page a name; the name that is there as an ARN too is asked for once.
	if len(west.described) != 2 || !slices.Equal(west.described[1].AlarmNames, []string{"fine", "quiet"}) {
		t.Errorf("eu-west-1 was asked for %v", west.described)
	}
	if types := fmt.Sprint(west.described[0].AlarmTypes); types != "[MetricAlarm CompositeAlarm LogAlarm]" {
		t.Errorf("it was asked for alarms of the types %s", types)
	}
}

func TestCloudWatchAlarm_couldNotAsk(t *testing.T) {
	t.Parallel()
	denied := answered(403, "AccessDenied", "not authorized to perform: cloudwatch:DescribeAlarms")
	g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": {err: denied}, "us-east-1": alarms()}, "fine", arnOf("us-east-1", "123456789012", "typo"))
	for _, v := range []rollout.Verdict{g.Evaluate(t.Context(), rollout.GateInput{}), ahead(t, g, rollout.GateInput{})} {
		says(t, v, "error: 1 of 2 alarms not there: arn:aws:cloudwatch:us-east-1:123456789012:alarm:typo; the alarms in eu-west-1 could not be read")
		if !errors.Is(v.Err, denied) {
			t.Errorf("the cause is %v", v.Err)
		}
	}
	// What is up elsewhere weighs more.
	g = alarmGate(t, map[string]*fakeCloudWatch{"us-east-1": {err: denied}, "eu-west-1": alarms()}, "errors", arnOf("us-east-1", "123456789012", "far"))
	if v := g.Evaluate(t.Context(), rollout.GateInput{}); v.Status != rollout.Fail || !strings.HasSuffix(v.Detail, "; the alarms in us-east-1 could not be read") {
		t.Errorf("it says %v", v)
	}
	g = alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": {circles: true}}, "fine")
	says(t, g.Evaluate(t.Context(), rollout.GateInput{}), "error: the alarms in eu-west-1 could not be read")
}

// What may pass does not keep a shift from beginning; what will not does.
func TestCloudWatchAlarm_ahead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want rollout.Status
	}{
		"too many calls": {answered(400, "Throttling", "Rate exceeded"), rollout.Inconclusive},
		"out of order":   {answered(503, "ServiceUnavailable", ""), rollout.Inconclusive},
		"not allowed":    {answered(403, "AccessDenied", "no"), rollout.Errored},
	} {
		g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": {err: c.err}}, "slow")
		if v := ahead(t, g, rollout.GateInput{}); v.Status != c.want || (v.Err != nil) != (c.want == rollout.Errored) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestCloudWatchAlarm_cutsTheReason(t *testing.T) {
	t.Parallel()
	f := &fakeCloudWatch{metric: []types.MetricAlarm{metricAlarm("long", types.StateValueAlarm, strings.Repeat("é", 300))}}
	v := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": f}, "long").Evaluate(t.Context(), rollout.GateInput{})
	_, reason, _ := strings.Cut(v.Detail, "Z: ")
	if len(reason) > 200 || reason != strings.Repeat("é", 98)+"..." {
		t.Errorf("the reason has %d bytes: %s", len(reason), reason)
	}
}

func TestCloudWatchAlarm_arguments(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprint("alarm-", i))
	}
	for _, c := range []struct {
		name string
		args gate.CloudWatchAlarm
		want []string
	}{
		{"none", gate.CloudWatchAlarm{}, []string{"names: it is required"}},
		{"too many", gate.CloudWatchAlarm{Names: many}, []string{"names: it is not valid: there are 101, and CloudWatch tells of 100 alarms at a time"}},
		{"an empty one", gate.CloudWatchAlarm{Names: []string{""}}, []string{"names: it is not valid: one is empty"}},
		{"one twice", gate.CloudWatchAlarm{Names: []string{"a", "b", "a"}}, []string{`names: it is not valid: "a" is there twice`}},
		{"another ARN", gate.CloudWatchAlarm{Names: []string{"arn:aws:sns:eu-west-1:123456789012:topic"}},
			[]string{`names: it is not valid: "arn:aws:sns:eu-west-1:123456789012:topic" is not the ARN of an alarm`}},
		{"a long one", gate.CloudWatchAlarm{Names: []string{strings.Repeat("x", 256)}},
			[]string{`names: it is not valid: "xxxxxxxxxxxxxxxxxxxx"... is longer than 255 characters`}},
		{"no region", gate.CloudWatchAlarm{Names: []string{"a"}, Region: "Ireland"},
			[]string{`region: it is not valid: "Ireland" is no region of AWS, such as eu-west-1`}},
		{"good ones", gate.CloudWatchAlarm{Names: []string{"a:b c", arnOf("us-gov-west-1", "123456789012", "x")}, Region: "cn-north-1"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			refuses(t, c.args.Check(), c.want...)
			if c.want == nil {
				return
			}
			if _, err := gate.NewCloudWatchAlarm(c.args, gate.Dependencies{}); err == nil || err.Error() != strings.Join(c.want, "\n") {
				t.Errorf("making it returns %v", err)
			}
		})
	}
}

// Where nothing could be asked later, it is said before anything moves.
func TestCloudWatchAlarm_noClient(t *testing.T) {
	t.Parallel()
	_, err := gate.NewCloudWatchAlarm(gate.CloudWatchAlarm{Names: []string{"a"}, Region: "eu-north-1"}, means(nil))
	if !errors.Is(err, errNoClient) || err.Error() != "there is no client in eu-north-1" {
		t.Errorf("it returns %v", err)
	}
	_, err = gate.NewCloudWatchAlarm(gate.CloudWatchAlarm{Names: []string{"a"}}, gate.Dependencies{})
	if err == nil || err.Error() != "no region is known for it" {
		t.Errorf("without a region it returns %v", err)
	}
}
