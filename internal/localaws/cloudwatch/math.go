package cloudwatch

import (
	"errors"
	"fmt"
	"math"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// timeSeries is a time series whose points are a multiple of the period apart.
type timeSeries struct {
	points points
	period int64
}

// mathValue is the value of a term: a number, a time series, or an array of time series.
type mathValue struct {
	kind   valueKind
	number float64
	series timeSeries
	list   []timeSeries
}

type valueKind int

const (
	numberKind valueKind = iota
	seriesKind
	listKind
)

// term is a parsed part of an expression that can be evaluated.
type term func(*mathScope) (mathValue, error)

// mathScope holds everything that an expression can refer to.
type mathScope struct {
	frame      timeframe
	queries    map[string]dataQuery
	metrics    []string              // IDs of the metric queries, in their order
	results    map[string]timeSeries // results so far
	evaluating []string              // IDs of the expressions being evaluated
}

// series returns the result of a query.
func (s *mathScope) series(id string) (timeSeries, error) {
	if cached, ok := s.results[id]; ok {
		return cached, nil
	}
	q := s.queries[id]
	fail := func(err error) error {
		return wire.ValidationError("Error in expression '%s' [%v]", id, err)
	}
	for _, open := range s.evaluating {
		if open == id {
			return timeSeries{}, fail(fmt.Errorf("the expression refers to itself"))
		}
	}
	s.evaluating = append(s.evaluating, id)
	defer func() { s.evaluating = s.evaluating[:len(s.evaluating)-1] }()
	parsed, err := parseMath(*q.Expression)
	if err != nil {
		return timeSeries{}, fail(err)
	}
	value, err := parsed(s)
	if _, isAPIError := errors.AsType[*wire.Error](err); isAPIError {
		return timeSeries{}, err // already names the inner expression
	}
	if err == nil && value.kind != seriesKind {
		err = fmt.Errorf("the expression must come to one time series, not to %s", value.kind)
	}
	if err != nil {
		return timeSeries{}, fail(err)
	}
	for at, v := range value.series.points {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(value.series.points, at) // for example after a division by zero
		}
	}
	s.results[id] = value.series
	return value.series, nil
}

// String returns the name of the kind for error messages.
func (k valueKind) String() string {
	return [...]string{"a number", "a time series", "an array of time series"}[k]
}

func numberValue(v float64) mathValue    { return mathValue{kind: numberKind, number: v} }
func seriesValue(v timeSeries) mathValue { return mathValue{kind: seriesKind, series: v} }
func listValue(v []timeSeries) mathValue { return mathValue{kind: listKind, list: v} }

// each returns an array with f applied to every series in list.
func each(list []timeSeries, f func(timeSeries) timeSeries) mathValue {
	var out []timeSeries
	for _, t := range list {
		out = append(out, f(t))
	}
	return listValue(out)
}

// apply returns the value with f applied to every number in it.
func (v mathValue) apply(f func(float64) float64) mathValue {
	switch v.kind {
	case numberKind:
		return numberValue(f(v.number))
	case seriesKind:
		return seriesValue(v.series.apply(f))
	case listKind:
	}
	return each(v.list, func(t timeSeries) timeSeries { return t.apply(f) })
}

func (t timeSeries) apply(f func(float64) float64) timeSeries {
	out := timeSeries{points: points{}, period: t.period}
	for at, v := range t.points {
		out.points[at] = f(v)
	}
	return out
}

// combine applies a function to two values. Two series are combined at the times that both have.
func combine(a, b mathValue, f func(a, b float64) float64) (mathValue, error) {
	switch {
	case b.kind == numberKind:
		return a.apply(func(v float64) float64 { return f(v, b.number) }), nil
	case a.kind == numberKind:
		return b.apply(func(v float64) float64 { return f(a.number, v) }), nil
	case a.kind == seriesKind && b.kind == seriesKind:
		return seriesValue(intersect(a.series, b.series, f)), nil
	case a.kind == listKind && b.kind == seriesKind:
		return each(a.list, func(t timeSeries) timeSeries { return intersect(t, b.series, f) }), nil
	case a.kind == seriesKind && b.kind == listKind:
		return each(b.list, func(t timeSeries) timeSeries { return intersect(a.series, t, f) }), nil
	}
	return mathValue{}, fmt.Errorf("two arrays of time series cannot be combined")
}

func intersect(a, b timeSeries, f func(a, b float64) float64) timeSeries {
	out := timeSeries{points: points{}, period: max(a.period, b.period)}
	for at, v := range a.points {
		if w, both := b.points[at]; both {
			out.points[at] = f(v, w)
		}
	}
	return out
}

// operators returns the binary operators.
func operators() map[string]func(a, b float64) float64 {
	truth := func(f func(a, b float64) bool) func(a, b float64) float64 {
		return func(a, b float64) float64 {
			if f(a, b) {
				return 1
			}
			return 0
		}
	}
	and := truth(func(a, b float64) bool { return a != 0 && b != 0 })
	either := truth(func(a, b float64) bool { return a != 0 || b != 0 })
	return map[string]func(a, b float64) float64{
		"+":   func(a, b float64) float64 { return a + b },
		"-":   func(a, b float64) float64 { return a - b },
		"*":   func(a, b float64) float64 { return a * b },
		"/":   func(a, b float64) float64 { return a / b },
		"^":   math.Pow,
		"<":   truth(func(a, b float64) bool { return a < b }),
		"<=":  truth(func(a, b float64) bool { return a <= b }),
		">":   truth(func(a, b float64) bool { return a > b }),
		">=":  truth(func(a, b float64) bool { return a >= b }),
		"==":  truth(func(a, b float64) bool { return a == b }),
		"!=":  truth(func(a, b float64) bool { return a != b }),
		"AND": and, "&&": and, "OR": either, "||": either,
	}
}
