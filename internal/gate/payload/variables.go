package payload

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Variable is an environment variable.
type Variable struct{ Name, Value string }

// Variables returns the input of a command gate; text is the JSON of the same body.
func (b Body) Variables(text string) []Variable {
	return []Variable{
		{"BLUEGREEN_GATE", b.Gate},
		{"BLUEGREEN_SHIFT", b.Shift},
		{"BLUEGREEN_PART", b.Part},
		{"BLUEGREEN_STEP", strconv.Itoa(b.Step)},
		{"BLUEGREEN_STEPS", strconv.Itoa(b.Steps)},
		{"BLUEGREEN_ATTEMPT", strconv.Itoa(b.Attempt)},
		{"BLUEGREEN_ROLLBACK", strconv.FormatBool(b.Rollback)},
		{"BLUEGREEN_ELAPSED_SECONDS", strconv.Itoa(b.ElapsedSeconds)},
		{"BLUEGREEN_FROM", pairs(b.From)},
		{"BLUEGREEN_TO", pairs(b.To)},
		{"BLUEGREEN_WEIGHTS", pairs(b.Weights)},
		{"BLUEGREEN_ENVIRONMENTS", strings.Join(slices.Sorted(maps.Keys(b.Incoming)), ",")},
		{"BLUEGREEN_TARGET_GROUPS", b.incomingGroups()},
		{"BLUEGREEN_INPUT", text},
	}
}

// pairs formats weights, such as "blue=95,green=5".
func pairs(percent map[string]float64) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(percent)) {
		all = append(all, name+"="+strconv.FormatFloat(percent[name], 'f', -1, 64))
	}
	return strings.Join(all, ",")
}

// incomingGroups lists "entry point=ARN", sorted by environment and entry point.
func (b Body) incomingGroups() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(b.Incoming)) {
		groups := b.Incoming[name].TargetGroups
		for _, entry := range slices.Sorted(maps.Keys(groups)) {
			all = append(all, entry+"="+groups[entry])
		}
	}
	return strings.Join(all, ",")
}
