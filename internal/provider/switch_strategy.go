package provider

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

func (r *reader) readStrategy(w *desired, v types.Object) {
	at := path.Root("strategy")
	attrs := r.attributes(v) // null: the defaults
	w.Strategy.Bake = r.duration(at.AtName("bake"), attrs["bake"], 0)
	w.Strategy.Settle = r.duration(at.AtName("settle"), attrs["settle"], time.Minute)
	w.StopOnFailure = r.choice(at.AtName("on_failure"), attrs["on_failure"], "rollback", "stop") == "stop"
	w.StopOnInterrupt = r.choice(at.AtName("on_interrupt"), attrs["on_interrupt"], "rollback", "stop") == "stop"
	w.Strategy.RollbackWindow = r.duration(at.AtName("rollback_window"), attrs["rollback_window"], 24*time.Hour)
	r.readSteps(w, at.AtName("steps"), attrs["steps"])
}

func (r *reader) readSteps(w *desired, at path.Path, v attr.Value) {
	list, ok := v.(types.List)
	if !r.known(v) || !ok {
		return
	}
	before, unknown := r.diags.ErrorsCount(), r.unknown
	r.unknown = false
	var steps []shift.Step
	for i, e := range list.Elements() {
		if step, ok := r.readStep(w, at.AtListIndex(i), e); ok {
			steps = append(steps, step)
		}
	}
	complete := !r.unknown && r.diags.ErrorsCount() == before
	r.unknown = r.unknown || unknown
	if !complete {
		return
	}
	if i, err := shift.CheckSteps(steps); errors.Is(err, shift.ErrNotRising) {
		r.add(stepsNotRising(at.AtListIndex(i).AtName("percent"), steps[i].At, steps[i-1].At))
		return
	}
	w.Strategy.Steps = steps
}

func (r *reader) readStep(w *desired, at path.Path, v attr.Value) (shift.Step, bool) {
	if missing(v) {
		r.add(nullElement(at))
		return shift.Step{}, false
	}
	attrs := r.attributes(v)
	if attrs == nil {
		return shift.Step{}, false
	}
	var step shift.Step
	if missing(attrs["percent"]) {
		r.add(stepWithoutPercent(at))
	}
	if missing(attrs["hold"]) {
		r.add(stepWithoutHold(at))
	}
	if n, ok := attrs["percent"].(types.Number); r.known(attrs["percent"]) && ok {
		percent, _ := n.ValueBigFloat().Float64()
		share, err := shift.ShareOf(percent)
		if err == nil && (share <= 0 || share >= shift.Full) {
			err = shift.ErrOutOfRange
		}
		if err != nil {
			r.add(badStep(at.AtName("percent"), percent, err))
		}
		step.At = share
	}
	step.Hold = r.duration(at.AtName("hold"), attrs["hold"], 0)
	step.Gates = r.readStepGates(w, at.AtName("gates"), attrs["gates"])
	return step, true
}

// readStepGates reads the gates that belong to a step. They are evaluated in no other part of the shift.
func (r *reader) readStepGates(w *desired, at path.Path, v attr.Value) []string {
	names := r.list(at, v)
	if w.gates == nil && r.unknown {
		return names // the set of gates is unknown
	}
	for _, name := range names {
		i := slices.IndexFunc(w.gates, func(g *desiredGate) bool { return g.terms.Name == name })
		if i < 0 {
			r.add(noSuchGate(at, name, gateNames(w.gates)))
			continue
		}
		if when := w.gates[i].terms.When; when != shift.During {
			r.add(stepGateElsewhere(at, name, when))
		}
	}
	return names
}

func (r *reader) readHealth(w *desired, v types.Object) {
	at := path.Root("health")
	attrs := r.attributes(v)
	w.Health = r.readHealthTerms(at, attrs)
	w.Health.CapacityPercent = r.percent(at.AtName("capacity_percent"), attrs["capacity_percent"], 0, 50)
	w.Health.BreachFor = r.duration(at.AtName("breach_for"), attrs["breach_for"], 30*time.Second)
	w.Strategy.HealthTimeout = w.Health.Timeout
	w.Strategy.SteadyFor = w.Health.SteadyFor
}

// readHealthTerms reads the health settings that the switch and the environment have in common.
func (r *reader) readHealthTerms(at path.Path, attrs map[string]attr.Value) rollout.HealthSettings {
	terms := rollout.HealthSettings{
		MinHealthyPercent: r.percent(at.AtName("min_healthy_percent"), attrs["min_healthy_percent"], 1, 100),
		MinHealthyTargets: r.whole(at.AtName("min_healthy_targets"), attrs["min_healthy_targets"], 1, 1),
		SteadyFor:         r.duration(at.AtName("steady_for"), attrs["steady_for"], 15*time.Second),
		Timeout:           r.positive(at.AtName("timeout"), attrs["timeout"], 10*time.Minute),
	}
	open := attrs != nil && (attrs["steady_for"].IsUnknown() || attrs["timeout"].IsUnknown())
	if !open && terms.SteadyFor >= terms.Timeout {
		r.add(steadyTooLong(at.AtName("steady_for"), terms.SteadyFor, terms.Timeout))
	}
	return terms
}

func (r *reader) readGates(w *desired, v types.Map) {
	if !r.known(v) {
		return
	}
	w.gates = []*desiredGate{}
	for _, name := range slices.Sorted(maps.Keys(v.Elements())) {
		if g := r.readGate(path.Root("gates").AtMapKey(name), name, v.Elements()[name]); g != nil {
			w.gates = append(w.gates, g)
		}
	}
}

func gateNames(gates []*desiredGate) []string {
	var names []string
	for _, g := range gates {
		names = append(names, g.terms.Name)
	}
	return names
}
