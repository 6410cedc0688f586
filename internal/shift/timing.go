package shift

import (
	"slices"
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

// SyncTimeout is how long a write may take to reach every server, where clients cache answers:
// Route 53 names 60 seconds under normal conditions.
const SyncTimeout = 3 * time.Minute

// span includes the time that writes may take to reach every server.
func (s Schedule) span() span {
	total := s.stages()
	if s.Request.cached() > 0 {
		total.long += time.Duration(len(s.Steps)) * SyncTimeout
	}
	return total
}

func (s Schedule) stages() span {
	t := s.Request.Strategy
	total := span{long: 2 * callAllowance} // reading, attaching, detaching
	if s.RollsBackFirst {
		total.long += callAllowance
	}
	switch s.Kind {
	case Forward:
	case Join:
		return total.plus(span{long: t.HealthTimeout + callAllowance}).plus(span{t.Settle, t.Settle + callAllowance})
	case Accept:
		return total.plus(t.ReportOnly().gated(After, Step{Hold: t.Settle}))
	case Revert:
		return total.plus(span{long: t.HealthTimeout + callAllowance}).plus(t.ReportOnly().gated(After, Step{Hold: t.Settle}))
	case Rollback:
		return total.plus(span{t.Settle, t.Settle + callAllowance})
	case NoChange, Rejected, ExternalChange, OtherSwitch, RouteMissing:
		return total
	}
	if s.ChecksReadiness() {
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
	bake := t.gated(After, Step{Hold: t.Bake})
	if s.BakesBelow() {
		bake.short = 0 // it is over then, unless on_source_unhealthy cut it short
	}
	return total.plus(bake).plus(span{t.Settle, t.Settle})
}

// ChecksReadiness reports whether the shift starts with a health check: the gaining
// environments have no traffic yet.
func (s Schedule) ChecksReadiness() bool {
	return s.Split == nil && !s.BakeOnly && len(s.Gaining) > 0
}

// gated returns the duration of a hold under gates. At best they pass with their
// first data, at worst one of them uses all its tolerated failures, errors and time.
func (t Strategy) gated(part When, step Step) span {
	hold := span{step.Hold, step.Hold + callAllowance}
	for _, g := range t.GatesFor(part, step) {
		hold.short = max(hold.short, t.minimumWait(g, part))
		hold.long = max(hold.long, step.Hold+callAllowance+g.Longest())
	}
	return hold
}

// Longest returns how long a gate can delay the end of a stage.
func (g GateSettings) Longest() time.Duration {
	round := g.Interval + g.Timeout
	if g.DryRun { // evaluated once, whatever the result
		return g.InitialDelay + round
	}
	tries := time.Duration(g.ErrorLimit+1+g.FailureLimit+1) * round
	return g.InitialDelay + max(tries, g.InconclusiveTimeout+round)
}

// DataAfter returns how long after a weight change the gate has its first data: only what
// follows the initial delay counts. 0: immediately.
func (g GateSettings) DataAfter() time.Duration {
	if g.Lag == 0 {
		return 0
	}
	return g.InitialDelay + g.Lag
}

// minimumWait returns how long a wait lasts at least because of the gate. Before any
// traffic and without an initial delay, the gate's data counts from the start of the shift,
// and health has been steady for SteadyFor by then.
func (t Strategy) minimumWait(g GateSettings, part When) time.Duration {
	switch {
	case g.DryRun:
		return g.InitialDelay
	case part == Before && g.InitialDelay == 0:
		return max(0, g.Lag-t.SteadyFor)
	}
	return max(g.InitialDelay, g.DataAfter())
}

// ReportOnly returns the strategy with all gates report-only, as in a revert.
func (t Strategy) ReportOnly() Strategy {
	t.Gates = slices.Clone(t.Gates)
	for i := range t.Gates {
		t.Gates[i].DryRun = true
	}
	return t
}
