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

// rollbackMargin is how much longer than asked for credentials must last: a
// clock may be wrong, and a call may be on its way.
const rollbackMargin = 30 * time.Second

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

// shiftRun is a change under way.
type shiftRun struct {
	change
	desired desired
	prior   prior
	spec    rollout.Spec
	started time.Time
}

// apply is the one path of Create and Update.
func (r *switchResource) apply(ctx context.Context, c change) ending {
	defer r.backend.busy.begin()()
	rd := &reader{}
	wish := trafficConfig{weights: &c.plan.Weights}
	if c.decided.Leave {
		wish.ignored, wish.weights = true, nil
	}
	s := shiftRun{change: c, desired: rd.read(c.plan, wish), started: time.Now()}
	if rd.diags.HasError() {
		return c.failed(rd.diags...)
	}
	s.prior = newPrior(s.desired, c.state, c.memory)
	s.spec = s.prior.spec(s.desired)
	schedule, err := s.spec.Decide(s.prior.found(s.desired))
	switch {
	case err != nil:
		return c.failed(undecidable(trafficPath(c.plan), err))
	case c.state != nil && schedule.IsEmpty():
		return s.settled(c.memory.Routes)
	case schedule.Kind == shift.Revert && s.tooLate():
		return c.failed(planTooOld(s.desired.window))
	}
	if d := r.prepare(ctx, &s, schedule); d != nil {
		return c.failed(d)
	}
	tflog.Info(ctx, "shift begins", map[string]any{"shift": s.spec.ID, "kind": schedule.Kind.String()})
	result, err := rollout.Run(ctx, s.spec)
	if c, connectErr := r.backend.connect(ctx, ""); connectErr == nil {
		c.reader.Invalidate()
	}
	return s.end(result, err)
}

// tooLate: a plan that skips the steps was made within the rollback window,
// and is applied after it.
func (s *shiftRun) tooLate() bool {
	previous := s.memory.Previous
	return previous == nil || s.started.Sub(previous.At) > s.desired.window
}

// prepare fills in what a shift needs beside what was decided, and looks at
// whatever would keep it from coming through. A way back, to the last completed
// shift or to the version before it, is not kept waiting for groups and gates
// that it does not need, nor is the word that nothing is to be moved.
func (r *switchResource) prepare(ctx context.Context, s *shiftRun, schedule shift.Schedule) diag.Diagnostic {
	if len(s.desired.routes) == 0 {
		return noRoutes(routesPath)
	}
	gates, failed := s.desired.named(r.backend.dependencies(ctx, s.desired.routes[0].arn))
	if len(failed) > 0 && schedule.Kind == shift.Forward {
		return s.gateRefused(failed[0])
	}
	c, err := r.backend.connect(ctx, s.desired.routes[0].arn)
	if err == nil {
		err = r.backend.checkAccount(ctx, c)
	}
	if err == nil && (schedule.Kind == shift.Forward || schedule.Kind == shift.NoChange) {
		err = c.forward.CheckGroups(ctx, s.desired.balanced(schedule.Attached)...)
	}
	if err != nil {
		return s.refusal(err)
	}
	s.spec.ID = fmt.Sprintf("%s-%04x", s.started.UTC().Format("20060102T150405Z"), rand.N(1<<16))
	s.spec.Router, s.spec.RollbackRouter = c.forward, c.home
	s.spec.Gates = gates
	s.spec.CredentialsLast = func(ctx context.Context, d time.Duration) error { return c.lasts(ctx, d+rollbackMargin) }
	s.spec.OnEvent = func(e rollout.Event) { logEvent(ctx, s.spec.ID, e) }
	return nil
}

// balanced are the routes of each entry point with the groups of those that
// stand in an action in the course of a shift.
func (w desired) balanced(named []string) []elb.Entry {
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

// logEvent tells what happens while it does; TF_LOG_PROVIDER=info shows it.
func logEvent(ctx context.Context, id string, e rollout.Event) {
	fields := map[string]any{"shift": id}
	for key, value := range map[string]string{"route": e.Route, "gate": e.Gate, "answer": string(e.Status), "text": e.Text} {
		if value != "" {
			fields[key] = value
		}
	}
	if e.Weights != nil {
		fields["weights"] = e.Weights.String()
	}
	tflog.Info(ctx, "shift: "+string(e.Kind), fields)
}
