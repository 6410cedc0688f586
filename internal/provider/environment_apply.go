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
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// createOrUpdate is the one path of Create (state is nil) and Update: it ends when the
// environment is ready. It returns no memory where it has asked nothing.
func (r *environmentResource) createOrUpdate(ctx context.Context, plan environmentModel, state *environmentModel) (*environmentMemory, diag.Diagnostics) {
	defer r.backend.busy.begin()() // a gate's program is ended before the process is
	want, diags := plan.read()
	if diags.HasError() {
		return nil, diags
	}
	groups := plan.groups()
	if state != nil && !state.provenAnew(plan) && !state.provenWhileIdle(plan) {
		r.backend.ledger.claim(groups)
		return nil, nil
	}
	c, err := r.backend.connect(ctx, groups[0])
	if err != nil {
		return nil, diag.Diagnostics{plan.notCreated(err)}
	}
	users, err := c.forward.References(ctx, groups)
	if err != nil {
		return nil, diag.Diagnostics{plan.notCreated(err)}
	}
	memory := rememberReferences(users)
	if state == nil || state.provenAnew(plan) || !memory.carries() {
		if diags = r.prove(ctx, c, proving{plan, want, users}); diags.HasError() {
			return nil, diags
		}
	}
	r.backend.ledger.claim(groups)
	return &memory, diags
}

// provenAnew: what serves has changed, so nothing is known of it.
func (m environmentModel) provenAnew(plan environmentModel) bool {
	return len(m.changesTo(plan)) > 0
}

// provenWhileIdle: there is more to prove, but whoever carries the traffic has
// been proven by it. To judge it anew could only keep the switch from moving the
// traffic off it.
func (m environmentModel) provenWhileIdle(plan environmentModel) bool {
	return m.isImported() || !plan.Ready.Equal(m.Ready) || !plan.BackedBy.Equal(m.BackedBy) || !plan.TargetGroups.Equal(m.TargetGroups)
}

// proving is an environment about to be proven.
type proving struct {
	model environmentModel
	want  readiness
	users []elb.Reference
}

// sides are its groups with the listeners and rules that name them.
func (p proving) sides() []rollout.Backend {
	var sides []rollout.Backend
	for _, entry := range slices.Sorted(maps.Keys(p.want.groups)) {
		side := rollout.Backend{Entry: entry, Environment: p.model.Name.ValueString(), Version: p.model.Version.ValueString(), Group: p.want.groups[entry]}
		for _, u := range p.users {
			if u.Group == side.Group {
				side.Routes = append(side.Routes, u.Route)
			}
		}
		sides = append(sides, side)
	}
	return sides
}

func (r *environmentResource) prove(ctx context.Context, c *clients, p proving) diag.Diagnostics {
	gates, failed := desired{gates: p.want.gates}.named(r.backend.dependencies(ctx, p.model.groups()[0]))
	if len(failed) > 0 {
		return diag.Diagnostics{p.gateRefused(failed[0].name, failed[0].err)}
	}
	started := time.Now()
	proof := rollout.Proof{
		Router: c.forward, Environment: p.model.Name.ValueString(), Sides: p.sides(), Gates: gates, Health: p.want.health,
		ID: fmt.Sprintf("%s-%04x", started.UTC().Format("20060102T150405Z"), rand.N(1<<16)),
	}
	proof.OnEvent = func(e rollout.Event) { logEnvironment(ctx, proof.Environment, e) }
	for _, side := range proof.Sides {
		if len(side.Routes) == 0 {
			tflog.Info(ctx, "environment: no listener or rule names the target group, so its health is left to the switch",
				map[string]any{"environment": proof.Environment, "entry_point": side.Entry, "target_group": side.Group})
		}
	}
	told, err := rollout.Prove(ctx, proof)
	if err == nil {
		return p.warnings(told)
	}
	var failure *rollout.Failure
	if !errors.As(err, &failure) {
		failure = &rollout.Failure{Cause: rollout.RouterFailed, Disposition: rollout.Unchanged, Err: err}
	}
	if now, lookErr := c.forward.References(ctx, p.model.groups()); lookErr == nil {
		p.users = now // who names the groups may have changed while it waited
	}
	return diag.Diagnostics{p.notReady(failure)}
}

// logEnvironment tells what happens while it does; TF_LOG_PROVIDER=info shows it.
func logEnvironment(ctx context.Context, name string, e rollout.Event) {
	fields := map[string]any{"environment": name}
	for key, value := range map[string]string{"gate": e.Gate, "answer": string(e.Status), "text": e.Text} {
		if value != "" {
			fields[key] = value
		}
	}
	tflog.Info(ctx, "environment: "+string(e.Kind), fields)
}

// destroy is Delete: refused while users come, and over when what they have
// begun is and no action names its groups. Groups that stand under another environment by now are none of
// this one's business any more, and those that are gone have nothing to wait for.
func (r *environmentResource) destroy(ctx context.Context, state environmentModel) diag.Diagnostics {
	groups := r.backend.ledger.unclaimed(state.groups())
	if len(groups) == 0 {
		return nil
	}
	c, err := r.backend.connect(ctx, groups[0])
	if err != nil {
		return diag.Diagnostics{state.notDestroyed(err)}
	}
	groups, memory, err := carrying(ctx, c, groups)
	switch {
	case err != nil:
		return diag.Diagnostics{state.notDestroyed(err)}
	case len(groups) == 0:
		return nil
	case memory.carries():
		return r.refuse(ctx, state, memory)
	}
	if err := r.drain(ctx, c, state, groups); err != nil {
		return diag.Diagnostics{state.notDestroyed(err)}
	}
	return r.detachAll(ctx, c, state, groups)
}

// carrying looks afresh at who sends traffic to those of the groups that there are.
func carrying(ctx context.Context, c *clients, groups []string) ([]string, environmentMemory, error) {
	existing, users, err := referencesOf(ctx, c.forward, groups)
	return existing, rememberReferences(users), err
}

// refuse keeps an environment that carries traffic, unless somebody has said
// that it may go all the same: then there is nothing to wait for.
func (r *environmentResource) refuse(ctx context.Context, state environmentModel, m environmentMemory) diag.Diagnostics {
	if state.isProtected() && !r.backend.allowDestroy {
		return diag.Diagnostics{destroyRefused(state.Name.ValueString(), m.Traffic)}
	}
	tflog.Warn(ctx, "environment: destroyed with its traffic, as allowed",
		map[string]any{"environment": state.Name.ValueString(), "traffic": trafficSummary(m.Traffic)})
	return nil
}

func (r *environmentResource) drain(ctx context.Context, c *clients, state environmentModel, groups []string) error {
	want, _ := state.read()
	if want.drain == nil {
		longest, err := c.forward.LongestDelay(ctx, groups)
		if err != nil {
			return err
		}
		want.drain = &longest
	}
	return rollout.Drain(ctx, rollout.DrainSpec{
		Router: c.forward, Groups: groups, For: *want.drain,
		OnEvent: func(e rollout.Event) { logEnvironment(ctx, state.Name.ValueString(), e) },
	})
}
