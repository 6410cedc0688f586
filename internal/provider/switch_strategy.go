package provider

import (
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

func (r *decoder) readStrategy(w *desired, v types.List) {
	at, attrs := r.Block(path.Root("strategy"), v) // none: the defaults
	w.stepsUnknown = v.IsUnknown() || attrs != nil && attrs["steps"].IsUnknown()
	w.Strategy.Bake = r.Duration(at.AtName("bake"), attrs["bake"], 0)
	w.Strategy.Settle = r.Duration(at.AtName("settle"), attrs["settle"], time.Minute)
	w.StopOnFailure = r.Choice(at.AtName("on_failure"), attrs["on_failure"], "rollback", "stop") == "stop"
	w.StopOnInterrupt = r.Choice(at.AtName("on_interrupt"), attrs["on_interrupt"], "rollback", "stop") == "stop"
	w.RollbackTimeout = r.readRollbackTimeout(at.AtName("rollback_timeout"), attrs["rollback_timeout"])
	w.WarnOnSourceUnhealthy = r.Choice(at.AtName("on_source_unhealthy"), attrs["on_source_unhealthy"], "advance", "warn") == "warn"
	w.Strategy.DetachIdle = r.Boolean(attrs["detach_idle"])
	w.Strategy.RollbackWindow = r.Duration(at.AtName("rollback_window"), attrs["rollback_window"], 24*time.Hour)
	r.readSteps(w, at.AtName("steps"), attrs["steps"])
	r.readBaseline(w, at.AtName("baseline_percent"), attrs["baseline_percent"])
}

// readBaseline reads the part of the shift that is held back until the bake is over. The steps
// end below it.
func (r *decoder) readBaseline(w *desired, at path.Path, v attr.Value) {
	n, ok := v.(types.Number)
	if input.Missing(v) || !r.Known(v) || !ok {
		return
	}
	percent, _ := n.ValueBigFloat().Float64()
	share, err := shift.ShareOf(percent)
	if err == nil && (share <= 0 || share >= shift.Full) {
		err = shift.ErrOutOfRange
	}
	if err != nil {
		r.Add(badStep(at, percent, err))
		return
	}
	if steps := w.Strategy.Steps; len(steps) > 0 && steps[len(steps)-1].At >= shift.Full-share {
		r.Add(baselineAboveSteps(at, share, steps[len(steps)-1].At))
		return
	}
	w.Strategy.Baseline = share
}

// The limits of strategy.rollback_timeout: one call of a rollback can take the shortest.
const shortestRollback, longestRollback = 10 * time.Second, 24 * time.Hour

func (r *decoder) readRollbackTimeout(at path.Path, v attr.Value) time.Duration {
	before := r.Diags.ErrorsCount()
	d := r.Duration(at, v, rollout.DefaultRollbackTimeout)
	if r.Diags.ErrorsCount() == before && (d < shortestRollback || d > longestRollback) {
		r.Add(rollbackTimeoutOutOfRange(at, d))
		return rollout.DefaultRollbackTimeout
	}
	return d
}

func (r *decoder) readSteps(w *desired, at path.Path, v attr.Value) {
	list, ok := v.(types.List)
	if !r.Known(v) || !ok {
		return
	}
	before, unknown := r.Diags.ErrorsCount(), r.Unknown
	r.Unknown = false
	var steps []shift.Step
	for i, e := range list.Elements() {
		if step, ok := r.readStep(at.AtListIndex(i), e); ok {
			steps = append(steps, step)
		}
	}
	complete := !r.Unknown && r.Diags.ErrorsCount() == before
	r.Unknown = r.Unknown || unknown
	w.stepsUnknown = true
	if !complete {
		return
	}
	if i, err := shift.CheckSteps(steps); errors.Is(err, shift.ErrNotRising) {
		r.Add(stepsNotRising(at.AtListIndex(i).AtName("percent"), steps[i].At, steps[i-1].At))
		return
	}
	w.Strategy.Steps, w.stepsUnknown = steps, false
}

func (r *decoder) readStep(at path.Path, v attr.Value) (shift.Step, bool) {
	if input.Missing(v) {
		r.Add(input.NullElement(at))
		return shift.Step{}, false
	}
	attrs := r.Attributes(v)
	if attrs == nil {
		return shift.Step{}, false
	}
	var step shift.Step
	if input.Missing(attrs["percent"]) {
		r.Add(stepWithoutPercent(at))
	}
	if input.Missing(attrs["hold"]) {
		r.Add(stepWithoutHold(at))
	}
	if n, ok := attrs["percent"].(types.Number); r.Known(attrs["percent"]) && ok {
		percent, _ := n.ValueBigFloat().Float64()
		share, err := shift.ShareOf(percent)
		if err == nil && (share <= 0 || share >= shift.Full) {
			err = shift.ErrOutOfRange
		}
		if err != nil {
			r.Add(badStep(at.AtName("percent"), percent, err))
		}
		step.At = share
	}
	step.Hold = r.Duration(at.AtName("hold"), attrs["hold"], 0)
	if gates := attrs["gates"]; !input.Missing(gates) && r.Known(gates) {
		r.Add(stepWithGates(at.AtName("gates")))
	}
	return step, true
}

func (r *decoder) readHealth(w *desired, v types.List) {
	at, attrs := r.Block(path.Root("health"), v)
	w.Health = r.readHealthTerms(at, attrs)
	w.Health.CapacityPercent = r.Percent(at.AtName("capacity_percent"), attrs["capacity_percent"], 0, 50)
	w.Health.BreachFor = r.Duration(at.AtName("breach_for"), attrs["breach_for"], 30*time.Second)
	w.Strategy.HealthTimeout = w.Health.Timeout
	w.Strategy.SteadyFor = w.Health.SteadyFor
}

// readHealthTerms reads the health settings that the switch and the environment have in common.
func (r *decoder) readHealthTerms(at path.Path, attrs map[string]attr.Value) rollout.HealthSettings {
	terms := rollout.HealthSettings{
		MinHealthyPercent: r.Percent(at.AtName("min_healthy_percent"), attrs["min_healthy_percent"], 1, 100),
		MinHealthyTargets: r.Whole(at.AtName("min_healthy_targets"), attrs["min_healthy_targets"], 1, 1),
		SteadyFor:         r.Duration(at.AtName("steady_for"), attrs["steady_for"], 15*time.Second),
		Timeout:           r.Positive(at.AtName("timeout"), attrs["timeout"], 10*time.Minute),
	}
	open := attrs != nil && (attrs["steady_for"].IsUnknown() || attrs["timeout"].IsUnknown())
	if !open && terms.SteadyFor >= terms.Timeout {
		r.Add(steadyTooLong(at.AtName("steady_for"), terms.SteadyFor, terms.Timeout))
	}
	return terms
}

// readGates reads the gates, and checks the steps that they name.
func (r *decoder) readGates(w *desired, v types.List) {
	w.gates = gates.Read(&r.Reader, path.Root("gate"), v, gates.OfSwitch)
	for _, g := range w.gates {
		r.checkSteps(w, g)
		at, needs := g.NeedsRequests()
		if !needs || w.routesUnknown || len(w.Routes) == 0 {
			continue
		}
		if fault := w.platform.NoRequests(idsOf(w.Routes)); fault != "" {
			r.Add(input.About(input.Misuse(at, fault), input.Fact{"Gate", g.Terms.Name}))
		}
	}
}

// checkSteps checks that every step that a gate names exists.
func (r *decoder) checkSteps(w *desired, g *gates.Gate) {
	if w.stepsUnknown {
		return
	}
	for at, percent := range g.Steps() {
		if percent != shift.Full && !slices.ContainsFunc(w.Strategy.Steps, func(s shift.Step) bool { return s.At == percent }) {
			r.Add(noSuchStep(at, g.Terms.Name, percent, w.Strategy.Steps))
		}
	}
}
