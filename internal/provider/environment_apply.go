package provider

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// createOrUpdate is the one path of Create (state is nil) and Update. It returns when the
// environment is ready. It returns no memory where it read nothing.
func (r *environmentResource) createOrUpdate(ctx context.Context, plan environmentModel, state *environmentModel) (*environmentMemory, diag.Diagnostics) {
	defer r.backend.busy.begin()() // a gate's program ends before the process does
	want, diags := plan.read()
	if diags.HasError() {
		return nil, diags
	}
	groups := plan.groups()
	if state != nil && !state.needsProof(plan) && !state.needsProofWhileIdle(plan) {
		r.backend.ledger.claim(groups)
		return nil, nil
	}
	c, err := r.backend.connect(ctx, groups[0])
	if err != nil {
		return nil, diag.Diagnostics{plan.notCreated(err)}
	}
	users, err := c.groups.References(ctx, groups)
	if err != nil {
		return nil, diag.Diagnostics{plan.notCreated(err)}
	}
	memory := rememberReferences(users)
	if state == nil || state.needsProof(plan) || !memory.carriesTraffic() {
		if diags = r.prove(ctx, c, proving{plan, want, users}); diags.HasError() {
			return nil, diags
		}
	}
	r.backend.ledger.claim(groups)
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
	return m.isImported() || !plan.Ready.Equal(m.Ready) || !plan.BackedBy.Equal(m.BackedBy) || !plan.TargetGroups.Equal(m.TargetGroups)
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

func (r *environmentResource) prove(ctx context.Context, c *clients, p proving) diag.Diagnostics {
	gates, failed := buildGates(p.want.gates, r.backend.dependencies(ctx, p.model.groups()[0]))
	if len(failed) > 0 {
		return diag.Diagnostics{p.gateRefused(failed[0].name, failed[0].err)}
	}
	proof := rollout.Proof{
		Router: c.forward, Environment: p.model.Name.ValueString(), Sides: p.backends(), Gates: gates, Health: p.want.health,
		ID: newID(time.Now()),
	}
	proof.OnEvent = eventLogger(ctx, "environment", proof.Environment)
	for _, backend := range proof.Sides {
		if len(backend.Routes) == 0 {
			tflog.Info(ctx, "health_left_to_switch", // no listener or rule has the target group
				map[string]any{"environment": proof.Environment, "entry_point": backend.Entry, "target_group": backend.Group})
		}
	}
	warnings, err := rollout.Prove(ctx, proof)
	if err == nil {
		return p.warnings(warnings)
	}
	var failure *rollout.Failure
	if !errors.As(err, &failure) {
		failure = &rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.Unchanged, Err: err}
	}
	if now, readErr := c.groups.References(ctx, p.model.groups()); readErr == nil {
		p.references = now // the references may have changed during the wait
	}
	return diag.Diagnostics{p.notReady(failure)}
}

// destroy is Delete. It is refused while the environment carries traffic; then it waits
// for in-flight requests and detaches the target groups. It ignores target groups that
// another environment has claimed, and those that no longer exist.
func (r *environmentResource) destroy(ctx context.Context, state environmentModel) diag.Diagnostics {
	groups := r.backend.ledger.unclaimed(state.groups())
	if len(groups) == 0 {
		return nil
	}
	c, err := r.backend.connect(ctx, groups[0])
	if err != nil {
		return diag.Diagnostics{state.notDestroyed(err)}
	}
	groups, memory, err := readTraffic(ctx, c, groups)
	switch {
	case err != nil:
		return diag.Diagnostics{state.notDestroyed(err)}
	case len(groups) == 0:
		return nil
	case memory.carriesTraffic():
		return r.refuse(ctx, state, memory)
	}
	if err := r.drain(ctx, c, state, groups); err != nil {
		return diag.Diagnostics{state.notDestroyed(err)}
	}
	return r.detachAll(ctx, c, state, groups)
}

// readTraffic reads which listeners and rules send traffic to those of the groups that
// exist.
func readTraffic(ctx context.Context, c *clients, groups []string) ([]string, environmentMemory, error) {
	existing, users, err := referencesOf(ctx, c.groups, groups)
	return existing, rememberReferences(users), err
}

// refuse reports an environment that carries traffic, unless destroying it is allowed:
// then there is nothing to wait for.
func (r *environmentResource) refuse(ctx context.Context, state environmentModel, m environmentMemory) diag.Diagnostics {
	if state.isProtected() && !r.backend.allowDestroy {
		return diag.Diagnostics{destroyRefused(state.Name.ValueString(), m.Traffic)}
	}
	tflog.Warn(ctx, "destroyed_with_traffic", // as BLUEGREEN_ALLOW_DESTROY=1 allows
		map[string]any{"environment": state.Name.ValueString(), "traffic": trafficSummary(m.Traffic)})
	return nil
}

func (r *environmentResource) drain(ctx context.Context, c *clients, state environmentModel, groups []string) error {
	want, _ := state.read()
	if want.drain == nil {
		longest, err := c.groups.LongestDelay(ctx, groups)
		if err != nil {
			return err
		}
		want.drain = &longest
	}
	return rollout.Drain(ctx, rollout.DrainSpec{
		Router: c.forward, Groups: groups, For: *want.drain,
		OnEvent: eventLogger(ctx, "environment", state.Name.ValueString()),
	})
}
