package localalb

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// What an alarm can make of missing data.
const (
	treatMissing      = "missing"
	treatIgnore       = "ignore"
	treatBreaching    = "breaching"
	treatNotBreaching = "notBreaching"
)

// madeUp is how many overdue evaluations of an alarm are made up for. Older ones are left out, so that a day
// without calls does not end in a long wait.
const madeUp = 1000

// catchUp makes every evaluation that was due, in the order of their times and each as at its time.
func (cw *cloudWatch) catchUp(now time.Time) {
	cloned := false
	for {
		next := cw.overdue(now)
		if next == nil {
			return
		}
		if !cloned {
			cw.alarms, cloned = maps.Clone(cw.alarms), true
		}
		at, pace := next.due, cw.pace(next)
		if most := madeUp * pace; now.Sub(at) > most {
			at = at.Add((now.Sub(at) - most).Truncate(pace))
		}
		waiting := *next
		waiting.due = at.Add(pace)
		cw.alarms[next.key] = &waiting
		cw.evaluate(&waiting, at)
	}
}

// overdue is the alarm that has been due for longest, nil where none is.
func (cw *cloudWatch) overdue(now time.Time) *alarm {
	var first *alarm
	for _, a := range cw.alarms {
		if a.kind != metricAlarm || a.due.After(now) {
			continue
		}
		if first == nil || a.due.Before(first.due) || (a.due.Equal(first.due) && a.key.name < first.key.name) {
			first = a
		}
	}
	return first
}

// datapoint is a value that an alarm judges.
type datapoint struct {
	value float64
	at    int64
	age   int // in periods; 1 for the newest that can be there
}

// judgement is an evaluation under way.
type judgement struct {
	*metricAlarmSettings
	needed   int // datapoints that must breach
	recent   []datapoint
	breaches []datapoint
	others   []datapoint
	was      string
}

// evaluate reads the newest datapoints and gives the alarm the state that follows.
func (cw *cloudWatch) evaluate(a *alarm, at time.Time) {
	found, err := cw.recentDatapoints(a, at)
	if err != nil {
		return // was computed when the alarm was made: the queries are sound
	}
	j := newJudgement(a, found)
	state := j.state()
	reason := j.reason(state)
	if state == a.status.StateValue && (state != stateInsufficient || reason == a.status.StateReason) {
		return
	}
	cw.enter(a, transition{state: state, reason: reason, data: j.data(at), at: at})
}

// recentDatapoints is the datapoints of the evaluation range, newest first. The range is longer than the
// evaluation periods, since some datapoints may be missing or late.
func (cw *cloudWatch) recentDatapoints(a *alarm, at time.Time) ([]datapoint, error) {
	m := a.metric
	period := int64(m.period())
	end := at.Unix() / period * period
	late := int64(cw.clock.late / time.Second)
	span := int64(*m.EvaluationPeriods) + 1 + max((late+period-1)/period, 1)
	queries, id := m.queries()
	computed, err := cw.compute(queries, timeframe{region: a.key.region, from: end - span*period, to: end, at: at})
	if err != nil {
		return nil, err
	}
	var out []datapoint
	for age := int64(1); age <= span; age++ {
		start := end - age*period
		if v, ok := computed[id][start]; ok {
			out = append(out, datapoint{value: v, at: start, age: int(age)})
		}
	}
	return out, nil
}

func newJudgement(a *alarm, found []datapoint) *judgement {
	j := &judgement{metricAlarmSettings: a.metric, was: a.status.StateValue}
	j.needed = *j.EvaluationPeriods
	if j.DatapointsToAlarm != nil {
		j.needed = *j.DatapointsToAlarm
	}
	j.recent = found[:min(len(found), *j.EvaluationPeriods)]
	for _, d := range j.recent {
		if comparisons()[j.ComparisonOperator].breaches(d.value, *j.Threshold) {
			j.breaches = append(j.breaches, d)
		} else {
			j.others = append(j.others, d)
		}
	}
	return j
}

func (j *judgement) treat() string {
	if j.TreatMissingData == nil {
		return treatMissing
	}
	return *j.TreatMissingData
}

// filled is how many datapoints are missing.
func (j *judgement) filled() int { return *j.EvaluationPeriods - len(j.recent) }

// state follows the tables in CloudWatch's guide on missing data. An alarm whose only datapoints breach but are
// too few and too young keeps its state.
func (j *judgement) state() string {
	breaching := len(j.breaches)
	if j.treat() == treatBreaching {
		breaching += j.filled()
	}
	switch {
	case breaching >= j.needed:
		return stateAlarm
	case j.filled() == 0 || len(j.others) > 0 || j.treat() == treatBreaching || j.treat() == treatNotBreaching:
		return stateOK
	case j.treat() == treatIgnore:
		return j.was
	case len(j.breaches) == 0:
		return stateInsufficient
	case j.breaches[len(j.breaches)-1].age >= j.needed:
		return stateAlarm // the oldest datapoint breaches and nothing better came after it
	}
	return j.was
}

// reason words the judgement as CloudWatch does.
func (j *judgement) reason(state string) string {
	if state == stateInsufficient {
		return "Insufficient Data: " + amount(j.filled(), "datapoint") + " " + was(j.filled()) + " unknown."
	}
	treated := ""
	if n := j.filled(); n > 0 && (j.treat() == treatBreaching || j.treat() == treatNotBreaching) {
		kind := map[string]string{treatBreaching: "[Breaching]", treatNotBreaching: "[NonBreaching]"}[j.treat()]
		treated = fmt.Sprintf(" and %s %s treated as %s", amount(n, "missing datapoint"), was(n), kind)
	}
	if len(j.recent) == 0 {
		return fmt.Sprintf("Threshold Crossed: no datapoints were received for %s%s.", amount(*j.EvaluationPeriods, "period"), treated)
	}
	told, not := j.breaches, ""
	if state == stateOK {
		told, not = j.others, "not "
	}
	if len(told) == 0 {
		return "Threshold Crossed:" + strings.TrimPrefix(treated, " and") + "."
	}
	verdict := fmt.Sprintf("%s %s %s%s the threshold (%s)%s", listed(told), was(len(told)), not, comparisons()[j.ComparisonOperator].text, decimal(*j.Threshold), treated)
	if j.DatapointsToAlarm == nil {
		return fmt.Sprintf("Threshold Crossed: %s %s.", amount(len(told), "datapoint"), verdict)
	}
	change := map[string]string{stateAlarm: "OK -> ALARM", stateOK: "ALARM -> OK"}[state]
	return fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints %s (minimum %s for %s transition).",
		len(told), *j.EvaluationPeriods, verdict, amount(j.least(state), "datapoint"), change)
}

// least is how many datapoints decide for a state.
func (j *judgement) least(state string) int {
	if state == stateAlarm {
		return j.needed
	}
	return *j.EvaluationPeriods - j.needed + 1
}

// amount is "1 datapoint" or "3 datapoints".
func amount(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// listed is the datapoints with their times, newest first.
func listed(found []datapoint) string {
	parts := mapTo(found, func(d datapoint) string {
		return decimal(d.value) + " (" + time.Unix(d.at, 0).UTC().Format("02/01/06 15:04:05") + ")"
	})
	return "[" + strings.Join(parts, ", ") + "]"
}

// decimal writes a number with a fraction, as CloudWatch does.
func decimal(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// reasonTime is how CloudWatch writes times in reasons for machines.
const reasonTime = "2006-01-02T15:04:05.000-0700"

// data is the judgement for machines.
func (j *judgement) data(at time.Time) *string {
	document := struct {
		Version          string    `json:"version"`
		QueryDate        string    `json:"queryDate"`
		StartDate        string    `json:"startDate,omitempty"`
		Statistic        string    `json:"statistic,omitempty"`
		Period           int       `json:"period"`
		RecentDatapoints []float64 `json:"recentDatapoints"`
		Threshold        float64   `json:"threshold"`
	}{Version: "1.0", QueryDate: at.UTC().Format(reasonTime), Statistic: j.stat(), Period: j.period(), RecentDatapoints: []float64{}, Threshold: *j.Threshold}
	for i := len(j.recent) - 1; i >= 0; i-- {
		document.RecentDatapoints = append(document.RecentDatapoints, j.recent[i].value)
	}
	if n := len(j.recent); n > 0 {
		document.StartDate = time.Unix(j.recent[n-1].at, 0).UTC().Format(reasonTime)
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil // numbers that JSON cannot hold are never stored
	}
	return new(string(text))
}
