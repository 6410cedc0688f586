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

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

const (
	maxAlarms    = 100 // limit of DescribeAlarms for one call, and of a gate
	maxAlarmName = 255 // characters
)

// onInsufficientData is the argument with that name.
const onInsufficientData = "on_insufficient_data"

var (
	errNoAlarm = errors.New("CloudWatch has no alarm with that name")
	alarmARN   = regexp.MustCompile(`^arn:aws[a-z-]*:cloudwatch:([a-z0-9-]+):[0-9]{12}:alarm:(.+)$`)
)

// CloudWatchAlarm is the arguments of the kind "cloudwatch_alarm": alarms of which
// none may be in ALARM. Metric, metric math, log and composite alarms are supported;
// whether their actions are enabled does not matter.
//
// One alarm in ALARM fails the gate. Otherwise an alarm that does not exist is an
// error. An alarm is inconclusive if CloudWatch could not evaluate it, or if fewer
// periods have passed since a step moved traffic than it takes to enter ALARM. After
// that, OK passes and INSUFFICIENT_DATA counts by OnInsufficientData. Composite and log
// alarms have no period, so their state counts as it is.
type CloudWatchAlarm struct {
	// Names are names or ARNs, 1 to 100 without duplicates. An ARN includes its region
	// and must belong to the account of the credentials.
	Names []string
	// Region is the region of plain names; empty: that of Dependencies.
	Region string
	// OnInsufficientData is what INSUFFICIENT_DATA counts as.
	OnInsufficientData OnNoData
}

// Check returns everything that is wrong with the arguments.
func (c CloudWatchAlarm) Check() []*ArgumentError {
	errs := append(checkRegion(c.Region), c.OnInsufficientData.check(onInsufficientData)...)
	switch {
	case len(c.Names) == 0:
		errs = append(errs, &ArgumentError{Argument: "names", Err: ErrMissing})
	case len(c.Names) > maxAlarms:
		errs = append(errs, invalid("names", "there are %d names, the maximum is %d", len(c.Names), maxAlarms))
	}
	for i, name := range c.Names {
		switch {
		case name == "":
			errs = append(errs, invalid("names", "a name is empty"))
		case slices.Contains(c.Names[:i], name):
			errs = append(errs, invalid("names", "%q is listed twice", name))
		case strings.HasPrefix(name, "arn:") && !alarmARN.MatchString(name):
			errs = append(errs, invalid("names", "%q is not the ARN of an alarm", name))
		case !strings.HasPrefix(name, "arn:") && len([]rune(name)) > maxAlarmName:
			errs = append(errs, invalid("names", "%q... has more than %d characters", string([]rune(name)[:20]), maxAlarmName))
		}
	}
	return errs
}

// NeedsRegion reports whether an alarm is given by name, which does not include the region.
func (c CloudWatchAlarm) NeedsRegion() bool {
	return slices.ContainsFunc(c.Names, func(name string) bool { return name != "" && !alarmARN.MatchString(name) })
}

// NewCloudWatchAlarm returns a CloudWatch alarm gate. Wrong arguments are returned as
// joined *ArgumentError. It also fails if there is no client for a region.
func NewCloudWatchAlarm(c CloudWatchAlarm, deps Dependencies) (rollout.Gate, error) {
	if errs := c.Check(); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	if c.Region == "" {
		c.Region = deps.Region
	}
	g := &alarmGate{byRegion: map[string][]alarmRef{}, clients: clients{connect: deps.CloudWatch}, count: len(c.Names), onInsufficient: c.OnInsufficientData}
	for _, name := range c.Names {
		region, ref := c.Region, alarmRef{name: name}
		if m := alarmARN.FindStringSubmatch(name); m != nil {
			region, ref = m[1], alarmRef{name: m[2], arn: name}
		}
		g.byRegion[region] = append(g.byRegion[region], ref)
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
	arn  string // empty: any alarm with that name
}

type alarmGate struct {
	byRegion map[string][]alarmRef
	clients  clients
	count    int

	onInsufficient OnNoData
}

// alarm is the state of an alarm in CloudWatch.
type alarm struct {
	name, arn  string
	state      types.StateValue
	since      time.Time
	reason     string
	evaluation types.EvaluationState // empty if CloudWatch evaluates the alarm
	period     time.Duration         // 0 if it has none
	periods    int                   // number of breaching periods that it takes to enter ALARM
	keepsLack  bool                  // a metric alarm whose treat_missing_data is not set, so that missing data makes it INSUFFICIENT_DATA
}

// Evaluate implements rollout.Gate.
func (g *alarmGate) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	report := g.read(ctx)
	now := time.Now()
	if v, failed := report.failure(g.count); failed {
		return v
	}
	var inconclusive, without []string
	standing := true
	for _, a := range report.alarms {
		text := a.inconclusive(in, now)
		lacksData := a.state == types.StateValueInsufficientData && a.evaluation == ""
		switch {
		case text != "":
			inconclusive, standing = append(inconclusive, text), false
		case lacksData:
			without = append(without, a.text())
			standing = standing && !a.since.IsZero() && a.since.Before(in.ChangedAt)
		}
	}
	if len(inconclusive) > 0 {
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: alarmsText(len(inconclusive), g.count, "inconclusive", inconclusive)}
	}
	if len(without) > 0 {
		detail := alarmsText(len(without), g.count, "without data", without)
		if g.onInsufficient == "" {
			detail += "; if that is normal, set treat_missing_data on the alarm or " + onInsufficientData + " on the gate"
		}
		v := g.onInsufficient.verdict(onInsufficientData, detail)
		v.Standing = standing && v.Status == rollout.Inconclusive
		return v
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: alarmsText(g.count, g.count, "OK", nil)}
}

// Preflight implements rollout.Preflight. An alarm that is already in ALARM would
// later be blamed on the new version, so it blocks the shift. An alarm without data
// does not, but where that may last it is advice.
func (g *alarmGate) Preflight(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	report := g.read(ctx)
	if v, failed := report.failure(g.count); failed {
		if v.Status == rollout.Errored && len(report.missing) == 0 && !isPermanent(report.err) {
			v.Status, v.Err = rollout.Inconclusive, nil // a retry may succeed
		}
		return v
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: alarmsText(0, g.count, "in ALARM", nil), Advice: g.advice(report.alarms)}
}

// advice names the alarms whose lack of data may last; empty: there is none, or the
// configuration says what it counts as.
func (g *alarmGate) advice(alarms []alarm) string {
	var names []string
	for _, a := range alarms {
		if a.state == types.StateValueInsufficientData && a.keepsLack && g.onInsufficient == "" {
			names = append(names, fmt.Sprintf("%q", a.name))
		}
	}
	if names == nil {
		return ""
	}
	return fmt.Sprintf("INSUFFICIENT_DATA before the shift, and treat_missing_data of the alarm is not set: %s. "+
		"If missing data is normal, set treat_missing_data = \"notBreaching\" on the alarm or on_insufficient_data = \"pass\" on the gate", strings.Join(names, ", "))
}

// alarmReport is the result of reading the alarms of every region.
type alarmReport struct {
	alarms     []alarm
	missing    []string
	err        error
	unreadable []string // regions that could not be read
}

// read reads the regions concurrently, so that a region that hangs does not hide the
// alarms of another.
func (g *alarmGate) read(ctx context.Context) alarmReport {
	regions := slices.Sorted(maps.Keys(g.byRegion))
	results, errs := make([][]alarm, len(regions)), make([]error, len(regions))
	var calls sync.WaitGroup
	for i, region := range regions {
		calls.Go(func() { results[i], errs[i] = g.describe(ctx, region, g.byRegion[region]) })
	}
	calls.Wait()
	var r alarmReport
	for i, region := range regions {
		refs, all := g.byRegion[region], results[i]
		if errs[i] != nil {
			r.err, r.unreadable = errors.Join(r.err, errs[i]), append(r.unreadable, region)
			continue
		}
		for _, ref := range refs {
			at := slices.IndexFunc(all, func(a alarm) bool { return a.name == ref.name && (ref.arn == "" || ref.arn == a.arn) })
			if at < 0 {
				r.missing = append(r.missing, ref.text(region))
				continue
			}
			r.alarms = append(r.alarms, all[at])
		}
	}
	return r
}

func (ref alarmRef) text(region string) string {
	if ref.arn != "" {
		return ref.arn
	}
	return fmt.Sprintf("%q in %s", ref.name, region)
}

// failure returns the verdict if an alarm is in ALARM, is missing or could not be
// read. The worst problem decides the status; the text reports all of them.
func (r alarmReport) failure(count int) (rollout.Verdict, bool) {
	var inAlarm, problems []string
	for _, a := range r.alarms {
		if a.state == types.StateValueAlarm {
			inAlarm = append(inAlarm, a.text())
		}
	}
	if len(inAlarm) > 0 {
		problems = append(problems, alarmsText(len(inAlarm), count, "in ALARM", inAlarm))
	}
	if len(r.missing) > 0 {
		problems = append(problems, alarmsText(len(r.missing), count, "not found", r.missing))
	}
	if r.err != nil {
		problems = append(problems, fmt.Sprintf("the alarms in %s could not be read", strings.Join(r.unreadable, " and ")))
	}
	text := strings.Join(problems, "; ")
	switch {
	case len(inAlarm) > 0:
		return rollout.Verdict{Status: rollout.Fail, Detail: text}, true
	case r.err != nil:
		return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: r.err}, true
	case len(r.missing) > 0:
		return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: errNoAlarm}, true
	}
	return rollout.Verdict{}, false
}

// inconclusive returns why an alarm is inconclusive; empty if it is not.
func (a alarm) inconclusive(in rollout.GateInput, now time.Time) string {
	since, begin := now.Sub(in.Since()), "the weight change"
	if in.Since().After(in.ChangedAt) {
		begin = "the end of initial_delay"
	}
	switch {
	case a.state != types.StateValueOk && a.state != types.StateValueInsufficientData:
		return a.text()
	case a.evaluation != "":
		return fmt.Sprintf("%s, but CloudWatch cannot evaluate it (%s)", a.text(), a.evaluation)
	case in.Step > 0 && a.period > 0 && a.completePeriods(in.Since(), now) < a.periods:
		return fmt.Sprintf("%q is %s, but cannot have reached ALARM yet: %d of %d required periods of %s ended since %s %s ago",
			a.name, a.state, a.completePeriods(in.Since(), now), a.periods, schedule.FormatDuration(a.period), begin, schedule.FormatDuration(since.Truncate(time.Second)))
	}
	return ""
}

// completePeriods returns the number of whole periods after a change that an alarm
// can have evaluated.
func (a alarm) completePeriods(changed, now time.Time) int {
	lag := min(a.period, DefaultLag) // metrics with a short period arrive sooner
	return int(completePeriods(changed, now, a.period, lag).length() / a.period)
}

// text describes the state of an alarm with the reason that CloudWatch gives.
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

// alarmsText returns "2 of 3 alarms in ALARM: ...".
func alarmsText(n, count int, state string, each []string) string {
	text := fmt.Sprintf("%d of %d alarms %s", n, count, state)
	if len(each) > 0 {
		text += ": " + strings.Join(each, "; ")
	}
	return text
}

// shortReason returns one line of at most maxShownBytes bytes.
func shortReason(text string) string {
	line := oneLine(text)
	if len(line) <= maxShownBytes {
		return line
	}
	return strings.ToValidUTF8(line[:maxShownBytes-len("...")], "") + "..."
}
