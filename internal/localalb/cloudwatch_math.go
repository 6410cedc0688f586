package localalb

import (
	"errors"
	"fmt"
	"math"
)

// timed is values at times that are a period apart, where there are any.
type timed struct {
	points points
	period int64
}

// mathValue is what a part of an expression comes to: a number, a series, or several series.
type mathValue struct {
	kind   valueKind
	number float64
	series timed
	list   []timed
}

type valueKind int

const (
	aNumber valueKind = iota
	aSeries
	aList
)

// term is a part of an expression, ready to be worked out.
type term func(*mathScope) (mathValue, error)

// mathScope is what an expression can refer to.
type mathScope struct {
	frame   timeframe
	queries map[string]dataQuery
	metrics []string         // the ids of queries for metrics, in their order
	known   map[string]timed // what was read or worked out
	open    []string         // expressions that are being worked out
}

// series is the result of a query.
func (s *mathScope) series(id string) (timed, error) {
	if found, ok := s.known[id]; ok {
		return found, nil
	}
	q := s.queries[id]
	wrong := func(err error) error {
		return invalid("Error in expression '%s' [%v]", id, err)
	}
	for _, open := range s.open {
		if open == id {
			return timed{}, wrong(fmt.Errorf("the expression refers to itself"))
		}
	}
	s.open = append(s.open, id)
	defer func() { s.open = s.open[:len(s.open)-1] }()
	parsed, err := parseMath(*q.Expression)
	if err != nil {
		return timed{}, wrong(err)
	}
	value, err := parsed(s)
	if _, told := errors.AsType[*apiError](err); told {
		return timed{}, err // of an expression further in
	}
	if err == nil && value.kind != aSeries {
		err = fmt.Errorf("the expression must come to one time series, not to %s", value.kind)
	}
	if err != nil {
		return timed{}, wrong(err)
	}
	for at, v := range value.series.points {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(value.series.points, at) // a division by zero is no point
		}
	}
	s.known[id] = value.series
	return value.series, nil
}

// String names the kind in messages.
func (k valueKind) String() string {
	return [...]string{"a number", "a time series", "an array of time series"}[k]
}

func numberValue(v float64) mathValue { return mathValue{kind: aNumber, number: v} }
func seriesValue(v timed) mathValue   { return mathValue{kind: aSeries, series: v} }
func listValue(v []timed) mathValue   { return mathValue{kind: aList, list: v} }

// each applies a function to every number of a value.
func (v mathValue) each(f func(float64) float64) mathValue {
	switch v.kind {
	case aNumber:
		return numberValue(f(v.number))
	case aSeries:
		return seriesValue(v.series.each(f))
	}
	return listValue(mapTo(v.list, func(t timed) timed { return t.each(f) }))
}

func (t timed) each(f func(float64) float64) timed {
	out := timed{points: points{}, period: t.period}
	for at, v := range t.points {
		out.points[at] = f(v)
	}
	return out
}

// combine puts two values together. Two series meet only at the times that both have.
func combine(a, b mathValue, f func(a, b float64) float64) (mathValue, error) {
	switch {
	case b.kind == aNumber:
		return a.each(func(v float64) float64 { return f(v, b.number) }), nil
	case a.kind == aNumber:
		return b.each(func(v float64) float64 { return f(a.number, v) }), nil
	case a.kind == aSeries && b.kind == aSeries:
		return seriesValue(meet(a.series, b.series, f)), nil
	case a.kind == aList && b.kind == aSeries:
		return listValue(mapTo(a.list, func(t timed) timed { return meet(t, b.series, f) })), nil
	case a.kind == aSeries && b.kind == aList:
		return listValue(mapTo(b.list, func(t timed) timed { return meet(a.series, t, f) })), nil
	}
	return mathValue{}, fmt.Errorf("two arrays of time series cannot be combined")
}

func meet(a, b timed, f func(a, b float64) float64) timed {
	out := timed{points: points{}, period: max(a.period, b.period)}
	for at, v := range a.points {
		if w, both := b.points[at]; both {
			out.points[at] = f(v, w)
		}
	}
	return out
}

// operators is what stands between two values.
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
