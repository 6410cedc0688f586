package cloudwatch

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	maxDatums         = 1000
	maxValues         = 150
	maxPutAge         = 14 * 24 * time.Hour // maximum age of a point
	maxPutFuture      = 2 * time.Hour       // maximum time in the future
	highResolution    = 1                   // high storage resolution in seconds
	defaultUnit       = "None"
	reservedNamespace = "AWS/"
)

type statisticSet struct {
	SampleCount, Sum, Minimum, Maximum *float64
}

type metricDatum struct {
	MetricName        string
	Dimensions        []dimension
	Timestamp         *wire.Stamp
	Value             *float64
	Values, Counts    []float64
	StatisticValues   *statisticSet
	Unit              string
	StorageResolution *int
}

type putMetricDataInput struct {
	Namespace        string
	MetricData       []metricDatum
	EntityMetricData []struct{ MetricData []metricDatum }
}

// putMetricData stores all points, or none if one is invalid.
func putMetricData(c *call, in putMetricDataInput) error {
	data := in.MetricData
	for _, e := range in.EntityMetricData {
		data = append(data, e.MetricData...)
	}
	switch {
	case in.Namespace == "":
		return wire.BadRequest("MissingParameter", "The parameter Namespace is required.")
	case strings.HasPrefix(in.Namespace, reservedNamespace) || strings.HasPrefix(in.Namespace, ":") || len(in.Namespace) > 255:
		return wire.BadRequest("InvalidParameterValue", "The value %s for parameter Namespace is invalid.", in.Namespace)
	case len(data) == 0:
		return wire.BadRequest("MissingParameter", "The parameter MetricData is required.")
	case len(data) > maxDatums:
		return wire.BadRequest("InvalidParameterValue", "The collection MetricData must not have a size greater than %d.", maxDatums)
	}
	var samples []sample
	for i, d := range data {
		at := "MetricData.member." + strconv.Itoa(i+1)
		if err := d.check(at, c.now); err != nil {
			return err
		}
		samples = append(samples, d.sample(c.region, in.Namespace, c.now))
	}
	if c.lost {
		return nil
	}
	for _, s := range samples {
		c.metrics.put(s, c.now)
	}
	return nil
}

func (d metricDatum) check(at string, now time.Time) error {
	if d.MetricName == "" {
		return wire.BadRequest("MissingParameter", "The parameter %s.MetricName is required.", at)
	}
	if len(d.MetricName) > 255 {
		return wire.BadRequest("InvalidParameterValue", "The value for parameter %s.MetricName is longer than 255 characters.", at)
	}
	if d.StorageResolution != nil && *d.StorageResolution != highResolution && *d.StorageResolution != standardResolution {
		return wire.BadRequest("InvalidParameterValue", "The value %d for parameter %s.StorageResolution is invalid: it must be 1 or 60.", *d.StorageResolution, at)
	}
	if d.Timestamp != nil && d.Timestamp.Before(now.Add(-maxPutAge)) {
		return wire.BadRequest("InvalidParameterValue", "The parameter %s.Timestamp must specify a time no more than two weeks in the past.", at)
	}
	if d.Timestamp != nil && d.Timestamp.After(now.Add(maxPutFuture)) {
		return wire.BadRequest("InvalidParameterValue", "The parameter %s.Timestamp must specify a time no more than two hours in the future.", at)
	}
	if err := checkUnit(d.Unit); err != nil {
		return err
	}
	if err := checkDimensions(at+".Dimensions", d.Dimensions); err != nil {
		return err
	}
	return d.checkValues(at)
}

// checkValues requires exactly one of Value, Values and StatisticValues.
func (d metricDatum) checkValues(at string) error {
	var given []string
	for name, is := range map[string]bool{"Value": d.Value != nil, "Values": d.Values != nil, "StatisticValues": d.StatisticValues != nil} {
		if is {
			given = append(given, at+"."+name)
		}
	}
	slices.Sort(given)
	switch {
	case len(given) == 0:
		return wire.BadRequest("MissingParameter", "At least one of the parameters %s.Value, %s.Values and %s.StatisticValues must be specified.", at, at, at)
	case len(given) > 1:
		return wire.BadRequest("InvalidParameterCombination", "The parameters %s and %s are mutually exclusive and you have specified both.", given[0], given[1])
	case d.Values != nil && (len(d.Values) == 0 || len(d.Values) > maxValues):
		return wire.BadRequest("InvalidParameterValue", "The collection %s.Values must have a size of 1 to %d.", at, maxValues)
	case d.Counts != nil && len(d.Counts) != len(d.Values):
		return wire.BadRequest("InvalidParameterValue", "The parameters %s.Values and %s.Counts must have the same size: they have %d and %d.", at, at, len(d.Values), len(d.Counts))
	}
	numbers := slices.Concat(d.Values, d.Counts)
	if d.Value != nil {
		numbers = append(numbers, *d.Value)
	}
	if s := d.StatisticValues; s != nil {
		if s.SampleCount == nil || s.Sum == nil || s.Minimum == nil || s.Maximum == nil {
			return wire.BadRequest("MissingParameter", "SampleCount, Sum, Minimum and Maximum are required in %s.StatisticValues.", at)
		}
		if *s.SampleCount <= 0 || *s.Minimum > *s.Maximum {
			return wire.BadRequest("InvalidParameterValue", "%s.StatisticValues must have samples, and no minimum over its maximum.", at)
		}
		numbers = append(numbers, *s.SampleCount, *s.Sum, *s.Minimum, *s.Maximum)
	}
	limit := math.Pow(2, 360)
	for _, n := range numbers {
		if math.IsNaN(n) || math.Abs(n) > limit {
			return wire.BadRequest("InvalidParameterValue", "The value %v in %s is not between -2^360 and 2^360.", n, at)
		}
	}
	if slices.ContainsFunc(d.Counts, func(n float64) bool { return n <= 0 }) {
		return wire.BadRequest("InvalidParameterValue", "The values in %s.Counts must be greater than 0.", at)
	}
	return nil
}

func (d metricDatum) sample(region, namespace string, now time.Time) sample {
	s := sample{
		metric: newMetricID(region, namespace, d.MetricName, d.Dimensions), unit: cmp.Or(d.Unit, defaultUnit),
		at: now, highResolution: d.StorageResolution != nil && *d.StorageResolution == highResolution, values: &summary{},
	}
	if d.Timestamp != nil {
		s.at = d.Timestamp.Time
	}
	if d.Value != nil {
		s.values.add(*d.Value, 1)
	}
	for i, v := range d.Values {
		n := 1.0
		if d.Counts != nil {
			n = d.Counts[i]
		}
		s.values.add(v, n)
	}
	if d.StatisticValues != nil {
		s.values.addSet(*d.StatisticValues)
	}
	return s
}

// checkUnit validates a unit. An empty unit is valid.
func checkUnit(unit string) error {
	units := []string{
		"Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits",
		"Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second",
		"Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second", "Count/Second", defaultUnit,
	}
	return wire.CheckEnum("unit", unit, units...)
}
