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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// ModifyPlan implements resource.ResourceWithModifyPlan. What it plans is a
// pure function of the configuration and the prior state, private state
// included: it is called again at apply and must then plan the same.
func (r *switchResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return // Delete moves no traffic.
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
	if r.backend != nil && planned.LastShift.IsUnknown() { // a shift is due
		resp.Diagnostics.Append(r.backend.absences(ctx, gates)...)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &planned)...)
	if p.state != nil {
		resp.Diagnostics.Append(remember(ctx, resp.Private, planKey, decided)...)
	}
}

// planning is what a plan rests on beside the configuration.
type planning struct {
	state  *switchModel // nil: a Create
	memory memory
}

// plan fills in the computed values of a plan. It returns the gates as well, as
// far as they are known.
func (p planning) plan(config, plan switchModel) (switchModel, planMemory, []*desiredGate, diag.Diagnostics) {
	wish, agree := trafficConfigOf(config)
	if !agree {
		return plan, planMemory{}, nil, diag.Diagnostics{activeAgainstWeights()}
	}
	if wish.ignored && p.state == nil {
		return plan, planMemory{}, nil, diag.Diagnostics{neitherActiveNorWeights()}
	}
	rd := &reader{}
	w := rd.read(config, wish)
	if rd.diags.HasError() {
		return plan, planMemory{}, nil, rd.diags
	}
	before := newPrior(w, p.state, p.memory)
	if before.unknownPaths(w) {
		return openPlan(config, plan), planMemory{Leave: wish.ignored}, w.gates, nil
	}
	schedule, err := before.spec(w).Decide(before.found(w))
	if err != nil {
		return plan, planMemory{}, nil, diag.Diagnostics{undecidable(trafficPath(config), err)}
	}
	before.fill(&plan, config, w, schedule)
	return plan, planMemory{Leave: wish.ignored}, w.gates, nil
}

// undecidable words why no schedule can be made.
func undecidable(at path.Path, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooManyGroups) {
		return tooManyGroups(at, err)
	}
	return unexpected(err)
}

// trafficPath is the argument that says where the traffic is to be.
func trafficPath(config switchModel) path.Path {
	if config.Weights.IsNull() {
		return path.Root("active")
	}
	return path.Root("weights")
}

// openPlan leaves open whatever an apply will know.
func openPlan(config, plan switchModel) switchModel {
	if config.Active.IsNull() {
		plan.Active = types.StringUnknown()
	}
	if config.Weights.IsNull() {
		plan.Weights = types.MapUnknown(types.NumberType)
	}
	plan.Schedule = types.StringUnknown()
	plan.Rejected = types.ObjectUnknown(rejectTypes)
	openOutcome(&plan)
	return plan
}

// openOutcome leaves open what only the end of a shift tells.
func openOutcome(plan *switchModel) {
	plan.Stable = types.ObjectUnknown(stableTypes)
	plan.Live = types.ObjectUnknown(sideTypes)
	plan.Previous = types.ObjectUnknown(sideTypes)
	plan.Rejected = types.ObjectUnknown(rejectTypes)
	plan.LastShift = types.ObjectUnknown(shiftTypes)
}

// fill words a schedule in the plan. Where no traffic is to move, everything
// else is known to stay as it is.
func (p prior) fill(plan *switchModel, config switchModel, w desired, schedule shift.Schedule) {
	p.fillTraffic(plan, config, w)
	if p.state == nil || schedule.Kind != shift.NoChange {
		plan.Schedule = types.StringValue(schedule.Text())
		openOutcome(plan)
		return
	}
	plan.Schedule = p.state.Schedule
	if !schedule.IsEmpty() {
		plan.Schedule = types.StringValue(schedule.Text())
	}
	plan.Stable = p.stableNow(w)
	plan.Live = p.liveNow(w)
	plan.Previous = sideValue("", "")
	if id := p.previous(w); id != nil {
		plan.Previous = sideValue(id.Environment, id.Version)
	}
	plan.Rejected = rejectedValue(p.rejection(w))
	plan.LastShift = p.state.LastShift
}

// fillTraffic gives the one of active and weights that is not written. Neither
// is under ignore_changes: then the traffic is left as it was read.
func (p prior) fillTraffic(plan *switchModel, config switchModel, w desired) {
	names := slices.Sorted(maps.Keys(w.environments))
	goal := w.goal
	if goal == nil {
		goal = p.weightsNow(sharesOf(p.state.Weights))
	}
	plan.Active, plan.Weights = config.Active, config.Weights
	if config.Active.IsNull() {
		plan.Active = soleValue(goal)
	}
	if config.Weights.IsNull() {
		plan.Weights = weightsValue(goal, names)
	}
}

// stableNow is the state's, in present names.
func (p prior) stableNow(w desired) types.Object {
	if p.memory.Adopted != nil {
		return stableValue(p.stable(p.spec(w)), slices.Sorted(maps.Keys(w.environments)), w.versions())
	}
	if !p.renamed() {
		return p.state.Stable
	}
	var names []string
	weights, _ := p.state.Stable.Attributes()["weights"].(types.Map)
	for name := range weights.Elements() {
		names = append(names, p.now(name))
	}
	return stableValue(p.weightsNow(p.state.stableWeights()), names, p.stableVersions())
}

// liveNow is whoever has all the traffic, with the version that is configured
// for it now.
func (p prior) liveNow(w desired) types.Object {
	s := p.spec(w)
	var all []shift.Weights
	for i, found := range p.found(w) {
		all = append(all, s.Weights(w.routes[i].entry, found))
	}
	name, ok := shift.Mean(all).Sole()
	if !ok {
		return sideValue("", "")
	}
	if e := w.environments[name]; e != nil {
		return sideValue(name, e.version)
	}
	return sideValue(name, "")
}

// versions of the environments that have one.
func (w desired) versions() map[string]string {
	versions := map[string]string{}
	for name, e := range w.environments {
		if e.version != "" {
			versions[name] = e.version
		}
	}
	return versions
}

// unknownPaths tells whether the schedule rests on something that is not known yet.
// Of a brand-new environment only the name is needed.
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

// versionMatters: the schedule names the versions of whoever has or gets
// traffic, and compares them with who was live or sent back.
func (p prior) versionMatters(w desired, name string) bool {
	if p.state == nil {
		return w.goal[name] > 0
	}
	s := p.spec(w)
	if w.goal[name] > 0 || s.Stable[name] > 0 {
		return true
	}
	for i, found := range p.found(w) {
		if s.Weights(w.routes[i].entry, found)[name] > 0 {
			return true
		}
	}
	id, r := p.previous(w), p.rejection(w)
	return id != nil && id.Environment == name || r != nil && r.Environment == name
}

// groupsMatter: the groups that are not known yet may turn out to be some that
// the routes name, or those of a version that is remembered.
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
	others := map[string]bool{} // groups that are surely somebody else's
	for other, e := range w.environments {
		for _, group := range e.groups {
			others[group] = other != name
		}
	}
	for before, e := range p.known {
		for _, group := range e.groups {
			if p.now(before) != name {
				others[group] = true
			}
		}
	}
	return slices.ContainsFunc(p.groupsSeen(w), func(group string) bool { return !others[group] })
}

// groupsSeen are all target groups that Read came across, those included of which
// a note would tell.
func (p prior) groupsSeen(w desired) []string {
	var seen []string
	for _, found := range p.found(w) {
		seen = append(seen, found.Groups()...)
	}
	for _, other := range p.memory.Others {
		seen = append(seen, other.Groups...)
	}
	return slices.AppendSeq(seen, maps.Keys(p.memory.SlowStart))
}
