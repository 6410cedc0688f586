package localalb

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	// growth is the ratio between the bounds of two neighbouring classes of values. A value is represented by
	// the geometric middle of its class, so that it is off by at most √1.02 − 1, which is under 1 %.
	growth = 1.02
	// maxDistinct is how many different values one summary tells apart before it puts them in classes.
	maxDistinct = 4096
)

// summary is what is known of the samples of one metric in one period.
type summary struct {
	count, sum, min, max float64
	values               map[float64]float64 // how many samples had which value
	rough                bool                // some samples came without their values: there are no percentiles
}

// add counts n samples of a value.
func (s *summary) add(value, n float64) {
	if n <= 0 {
		return
	}
	s.widen(value, value)
	s.count, s.sum = s.count+n, s.sum+value*n
	s.distinguish(value, n)
}

// addSet counts samples of which only the figures are known. They have percentiles where all of them must be equal.
func (s *summary) addSet(set statisticSet) {
	if *set.SampleCount <= 0 {
		return
	}
	s.widen(*set.Minimum, *set.Maximum)
	s.count, s.sum = s.count+*set.SampleCount, s.sum+*set.Sum
	if *set.Minimum == *set.Maximum && *set.Sum == *set.Minimum**set.SampleCount {
		s.distinguish(*set.Minimum, *set.SampleCount)
		return
	}
	s.rough = true
}

// merge takes in the samples of another summary.
func (s *summary) merge(o *summary) {
	if o.count == 0 {
		return
	}
	s.widen(o.min, o.max)
	s.count, s.sum, s.rough = s.count+o.count, s.sum+o.sum, s.rough || o.rough
	for value, n := range o.values {
		s.distinguish(value, n)
	}
}

func (s *summary) widen(low, high float64) {
	if s.count == 0 {
		s.min, s.max = low, high
		return
	}
	s.min, s.max = min(s.min, low), max(s.max, high)
}

func (s *summary) distinguish(value, n float64) {
	if s.values == nil {
		s.values = map[float64]float64{}
	}
	s.values[value] += n
	if len(s.values) <= maxDistinct {
		return
	}
	classes := map[float64]float64{}
	for v, n := range s.values {
		classes[classOf(v)] += n
	}
	s.values = classes
}

// classOf is the value that stands for all values of a class.
func classOf(v float64) float64 {
	if v == 0 {
		return 0
	}
	class := math.Floor(math.Log(math.Abs(v)) / math.Log(growth))
	return math.Copysign(math.Pow(growth, class+0.5), v)
}

// percentile is the smallest value that at least this share of the samples does not exceed.
func (s *summary) percentile(percent float64) (float64, bool) {
	if s.rough || s.count == 0 {
		return 0, false
	}
	need, seen := s.count*percent/100, 0.0
	for _, v := range slices.Sorted(maps.Keys(s.values)) {
		seen += s.values[v]
		if seen >= need-1e-9 {
			return min(max(v, s.min), s.max), true
		}
	}
	return s.max, true
}

// statistic is a way to make one number of a summary; the second result is false where there is none.
type statistic func(*summary) (float64, bool)

// parseStatistic knows SampleCount, Average, Sum, Minimum, Maximum and percentiles such as p99 or p99.9.
func parseStatistic(name string) (statistic, bool) {
	some := func(f func(*summary) float64) (statistic, bool) {
		return func(s *summary) (float64, bool) { return f(s), s.count > 0 }, true
	}
	switch name {
	case "SampleCount":
		return some(func(s *summary) float64 { return s.count })
	case "Average":
		return some(func(s *summary) float64 { return s.sum / s.count })
	case "Sum":
		return some(func(s *summary) float64 { return s.sum })
	case "Minimum":
		return some(func(s *summary) float64 { return s.min })
	case "Maximum":
		return some(func(s *summary) float64 { return s.max })
	}
	percent, ok := parsePercentile(name)
	return func(s *summary) (float64, bool) { return s.percentile(percent) }, ok
}

// parsePercentile reads p0 to p100 with at most two decimals.
func parsePercentile(name string) (float64, bool) {
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	if _, decimals, found := strings.Cut(digits, "."); found && (len(decimals) < 1 || len(decimals) > 2) {
		return 0, false
	}
	percent, err := strconv.ParseFloat(digits, 64)
	return percent, err == nil && percent <= 100
}
