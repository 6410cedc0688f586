package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// wayBackMargin is how much longer than asked for credentials must last: a
// clock may be wrong, and a call may be on its way.
const wayBackMargin = 30 * time.Second

// change is a planned Create (state is nil) or Update.
type change struct {
	plan    switchModel
	state   *switchModel
	memory  memory
	decided planMemory
}

// ending is what an apply leaves. After an error the model is the state from
// before with what is true now; a Create has none then.
type ending struct {
	model  switchModel
	memory memory
	diags  diag.Diagnostics
}

// failed ends an apply that has not begun to do anything.
func (c change) failed(diags ...diag.Diagnostic) ending {
	end := ending{memory: c.memory, diags: diags}
	if c.state != nil {
		end.model = *c.state
	}
	return end
}

// shifting is a change under way.
type shifting struct {
	change
	wanted  wanted
	prior   prior
	spec    rollout.Spec
	started time.Time
}

// apply is the one path of Create and Update.
func (r *switchResource) apply(ctx context.Context, c change) ending {
	defer r.backend.busy.begin()()
	rd := &reader{}
	wish := wish{weights: &c.plan.Weights}
	if c.decided.Leave {
		wish.leave, wish.weights = true, nil
	}
	s := shifting{change: c, wanted: rd.read(c.plan, wish), started: time.Now()}
	if rd.diags.HasError() {
		return c.failed(rd.diags...)
	}
	s.prior = newPrior(s.wanted, c.state, c.memory)
	s.spec = s.prior.spec(s.wanted)
	schedule, err := s.spec.Decide(s.prior.found(s.wanted))
	switch {
	case err != nil:
		return c.failed(undecidable(trafficPath(c.plan), err))
	case c.state != nil && schedule.Quiet():
		return s.settled(c.memory.Routes)
	case schedule.Kind == shift.Return && s.tooLate():
		return c.failed(planTooOld(s.wanted.window))
	}
	if d := r.prepare(ctx, &s, schedule.Kind); d != nil {
		return c.failed(d)
	}
	tflog.Info(ctx, "shift begins", map[string]any{"shift": s.spec.ID, "kind": schedule.Kind.String()})
	result, err := rollout.Run(ctx, s.spec)
	if c, connectErr := r.backend.connect(ctx, ""); connectErr == nil {
		c.reader.Forget()
	}
	return s.end(result, err)
}

// tooLate: a plan that skips the steps was made within the rollback window,
// and is applied after it.
func (s *shifting) tooLate() bool {
	previous := s.memory.Previous
	return previous == nil || s.started.Sub(previous.At) > s.wanted.window
}

// prepare fills in what a shift needs beside what was decided, and looks at
// whatever would keep it from coming through. A way back is not kept waiting for
// groups and gates that it does not need.
func (r *switchResource) prepare(ctx context.Context, s *shifting, kind shift.Kind) diag.Diagnostic {
	gates, failed := s.wanted.named(r.backend.lookup)
	if len(failed) > 0 && kind == shift.Forward {
		return s.gateRefused(failed[0])
	}
	if len(s.wanted.routes) == 0 {
		return noRoutes(routesPath)
	}
	c, err := r.backend.connect(ctx, s.wanted.routes[0].arn)
	if err == nil {
		err = r.backend.checkAccount(ctx, c)
	}
	if err == nil && kind != shift.Back {
		err = c.forward.CheckGroups(ctx, s.wanted.balanced()...)
	}
	if err != nil {
		return s.refusal(err)
	}
	s.spec.ID = fmt.Sprintf("%s-%04x", s.started.UTC().Format("20060102T150405Z"), rand.N(1<<16))
	s.spec.Router, s.spec.Home = c.forward, c.home
	s.spec.Gates = gates
	s.spec.Lasts = func(ctx context.Context, d time.Duration) error { return c.lasts(ctx, d+wayBackMargin) }
	s.spec.Tell = func(e rollout.Event) { logEvent(ctx, s.spec.ID, e) }
	return nil
}

// balanced are the routes and groups of each entry point.
func (w wanted) balanced() []elb.Entry {
	var all []elb.Entry
	for _, entry := range w.entries {
		e := elb.Entry{}
		for _, route := range w.routes {
			if route.entry == entry {
				e.Routes = append(e.Routes, route.arn)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(w.environments)) {
			e.Groups = append(e.Groups, w.environments[name].groups[entry])
		}
		all = append(all, e)
	}
	return all
}

// logEvent tells what happens while it does; TF_LOG_PROVIDER=info shows it.
func logEvent(ctx context.Context, id string, e rollout.Event) {
	fields := map[string]any{"shift": id}
	for key, value := range map[string]string{"route": e.Route, "gate": e.Gate, "answer": string(e.Answer), "text": e.Text} {
		if value != "" {
			fields[key] = value
		}
	}
	if e.Weights != nil {
		fields["weights"] = e.Weights.String()
	}
	tflog.Info(ctx, "shift: "+string(e.Kind), fields)
}

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

func (s *shifting) versionOf(name string) string {
	if e := s.wanted.environments[name]; e != nil {
		return e.version
	}
	return ""
}

// previousAfter is who had all the traffic before a shift forward. After any
// way back there is none: what was left is not to be returned to.
func (s *shifting) previousAfter(result rollout.Result, now time.Time) *identityMemory {
	if result.Kind != shift.Forward {
		return nil
	}
	who := s.stableBefore(result)
	goal, _ := s.wanted.goal.Sole()
	if who == nil || who.Environment == goal {
		return nil
	}
	who.At = now
	return who
}

// stableBefore is the environment that had all the traffic before; nil where
// none had, or none of the switch's.
func (s *shifting) stableBefore(result rollout.Result) *identityMemory {
	if s.state == nil { // a Create goes by what it found
		name, _ := result.From.Sole()
		if e := s.wanted.environments[name]; e != nil {
			return &identityMemory{Environment: name, Version: e.version, Groups: e.groups}
		}
		return nil
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
	gaining := s.gaining(f, now)
	switch {
	case f.Rejects:
		left.reject(gaining)
		left.model.Retry = s.plan.Retry // it has been used up
	case f.Left == rollout.Stayed || f.Left == rollout.Untouched || f.Left == rollout.CannotServe:
		// Moved by this apply or by one before it, which was killed or stopped.
		if result.Moved || !result.From.Equal(s.spec.Stable) {
			left.memory.Attempt.Stopped = gaining
		}
	}
	if result.Moved && (f.Left == rollout.Restored || f.Left == rollout.NotRestored) {
		left.memory.Previous, left.model.Previous = nil, sideValue("", "")
	}
	if f.Cause != rollout.WasRejected && f.Cause != rollout.WasHandedBack {
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

// gaining is the environment that a shift was for: the one that was to gain
// most, of those that have a version.
func (s *shifting) gaining(f *rollout.Failure, now time.Time) *identityMemory {
	most := ""
	from := s.spec.Stable
	if f.Cause == rollout.WasHandedBack {
		from = nil // it has it all already
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
