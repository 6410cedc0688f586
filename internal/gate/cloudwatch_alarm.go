package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

const (
	maxAlarms    = 100 // names that DescribeAlarms takes in a call, and that a gate has
	maxAlarmName = 255 // characters of an alarm's name
)

var (
	errNoAlarm = errors.New("CloudWatch has no alarm of that name")
	alarmARN   = regexp.MustCompile(`^arn:aws[a-z-]*:cloudwatch:([a-z0-9-]+):[0-9]{12}:alarm:(.+)$`)
)

// CloudWatchAlarm is the arguments of the kind "cloudwatch_alarm": alarms of
// which none may be in ALARM. They may be of metrics, of metric maths, of logs, and
// composite ones; whether an alarm's actions are enabled does not matter.
//
// One in ALARM is a fail. Else one that does not exist is an error, and one that
// cannot tell is inconclusive: it is in INSUFFICIENT_DATA, CloudWatch could not
// evaluate it, or it is OK but, where a step has moved traffic, cannot have seen as
// many periods since then as it takes to go off, so that it would be OK whatever
// has come. Composite alarms and alarms of logs have no period and count as they are.
type CloudWatchAlarm struct {
	// Names are names or ARNs, 1 to 100, none twice. An ARN brings its region, and
	// must be that of the account whose credentials are used.
	Names []string
	// Region is where plain names are looked for; empty: that of the means.
	Region string
}

// Check returns everything that is wrong with the arguments.
func (c CloudWatchAlarm) Check() []*ArgumentError {
	errs := checkRegion(c.Region)
	switch {
	case len(c.Names) == 0:
		errs = append(errs, &ArgumentError{Argument: "names", Err: ErrMissing})
	case len(c.Names) > maxAlarms:
		errs = append(errs, invalid("names", "there are %d, and CloudWatch tells of %d alarms at a time", len(c.Names), maxAlarms))
	}
	for i, name := range c.Names {
		switch {
		case name == "":
			errs = append(errs, invalid("names", "one is empty"))
		case slices.Contains(c.Names[:i], name):
			errs = append(errs, invalid("names", "%q is there twice", name))
		case strings.HasPrefix(name, "arn:") && !alarmARN.MatchString(name):
			errs = append(errs, invalid("names", "%q is not the ARN of an alarm", name))
		case !strings.HasPrefix(name, "arn:") && len([]rune(name)) > maxAlarmName:
			errs = append(errs, invalid("names", "%q... is longer than %d characters", string([]rune(name)[:20]), maxAlarmName))
		}
	}
	return errs
}

// NewCloudWatchAlarm returns a gate of the kind. It returns what is wrong with the
// arguments as *ArgumentError, joined, and why there is no client for a region.
func NewCloudWatchAlarm(c CloudWatchAlarm, means Dependencies) (rollout.Gate, error) {
	if errs := c.Check(); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	if c.Region == "" {
		c.Region = means.Region
	}
	g := &alarmGate{byRegion: map[string][]alarmRef{}, clients: clients{connect: means.CloudWatch}, count: len(c.Names)}
	for _, name := range c.Names {
		region, w := c.Region, alarmRef{name: name}
		if m := alarmARN.FindStringSubmatch(name); m != nil {
			region, w = m[1], alarmRef{name: m[2], arn: name}
		}
		g.byRegion[region] = append(g.byRegion[region], w)
	}
	for region := range g.byRegion {
		if _, err := g.clients.in(region); err != nil {
			return nil, err
		}
	}
	return g, nil
}

type alarmRef struct {
	name string
	arn  string // empty: the one of that name, whatever its ARN
}

type alarmGate struct {
	byRegion map[string][]alarmRef
	clients  clients
	count    int
}

// alarm is what CloudWatch says of one.
type alarm struct {
	name, arn  string
	state      types.StateValue
	since      time.Time
	reason     string
	evaluation types.EvaluationState // empty: it is evaluated
	period     time.Duration         // 0: it has none
	periods    int                   // how many of them must be bad for it to be in ALARM
}

// Evaluate implements rollout.Gate.
func (g *alarmGate) Evaluate(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	found := g.read(ctx)
	now := time.Now()
	if v, bad := found.failure(g.count); bad {
		return v
	}
	var unsure []string
	for _, a := range found.alarms {
		if text := a.inconclusive(m, now); text != "" {
			unsure = append(unsure, text)
		}
	}
	if len(unsure) > 0 {
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: alarmsText(len(unsure), g.count, "undecided", unsure)}
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: alarmsText(g.count, g.count, "OK", nil)}
}

// Preflight implements rollout.Preflight: an alarm that is up already would go on
// to blame the new version for what it has not done. One without data does not
// keep a shift from beginning.
func (g *alarmGate) Preflight(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	found := g.read(ctx)
	if v, bad := found.failure(g.count); bad {
		if v.Status == rollout.Errored && len(found.missing) == 0 && !isPermanent(found.err) {
			v.Status, v.Err = rollout.Inconclusive, nil // to ask again may help
		}
		return v
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: alarmsText(0, g.count, "in ALARM", nil)}
}

// alarmReport is what came of asking every region.
type alarmReport struct {
	alarms     []alarm
	missing    []string
	err        error
	unreadable []string // regions that could not be asked
}

// read asks the regions side by side: one that hangs must not hide what another
// says.
func (g *alarmGate) read(ctx context.Context) alarmReport {
	regions := slices.Sorted(maps.Keys(g.byRegion))
	answers, errs := make([][]alarm, len(regions)), make([]error, len(regions))
	var asked sync.WaitGroup
	for i, region := range regions {
		asked.Go(func() { answers[i], errs[i] = g.describe(ctx, region, g.byRegion[region]) })
	}
	asked.Wait()
	var l alarmReport
	for i, region := range regions {
		wanted, all := g.byRegion[region], answers[i]
		if errs[i] != nil {
			l.err, l.unreadable = errors.Join(l.err, errs[i]), append(l.unreadable, region)
			continue
		}
		for _, w := range wanted {
			at := slices.IndexFunc(all, func(a alarm) bool { return a.name == w.name && (w.arn == "" || w.arn == a.arn) })
			if at < 0 {
				l.missing = append(l.missing, w.text(region))
				continue
			}
			l.alarms = append(l.alarms, all[at])
		}
	}
	return l
}

func (w alarmRef) text(region string) string {
	if w.arn != "" {
		return w.arn
	}
	return fmt.Sprintf("%q in %s", w.name, region)
}

// describe asks for the alarms of a region. Without AlarmTypes CloudWatch would
// keep quiet about all but those of metrics.
func (g *alarmGate) describe(ctx context.Context, region string, wanted []alarmRef) ([]alarm, error) {
	api, err := g.clients.in(region)
	if err != nil {
		return nil, err
	}
	in := &cloudwatch.DescribeAlarmsInput{
		AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm, types.AlarmTypeLogAlarm},
		MaxRecords: new(int32(maxAlarms)),
	}
	for _, w := range wanted {
		if !slices.Contains(in.AlarmNames, w.name) {
			in.AlarmNames = append(in.AlarmNames, w.name)
		}
	}
	var all []alarm
	for {
		out, err := api.DescribeAlarms(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, alarmsOf(out)...)
		if aws.ToString(out.NextToken) == "" {
			return all, nil
		}
		if aws.ToString(out.NextToken) == aws.ToString(in.NextToken) {
			return nil, errSamePage
		}
		in.NextToken = out.NextToken
	}
}

func alarmsOf(out *cloudwatch.DescribeAlarmsOutput) []alarm {
	var all []alarm
	for _, a := range out.MetricAlarms {
		all = append(all, alarm{
			name: aws.ToString(a.AlarmName), arn: aws.ToString(a.AlarmArn), state: a.StateValue,
			since: firstTime(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp), reason: aws.ToString(a.StateReason),
			evaluation: evaluationFailure(a.EvaluationState), period: periodOf(a), periods: periodsOf(a),
		})
	}
	for _, a := range out.CompositeAlarms {
		all = append(all, alarm{
			name: aws.ToString(a.AlarmName), arn: aws.ToString(a.AlarmArn), state: a.StateValue,
			since: firstTime(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp), reason: aws.ToString(a.StateReason),
		})
	}
	for _, a := range out.LogAlarms {
		all = append(all, alarm{
			name: aws.ToString(a.AlarmName), arn: aws.ToString(a.AlarmArn), state: a.StateValue,
			since: firstTime(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp), reason: aws.ToString(a.StateReason),
			evaluation: evaluationFailure(a.EvaluationState),
		})
	}
	return all
}

func firstTime(times ...*time.Time) time.Time {
	for _, t := range times {
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}

// evaluationFailure keeps the states in which an alarm is not evaluated: what it says then
// is what it said before.
func evaluationFailure(s types.EvaluationState) types.EvaluationState {
	if s == types.EvaluationStateEvaluationError || s == types.EvaluationStateEvaluationFailure {
		return s
	}
	return ""
}

// periodOf is how long an alarm gathers data for one value: its own period, the
// longest of its queries, or how often it is evaluated where it has neither.
func periodOf(a types.MetricAlarm) time.Duration {
	longest := aws.ToInt32(a.Period)
	for _, q := range a.Metrics {
		longest = max(longest, aws.ToInt32(q.Period))
		if q.MetricStat != nil {
			longest = max(longest, aws.ToInt32(q.MetricStat.Period))
		}
	}
	if longest == 0 {
		longest = aws.ToInt32(a.EvaluationInterval)
	}
	return time.Duration(longest) * time.Second
}

// periodsOf is how many bad periods it takes to be in ALARM.
func periodsOf(a types.MetricAlarm) int {
	if n := aws.ToInt32(a.DatapointsToAlarm); n > 0 {
		return int(n)
	}
	return max(1, int(aws.ToInt32(a.EvaluationPeriods)))
}

// failure is the verdict where an alarm is up, is not there or could not be asked for;
// what weighs less is told beside what weighs most.
func (l alarmReport) failure(count int) (rollout.Verdict, bool) {
	var up, told []string
	for _, a := range l.alarms {
		if a.state == types.StateValueAlarm {
			up = append(up, a.text())
		}
	}
	if len(up) > 0 {
		told = append(told, alarmsText(len(up), count, "in ALARM", up))
	}
	if len(l.missing) > 0 {
		told = append(told, alarmsText(len(l.missing), count, "not there", l.missing))
	}
	if l.err != nil {
		told = append(told, fmt.Sprintf("the alarms in %s could not be read", strings.Join(l.unreadable, " and ")))
	}
	saw := strings.Join(told, "; ")
	switch {
	case len(up) > 0:
		return rollout.Verdict{Status: rollout.Fail, Detail: saw}, true
	case l.err != nil:
		return rollout.Verdict{Status: rollout.Errored, Detail: saw, Err: l.err}, true
	case len(l.missing) > 0:
		return rollout.Verdict{Status: rollout.Errored, Detail: saw, Err: errNoAlarm}, true
	}
	return rollout.Verdict{}, false
}

// inconclusive says why an alarm cannot tell yet; empty where it can.
func (a alarm) inconclusive(m rollout.GateInput, now time.Time) string {
	since := now.Sub(m.ChangedAt)
	switch {
	case a.state != types.StateValueOk:
		return a.text()
	case a.evaluation != "":
		return fmt.Sprintf("%s, but CloudWatch cannot evaluate it (%s)", a.text(), a.evaluation)
	case m.Step > 0 && a.period > 0 && a.completePeriods(m.ChangedAt, now) < a.periods:
		return fmt.Sprintf("%q is OK, but could not have gone off yet: that takes %d x %s, and it can have seen %d since the change %s ago",
			a.name, a.periods, shift.FormatDuration(a.period), a.completePeriods(m.ChangedAt, now), shift.FormatDuration(since.Truncate(time.Second)))
	}
	return ""
}

// completePeriods is how many whole periods from after a change an alarm can have looked at.
func (a alarm) completePeriods(changed, now time.Time) int {
	late := min(a.period, DefaultLag) // what comes more often is sooner there
	return int(completePeriods(changed, now, a.period, late).length() / a.period)
}

// text is an alarm's state as CloudWatch gives the reason for it.
func (a alarm) text() string {
	text := fmt.Sprintf("%q is %s", a.name, a.state)
	if !a.since.IsZero() {
		text += " since " + a.since.UTC().Format(time.RFC3339)
	}
	if reason := shortReason(a.reason); reason != "" {
		text += ": " + reason
	}
	return text
}

// alarmsText is "2 of 3 alarms in ALARM: ...".
func alarmsText(n, count int, what string, each []string) string {
	text := fmt.Sprintf("%d of %d alarms %s", n, count, what)
	if len(each) > 0 {
		text += ": " + strings.Join(each, "; ")
	}
	return text
}

// shortReason is one line of at most 200 characters.
func shortReason(text string) string {
	line := oneLine(text)
	if len(line) <= maxShownBytes {
		return line
	}
	return strings.ToValidUTF8(line[:maxShownBytes-len("...")], "") + "..."
}
