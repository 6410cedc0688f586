// Package gates has the kinds of gates in the schema: the arguments of each, how they are
// read and checked, and the gate that is built from them.
package gates

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// kind is a kind of gate in the schema. A new kind is one file with a kind and
// one line in kinds.
type kind struct {
	name      string
	attribute schema.SingleNestedAttribute
	// inconclusive is the default of inconclusive_timeout.
	inconclusive time.Duration
	// read reports what is invalid in the arguments, as far as they are known, and
	// returns the configuration of the gate.
	read func(r reader, at path.Path, attrs map[string]attr.Value) configuration
}

// configuration is the configuration of a gate.
type configuration struct {
	// build creates the gate. It is called only when everything is known and valid.
	build func(gate.Dependencies) (rollout.Gate, error)
	// lag is how long after a weight change the first data from after it can be
	// available: the period of a metric plus its delay. 0: immediately.
	lag time.Duration
	// beforeTrafficNote returns a warning about evaluating the gate while the given
	// environments have no traffic; empty: none. Nil: never any.
	beforeTrafficNote func(idle []string) string
	// passLasts reports that a pass counts until the weights change, so that the gate is not
	// evaluated again before.
	passLasts bool
	// unknown reports that lag depends on unknown values, noteUnknown that
	// beforeTrafficNote does.
	unknown, noteUnknown bool
	// WithoutLive says what is wrong with the gate where there is no live environment to
	// compare with, as in a readiness check; empty: nothing.
	WithoutLive string
	// absent returns what the gate is missing on this machine to be evaluated; nil: it can
	// be. A nil function: nothing to check.
	absent func(gate.Dependencies) error
}

// kinds returns all kinds.
func kinds() []kind {
	return []kind{
		httpKind(),
		prometheusKind(),
		cloudwatchAlarmKind(),
		cloudwatchMetricKind(),
		targetMetricsKind(),
		webhookKind(),
		commandKind(),
	}
}

// Gate is a configured gate.
type Gate struct {
	Terms          shift.GateSettings
	onInconclusive rollout.Status
	configuration
}

// Attributes are the arguments of a gate: its kind and how to evaluate it.
func Attributes() map[string]schema.Attribute {
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
			MarkdownDescription: "Warm-up after each weight change, as a duration: the gate is not evaluated, and `target_metrics`, `cloudwatch_metric` and `cloudwatch_alarm` ignore data from before its end. Default: `0s`.",
		},
		"failure_limit": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Number of failed evaluations to tolerate per shift, 0 or more. A step ends only after a pass that follows them. Default: `0`.",
		},
		"consecutive_error_limit": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Number of consecutive evaluations that may end in an error (could not measure), 0 or more. A step ends only after a pass that follows them. Default: `4`.",
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
	for _, kind := range kinds() {
		all[kind.name] = kind.attribute
	}
	return all
}

// reader reads the arguments of gates.
type reader struct{ *input.Reader }

// Read reads a gate. It returns nil where the gate cannot be read at all.
func Read(r *input.Reader, at path.Path, name string, v attr.Value) *Gate {
	return reader{r}.gate(at, name, v)
}

func (r reader) gate(at path.Path, name string, v attr.Value) *Gate {
	if input.Missing(v) {
		r.Add(nullGate(at))
		return nil
	}
	if name == "" {
		r.Add(input.EmptyKey(at))
		return nil
	}
	g := &Gate{Terms: shift.GateSettings{Name: name, When: shift.During}}
	attrs := r.Attributes(v)
	if attrs == nil {
		return g
	}
	kind, ok := r.kindOf(at, attrs)
	if !ok {
		return g
	}
	g.Terms = r.readTerms(at, attrs, kind)
	g.Terms.Name = name
	g.onInconclusive = map[string]rollout.Status{"fail": rollout.Fail, "pass": rollout.Pass, "stop": rollout.Inconclusive}[r.Choice(
		at.AtName("on_inconclusive_timeout"), attrs["on_inconclusive_timeout"], "fail", "pass", "stop")]
	own := reader{&input.Reader{}} // the schedule depends on only a few arguments of a kind
	if args := own.Attributes(attrs[kind.name]); args != nil {
		g.configuration = kind.read(own, at.AtName(kind.name), args)
		g.Terms.Lag = g.lag
		r.Unknown = r.Unknown || g.unknown || g.noteUnknown && (g.Terms.When == shift.Before || g.Terms.When == shift.Always)
	}
	r.Known(attrs[kind.name]) // the schedule is unknown until the kind is known
	r.Diags.Append(own.Diags...)
	return g
}

// kindOf returns the one kind of a gate; false where it has none or several.
func (r reader) kindOf(at path.Path, attrs map[string]attr.Value) (kind, bool) {
	var found []kind
	anyUnknown := false
	for _, kind := range kinds() {
		if !input.Missing(attrs[kind.name]) {
			found = append(found, kind)
			anyUnknown = anyUnknown || attrs[kind.name].IsUnknown()
		}
	}
	switch {
	case len(found) == 1:
		return found[0], true
	case len(found) == 0:
		r.Add(gateWithoutKind(at, kindNames(kinds())))
	case anyUnknown: // one of them may turn out to be null
		r.Unknown = true
	default:
		r.Add(gateOfTwoKinds(at, kindNames(found)))
	}
	return kind{}, false
}

func kindNames(kinds []kind) []string {
	var names []string
	for _, kind := range kinds {
		names = append(names, kind.name)
	}
	slices.Sort(names)
	return names
}

func (r reader) readTerms(at path.Path, attrs map[string]attr.Value, kind kind) shift.GateSettings {
	return shift.GateSettings{
		When: shift.When(r.Choice(at.AtName("when"), attrs["when"],
			string(shift.During), string(shift.Before), string(shift.After), string(shift.Always))),
		Interval:            r.Positive(at.AtName("interval"), attrs["interval"], 10*time.Second),
		Timeout:             r.Positive(at.AtName("timeout"), attrs["timeout"], 10*time.Second),
		InitialDelay:        r.Duration(at.AtName("initial_delay"), attrs["initial_delay"], 0),
		InconclusiveTimeout: r.Duration(at.AtName("inconclusive_timeout"), attrs["inconclusive_timeout"], kind.inconclusive),
		FailureLimit:        r.Whole(at.AtName("failure_limit"), attrs["failure_limit"], 0, 0),
		ErrorLimit:          r.Whole(at.AtName("consecutive_error_limit"), attrs["consecutive_error_limit"], 0, 4),
		DryRun:              r.Boolean(attrs["dry_run"]),
	}
}

// Unavailable replaces a gate that cannot be created. Every evaluation is an error.
type Unavailable struct {
	Name string
	Err  error
}

// Evaluate implements rollout.Gate.
func (u Unavailable) Evaluate(context.Context, rollout.GateInput) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Errored, Detail: "it cannot be evaluated", Err: u.Err}
}

// Build creates the gates of a shift, for which everything is known. It returns
// separately those that cannot be created and are not report-only.
func Build(gates []*Gate, deps gate.Dependencies) (all []rollout.NamedGate, failed []Unavailable) {
	for _, g := range gates {
		built, err := g.build(deps)
		if err != nil {
			if !g.Terms.DryRun { // a report-only gate never fails a shift
				failed = append(failed, Unavailable{g.Terms.Name, err})
			}
			built = Unavailable{g.Terms.Name, err}
		}
		all = append(all, rollout.NamedGate{GateSettings: g.Terms, Gate: built, OnInconclusive: g.onInconclusive, PassLasts: g.passLasts})
	}
	return all, failed
}

// Settings returns the settings of the gates, with the warnings about those that are
// evaluated while the given environments have no traffic.
func Settings(gates []*Gate, idle []string) []shift.GateSettings {
	var all []shift.GateSettings
	for _, g := range gates {
		terms := g.Terms
		if g.beforeTrafficNote != nil {
			terms.BeforeTrafficNote = g.beforeTrafficNote(idle)
		}
		all = append(all, terms)
	}
	return all
}
