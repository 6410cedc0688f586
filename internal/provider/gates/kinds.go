// Package gates has the kinds of gates in the schema: the arguments of each, how they are
// read and checked, and the gate that is built from them.
package gates

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// kind is a kind of gate in the schema. A new kind is one file with a kind and
// one line in kinds.
type kind struct {
	name        string
	description string
	arguments   map[string]schema.Attribute
	blocks      map[string]schema.Block // nil: none
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
	// approval reports that a person approves the gate, with its timeout and what follows it.
	approval  bool
	timeout   time.Duration
	onTimeout rollout.Status
	// unknown reports that lag depends on unknown values, noteUnknown that
	// beforeTrafficNote does.
	unknown, noteUnknown bool
	// withoutLive is what is wrong with the gate where there is no live environment to
	// compare with, as in a readiness check; nil: nothing.
	withoutLive *fault
	// ofRequests reports that the gate evaluates responses, which only some load balancers have.
	ofRequests bool
	// regionless is what is wrong with the gate where neither the routes nor the provider have a region; nil: nothing.
	regionless *fault
	// absent returns what the gate is missing on this machine to be evaluated; nil: it can
	// be. A nil function: nothing to check.
	absent func(gate.Dependencies) error
	// files returns what is wrong with the files of the gate on this machine. A nil
	// function: nothing to check.
	files func() []fault
}

// fault is what is wrong with an argument.
type fault struct {
	at   path.Path
	text string
}

// kinds returns all kinds.
func kinds() []kind {
	return []kind{
		httpKind(),
		grpcKind(),
		prometheusKind(),
		datadogKind(),
		cloudwatchAlarmKind(),
		cloudwatchMetricKind(),
		targetMetricsKind(),
		webhookKind(),
		approvalKind(),
		commandKind(),
	}
}

// Gate is a configured gate.
type Gate struct {
	Terms          shift.GateSettings
	onInconclusive rollout.Status
	nameAt         path.Path
	stepsAt        []path.Path // of the elements of Terms.AtSteps
	kindAt         path.Path   // of the block of its kind
	configuration
}

// NeedsRequests returns whether the gate evaluates the responses to requests, and the path of its block.
func (g *Gate) NeedsRequests() (path.Path, bool) { return g.kindAt, g.ofRequests }

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
		all = append(all, rollout.NamedGate{GateSettings: g.Terms, Gate: built, OnInconclusive: g.onInconclusive, PassLasts: g.passLasts, TakesApproval: g.approval})
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
