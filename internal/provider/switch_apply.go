package provider

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// rollbackMargin is added to the time for which credentials must last, for clock skew and
// calls in flight.
const rollbackMargin = 30 * time.Second

// change is a planned Create (state is nil) or Update.
type change struct {
	plan    switchModel
	state   *switchModel
	memory  memory
	decided planMemory
}

// applyResult is the result of an apply. After an error the model is the prior state with
// what is true now; after a failed Create it is empty.
type applyResult struct {
	model  switchModel
	memory memory
	diags  diag.Diagnostics
}

// failed is the result of an apply that failed before it did anything.
func (c change) failed(diags ...diag.Diagnostic) applyResult {
	end := applyResult{memory: c.memory, diags: diags}
	if c.state != nil {
		end.model = *c.state
	}
	return end
}

// shiftRun is a change that is being applied.
type shiftRun struct {
	change
	desired desired
	prior   prior
	spec    rollout.Spec
	started time.Time
}

// apply is the one path of Create and Update.
func (r *switchResource) apply(ctx context.Context, c change) applyResult {
	defer r.backend.busy.begin()()
	rd := &reader{}
	traffic := trafficConfig{weights: &c.plan.Weights}
	if c.decided.Ignored {
		traffic.ignored, traffic.weights = true, nil
	}
	s := shiftRun{change: c, desired: rd.read(c.plan, traffic), started: time.Now()}
	if rd.diags.HasError() {
		return c.failed(rd.diags...)
	}
	s.prior = newPrior(s.desired, c.state, c.memory)
	s.spec = s.prior.spec(s.desired)
	schedule, err := s.spec.Decide(s.prior.observed(s.desired))
	switch {
	case err != nil:
		return c.failed(undecidedError(trafficPath(c.plan), err))
	case c.state != nil && schedule.IsEmpty():
		return s.withoutShift(c.memory.Routes)
	case schedule.Kind == shift.Revert && s.isTooOld():
		return c.failed(planTooOld(s.desired.window))
	}
	if d := r.prepare(ctx, &s, schedule); d != nil {
		return c.failed(d)
	}
	tflog.Info(ctx, "shift_decided", map[string]any{"shift": s.spec.ID, "kind": schedule.Kind.String()})
	result, err := rollout.Run(ctx, s.spec)
	if c, connectErr := r.backend.connect(ctx, ""); connectErr == nil {
		c.reader.Invalidate()
	}
	return s.finish(result, err)
}

// isTooOld reports whether a plan without steps, made within the rollback window, is applied
// after it.
func (s *shiftRun) isTooOld() bool {
	previous := s.memory.Previous
	return previous == nil || s.started.Sub(previous.At) > s.desired.window
}

// prepare completes the spec of a shift and checks what would prevent it from completing. A
// rollback or revert does not wait for target groups and gates that it does not need, and
// neither does a schedule that moves nothing.
func (r *switchResource) prepare(ctx context.Context, s *shiftRun, schedule shift.Schedule) diag.Diagnostic {
	if len(s.desired.routes) == 0 {
		return noRoutes(routesPath)
	}
	gates, failed := s.desired.buildGates(r.backend.dependencies(ctx, s.desired.routes[0].arn))
	if len(failed) > 0 && schedule.Kind == shift.Forward {
		return s.gateRefused(failed[0])
	}
	c, err := r.backend.connect(ctx, s.desired.routes[0].arn)
	if err == nil {
		err = r.backend.checkAccount(ctx, c)
	}
	if err == nil && (schedule.Kind == shift.Forward || schedule.Kind == shift.NoChange) {
		err = c.forward.CheckGroups(ctx, s.desired.entryGroups(schedule.Attached)...)
	}
	if err != nil {
		return s.refusal(err)
	}
	s.spec.ID = fmt.Sprintf("%s-%04x", s.started.UTC().Format("20060102T150405Z"), rand.N(1<<16))
	s.spec.Router, s.spec.RollbackRouter = c.forward, c.rollback
	s.spec.Gates = gates
	s.spec.CredentialsLast = func(ctx context.Context, d time.Duration) error { return c.credentialsLast(ctx, d+rollbackMargin) }
	s.spec.OnEvent = func(e rollout.Event) { logEvent(ctx, s.spec.ID, e) }
	return nil
}

// entryGroups returns the routes of each entry point with the target groups that are in an
// action during the shift.
func (w desired) entryGroups(named []string) []elb.Entry {
	var all []elb.Entry
	for _, entry := range w.entries {
		e := elb.Entry{}
		for _, route := range w.routes {
			if route.entry == entry {
				e.Routes = append(e.Routes, route.arn)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(w.environments)) {
			if slices.Contains(named, name) {
				e.Groups = append(e.Groups, w.environments[name].groups[entry])
			}
		}
		all = append(all, e)
	}
	return all
}

// logEvent logs an event; TF_LOG_PROVIDER=info shows it.
func logEvent(ctx context.Context, id string, e rollout.Event) {
	fields := map[string]any{"shift": id}
	for key, value := range map[string]string{"route": e.Route, "gate": e.Gate, "status": string(e.Status), "detail": e.Text} {
		if value != "" {
			fields[key] = value
		}
	}
	if e.Weights != nil {
		fields["weights"] = e.Weights.String()
	}
	tflog.Info(ctx, string(e.Kind), fields)
}
