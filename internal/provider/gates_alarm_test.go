package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// alarm creates the alarm "errors" with a state.
func (b *bench) alarm(state cwtypes.StateValue) {
	b.t.Helper()
	api := cloudwatch.New(cloudwatch.Options{Region: "us-east-1", BaseEndpoint: new(b.srv.URL()),
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", "")})
	_, err := api.PutMetricAlarm(b.t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: new("errors"), Namespace: new("Shop"), MetricName: new("Failures"), Statistic: cwtypes.StatisticSum, Period: new(int32(60)),
		EvaluationPeriods: new(int32(1)), Threshold: new(1.0), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold})
	b.must(err)
	_, err = api.SetAlarmState(b.t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: new("errors"), StateValue: state, StateReason: new("the test says so")})
	b.must(err)
}

// alarmed is a release with an alarm gate during a bake of zero length.
func (s *site) alarmed(active string, names ...string) hcl {
	release := s.release(active)
	release.gates = gateBlock("alarms", block("cloudwatch_alarm", fmt.Sprintf(`names = ["%s"]`, strings.Join(names, `", "`))),
		`interval = "100ms"`, `inconclusive_timeout = "0s"`, `on_inconclusive_timeout = "pass"`)
	return release
}

func TestGates_alarmBlocksForwardShiftsOnly(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	s.alarm(cwtypes.StateValueOk)
	w.write(s.alarmed("blue", "errors").in(s.bench))
	w.apply().ok()
	w.write(s.alarmed("green", "errors").in(s.bench))
	w.apply().ok()

	s.alarm(cwtypes.StateValueAlarm)
	before := len(s.writes())
	w.write(s.alarmed("blue", "errors").in(s.bench)) // blue 1.0 was live before: a revert
	w.apply().ok()
	if got := s.routed(s.listener); got != "app-blue 100, app-green 0" || len(s.writes()) != before+1 {
		t.Errorf("the traffic was not reverted: %s, %d writes", got, len(s.writes())-before)
	}

	before = len(s.writes())
	next := s.alarmed("green", "errors")
	next.environments = environment("blue", "1.0", s.blue.group) + environment("green", "1.2", s.green.group)
	w.write(next.in(s.bench))
	refused := w.apply()
	refused.failsAs("blocked_by_alarm")
	values := w.values()
	if n := len(s.writes()); n != before || values["rejected"] != nil {
		t.Errorf("%d writes were made, rejected is %v", n-before, values["rejected"])
	}
	s.alarm(cwtypes.StateValueOk)
	w.apply().ok()
	if got := s.routed(s.listener); got != "app-blue 0, app-green 100" {
		t.Errorf("the traffic is at %s", got)
	}
}

func TestGates_missingAlarmFailsBeforeTheShift(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	s.alarm(cwtypes.StateValueOk)
	w.write(s.alarmed("green", "errors", "erorrs").in(s.bench))
	refused := w.apply()
	refused.failsAs("no_such_alarm")
	if n := len(s.writes()); n != 0 {
		t.Errorf("%d writes were made", n)
	}
}
