package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/datadog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// Preflight implements rollout.Preflight. It checks that Datadog accepts the keys and the query;
// the result before the shift does not matter. A rate limit and an error of the service, which may
// be over by the time of the first evaluation, do not block the shift.
func (g *datadogGate) Preflight(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	to := time.Now().Add(-g.Lag).Truncate(time.Second)
	_, failed := g.read(ctx, metricSpan{to.Add(-g.Lookback), to})
	switch {
	case failed == nil:
		return rollout.Verdict{Status: rollout.Pass, Detail: "the query can be evaluated"}
	case failed.isTemporary:
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: g.about(failed.verdict.Detail)}
	}
	failed.verdict.Detail = g.about(failed.verdict.Detail)
	return failed.verdict
}

// Evaluate implements rollout.Gate.
func (g *datadogGate) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	now := time.Now()
	s := g.window(in, now)
	if s.length() < g.shortest() {
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: g.about(g.waitText(in, now))}
	}
	all, failed := g.read(ctx, s)
	if failed != nil {
		failed.verdict.Detail = g.about(failed.verdict.Detail)
		return failed.verdict
	}
	v := g.compare(all, s)
	v.Detail = g.about(v.Detail)
	return v
}

// waitText says how long it takes until the first window that counts.
func (g *datadogGate) waitText(in rollout.GateInput, now time.Time) string {
	begin := "the last change"
	if in.Since().After(in.ChangedAt) {
		begin = "initial_delay"
	}
	left := (in.Since().Add(g.FirstData()).Sub(now) + time.Second).Truncate(time.Second)
	return fmt.Sprintf("the first %s after %s is complete in %s", schedule.FormatDuration(g.shortest()), begin, schedule.FormatDuration(max(time.Second, left)))
}

// window returns the time that is evaluated, in whole seconds, of which none precedes the change.
func (g *datadogGate) window(in rollout.GateInput, now time.Time) metricSpan {
	s := metricSpan{from: in.Since().Truncate(time.Second), to: now.Add(-g.Lag).Truncate(time.Second)}
	if s.from.Before(in.Since()) {
		s.from = s.from.Add(time.Second)
	}
	if from := s.to.Add(-g.Lookback); from.After(s.from) {
		s.from = from
	}
	return s
}

// about adds what was asked to a detail.
func (g *datadogGate) about(detail string) string {
	what := "query " + g.Query
	if g.Formula != "" {
		what = "formula " + g.Formula
	}
	text := []rune(strings.Join(strings.Fields(g.mask.hide(what)), " "))
	if len(text) > maxShownQuery {
		text = append(text[:maxShownQuery:maxShownQuery], []rune("...")...)
	}
	return fmt.Sprintf("%s at %s: %s", string(text), g.mask.hide(displayURL(g.URL)), detail)
}

// errNoResult is the cause if Datadog returned no result. Its text is in the verdict, where secrets
// are masked.
var errNoResult = errors.New("Datadog returned no result")

// datadogFailure is why there is no result.
type datadogFailure struct {
	verdict     rollout.Verdict // Errored
	isTemporary bool            // the same request may succeed later
}

func noResult(format string, args ...any) *datadogFailure {
	return &datadogFailure{verdict: rollout.Verdict{Status: rollout.Errored, Detail: fmt.Sprintf(format, args...), Err: errNoResult}}
}

// read asks for the series in a window.
func (g *datadogGate) read(ctx context.Context, s metricSpan) ([]datadog.Series, *datadogFailure) {
	query := g.query
	query.From, query.To = s.from, s.to
	start := time.Now()
	body, failed, err := g.send(ctx, query)
	if failed != nil {
		return nil, failed
	}
	if _, is := errors.AsType[*url.Error](err); is || err != nil && ctx.Err() != nil {
		text, cause := g.mask.noResponse(ctx, err, time.Since(start))
		return nil, &datadogFailure{verdict: rollout.Verdict{Status: rollout.Errored, Detail: text, Err: cause}}
	}
	var all []datadog.Series
	if err == nil {
		all, err = datadog.Parse(g.APIVersion, body)
	}
	switch {
	case errors.Is(err, datadog.ErrQuery):
		return nil, noResult("%s", oneLine(g.mask.hide(err.Error())))
	case err != nil:
		return nil, noResult("the response cannot be used: %s", oneLine(g.mask.hide(err.Error())))
	}
	return all, nil
}

// send returns the body of a response of status 200.
func (g *datadogGate) send(ctx context.Context, query datadog.Query) ([]byte, *datadogFailure, error) {
	req, err := query.Request(ctx, g.URL)
	if err != nil {
		return nil, nil, err
	}
	addHeaders(req, g.sent)
	res, err := g.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, g.refused(res), nil
	}
	body, err := io.ReadAll(&limitedBody{Reader: res.Body, Closer: res.Body, remaining: maxResultBytes + 1})
	return body, nil, err
}

// refused describes a response of another status than 200.
func (g *datadogGate) refused(res *http.Response) *datadogFailure {
	defer time.AfterFunc(messageTimeout, func() { _ = res.Body.Close() }).Stop()
	if res.StatusCode >= 300 && res.StatusCode <= 399 {
		failed := noResult("%s", g.mask.hide(redirectError{res.StatusCode, redirectTarget(res)}.Error()))
		failed.verdict.Final = true
		return failed
	}
	failed := noResult("status %d", res.StatusCode)
	failed.isTemporary = res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500
	if after := datadogRetryAfter(res, time.Now()); after > 0 {
		failed.verdict.RetryAfter = after
		failed.verdict.Detail += fmt.Sprintf(", retry after %s", roundUp(after))
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxMessageBytes))
	if text := oneLine(g.mask.hide(cmp.Or(datadog.ErrorText(body), string(body)))); text != "" {
		failed.verdict.Detail += ". Response: " + text
	}
	return failed
}

// datadogRetryAfter returns how long a response asks to wait: the seconds until the rate limit is
// reset (https://docs.datadoghq.com/api/latest/rate-limits), or as other servers say it.
func datadogRetryAfter(res *http.Response, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(res.Header.Get("X-RateLimit-Reset")), 10, 31); err == nil && res.StatusCode == http.StatusTooManyRequests {
		return time.Duration(seconds) * time.Second
	}
	return retryAfter(res, now)
}

// datadogValues is what a response says about a window.
type datadogValues struct {
	series  int // how many there are
	numbers []datadogValue
	missing []string // the tags of the series without any value
	pending bool     // a series has values, but none whose interval is over
}

type datadogValue struct {
	tags  string
	at    time.Time // zero: a value of the whole window
	value float64
}

// valuesIn sorts the points of series. A point counts if its interval is within the window: before
// it, there was other traffic, and at its end, the interval may not be over. A point without a value
// says nothing; the newest ones often have none.
func valuesIn(all []datadog.Series, s metricSpan) datadogValues {
	found := datadogValues{series: len(all)}
	for _, series := range all {
		interval, before, valued := intervalOf(series), len(found.numbers), 0
		for _, p := range series.Points {
			if math.IsNaN(p.Value) {
				continue
			}
			valued++
			if p.At.IsZero() || !p.At.Before(s.from) && !p.At.Add(interval).After(s.to) {
				found.numbers = append(found.numbers, datadogValue{series.Tags, p.At, p.Value})
			}
		}
		switch {
		case valued == 0:
			found.missing = append(found.missing, cmp.Or(series.Tags, "*"))
		case len(found.numbers) == before:
			found.pending = true
		}
	}
	return found
}

// intervalOf returns how long a point of a series stands for. The interval that the server names is
// too short where a query combines metrics; then the points are farther apart.
func intervalOf(series datadog.Series) time.Duration {
	var gap time.Duration
	for i := 1; i < len(series.Points); i++ {
		if d := series.Points[i].At.Sub(series.Points[i-1].At); gap == 0 || d < gap {
			gap = d
		}
	}
	return max(gap, series.Interval)
}

// compare compares the values of a window with the limits.
func (g *datadogGate) compare(all []datadog.Series, s metricSpan) rollout.Verdict {
	found, limits := valuesIn(all, s), g.limits()
	outside := 0
	for _, v := range found.numbers {
		if limits.excess(v.value) > 0 {
			outside++
		}
	}
	if outside == 0 {
		if v := g.undecided(found, s); v != nil {
			return *v
		}
	}
	worst := slices.MaxFunc(found.numbers, func(a, b datadogValue) int {
		return cmp.Compare(limits.excess(a.value), limits.excess(b.value))
	})
	n := len(found.numbers)
	count := countText(n, "1 value", fmt.Sprintf("worst of %d values", n)) + " over " + s.text()
	status := rollout.Pass
	if outside > 0 {
		status = rollout.Fail
		count += countText(n, "", fmt.Sprintf(", %d outside the limits", outside))
	} else if len(found.missing) > 0 {
		count += fmt.Sprintf("; %s, on_no_data = %q", g.missingText(found), g.OnNoData)
	}
	m := limits.measurement("query result", worst.value, n)
	m.From, m.To = s.from, s.to
	return rollout.Verdict{Status: status, Measured: []rollout.Measurement{m}, Detail: fmt.Sprintf("%s, expected %s (%s)", g.valueText(worst), limits, count)}
}

// undecided returns the verdict if what is missing decides; nil: the values do.
func (g *datadogGate) undecided(found datadogValues, s metricSpan) *rollout.Verdict {
	var v rollout.Verdict
	switch {
	case len(found.numbers) == 0 && found.pending:
		v = rollout.Verdict{Status: rollout.Inconclusive, Detail: fmt.Sprintf("no interval of its points is within the window of %s", s.text())}
	case len(found.numbers) == 0 && len(found.missing) == 0:
		v = g.noData(fmt.Sprintf("over %s, there is no series", s.text()))
	case len(found.missing) > 0:
		v = g.noData(fmt.Sprintf("over %s, %s", s.text(), g.missingText(found)))
		if v.Status == rollout.Pass && len(found.numbers) > 0 {
			return nil
		}
	default:
		return nil
	}
	return &v
}

func (g *datadogGate) noData(detail string) rollout.Verdict {
	if g.OnNoData == "" {
		detail += "; if that is normal, set on_no_data"
	}
	return g.OnNoData.verdict("on_no_data", detail)
}

// missingText names series without a value.
func (g *datadogGate) missingText(found datadogValues) string {
	if found.series == 1 {
		return "the series has no value"
	}
	var shown []string
	for _, t := range found.missing[:min(len(found.missing), maxShownSamples)] {
		shown = append(shown, oneLine(g.mask.hide(t)))
	}
	if more := len(found.missing) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("%d of %d series have no value: %s", len(found.missing), found.series, strings.Join(shown, ", "))
}

// valueText formats a value with its tags and its time.
func (g *datadogGate) valueText(v datadogValue) string {
	text := g.limits().number(v.value)
	if v.tags != "" {
		text += " for " + oneLine(g.mask.hide(v.tags))
	}
	if !v.at.IsZero() {
		text += " at " + clockTime(v.at.Unix())
	}
	return text
}
