package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// The geometry of charts, in units of their view boxes.
const (
	chartWidth  = 900
	plotLeft    = 64
	plotRight   = 886
	plotTop     = 10
	weightsHigh = 180 // the heights of plots
	valuesHigh  = 110
	healthHigh  = 64
	stripHigh   = 16
)

// chart is what a template draws. Its texts are in its labels and in a table beside it.
type chart struct {
	ID, Title, Description string
	Height, Bottom         int // of the view box, and of the plot
	Areas, Lines, Marks    []shape
	Limits, YTicks, XTicks []tick
	Events                 []shape // vertical lines
	Left, Right, Top       int
}

// shape is a path with a class.
type shape struct{ Class, Path, Name string }

// tick is a label at a position.
type tick struct{ At, Text, Line string }

// newChart returns a chart with a plot of a height and the axis of the time.
func newChart(id string, height int, x timeScale) chart {
	c := chart{ID: id, Bottom: plotTop + height, Height: plotTop + height + 20, Left: plotLeft, Right: plotRight, Top: plotTop}
	for _, at := range x.ticks() {
		c.XTicks = append(c.XTicks, tick{At: coordinate(x.at(x.from.Add(at))), Text: schedule.FormatDuration(at)})
	}
	return c
}

// timeScale maps times to positions.
type timeScale struct{ from, to time.Time }

func newTimeScale(from, to time.Time) timeScale {
	if to.Sub(from) < time.Second {
		to = from.Add(time.Second)
	}
	return timeScale{from, to}
}

func (x timeScale) at(t time.Time) float64 {
	part := float64(t.Sub(x.from)) / float64(x.to.Sub(x.from))
	return plotLeft + min(max(part, 0), 1)*(plotRight-plotLeft)
}

// ticks returns at most nine round durations since the start.
func (x timeScale) ticks() []time.Duration {
	const minute, hour = time.Minute, time.Hour
	total := x.to.Sub(x.from)
	step := 24 * hour
	for _, s := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
		minute, 2 * minute, 5 * minute, 10 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour} {
		if total/s <= 8 {
			step = s
			break
		}
	}
	for total/step > 8 {
		step *= 2
	}
	var all []time.Duration
	for at := time.Duration(0); at <= total; at += step {
		all = append(all, at)
	}
	return all
}

// valueScale maps values to heights in a plot.
type valueScale struct {
	low, high float64
	bottom    float64 // of the plot
	height    float64
}

// newValueScale returns a scale for values, which has 0 unless that hides them.
func newValueScale(low, high float64, height int) valueScale {
	low, high = min(low, 0), max(high, 0)
	if low == high {
		high = low + 1
	}
	margin := (high - low) * 0.1
	if high > 0 {
		high += margin
	}
	if low < 0 {
		low -= margin
	}
	return valueScale{low: low, high: high, bottom: float64(plotTop + height), height: float64(height)}
}

func (y valueScale) at(v float64) float64 {
	return y.bottom - (min(max(v, y.low), y.high)-y.low)/(y.high-y.low)*y.height
}

// ticks returns two to six round values.
func (y valueScale) ticks() []float64 {
	size := math.Pow(10, math.Floor(math.Log10(y.high-y.low)))
	step := size
	for _, s := range []float64{size / 5, size / 2, size, 2 * size} {
		if step = s; (y.high-y.low)/s <= 4 {
			break
		}
	}
	var all []float64
	for n := math.Ceil(y.low / step); n*step <= y.high && len(all) < 8; n++ {
		all = append(all, n*step)
	}
	return all
}

func (c *chart) addYTicks(y valueScale, unit string) {
	for _, v := range y.ticks() {
		c.YTicks = append(c.YTicks, tick{At: coordinate(y.at(v)), Text: valueText(v, unit)})
	}
}

// coordinate formats a position in tenths.
func coordinate(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// path builds the data of an SVG path.
type path struct{ strings.Builder }

func (p *path) add(command string, coordinates ...float64) {
	p.WriteString(command)
	for i, v := range coordinates {
		if i > 0 {
			p.WriteByte(' ')
		}
		p.WriteString(coordinate(v))
	}
}

// stepPoint is a value from a position on.
type stepPoint struct{ x, y float64 }

// stepLine is a line that changes its height at points only.
func stepLine(points []stepPoint, right float64) string {
	var p path
	for i, at := range points {
		if i == 0 {
			p.add("M", at.x, at.y)
			continue
		}
		p.add("H", at.x)
		p.add("V", at.y)
	}
	p.add("H", right)
	return p.String()
}

// stepArea is the area between two lines with the same positions.
func stepArea(lower, upper []stepPoint, right float64) string {
	var p path
	p.WriteString(stepLine(upper, right))
	end := right
	for _, at := range slices.Backward(lower) {
		p.add("L", end, at.y)
		p.add("H", at.x)
		end = at.x
	}
	p.WriteString("Z")
	return p.String()
}

// markPath draws the mark of a status around a position: a cross, a diamond, a triangle or a dot.
func markPath(p *path, status string, x, y float64) {
	switch badness(status) {
	case 0:
		p.add("M", x, y)
		p.WriteString("h0")
	case 1:
		p.add("M", x, y-4.5)
		p.WriteString("l4.5 4.5l-4.5 4.5l-4.5-4.5z")
	case 2:
		p.add("M", x, y-4.5)
		p.WriteString("l4.5 8h-9z")
	default:
		p.add("M", x-4, y-4)
		p.WriteString("l8 8m0-8l-8 8")
	}
}
