package release

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Apply is a change that is being applied.
type Apply struct {
	Desired Desired
	Prior   Prior
	Spec    rollout.Spec
	Retry   string // the planned value
	Started time.Time
	// Shifts is Planned.Shifts: the plan left the values open.
	Shifts bool
}

// End is how an apply ended. A failed Create leaves nothing: its State and Memory are
// zero.
type End struct {
	Failure *rollout.Failure // nil: the desired weights are reached
	Memory  Memory
	// State has the computed values: after a failure the prior state with what is true
	// now. Nil where the apply reached what was planned.
	State *State
	// RetryUsed reports that a failure used up the planned value of retry.
	RetryUsed bool
}

// Finish turns the result of the engine into what is true now.
func (a Apply) Finish(result rollout.Result, err error) End {
	routes := a.routesLeft(result)
	if err == nil {
		return a.completed(result, routes)
	}
	failure := FailureOf(err)
	if a.Prior.State == nil {
		return End{Failure: failure}
	}
	return a.failed(result, routes, failure)
}

// FailureOf returns the failure that an error of the engine is.
func FailureOf(err error) *rollout.Failure {
	if failure, ok := errors.AsType[*rollout.Failure](err); ok {
		return failure
	}
	return &rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.Unchanged, Err: err}
}

// Unchanged is the end of an apply that made no calls.
func (a Apply) Unchanged() End { return a.withoutShift(a.Prior.Memory.Routes) }

// IsTooOld reports whether a plan without steps, made within the rollback window, is
// applied after it.
func (a Apply) IsTooOld() bool {
	previous := a.Prior.Memory.Previous
	return previous == nil || a.Started.Sub(previous.At) > a.Desired.Strategy.RollbackWindow
}

// routesLeft is what the routes were last read to do.
func (a Apply) routesLeft(result rollout.Result) map[string]RouteMemory {
	left := map[string]RouteMemory{}
	for _, route := range result.Routes {
		if route.Missing {
			continue
		}
		if seen := rememberRoute(route.State); route.Read || seen.Weights != nil || seen.Response != "" {
			left[route.ID] = seen
		} else if before, ok := a.Prior.Memory.Routes[route.ID]; ok {
			left[route.ID] = before
		}
	}
	return left
}

// withoutShift is the end of an apply that moved no traffic.
func (a Apply) withoutShift(routes map[string]RouteMemory) End {
	end := End{Memory: a.Prior.Memory}
	end.Memory.Routes, end.Memory.Adopted = routes, nil
	if id := a.Prior.previous(a.Desired); id != nil {
		end.Memory.Previous = new(*a.Prior.Memory.Previous)
		end.Memory.Previous.Environment = id.Environment
	}
	if r := a.Prior.Rejection(a.Desired); r != nil {
		end.Memory.Rejected = new(*a.Prior.Memory.Rejected)
		end.Memory.Rejected.Environment = r.Environment
	}
	return end
}

// completed is the end of an apply that reached the desired weights.
func (a Apply) completed(result rollout.Result, routes map[string]RouteMemory) End {
	end := a.withoutShift(routes)
	end.Memory.Attempt = nil
	end.Memory.endRecords(result)
	if !a.Shifts {
		return end
	}
	if a.nothingChanged(result) {
		end.State = a.unchangedState(result)
		return end
	}
	now, w := time.Now(), a.Desired
	end.Memory.Previous = a.previousAfter(result, now)
	end.Memory.Rejected = a.rejectedAfter(result)
	end.Memory.ReadAt = nil
	if end.Memory.Previous != nil {
		end.Memory.ReadAt = &now
	}
	end.State = &State{Stable: w.stable(), Live: w.liveOf(w.Weights)}
	if p := end.Memory.Previous; p != nil {
		end.State.Previous = Identity{Environment: p.Environment, Version: p.Version}
	}
	end.State.Rejected = NewPrior(w, a.Prior.State, end.Memory, a.Prior.platform).Rejection(w)
	if result.Kind != shift.NoChange { // otherwise a Create that found the desired weights
		end.State.LastShift = &LastShift{Outcome: Completed, From: result.From, To: w.Weights, Started: a.Started, Finished: now}
	}
	return end
}

// nothingChanged reports whether the weights were already what the last completed shift
// left, although the plan could not know, as where a route joins with the desired weights.
func (a Apply) nothingChanged(result rollout.Result) bool {
	return a.Prior.State != nil && result.Kind == shift.NoChange && (a.Desired.Weights == nil || a.Desired.Weights.Equal(a.Spec.StableMean()))
}

// unchangedState is the state after such an apply.
func (a Apply) unchangedState(result rollout.Result) *State {
	return &State{
		Stable:    a.Prior.currentStable(a.Desired),
		Live:      a.Desired.liveOf(MeanOf(result)),
		Previous:  identityOf(a.Prior.previous(a.Desired)),
		Rejected:  a.Prior.Rejection(a.Desired),
		LastShift: a.Prior.State.LastShift,
	}
}

// MeanOf returns what the routes of a result have on average; nil where none forwards. A
// route that does not exist serves nobody.
func MeanOf(result rollout.Result) shift.Weights {
	var all []shift.Weights
	for _, route := range result.Routes {
		if !route.Missing {
			all = append(all, route.Weights)
		}
	}
	return shift.Mean(all)
}

// previousAfter is the environment that had all traffic before a shift forward: in the
// last completed shift or, where that left the desired weights themselves, when this shift
// started. After a rollback or revert there is none.
func (a Apply) previousAfter(result rollout.Result, now time.Time) *IdentityMemory {
	if result.Kind == shift.Join || result.Kind == shift.Forward && a.keepsStable() {
		return a.withoutShift(nil).Memory.Previous
	}
	if result.Kind != shift.Forward {
		return nil
	}
	previous := a.stableBefore(result)
	live, sole := a.Desired.Weights.Sole()
	if previous != nil && sole && previous.Environment == live {
		previous = a.observedBefore(result)
	}
	if previous == nil || sole && previous.Environment == live {
		return nil
	}
	previous.At = now
	return previous
}

// keepsStable reports whether the desired weights are those of the last completed shift,
// with the same versions: a route joined, or a partial external change was undone.
func (a Apply) keepsStable() bool {
	if a.Prior.State == nil || !a.Desired.Weights.Equal(a.Spec.StableMean()) {
		return false
	}
	return !slices.ContainsFunc(a.Desired.Weights.Names(), func(name string) bool {
		return a.Spec.Request.Environment(name).VersionChanged
	})
}

// endRecords remembers the end of a shift: the records of the routes are removed, or mean
// nothing.
func (m *Memory) endRecords(result rollout.Result) {
	ended := slices.Clone(m.Ended)
	for _, id := range result.Records {
		if !slices.Contains(ended, id) {
			ended = append(ended, id)
		}
	}
	m.Ended, m.Records = ended, nil
}

// stableBefore is the environment that had all traffic before; nil where the traffic was
// split or on an unmanaged group.
func (a Apply) stableBefore(result rollout.Result) *IdentityMemory {
	if a.Prior.State == nil { // a Create starts from the observed weights
		return a.observedBefore(result)
	}
	before, _ := a.Prior.State.Stable.Weights.Sole()
	e, known := a.Prior.State.Environments[before]
	if !known {
		return nil
	}
	now := a.Prior.CurrentName(before)
	if a.Prior.Memory.Adopted != nil { // an import knows no versions, the configuration does
		return &IdentityMemory{Environment: now, Version: a.Desired.VersionOf(now), Groups: e.Groups}
	}
	version := e.Version
	if v := a.Prior.State.Stable.Versions[before]; version != "" && v != "" {
		version = v // the environment may have been changed since, while it had no traffic
	}
	return &IdentityMemory{Environment: now, Version: version, Groups: e.Groups}
}

// observedBefore is the environment that had all traffic when the shift started.
func (a Apply) observedBefore(result rollout.Result) *IdentityMemory {
	name, _ := result.From.Sole()
	if e, ok := a.Desired.Environments[name]; ok {
		return &IdentityMemory{Environment: name, Version: e.Version, Groups: e.Groups}
	}
	return nil
}

// rejectedAfter forgets a rejected version once it has completed a shift or no environment
// has it.
func (a Apply) rejectedAfter(result rollout.Result) *IdentityMemory {
	m, r := a.Prior.Memory.Rejected, a.Prior.Rejection(a.Desired)
	if r == nil || result.Kind != shift.Forward {
		return m
	}
	if a.Desired.VersionOf(r.Environment) != r.Version || a.Desired.Weights[r.Environment] > 0 {
		return nil
	}
	return m
}

// failed is the end of a failed Update: the prior state with what is true now, never what
// was planned.
func (a Apply) failed(result rollout.Result, routes map[string]RouteMemory, f *rollout.Failure) End {
	now := time.Now()
	attempt := Observation{State: *a.Prior.State, Memory: a.Prior.Memory, platform: a.Prior.platform}
	attempt.Memory.Routes = maps.Clone(a.Prior.Memory.Routes) // those that this shift did not touch stay
	if attempt.Memory.Routes == nil {
		attempt.Memory.Routes = map[string]RouteMemory{}
	}
	maps.Copy(attempt.Memory.Routes, routes)
	attempt.forgetMissing(result)
	attempt.State.Schedule = "" // so that the next plan shows it
	attempt.Memory.Attempt = &AttemptMemory{Environments: a.Spec.Owners.Environments(), Left: result.Left}
	if f.Cause != rollout.Locked && f.Cause != rollout.OtherSwitch {
		attempt.Memory.endRecords(result)
	}
	gaining, end := a.Gaining(result, f, now), End{Failure: f}
	switch {
	case f.Rejects && f.Cause == rollout.MovedExternally && a.isRejected(gaining):
		// It was rejected before, and that reason still holds.
	case f.Rejects:
		attempt.reject(gaining)
		end.RetryUsed = true
	case f.Cause == rollout.RouteMissing || f.Cause == rollout.GroupMissing || f.Cause == rollout.LeaseLost:
		// Neither a deletion nor what another apply does says anything about the version.
	case isAnswered(routes):
		// The command that makes the route forward again returns its traffic, which is no verdict.
	case f.Disposition == rollout.Stopped || f.Disposition == rollout.NotOverridden || f.Disposition == rollout.RollbackUnhealthy:
		// Moved by this apply, or by an earlier one that did not finish.
		if result.Moved || !result.From.Equal(a.Spec.StableMean()) {
			attempt.Memory.Attempt.Stopped = gaining
		}
	}
	repeats := result.Kind == shift.Forward && a.Desired.Weights.Equal(a.Spec.StableMean()) // and ends where it started
	if result.Moved && !repeats && (f.Disposition == rollout.RolledBack || f.Disposition == rollout.RollbackFailed) {
		attempt.Memory.Previous, attempt.State.Previous = nil, Identity{}
	}
	if began := result.From != nil || f.Disposition != rollout.Unchanged; began && f.Cause != rollout.VersionRejected && f.Cause != rollout.MovedExternally {
		attempt.State.LastShift = &LastShift{Outcome: OutcomeOf(f), Reason: Reason(f), From: result.From, To: a.Desired.Weights, Started: a.Started, Finished: now}
	}
	attempt.setTraffic()
	end.State, end.Memory = &attempt.State, attempt.Memory
	return end
}

// isAnswered reports whether a route responds or redirects instead of forwarding.
func isAnswered(routes map[string]RouteMemory) bool {
	for _, seen := range routes {
		if seen.Response != "" {
			return true
		}
	}
	return false
}

// forgetMissing forgets what routes do that do not exist, as a refresh does.
func (s *Observation) forgetMissing(result rollout.Result) {
	before := maps.Clone(s.Memory.Routes)
	for _, route := range result.Routes {
		if !route.Missing {
			continue
		}
		delete(s.Memory.Routes, route.ID)
		if label := route.State.Label; label != "" {
			before[route.ID] = RouteMemory{Label: label}
		}
	}
	s.Memory.keepLabels(before, s.State.Routes)
}

// isRejected reports whether this is the version that is rejected.
func (a Apply) isRejected(who *IdentityMemory) bool {
	r := a.Prior.Rejection(a.Desired)
	return who != nil && r != nil && r.Environment == who.Environment && r.Version == who.Version
}

// Gaining returns the environment with a version that gains the largest share; nil where
// there is none. A version that replaced the stable one gains from the weights at the start,
// and so do all where the last completed shift already led to the desired weights.
func (a Apply) Gaining(result rollout.Result, f *rollout.Failure, now time.Time) *IdentityMemory {
	from := unreleased(a.Spec, a.Spec.StableMean(), result.From)
	if len(a.Desired.Weights.Gaining(from)) == 0 {
		from = result.From
	}
	most := a.Desired.gaining(from)
	if most == "" {
		return nil
	}
	e, why := a.Desired.Environments[most], *f
	why.Disposition = "" // a later apply may do something else about the traffic
	return &IdentityMemory{Environment: most, Version: e.Version, Groups: e.Groups, At: now, Reason: Reason(&why)}
}
