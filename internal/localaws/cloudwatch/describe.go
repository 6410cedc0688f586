package cloudwatch

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	maxAlarmNames  = 100
	maxRecords     = 100
	defaultRecords = 50
)

type describeAlarmsInput struct {
	AlarmNames                              []string
	AlarmNamePrefix, ActionPrefix           string
	AlarmTypes                              []string
	StateValue                              string
	ChildrenOfAlarmName, ParentsOfAlarmName *string
	MaxRecords                              *int
	NextToken                               *string
}

type describeAlarmsOutput struct {
	MetricAlarms    []metricAlarmAnswer
	CompositeAlarms []compositeAlarmAnswer
	LogAlarms       []logAlarmAnswer
	NextToken       *string `json:",omitempty"`
}

type metricAlarmAnswer struct {
	alarmSettings
	metricAlarmSettings
	alarmStatus
}

type compositeAlarmAnswer struct {
	alarmSettings
	compositeAlarmSettings
	alarmStatus
}

type logAlarmAnswer struct {
	alarmSettings
	logAlarmSettings
	alarmStatus
}

// describeAlarms returns metric alarms only unless other types are requested. Names of alarms that do not exist
// are ignored.
func describeAlarms(c *call, in describeAlarmsInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	after, err := readAlarmToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	var matched []*alarm
	for key, a := range c.alarms {
		if key.region == c.region && key.name > after && in.matches(a) {
			matched = append(matched, a)
		}
	}
	slices.SortFunc(matched, byName)
	out := describeAlarmsOutput{MetricAlarms: []metricAlarmAnswer{}, CompositeAlarms: []compositeAlarmAnswer{}, LogAlarms: []logAlarmAnswer{}}
	size := defaultRecords
	if in.MaxRecords != nil {
		size = *in.MaxRecords
	}
	if len(matched) > size {
		matched = matched[:size]
		out.NextToken = new(base64.URLEncoding.EncodeToString([]byte("after " + matched[size-1].key.name)))
	}
	for _, a := range matched {
		out.add(a)
	}
	return out, nil
}

func byName(a, b *alarm) int { return cmp.Compare(a.key.name, b.key.name) }

func (in describeAlarmsInput) check() error {
	for _, kind := range in.AlarmTypes {
		if err := wire.CheckEnum("alarmTypes", kind, compositeAlarm, metricAlarm, logAlarm); err != nil {
			return err
		}
	}
	switch {
	case len(in.AlarmNames) > maxAlarmNames:
		return tooLong("alarmNames", maxAlarmNames)
	case in.AlarmNames != nil && in.AlarmNamePrefix != "":
		return wire.BadRequest("InvalidParameterCombination", "The parameters AlarmNames and AlarmNamePrefix are mutually exclusive and you have specified both.")
	case in.MaxRecords != nil && (*in.MaxRecords < 1 || *in.MaxRecords > maxRecords):
		return wire.ValidationError("1 validation error detected: Value '%d' at 'maxRecords' failed to satisfy constraint: Member must be between 1 and %d", *in.MaxRecords, maxRecords)
	case in.ChildrenOfAlarmName != nil || in.ParentsOfAlarmName != nil:
		return wire.ValidationError("localaws does not simulate ChildrenOfAlarmName and ParentsOfAlarmName.")
	}
	return wire.CheckEnum("stateValue", in.StateValue, stateInsufficient, stateAlarm, stateOK)
}

func readAlarmToken(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	raw, err := base64.URLEncoding.DecodeString(*token)
	name, ok := strings.CutPrefix(string(raw), "after ")
	if err != nil || !ok {
		return "", wire.BadRequest("InvalidNextToken", "The next token %s is not valid.", *token)
	}
	return name, nil
}

func (in describeAlarmsInput) matches(a *alarm) bool {
	kinds := in.AlarmTypes
	if len(kinds) == 0 {
		kinds = []string{metricAlarm}
	}
	actions := slices.Concat(a.common.OKActions, a.common.AlarmActions, a.common.InsufficientDataActions)
	return slices.Contains(kinds, a.kind) &&
		(in.AlarmNames == nil || slices.Contains(in.AlarmNames, a.key.name)) &&
		strings.HasPrefix(a.key.name, in.AlarmNamePrefix) &&
		(in.StateValue == "" || in.StateValue == a.status.StateValue) &&
		(in.ActionPrefix == "" || slices.ContainsFunc(actions, func(arn string) bool { return strings.HasPrefix(arn, in.ActionPrefix) }))
}

func (out *describeAlarmsOutput) add(a *alarm) {
	switch a.kind {
	case metricAlarm:
		out.MetricAlarms = append(out.MetricAlarms, metricAlarmAnswer{a.common, *a.metric, a.status})
	case compositeAlarm:
		out.CompositeAlarms = append(out.CompositeAlarms, compositeAlarmAnswer{a.common, *a.composite, a.status})
	case logAlarm:
		out.LogAlarms = append(out.LogAlarms, logAlarmAnswer{a.common, *a.log, a.status})
	}
}
