package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// outcomeTexts are the outcomes in plain words.
var outcomeTexts = map[string]string{
	"completed":       "Completed",
	"rolled_back":     "Rolled back",
	"interrupted":     "Interrupted",
	"stopped":         "Stopped",
	"external_change": "External change",
	"failed":          "Failed",
}

// outcomeDetails say what the outcomes mean.
var outcomeDetails = map[string]string{
	"completed":       "The desired weights are reached.",
	"rolled_back":     "The shift failed, and the traffic was returned to where the shift started.",
	"interrupted":     "The shift was interrupted.",
	"stopped":         "The shift failed, and the traffic was left where it was.",
	"external_change": "The weights were changed outside this switch.",
	"failed":          "The shift failed.",
}

func outcomeText(outcome string) string {
	if text := outcomeTexts[outcome]; text != "" {
		return text
	}
	return capitalized(strings.ReplaceAll(outcome, "_", " "))
}

// noEnd is the state of a shift that is running, or whose process died.
const noEnd = "No end recorded"

// Title names the shift, such as "Shift of web: rolled back".
func (s *Story) Title() string {
	if s.Ended {
		return s.titled(outcomeText(s.Result.Outcome))
	}
	return s.titled(noEnd)
}

func (s *Story) titled(state string) string {
	what := "Shift"
	if len(s.Shift.Entries) > 0 {
		what += " of " + schedule.And(s.Shift.Entries)
	}
	return what + ": " + lowered(state)
}

// Traffic says where the traffic is, as far as it was read.
func (s *Story) Traffic() string {
	if s.Ended && len(s.Result.Routes) > 0 {
		return routesText(s.Result.Routes)
	}
	return s.Weights().String()
}

// routesText is one text where all routes agree, else one for each.
func routesText(routes []RouteResult) string {
	var texts []string
	for _, r := range routes {
		texts = append(texts, r.text())
	}
	if same := slices.Compact(slices.Clone(texts)); len(same) == 1 {
		return same[0]
	}
	for i, r := range routes {
		texts[i] = r.ID + ": " + texts[i]
	}
	return strings.Join(texts, "; ")
}

func (r RouteResult) text() string {
	text := r.Weights.String()
	switch {
	case r.Gone:
		return "does not exist"
	case r.Response != "":
		text = r.Response
	case r.Weights == nil:
		return "unknown"
	}
	if r.Unread {
		text += " when last read"
	}
	return text
}

// String lists the weights, such as "blue 95 %, green 5 %".
func (p Percentages) String() string {
	if p == nil {
		return "unknown"
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if p[name] > 0 {
			texts = append(texts, name+" "+percentText(p[name]))
		}
	}
	if texts == nil {
		return "no traffic"
	}
	return strings.Join(texts, ", ")
}

func percentText(p float64) string { return numberText(tenths(p)) + " %" }

func tenths(v float64) float64 { return math.Round(v*10) / 10 }

// numberText formats a number with four digits.
func numberText(v float64) string {
	if v != 0 && (math.Abs(v) < 1e-4 || math.Abs(v) >= 1e9) {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if math.Abs(v) >= 1000 {
		short = math.Round(v)
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// valueText is a value with its unit. Less than a second is in milliseconds.
func valueText(v float64, unit string) string {
	if unit == "s" && v != 0 && math.Abs(v) < 1 {
		v, unit = v*1000, "ms"
	}
	if unit == "" {
		return numberText(v)
	}
	return numberText(v) + " " + unit
}

// limitsText describes limits, such as "at most 1 %"; empty: there are none.
func (m Measurement) limitsText() string {
	switch {
	case m.Min == nil && m.Max == nil:
		return ""
	case m.Min == nil:
		return "at most " + valueText(*m.Max, m.Unit)
	case m.Max == nil:
		return "at least " + valueText(*m.Min, m.Unit)
	default:
		return valueText(*m.Min, m.Unit) + " to " + valueText(*m.Max, m.Unit)
	}
}

// title names a measurement, such as "error rate of web".
func (m Measurement) title() string {
	if m.Entry == "" {
		return m.Name
	}
	return m.Name + " of " + m.Entry
}

// text is a measurement in one line, such as "error rate of web 0.4 % (at most 1 %, 520 samples)".
func (m Measurement) text() string {
	text := m.title() + " "
	if m.Value == nil {
		text += "not a finite number"
	} else {
		text += valueText(*m.Value, m.Unit)
	}
	var more []string
	if limits := m.limitsText(); limits != "" {
		more = append(more, limits)
	}
	if m.Samples > 0 {
		more = append(more, countText(m.Samples, "sample"))
	}
	if m.From != nil && m.To != nil {
		more = append(more, schedule.FormatDuration(m.To.Sub(*m.From)))
	}
	if more == nil {
		return text
	}
	return text + " (" + strings.Join(more, ", ") + ")"
}

func measuredText(all []Measurement) string {
	var texts []string
	for _, m := range all {
		texts = append(texts, m.text())
	}
	return strings.Join(texts, "; ")
}

// statusTexts are the verdicts in words.
var statusTexts = map[string]string{
	string(rollout.Pass):         "passed",
	string(rollout.Fail):         "failed",
	string(rollout.Inconclusive): "inconclusive",
	string(rollout.Errored):      "error",
}

func statusText(status string) string {
	if text := statusTexts[status]; text != "" {
		return text
	}
	return status
}

// countsText counts verdicts, the worst first, such as "1 failed, 12 passed".
func countsText(count map[string]int) string {
	statuses := slices.Sorted(maps.Keys(count))
	slices.SortStableFunc(statuses, func(a, b string) int { return badness(b) - badness(a) })
	var texts []string
	for _, status := range statuses {
		texts = append(texts, fmt.Sprintf("%d %s", count[status], statusText(status)))
	}
	return strings.Join(texts, ", ")
}

func countText(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// kindText is the kind of a shift in words.
func kindText(kind string) string {
	if kind == "" {
		return "not decided"
	}
	return strings.ReplaceAll(kind, "_", " ")
}

// elapsed is the time since the start, such as "+12m 30s".
func (s *Story) elapsed(at time.Time) string {
	return "+" + durationText(at.Sub(s.Started))
}

// durationText formats a duration; below a minute with tenths of seconds.
func durationText(d time.Duration) string {
	if d < time.Minute {
		return schedule.FormatDuration(d.Round(100 * time.Millisecond))
	}
	return schedule.FormatDuration(d.Round(time.Second))
}

func secondsText(s float64) string {
	if s == 0 {
		return ""
	}
	d := time.Duration(s * float64(time.Second))
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return durationText(d)
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// shortened returns the beginning of a text.
func shortened(text string) string {
	if utf8.RuneCountInString(text) <= maxText {
		return text
	}
	return string([]rune(text)[:maxText]) + "…"
}

func capitalized(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	return strings.ToUpper(string(first)) + text[size:]
}

func lowered(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	return strings.ToLower(string(first)) + text[size:]
}
