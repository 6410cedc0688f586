package cloudwatch

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// The values of TreatMissingData.
const (
	treatMissing      = "missing"
	treatIgnore       = "ignore"
	treatBreaching    = "breaching"
	treatNotBreaching = "notBreaching"
)

// maxOverdueEvaluations limits the overdue evaluations of an alarm. Older ones are skipped, which keeps a call
// after an idle day fast.
const maxOverdueEvaluations = 1000

// evaluateDue runs all evaluations that are due, in the order of their due times.
func (cw *Service) evaluateDue(now time.Time) {
	cloned := false
	for {
		next := cw.nextDue(now)
		if next == nil {
			return
		}
		if !cloned {
			cw.alarms, cloned = maps.Clone(cw.alarms), true
		}
		at, interval := next.due, cw.evaluationInterval(next)
		if most := maxOverdueEvaluations * interval; now.Sub(at) > most {
			at = at.Add((now.Sub(at) - most).Truncate(interval))
		}
		scheduled := *next
		scheduled.due = at.Add(interval)
		cw.alarms[next.key] = &scheduled
		cw.evaluate(&scheduled, at)
	}
}

// nextDue returns the alarm with the earliest due time, nil if none is due.
func (cw *Service) nextDue(now time.Time) *alarm {
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

// datapoint is a value that an alarm evaluates.
type datapoint struct {
	value float64
	at    int64
	age   int // in periods; 1 is the latest complete period
}

// evaluation evaluates a metric alarm at one time.
type evaluation struct {
	*metricAlarmSettings
	needed   int // datapoints that must breach
	recent   []datapoint
	breaches []datapoint
	others   []datapoint
	previous string
}

// evaluate reads the latest data points and sets the resulting state.
func (cw *Service) evaluate(a *alarm, at time.Time) {
	datapoints, err := cw.recentDatapoints(a, at)
	if err != nil {
		return // cannot happen: putMetricAlarm has computed the same queries
	}
	j := newEvaluation(a, datapoints)
	state := j.state()
	reason := j.reason(state)
	if state == a.status.StateValue && (state != stateInsufficient || reason == a.status.StateReason) {
		return
	}
	cw.setState(a, transition{state: state, reason: reason, data: j.data(at), at: at})
}

// recentDatapoints returns the data points of the evaluation range, newest first. The range is longer than the
// evaluation periods because data points may be missing or late.
func (cw *Service) recentDatapoints(a *alarm, at time.Time) ([]datapoint, error) {
	m := a.metric
	period := int64(m.period())
	end := at.Unix() / period * period
	delay := int64(cw.clock.delay / time.Second)
	span := int64(*m.EvaluationPeriods) + 1 + max((delay+period-1)/period, 1)
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

func newEvaluation(a *alarm, datapoints []datapoint) *evaluation {
	j := &evaluation{metricAlarmSettings: a.metric, previous: a.status.StateValue}
	j.needed = *j.EvaluationPeriods
	if j.DatapointsToAlarm != nil {
		j.needed = *j.DatapointsToAlarm
	}
	j.recent = datapoints[:min(len(datapoints), *j.EvaluationPeriods)]
	for _, d := range j.recent {
		if comparisons()[j.ComparisonOperator].breaches(d.value, *j.Threshold) {
			j.breaches = append(j.breaches, d)
		} else {
			j.others = append(j.others, d)
		}
	}
	return j
}

func (j *evaluation) treatment() string {
	if j.TreatMissingData == nil {
		return treatMissing
	}
	return *j.TreatMissingData
}

// missingCount returns the number of missing data points.
func (j *evaluation) missingCount() int { return *j.EvaluationPeriods - len(j.recent) }

// state follows the tables on missing data in the CloudWatch guide. An alarm keeps its state if all its data
// points breach but are too few and too recent.
func (j *evaluation) state() string {
	breaching := len(j.breaches)
	if j.treatment() == treatBreaching {
		breaching += j.missingCount()
	}
	switch {
	case breaching >= j.needed:
		return stateAlarm
	case j.missingCount() == 0 || len(j.others) > 0 || j.treatment() == treatBreaching || j.treatment() == treatNotBreaching:
		return stateOK
	case j.treatment() == treatIgnore:
		return j.previous
	case len(j.breaches) == 0:
		return stateInsufficient
	case j.breaches[len(j.breaches)-1].age >= j.needed:
		return stateAlarm // the oldest data point breaches and no later one is within the threshold
	}
	return j.previous
}

// reason describes the evaluation in the form of CloudWatch.
func (j *evaluation) reason(state string) string {
	if state == stateInsufficient {
		return "Insufficient Data: " + plural(j.missingCount(), "datapoint") + " " + wasOrWere(j.missingCount()) + " unknown."
	}
	treated := ""
	if n := j.missingCount(); n > 0 && (j.treatment() == treatBreaching || j.treatment() == treatNotBreaching) {
		kind := map[string]string{treatBreaching: "[Breaching]", treatNotBreaching: "[NonBreaching]"}[j.treatment()]
		treated = fmt.Sprintf(" and %s %s treated as %s", plural(n, "missing datapoint"), wasOrWere(n), kind)
	}
	if len(j.recent) == 0 {
		return fmt.Sprintf("Threshold Crossed: no datapoints were received for %s%s.", plural(*j.EvaluationPeriods, "period"), treated)
	}
	cited, negation := j.breaches, ""
	if state == stateOK {
		cited, negation = j.others, "not "
	}
	if len(cited) == 0 {
		return "Threshold Crossed:" + strings.TrimPrefix(treated, " and") + "."
	}
	text := fmt.Sprintf("%s %s %s%s the threshold (%s)%s", formatDatapoints(cited), wasOrWere(len(cited)), negation, comparisons()[j.ComparisonOperator].text, decimal(*j.Threshold), treated)
	if j.DatapointsToAlarm == nil {
		return fmt.Sprintf("Threshold Crossed: %s %s.", plural(len(cited), "datapoint"), text)
	}
	change := map[string]string{stateAlarm: "OK -> ALARM", stateOK: "ALARM -> OK"}[state]
	return fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints %s (minimum %s for %s transition).",
		len(cited), *j.EvaluationPeriods, text, plural(j.minToDecide(state), "datapoint"), change)
}

// minToDecide returns the minimum number of data points that decide for a state.
func (j *evaluation) minToDecide(state string) int {
	if state == stateAlarm {
		return j.needed
	}
	return *j.EvaluationPeriods - j.needed + 1
}

// plural formats "1 datapoint" or "3 datapoints".
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

func wasOrWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// formatDatapoints formats data points with their times, newest first.
func formatDatapoints(datapoints []datapoint) string {
	var parts []string
	for _, d := range datapoints {
		parts = append(parts, decimal(d.value)+" ("+time.Unix(d.at, 0).UTC().Format("02/01/06 15:04:05")+")")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// decimal formats a number with at least one decimal, as CloudWatch does.
func decimal(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// reasonTime is the time format in StateReasonData.
const reasonTime = "2006-01-02T15:04:05.000-0700"

// data returns the evaluation in the form of StateReasonData.
func (j *evaluation) data(at time.Time) *string {
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
		return nil // cannot happen: NaN and infinity are never stored
	}
	return new(string(text))
}
