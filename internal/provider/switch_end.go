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

// finish turns the result of a shift into state.
func (s *shiftRun) finish(result rollout.Result, err error) applyResult {
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
		return applyResult{diags: diags}
	}
	end := s.failedAttempt(result, routes, failure)
	end.diags = diags
	return end
}

// routesLeft is what the routes were last read to do.
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

// withoutShift is the result of an apply that moved no traffic.
func (s *shiftRun) withoutShift(routes map[string]routeMemory) applyResult {
	end := applyResult{model: s.plan, memory: s.memory}
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

// completed is the result of an apply that reached the desired weights.
func (s *shiftRun) completed(result rollout.Result, routes map[string]routeMemory) applyResult {
	end := s.withoutShift(routes)
	end.memory.Attempt = nil
	end.diags = s.warnings(result)
	if !s.plan.Stable.IsUnknown() {
		return end
	}
	if s.nothingChanged(result) {
		s.keepUnchanged(&end.model, result)
		return end
	}
	now := time.Now()
	weights := s.desired.weights
	end.memory.Previous = s.previousAfter(result, now)
	end.memory.Rejected = s.rejectedAfter(result)
	end.memory.ReadAt = nil
	if end.memory.Previous != nil {
		end.memory.ReadAt = &now
	}
	names := slices.Sorted(maps.Keys(s.desired.environments))
	end.model.Stable = stableValue(weights, names, s.desired.versions())
	live, _ := weights.Sole()
	end.model.Live = identityValue(live, s.versionOf(live))
	end.model.Previous = identityValue("", "")
	if p := end.memory.Previous; p != nil {
		end.model.Previous = identityValue(p.Environment, p.Version)
	}
	end.model.Rejected = rejectedValue(newPrior(s.desired, s.state, end.memory).rejection(s.desired))
	end.model.LastShift = types.ObjectNull(shiftTypes) // a Create that found the desired weights
	if result.Kind != shift.NoChange {
		end.model.LastShift = lastShift{outcome: Completed, from: result.From, to: weights, started: s.started, finished: now}.value()
	}
	return end
}

// nothingChanged reports whether the weights were already what the last completed shift left,
// although the plan could not know, as where a route joins with the desired weights.
func (s *shiftRun) nothingChanged(result rollout.Result) bool {
	return s.state != nil && result.Kind == shift.NoChange && (s.desired.weights == nil || s.desired.weights.Equal(s.spec.StableMean()))
}

// keepUnchanged sets what such an apply leaves unchanged.
func (s *shiftRun) keepUnchanged(m *switchModel, result rollout.Result) {
	m.Stable = s.prior.currentStable(s.desired)
	var all []shift.Weights
	for _, route := range result.Routes {
		all = append(all, route.Weights)
	}
	live, _ := shift.Mean(all).Sole()
	m.Live = identityValue(live, s.versionOf(live))
	m.Previous = identityValue("", "")
	if id := s.prior.previous(s.desired); id != nil {
		m.Previous = identityValue(id.Environment, id.Version)
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

// previousAfter is the environment that had all traffic before a shift forward: in the last
// completed shift or, where that left the desired weights themselves, when this shift started.
// After a rollback or revert there is none.
func (s *shiftRun) previousAfter(result rollout.Result, now time.Time) *identityMemory {
	if result.Kind != shift.Forward {
		return nil
	}
	previous := s.stableBefore(result)
	live, sole := s.desired.weights.Sole()
	if previous != nil && sole && previous.Environment == live {
		previous = s.observedBefore(result)
	}
	if previous == nil || sole && previous.Environment == live {
		return nil
	}
	previous.At = now
	return previous
}

// stableBefore is the environment that had all traffic before; nil where the traffic was split
// or on an unmanaged target group.
func (s *shiftRun) stableBefore(result rollout.Result) *identityMemory {
	if s.state == nil { // a Create starts from the observed weights
		return s.observedBefore(result)
	}
	before, _ := s.state.stableWeights().Sole()
	e, known := s.prior.known[before]
	if !known {
		return nil
	}
	now := s.prior.currentName(before)
	if s.memory.Adopted != nil { // an import knows no versions, the configuration does
		return &identityMemory{Environment: now, Version: s.versionOf(now), Groups: e.groups}
	}
	return &identityMemory{Environment: now, Version: e.version, Groups: e.groups}
}

// observedBefore is the environment that had all traffic when the shift started.
func (s *shiftRun) observedBefore(result rollout.Result) *identityMemory {
	name, _ := result.From.Sole()
	if e := s.desired.environments[name]; e != nil {
		return &identityMemory{Environment: name, Version: e.version, Groups: e.groups}
	}
	return nil
}

// rejectedAfter forgets a rejected version once it has completed a shift or no environment has
// it.
func (s *shiftRun) rejectedAfter(result rollout.Result) *identityMemory {
	m, r := s.memory.Rejected, s.prior.rejection(s.desired)
	if r == nil || result.Kind != shift.Forward {
		return m
	}
	e := s.desired.environments[r.Environment]
	if e == nil || e.version != r.Version || s.desired.weights[r.Environment] > 0 {
		return nil
	}
	return m
}

// failedAttempt is the result of a failed Update: the prior state with what is true now, never
// what was planned.
func (s *shiftRun) failedAttempt(result rollout.Result, routes map[string]routeMemory, f *rollout.Failure) applyResult {
	now := time.Now()
	attempt := observation{model: *s.state, memory: s.memory}
	maps.Copy(routes, missingFrom(routes, s.memory.Routes))
	attempt.memory.Routes = routes
	attempt.model.Schedule = types.StringNull() // so that the next plan shows it
	attempt.memory.Attempt = &attemptMemory{Environments: s.spec.Owners.Environments()}
	gaining := s.gaining(result, f, now)
	switch {
	case f.Rejects && f.Cause == rollout.MovedExternally && s.isRejected(gaining):
		// It was rejected before, and that reason still holds.
	case f.Rejects:
		attempt.reject(gaining)
		attempt.model.Retry = s.plan.Retry // it is used up
	case f.Disposition == rollout.Stopped || f.Disposition == rollout.LeftToOthers || f.Disposition == rollout.RollbackUnhealthy:
		// Moved by this apply, or by an earlier one that did not finish.
		if result.Moved || !result.From.Equal(s.spec.StableMean()) {
			attempt.memory.Attempt.Stopped = gaining
		}
	}
	repeats := result.Kind == shift.Forward && s.desired.weights.Equal(s.spec.StableMean()) // and ends where it started
	if result.Moved && !repeats && (f.Disposition == rollout.RolledBack || f.Disposition == rollout.RollbackFailed) {
		attempt.memory.Previous, attempt.model.Previous = nil, identityValue("", "")
	}
	if began := result.From != nil || f.Disposition != rollout.Unchanged; began && f.Cause != rollout.VersionRejected && f.Cause != rollout.MovedExternally {
		attempt.model.LastShift = lastShift{
			outcome: outcomeOf(f), reason: reasonOf(f), from: result.From, to: s.desired.weights, started: s.started, finished: now,
		}.value()
	}
	attempt.setTraffic()
	return applyResult{model: attempt.model, memory: attempt.memory}
}

// missingFrom returns the routes of the state that this shift did not touch.
func missingFrom(routes, before map[string]routeMemory) map[string]routeMemory {
	rest := maps.Clone(before)
	for arn := range routes {
		delete(rest, arn)
	}
	return rest
}

// isRejected reports whether this is the version that is rejected.
func (s *shiftRun) isRejected(who *identityMemory) bool {
	r := s.prior.rejection(s.desired)
	return who != nil && r != nil && r.Environment == who.Environment && r.Version == who.Version
}

// gaining is the environment with a version that gains the largest share. Where the last
// completed shift already led to the desired weights, the gain is from the weights at the start.
func (s *shiftRun) gaining(result rollout.Result, f *rollout.Failure, now time.Time) *identityMemory {
	most, from := "", s.spec.StableMean()
	if len(s.desired.weights.Gaining(from)) == 0 {
		from = result.From
	}
	for _, name := range s.desired.weights.Gaining(from) {
		if s.versionOf(name) != "" && (most == "" || s.desired.weights[name]-from[name] > s.desired.weights[most]-from[most]) {
			most = name
		}
	}
	if most == "" {
		return nil
	}
	e := s.desired.environments[most]
	return &identityMemory{Environment: most, Version: e.version, Groups: e.groups, At: now, Reason: reasonOf(f)}
}
