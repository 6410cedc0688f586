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
	if len(g.Runs) <= maxRuns {
		return
	}
	// Runs that change all the time: the older half is merged in pairs, with the counts of each.
	var left []Run
	for i, old := range g.Runs {
		if i%2 == 1 && i < maxRuns/2 {
			left[len(left)-1].merge(old)
			continue
		}
		left = append(left, old)
	}
	g.Runs = left
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
	// Thinned is how many passes are left out.
	Thinned int
}

// Point is the value of an evaluation, or the range of several that did not pass.
type Point struct {
	From, To  time.Time
	Low, High float64
	Status    string // the worst
	Times     int
}

// maxPoints limits the points of a series.
const maxPoints = 240

func (g *GateStory) addPoint(e Entry, m Measurement) {
	i := slices.IndexFunc(g.Series, func(s *Series) bool { return s.Name == m.Name && s.Entry == m.Entry && s.Unit == m.Unit })
	if i < 0 && len(g.Series) == maxSeries {
		g.More++
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
	if len(s.Points) > maxPoints {
		s.thin()
	}
}

// thin halves the passes or, where that is not enough, merges the others in pairs, with their
// range. The extremes of passes stay.
func (s *Series) thin() {
	var left []Point
	drop := false
	for i, p := range s.Points {
		extreme := p.High == s.High || p.Low == s.Low
		if drop = isPass(p.Status) && !drop && !extreme && i > 0 && i < len(s.Points)-1; drop {
			s.Thinned++
			continue
		}
		left = append(left, p)
	}
	if len(left) > maxPoints*3/4 {
		merged := left[:0:0]
		for i, p := range left {
			if i%2 == 1 && i < len(left)-1 {
				merged[len(merged)-1].merge(p)
				continue
			}
			merged = append(merged, p)
		}
		left = merged
	}
	s.Points = left
}

func (p *Point) merge(x Point) {
	p.To, p.Low, p.High, p.Times = x.To, min(p.Low, x.Low), max(p.High, x.High), p.Times+x.Times
	if badness(x.Status) > badness(p.Status) {
		p.Status = x.Status
	}
}
