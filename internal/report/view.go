package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// view makes the charts of a page.
type view struct {
	story *Story
	x     timeScale
	rows  int // of the table of a gate
	dots  int // of a series
	ids   int
}

func (v *view) newID() string {
	v.ids++
	return "c" + strconv.Itoa(v.ids)
}

// environment is one of the environments of a shift.
type environment struct {
	Name, Version, Class, Now string
}

// environments are in the order in which the chart stacks them: those that gain are at the bottom.
func (v *view) environments() []environment {
	s := v.story
	names := map[string]bool{}
	for _, w := range s.weights {
		for name, percent := range w.Weights {
			names[name] = names[name] || percent > 0
		}
	}
	for name := range s.Shift.To {
		names[name] = names[name] || s.Shift.To[name] > 0
	}
	maps.DeleteFunc(names, func(_ string, shown bool) bool { return !shown })
	sorted := slices.Sorted(maps.Keys(names))
	gains := func(name string) float64 { return s.Shift.To[name] - s.From[name] }
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(gains(b), gains(a)) })
	var all []environment
	for i, name := range sorted {
		all = append(all, environment{Name: name, Version: s.Shift.Versions[name], Class: "e" + strconv.Itoa(i%6), Now: percentText(s.Weights()[name])})
	}
	return all
}

func (v *view) weightsChart(environments []environment) *chart {
	s := v.story
	if len(s.weights) == 0 {
		return nil
	}
	c := newChart(v.newID(), weightsHigh, v.x)
	c.Title = "Weights over time"
	c.Description = "Share of the traffic of each environment. It starts with " + s.From.String() + ", and is now " + s.Weights().String() + ". The table below has every change."
	height := func(percent float64) float64 { return float64(c.Bottom) - percent/100*weightsHigh }
	lower := make([]stepPoint, len(s.weights))
	for i, w := range s.weights {
		lower[i] = stepPoint{v.x.at(w.At), height(0)}
	}
	sums := make([]float64, len(s.weights))
	for _, e := range environments {
		upper := make([]stepPoint, len(s.weights))
		for i, w := range s.weights {
			sums[i] += w.Weights[e.Name]
			upper[i] = stepPoint{lower[i].x, height(sums[i])}
		}
		c.Areas = append(c.Areas, shape{Class: "area " + e.Class, Path: stepArea(lower, upper, plotRight), Name: e.Name})
		lower = upper
	}
	for _, percent := range []float64{0, 50, 100} {
		c.YTicks = append(c.YTicks, tick{At: coordinate(height(percent)), Text: percentText(percent)})
	}
	v.addEvents(&c)
	return &c
}

// addEvents adds the turning points as vertical lines.
func (v *view) addEvents(c *chart) {
	for _, m := range v.story.Moments {
		switch m.Kind {
		case string(rollout.RollbackStarted), string(rollout.HealthDegraded), string(rollout.SourceEmpty):
			var p path
			p.add("M", v.x.at(m.At), plotTop)
			p.add("V", float64(c.Bottom))
			class, name := "turn", "targets degraded or missing"
			if m.Kind == string(rollout.RollbackStarted) {
				class, name = "back", "rollback started"
			}
			c.Events = append(c.Events, shape{Class: class, Path: p.String(), Name: name})
		}
	}
}

// EventKinds are the kinds of vertical lines, for the legend.
func (c *chart) EventKinds() []shape {
	var kinds []shape
	for _, e := range c.Events {
		if !slices.ContainsFunc(kinds, func(k shape) bool { return k.Class == e.Class }) {
			kinds = append(kinds, e)
		}
	}
	return kinds
}

// gateView is a gate of a page.
type gateView struct {
	*GateStory
	Verdict, Status, Counts string
	Now, Limits             string
	Strip                   *chart
	Charts                  []chart
	Rows                    []runView
	When                    string
}

// runView is a row of the table of a gate.
type runView struct {
	At, Until, Verdict, Status, Values, Detail, Took string
	Times                                            int
}

func (v *view) gates() []gateView {
	var all []gateView
	for _, g := range v.story.Gates {
		x := gateView{GateStory: g, Verdict: "not evaluated", Status: "none", Counts: countsText(g.Count)}
		for _, configured := range v.story.Shift.Gates {
			if configured.Name == g.Name {
				x.When = configured.When
			}
		}
		if len(g.Runs) > 0 {
			x.Status = g.Latest.Status
			x.Verdict = statusText(x.Status)
			x.Now = measuredText(g.last)
			x.Strip = v.strip(g)
		}
		for _, s := range g.Series {
			x.Charts = append(x.Charts, v.seriesChart(g.Name, s))
		}
		for _, r := range thinned(g.Runs, v.rows) {
			row := runView{At: v.story.elapsed(r.From), Verdict: countsText(r.Count), Status: r.Status, Values: measuredText(r.Measured),
				Detail: r.Detail, Took: secondsText(r.Longest), Times: r.Times()}
			if r.Times() > 1 {
				row.Until = v.story.elapsed(r.To)
			}
			x.Rows = append(x.Rows, row)
		}
		all = append(all, x)
	}
	return all
}

// strip shows the verdicts over time; the worse, the taller.
func (v *view) strip(g *GateStory) *chart {
	c := chart{ID: v.newID(), Bottom: plotTop + stripHigh, Height: plotTop + stripHigh + 2, Left: plotLeft, Right: plotRight, Top: plotTop}
	c.Title = "Verdicts of gate " + g.Name
	c.Description = countsText(g.Count) + ". The worse a verdict, the taller its bar."
	paths := map[string]*path{}
	runs := thinned(g.Runs, v.rows)
	for i, r := range runs {
		from, to := v.x.at(r.From), v.x.at(r.To)
		if i+1 < len(runs) && !r.isBad() {
			to = v.x.at(runs[i+1].From)
		}
		p := paths[r.Status]
		if p == nil {
			p = new(path)
			paths[r.Status] = p
		}
		tall := float64(stripHigh) * float64(1+min(badness(r.Status), 3)) / 4
		p.add("M", from, float64(c.Bottom))
		p.WriteString("v" + coordinate(-tall) + "h" + coordinate(max(to-from, 2)) + "v" + coordinate(tall) + "z")
	}
	for _, status := range slices.Sorted(maps.Keys(paths)) {
		c.Areas = append(c.Areas, shape{Class: "s-" + statusClass(status), Path: paths[status].String()})
	}
	return &c
}

func statusClass(status string) string {
	return []string{"pass", "inconclusive", "error", "fail", "fail"}[badness(status)]
}

func (v *view) seriesChart(gate string, s *Series) chart {
	c := newChart(v.newID(), valuesHigh, v.x)
	c.Title = fmt.Sprintf("%s, gate %s", capitalized(s.title()), gate)
	low, high := s.Low, s.High
	for _, limit := range []*float64{s.Min, s.Max} {
		if limit != nil {
			low, high = min(low, *limit), max(high, *limit)
		}
	}
	y := newValueScale(low, high, valuesHigh)
	c.addYTicks(y, s.Unit)
	c.Description = fmt.Sprintf("Values from %s to %s", valueText(s.Low, s.Unit), valueText(s.High, s.Unit))
	if limits := s.limitsText(); limits != "" {
		c.Description += ", limit " + limits
	}
	c.Description += ". The table below has the verdicts."
	for _, limit := range []*float64{s.Min, s.Max} {
		if limit != nil {
			at := coordinate(y.at(*limit))
			c.Limits = append(c.Limits, tick{At: at, Text: "limit " + valueText(*limit, s.Unit)})
		}
	}
	var line, ranges path
	marks := map[string]*path{}
	points := thinned(s.Points, v.dots)
	for i, p := range points {
		x := (v.x.at(p.From) + v.x.at(p.To)) / 2
		command := "L"
		if i == 0 {
			command = "M"
		}
		line.add(command, x, y.at((p.Low+p.High)/2))
		if p.High > p.Low {
			ranges.add("M", x, y.at(p.Low))
			ranges.add("V", y.at(p.High))
		}
		if len(points) > 60 && isPass(p.Status) {
			continue
		}
		m := marks[p.Status]
		if m == nil {
			m = new(path)
			marks[p.Status] = m
		}
		markPath(m, p.Status, x, y.at(p.High))
	}
	c.Lines = append(c.Lines, shape{Class: "range", Path: ranges.String()}, shape{Class: "value", Path: line.String()})
	for _, status := range slices.Sorted(maps.Keys(marks)) {
		c.Marks = append(c.Marks, shape{Class: "m-" + statusClass(status), Path: marks[status].String()})
	}
	return c
}

// healthView is the health of an environment on a page.
type healthView struct {
	Name, Now string
	Chart     chart
	Rows      []healthRow
}

type healthRow struct {
	At string
	Targets
	Times int
}

func (v *view) health() []healthView {
	var all []healthView
	for _, h := range v.story.Health {
		last := h.Changes[len(h.Changes)-1]
		x := healthView{Name: fmt.Sprintf("%s (%s)", h.Environment, h.Entry), Now: last.text()}
		c := newChart(v.newID(), healthHigh, v.x)
		c.Title, c.Description = "Targets of "+x.Name, "Now "+x.Now+". The table below has every change."
		changes, most := thinned(h.Changes, maxHealth), 1
		for _, at := range changes {
			most = max(most, at.Healthy, at.Unhealthy)
		}
		y := newValueScale(0, float64(most), healthHigh)
		for _, n := range slices.Compact([]int{0, most}) {
			c.YTicks = append(c.YTicks, tick{At: coordinate(y.at(float64(n))), Text: strconv.Itoa(n)})
		}
		var healthy, unhealthy []stepPoint
		for _, at := range changes {
			healthy = append(healthy, stepPoint{v.x.at(at.At), y.at(float64(at.Healthy))})
			unhealthy = append(unhealthy, stepPoint{v.x.at(at.At), y.at(float64(at.Unhealthy))})
			x.Rows = append(x.Rows, healthRow{At: v.story.elapsed(at.At), Targets: at.Targets, Times: at.Times})
		}
		c.Lines = []shape{{Class: "unhealthy", Path: stepLine(unhealthy, plotRight)}, {Class: "healthy", Path: stepLine(healthy, plotRight)}}
		x.Chart = c
		all = append(all, x)
	}
	return all
}

// text counts targets, such as "2 healthy, 1 draining".
func (t Targets) text() string {
	var texts []string
	for _, x := range []struct {
		n    int
		text string
	}{{t.Healthy, "healthy"}, {t.Unhealthy, "unhealthy"}, {t.Initial, "initial"}, {t.Draining, "draining"}, {t.Unused, "unused"}} {
		if x.n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", x.n, x.text))
		}
	}
	return cmp.Or(strings.Join(texts, ", "), "no targets")
}

// writeView is a row of the table of writes.
type writeView struct {
	At, Route, Weights, Took, Result string
	Failed                           bool
}

func (v *view) writes() []writeView {
	var all []writeView
	for _, w := range v.story.Writes {
		x := writeView{At: v.story.elapsed(w.From), Route: v.story.routeText(w.Route), Weights: w.Weights.String(), Took: secondsText(w.Longest), Result: "accepted"}
		if w.Error != "" {
			x.Failed, x.Result = true, "failed: "+w.Error
		}
		if w.Times > 1 {
			x.Result += fmt.Sprintf(" (%d times until %s)", w.Times, v.story.elapsed(w.To))
		}
		all = append(all, x)
	}
	return all
}

// weightRow is a row of the table of weights.
type weightRow struct {
	At      string
	Percent []string
}

func (v *view) weightRows(environments []environment) []weightRow {
	var all []weightRow
	for _, w := range v.story.weights {
		row := weightRow{At: v.story.elapsed(w.At)}
		for _, e := range environments {
			row.Percent = append(row.Percent, percentText(w.Weights[e.Name]))
		}
		all = append(all, row)
	}
	return all
}

// momentView is a row of the timeline.
type momentView struct{ At, Clock, Text, Class string }

func (v *view) moments() []momentView {
	var all []momentView
	for _, m := range v.story.Moments {
		x := momentView{At: v.story.elapsed(m.At), Clock: m.At.UTC().Format(time.TimeOnly), Text: m.Text}
		if m.Kind == string(rollout.RollbackStarted) || m.Kind == string(rollout.HealthDegraded) {
			x.Class = "bad"
		}
		if m.More > 0 {
			x.Text += fmt.Sprintf(" (and %d more events)", m.More)
		}
		all = append(all, x)
	}
	return all
}
