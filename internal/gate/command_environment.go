package gate

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// variable is one of the environment.
type variable struct{ name, value string }

// variables tell a command of a moment; the JSON is that of the same body.
func variables(b inputBody, text string) []variable {
	return []variable{
		{"BLUEGREEN_GATE", b.Gate},
		{"BLUEGREEN_SHIFT", b.Shift},
		{"BLUEGREEN_PART", b.Part},
		{"BLUEGREEN_STEP", strconv.Itoa(b.Step)},
		{"BLUEGREEN_STEPS", strconv.Itoa(b.Steps)},
		{"BLUEGREEN_ATTEMPT", strconv.Itoa(b.Attempt)},
		{"BLUEGREEN_ELAPSED_SECONDS", strconv.Itoa(b.ElapsedSeconds)},
		{"BLUEGREEN_FROM", pairs(b.From)},
		{"BLUEGREEN_TO", pairs(b.To)},
		{"BLUEGREEN_WEIGHTS", pairs(b.Weights)},
		{"BLUEGREEN_ENVIRONMENTS", strings.Join(slices.Sorted(maps.Keys(b.Incoming)), ",")},
		{"BLUEGREEN_TARGET_GROUPS", b.incomingGroups()},
		{"BLUEGREEN_MOMENT", text},
	}
}

// pairs are weights such as "blue=95,green=5".
func pairs(percent map[string]float64) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(percent)) {
		all = append(all, name+"="+strconv.FormatFloat(percent[name], 'f', -1, 64))
	}
	return strings.Join(all, ",")
}

// incomingGroups are "entry point=ARN", environment by environment.
func (b inputBody) incomingGroups() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(b.Incoming)) {
		groups := b.Incoming[name].TargetGroups
		for _, entry := range slices.Sorted(maps.Keys(groups)) {
			all = append(all, entry+"="+groups[entry])
		}
	}
	return strings.Join(all, ",")
}

// environment is all that the program gets.
func (g *commandGate) environment(m rollout.GateInput) ([]string, error) {
	b := newInputBody(m, time.Now())
	text, err := b.text()
	if err != nil {
		return nil, err
	}
	env := g.baseEnvironment(g.means)
	if g.WorkingDir != "" {
		dir, err := filepath.Abs(g.WorkingDir)
		if err != nil {
			return nil, err
		}
		env = append(env, "PWD="+dir) // programs believe it
	}
	for _, v := range variables(b, string(text)) {
		env = append(env, v.name+"="+v.value)
	}
	return env, nil
}
