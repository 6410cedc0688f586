package provider

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The keys of the private state.
const (
	memoryKey = "memory" // memory of earlier runs
	planKey   = "plan"   // decisions of a plan, for its apply
)

// memory is what a switch remembers beside its state. Read and the end of an apply write it,
// and plans depend on it.
type memory struct {
	// ReadAt is the time of the last refresh, which is the clock of a plan. It is set only while
	// there is a previous version, because only rollback_window depends on time.
	ReadAt *time.Time             `json:"read_at,omitempty"`
	Routes map[string]routeMemory `json:"routes,omitempty"` // by ARN
	// Adopted is what an import found, until the first apply: it is the stable state, whatever names
	// the configuration uses.
	Adopted  map[string]routeMemory `json:"adopted,omitempty"`
	Previous *identityMemory        `json:"previous,omitempty"`
	Rejected *identityMemory        `json:"rejected,omitempty"`
	Attempt  *attemptMemory         `json:"attempt,omitempty"`
	// OtherRoutes are listeners and rules that forward to an environment's target group and are not
	// routes of the switch. The schedule warns about them.
	OtherRoutes []otherRouteMemory `json:"others,omitempty"`
	// SlowStart is the slow start duration of the target groups that were idle at the last refresh. A
	// missing group has none, or it is unknown.
	SlowStart map[string]time.Duration `json:"slow_start,omitempty"`
}

// routeMemory is rollout.State without the router's own data.
type routeMemory struct {
	Weights map[string]int `json:"weights,omitempty"`
	Sticky  time.Duration  `json:"sticky,omitempty"`
	Answer  string         `json:"answer,omitempty"`
	Idle    bool           `json:"idle,omitempty"`
	Label   string         `json:"label,omitempty"`
}

// otherRouteMemory is elb.OtherRoute without the ARN.
type otherRouteMemory struct {
	Text   string   `json:"text"`
	Groups []string `json:"groups"`
}

// identityMemory is an environment with its version at some time.
type identityMemory struct {
	Environment string            `json:"environment"`
	Version     string            `json:"version,omitempty"`
	Groups      map[string]string `json:"groups,omitempty"` // by entry point
	At          time.Time         `json:"at"`
	Reason      string            `json:"reason,omitempty"`
}

// attemptMemory is a failed Update, which leaves no trace in the state.
type attemptMemory struct {
	Environments map[string]map[string]string `json:"environments,omitempty"` // groups by entry point
	// Stopped is the environment that gained traffic where a shift stopped part way. If somebody
	// moves the traffic back from there, its version counts as rejected.
	Stopped *identityMemory `json:"stopped,omitempty"`
}

// planMemory is what a plan decided beside its values.
type planMemory struct {
	Ignored bool `json:"leave,omitempty"` // the traffic is left as it is
}

func rememberRoute(s traffic.State) routeMemory {
	return routeMemory{Weights: s.Weights, Sticky: s.Stickiness, Answer: s.Response, Idle: s.FixedError, Label: s.Label}
}

func (m routeMemory) state() traffic.State {
	return traffic.State{Weights: m.Weights, Stickiness: m.Sticky, Response: m.Answer, FixedError: m.Idle, Label: m.Label}
}

// private is the framework's private state of a request or response.
type private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

type privateSetter interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// recall reads the value of a key; it changes nothing where there is none.
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

// remember writes the value of a key.
func remember(ctx context.Context, to privateSetter, key string, value any) diag.Diagnostics {
	text, err := json.Marshal(value)
	if err != nil {
		return diag.Diagnostics{unreadableMemory(err)}
	}
	return to.SetKey(ctx, key, text)
}
