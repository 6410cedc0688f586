package report

import (
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// badness orders statuses; unknown ones are the worst.
func badness(status string) int {
	i := slices.Index([]string{string(rollout.Pass), string(rollout.Inconclusive), string(rollout.Errored), string(rollout.Fail)}, status)
	if i < 0 {
		return 4
	}
	return i
}

func isPass(status string) bool { return status == string(rollout.Pass) }

// add adds an evaluation.
func (g *GateStory) add(e Entry) {
	g.Latest = e
	g.Count[e.Status]++
	g.addRun(e)
	if len(e.Measured) > 0 {
		g.last = e.Measured
	}
	for _, m := range e.Measured {
		if m.Value != nil {
			g.addPoint(e, m)
		}
	}
}

func (g *GateStory) addRun(e Entry) {
	x := Run{From: e.At, To: e.At, Count: map[string]int{e.Status: 1}, Status: e.Status, Detail: shortened(e.Detail), Measured: e.Measured, Longest: e.TookSeconds}
	if n := len(g.Runs); n > 0 && len(g.Runs[n-1].Count) == 1 && g.Runs[n-1].Status == e.Status {
		g.Runs[n-1].merge(x)
		return
	}
	g.Runs = append(g.Runs, x)
	if len(g.Runs) > 2*maxRuns {
		g.Runs = thinned(g.Runs, maxRuns)
	}
}

// merge adds evaluations that follow.
func (r *Run) merge(x Run) {
	r.To, r.Longest = x.To, max(r.Longest, x.Longest)
	count := maps.Clone(r.Count)
	for status, n := range x.Count {
		count[status] += n
	}
	r.Count = count
	if badness(x.Status) >= badness(r.Status) {
		r.Status, r.Detail, r.Measured = x.Status, x.Detail, x.Measured
	}
}

// Times is how many evaluations it is.
func (r Run) Times() int {
	n := 0
	for _, count := range r.Count {
		n += count
	}
	return n
}

// Series is the values of one measurement of a gate.
type Series struct {
	Measurement // its names, and the limits as last seen
	Low, High   float64
	Points      []Point
}

// Point is the value of an evaluation, or the range of several: either passes, or none of them.
type Point struct {
	From, To  time.Time
	Low, High float64
	Status    string // the worst
	Times     int
}

// maxPoints is how many points of a series are drawn. Up to twice as many are retained.
const maxPoints = 240

func (g *GateStory) addPoint(e Entry, m Measurement) {
	i := slices.IndexFunc(g.Series, func(s *Series) bool { return s.Name == m.Name && s.Entry == m.Entry && s.Unit == m.Unit })
	if i < 0 && len(g.Series) == maxSeries {
		g.More = true
		return
	}
	v := *m.Value
	if i < 0 {
		i = len(g.Series)
		g.Series = append(g.Series, &Series{Low: v, High: v})
	}
	s := g.Series[i]
	s.Measurement = m
	s.Low, s.High = min(s.Low, v), max(s.High, v)
	s.Points = append(s.Points, Point{From: e.At, To: e.At, Low: v, High: v, Status: e.Status, Times: 1})
	if len(s.Points) > 2*maxPoints {
		s.Points = thinned(s.Points, maxPoints)
	}
}
