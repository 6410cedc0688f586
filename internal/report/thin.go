package report

import "time"

// mergeable is what can be merged with what follows it.
type mergeable[T any] interface {
	*T
	start() time.Time
	// isBad separates what is merged: passes with passes, and what is no pass with the like.
	isBad() bool
	merge(next T)
}

// thinned merges what is close together in time, evenly over the whole time, until there are at
// most limit. Nothing is dropped.
func thinned[T any, P mergeable[T]](all []T, limit int) []T {
	if len(all) <= limit || limit < 4 {
		return all
	}
	total := P(&all[len(all)-1]).start().Sub(P(&all[0]).start())
	for gap := total / time.Duration(limit); ; gap += gap/4 + 1 {
		var merged []T
		last := map[bool]int{} // by isBad: the position in merged, from 1
		for _, x := range all {
			bad, at := P(&x).isBad(), P(&x).start()
			if i := last[bad]; i > 0 && at.Sub(P(&merged[i-1]).start()) < gap {
				P(&merged[i-1]).merge(x)
				continue
			}
			merged = append(merged, x)
			last[bad] = len(merged)
		}
		if len(merged) <= limit || gap > total {
			return merged
		}
	}
}

func (p *Point) start() time.Time { return p.From }
func (p *Point) isBad() bool      { return !isPass(p.Status) }

// merge adds the range of another point.
func (p *Point) merge(next Point) {
	p.To, p.Low, p.High, p.Times = next.To, min(p.Low, next.Low), max(p.High, next.High), p.Times+next.Times
	if badness(next.Status) > badness(p.Status) {
		p.Status = next.Status
	}
}

func (r *Run) start() time.Time { return r.From }
func (r *Run) isBad() bool      { return !isPass(r.Status) }

func (h *HealthAt) start() time.Time { return h.At }
func (h *HealthAt) isBad() bool      { return false }

// merge keeps the lowest number of healthy targets.
func (h *HealthAt) merge(next HealthAt) {
	h.Times += next.Times
	if next.Healthy < h.Healthy {
		h.Targets = next.Targets
	}
}
