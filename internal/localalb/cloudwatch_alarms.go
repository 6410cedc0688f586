package localalb

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The states of an alarm.
const (
	stateOK           = "OK"
	stateAlarm        = "ALARM"
	stateInsufficient = "INSUFFICIENT_DATA"
)

// The types of alarms, as DescribeAlarms is asked for them.
const (
	metricAlarm    = "MetricAlarm"
	compositeAlarm = "CompositeAlarm"
	logAlarm       = "LogAlarm"
)

// alarmKey names an alarm. Alarms of all types share their names.
type alarmKey struct{ region, name string }

// alarms holds every alarm. Records are never changed once they stand in it: who changes one puts a copy in.
type alarms map[alarmKey]*alarm

// alarm is an alarm of one of the three types; only the settings of its type are set.
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

// alarmSettings is what alarms of all types have. Actions are kept and never taken.
type alarmSettings struct {
	AlarmName               string
	AlarmDescription        *string `json:",omitempty"`
	ActionsEnabled          *bool
	OKActions               []string
	AlarmActions            []string
	InsufficientDataActions []string
	ActionConfiguration     any `json:",omitempty"`
}

// alarmStatus is what CloudWatch says of an alarm.
type alarmStatus struct {
	AlarmArn                           string
	AlarmConfigurationUpdatedTimestamp stamp
	StateValue                         string
	StateReason                        string
	StateReasonData                    *string `json:",omitempty"`
	StateUpdatedTimestamp              stamp
	StateTransitionedTimestamp         stamp
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
			return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to 5", name)
		}
		if *list == nil {
			*list = []string{}
		}
	}
	return nil
}

func checkAlarmName(at, name string) error {
	if name == "" {
		return missing(at)
	}
	if len(name) > 255 {
		return tooLong(at, 255)
	}
	return nil
}

func tooLong(at string, limit int) error {
	return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", at, limit)
}

// save puts an alarm in place. A new one begins without data; the state of an old one stays as it was.
func (c *watchCall) save(a *alarm) error {
	a.key = alarmKey{region: c.region, name: a.common.AlarmName}
	old := c.alarms[a.key]
	if old != nil && old.kind != a.kind {
		return invalid("An alarm of another type already has the name %s: it is a %s.", a.key.name, old.kind)
	}
	now := stamp{c.now.UTC()}
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

// transition is a new state of an alarm and why.
type transition struct {
	state, reason string
	data          *string
	at            time.Time
}

// enter gives an alarm a state, and evaluates the composite alarms that watch it if the state is another one.
func (cw *cloudWatch) enter(a *alarm, to transition) {
	next := *a
	moved := a.status.StateValue != to.state
	next.status.StateValue, next.status.StateReason, next.status.StateReasonData = to.state, to.reason, to.data
	next.status.StateUpdatedTimestamp = stamp{to.at.UTC()}
	if moved {
		next.status.StateTransitionedTimestamp = stamp{to.at.UTC()}
	}
	cw.alarms[a.key] = &next
	if moved {
		cw.chain = append(cw.chain, a.key)
		cw.cascade(&next, to.at)
		cw.chain = cw.chain[:len(cw.chain)-1]
	}
}

type setAlarmStateInput struct {
	AlarmName, StateValue string
	StateReason           *string
	StateReasonData       *string
}

// setAlarmState holds until a metric alarm is evaluated again, or a child of a composite alarm changes.
func setAlarmState(c *watchCall, in setAlarmStateInput) error {
	if err := checkAlarmName("alarmName", in.AlarmName); err != nil {
		return err
	}
	switch {
	case in.StateValue == "":
		return missing("stateValue")
	case in.StateReason == nil:
		return missing("stateReason")
	case len(*in.StateReason) > 1023:
		return tooLong("stateReason", 1023)
	case in.StateReasonData != nil && len(*in.StateReasonData) > 4000:
		return tooLong("stateReasonData", 4000)
	}
	if err := oneOfThese("stateValue", in.StateValue, stateInsufficient, stateAlarm, stateOK); err != nil {
		return err
	}
	if in.StateReasonData != nil && !json.Valid([]byte(*in.StateReasonData)) {
		return refuse("InvalidFormat", "StateReasonData is not valid JSON.")
	}
	a := c.alarms[alarmKey{c.region, in.AlarmName}]
	if a == nil {
		return notFound("The alarm %s does not exist.", in.AlarmName)
	}
	c.enter(a, transition{state: in.StateValue, reason: *in.StateReason, data: in.StateReasonData, at: c.now})
	return nil
}

func notFound(format string, args ...any) error {
	return &apiError{status: 404, code: "ResourceNotFound", message: fmt.Sprintf(format, args...)}
}

type deleteAlarmsInput struct{ AlarmNames []string }

// deleteAlarms takes out the alarms that exist; the other names are passed over, as with AWS.
func deleteAlarms(c *watchCall, in deleteAlarmsInput) error {
	if in.AlarmNames == nil {
		return missing("alarmNames")
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
			return invalid("Cannot delete %s as there are composite alarm(s) depending on it: %s.", name, parent.key.name)
		}
	}
	if count[compositeAlarm] > 1 {
		return invalid("Only one composite alarm can be deleted per request: %d were given.", count[compositeAlarm])
	}
	if count[logAlarm] > 0 && len(in.AlarmNames) > 1 {
		return invalid("A log alarm must be deleted alone.")
	}
	for _, name := range in.AlarmNames {
		delete(c.alarms, alarmKey{c.region, name})
	}
	return nil
}

// parents is the composite alarms that watch an alarm, by name.
func (cw *cloudWatch) parents(child *alarm) []*alarm {
	var out []*alarm
	for _, a := range cw.alarms {
		if a.kind == compositeAlarm && a.key.region == child.key.region && slices.Contains(a.rule.children(), child.key.name) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, byName)
	return out
}
