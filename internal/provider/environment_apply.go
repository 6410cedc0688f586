package provider

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/ledger"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/retire"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// createOrUpdate is the one path of Create (state is nil) and Update. It returns when the
// environment is ready. It returns no memory where it read nothing.
func (r *environmentResource) createOrUpdate(ctx context.Context, plan environmentModel, state *environmentModel, before environmentMemory) (*environmentMemory, diag.Diagnostics) {
	defer r.backend.busy.begin()() // a gate's program ends before the process does
	want, diags := plan.read()
	if diags.HasError() {
		return nil, diags
	}
	groups := plan.groups()
	if state != nil && !state.needsProof(plan) && !state.needsProofWhileIdle(plan) {
		r.backend.ledger.Claim(groups)
		return nil, nil
	}
	if router := plan.platform(); router.Composes() { // only a switch knows the groups, and checks their health
		return &before, r.prove(ctx, nil, proving{model: plan, want: want})
	}
	c, err := r.backend.connect(ctx, groups[0])
	if err != nil {
		return nil, diag.Diagnostics{plan.notCreated(err)}
	}
	users, err := c.Groups.References(ctx, groups)
	if err != nil {
		return nil, diag.Diagnostics{plan.notCreated(err)}
	}
	memory := rememberReferences(users, r.testsOf(plan), before.Routes)
	if state == nil || state.needsProof(plan) || !memory.carriesTraffic() {
		if diags = r.prove(ctx, c, proving{plan, want, users}); diags.HasError() {
			return nil, diags
		}
	}
	r.backend.ledger.Claim(groups)
	return &memory, diags
}

// needsProof reports whether what serves changes, so that readiness is unknown.
func (m environmentModel) needsProof(plan environmentModel) bool {
	return len(m.changesTo(plan)) > 0
}

// needsProofWhileIdle reports whether the readiness check has changed. An environment
// that carries traffic is not checked again: that could only prevent the switch from
// moving the traffic away from it.
func (m environmentModel) needsProofWhileIdle(plan environmentModel) bool {
	return m.isImported() || !m.sameReadiness(plan) || !plan.BackedBy.Equal(m.BackedBy) || !m.sameBackends(plan)
}

// proving is an environment and its readiness check.
type proving struct {
	model      environmentModel
	want       readiness
	references []traffic.Reference
}

// backends returns the target groups with the listeners and rules that have them.
func (p proving) backends() []traffic.Backend {
	var all []traffic.Backend
	for _, entry := range slices.Sorted(maps.Keys(p.want.groups)) {
		b := traffic.Backend{Entry: entry, Environment: p.model.Name.ValueString(), Version: p.model.Version.ValueString(), Group: p.want.groups[entry]}
		for _, u := range p.references {
			if u.Group == b.Group {
				b.Routes = append(b.Routes, u.Route)
			}
		}
		all = append(all, b)
	}
	return all
}

// prove runs the readiness check. Without clients, health is left to the switch.
func (r *environmentResource) prove(ctx context.Context, c *platform.Clients, p proving) diag.Diagnostics {
	some := ""
	if groups := p.model.groups(); len(groups) > 0 {
		some = groups[0]
	}
	gates, failed := gates.Build(p.want.gates, r.backend.dependencies(ctx, p.model.platform(), some))
	if len(failed) > 0 {
		return diag.Diagnostics{p.gateRefused(failed[0].Name, failed[0].Err)}
	}
	router := p.model.platform()
	limits := router.Limits
	limits.AttachesIdle = limits.AttachesIdle || c == nil // no route is known, so that nothing is checked
	check := rollout.Readiness{
		Limits: limits, Environment: p.model.Name.ValueString(), Backends: p.backends(), Gates: gates, Health: p.want.health,
		ID: newID(time.Now()),
	}
	if c != nil {
		check.Router = c.Forward
	}
	check.OnEvent = eventLogger(ctx, "environment", check.Environment)
	for _, backend := range check.Backends {
		if limits.AttachesIdle && len(backend.Routes) == 0 {
			tflog.Info(ctx, "health_left_to_switch", // no listener or rule has the target group
				map[string]any{"environment": check.Environment, "entry_point": backend.Entry, "target_group": backend.Group})
		}
	}
	warnings, err := rollout.CheckReadiness(ctx, check)
	if err == nil {
		return p.warnings(warnings)
	}
	var failure *rollout.Failure
	if !errors.As(err, &failure) {
		failure = &rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.Unchanged, Err: err}
	}
	if c != nil {
		if now, readErr := c.Groups.References(ctx, p.model.groups()); readErr == nil {
			p.references = now // the references may have changed during the wait
		}
	}
	return diag.Diagnostics{p.notReady(failure)}
}

// destroy is Delete. It is refused while the environment carries traffic; then it waits
// for in-flight requests and detaches the target groups. It ignores target groups that
// another environment has claimed, and those that no longer exist.
func (r *environmentResource) destroy(ctx context.Context, state environmentModel, before environmentMemory) diag.Diagnostics {
	known, diags := r.backend.groupsOf(state)
	groups := r.backend.ledger.Unclaimed(known)
	if diags.HasError() || len(groups) == 0 {
		return diags
	}
	c, err := r.backend.connect(ctx, groups[0])
	if err != nil {
		return diag.Diagnostics{state.notDestroyed(err)}
	}
	at := location{finder: c.Groups, reader: c.Forward, groups: groups, routes: before.Routes}
	if c.Recorder != nil && !r.backend.noRecord && state.isProtected() && !r.backend.allowDestroy {
		at.recorder, at.ended = c.Recorder, r.backend.isEnded
	}
	found, err := r.locateWithoutRemoved(ctx, state, at)
	switch {
	case err != nil:
		return diag.Diagnostics{state.notDestroyed(err)}
	case len(found.existing) == 0:
		return nil
	case found.memory(r.testsOf(state)).carriesTraffic():
		return r.refuse(ctx, state, found.memory(r.testsOf(state)))
	}
	if router := state.platform(); router.Limits.AttachesIdle && state.isProtected() && !r.backend.allowDestroy {
		used, err := usedOnUnknownRoutes(ctx, c, r.backend.ledger, found)
		if err != nil {
			return diag.Diagnostics{state.notDestroyed(err)}
		}
		if used != "" {
			return diag.Diagnostics{routesUnknown(state.Name.ValueString(), used)}
		}
	}
	if err := r.drain(ctx, c, state, found.existing); err != nil {
		return diag.Diagnostics{state.notDestroyed(err)}
	}
	at.groups = found.existing
	return r.detachAll(ctx, c, state, at)
}

// groupsOf returns the groups of an environment that is being destroyed. Where only a switch knows them, it is one of
// those that this run has updated or destroyed: Terraform does that first.
func (b *backend) groupsOf(state environmentModel) ([]string, diag.Diagnostics) {
	if router := state.platform(); !router.Composes() {
		return state.groups(), nil
	}
	groups := b.ledger.Adopted(state.ID.ValueString())
	if len(groups) == 0 && state.isProtected() && !b.allowDestroy {
		return nil, diag.Diagnostics{trafficUnknown(state.Name.ValueString())}
	}
	return slices.DeleteFunc(slices.Clone(groups), b.ledger.IsPlanned), nil // another environment has them now
}

// healthTimeout bounds a read of health of a destroy, and unusedTimeout the wait until targets are unused.
const (
	healthTimeout = 30 * time.Second
	unusedTimeout = 5 * time.Second
)

// Terraform destroys a test rule that depends on nothing of the environment at the same time as the environment.
const (
	removalTimeout = 10 * time.Second
	removalPoll    = 500 * time.Millisecond
)

// locateWithoutRemoved is locate. Where only rules that may be for tests send traffic, it waits for a moment until they
// are removed.
func (r *environmentResource) locateWithoutRemoved(ctx context.Context, state environmentModel, at location) (location, error) {
	waiting, cancel := context.WithTimeout(ctx, removalTimeout)
	defer cancel()
	for {
		found, err := r.locate(ctx, at)
		if err != nil || !state.isProtected() || r.backend.allowDestroy || !found.memory(r.testsOf(state)).mayBeTests() {
			return found, err
		}
		select {
		case <-waiting.Done():
			return found, ctx.Err()
		case <-time.After(removalPoll):
		}
	}
}

// usedOnUnknownRoutes returns a group that no known route has, although a load balancer checks its targets, so that a
// route has it and may send it traffic; empty where there is none. It takes a moment until targets of a group that was
// just detached are unused. A group of a switch of this run is on no other routes than those of the switch.
func usedOnUnknownRoutes(ctx context.Context, c *platform.Clients, l *ledger.Ledger, found location) (string, error) {
	groups := slices.DeleteFunc(slices.Clone(found.existing), func(group string) bool {
		return l.IsSwitched(group) || slices.ContainsFunc(found.users, func(u traffic.Reference) bool { return u.Group == group })
	})
	waiting, cancel := context.WithTimeout(ctx, unusedTimeout)
	defer cancel()
	for groups = l.Unclaimed(groups); len(groups) > 0; groups = l.Unclaimed(groups) {
		health, err := readHealth(ctx, c, groups)
		if err != nil {
			return "", err
		}
		groups = slices.DeleteFunc(groups, func(group string) bool { return !isChecked(health[group]) })
		if len(groups) == 0 {
			break
		}
		select {
		case <-waiting.Done():
			return groups[0], ctx.Err()
		case <-time.After(removalPoll):
		}
	}
	return "", nil
}

// readHealth reads the health of groups within a deadline of its own.
func readHealth(ctx context.Context, c *platform.Clients, groups []string) (map[string]traffic.Health, error) {
	limited, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return c.Forward.Health(limited, groups)
}

// isChecked reports whether a load balancer checks a target of a group.
func isChecked(h traffic.Health) bool {
	return h.Count(traffic.Healthy)+h.Count(traffic.Unhealthy)+h.Count(traffic.Initial) > 0
}

// refuse reports an environment that carries traffic, unless destroying it is allowed:
// then there is nothing to wait for.
func (r *environmentResource) refuse(ctx context.Context, state environmentModel, m environmentMemory) diag.Diagnostics {
	if state.isProtected() && !r.backend.allowDestroy {
		return diag.Diagnostics{destroyRefused(state.Name.ValueString(), m.Traffic, r.backend.ledger.IsRoute)}
	}
	tflog.Warn(ctx, "destroyed_with_traffic", // as BLUEGREEN_ALLOW_DESTROY=1 allows
		map[string]any{"environment": state.Name.ValueString(), "traffic": trafficSummary(m.Traffic)})
	return nil
}

func (r *environmentResource) drain(ctx context.Context, c *platform.Clients, state environmentModel, groups []string) error {
	want, _ := state.read()
	if want.drain == nil {
		longest, err := c.Groups.LongestDelay(ctx, groups)
		if err != nil {
			return err
		}
		want.drain = &longest
	}
	return retire.Drain(ctx, retire.DrainSpec{
		Router: c.Forward, Groups: groups, For: *want.drain,
		OnEvent: eventLogger(ctx, "environment", state.Name.ValueString()),
	})
}

// detachTimeout bounds the detaching of target groups. An interrupt does not cut it
// short, because it moves no traffic and is brief.
const detachTimeout = time.Minute

// detachAll is the end of Delete. It reads the routes again, because traffic may have come
// back during the drain, and removes the target groups from the actions that have them at
// weight 0. Without create_before_destroy Terraform destroys the groups before the switch
// could detach them, and AWS does not delete a group that an action has.
func (r *environmentResource) detachAll(ctx context.Context, c *platform.Clients, state environmentModel, at location) diag.Diagnostics {
	at.groups = r.backend.ledger.Unclaimed(at.groups) // an environment may have claimed some during the drain
	found, err := r.locate(ctx, at)
	if err != nil {
		return diag.Diagnostics{state.notDestroyed(err)}
	}
	if memory := found.memory(r.testsOf(state)); memory.carriesTraffic() {
		return r.refuse(ctx, state, memory)
	}
	users := found.users
	err = r.detach(ctx, c, state, users)
	var live *retire.LiveError
	switch {
	case errors.As(err, &live):
		return r.refuse(ctx, state, memoryOfLiveError(live, users))
	case err != nil:
		return diag.Diagnostics{state.notDetached(err)}
	}
	return nil
}

// detach removes the target groups from the routes that have them at weight 0. Only one
// environment detaches at a time, because several may share a listener, whose action is
// written as a whole.
func (r *environmentResource) detach(ctx context.Context, c *platform.Clients, state environmentModel, users []traffic.Reference) error {
	d := retire.DetachSpec{Router: c.Forward}
	for _, u := range users {
		if !platform.Of(u.Route).Detaches(u.Route) || u.Share > 0 {
			continue // another kind of route, or the only target group, as in a test rule
		}
		if len(r.backend.ledger.Unclaimed([]string{u.Group})) == 0 || r.backend.ledger.IsPlanned(u.Group) {
			continue // another object has the group, as after an interrupted replacement
		}
		d.Routes, d.Groups = append(d.Routes, u.Route), append(d.Groups, u.Group)
	}
	if len(d.Routes) == 0 {
		return nil
	}
	slices.Sort(d.Routes)
	slices.Sort(d.Groups)
	d.Routes, d.Groups = slices.Compact(d.Routes), slices.Compact(d.Groups)
	if err := c.CheckAccount(ctx); err != nil {
		return err
	}
	d.OnEvent = eventLogger(ctx, "environment", state.Name.ValueString())
	r.backend.detaching.Lock()
	defer r.backend.detaching.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachTimeout)
	defer cancel()
	defer c.Reader.Invalidate()
	return retire.Detach(ctx, d)
}

// memoryOfLiveError is the traffic that appeared between the last read and the write.
func memoryOfLiveError(live *retire.LiveError, users []traffic.Reference) environmentMemory {
	t := trafficMemory{Route: live.Route, Text: platform.Label(live.Route), Group: live.Group, Share: live.Share, Sticky: live.Sticky}
	if i := slices.IndexFunc(users, func(u traffic.Reference) bool { return u.Route == live.Route }); i >= 0 {
		t.Text = users[i].Text
	}
	return environmentMemory{Traffic: []trafficMemory{t}}
}
