// Package payload is what a gate passes to another program about the shift: the JSON of webhook
// and command gates, and the variables of commands.
package payload

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// version is increased when a property changes its meaning or is removed. A new
// property does not increase it.
const version = 1

// Body is the JSON form of rollout.GateInput that webhook and command gates
// receive. templates/webhook.schema.json documents it.
type Body struct {
	Version        int                    `json:"version"`
	Gate           string                 `json:"gate"`
	Shift          string                 `json:"shift"`
	Switch         Routes                 `json:"switch"`
	Incoming       map[string]Environment `json:"incoming"`
	Live           map[string]Environment `json:"live"`
	From           map[string]float64     `json:"from"` // percent by environment; null if nothing had traffic
	To             map[string]float64     `json:"to"`
	Weights        map[string]float64     `json:"weights"`
	Part           string                 `json:"part"`
	Step           int                    `json:"step"`
	Steps          int                    `json:"steps"`
	StartedAt      time.Time              `json:"started_at"`
	ChangedAt      time.Time              `json:"changed_at"`
	ElapsedSeconds int                    `json:"elapsed_seconds"`
	Attempt        int                    `json:"attempt"`
	Rollback       bool                   `json:"rollback"`
}

// Routes are the routes of a switch.
type Routes struct {
	Routes map[string][]string `json:"routes"` // ARNs by entry point
}

// Environment is an environment of a shift.
type Environment struct {
	Version      *string           `json:"version"`       // null if the environment has none
	TargetGroups map[string]string `json:"target_groups"` // ARN by entry point
}

// New returns the body for a gate input. The elapsed time ends at now.
func New(in rollout.GateInput, now time.Time) Body {
	b := Body{
		Version: version, Gate: in.Gate, Shift: in.Shift,
		Switch:   Routes{Routes: map[string][]string{}},
		Incoming: environmentsOf(in.Incoming), Live: environmentsOf(in.Live),
		From: percents(in.From), To: percents(in.To), Weights: percents(in.Weights),
		Part: string(in.Part), Step: in.Step, Steps: in.Steps,
		StartedAt: in.StartedAt.UTC().Truncate(time.Millisecond), ChangedAt: in.ChangedAt.UTC().Truncate(time.Millisecond),
		ElapsedSeconds: int(max(now.Sub(in.StartedAt), 0) / time.Second),
		Attempt:        in.Attempt,
		Rollback:       in.Rollback,
	}
	if b.To == nil {
		b.To = map[string]float64{}
	}
	if b.Weights == nil {
		b.Weights = map[string]float64{}
	}
	for _, backend := range slices.Concat(in.Incoming, in.Live) {
		known := b.Switch.Routes[backend.Entry]
		for _, route := range backend.Routes {
			if !slices.Contains(known, route) {
				known = append(known, route)
			}
		}
		if known != nil {
			b.Switch.Routes[backend.Entry] = known
		}
	}
	return b
}

func environmentsOf(backends []traffic.Backend) map[string]Environment {
	all := map[string]Environment{}
	for _, backend := range backends {
		if _, ok := all[backend.Environment]; !ok {
			all[backend.Environment] = Environment{Version: versionOf(backend), TargetGroups: map[string]string{}}
		}
		all[backend.Environment].TargetGroups[backend.Entry] = backend.Group
	}
	return all
}

func versionOf(backend traffic.Backend) *string {
	if backend.Version == "" {
		return nil
	}
	return &backend.Version
}

func percents(weights shift.Weights) map[string]float64 {
	if weights == nil {
		return nil
	}
	all := map[string]float64{}
	for name, share := range weights {
		all[name] = share.Percent()
	}
	return all
}

// Text returns the JSON on one line.
func (b Body) Text() ([]byte, error) { return json.Marshal(b) }
