package gate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	plainStats = []string{"SampleCount", "Average", "Sum", "Minimum", "Maximum", "IQM"}

	// One number is a percentage up to which values count.
	upToStat = regexp.MustCompile(`^(p|tm|tc|ts|wm)([0-9]{1,3}(?:\.[0-9]{1,10})?)$`)
	// A range is of percentages or of values.
	rangeStat  = regexp.MustCompile(`^(PR|TM|TC|TS|WM)\(([^:()]*):([^:()]*)\)$`)
	rangeBound = regexp.MustCompile(`^(-?[0-9]+(?:\.[0-9]{1,10})?)(%?)$`)
)

// validateStat says what is wrong with a statistic, by CloudWatch's own definitions
// (User Guide, "CloudWatch statistics definitions").
func validateStat(stat string) error {
	if slices.Contains(plainStats, stat) {
		return nil
	}
	if m := upToStat.FindStringSubmatch(stat); m != nil {
		if p, _ := strconv.ParseFloat(m[2], 64); p <= 100 {
			return nil
		}
		return fmt.Errorf("%q is above 100 percent", stat)
	}
	if m := rangeStat.FindStringSubmatch(stat); m != nil {
		return validateRange(stat, m[1] == "PR", m[2], m[3])
	}
	return fmt.Errorf("%q is no statistic of CloudWatch, which are %s, p99 and the like (p, tm, tc, ts, wm), and TM(10%%:90%%) and the like (PR, TM, TC, TS, WM)",
		stat, strings.Join(plainStats, ", "))
}

func validateRange(stat string, ofValues bool, lower, upper string) error {
	if lower == "" && upper == "" {
		return fmt.Errorf("%q has no bound", stat)
	}
	bounds, signs := []float64{}, []string{}
	for _, bound := range []string{lower, upper} {
		if bound == "" {
			continue
		}
		m := rangeBound.FindStringSubmatch(bound)
		if m == nil {
			return fmt.Errorf("%q has a bound that is no number", stat)
		}
		v, _ := strconv.ParseFloat(m[1], 64)
		if m[2] == "%" && (v < 0 || v > 100) {
			return fmt.Errorf("%q has a bound that is not between 0 and 100 percent", stat)
		}
		bounds, signs = append(bounds, v), append(signs, m[2])
	}
	switch {
	case signs[0] != signs[len(signs)-1]:
		return fmt.Errorf("%q mixes percent and values", stat)
	case ofValues && signs[0] == "%":
		return fmt.Errorf("%q is of values, not of percent", stat)
	case len(bounds) == 2 && bounds[0] >= bounds[1]:
		return fmt.Errorf("%q has a lower bound that is not below the upper one", stat)
	}
	return nil
}

// percentile returns the q of a statistic such as p99, which is 0.99, and 0 where
// it is none.
func percentile(stat string) float64 {
	m := upToStat.FindStringSubmatch(stat)
	if m == nil || m[1] != "p" {
		return 0
	}
	p, _ := strconv.ParseFloat(m[2], 64)
	return p / 100
}
