package cloudwatch

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// The states of an alarm.
const (
	stateOK           = "OK"
	stateAlarm        = "ALARM"
	stateInsufficient = "INSUFFICIENT_DATA"
)

// The types of alarms in DescribeAlarms.
const (
	metricAlarm    = "MetricAlarm"
	compositeAlarm = "CompositeAlarm"
	logAlarm       = "LogAlarm"
)

// alarmKey identifies an alarm. Alarms of all types share one namespace.
type alarmKey struct{ region, name string }

// alarms holds all alarms. A record in it is immutable: changes replace it with a copy.
type alarms map[alarmKey]*alarm

// alarm is an alarm of one of the three types. Only the settings of its type are set.
type alarm struct {
	key       alarmKey
	kind      string
	common    alarmSettings
	metric    *metricAlarmSettings
	composite *compositeAlarmSettings
	rule      rulePart // of a composite alarm
	log       *logAlarmSettings
	status    alarmStatus
	due       time.Time // of the next evaluation of a metric alarm
}

// alarmSettings are common to all types of alarms. Actions are stored but never executed.
type alarmSettings struct {
	AlarmName               string
	AlarmDescription        *string `json:",omitempty"`
	ActionsEnabled          *bool
	OKActions               []string
	AlarmActions            []string
	InsufficientDataActions []string
	ActionConfiguration     any `json:",omitempty"`
}

// alarmStatus is the status of an alarm in the form of DescribeAlarms.
type alarmStatus struct {
	AlarmArn                           string
	AlarmConfigurationUpdatedTimestamp wire.Stamp
	StateValue                         string
	StateReason                        string
	StateReasonData                    *string `json:",omitempty"`
	StateUpdatedTimestamp              wire.Stamp
	StateTransitionedTimestamp         wire.Stamp
}

func (s *alarmSettings) check() error {
	if err := checkAlarmName("alarmName", s.AlarmName); err != nil {
		return err
	}
	if s.AlarmDescription != nil && len(*s.AlarmDescription) > 1024 {
		return tooLong("alarmDescription", 1024)
	}
	if s.ActionsEnabled == nil {
		s.ActionsEnabled = new(true)
	}
	for name, list := range map[string]*[]string{"oKActions": &s.OKActions, "alarmActions": &s.AlarmActions, "insufficientDataActions": &s.InsufficientDataActions} {
		if len(*list) > 5 {
			return wire.ValidationError("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to 5", name)
		}
		if *list == nil {
			*list = []string{}
		}
	}
	return nil
}

func checkAlarmName(at, name string) error {
	if name == "" {
		return wire.MissingParameter(at)
	}
	if len(name) > 255 {
		return tooLong(at, 255)
	}
	return nil
}

func tooLong(at string, limit int) error {
	return wire.ValidationError("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", at, limit)
}

// save stores an alarm. A new alarm starts in INSUFFICIENT_DATA; a changed one keeps its state.
func (c *call) save(a *alarm) error {
	a.key = alarmKey{region: c.region, name: a.common.AlarmName}
	old := c.alarms[a.key]
	if old != nil && old.kind != a.kind {
		return wire.ValidationError("An alarm of another type already has the name %s: it is a %s.", a.key.name, old.kind)
	}
	now := wire.Stamp{Time: c.now.UTC()}
	a.status = alarmStatus{
		AlarmArn:   "arn:aws:cloudwatch:" + c.region + ":" + c.account + ":alarm:" + a.key.name,
		StateValue: stateInsufficient, StateReason: "Unchecked: Initial alarm creation", StateUpdatedTimestamp: now, StateTransitionedTimestamp: now,
	}
	if old != nil {
		a.status = old.status
	}
	a.status.AlarmConfigurationUpdatedTimestamp = now
	c.alarms[a.key] = a
	return nil
}

// transition is the next state of an alarm and its reason.
type transition struct {
	state, reason string
	data          *string
	at            time.Time
}

// setState sets the state of an alarm. If the state has changed, it evaluates the composite alarms that depend on it.
func (cw *Service) setState(a *alarm, to transition) {
	next := *a
	changed := a.status.StateValue != to.state
	next.status.StateValue, next.status.StateReason, next.status.StateReasonData = to.state, to.reason, to.data
	next.status.StateUpdatedTimestamp = wire.Stamp{Time: to.at.UTC()}
	if changed {
		next.status.StateTransitionedTimestamp = wire.Stamp{Time: to.at.UTC()}
	}
	cw.alarms[a.key] = &next
	if changed {
		cw.chain = append(cw.chain, a.key)
		cw.propagate(&next, to.at)
		cw.chain = cw.chain[:len(cw.chain)-1]
	}
}

type setAlarmStateInput struct {
	AlarmName, StateValue string
	StateReason           *string
	StateReasonData       *string
}

// setAlarmState sets a state that lasts until the next evaluation of the alarm.
func setAlarmState(c *call, in setAlarmStateInput) error {
	if err := checkAlarmName("alarmName", in.AlarmName); err != nil {
		return err
	}
	switch {
	case in.StateValue == "":
		return wire.MissingParameter("stateValue")
	case in.StateReason == nil:
		return wire.MissingParameter("stateReason")
	case len(*in.StateReason) > 1023:
		return tooLong("stateReason", 1023)
	case in.StateReasonData != nil && len(*in.StateReasonData) > 4000:
		return tooLong("stateReasonData", 4000)
	}
	if err := wire.CheckEnum("stateValue", in.StateValue, stateInsufficient, stateAlarm, stateOK); err != nil {
		return err
	}
	if in.StateReasonData != nil && !json.Valid([]byte(*in.StateReasonData)) {
		return wire.BadRequest("InvalidFormat", "StateReasonData is not valid JSON.")
	}
	a := c.alarms[alarmKey{c.region, in.AlarmName}]
	if a == nil {
		return notFound("The alarm %s does not exist.", in.AlarmName)
	}
	c.setState(a, transition{state: in.StateValue, reason: *in.StateReason, data: in.StateReasonData, at: c.now})
	return nil
}

func notFound(format string, args ...any) error {
	return &wire.Error{Status: 404, Code: "ResourceNotFound", Message: fmt.Sprintf(format, args...)}
}

type deleteAlarmsInput struct{ AlarmNames []string }

// deleteAlarms deletes the alarms that exist and ignores other names, as AWS does.
func deleteAlarms(c *call, in deleteAlarmsInput) error {
	if in.AlarmNames == nil {
		return wire.MissingParameter("alarmNames")
	}
	if len(in.AlarmNames) > maxAlarmNames {
		return tooLong("alarmNames", maxAlarmNames)
	}
	count := map[string]int{}
	for _, name := range in.AlarmNames {
		a := c.alarms[alarmKey{c.region, name}]
		if a == nil {
			continue
		}
		count[a.kind]++
		for _, parent := range c.parents(a) {
			return wire.ValidationError("Cannot delete %s as there are composite alarm(s) depending on it: %s.", name, parent.key.name)
		}
	}
	if count[compositeAlarm] > 1 {
		return wire.ValidationError("Only one composite alarm can be deleted per request: %d were given.", count[compositeAlarm])
	}
	if count[logAlarm] > 0 && len(in.AlarmNames) > 1 {
		return wire.ValidationError("A log alarm must be deleted alone.")
	}
	for _, name := range in.AlarmNames {
		delete(c.alarms, alarmKey{c.region, name})
	}
	return nil
}

// parents returns the composite alarms that depend on an alarm, sorted by name.
func (cw *Service) parents(child *alarm) []*alarm {
	var out []*alarm
	for _, a := range cw.alarms {
		if a.kind == compositeAlarm && a.key.region == child.key.region && slices.Contains(a.rule.children(), child.key.name) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, byName)
	return out
}
