package gate

import "testing"

func TestBadStat(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"SampleCount", "Average", "Sum", "Minimum", "Maximum", "IQM",
		"p0", "p50", "p99", "p99.9", "p99.9999999999", "p100", "tm99", "tc90", "ts90.5", "wm98",
		"PR(:300)", "PR(100:2000)", "PR(10:)", "PR(-1:0.5)",
		"TM(2%:98%)", "TM(150:1000)", "TM(10%:)", "TC(0.005:0.030)", "TC(:0.5)", "TS(80%:)", "WM(10%:90%)",
	} {
		if err := badStat(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	const none = " is no statistic of CloudWatch, which are SampleCount, Average, Sum, Minimum, Maximum, IQM, p99 and the like (p, tm, tc, ts, wm), " +
		"and TM(10%:90%) and the like (PR, TM, TC, TS, WM)"
	for bad, want := range map[string]string{
		"":                `""` + none,
		"average":         `"average"` + none,
		"P99":             `"P99"` + none,
		"p":               `"p"` + none,
		"p99.99999999999": `"p99.99999999999"` + none,
		"Mean":            `"Mean"` + none,
		"tm(10%:90%)":     `"tm(10%:90%)"` + none,
		"TM(1:2:3)":       `"TM(1:2:3)"` + none,
		"p101":            `"p101" is above 100 percent`,
		"TM(:)":           `"TM(:)" has no bound`,
		"TM(a:b)":         `"TM(a:b)" has a bound that is no number`,
		"TM(10%:101%)":    `"TM(10%:101%)" has a bound that is not between 0 and 100 percent`,
		"TM(10%:90)":      `"TM(10%:90)" mixes percent and values`,
		"PR(10%:90%)":     `"PR(10%:90%)" is of values, not of percent`,
		"TS(90%:10%)":     `"TS(90%:10%)" has a lower bound that is not below the upper one`,
	} {
		if err := badStat(bad); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", bad, err, want)
		}
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	for stat, want := range map[string]float64{"p99": 0.99, "p50": 0.5, "Average": 0, "tm99": 0, "p0": 0} {
		if got := percentile(stat); got != want {
			t.Errorf("%s is %v, want %v", stat, got, want)
		}
	}
}
