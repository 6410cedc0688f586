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
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
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
	return mustBuild(t)(gate.NewCloudWatchAlarm(gate.CloudWatchAlarm{Names: names}, regionalDeps(fakes)))
}

// alarms returns alarms of every kind and state.
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
			{AlarmName: new("any error"), StateValue: types.StateValueAlarm, StateReason: new("errors is in ALARM"), StateUpdatedTimestamp: &since},
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
		name      string
		names     []string
		want      rollout.Status
		preflight rollout.Status // if it differs
	}{
		{"all OK", []string{"fine", "all fine", "quiet", "partial"}, "pass", "pass"},
		{"one in ALARM", []string{"fine", "errors"},
			"fail", ""},
		{"one of each kind in ALARM", []string{"panics", "any error", "new", "typo"},
			"fail", ""},
		{"one not found", []string{"fine", "typo", "new"}, "error", ""},
		{"one with insufficient data", []string{"fine", "new"},
			"inconclusive",
			"pass"},
		{"unknown state", []string{"odd"},
			"inconclusive", "pass"},
		{"two that CloudWatch cannot evaluate", []string{"broken", "lost"},
			"inconclusive", "pass"},
		{"ARN", []string{arnOf("eu-west-1", "123456789012", "fine")}, "pass", "pass"},
		{"ARN of another account", []string{arnOf("eu-west-1", "210987654321", "fine")},
			"error", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": alarms()}, c.names...)
			wantVerdict(t, g.Evaluate(t.Context(), rollout.GateInput{Step: 1}), c.want)
			if c.preflight == "" {
				c.preflight = c.want
			}
			wantVerdict(t, preflight(t, g, rollout.GateInput{}), c.preflight)
		})
	}
}

// A state from before the weight change says nothing about the new weights.
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
	for _, c := range []struct {
		name  string
		alarm types.MetricAlarm
		step  int
		ago   time.Duration
		want  rollout.Status
	}{
		{"within its period", with(func(*types.MetricAlarm) {}), 1, 20*time.Second + 300*time.Millisecond, "inconclusive"},
		{"ended, but not its lag", with(func(*types.MetricAlarm) {}), 1, time.Minute, "inconclusive"},
		{"after its period and lag", with(func(*types.MetricAlarm) {}), 1, 2 * time.Minute, "pass"},
		{"several periods", with(func(a *types.MetricAlarm) { a.EvaluationPeriods = new(int32(5)) }), 1, 4 * time.Minute, "inconclusive"},
		{"after several periods", with(func(a *types.MetricAlarm) { a.EvaluationPeriods = new(int32(5)) }), 1, 6 * time.Minute, "pass"},
		{"fewer datapoints to alarm", with(func(a *types.MetricAlarm) { a.EvaluationPeriods, a.DatapointsToAlarm = new(int32(5)), new(int32(2)) }), 1, 3 * time.Minute,
			"pass"},
		{"before any traffic", with(func(*types.MetricAlarm) {}), 0, 0, "pass"},
		{"in ALARM within its period", with(func(a *types.MetricAlarm) { a.StateValue = types.StateValueAlarm }), 1, 0,
			"fail"},
		{"longest period of its queries", with(func(a *types.MetricAlarm) {
			a.Period, a.Metrics = nil, []types.MetricDataQuery{stat(60), stat(300), {Period: new(int32(120))}}
		}), 2, 4 * time.Minute, "inconclusive"},
		{"period of an expression", with(func(a *types.MetricAlarm) {
			a.Period, a.Metrics = nil, []types.MetricDataQuery{{Period: new(int32(120))}}
		}), 2, time.Minute, "inconclusive"},
		{"evaluation interval", with(func(a *types.MetricAlarm) { a.Period, a.EvaluationInterval = nil, new(int32(30)) }), 1, 0, "inconclusive"},
		{"no period", with(func(a *types.MetricAlarm) { a.Period = nil }), 1, 0, "pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeCloudWatch{metric: []types.MetricAlarm{c.alarm}}
				g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": f}, "slow")
				wantVerdict(t, g.Evaluate(t.Context(), rollout.GateInput{Step: c.step, ChangedAt: time.Now().Add(-c.ago)}), c.want)
			})
		})
	}
}

func TestCloudWatchAlarm_callsEachRegionOnce(t *testing.T) {
	t.Parallel()
	west, east := alarms(), &fakeCloudWatch{metric: []types.MetricAlarm{{
		AlarmName: new("far"), AlarmArn: new(arnOf("us-east-1", "123456789012", "far")), StateValue: types.StateValueAlarm,
	}}}
	g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": west, "us-east-1": east},
		"fine", arnOf("us-east-1", "123456789012", "far"), "quiet", arnOf("eu-west-1", "123456789012", "fine"))
	wantVerdict(t, g.Evaluate(t.Context(), rollout.GateInput{}), "fail")
	if len(east.described) != 1 || !slices.Equal(east.described[0].AlarmNames, []string{"far"}) {
		t.Errorf("us-east-1: got calls %v", east.described)
	}
	// One page per name; the name that is also given as an ARN is requested once.
	if len(west.described) != 2 || !slices.Equal(west.described[1].AlarmNames, []string{"fine", "quiet"}) {
		t.Errorf("eu-west-1: got calls %v", west.described)
	}
	if types := fmt.Sprint(west.described[0].AlarmTypes); types != "[MetricAlarm CompositeAlarm LogAlarm]" {
		t.Errorf("got alarm types %s", types)
	}
}

func TestCloudWatchAlarm_readFails(t *testing.T) {
	t.Parallel()
	denied := apiError(403, "AccessDenied", "not authorized to perform: cloudwatch:DescribeAlarms")
	g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": {err: denied}, "us-east-1": alarms()}, "fine", arnOf("us-east-1", "123456789012", "typo"))
	for _, v := range []rollout.Verdict{g.Evaluate(t.Context(), rollout.GateInput{}), preflight(t, g, rollout.GateInput{})} {
		wantVerdict(t, v, "error")
		if !errors.Is(v.Err, denied) {
			t.Errorf("got cause %v", v.Err)
		}
	}
	// An alarm in another region takes precedence over the failed read.
	g = alarmGate(t, map[string]*fakeCloudWatch{"us-east-1": {err: denied}, "eu-west-1": alarms()}, "errors", arnOf("us-east-1", "123456789012", "far"))
	v := g.Evaluate(t.Context(), rollout.GateInput{})
	if v.Status != rollout.Fail {
		t.Errorf("got %v", v)
	}
	golden.Record(t, v.Detail)
	g = alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": {loops: true}}, "fine")
	wantVerdict(t, g.Evaluate(t.Context(), rollout.GateInput{}), "error")
}

// A temporary error does not block a shift from starting; a permanent one does.
func TestCloudWatchAlarm_preflight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want rollout.Status
	}{
		"throttled":     {apiError(400, "Throttling", "Rate exceeded"), rollout.Inconclusive},
		"unavailable":   {apiError(503, "ServiceUnavailable", ""), rollout.Inconclusive},
		"access denied": {apiError(403, "AccessDenied", "no"), rollout.Errored},
	} {
		g := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": {err: c.err}}, "slow")
		if v := preflight(t, g, rollout.GateInput{}); v.Status != c.want || (v.Err != nil) != (c.want == rollout.Errored) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestCloudWatchAlarm_truncatesTheReason(t *testing.T) {
	t.Parallel()
	f := &fakeCloudWatch{metric: []types.MetricAlarm{metricAlarm("long", types.StateValueAlarm, strings.Repeat("é", 300))}}
	v := alarmGate(t, map[string]*fakeCloudWatch{"eu-west-1": f}, "long").Evaluate(t.Context(), rollout.GateInput{})
	_, reason, _ := strings.Cut(v.Detail, "Z: ")
	if len(reason) > 200 || reason != strings.Repeat("é", 98)+"..." {
		t.Errorf("got a reason of %d bytes: %s", len(reason), reason)
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
		want int
	}{
		{"no names", gate.CloudWatchAlarm{}, 1},
		{"too many names", gate.CloudWatchAlarm{Names: many}, 1},
		{"empty name", gate.CloudWatchAlarm{Names: []string{""}}, 1},
		{"duplicate name", gate.CloudWatchAlarm{Names: []string{"a", "b", "a"}}, 1},
		{"ARN of a topic", gate.CloudWatchAlarm{Names: []string{"arn:aws:sns:eu-west-1:123456789012:topic"}}, 1},
		{"name too long", gate.CloudWatchAlarm{Names: []string{strings.Repeat("x", 256)}}, 1},
		{"invalid region", gate.CloudWatchAlarm{Names: []string{"a"}, Region: "Ireland"}, 1},
		{"valid", gate.CloudWatchAlarm{Names: []string{"a:b c", arnOf("us-gov-west-1", "123456789012", "x")}, Region: "cn-north-1"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantArgumentErrors(t, c.args.Check(), c.want)
			if c.want == 0 {
				return
			}
			if _, err := gate.NewCloudWatchAlarm(c.args, gate.Dependencies{}); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func TestCloudWatchAlarm_noClient(t *testing.T) {
	t.Parallel()
	_, err := gate.NewCloudWatchAlarm(gate.CloudWatchAlarm{Names: []string{"a"}, Region: "eu-north-1"}, regionalDeps(nil))
	if !errors.Is(err, errNoClient) {
		t.Errorf("got error %v", err)
	}
	golden.Record(t, fmt.Sprint(err))
	_, err = gate.NewCloudWatchAlarm(gate.CloudWatchAlarm{Names: []string{"a"}}, gate.Dependencies{})
	if err == nil {
		t.Error("got no error without a region")
	}
	golden.Record(t, fmt.Sprint(err))
}
