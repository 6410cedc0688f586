package provider

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// end turns what a shift left behind into state.
func (s *shiftRun) end(result rollout.Result, err error) ending {
	routes := s.routesLeft(result)
	if err == nil {
		return s.completed(result, routes)
	}
	var failure *rollout.Failure
	if !errors.As(err, &failure) {
		failure = &rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.Unchanged, Err: err}
	}
	diags := append(s.warnings(result), s.shiftFailed(result, failure))
	if s.state == nil {
		return ending{diags: diags}
	}
	end := s.failedAttempt(result, routes, failure)
	end.diags = diags
	return end
}

// routesLeft is what the routes were read to do last.
func (s *shiftRun) routesLeft(result rollout.Result) map[string]routeMemory {
	left := map[string]routeMemory{}
	for _, route := range result.Routes {
		if seen := rememberRoute(route.State); route.Read || seen.Weights != nil || seen.Answer != "" {
			left[route.ID] = seen
		} else if before, ok := s.memory.Routes[route.ID]; ok {
			left[route.ID] = before
		}
	}
	return left
}

// settled is an apply that moved no traffic: the plan said all there is.
func (s *shiftRun) settled(routes map[string]routeMemory) ending {
	end := ending{model: s.plan, memory: s.memory}
	end.memory.Routes, end.memory.Adopted = routes, nil
	if id := s.prior.previous(s.desired); id != nil {
		end.memory.Previous = new(*s.memory.Previous)
		end.memory.Previous.Environment = id.Environment
	}
	if r := s.prior.rejection(s.desired); r != nil {
		end.memory.Rejected = new(*s.memory.Rejected)
		end.memory.Rejected.Environment = r.Environment
	}
	return end
}

// completed is an apply that reached what was wanted.
func (s *shiftRun) completed(result rollout.Result, routes map[string]routeMemory) ending {
	end := s.settled(routes)
	end.memory.Attempt = nil
	end.diags = s.warnings(result)
	if !s.plan.Stable.IsUnknown() {
		return end
	}
	if s.nothingNew(result) {
		s.keep(&end.model, result)
		return end
	}
	now := time.Now()
	goal := s.desired.goal
	end.memory.Previous = s.previousAfter(result, now)
	end.memory.Rejected = s.rejectedAfter(result)
	end.memory.ReadAt = nil
	if end.memory.Previous != nil {
		end.memory.ReadAt = &now
	}
	names := slices.Sorted(maps.Keys(s.desired.environments))
	end.model.Stable = stableValue(goal, names, s.desired.versions())
	live, _ := goal.Sole()
	end.model.Live = sideValue(live, s.versionOf(live))
	end.model.Previous = sideValue("", "")
	if p := end.memory.Previous; p != nil {
		end.model.Previous = sideValue(p.Environment, p.Version)
	}
	end.model.Rejected = rejectedValue(newPrior(s.desired, s.state, end.memory).rejection(s.desired))
	end.model.LastShift = types.ObjectNull(shiftTypes) // a Create that found everything in its place
	if result.Kind != shift.NoChange {
		end.model.LastShift = lastShift{outcome: Completed, from: result.From, to: goal, started: s.started, finished: now}.value()
	}
	return end
}

// nothingNew: the plan could not know, but all was where the last completed
// shift had left it, as where a route joins that gives what is wanted already.
func (s *shiftRun) nothingNew(result rollout.Result) bool {
	return s.state != nil && result.Kind == shift.NoChange && (s.desired.goal == nil || s.desired.goal.Equal(s.spec.Stable))
}

// keep fills in what such an apply leaves as it was.
func (s *shiftRun) keep(m *switchModel, result rollout.Result) {
	m.Stable = s.prior.stableNow(s.desired)
	var all []shift.Weights
	for _, route := range result.Routes {
		all = append(all, route.Weights)
	}
	live, _ := shift.Mean(all).Sole()
	m.Live = sideValue(live, s.versionOf(live))
	m.Previous = sideValue("", "")
	if id := s.prior.previous(s.desired); id != nil {
		m.Previous = sideValue(id.Environment, id.Version)
	}
	m.Rejected = rejectedValue(s.prior.rejection(s.desired))
	m.LastShift = s.state.LastShift
}

func (s *shiftRun) versionOf(name string) string {
	if e := s.desired.environments[name]; e != nil {
		return e.version
	}
	return ""
}

// previousAfter is who had all the traffic before a shift forward: in the last
// completed shift, or where that left the goal itself, when this one began.
// After any way back there is none: what was left is not to be returned to.
func (s *shiftRun) previousAfter(result rollout.Result, now time.Time) *identityMemory {
	if result.Kind != shift.Forward {
		return nil
	}
	who := s.stableBefore(result)
	goal, sole := s.desired.goal.Sole()
	if who != nil && sole && who.Environment == goal {
		who = s.observedBefore(result)
	}
	if who == nil || sole && who.Environment == goal {
		return nil
	}
	who.At = now
	return who
}

// stableBefore is the environment that had all the traffic before; nil where
// none had, or none of the switch's.
func (s *shiftRun) stableBefore(result rollout.Result) *identityMemory {
	if s.state == nil { // a Create goes by what it found
		return s.observedBefore(result)
	}
	before, _ := s.state.stableWeights().Sole()
	e, known := s.prior.known[before]
	if !known {
		return nil
	}
	now := s.prior.now(before)
	if s.memory.Adopted != nil { // an import knows no versions, the configuration does
		return &identityMemory{Environment: now, Version: s.versionOf(now), Groups: e.groups}
	}
	return &identityMemory{Environment: now, Version: e.version, Groups: e.groups}
}

// observedBefore is the environment that had all the traffic when the shift began.
func (s *shiftRun) observedBefore(result rollout.Result) *identityMemory {
	name, _ := result.From.Sole()
	if e := s.desired.environments[name]; e != nil {
		return &identityMemory{Environment: name, Version: e.version, Groups: e.groups}
	}
	return nil
}

// rejectedAfter forgets a rejected version once it has completed after all, or
// nobody has it any more.
func (s *shiftRun) rejectedAfter(result rollout.Result) *identityMemory {
	m, r := s.memory.Rejected, s.prior.rejection(s.desired)
	if r == nil || result.Kind != shift.Forward {
		return m
	}
	e := s.desired.environments[r.Environment]
	if e == nil || e.version != r.Version || s.desired.goal[r.Environment] > 0 {
		return nil
	}
	return m
}

// failedAttempt is an Update that failed: the state from before, with what is
// true now and never what was planned.
func (s *shiftRun) failedAttempt(result rollout.Result, routes map[string]routeMemory, f *rollout.Failure) ending {
	now := time.Now()
	left := observation{model: *s.state, memory: s.memory}
	maps.Copy(routes, missingFrom(routes, s.memory.Routes))
	left.memory.Routes = routes
	left.model.Schedule = types.StringNull() // so that the next plan shows its text
	left.memory.Attempt = &attemptMemory{Environments: s.spec.Groups}
	gaining := s.gaining(result, f, now)
	switch {
	case f.Rejects && f.Cause == rollout.MovedExternally && s.known(gaining):
		// It was rejected before, and the reason is still that.
	case f.Rejects:
		left.reject(gaining)
		left.model.Retry = s.plan.Retry // it has been used up
	case f.Disposition == rollout.Stopped || f.Disposition == rollout.LeftToOthers || f.Disposition == rollout.RollbackUnhealthy:
		// Moved by this apply or by one before it, which was killed or stopped.
		if result.Moved || !result.From.Equal(s.spec.Stable) {
			left.memory.Attempt.Stopped = gaining
		}
	}
	repeats := result.Kind == shift.Forward && s.desired.goal.Equal(s.spec.Stable) // and ends where it was found
	if result.Moved && !repeats && (f.Disposition == rollout.RolledBack || f.Disposition == rollout.RollbackFailed) {
		left.memory.Previous, left.model.Previous = nil, sideValue("", "")
	}
	if began := result.From != nil || f.Disposition != rollout.Unchanged; began && f.Cause != rollout.VersionRejected && f.Cause != rollout.MovedExternally {
		left.model.LastShift = lastShift{
			outcome: outcomeOf(f), reason: reasonOf(f), from: result.From, to: s.desired.goal, started: s.started, finished: now,
		}.value()
	}
	left.observe()
	return ending{model: left.model, memory: left.memory}
}

// missingFrom are the routes that the state has and this shift did not touch.
func missingFrom(routes, before map[string]routeMemory) map[string]routeMemory {
	rest := maps.Clone(before)
	for arn := range routes {
		delete(rest, arn)
	}
	return rest
}

// known tells whether this is the version that is rejected.
func (s *shiftRun) known(who *identityMemory) bool {
	r := s.prior.rejection(s.desired)
	return who != nil && r != nil && r.Environment == who.Environment && r.Version == who.Version
}

// gaining is the environment that a shift was for: the one that was to gain
// most, of those that have a version. The last completed shift may have led
// there already, and the traffic been moved away since.
func (s *shiftRun) gaining(result rollout.Result, f *rollout.Failure, now time.Time) *identityMemory {
	most, from := "", s.spec.Stable
	if len(s.desired.goal.Gaining(from)) == 0 {
		from = result.From
	}
	for _, name := range s.desired.goal.Gaining(from) {
		if s.versionOf(name) != "" && (most == "" || s.desired.goal[name]-from[name] > s.desired.goal[most]-from[most]) {
			most = name
		}
	}
	if most == "" {
		return nil
	}
	e := s.desired.environments[most]
	return &identityMemory{Environment: most, Version: e.version, Groups: e.groups, At: now, Reason: reasonOf(f)}
}
