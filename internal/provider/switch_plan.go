package provider

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
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
	p := planning{noRecord: r.backend != nil && r.backend.noRecord}
	resp.Diagnostics.Append(recall(ctx, req.Private, planKey, &p.before)...)
	if !req.State.Raw.IsNull() {
		p.state = new(switchModel)
		resp.Diagnostics.Append(req.State.Get(ctx, p.state)...)
		resp.Diagnostics.Append(recall(ctx, req.Private, memoryKey, &p.memory)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	planned, decided, evaluated, diags := p.plan(config, plan)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	decided.Switch = r.identify(p)
	resp.Diagnostics.Append(r.checkUnread(ctx, config, p.memory)...)
	if p.state == nil || evaluated.ship || !planned.LastShift.IsUnknown() && !config.Gate.Equal(p.state.Gate) {
		resp.Diagnostics.Append(r.checkMetrics(ctx, evaluated)...)
	}
	resp.Diagnostics.Append(r.checkRoutes(config, planned, decided.Switch)...)
	resp.Diagnostics.Append(r.checkAccount(ctx, config, p)...)
	resp.Diagnostics.Append(r.checkLedger(planned, p)...)
	for _, at := range gates.Approvals(evaluated.gates) {
		if router, _ := config.platform(); p.noRecord || router.Unrecorded != "" {
			resp.Diagnostics.Append(approvalWithoutRecord(at, router))
		}
	}
	if r.backend != nil && planned.LastShift.IsUnknown() { // a shift is planned
		resp.Diagnostics.Append(r.backend.checkGates(ctx, evaluated.platform, evaluated.gates, evaluated.ship)...)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &planned)...)
	switch {
	case p.state != nil:
		resp.Diagnostics.Append(remember(ctx, resp.Private, planKey, decided)...)
	case p.before.Switch != 0: // the second plan of a replacement; it is for no apply
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, planKey, nil)...)
	}
}

// planning is what a plan depends on beside the configuration.
type planning struct {
	state  *switchModel // nil: a Create
	memory release.Memory
	// noRecord reports that shifts leave no record.
	noRecord bool
	before   planMemory // of an earlier plan of the same switch, in this run if there is no state
}

// prior is what earlier applies left.
func (p planning) prior(w desired) release.Prior {
	router := w.platform.Release()
	router.NoRecord = router.NoRecord || p.noRecord
	if p.state == nil {
		return release.NewPrior(w.Desired, nil, p.memory, router)
	}
	state := p.state.decode()
	return release.NewPrior(w.Desired, &state, p.memory, router)
}

// plannedGates are the gates of a plan, and whether it ships a version.
type plannedGates struct {
	desired
	ship bool // the plan is known to ship a version, with no rollback before that
}

// plan sets the computed values of a plan. It also returns the gates.
func (p planning) plan(config, plan switchModel) (switchModel, planMemory, plannedGates, diag.Diagnostics) {
	configured, agree := trafficConfigOf(config)
	if !agree {
		return plan, planMemory{}, plannedGates{}, diag.Diagnostics{activeAgainstWeights()}
	}
	if configured.ignored && p.state == nil {
		return plan, planMemory{}, plannedGates{}, diag.Diagnostics{neitherActiveNorWeights()}
	}
	rd := &decoder{}
	w := rd.read(config, configured)
	if rd.Diags.HasError() {
		return plan, planMemory{}, plannedGates{}, rd.Diags
	}
	prior := p.prior(w)
	diags := p.checkInline(config, w, prior)
	if diags.HasError() {
		return plan, planMemory{}, plannedGates{}, diags
	}
	planned, err := prior.Plan(w.Desired)
	switch {
	case err != nil:
		return plan, planMemory{}, plannedGates{}, diag.Diagnostics{undecidedError(config, err)}
	case planned.Open:
		plan = unknownPlan(config, plan)
	default:
		fillTraffic(&plan, config, w, prior)
		p.fill(&plan, planned)
	}
	ships := !planned.Open && planned.Decided.Kind == shift.Forward && !planned.Decided.RollsBackFirst
	return plan, planMemory{Ignored: configured.ignored}, plannedGates{w, ships}, diags
}

// undecidedError reports why no schedule can be made.
func undecidedError(config switchModel, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooManyGroups) {
		p, _ := config.platform()
		return tooManyGroups(trafficPath(config), p.LimitText, err)
	}
	if short, is := errors.AsType[*shift.HoldError](err); is {
		return holdTooShort(config, short)
	}
	if inexact, is := errors.AsType[*release.InexactError](err); is {
		return inexactWeights(strategyPath(config), *inexact)
	}
	return unexpected(err)
}

// strategyPath is the block of the strategy, or where it would be.
func strategyPath(config switchModel) path.Path {
	if at := path.Root("strategy"); input.NoBlock(config.Strategy) {
		return at
	}
	return path.Root("strategy").AtListIndex(0)
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
func (p planning) fill(plan *switchModel, planned release.Planned) {
	if planned.Shifts {
		plan.Schedule = types.StringValue(schedule.Text(planned.Decided))
		unknownOutcome(plan)
		return
	}
	plan.encodeOutcome(planned.Values)
	plan.Schedule = textValue(planned.Values.Schedule)
	if !planned.Decided.IsEmpty() || p.memory.Adopted != nil { // the first plan after an import has renamed environments in it
		plan.Schedule = types.StringValue(schedule.Text(planned.Decided))
	}
}

// fillTraffic sets the one of active and weights that is not configured. Under ignore_changes
// neither is: then the traffic stays as it was read.
func fillTraffic(plan *switchModel, config switchModel, w desired, prior release.Prior) {
	weights := w.Weights
	if weights == nil {
		weights = prior.CurrentWeights(w.Desired)
	}
	plan.Active, plan.Weights = config.Active, config.Weights
	if config.Active.IsNull() {
		plan.Active = soleValue(weights)
	}
	if config.Weights.IsNull() {
		plan.Weights = weightsValue(w.WithNames(weights))
	}
}
