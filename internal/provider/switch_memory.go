package provider

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// The keys of the private state.
const (
	memoryKey = "memory" // what is remembered from one run to the next
	planKey   = "plan"   // what a plan decided, for the apply of that plan
)

// memory is what a switch remembers beside its state. Read writes what it
// found, an apply what it left, and plans rest on both.
type memory struct {
	// ReadAt is the clock of a plan: when the routes were read last. It is kept
	// only while there is a previous version, which alone asks for the time.
	ReadAt *time.Time             `json:"read_at,omitempty"`
	Routes map[string]routeMemory `json:"routes,omitempty"` // by ARN
	// Adopted is what an import found, until the first apply: it is the stable
	// state, in whatever names the configuration has for it.
	Adopted  map[string]routeMemory `json:"adopted,omitempty"`
	Previous *identityMemory        `json:"previous,omitempty"`
	Rejected *identityMemory        `json:"rejected,omitempty"`
	Attempt  *attemptMemory         `json:"attempt,omitempty"`
	// Others are listeners and rules that forward to an environment's group and
	// are no routes: the schedule notes them.
	Others []otherMemory `json:"others,omitempty"`
	// SlowStart is the slow start of the groups that were idle when Read looked;
	// what is not here has none, or is not known.
	SlowStart map[string]time.Duration `json:"slow_start,omitempty"`
}

// routeMemory is rollout.Setting without what belongs to the router.
type routeMemory struct {
	Weights map[string]int `json:"weights,omitempty"`
	Sticky  time.Duration  `json:"sticky,omitempty"`
	Answer  string         `json:"answer,omitempty"`
	Idle    bool           `json:"idle,omitempty"`
	Label   string         `json:"label,omitempty"`
}

// otherMemory is elb.Other, of which the ARN is not needed.
type otherMemory struct {
	Text   string   `json:"text"`
	Groups []string `json:"groups"`
}

// identityMemory is an environment as it once was.
type identityMemory struct {
	Environment string            `json:"environment"`
	Version     string            `json:"version,omitempty"`
	Groups      map[string]string `json:"groups,omitempty"` // by entry point
	At          time.Time         `json:"at"`
	Reason      string            `json:"reason,omitempty"`
}

// attemptMemory is an Update that failed, of which the state keeps no trace.
type attemptMemory struct {
	Environments map[string]map[string]string `json:"environments,omitempty"` // groups by entry point
	// Stopped is the side that gained, where the traffic was left between. If a
	// hand takes it back from there, the version counts as sent back.
	Stopped *identityMemory `json:"stopped,omitempty"`
}

// planMemory is what a plan decided that its values do not tell.
type planMemory struct {
	Leave bool `json:"leave,omitempty"` // the traffic is left as it is
}

func rememberRoute(s rollout.RouteState) routeMemory {
	return routeMemory{Weights: s.Weights, Sticky: s.Stickiness, Answer: s.Response, Idle: s.FixedError, Label: s.Label}
}

func (m routeMemory) setting() rollout.RouteState {
	return rollout.RouteState{Weights: m.Weights, Stickiness: m.Sticky, Response: m.Answer, FixedError: m.Idle, Label: m.Label}
}

// private is the framework's private state, of a request or of a response.
type private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

type privateSetter interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// recall fills in what is remembered under a key; nothing where there is none.
func recall(ctx context.Context, from private, key string, into any) diag.Diagnostics {
	text, diags := from.GetKey(ctx, key)
	if diags.HasError() || len(text) == 0 {
		return diags
	}
	if err := json.Unmarshal(text, into); err != nil {
		diags.Append(unreadableMemory(err))
	}
	return diags
}

// remember writes under a key.
func remember(ctx context.Context, to privateSetter, key string, value any) diag.Diagnostics {
	text, err := json.Marshal(value)
	if err != nil {
		return diag.Diagnostics{unreadableMemory(err)}
	}
	return to.SetKey(ctx, key, text)
}
