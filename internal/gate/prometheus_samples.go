package gate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// labeledSample is one number of a result.
type labeledSample struct {
	value  float64
	labels model.Metric // nil with a scalar
}

// evaluateSamples returns the verdict for the numbers of a result: a sample outside
// the limits fails, otherwise a NaN is inconclusive. Single describes the size of a
// result with one number.
func (g *prometheusGate) evaluateSamples(all []labeledSample, single string) rollout.Verdict {
	if len(all) == 0 {
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: "the result is empty"}
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
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: fmt.Sprintf("the value is %s, expected %s (%s)", g.sampleText(nans[0]), limits,
			countText(len(all), single, fmt.Sprintf("%d of %d samples are NaN", len(nans), len(all))))}
	}
	worst := slices.MaxFunc(numbers, func(a, b labeledSample) int {
		return cmp.Compare(limits.excess(a.value), limits.excess(b.value))
	})
	text := fmt.Sprintf("%s, expected %s", g.sampleText(worst), limits)
	if outside > 0 {
		return rollout.Verdict{Status: rollout.Fail,
			Detail: fmt.Sprintf("%s (%s)", text, countText(len(all), single, fmt.Sprintf("worst of %d samples, %d outside the limits", len(all), outside)))}
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: fmt.Sprintf("%s (%s)", text, countText(len(all), single, fmt.Sprintf("worst of %d samples", len(all))))}
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
