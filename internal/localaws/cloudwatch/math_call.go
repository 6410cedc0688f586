package cloudwatch

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// call parses the arguments of a function after its opening parenthesis.
func (p *mathParser) call(name string) (term, error) {
	known, ok := functions()[name]
	switch {
	case name == "FILL":
		return p.fill()
	case name == "METRICS":
		if p.peek() != ")" {
			return nil, fmt.Errorf("METRICS with a search text: %w", errNotSupported)
		}
		p.next()
		return metricsFunction, nil
	case !ok:
		return nil, fmt.Errorf("function %s: %w; it knows SUM, AVG, MIN, MAX, ABS, CEIL, FLOOR, FILL, IF and METRICS", name, errNotSupported)
	}
	arguments, err := p.list(")")
	if err != nil {
		return nil, err
	}
	if n := len(arguments); n < known.least || n > known.most {
		return nil, fmt.Errorf("function %s does not take %d arguments", name, n)
	}
	return func(s *mathScope) (mathValue, error) {
		var values []mathValue
		for _, a := range arguments {
			v, err := a(s)
			if err != nil {
				return v, err
			}
			values = append(values, v)
		}
		return known.run(values)
	}, nil
}

type function struct {
	least, most int
	run         func([]mathValue) (mathValue, error)
}

func functions() map[string]function {
	pointwise := func(f func(float64) float64) function {
		return function{1, 1, func(in []mathValue) (mathValue, error) { return in[0].apply(f), nil }}
	}
	fold := func(f func([]float64) float64) function {
		return function{1, 1, func(in []mathValue) (mathValue, error) { return reduce(in[0], f) }}
	}
	return map[string]function{
		"ABS":   pointwise(math.Abs),
		"CEIL":  pointwise(math.Ceil),
		"FLOOR": pointwise(math.Floor),
		"SUM":   fold(sumOf),
		"AVG":   fold(func(v []float64) float64 { return sumOf(v) / float64(len(v)) }),
		"MIN":   fold(func(v []float64) float64 { return extreme(v, slices.Min) }),
		"MAX":   fold(func(v []float64) float64 { return extreme(v, slices.Max) }),
		"IF":    {2, 3, ifFunction},
	}
}

func sumOf(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

func extreme(values []float64, f func([]float64) float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return f(values)
}

// reduce reduces a series to a number. It reduces an array to a series: at each time over the series with a
// point there.
func reduce(v mathValue, f func([]float64) float64) (mathValue, error) {
	switch v.kind {
	case numberKind:
		return v, errors.New("the argument must be a time series, or several")
	case seriesKind:
		var all []float64
		for _, at := range v.series.points.times() {
			all = append(all, v.series.points[at])
		}
		return numberValue(f(all)), nil
	case listKind:
	}
	byTime, out := map[int64][]float64{}, timeSeries{points: points{}}
	for _, t := range v.list {
		out.period = max(out.period, t.period)
		for at, value := range t.points {
			byTime[at] = append(byTime[at], value)
		}
	}
	for at, values := range byTime {
		out.points[at] = f(values)
	}
	return seriesValue(out), nil
}

// ifFunction implements IF: the second argument where the first is not 0, otherwise the third, or no point without one.
func ifFunction(in []mathValue) (mathValue, error) {
	condition := in[0]
	elseValue := numberValue(math.NaN())
	if len(in) == 3 {
		elseValue = in[2]
	}
	if condition.kind == numberKind {
		if condition.number != 0 {
			return in[1], nil
		}
		return elseValue, nil
	}
	if condition.kind == listKind || in[1].kind == listKind || elseValue.kind == listKind {
		return mathValue{}, errors.New("IF takes numbers and time series, no arrays")
	}
	out := timeSeries{points: points{}, period: condition.series.period}
	for at, truth := range condition.series.points {
		from := in[1]
		if truth == 0 {
			from = elseValue
		}
		if v, ok := from.valueAt(at); ok {
			out.points[at] = v
		}
	}
	return seriesValue(out), nil
}

// valueAt returns the value of a series at a time, or the number. It reports false if there is no value.
func (v mathValue) valueAt(at int64) (float64, bool) {
	if v.kind == numberKind {
		return v.number, !math.IsNaN(v.number)
	}
	value, ok := v.series.points[at]
	return value, ok
}

// metricsFunction implements METRICS(): all metric queries, without the expressions.
func metricsFunction(s *mathScope) (mathValue, error) {
	var out []timeSeries
	for _, id := range s.metrics {
		out = append(out, s.results[id])
	}
	return listValue(out), nil
}

// fill parses FILL(series, number), FILL(series, REPEAT) or FILL(series, LINEAR).
func (p *mathParser) fill() (term, error) {
	seriesTerm, err := p.level(0)
	if err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	var valueTerm term
	mode := p.peek()
	if mode == "REPEAT" || mode == "LINEAR" {
		p.next()
	} else if valueTerm, err = p.level(0); err != nil {
		return nil, err
	}
	return func(s *mathScope) (mathValue, error) {
		value, err := seriesTerm(s)
		if err != nil {
			return value, err
		}
		filling := filler{frame: s.frame, mode: mode}
		if valueTerm != nil {
			number, err := valueTerm(s)
			if err == nil && number.kind != numberKind {
				err = errors.New("FILL takes a number, REPEAT or LINEAR")
			}
			if err != nil {
				return number, err
			}
			filling.mode, filling.number = "", number.number
		}
		return filling.value(value)
	}, p.expect(")")
}

// filler adds points to a series in every period of the query without one. As with AWS, this includes the latest
// periods, whose values may only be late.
type filler struct {
	frame  timeframe
	mode   string // REPEAT, LINEAR, or "" for the number
	number float64
}

func (f filler) value(v mathValue) (mathValue, error) {
	switch v.kind {
	case numberKind:
		return v, errors.New("FILL takes a time series, or several")
	case seriesKind:
		filled, err := f.series(v.series)
		return seriesValue(filled), err
	case listKind:
	}
	var out []timeSeries
	for _, t := range v.list {
		filled, err := f.series(t)
		if err != nil {
			return v, err
		}
		out = append(out, filled)
	}
	return listValue(out), nil
}

func (f filler) series(t timeSeries) (timeSeries, error) {
	if t.period == 0 {
		return t, nil // an empty array
	}
	if (f.frame.to-f.frame.from)/t.period > maxDatapoints {
		return t, fmt.Errorf("FILL would make more than %d points", maxDatapoints)
	}
	out := timeSeries{points: points{}, period: t.period}
	times := t.points.times()
	first, end := readRequest{period: t.period, from: f.frame.start(t.period), to: min(f.frame.to, f.frame.at.Unix()+1)}.periods()
	for at := first; at < end; at += t.period {
		after, exact := slices.BinarySearch(times, at)
		switch {
		case exact:
			out.points[at] = t.points[at]
		case f.mode == "":
			out.points[at] = f.number
		case f.mode == "REPEAT" && after > 0:
			out.points[at] = t.points[times[after-1]]
		case f.mode == "LINEAR" && after > 0 && after < len(times):
			low, high := times[after-1], times[after]
			share := float64(at-low) / float64(high-low)
			out.points[at] = t.points[low] + share*(t.points[high]-t.points[low])
		}
	}
	return out, nil
}
