package gate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// labeledSample is one number of a result.
type labeledSample struct {
	value  float64
	labels model.Metric // nil with a scalar
}

// maxShownSamples is how many samples without a value a verdict names.
const maxShownSamples = 3

// evaluateSamples returns the verdict for the numbers of a result: a sample outside
// the limits fails, otherwise a NaN counts by OnNoData. Single describes the size of a
// result with one number.
func (g *prometheusGate) evaluateSamples(all []labeledSample, single string) rollout.Verdict {
	if len(all) == 0 {
		detail := "the result is empty"
		if g.OnNoData == "" {
			detail += g.mask.hide(g.parsed.EmptyHint())
		}
		return g.OnNoData.verdict("on_no_data", detail)
	}
	limits := g.limits()
	var numbers, nans []labeledSample
	outside := 0
	for _, s := range all {
		switch {
		case math.IsNaN(s.value):
			nans = append(nans, s)
			continue
		case limits.excess(s.value) > 0:
			outside++
		}
		numbers = append(numbers, s)
	}
	if outside == 0 && len(nans) > 0 {
		v := g.OnNoData.verdict("on_no_data", fmt.Sprintf("%s, expected %s", g.nanText(len(all), nans, single), limits))
		if v.Status != rollout.Pass || len(numbers) == 0 {
			return v
		}
	}
	worst := slices.MaxFunc(numbers, func(a, b labeledSample) int {
		return cmp.Compare(limits.excess(a.value), limits.excess(b.value))
	})
	text := fmt.Sprintf("%s, expected %s", g.sampleText(worst), limits)
	measured := []rollout.Measurement{limits.measurement("query result", worst.value, len(all))}
	if outside > 0 {
		return rollout.Verdict{Status: rollout.Fail, Measured: measured,
			Detail: fmt.Sprintf("%s (%s)", text, countText(len(all), single, fmt.Sprintf("worst of %d samples, %d outside the limits", len(all), outside)))}
	}
	count := countText(len(all), single, fmt.Sprintf("worst of %d samples", len(all)))
	if len(nans) > 0 {
		count += fmt.Sprintf("; %s, on_no_data = %q", g.nanText(len(all), nans, single), g.OnNoData)
	}
	return rollout.Verdict{Status: rollout.Pass, Measured: measured, Detail: fmt.Sprintf("%s (%s)", text, count)}
}

// nanText describes the samples that have no value.
func (g *prometheusGate) nanText(n int, nans []labeledSample, single string) string {
	if n == 1 {
		return fmt.Sprintf("the value is %s (%s)", g.sampleText(nans[0]), single)
	}
	var labels []string
	for _, s := range nans[:min(len(nans), maxShownSamples)] {
		labels = append(labels, oneLine(g.mask.hide(s.labels.String())))
	}
	if more := len(nans) - len(labels); more > 0 {
		labels = append(labels, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("%d of %d samples are NaN: %s", len(nans), n, strings.Join(labels, ", "))
}

func countText(n int, single, several string) string {
	if n == 1 {
		return single
	}
	return several
}

// sampleText formats a sample with its labels.
func (g *prometheusGate) sampleText(s labeledSample) string {
	text := g.limits().number(s.value)
	if len(s.labels) > 0 {
		text += " for " + oneLine(g.mask.hide(s.labels.String()))
	}
	return text
}

// maxMetricNames is how many metric names of a query the preflight looks up.
const maxMetricNames = 10

// unknownMetrics returns the names of metrics that the server has never seen. A server that does
// not answer the question is not asked further.
func (g *prometheusGate) unknownMetrics(ctx context.Context) []string {
	var unknown []string
	for _, name := range g.parsed.Metrics[:min(len(g.parsed.Metrics), maxMetricNames)] {
		selector := fmt.Sprintf("{%s=%q}", model.MetricNameLabel, name)
		values, warnings, err := g.api.LabelValues(ctx, model.MetricNameLabel, []string{selector}, time.Time{}, time.Time{})
		if err != nil || len(partial(warnings)) > 0 {
			return nil
		}
		if !slices.Contains(values, model.LabelValue(name)) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// advice returns what is odd about the query although the server accepts it; empty: nothing.
func (g *prometheusGate) advice(ctx context.Context, empty bool) string {
	var all []string
	if unknown := g.unknownMetrics(ctx); unknown != nil {
		all = append(all, fmt.Sprintf("the server has no series of %s: check the name in the query", g.mask.hide(strings.Join(unknown, ", "))))
	}
	if empty && g.parsed.Comparison != "" && g.OnNoData == "" {
		all = append(all, "the result is empty"+g.mask.hide(g.parsed.EmptyHint()))
	}
	return strings.Join(all, ". ")
}
