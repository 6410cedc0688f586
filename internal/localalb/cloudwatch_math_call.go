package localalb

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// call reads the arguments of a function, whose opening bracket has been read.
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
		return everyMetric, nil
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
	each := func(f func(float64) float64) function {
		return function{1, 1, func(in []mathValue) (mathValue, error) { return in[0].each(f), nil }}
	}
	fold := func(f func([]float64) float64) function {
		return function{1, 1, func(in []mathValue) (mathValue, error) { return folded(in[0], f) }}
	}
	return map[string]function{
		"ABS":   each(math.Abs),
		"CEIL":  each(math.Ceil),
		"FLOOR": each(math.Floor),
		"SUM":   fold(sumOf),
		"AVG":   fold(func(v []float64) float64 { return sumOf(v) / float64(len(v)) }),
		"MIN":   fold(func(v []float64) float64 { return extreme(v, slices.Min) }),
		"MAX":   fold(func(v []float64) float64 { return extreme(v, slices.Max) }),
		"IF":    {2, 3, choose},
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

// folded makes a number of a series, and a series of several: at each time, of those that have a point there.
func folded(v mathValue, f func([]float64) float64) (mathValue, error) {
	switch v.kind {
	case aNumber:
		return v, errors.New("the argument must be a time series, or several")
	case aSeries:
		var all []float64
		for _, at := range v.series.points.times() {
			all = append(all, v.series.points[at])
		}
		return numberValue(f(all)), nil
	}
	gathered, out := map[int64][]float64{}, timed{points: points{}}
	for _, t := range v.list {
		out.period = max(out.period, t.period)
		for at, value := range t.points {
			gathered[at] = append(gathered[at], value)
		}
	}
	for at, values := range gathered {
		out.points[at] = f(values)
	}
	return seriesValue(out), nil
}

// choose is IF: the second argument where the first is not 0, else the third; no point where there is none.
func choose(in []mathValue) (mathValue, error) {
	condition := in[0]
	otherwise := numberValue(math.NaN())
	if len(in) == 3 {
		otherwise = in[2]
	}
	if condition.kind == aNumber {
		if condition.number != 0 {
			return in[1], nil
		}
		return otherwise, nil
	}
	if condition.kind == aList || in[1].kind == aList || otherwise.kind == aList {
		return mathValue{}, errors.New("IF takes numbers and time series, no arrays")
	}
	out := timed{points: points{}, period: condition.series.period}
	for at, truth := range condition.series.points {
		from := in[1]
		if truth == 0 {
			from = otherwise
		}
		if v, ok := from.valueAt(at); ok {
			out.points[at] = v
		}
	}
	return seriesValue(out), nil
}

// valueAt is the value of a series at a time, or the number whatever the time; none for NaN.
func (v mathValue) valueAt(at int64) (float64, bool) {
	if v.kind == aNumber {
		return v.number, !math.IsNaN(v.number)
	}
	value, ok := v.series.points[at]
	return value, ok
}

// everyMetric is METRICS(): all metrics that are asked for, without the expressions.
func everyMetric(s *mathScope) (mathValue, error) {
	return listValue(mapTo(s.metrics, func(id string) timed { return s.known[id] })), nil
}

// fill reads FILL(series, number), FILL(series, REPEAT) or FILL(series, LINEAR).
func (p *mathParser) fill() (term, error) {
	what, err := p.level(0)
	if err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	var with term
	way := p.peek()
	if way == "REPEAT" || way == "LINEAR" {
		p.next()
	} else if with, err = p.level(0); err != nil {
		return nil, err
	}
	return func(s *mathScope) (mathValue, error) {
		value, err := what(s)
		if err != nil {
			return value, err
		}
		filling := filler{frame: s.frame, way: way}
		if with != nil {
			number, err := with(s)
			if err == nil && number.kind != aNumber {
				err = errors.New("FILL takes a number, REPEAT or LINEAR")
			}
			if err != nil {
				return number, err
			}
			filling.way, filling.number = "", number.number
		}
		return filling.value(value)
	}, p.expect(")")
}

// filler puts points where a series has none, at every period that is looked at. As with AWS that includes the
// newest ones, whose real values may only be late.
type filler struct {
	frame  timeframe
	way    string // REPEAT, LINEAR, or "" for the number
	number float64
}

func (f filler) value(v mathValue) (mathValue, error) {
	switch v.kind {
	case aNumber:
		return v, errors.New("FILL takes a time series, or several")
	case aSeries:
		filled, err := f.series(v.series)
		return seriesValue(filled), err
	}
	var out []timed
	for _, t := range v.list {
		filled, err := f.series(t)
		if err != nil {
			return v, err
		}
		out = append(out, filled)
	}
	return listValue(out), nil
}

func (f filler) series(t timed) (timed, error) {
	if t.period == 0 {
		return t, nil // nothing at all was put together
	}
	if (f.frame.to-f.frame.from)/t.period > maxDatapoints {
		return t, fmt.Errorf("FILL would make more than %d points", maxDatapoints)
	}
	out := timed{points: points{}, period: t.period}
	known := t.points.times()
	first, end := reading{period: t.period, from: f.frame.start(t.period), to: min(f.frame.to, f.frame.at.Unix()+1)}.periods()
	for at := first; at < end; at += t.period {
		after, exact := slices.BinarySearch(known, at)
		switch {
		case exact:
			out.points[at] = t.points[at]
		case f.way == "":
			out.points[at] = f.number
		case f.way == "REPEAT" && after > 0:
			out.points[at] = t.points[known[after-1]]
		case f.way == "LINEAR" && after > 0 && after < len(known):
			low, high := known[after-1], known[after]
			share := float64(at-low) / float64(high-low)
			out.points[at] = t.points[low] + share*(t.points[high]-t.points[low])
		}
	}
	return out, nil
}
