package provider

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// gateKind is a kind of gate as a user writes it. A new kind is a file with
// one of these and a line in gateKinds.
type gateKind struct {
	name      string
	attribute schema.SingleNestedAttribute
	// inconclusive is the default of inconclusive_timeout.
	inconclusive time.Duration
	// read tells what is wrong with the kind's arguments, as far as they are
	// known, and returns what they come to.
	read func(r *reader, at path.Path, attrs map[string]attr.Value) gateConfig
}

// gateConfig is what the arguments of a kind come to.
type gateConfig struct {
	// build makes the gate. It is not called while anything is unknown or wrong.
	build func(gate.Dependencies) (rollout.Gate, error)
	// lag is how long after a change of weights the first data from after it can
	// be seen: a metric's period and how late its points are. 0: at once.
	lag time.Duration
	// beforeTrafficNote returns what a reviewer should know where the gate is asked while the
	// named environments are idle, empty: nothing. Nil: never anything.
	beforeTrafficNote func(idle []string) string
	// unknown: what lag rests on is not known yet; asideWaits: what aside does.
	unknown, noteUnknown bool
	// alone says what is wrong with it where there is no live side to compare with,
	// as in the proof of an environment; empty: nothing.
	alone string
	// absent says, looking at this machine, what the gate lacks to do its work;
	// nil where it can. Nil: there is nothing to look at.
	absent func(gate.Dependencies) error
}

// gateKinds are all kinds, by name.
func gateKinds() []gateKind {
	return []gateKind{
		httpKind(),
		prometheusKind(),
		cloudwatchAlarmKind(),
		cloudwatchMetricKind(),
		targetMetricsKind(),
		webhookKind(),
		commandKind(),
	}
}

// desiredGate is a gate of a configuration.
type desiredGate struct {
	terms          shift.GateSettings
	onInconclusive rollout.Status
	gateConfig
}

// gateAttributes are those of one gate: a kind, and how it is judged.
func gateAttributes() map[string]schema.Attribute {
	all := map[string]schema.Attribute{
		"when": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Part of the shift in which the gate is evaluated: `before` (before any production traffic), `during` (at every step and in the bake), " +
				"`after` (only in the bake) or `always`. Default: `during`.",
		},
		"interval": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Time between two evaluations, as a duration above zero. Default: `10s`.",
		},
		"timeout": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Maximum time of one evaluation, as a duration above zero. Default: `10s`.",
		},
		"initial_delay": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Time to wait after each weight change before the first evaluation, as a duration. Default: `0s`.",
		},
		"failure_limit": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Number of failed evaluations to tolerate per shift, 0 or more. Default: `0`.",
		},
		"consecutive_error_limit": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Number of consecutive evaluations that may end in an error (could not measure), 0 or more. Default: `4`.",
		},
		"inconclusive_timeout": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "How long the gate may stay inconclusive after the hold of the step, as a duration. Default: `10m`; `24h` for `webhook`.",
		},
		"on_inconclusive_timeout": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Result when `inconclusive_timeout` is over: `fail`, `pass`, or `stop` (leave the weights as they are and fail the apply). Default: `fail`.",
		},
		"dry_run": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Evaluate and report only; the gate never blocks or fails a shift. Default: `false`.",
		},
	}
	for _, kind := range gateKinds() {
		all[kind.name] = kind.attribute
	}
	return all
}

// readGate returns nil where the gate cannot be read at all.
func (r *reader) readGate(at path.Path, name string, v attr.Value) *desiredGate {
	if missing(v) {
		r.add(nullGate(at))
		return nil
	}
	if name == "" {
		r.add(emptyKey(at))
		return nil
	}
	g := &desiredGate{terms: shift.GateSettings{Name: name, When: shift.During}}
	attrs := r.attributes(v)
	if attrs == nil {
		return g
	}
	kind, ok := r.kindOf(at, attrs)
	if !ok {
		return g
	}
	g.terms = r.readTerms(at, attrs, kind)
	g.terms.Name = name
	g.onInconclusive = map[string]rollout.Status{"fail": rollout.Fail, "pass": rollout.Pass, "stop": rollout.Inconclusive}[r.choice(
		at.AtName("on_inconclusive_timeout"), attrs["on_inconclusive_timeout"], "fail", "pass", "stop")]
	own := &reader{} // the schedule rests on little of what a kind asks for
	if args := own.attributes(attrs[kind.name]); args != nil {
		g.gateConfig = kind.read(own, at.AtName(kind.name), args)
		g.terms.Lag = g.lag
		r.unknown = r.unknown || g.unknown || g.noteUnknown && (g.terms.When == shift.Before || g.terms.When == shift.Always)
	}
	r.known(attrs[kind.name]) // what the schedule tells of it is not known before it is
	r.diags.Append(own.diags...)
	return g
}

// kindOf finds the one kind of a gate; false where it has none or two.
func (r *reader) kindOf(at path.Path, attrs map[string]attr.Value) (gateKind, bool) {
	var found []gateKind
	waits := false
	for _, kind := range gateKinds() {
		if !missing(attrs[kind.name]) {
			found = append(found, kind)
			waits = waits || attrs[kind.name].IsUnknown()
		}
	}
	switch {
	case len(found) == 1:
		return found[0], true
	case len(found) == 0:
		r.add(gateWithoutKind(at, kindNames(gateKinds())))
	case waits: // one of them may turn out to be null
		r.unknown = true
	default:
		r.add(gateOfTwoKinds(at, kindNames(found)))
	}
	return gateKind{}, false
}

func kindNames(kinds []gateKind) []string {
	var names []string
	for _, kind := range kinds {
		names = append(names, kind.name)
	}
	slices.Sort(names)
	return names
}

func (r *reader) readTerms(at path.Path, attrs map[string]attr.Value, kind gateKind) shift.GateSettings {
	return shift.GateSettings{
		When: shift.When(r.choice(at.AtName("when"), attrs["when"],
			string(shift.During), string(shift.Before), string(shift.After), string(shift.Always))),
		Interval:            r.positive(at.AtName("interval"), attrs["interval"], 10*time.Second),
		Timeout:             r.positive(at.AtName("timeout"), attrs["timeout"], 10*time.Second),
		InitialDelay:        r.duration(at.AtName("initial_delay"), attrs["initial_delay"], 0),
		InconclusiveTimeout: r.duration(at.AtName("inconclusive_timeout"), attrs["inconclusive_timeout"], kind.inconclusive),
		FailureLimit:        r.whole(at.AtName("failure_limit"), attrs["failure_limit"], 0, 0),
		ErrorLimit:          r.whole(at.AtName("consecutive_error_limit"), attrs["consecutive_error_limit"], 0, 4),
		DryRun:              r.boolean(attrs["dry_run"]),
	}
}

// unavailableGate is in the place of a gate that cannot be built. It can measure
// nothing.
type unavailableGate struct {
	name string
	err  error
}

// Evaluate implements rollout.Gate.
func (u unavailableGate) Evaluate(context.Context, rollout.GateInput) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Errored, Detail: "it cannot be asked", Err: u.err}
}

// named builds the gates for a shift; everything is known by then. It returns
// those that cannot be built, and are to be obeyed, once more apart.
func (w desired) named(means gate.Dependencies) (all []rollout.NamedGate, failed []unavailableGate) {
	for _, g := range w.gates {
		built, err := g.build(means)
		if err != nil {
			if !g.terms.DryRun { // which is told, never obeyed
				failed = append(failed, unavailableGate{g.terms.Name, err})
			}
			built = unavailableGate{g.terms.Name, err}
		}
		all = append(all, rollout.NamedGate{GateSettings: g.terms, Gate: built, OnInconclusive: g.onInconclusive})
	}
	return all, failed
}

// beforeTrafficNote are the terms of the gates, with what to know of those that are asked
// while the named environments are idle.
func (w desired) beforeTrafficNote(idle []string) []shift.GateSettings {
	var all []shift.GateSettings
	for _, g := range w.gates {
		terms := g.terms
		if g.beforeTrafficNote != nil {
			terms.BeforeTrafficNote = g.beforeTrafficNote(idle)
		}
		all = append(all, terms)
	}
	return all
}

// asText is what a kind reads a text argument with.
func asText(v attr.Value) string {
	s, ok := v.(types.String)
	if !ok {
		return ""
	}
	return s.ValueString()
}
