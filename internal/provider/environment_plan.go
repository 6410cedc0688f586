package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/ledger"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// ModifyPlan implements resource.ResourceWithModifyPlan. It changes nothing. It refuses
// changes that would harm live traffic, as far as the last refresh knows it, and records
// the others in the ledger for the switch, which Terraform plans afterwards. It makes no
// calls, because it runs again at apply and must decide the same.
func (r *environmentResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.backend == nil {
		return
	}
	var state, plan environmentModel
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if !req.Plan.Raw.IsNull() {
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	memory, diags := recallEnvironment(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	if req.Plan.Raw.IsNull() {
		resp.Diagnostics.Append(r.checkDestroy(state)...)
		// For Delete, which Terraform may run in another process before it plans the switch again.
		memory.Routes = r.knownRoutes(memory.Routes)
		resp.Diagnostics.Append(rememberEnvironment(ctx, resp.Private, &memory)...)
		return
	}
	resp.Diagnostics.Append(r.checkIDs(plan)...)
	if req.State.Raw.IsNull() || !state.sameReadiness(plan) || state.needsProof(plan) {
		want, _ := plan.read() // invalid values have been reported already
		resp.Diagnostics.Append(r.backend.checkGates(ctx, plan.platform(), want.gates, true)...)
	}
	if req.State.Raw.IsNull() {
		return
	}
	r.backend.ledger.Remain(plan.keys())
	resp.Diagnostics.Append(r.checkLive(state, plan, memory.without(r.testsOf(plan)))...)
}

// checkIDs checks the test routes and target groups of an environment against what else this run has planned, and
// against the accounts that may be changed.
func (r *environmentResource) checkIDs(plan environmentModel) diag.Diagnostics {
	var diags diag.Diagnostics
	for i, e := range plan.TestRoutes.Elements() {
		at, route := path.Root("test_routes").AtListIndex(i), input.AsText(e)
		if route != "" && r.backend.ledger.PlanTest(route, plan.Name.ValueString()) {
			diags.Append(testIsRoute(at, route))
		}
	}
	p := plan.platform()
	if groups := plan.values(); !p.Composes() {
		for _, entry := range slices.Sorted(maps.Keys(groups)) {
			if err := r.backend.session.AWS.Allows(groups[entry]); err != nil {
				diags.Append(accountOfRoute(path.Root(p.Backends).AtMapKey(entry), groups[entry], err))
			}
		}
	}
	return diags
}

// checkDestroy records the environment as planned to be destroyed, or reports that a switch
// leaves traffic on it.
func (r *environmentResource) checkDestroy(state environmentModel) diag.Diagnostics {
	if !state.isProtected() || r.backend.allowDestroy {
		return nil
	}
	name := state.Name.ValueString()
	if share, is := r.backend.ledger.Destroy(name, state.keys()); is {
		return diag.Diagnostics{destroyedButLive(name, share)}
	}
	return nil
}

// checkLive refuses changes of a protected environment that carries traffic.
func (r *environmentResource) checkLive(state, plan environmentModel, m environmentMemory) diag.Diagnostics {
	changes := state.changesTo(plan)
	if !plan.isProtected() || len(changes) == 0 {
		return nil
	}
	name := state.Name.ValueString()
	if m.carriesTraffic() {
		return diag.Diagnostics{liveChange(changes[0].at, name, changeText(changes), trafficSummary(m.Traffic))}
	}
	r.backend.ledger.RecordChange(ledger.Change{Environment: name, Changes: changeText(changes)}, state.keys())
	return nil
}

// attributeChange is a change of what serves in an environment.
type attributeChange struct {
	at   path.Path
	text string
}

func changeText(changes []attributeChange) []string {
	var words []string
	for _, c := range changes {
		words = append(words, c.text)
	}
	return words
}

// changesTo returns the changes that affect what serves now: another version, a replaced
// target group or backing resource, and unknown values. Added target groups and resources
// do not count, and neither does what an import could not know.
func (m environmentModel) changesTo(plan environmentModel) []attributeChange {
	var changes []attributeChange
	add := func(name, text string) { changes = append(changes, attributeChange{path.Root(name), text}) }
	if !plan.Version.Equal(m.Version) && (!m.isImported() || !m.Version.IsNull()) {
		add("version", fmt.Sprintf("version %s -> %s", stringText(m.Version), stringText(plan.Version)))
	}
	for _, argument := range m.platform().Arguments() {
		if lost, is := removedGroup(argument, *m.backends()[argument], *plan.backends()[argument]); is {
			add(argument, lost)
		}
	}
	if !m.isImported() && removesBacking(m.BackedBy, plan.BackedBy) {
		text := "backed_by"
		if hasUnknown(plan.BackedBy) {
			text += " (known after apply)"
		}
		add("backed_by", text)
	}
	return changes
}

func stringText(v types.String) string {
	switch {
	case v.IsUnknown():
		return "(known after apply)"
	case v.IsNull():
		return "none"
	}
	return strconv.Quote(v.ValueString())
}

// removedGroup names the first group that may be missing afterwards.
func removedGroup(argument string, before, after types.Map) (string, bool) {
	if after.IsUnknown() {
		return argument + " (known after apply)", true
	}
	for _, entry := range slices.Sorted(maps.Keys(before.Elements())) {
		v, there := after.Elements()[entry]
		switch {
		case there && v.IsUnknown():
			return fmt.Sprintf("%s[%q] (known after apply)", argument, entry), true
		case !there || !v.Equal(before.Elements()[entry]):
			return fmt.Sprintf("%s[%q]", argument, entry), true
		}
	}
	return "", false
}

// removesBacking reports whether a backing resource may be missing afterwards.
func removesBacking(before, after types.List) bool {
	if after.IsUnknown() {
		return true
	}
	left := slices.Clone(after.Elements())
	for _, v := range before.Elements() {
		i := slices.IndexFunc(left, v.Equal)
		if i < 0 {
			return true
		}
		left = slices.Delete(left, i, i+1)
	}
	return false
}

func hasUnknown(v types.List) bool {
	for _, e := range v.Elements() {
		if e.IsUnknown() {
			return true
		}
	}
	return v.IsUnknown()
}

// checkLedger checks the environments that were planned before: one that is destroyed must
// have no traffic after this plan, and one whose resources change must have none now.
func (r *switchResource) checkLedger(planned switchModel, p planning) diag.Diagnostics {
	if r.backend == nil {
		return nil
	}
	return append(r.checkDestroyed(planned, p), r.checkChanged(p)...)
}

func (r *switchResource) checkDestroyed(planned switchModel, p planning) diag.Diagnostics {
	var diags diag.Diagnostics
	reported := map[string]bool{}
	shares := plannedShares(planned)
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		for _, key := range p.keysOf(planned, name) {
			if shares[name] == 0 {
				continue
			}
			if destroyed, is := r.backend.ledger.Use(key, shares[name]); is && !reported[destroyed] {
				reported[destroyed] = true
				diags.Append(destroyedButLive(destroyed, shares[name]))
			}
		}
	}
	return diags
}

// checkChanged names all routes that an environment has traffic of, in their order.
func (r *switchResource) checkChanged(p planning) diag.Diagnostics {
	changes := map[string]ledger.Change{}
	live := map[string][]trafficMemory{}
	for _, route := range slices.Sorted(maps.Keys(p.memory.Routes)) {
		state := p.memory.Routes[route].State()
		shares := shift.FromRaw(state.Weights)
		for _, group := range state.Groups() {
			a, is := p.isChanged(r.backend.ledger, group)
			if is && shares[group] > 0 {
				changes[a.Environment] = a
				live[a.Environment] = append(live[a.Environment], trafficMemory{Text: platform.Label(route), Group: group, Share: shares[group]})
			}
		}
	}
	var diags diag.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(live)) {
		diags.Append(liveChange(path.Root("environments"), name, changes[name].Changes, trafficSummary(live[name])))
	}
	return diags
}

// plannedShares is the traffic of each environment after a plan, as far as it is known.
func plannedShares(planned switchModel) shift.Weights {
	if planned.Weights.IsUnknown() && !planned.Active.IsNull() && !planned.Active.IsUnknown() {
		return shift.Sole(planned.Active.ValueString())
	}
	return sharesOf(planned.Weights)
}

// isChanged returns the planned change of the environment that has the group: it is known by the group, or by the id
// that the switch has of it.
func (p planning) isChanged(l *ledger.Ledger, group string) (ledger.Change, bool) {
	if a, is := l.IsChanged(group); is || p.state == nil {
		return a, is
	}
	ids := p.state.stateIDs()
	for name, e := range p.state.stateEnvironments() {
		if ids[name] != "" && slices.Contains(slices.Collect(maps.Values(e.Groups)), group) {
			return l.IsChanged(ids[name])
		}
	}
	return ledger.Change{}, false
}

// keysOf returns the groups of an environment of the plan, or of one that is being removed, and its id.
func (p planning) keysOf(planned switchModel, name string) []string {
	of := planned
	e, ok := planned.stateEnvironments()[name]
	if !ok && p.state != nil {
		of, e = *p.state, p.state.stateEnvironments()[name]
	}
	keys := slices.Sorted(maps.Values(e.Groups))
	if id := of.stateIDs()[name]; id != "" {
		keys = append(keys, id)
	}
	return keys
}
