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
	t := s.request.Strategy
	total := span{long: 2 * callTime} // reading, attaching, detaching
	switch s.Kind {
	case Forward:
	case Revert:
		return total.plus(span{long: t.HealthTimeout + callTime}).plus(t.reportOnly().gated(After, Step{Hold: t.Settle}))
	case Rollback:
		return total.plus(span{t.Settle, t.Settle + callTime})
	case NoChange, Rejected, ExternalChange:
		return total
	}
	if s.checksReadiness() {
		total = total.plus(span{t.SteadyFor, max(t.SteadyFor, t.HealthTimeout) + callTime})
		total = total.plus(t.gated(Before, Step{}))
	}
	if s.Split != nil {
		total = total.plus(t.gated(During, *s.Split))
	}
	for _, step := range s.Steps {
		total = total.plus(span{long: t.HealthTimeout + callTime})
		if step.At != Full {
			total = total.plus(t.gated(During, step))
		}
	}
	return total.plus(t.gated(After, Step{Hold: t.Bake})).plus(span{t.Settle, t.Settle})
}

// checksReadiness: the side that receives has no traffic yet and is proven first.
func (s Schedule) checksReadiness() bool {
	return s.Split == nil && !s.BakeOnly && len(s.Gaining) > 0
}

// gated is a hold under gates: at best they pass as soon as they see anything,
// at worst each uses up all that it is granted.
func (t Strategy) gated(part When, step Step) span {
	hold := span{step.Hold, step.Hold + callTime}
	for _, g := range t.GatesFor(part, step) {
		hold.short = max(hold.short, t.minimumWait(g, part))
		hold.long = max(hold.long, step.Hold+callTime+g.longest())
	}
	return hold
}

// longest is how long a gate can keep a stage from passing.
func (g GateSettings) longest() time.Duration {
	round := g.Interval + g.Timeout
	if g.DryRun { // it is heard once, and that is all
		return g.InitialDelay + round
	}
	tries := time.Duration(g.ErrorLimit+1+g.FailureLimit+1) * round
	return g.InitialDelay + max(tries, g.InconclusiveTimeout+round)
}

// FormatDuration says a duration as a user writes it: "1h30m", not "1h30m0s".
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// roundUp says a time to plan by: from a second on rounded up to whole ones.
func roundUp(d time.Duration) string {
	if d < time.Second {
		return FormatDuration(d)
	}
	return FormatDuration((d + time.Second - 1).Truncate(time.Second))
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
