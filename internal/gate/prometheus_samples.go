package gate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// sampleOf is one number of a result.
type sampleOf struct {
	value  float64
	labels model.Metric // nil with a scalar
}

// samples judges numbers of a result: one that is outside decides, then one that
// is no number. Lone words how much there is where there is one.
func (g *prometheusGate) samples(all []sampleOf, lone string) rollout.Verdict {
	if len(all) == 0 {
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: "no data: the result is empty"}
	}
	limits := g.limits()
	var numbers, none []sampleOf
	outside := 0
	for _, s := range all {
		switch {
		case math.IsNaN(s.value):
			none = append(none, s)
			continue
		case limits.beyond(s.value) > 0:
			outside++
		}
		numbers = append(numbers, s)
	}
	if outside == 0 && len(none) > 0 {
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: fmt.Sprintf("no data: %s, wanted %s; %s", g.told(none[0]), limits,
			howMany(len(all), lone, fmt.Sprintf("%d of %d samples are so", len(none), len(all))))}
	}
	worst := slices.MaxFunc(numbers, func(a, b sampleOf) int {
		return cmp.Compare(limits.beyond(a.value), limits.beyond(b.value))
	})
	saw := fmt.Sprintf("%s, wanted %s; ", g.told(worst), limits)
	if outside > 0 {
		return rollout.Verdict{Status: rollout.Fail, Detail: saw + howMany(len(all), lone, fmt.Sprintf("the worst of %d samples, %d of them outside", len(all), outside))}
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: saw + howMany(len(all), lone, fmt.Sprintf("the worst of %d samples", len(all)))}
}

func howMany(n int, lone, more string) string {
	if n == 1 {
		return lone
	}
	return more
}

// told words a sample with its labels.
func (g *prometheusGate) told(s sampleOf) string {
	text := g.limits().number(s.value)
	if len(s.labels) > 0 {
		text += " of " + oneLine(g.mask.hide(s.labels.String()))
	}
	return text
}
