// Package statistic knows the statistics of CloudWatch metrics.
package statistic

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	plainStats = []string{"SampleCount", "Average", "Sum", "Minimum", "Maximum", "IQM"}

	// A single number is the percentage up to which values count.
	upToStat = regexp.MustCompile(`^(p|tm|tc|ts|wm)([0-9]{1,3}(?:\.[0-9]{1,10})?)$`)
	// A range has two percentages or two values.
	rangeStat  = regexp.MustCompile(`^(PR|TM|TC|TS|WM)\(([^:()]*):([^:()]*)\)$`)
	rangeBound = regexp.MustCompile(`^(-?[0-9]+(?:\.[0-9]{1,10})?)(%?)$`)
)

// Validate reports an error for a statistic that CloudWatch does not support (User
// Guide, "CloudWatch statistics definitions").
func Validate(stat string) error {
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
	return fmt.Errorf("%q is not a CloudWatch statistic; use %s, a percentile or trimmed statistic such as p99 (p, tm, tc, ts, wm), or a range such as TM(10%%:90%%) (PR, TM, TC, TS, WM)",
		stat, strings.Join(plainStats, ", "))
}

func validateRange(stat string, ofValues bool, lower, upper string) error {
	if lower == "" && upper == "" {
		return fmt.Errorf("%q has no bounds", stat)
	}
	bounds, signs := []float64{}, []string{}
	for _, bound := range []string{lower, upper} {
		if bound == "" {
			continue
		}
		m := rangeBound.FindStringSubmatch(bound)
		if m == nil {
			return fmt.Errorf("%q has a bound that is not a number", stat)
		}
		v, _ := strconv.ParseFloat(m[1], 64)
		if m[2] == "%" && (v < 0 || v > 100) {
			return fmt.Errorf("%q has a bound that is not between 0 and 100 percent", stat)
		}
		bounds, signs = append(bounds, v), append(signs, m[2])
	}
	switch {
	case signs[0] != signs[len(signs)-1]:
		return fmt.Errorf("%q mixes percentages and values", stat)
	case ofValues && signs[0] == "%":
		return fmt.Errorf("%q requires values, not percentages", stat)
	case len(bounds) == 2 && bounds[0] >= bounds[1]:
		return fmt.Errorf("%q has a lower bound that is not below the upper one", stat)
	}
	return nil
}
