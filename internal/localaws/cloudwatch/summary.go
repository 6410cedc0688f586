package cloudwatch

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	// bucketRatio is the ratio between the bounds of a bucket. A value is represented by the geometric middle of its
	// bucket, with an error of at most √1.02 − 1, which is under 1 %.
	bucketRatio = 1.02
	// maxDistinct is the number of distinct values in a summary before it groups them into buckets.
	maxDistinct = 4096
)

// summary aggregates the samples of one metric in one period.
type summary struct {
	count, sum, min, max float64
	values               map[float64]float64 // number of samples by value
	valuesUnknown        bool                // the values of some samples are unknown: no percentiles
}

// add adds n samples of a value.
func (s *summary) add(value, n float64) {
	if n <= 0 {
		return
	}
	s.extend(value, value)
	s.count, s.sum = s.count+n, s.sum+value*n
	s.addValue(value, n)
}

// addSet adds a statistic set. It supports percentiles only if all its samples must be equal.
func (s *summary) addSet(set statisticSet) {
	if *set.SampleCount <= 0 {
		return
	}
	s.extend(*set.Minimum, *set.Maximum)
	s.count, s.sum = s.count+*set.SampleCount, s.sum+*set.Sum
	if *set.Minimum == *set.Maximum && *set.Sum == *set.Minimum**set.SampleCount {
		s.addValue(*set.Minimum, *set.SampleCount)
		return
	}
	s.valuesUnknown = true
}

// merge adds the samples of another summary.
func (s *summary) merge(o *summary) {
	if o.count == 0 {
		return
	}
	s.extend(o.min, o.max)
	s.count, s.sum, s.valuesUnknown = s.count+o.count, s.sum+o.sum, s.valuesUnknown || o.valuesUnknown
	for value, n := range o.values {
		s.addValue(value, n)
	}
}

func (s *summary) extend(low, high float64) {
	if s.count == 0 {
		s.min, s.max = low, high
		return
	}
	s.min, s.max = min(s.min, low), max(s.max, high)
}

func (s *summary) addValue(value, n float64) {
	if s.values == nil {
		s.values = map[float64]float64{}
	}
	s.values[value] += n
	if len(s.values) <= maxDistinct {
		return
	}
	buckets := map[float64]float64{}
	for v, n := range s.values {
		buckets[bucketValue(v)] += n
	}
	s.values = buckets
}

// bucketValue returns the value that represents the bucket of v.
func bucketValue(v float64) float64 {
	if v == 0 {
		return 0
	}
	class := math.Floor(math.Log(math.Abs(v)) / math.Log(bucketRatio))
	return math.Copysign(math.Pow(bucketRatio, class+0.5), v)
}

// percentile returns the smallest value that is at least as large as this percentage of the samples.
func (s *summary) percentile(percent float64) (float64, bool) {
	if s.valuesUnknown || s.count == 0 {
		return 0, false
	}
	rank, cumulative := s.count*percent/100, 0.0
	for _, v := range slices.Sorted(maps.Keys(s.values)) {
		cumulative += s.values[v]
		if cumulative >= rank-1e-9 {
			return min(max(v, s.min), s.max), true
		}
	}
	return s.max, true
}

// rank returns the percentage of the samples up to and including a value.
func (s *summary) rank(upTo float64) (float64, bool) {
	if s.valuesUnknown || s.count == 0 {
		return 0, false
	}
	below := 0.0
	for v, n := range s.values {
		if min(max(v, s.min), s.max) <= upTo {
			below += n
		}
	}
	return 100 * below / s.count, true
}

// statistic computes a number from a summary and reports whether there is one.
type statistic func(*summary) (float64, bool)

// parseStatistic parses SampleCount, Average, Sum, Minimum, Maximum, percentiles such as p99 or p99.9, and
// percentile ranks such as PR(:0.5).
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
	if upTo, ok := parseRank(name); ok {
		return func(s *summary) (float64, bool) { return s.rank(upTo) }, true
	}
	percent, ok := parsePercentile(name)
	return func(s *summary) (float64, bool) { return s.percentile(percent) }, ok
}

// parseRank parses a percentile rank without a lower bound, such as PR(:0.5).
func parseRank(name string) (float64, bool) {
	bound, found := strings.CutPrefix(name, "PR(:")
	bound, closed := strings.CutSuffix(bound, ")")
	v, err := strconv.ParseFloat(bound, 64)
	return v, found && closed && err == nil && v >= 0
}

// parsePercentile parses p0 to p100 with at most two decimals.
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
