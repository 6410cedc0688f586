package gate

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// bodyVersion rises when a property changes its meaning or goes. One that is new
// changes nothing for whoever reads the others.
const bodyVersion = 1

// inputBody is the place in a shift as a webhook and a command are told of it, in
// JSON. templates/webhook.schema.json describes it for whoever reads it.
type inputBody struct {
	Version        int                `json:"version"`
	Gate           string             `json:"gate"`
	Shift          string             `json:"shift"`
	Switch         bodySwitch         `json:"switch"`
	Incoming      map[string]bodyEnvironment `json:"receiving"`
	Live         map[string]bodyEnvironment `json:"giving"`
	From           map[string]float64 `json:"from"` // percent by environment; null where nothing had traffic
	To             map[string]float64 `json:"to"`
	Weights        map[string]float64 `json:"weights"`
	Part           string             `json:"part"`
	Step           int                `json:"step"`
	Steps          int                `json:"steps"`
	StartedAt      time.Time          `json:"started_at"`
	ChangedAt      time.Time          `json:"changed_at"`
	ElapsedSeconds int                `json:"elapsed_seconds"`
	Attempt        int                `json:"attempt"`
}

type bodySwitch struct {
	Routes map[string][]string `json:"routes"` // ARNs by entry point
}

type bodyEnvironment struct {
	Version      *string           `json:"version"`       // null: it has none
	TargetGroups map[string]string `json:"target_groups"` // ARN by entry point
}

// newInputBody tells of a moment.
func newInputBody(m rollout.GateInput, now time.Time) inputBody {
	b := inputBody{
		Version: bodyVersion, Gate: m.Gate, Shift: m.Shift,
		Switch:    bodySwitch{Routes: map[string][]string{}},
		Incoming: environmentsOf(m.Incoming), Live: environmentsOf(m.Live),
		From: percents(m.From), To: percents(m.To), Weights: percents(m.Weights),
		Part: string(m.Part), Step: m.Step, Steps: m.Steps,
		StartedAt: m.StartedAt.UTC().Truncate(time.Millisecond), ChangedAt: m.ChangedAt.UTC().Truncate(time.Millisecond),
		ElapsedSeconds: int(max(now.Sub(m.StartedAt), 0) / time.Second),
		Attempt:        m.Attempt,
	}
	if b.To == nil {
		b.To = map[string]float64{}
	}
	if b.Weights == nil {
		b.Weights = map[string]float64{}
	}
	for _, side := range slices.Concat(m.Incoming, m.Live) {
		known := b.Switch.Routes[side.Entry]
		for _, route := range side.Routes {
			if !slices.Contains(known, route) {
				known = append(known, route)
			}
		}
		if known != nil {
			b.Switch.Routes[side.Entry] = known
		}
	}
	return b
}

func environmentsOf(sides []rollout.Backend) map[string]bodyEnvironment {
	all := map[string]bodyEnvironment{}
	for _, side := range sides {
		if _, ok := all[side.Environment]; !ok {
			all[side.Environment] = bodyEnvironment{Version: versionOf(side), TargetGroups: map[string]string{}}
		}
		all[side.Environment].TargetGroups[side.Entry] = side.Group
	}
	return all
}

func versionOf(side rollout.Backend) *string {
	if side.Version == "" {
		return nil
	}
	return &side.Version
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

// text is the JSON, on one line.
func (b inputBody) text() ([]byte, error) { return json.Marshal(b) }
