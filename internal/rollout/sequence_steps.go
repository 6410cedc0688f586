package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// stepwise is the part of a sequence that raises the traffic by steps, under health and
// gates.
type stepwise struct{ *sequence }

// preflight calls the gates that can prevent a start. It skips them for a current split,
// because blocking would leave the split in place, and where the gaining environments
// have most of the traffic: an alarm that a canary set off must not block the shift that
// makes the canary smaller.
func (s stepwise) preflight(ctx context.Context) *Failure {
	if s.exposed || s.backends.haveMostTraffic() {
		return nil
	}
	return s.monitor.preflight(ctx, s.monitor.named(s.spec.Request.Strategy.Gates))
}

// checkIdle waits until the gaining environments are healthy, then until the gates before
// any traffic pass. For environments that already have traffic, evaluateSplit does this
// instead.
func (s stepwise) checkIdle(ctx context.Context) *Failure {
	if s.exposed || len(s.schedule.Gaining) == 0 {
		return nil
	}
	s.report.phase("health check")
	whole := s.backends.incoming(s.desired.highest(shift.Full)) // a shift that cannot be completed does not start
	f := s.monitor.wait(ctx, stage{name: "health check before the first step", part: shift.Before, ready: whole, steady: true})
	if f != nil {
		return f
	}
	s.monitor.resetGates()
	gates := s.gatesFor(shift.Before, shift.Step{})
	if len(gates) == 0 {
		return nil
	}
	s.evaluated = gates
	s.report.phase("gates before any traffic")
	return s.monitor.wait(ctx, stage{name: "gates before any traffic", part: shift.Before, gates: gates})
}

// takeSteps takes the steps up to 100 %, and skips those in between where the giving side
// has no registered target.
func (s stepwise) takeSteps(ctx context.Context) *Failure {
	advances, f := s.evaluateSplit(ctx)
	for _, step := range s.schedule.Steps {
		switch {
		case f != nil:
			return f
		case !advances:
			advances, f = s.takeStep(ctx, step)
		case step.At == shift.Full:
			f = s.advance(ctx, step)
		}
	}
	return f
}

// evaluateSplit holds and evaluates the observed split like a step of this shift.
func (s stepwise) evaluateSplit(ctx context.Context) (advances bool, f *Failure) {
	if s.schedule.Split == nil {
		return false, nil
	}
	step := *s.schedule.Split
	s.step, s.at = s.path.reached(step.At), step.At
	s.monitor.resetGates()
	s.report.phase("evaluate the current split")
	return s.hold(ctx, step, stage{name: "evaluation of the current split", watch: s.backends.incoming(s.fleet.mean())})
}

// takeStep runs one step: it waits for the health that its weights need, sets the
// weights, and holds them.
func (s stepwise) takeStep(ctx context.Context, step shift.Step) (advances bool, f *Failure) {
	next := s.desired.highest(step.At)
	s.report.phase("health check for " + step.At.String())
	check := stage{name: "health check before " + s.path.name(step.At), part: shift.Before, gates: s.evaluated, ready: s.backends.incoming(next), permit: s.lease.permit()}
	if s.exposed {
		check.part, check.watch = shift.During, s.backends.incoming(s.fleet.mean())
	}
	if f := s.monitor.wait(ctx, check); f != nil {
		return false, f
	}
	if f := s.checkCredentials(ctx, step); f != nil {
		return false, f
	}
	s.report.phase("shift to " + step.At.String())
	if f := s.setWeights(ctx, step.At); f != nil || step.At == shift.Full {
		return false, f // the hold at 100 % is the bake
	}
	s.report.phase("hold at " + step.At.String())
	return s.hold(ctx, step, stage{name: s.path.name(step.At), watch: s.backends.incoming(next)})
}

// hold holds the weights of a step below 100 %, and reports whether the rest of the shift
// follows at once. No step is skipped that has gates of its own: one of them may ask a person.
func (s stepwise) hold(ctx context.Context, step shift.Step, st stage) (advances bool, f *Failure) {
	st.part, st.hold = shift.During, step.Hold
	st.gates = s.gatesFor(shift.During, step)
	s.evaluated, st.source = st.gates, s.backends.outgoing()
	gated := slices.ContainsFunc(s.schedule.Steps, func(x shift.Step) bool {
		return x.At > step.At && x.At < shift.Full && s.spec.Request.Strategy.HasOwnGates(x)
	})
	if !s.spec.WarnOnSourceUnhealthy && !gated {
		st.advance, st.permit = s.backends.incoming(s.desired.highest(shift.Full)), s.lease.permit()
	}
	return s.monitor.hold(ctx, st)
}

// advance goes to 100 % at once. The hold that ended early has checked the health for that,
// the gates and the lease.
func (s stepwise) advance(ctx context.Context, full shift.Step) *Failure {
	if f := s.checkCredentials(ctx, full); f != nil {
		return f
	}
	from := s.at
	s.report.phase("shift to " + full.At.String())
	if f := s.setWeights(ctx, full.At); f != nil {
		return f
	}
	s.report.warn(fmt.Sprintf("The shift went from %s to %s at once, because the environments that give traffic had no registered targets (on_source_unhealthy = \"advance\").", from, full.At))
	return nil
}
