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

// evaluateSamples judges numbers of a result: one that is outside decides, then one that
// is no number. Lone words how much there is where there is one.
func (g *prometheusGate) evaluateSamples(all []labeledSample, lone string) rollout.Verdict {
	if len(all) == 0 {
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: "no data: the result is empty"}
	}
	limits := g.limits()
	var numbers, none []labeledSample
	outside := 0
	for _, s := range all {
		switch {
		case math.IsNaN(s.value):
			none = append(none, s)
			continue
		case limits.excess(s.value) > 0:
			outside++
		}
		numbers = append(numbers, s)
	}
	if outside == 0 && len(none) > 0 {
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: fmt.Sprintf("no data: %s, wanted %s; %s", g.sampleText(none[0]), limits,
			countText(len(all), lone, fmt.Sprintf("%d of %d samples are so", len(none), len(all))))}
	}
	worst := slices.MaxFunc(numbers, func(a, b labeledSample) int {
		return cmp.Compare(limits.excess(a.value), limits.excess(b.value))
	})
	saw := fmt.Sprintf("%s, wanted %s; ", g.sampleText(worst), limits)
	if outside > 0 {
		return rollout.Verdict{Status: rollout.Fail, Detail: saw + countText(len(all), lone, fmt.Sprintf("the worst of %d samples, %d of them outside", len(all), outside))}
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: saw + countText(len(all), lone, fmt.Sprintf("the worst of %d samples", len(all)))}
}

func countText(n int, lone, more string) string {
	if n == 1 {
		return lone
	}
	return more
}

// sampleText words a sample with its labels.
func (g *prometheusGate) sampleText(s labeledSample) string {
	text := g.limits().number(s.value)
	if len(s.labels) > 0 {
		text += " of " + oneLine(g.mask.hide(s.labels.String()))
	}
	return text
}
