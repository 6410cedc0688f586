package shift

import (
	"strconv"
	"strings"
	"time"
)

// callAllowance is how long a stage may spend on API calls on top of its waits,
// including retries of throttled ones. Only Longest includes it.
const callAllowance = 30 * time.Second

// span is the shortest and the longest duration of something.
type span struct{ short, long time.Duration }

func (a span) plus(b span) span { return span{a.short + b.short, a.long + b.long} }

// Shortest returns the duration of the shift if health and gates pass immediately.
func (s Schedule) Shortest() time.Duration { return s.span().short }

// Longest returns the longest duration of the shift. A shift that takes longer is
// rolled back.
func (s Schedule) Longest() time.Duration { return s.span().long }

func (s Schedule) span() span {
	t := s.request.Strategy
	total := span{long: 2 * callAllowance} // reading, attaching, detaching
	switch s.Kind {
	case Forward:
	case Revert:
		return total.plus(span{long: t.HealthTimeout + callAllowance}).plus(t.reportOnly().gated(After, Step{Hold: t.Settle}))
	case Rollback:
		return total.plus(span{t.Settle, t.Settle + callAllowance})
	case NoChange, Rejected, ExternalChange:
		return total
	}
	if s.checksReadiness() {
		total = total.plus(span{t.SteadyFor, max(t.SteadyFor, t.HealthTimeout) + callAllowance})
		total = total.plus(t.gated(Before, Step{}))
	}
	if s.Split != nil {
		total = total.plus(t.gated(During, *s.Split))
	}
	for _, step := range s.Steps {
		total = total.plus(span{long: t.HealthTimeout + callAllowance})
		if step.At != Full {
			total = total.plus(t.gated(During, step))
		}
	}
	return total.plus(t.gated(After, Step{Hold: t.Bake})).plus(span{t.Settle, t.Settle})
}

// checksReadiness reports whether the shift starts with a health check: the gaining
// environments have no traffic yet.
func (s Schedule) checksReadiness() bool {
	return s.Split == nil && !s.BakeOnly && len(s.Gaining) > 0
}

// gated returns the duration of a hold under gates. At best they pass with their
// first data, at worst one of them uses all its tolerated failures, errors and time.
func (t Strategy) gated(part When, step Step) span {
	hold := span{step.Hold, step.Hold + callAllowance}
	for _, g := range t.GatesFor(part, step) {
		hold.short = max(hold.short, t.minimumWait(g, part))
		hold.long = max(hold.long, step.Hold+callAllowance+g.longest())
	}
	return hold
}

// longest returns how long a gate can delay the end of a stage.
func (g GateSettings) longest() time.Duration {
	round := g.Interval + g.Timeout
	if g.DryRun { // evaluated once, whatever the result
		return g.InitialDelay + round
	}
	tries := time.Duration(g.ErrorLimit+1+g.FailureLimit+1) * round
	return g.InitialDelay + max(tries, g.InconclusiveTimeout+round)
}

// FormatDuration formats a duration as a user writes it: "1h30m", not "1h30m0s".
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

// roundUp formats a duration, rounded up to whole seconds from 1s.
func roundUp(d time.Duration) string {
	if d < time.Second {
		return FormatDuration(d)
	}
	return FormatDuration((d + time.Second - 1).Truncate(time.Second))
}

// ordinal formats a position: 2 is "2nd".
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

// RouteName names the n-th route (from 1) of the entry point, which has of routes.
func RouteName(entry string, n, of int) string {
	if of == 1 {
		return entry
	}
	return entry + ", " + ordinal(n) + " route"
}
