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
func (s *shifting) end(result rollout.Result, err error) ending {
	routes := s.routesLeft(result)
	if err == nil {
		return s.completed(result, routes)
	}
	var failure *rollout.Failure
	if !errors.As(err, &failure) {
		failure = &rollout.Failure{Cause: rollout.RouterFailed, Left: rollout.Unmoved, Err: err}
	}
	diags := append(s.told(result), s.shiftFailed(result, failure))
	if s.state == nil {
		return ending{diags: diags}
	}
	end := s.leftBehind(result, routes, failure)
	end.diags = diags
	return end
}

// routesLeft is what the routes were read to do last.
func (s *shifting) routesLeft(result rollout.Result) map[string]routeMemory {
	left := map[string]routeMemory{}
	for _, route := range result.Routes {
		if seen := rememberRoute(route.Setting); route.Read || seen.Weights != nil || seen.Answer != "" {
			left[route.ID] = seen
		} else if before, ok := s.memory.Routes[route.ID]; ok {
			left[route.ID] = before
		}
	}
	return left
}

// settled is an apply that moved no traffic: the plan said all there is.
func (s *shifting) settled(routes map[string]routeMemory) ending {
	end := ending{model: s.plan, memory: s.memory}
	end.memory.Routes, end.memory.Adopted = routes, nil
	if id := s.prior.previous(s.wanted); id != nil {
		end.memory.Previous = new(*s.memory.Previous)
		end.memory.Previous.Environment = id.Environment
	}
	if r := s.prior.rejection(s.wanted); r != nil {
		end.memory.Rejected = new(*s.memory.Rejected)
		end.memory.Rejected.Environment = r.Environment
	}
	return end
}

// completed is an apply that reached what was wanted.
func (s *shifting) completed(result rollout.Result, routes map[string]routeMemory) ending {
	end := s.settled(routes)
	end.memory.Attempt = nil
	end.diags = s.told(result)
	if !s.plan.Stable.IsUnknown() {
		return end
	}
	if s.nothingNew(result) {
		s.keep(&end.model, result)
		return end
	}
	now := time.Now()
	goal := s.wanted.goal
	end.memory.Previous = s.previousAfter(result, now)
	end.memory.Rejected = s.rejectedAfter(result)
	end.memory.ReadAt = nil
	if end.memory.Previous != nil {
		end.memory.ReadAt = &now
	}
	names := slices.Sorted(maps.Keys(s.wanted.environments))
	end.model.Stable = stableValue(goal, names, s.wanted.versions())
	live, _ := goal.Sole()
	end.model.Live = sideValue(live, s.versionOf(live))
	end.model.Previous = sideValue("", "")
	if p := end.memory.Previous; p != nil {
		end.model.Previous = sideValue(p.Environment, p.Version)
	}
	end.model.Rejected = rejectedValue(newPrior(s.wanted, s.state, end.memory).rejection(s.wanted))
	end.model.LastShift = types.ObjectNull(shiftTypes) // a Create that found everything in its place
	if result.Kind != shift.Nothing {
		end.model.LastShift = lastShift{outcome: Completed, from: result.From, to: goal, started: s.started, finished: now}.value()
	}
	return end
}

// nothingNew: the plan could not know, but all was where the last completed
// shift had left it, as where a route joins that gives what is wanted already.
func (s *shifting) nothingNew(result rollout.Result) bool {
	return s.state != nil && result.Kind == shift.Nothing && (s.wanted.goal == nil || s.wanted.goal.Equal(s.spec.Stable))
}

// keep fills in what such an apply leaves as it was.
func (s *shifting) keep(m *switchModel, result rollout.Result) {
	m.Stable = s.prior.stableNow(s.wanted)
	var all []shift.Weights
	for _, route := range result.Routes {
		all = append(all, route.Weights)
	}
	live, _ := shift.Mean(all).Sole()
	m.Live = sideValue(live, s.versionOf(live))
	m.Previous = sideValue("", "")
	if id := s.prior.previous(s.wanted); id != nil {
		m.Previous = sideValue(id.Environment, id.Version)
	}
	m.Rejected = rejectedValue(s.prior.rejection(s.wanted))
	m.LastShift = s.state.LastShift
}

func (s *shifting) versionOf(name string) string {
	if e := s.wanted.environments[name]; e != nil {
		return e.version
	}
	return ""
}

// previousAfter is who had all the traffic before a shift forward: in the last
// completed shift, or where that left the goal itself, when this one began.
// After any way back there is none: what was left is not to be returned to.
func (s *shifting) previousAfter(result rollout.Result, now time.Time) *identityMemory {
	if result.Kind != shift.Forward {
		return nil
	}
	who := s.stableBefore(result)
	goal, sole := s.wanted.goal.Sole()
	if who != nil && sole && who.Environment == goal {
		who = s.foundBefore(result)
	}
	if who == nil || sole && who.Environment == goal {
		return nil
	}
	who.At = now
	return who
}

// stableBefore is the environment that had all the traffic before; nil where
// none had, or none of the switch's.
func (s *shifting) stableBefore(result rollout.Result) *identityMemory {
	if s.state == nil { // a Create goes by what it found
		return s.foundBefore(result)
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

// foundBefore is the environment that had all the traffic when the shift began.
func (s *shifting) foundBefore(result rollout.Result) *identityMemory {
	name, _ := result.From.Sole()
	if e := s.wanted.environments[name]; e != nil {
		return &identityMemory{Environment: name, Version: e.version, Groups: e.groups}
	}
	return nil
}

// rejectedAfter forgets a rejected version once it has completed after all, or
// nobody has it any more.
func (s *shifting) rejectedAfter(result rollout.Result) *identityMemory {
	m, r := s.memory.Rejected, s.prior.rejection(s.wanted)
	if r == nil || result.Kind != shift.Forward {
		return m
	}
	e := s.wanted.environments[r.Environment]
	if e == nil || e.version != r.Version || s.wanted.goal[r.Environment] > 0 {
		return nil
	}
	return m
}

// leftBehind is an Update that failed: the state from before, with what is
// true now and never what was planned.
func (s *shifting) leftBehind(result rollout.Result, routes map[string]routeMemory, f *rollout.Failure) ending {
	now := time.Now()
	left := sight{model: *s.state, memory: s.memory}
	maps.Copy(routes, missingFrom(routes, s.memory.Routes))
	left.memory.Routes = routes
	left.model.Schedule = types.StringNull() // so that the next plan shows its text
	left.memory.Attempt = &attemptMemory{Environments: s.spec.Groups}
	gaining := s.gaining(result, f, now)
	switch {
	case f.Rejects && f.Cause == rollout.WasHandedBack && s.known(gaining):
		// It was rejected before, and the reason is still that.
	case f.Rejects:
		left.reject(gaining)
		left.model.Retry = s.plan.Retry // it has been used up
	case f.Left == rollout.Stayed || f.Left == rollout.Untouched || f.Left == rollout.CannotServe:
		// Moved by this apply or by one before it, which was killed or stopped.
		if result.Moved || !result.From.Equal(s.spec.Stable) {
			left.memory.Attempt.Stopped = gaining
		}
	}
	repeats := result.Kind == shift.Forward && s.wanted.goal.Equal(s.spec.Stable) // and ends where it was found
	if result.Moved && !repeats && (f.Left == rollout.Restored || f.Left == rollout.NotRestored) {
		left.memory.Previous, left.model.Previous = nil, sideValue("", "")
	}
	if began := result.From != nil || f.Left != rollout.Unmoved; began && f.Cause != rollout.WasRejected && f.Cause != rollout.WasHandedBack {
		left.model.LastShift = lastShift{
			outcome: outcomeOf(f), reason: reasonOf(f), from: result.From, to: s.wanted.goal, started: s.started, finished: now,
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
func (s *shifting) known(who *identityMemory) bool {
	r := s.prior.rejection(s.wanted)
	return who != nil && r != nil && r.Environment == who.Environment && r.Version == who.Version
}

// gaining is the environment that a shift was for: the one that was to gain
// most, of those that have a version. The last completed shift may have led
// there already, and the traffic been moved away since.
func (s *shifting) gaining(result rollout.Result, f *rollout.Failure, now time.Time) *identityMemory {
	most, from := "", s.spec.Stable
	if len(s.wanted.goal.Gaining(from)) == 0 {
		from = result.From
	}
	for _, name := range s.wanted.goal.Gaining(from) {
		if s.versionOf(name) != "" && (most == "" || s.wanted.goal[name]-from[name] > s.wanted.goal[most]-from[most]) {
			most = name
		}
	}
	if most == "" {
		return nil
	}
	e := s.wanted.environments[most]
	return &identityMemory{Environment: most, Version: e.version, Groups: e.groups, At: now, Reason: reasonOf(f)}
}
