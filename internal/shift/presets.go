package shift

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// ErrNoPreset reports a name that is none of Presets.
var ErrNoPreset = errors.New("no predefined deployment configuration")

// Linear returns equal steps, each with the same hold: a stride of 10 % gives steps
// at 10, 20, ... 90 %. A last step within a tenth of a stride of 100 % is left out,
// because a stride of 33.3 % means thirds: 33.3 and 66.6 %, not 99.9 %. It returns
// ErrOutOfRange for a stride of 0 or 100 %.
func Linear(stride Share, hold time.Duration) ([]Step, error) {
	if stride <= 0 || stride >= Full {
		return nil, ErrOutOfRange
	}
	var steps []Step
	for at := stride; at < Full; at += stride {
		if at > stride && 10*(Full-at) < stride {
			break
		}
		steps = append(steps, Step{At: at, Hold: hold})
	}
	return steps, nil
}

// Canary returns a single step before 100 %. It returns ErrOutOfRange for a step at
// 0 or 100 %.
func Canary(at Share, hold time.Duration) ([]Step, error) {
	steps := []Step{{At: at, Hold: hold}}
	if _, err := CheckSteps(steps); err != nil {
		return nil, err
	}
	return steps, nil
}

// codeDeploy is the prefix of the names that CodeDeploy predefines.
const codeDeploy = "CodeDeployDefault."

// preset is a deployment configuration that CodeDeploy predefines.
type preset struct {
	platform string
	short    string
	steps    func(Share, time.Duration) ([]Step, error) // nil: all at once
	minutes  int
}

// tenth is the step of every preset: 10 %.
const tenth Share = 100

// presets returns the deployment configurations for ECS and Lambda under their exact
// names ("Every1Minutes" for ECS, "Every1Minute" for Lambda), and AllAtOnce for EC2.
func presets() []preset {
	return []preset{
		{"", "AllAtOnce", nil, 0},
		{"ECS", "AllAtOnce", nil, 0},
		{"ECS", "Canary10Percent5Minutes", Canary, 5},
		{"ECS", "Canary10Percent15Minutes", Canary, 15},
		{"ECS", "Linear10PercentEvery1Minutes", Linear, 1},
		{"ECS", "Linear10PercentEvery3Minutes", Linear, 3},
		{"Lambda", "AllAtOnce", nil, 0},
		{"Lambda", "Canary10Percent5Minutes", Canary, 5},
		{"Lambda", "Canary10Percent10Minutes", Canary, 10},
		{"Lambda", "Canary10Percent15Minutes", Canary, 15},
		{"Lambda", "Canary10Percent30Minutes", Canary, 30},
		{"Lambda", "Linear10PercentEvery1Minute", Linear, 1},
		{"Lambda", "Linear10PercentEvery2Minutes", Linear, 2},
		{"Lambda", "Linear10PercentEvery3Minutes", Linear, 3},
		{"Lambda", "Linear10PercentEvery10Minutes", Linear, 10},
	}
}

// matches reports whether name is a form of the preset's name. It ignores case,
// because CodeDeploy's documentation has used both 10Percent and 10percent.
func (p preset) matches(name string) bool {
	forms := []string{p.platform + p.short, p.short, codeDeploy + p.platform + p.short, codeDeploy + p.short}
	return slices.ContainsFunc(forms, func(known string) bool { return strings.EqualFold(known, name) })
}

// Presets returns the names of the deployment configurations that CodeDeploy
// predefines for ECS and Lambda, and AllAtOnce, without the prefix
// "CodeDeployDefault.".
func Presets() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.platform+p.short)
	}
	return names
}

// Preset returns the steps of one of Presets. The name may have the prefix
// "CodeDeployDefault." ("CodeDeployDefault.ECSCanary10Percent5Minutes") and may omit
// the platform ("Canary10Percent5Minutes"). AllAtOnce has no steps. Preset returns
// ErrNoPreset for any other name.
func Preset(name string) ([]Step, error) {
	for _, p := range presets() {
		switch {
		case !p.matches(name):
		case p.steps == nil:
			return nil, nil
		default:
			return p.steps(tenth, time.Duration(p.minutes)*time.Minute)
		}
	}
	return nil, ErrNoPreset
}
