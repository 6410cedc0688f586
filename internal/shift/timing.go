package shift

import (
	"strconv"
	"strings"
	"time"
)

// callTime is what a stage may spend on calls of the balancer's API on top of
// its waits, retries under throttling included, before the shift counts as
// hung. It stands in the longest time alone.
const callTime = 30 * time.Second

// span is the shortest and the longest time that something takes.
type span struct{ short, long time.Duration }

func (a span) plus(b span) span { return span{a.short + b.short, a.long + b.long} }

// Shortest is how long the shift takes when everything is well at once.
func (s Schedule) Shortest() time.Duration { return s.span().short }

// Longest is how long it may take; what lasts longer has hung and goes back.
func (s Schedule) Longest() time.Duration { return s.span().long }

func (s Schedule) span() span {
	t := s.request.Terms
	total := span{long: 2 * callTime} // reading, attaching, detaching
	switch s.Kind {
	case Forward:
	case Return:
		return total.plus(span{long: t.HealthTimeout + callTime}).plus(t.told().gated(After, Step{Hold: t.Settle}))
	case Back:
		return total.plus(span{t.Settle, t.Settle + callTime})
	case Nothing, Refused, HandedBack:
		return total
	}
	if s.proves() {
		total = total.plus(span{t.SteadyFor, max(t.SteadyFor, t.HealthTimeout) + callTime})
		total = total.plus(t.gated(Before, Step{}))
	}
	if s.Judge != nil {
		total = total.plus(t.gated(During, *s.Judge))
	}
	for _, step := range s.Steps {
		total = total.plus(span{long: t.HealthTimeout + callTime})
		if step.At != Whole {
			total = total.plus(t.gated(During, step))
		}
	}
	return total.plus(t.gated(After, Step{Hold: t.Bake})).plus(span{t.Settle, t.Settle})
}

// proves: the side that receives has no traffic yet and is proven first.
func (s Schedule) proves() bool {
	return s.Judge == nil && !s.Finish && len(s.Gaining) > 0
}

// gated is a hold under gates: at best they pass as soon as they see anything,
// at worst each uses up all that it is granted.
func (t Terms) gated(part When, step Step) span {
	hold := span{step.Hold, step.Hold + callTime}
	for _, g := range t.Armed(part, step) {
		hold.short = max(hold.short, t.holdsUp(g, part))
		hold.long = max(hold.long, step.Hold+callTime+g.longest())
	}
	return hold
}

// longest is how long a gate can keep a stage from passing.
func (g GateTerms) longest() time.Duration {
	round := g.Interval + g.Timeout
	if g.DryRun { // it is heard once, and that is all
		return g.InitialDelay + round
	}
	tries := time.Duration(g.ErrorLimit+1+g.FailureLimit+1) * round
	return g.InitialDelay + max(tries, g.InconclusiveTimeout+round)
}

// Words says a duration as a user writes it: "1h30m", not "1h30m0s".
func Words(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// roughly says a time to plan by: from a second on rounded up to whole ones.
func roughly(d time.Duration) string {
	if d < time.Second {
		return Words(d)
	}
	return Words((d + time.Second - 1).Truncate(time.Second))
}

// ordinal words a place: 2 is "2nd".
func ordinal(n int) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return strconv.Itoa(n) + suffix
}

// RouteName words the n-th route (from 1) of an entry point that has so many.
func RouteName(entry string, n, of int) string {
	if of == 1 {
		return entry
	}
	return entry + ", " + ordinal(n) + " route"
}
