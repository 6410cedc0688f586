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

// gateKind is a kind of gate in the schema. A new kind is one file with a gateKind and
// one line in gateKinds.
type gateKind struct {
	name      string
	attribute schema.SingleNestedAttribute
	// inconclusive is the default of inconclusive_timeout.
	inconclusive time.Duration
	// read reports what is invalid in the arguments, as far as they are known, and
	// returns the configuration of the gate.
	read func(r *reader, at path.Path, attrs map[string]attr.Value) gateConfig
}

// gateConfig is the configuration of a gate.
type gateConfig struct {
	// build creates the gate. It is called only when everything is known and valid.
	build func(gate.Dependencies) (rollout.Gate, error)
	// lag is how long after a weight change the first data from after it can be
	// available: the period of a metric plus its delay. 0: immediately.
	lag time.Duration
	// beforeTrafficNote returns a warning about evaluating the gate while the given
	// environments have no traffic; empty: none. Nil: never any.
	beforeTrafficNote func(idle []string) string
	// unknown reports that lag depends on unknown values, noteUnknown that
	// beforeTrafficNote does.
	unknown, noteUnknown bool
	// withoutLive says what is wrong with the gate where there is no live environment to
	// compare with, as in a readiness check; empty: nothing.
	withoutLive string
	// absent returns what the gate is missing on this machine to be evaluated; nil: it can
	// be. A nil function: nothing to check.
	absent func(gate.Dependencies) error
}

// gateKinds returns all kinds.
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

// desiredGate is a configured gate.
type desiredGate struct {
	terms          shift.GateSettings
	onInconclusive rollout.Status
	gateConfig
}

// gateAttributes are the arguments of a gate: its kind and how to evaluate it.
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
	own := &reader{} // the schedule depends on only a few arguments of a kind
	if args := own.attributes(attrs[kind.name]); args != nil {
		g.gateConfig = kind.read(own, at.AtName(kind.name), args)
		g.terms.Lag = g.lag
		r.unknown = r.unknown || g.unknown || g.noteUnknown && (g.terms.When == shift.Before || g.terms.When == shift.Always)
	}
	r.known(attrs[kind.name]) // the schedule is unknown until the kind is known
	r.diags.Append(own.diags...)
	return g
}

// kindOf returns the one kind of a gate; false where it has none or several.
func (r *reader) kindOf(at path.Path, attrs map[string]attr.Value) (gateKind, bool) {
	var found []gateKind
	anyUnknown := false
	for _, kind := range gateKinds() {
		if !missing(attrs[kind.name]) {
			found = append(found, kind)
			anyUnknown = anyUnknown || attrs[kind.name].IsUnknown()
		}
	}
	switch {
	case len(found) == 1:
		return found[0], true
	case len(found) == 0:
		r.add(gateWithoutKind(at, kindNames(gateKinds())))
	case anyUnknown: // one of them may turn out to be null
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

// unavailableGate replaces a gate that cannot be created. Every evaluation is an error.
type unavailableGate struct {
	name string
	err  error
}

// Evaluate implements rollout.Gate.
func (u unavailableGate) Evaluate(context.Context, rollout.GateInput) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Errored, Detail: "it cannot be evaluated", Err: u.err}
}

// buildGates creates the gates of a shift, for which everything is known. It returns
// separately those that cannot be created and are not report-only.
func buildGates(gates []*desiredGate, deps gate.Dependencies) (all []rollout.NamedGate, failed []unavailableGate) {
	for _, g := range gates {
		built, err := g.build(deps)
		if err != nil {
			if !g.terms.DryRun { // a report-only gate never fails a shift
				failed = append(failed, unavailableGate{g.terms.Name, err})
			}
			built = unavailableGate{g.terms.Name, err}
		}
		all = append(all, rollout.NamedGate{GateSettings: g.terms, Gate: built, OnInconclusive: g.onInconclusive})
	}
	return all, failed
}

// gateSettings returns the settings of the gates, with the warnings about those that are
// evaluated while the given environments have no traffic.
func (w desired) gateSettings(idle []string) []shift.GateSettings {
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

// asText returns the value of a string attribute; empty where it is null or unknown.
func asText(v attr.Value) string {
	s, ok := v.(types.String)
	if !ok {
		return ""
	}
	return s.ValueString()
}
