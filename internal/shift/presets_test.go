package shift_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// stepsText formats steps: "10 20 30, 1m each".
func stepsText(steps []shift.Step) string {
	var stops, holds []string
	for _, s := range steps {
		stops = append(stops, strings.TrimSuffix(s.At.String(), " %"))
		if hold := strings.TrimSuffix(s.Hold.String(), "0s"); !slices.Contains(holds, hold) {
			holds = append(holds, hold)
		}
	}
	if steps == nil {
		return "no steps"
	}
	return strings.Join(stops, " ") + ", " + strings.Join(holds, " or ") + " each"
}

func TestLinear(t *testing.T) {
	tests := []struct {
		stride shift.Share
		want   string
	}{
		{100, "10 20 30 40 50 60 70 80 90, 1m each"},
		{200, "20 40 60 80, 1m each"},
		{125, "12.5 25 37.5 50 62.5 75 87.5, 1m each"},
		{300, "30 60 90, 1m each"},
		{500, "50, 1m each"},
		{501, "50.1, 1m each"},
		{999, "99.9, 1m each"}, // the only step is never left out
		{990, "99, 1m each"},
		// Thirds, sixths, ninths: a remainder of rounding is no step.
		{333, "33.3 66.6, 1m each"},
		{334, "33.4 66.8, 1m each"},
		{330, "33 66, 1m each"},
		{499, "49.9, 1m each"},
		{166, "16.6 33.2 49.8 66.4 83, 1m each"},
		{110, "11 22 33 44 55 66 77 88, 1m each"},
		// A remainder of at least a tenth of the stride is a step.
		{140, "14 28 42 56 70 84 98, 1m each"},
		{240, "24 48 72 96, 1m each"},
	}
	for _, tt := range tests {
		steps, err := shift.Linear(tt.stride, time.Minute)
		if got := stepsText(steps); got != tt.want || err != nil {
			t.Errorf("Linear(%s) = %s, %v; want %s", tt.stride, got, err, tt.want)
		}
	}
	if steps, err := shift.Linear(shift.MinShare, 0); len(steps) != 999 || err != nil {
		t.Errorf("Linear(%s) has %d steps, %v", shift.MinShare, len(steps), err)
	}
	for _, stride := range []shift.Share{-1, 0, shift.Full, shift.Full + 1} {
		if steps, err := shift.Linear(stride, 0); !errors.Is(err, shift.ErrOutOfRange) || steps != nil {
			t.Errorf("Linear(%s) = %v, %v", stride, steps, err)
		}
	}
}

// For any stride the steps are valid in a configuration, and none is much larger than
// the stride, including the last one to 100 %.
func TestLinear_anyStride(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stride := shift.Share(rapid.IntRange(1, 999).Draw(t, "stride"))
		steps, err := shift.Linear(stride, time.Second)
		if err != nil || len(steps) == 0 {
			t.Fatalf("%v, %v", steps, err)
		}
		if i, err := shift.CheckSteps(steps); err != nil {
			t.Fatalf("step %d of %v: %v", i, steps, err)
		}
		last := steps[len(steps)-1].At
		if rest := shift.Full - last; 10*rest >= 11*stride || (len(steps) > 1 && 10*rest < stride) {
			t.Fatalf("%s remain after the last step at %s", rest, last)
		}
	})
}

func TestCanary(t *testing.T) {
	for at, want := range map[shift.Share]string{1: "0.1, 5m each", 100: "10, 5m each", 999: "99.9, 5m each"} {
		steps, err := shift.Canary(at, 5*time.Minute)
		if got := stepsText(steps); got != want || err != nil {
			t.Errorf("Canary(%s) = %s, %v; want %s", at, got, err, want)
		}
	}
	for _, at := range []shift.Share{-1, 0, shift.Full} {
		if steps, err := shift.Canary(at, 0); !errors.Is(err, shift.ErrOutOfRange) || steps != nil {
			t.Errorf("Canary(%s) = %v, %v", at, steps, err)
		}
	}
}

func TestPreset(t *testing.T) {
	linear := func(minutes int) string { return fmt.Sprintf("10 20 30 40 50 60 70 80 90, %dm each", minutes) }
	canary := func(minutes int) string { return fmt.Sprintf("10, %dm each", minutes) }
	tests := map[string]string{
		"CodeDeployDefault.AllAtOnce":                           "no steps",
		"CodeDeployDefault.ECSAllAtOnce":                        "no steps",
		"CodeDeployDefault.ECSCanary10Percent5Minutes":          canary(5),
		"CodeDeployDefault.ECSCanary10Percent15Minutes":         canary(15),
		"CodeDeployDefault.ECSLinear10PercentEvery1Minutes":     linear(1),
		"CodeDeployDefault.ECSLinear10PercentEvery3Minutes":     linear(3),
		"CodeDeployDefault.LambdaAllAtOnce":                     "no steps",
		"CodeDeployDefault.LambdaCanary10Percent5Minutes":       canary(5),
		"CodeDeployDefault.LambdaCanary10Percent10Minutes":      canary(10),
		"CodeDeployDefault.LambdaCanary10Percent15Minutes":      canary(15),
		"CodeDeployDefault.LambdaCanary10Percent30Minutes":      canary(30),
		"CodeDeployDefault.LambdaLinear10PercentEvery1Minute":   linear(1),
		"CodeDeployDefault.LambdaLinear10PercentEvery2Minutes":  linear(2),
		"CodeDeployDefault.LambdaLinear10PercentEvery3Minutes":  linear(3),
		"CodeDeployDefault.LambdaLinear10PercentEvery10Minutes": linear(10),
	}
	var names []string
	for full, want := range tests {
		name := strings.TrimPrefix(full, "CodeDeployDefault.")
		names = append(names, name)
		short := strings.TrimPrefix(strings.TrimPrefix(name, "ECS"), "Lambda")
		for _, spelling := range []string{full, name, short, "CodeDeployDefault." + short, strings.Replace(full, "10Percent", "10percent", 1)} {
			steps, err := shift.Preset(spelling)
			if got := stepsText(steps); got != want || err != nil {
				t.Errorf("Preset(%q) = %s, %v; want %s", spelling, got, err, want)
			}
		}
	}
	known := shift.Presets()
	slices.Sort(known)
	slices.Sort(names)
	if !slices.Equal(known, names) {
		t.Errorf("Presets() = %v", known)
	}
}

func TestPreset_unknown(t *testing.T) {
	for _, name := range []string{
		"", "ECS", "CodeDeployDefault.", "CodeDeployDefault.HalfAtATime", "CodeDeployDefault.OneAtATime",
		"Linear20PercentEvery1Minutes", "ECSLinear10PercentEvery2Minutes", "ECSLinear10PercentEvery1Minute",
		"LambdaLinear10PercentEvery1Minutes", " AllAtOnce",
	} {
		if steps, err := shift.Preset(name); !errors.Is(err, shift.ErrNoPreset) || steps != nil {
			t.Errorf("Preset(%q) = %v, %v", name, steps, err)
		}
	}
}
