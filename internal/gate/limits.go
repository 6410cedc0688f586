package gate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// limits is a range of numbers that includes both ends. At least one end is set.
type limits struct{ min, max *float64 }

// check validates the limits as the arguments "min" and "max".
func (l limits) check() []*ArgumentError {
	if l.min == nil && l.max == nil {
		return []*ArgumentError{{Argument: "max", Err: fmt.Errorf("%w: set min, max or both", ErrMissing)}}
	}
	var errs []*ArgumentError
	for _, limit := range []struct {
		argument string
		value    *float64
	}{{"min", l.min}, {"max", l.max}} {
		if limit.value != nil && (math.IsNaN(*limit.value) || math.IsInf(*limit.value, 0)) {
			errs = append(errs, invalid(limit.argument, "the number is too large"))
		}
	}
	if len(errs) == 0 && l.min != nil && l.max != nil && *l.min > *l.max {
		errs = append(errs, invalid("min", "%s is above max (%s)", formatNumber(*l.min), formatNumber(*l.max)))
	}
	return errs
}

// excess returns how far a value is outside the limits. If it is 0 or negative, the
// value is within them, at that distance from the nearer limit. An infinite value
// compares as a number; the result for NaN is meaningless.
func (l limits) excess(value float64) float64 {
	by := math.Inf(-1)
	if l.max != nil {
		by = max(by, value-*l.max)
	}
	if l.min != nil {
		by = max(by, *l.min-value)
	}
	return by
}

// String describes the limits, such as "at most 5".
func (l limits) String() string {
	switch {
	case l.min == nil && l.max == nil:
		return "anything"
	case l.min == nil:
		return "at most " + formatNumber(*l.max)
	case l.max == nil:
		return "at least " + formatNumber(*l.min)
	case *l.min == *l.max:
		return "exactly " + formatNumber(*l.min)
	default:
		return formatNumber(*l.min) + " to " + formatNumber(*l.max)
	}
}

// number formats a value with six digits, or as a whole number from 1e6. It formats
// all digits if the rounded value would be on the other side of a limit.
func (l limits) number(value float64) string {
	short := math.Round(value)
	if math.Abs(value) < 1e6 {
		// A formatted number always parses.
		short, _ = strconv.ParseFloat(strconv.FormatFloat(value, 'g', 6, 64), 64)
	}
	if (l.excess(short) > 0) != (l.excess(value) > 0) {
		return formatNumber(value)
	}
	return formatNumber(short)
}

// formatNumber formats a number without an exponent if that is short.
func formatNumber(value float64) string {
	if size := math.Abs(value); size != 0 && (size < 1e-6 || size >= 1e15) {
		return strconv.FormatFloat(value, 'g', -1, 64)
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// measurement is a number that is compared with the limits.
func (l limits) measurement(name string, value float64, samples int) rollout.Measurement {
	return rollout.Measurement{Name: name, Value: value, Min: l.min, Max: l.max, Samples: samples}
}

// worst returns the number that is farthest outside the limits or, if none is, nearest to one.
func (l limits) worst(values []float64) float64 {
	return slices.MaxFunc(values, func(a, b float64) int { return cmp.Compare(l.excess(a), l.excess(b)) })
}

// secondsLimit returns a limit in seconds; nil where there is none.
func secondsLimit(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	return new(d.Seconds())
}

// OnNoData is what missing data counts as: a status, by default Inconclusive.
type OnNoData rollout.Status

// check validates the argument.
func (o OnNoData) check(argument string) []*ArgumentError {
	switch rollout.Status(o) {
	case "", rollout.Pass, rollout.Fail, rollout.Inconclusive:
		return nil
	default:
		return []*ArgumentError{invalid(argument, "%q is not inconclusive, pass or fail", string(o))}
	}
}

// verdict is the verdict without data. It names the argument where that decides.
func (o OnNoData) verdict(argument, detail string) rollout.Verdict {
	switch status := rollout.Status(o); status {
	case rollout.Pass, rollout.Fail:
		return rollout.Verdict{Status: status, Detail: fmt.Sprintf("%s (%s = %q)", detail, argument, status)}
	default:
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: detail}
	}
}
