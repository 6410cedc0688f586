package gate

import (
	"fmt"
	"math"
	"strconv"
)

// limits are what a number must keep to, both of them included. At least one is
// given.
type limits struct{ min, max *float64 }

// check says what is wrong with them, as the arguments "min" and "max".
func (l limits) check() []*ArgumentError {
	if l.min == nil && l.max == nil {
		return []*ArgumentError{{Argument: "max", Err: fmt.Errorf("%w: give min, max or both", ErrMissing)}}
	}
	var errs []*ArgumentError
	for _, limit := range []struct {
		argument string
		value    *float64
	}{{"min", l.min}, {"max", l.max}} {
		if limit.value != nil && (math.IsNaN(*limit.value) || math.IsInf(*limit.value, 0)) {
			errs = append(errs, invalid(limit.argument, "it is too large a number"))
		}
	}
	if len(errs) == 0 && l.min != nil && l.max != nil && *l.min > *l.max {
		errs = append(errs, invalid("min", "%s is above max, %s", formatNumber(*l.min), formatNumber(*l.max)))
	}
	return errs
}

// excess is by how much a value is outside; where it is not above zero, the value
// is within, and so much away from the nearer limit. An infinite value compares
// as a number; one that is none (NaN) must not be asked about.
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

// String words what is wanted, such as "at most 5".
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
		return "from " + formatNumber(*l.min) + " to " + formatNumber(*l.max)
	}
}

// number words a value with six digits, or as a whole number where it has more;
// with all where it would otherwise read as if it were on the other side of a
// limit.
func (l limits) number(value float64) string {
	told := math.Round(value)
	if math.Abs(value) < 1e6 {
		// What was just written can be read.
		told, _ = strconv.ParseFloat(strconv.FormatFloat(value, 'g', 6, 64), 64)
	}
	if (l.excess(told) > 0) != (l.excess(value) > 0) {
		return formatNumber(value)
	}
	return formatNumber(told)
}

// formatNumber writes a number without an exponent where that is short.
func formatNumber(value float64) string {
	if size := math.Abs(value); size != 0 && (size < 1e-6 || size >= 1e15) {
		return strconv.FormatFloat(value, 'g', -1, 64)
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}
