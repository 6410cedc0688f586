package provider

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// ModifyPlan implements resource.ResourceWithModifyPlan. The plan is a pure function of the
// configuration and the prior state, including private state, because it runs again at apply and
// must plan the same.
func (r *switchResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return // Delete moves no traffic
	}
	var config, plan switchModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	p := planning{}
	if !req.State.Raw.IsNull() {
		p.state = new(switchModel)
		resp.Diagnostics.Append(req.State.Get(ctx, p.state)...)
		resp.Diagnostics.Append(recall(ctx, req.Private, memoryKey, &p.memory)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	planned, decided, gates, diags := p.plan(config, plan)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(r.checkRules(ctx, config, p.memory)...)
	resp.Diagnostics.Append(r.checkLedger(planned, p)...)
	if r.backend != nil && planned.LastShift.IsUnknown() { // a shift is planned
		resp.Diagnostics.Append(r.backend.gateWarnings(ctx, gates)...)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &planned)...)
	if p.state != nil {
		resp.Diagnostics.Append(remember(ctx, resp.Private, planKey, decided)...)
	}
}

// planning is what a plan depends on beside the configuration.
type planning struct {
	state  *switchModel // nil: a Create
	memory memory
}

// plan sets the computed values of a plan. It also returns the gates, as far as they are known.
func (p planning) plan(config, plan switchModel) (switchModel, planMemory, []*desiredGate, diag.Diagnostics) {
	traffic, agree := trafficConfigOf(config)
	if !agree {
		return plan, planMemory{}, nil, diag.Diagnostics{activeAgainstWeights()}
	}
	if traffic.ignored && p.state == nil {
		return plan, planMemory{}, nil, diag.Diagnostics{neitherActiveNorWeights()}
	}
	rd := &reader{}
	w := rd.read(config, traffic)
	if rd.diags.HasError() {
		return plan, planMemory{}, nil, rd.diags
	}
	before := newPrior(w, p.state, p.memory)
	if before.unknownPaths(w) {
		return unknownPlan(config, plan), planMemory{Ignored: traffic.ignored}, w.gates, nil
	}
	schedule, err := before.spec(w).Decide(before.observed(w))
	if err != nil {
		return plan, planMemory{}, nil, diag.Diagnostics{undecidedError(trafficPath(config), err)}
	}
	before.fill(&plan, config, w, schedule)
	return plan, planMemory{Ignored: traffic.ignored}, w.gates, nil
}

// undecidedError reports why no schedule can be made.
func undecidedError(at path.Path, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooManyGroups) {
		return tooManyGroups(at, err)
	}
	return unexpected(err)
}

// trafficPath is the argument that sets the desired traffic.
func trafficPath(config switchModel) path.Path {
	if config.Weights.IsNull() {
		return path.Root("active")
	}
	return path.Root("weights")
}

// unknownPlan marks everything that only the apply knows as unknown.
func unknownPlan(config, plan switchModel) switchModel {
	if config.Active.IsNull() {
		plan.Active = types.StringUnknown()
	}
	if config.Weights.IsNull() {
		plan.Weights = types.MapUnknown(types.NumberType)
	}
	plan.Schedule = types.StringUnknown()
	plan.Rejected = types.ObjectUnknown(rejectedTypes)
	unknownOutcome(&plan)
	return plan
}

// unknownOutcome marks what only the end of a shift determines as unknown.
func unknownOutcome(plan *switchModel) {
	plan.Stable = types.ObjectUnknown(stableTypes)
	plan.Live = types.ObjectUnknown(identityTypes)
	plan.Previous = types.ObjectUnknown(identityTypes)
	plan.Rejected = types.ObjectUnknown(rejectedTypes)
	plan.LastShift = types.ObjectUnknown(shiftTypes)
}

// fill sets the schedule. Where no traffic moves, all other computed values keep their values.
func (p prior) fill(plan *switchModel, config switchModel, w desired, decided shift.Schedule) {
	p.fillTraffic(plan, config, w)
	if p.state == nil || decided.Kind != shift.NoChange {
		plan.Schedule = types.StringValue(schedule.Text(decided))
		unknownOutcome(plan)
		return
	}
	plan.Schedule = p.state.Schedule
	if !decided.IsEmpty() {
		plan.Schedule = types.StringValue(schedule.Text(decided))
	}
	plan.Stable = p.currentStable(w)
	plan.Live = p.currentLive(w)
	plan.Previous = identityValue("", "")
	if id := p.previous(w); id != nil {
		plan.Previous = identityValue(id.Environment, id.Version)
	}
	plan.Rejected = rejectedValue(p.rejection(w))
	plan.LastShift = p.state.LastShift
}

// fillTraffic sets the one of active and weights that is not configured. Under ignore_changes
// neither is: then the traffic stays as it was read.
func (p prior) fillTraffic(plan *switchModel, config switchModel, w desired) {
	names := slices.Sorted(maps.Keys(w.environments))
	weights := w.weights
	if weights == nil {
		weights = p.currentWeights(sharesOf(p.state.Weights))
	}
	plan.Active, plan.Weights = config.Active, config.Weights
	if config.Active.IsNull() {
		plan.Active = soleValue(weights)
	}
	if config.Weights.IsNull() {
		plan.Weights = weightsValue(weights, names)
	}
}

// currentStable is the state's stable, with the current environment names.
func (p prior) currentStable(w desired) types.Object {
	if p.memory.Adopted != nil {
		return stableValue(p.stable(p.spec(w)), slices.Sorted(maps.Keys(w.environments)), w.versions())
	}
	if !p.renamed() {
		return p.state.Stable
	}
	var names []string
	weights, _ := p.state.Stable.Attributes()["weights"].(types.Map)
	for name := range weights.Elements() {
		names = append(names, p.currentName(name))
	}
	return stableValue(p.currentWeights(p.state.stableWeights()), names, p.stableVersions())
}

// currentLive is the environment that has all traffic, with the version that is configured for it.
func (p prior) currentLive(w desired) types.Object {
	s := p.spec(w)
	var all []shift.Weights
	for i, found := range p.observed(w) {
		all = append(all, s.Owners.Weights(w.routes[i].entry, found))
	}
	name, ok := shift.Mean(all).Sole()
	if !ok {
		return identityValue("", "")
	}
	if e := w.environments[name]; e != nil {
		return identityValue(name, e.version)
	}
	return identityValue(name, "")
}

// versions returns the versions of the environments that have one.
func (w desired) versions() map[string]string {
	versions := map[string]string{}
	for name, e := range w.environments {
		if e.version != "" {
			versions[name] = e.version
		}
	}
	return versions
}

// unknownPaths reports whether the schedule depends on unknown values. Of a new environment only
// the name is needed.
func (p prior) unknownPaths(w desired) bool {
	if w.unknown || w.environments == nil {
		return true
	}
	for name, e := range w.environments {
		if e.versionUnknown && p.versionMatters(w, name) || e.groupsUnknown && p.groupsMatter(w, name) {
			return true
		}
	}
	return false
}

// versionMatters reports whether the schedule depends on the version: it contains the versions of
// environments that have or gain traffic, and compares them with previous and rejected versions.
func (p prior) versionMatters(w desired, name string) bool {
	if p.state == nil {
		return w.weights[name] > 0
	}
	s := p.spec(w)
	if w.weights[name] > 0 || s.Stable[name] > 0 {
		return true
	}
	for i, found := range p.observed(w) {
		if s.Owners.Weights(w.routes[i].entry, found)[name] > 0 {
			return true
		}
	}
	id, r := p.previous(w), p.rejection(w)
	return id != nil && id.Environment == name || r != nil && r.Environment == name
}

// groupsMatter reports whether unknown target groups may turn out to be attached to a route, or to be
// those of a remembered version.
func (p prior) groupsMatter(w desired, name string) bool {
	if p.state == nil {
		return false
	}
	if id := p.memory.Previous; id != nil && id.Version != "" && id.Version == w.environments[name].version {
		return true
	}
	if id := p.memory.Rejected; id != nil && id.Version != "" && id.Version == w.environments[name].version {
		return true
	}
	others := map[string]bool{} // target groups that certainly belong to another environment
	for other, e := range w.environments {
		for _, group := range e.groups {
			others[group] = other != name
		}
	}
	for before, e := range p.known {
		for _, group := range e.groups {
			if p.currentName(before) != name {
				others[group] = true
			}
		}
	}
	return slices.ContainsFunc(p.observedGroups(w), func(group string) bool { return !others[group] })
}

// observedGroups returns all target groups that Read found, including those in warnings.
func (p prior) observedGroups(w desired) []string {
	var seen []string
	for _, found := range p.observed(w) {
		seen = append(seen, found.Groups()...)
	}
	for _, other := range p.memory.OtherRoutes {
		seen = append(seen, other.Groups...)
	}
	return slices.AppendSeq(seen, maps.Keys(p.memory.SlowStart))
}
