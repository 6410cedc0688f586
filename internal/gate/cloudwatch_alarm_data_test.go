package gate_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// An alarm on a metric that is published only for errors has no data while everything is fine.
func TestCloudWatchAlarm_insufficientData(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		on           gate.OnNoData
		other        types.StateValue // of a second alarm; empty: there is none
		ago, lacking time.Duration    // since the weight change, and since there was data
		want         rollout.Status
		standing     bool
	}{
		{"by default", "", "", 5 * time.Minute, time.Hour, "inconclusive", true},
		{"since the weight change", "", "", 5 * time.Minute, 4 * time.Minute, "inconclusive", false},
		{"beside another without a new state", "", types.StateValueOk, 5 * time.Minute, time.Hour, "inconclusive", true},
		{"which passes", "pass", "", 5 * time.Minute, time.Hour, "pass", false},
		{"which passes once it could be in ALARM", "pass", "", time.Minute, time.Hour, "inconclusive", false},
		{"which passes, and another in ALARM", "pass", types.StateValueAlarm, 5 * time.Minute, time.Hour, "fail", false},
		{"which fails", "fail", "", 5 * time.Minute, time.Hour, "fail", false},
		{"which fails once there could be data", "fail", "", time.Minute, time.Hour, "inconclusive", false},
		{"as said", "inconclusive", "", 5 * time.Minute, time.Hour, "inconclusive", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				lacking := metricAlarm("errors", types.StateValueInsufficientData, "no datapoints were received")
				lacking.StateTransitionedTimestamp = new(time.Now().Add(-c.lacking))
				f, names := &fakeCloudWatch{metric: []types.MetricAlarm{lacking}}, []string{"errors"}
				if c.other != "" {
					f.metric, names = append(f.metric, metricAlarm("other", c.other, "")), append(names, "other")
				}
				g := mustBuild(t)(gate.NewCloudWatchAlarm(gate.CloudWatchAlarm{Names: names, OnInsufficientData: c.on}, defaultRegionDeps(f)))
				v := g.Evaluate(t.Context(), rollout.GateInput{Step: 2, ChangedAt: time.Now().Add(-c.ago)})
				if wantVerdict(t, v, c.want); v.Standing != c.standing {
					t.Errorf("Standing is %t: %s", v.Standing, v.Detail)
				}
			})
		})
	}
}

// The preflight names the alarms whose lack of data may last, and what to do.
func TestCloudWatchAlarm_preflightAdvises(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		treatment *string
		state     types.StateValue
		on        gate.OnNoData
		advises   bool
	}{
		{"treat_missing_data is not set", nil, types.StateValueInsufficientData, "", true},
		{"missing, which is the same", new("missing"), types.StateValueInsufficientData, "", true},
		{"not breaching", new("notBreaching"), types.StateValueInsufficientData, "", false},
		{"ignore", new("ignore"), types.StateValueInsufficientData, "", false},
		{"OK", nil, types.StateValueOk, "", false},
		{"the gate says what it counts as", nil, types.StateValueInsufficientData, "inconclusive", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := metricAlarm("errors", c.state, "")
			a.TreatMissingData = c.treatment
			f := &fakeCloudWatch{metric: []types.MetricAlarm{metricAlarm("fine", types.StateValueOk, ""), a}}
			g := mustBuild(t)(gate.NewCloudWatchAlarm(gate.CloudWatchAlarm{Names: []string{"fine", "errors"}, OnInsufficientData: c.on}, defaultRegionDeps(f)))
			v := preflight(t, g, rollout.GateInput{})
			if v.Status != rollout.Pass || (v.Advice != "") != c.advises {
				t.Errorf("got %+v", v)
			}
			golden.Record(t, v.Advice+"\n")
		})
	}
}

func TestOnNoData_isChecked(t *testing.T) {
	t.Parallel()
	for _, errs := range [][]*gate.ArgumentError{
		gate.CloudWatchAlarm{Names: []string{"a"}, OnInsufficientData: "error"}.Check(),
		age(func(c *gate.CloudWatchMetric) { c.OnNoData = "ok" }).Check(),
		gate.Prometheus{Request: gate.Request{URL: "http://h"}, Query: "up", Max: new(1.0), OnNoData: "Pass"}.Check(),
		gate.Prometheus{Request: gate.Request{URL: "http://h"}, Query: "up", Max: new(1.0), Method: "get"}.Check(),
	} {
		wantArgumentErrors(t, errs, 1)
	}
}
