package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// warningsOf returns the warnings of a release with steps at 5 % and 50 %, where the
// slow start of green lasts for slow.
func warningsOf(t *testing.T, bake, slow time.Duration, gates ...shift.GateSettings) string {
	t.Helper()
	s, err := shift.Decide(with(full(green, route(blue, blue)), func(r *shift.Request) {
		r.Strategy.Steps = []shift.Step{{At: 50, Hold: 30 * time.Second}, {At: 500, Hold: 5 * time.Minute}}
		r.Strategy.Bake, r.Strategy.Gates = bake, gates
		r.Environments[1].SlowStart = slow
	}))
	if err != nil {
		t.Fatal(err)
	}
	var warnings []string
	for line := range strings.Lines(schedule.Text(s)) {
		if warning, ok := strings.CutPrefix(strings.TrimSpace(line), "Warning: "); ok {
			warnings = append(warnings, warning)
		}
	}
	return strings.Join(warnings, "\n")
}

func gateOf(name string, when shift.When, interval, lag time.Duration) shift.GateSettings {
	return shift.GateSettings{Name: name, When: when, Interval: interval, Lag: lag, InconclusiveTimeout: 10 * time.Minute}
}

func TestSchedule_warningsAboutHolds(t *testing.T) {
	brief, reportOnly := gateOf("brief", shift.During, 10*time.Second, 2*time.Minute), gateOf("dry", shift.During, 10*time.Second, 2*time.Minute)
	brief.InconclusiveTimeout, reportOnly.DryRun = time.Minute, true
	ofStep := gateOf("approve", shift.During, 10*time.Minute, 0)
	ofStep.AtSteps = []shift.Share{500}
	warmUp, late := gateOf("errors", shift.During, 10*time.Second, 2*time.Minute), gateOf("errors", shift.During, 10*time.Second, 2*time.Minute)
	warmUp.InitialDelay, late.InitialDelay, late.InconclusiveTimeout = 4*time.Minute, 4*time.Minute, time.Minute
	tests := []struct {
		name       string
		bake, slow time.Duration
		gate       shift.GateSettings
		warns      bool
	}{
		{"holds are long enough", time.Minute, 30 * time.Second, gateOf("errors", shift.During, 30*time.Second, 30*time.Second), false},
		{"an interval longer than a hold", 0, 0, gateOf("errors", shift.During, time.Minute, 0), true},
		{"an interval longer than all holds", 30 * time.Second, 0, gateOf("errors", shift.Always, 6*time.Minute, 0), true},
		{"only before any traffic", 0, 0, gateOf("idle", shift.Before, time.Hour, time.Hour), false},
		{"a metric with a lag", 0, 0, gateOf("errors", shift.During, 10*time.Second, 2*time.Minute), true},
		{"in the bake only", time.Minute, 0, gateOf("errors", shift.After, 10*time.Second, 2*time.Minute), true},
		{"a gate of a step", 0, 0, ofStep, true},
		{"data arrives after inconclusive_timeout", 2 * time.Minute, 0, brief, true},
		{"a metric after a warm-up", 10 * time.Minute, 0, warmUp, true},
		{"after a warm-up, data arrives after inconclusive_timeout", 10 * time.Minute, 0, late, true},
		{"report-only, so not waited for", 0, 0, reportOnly, false},
		{"slow start", 0, time.Minute, gateOf("errors", shift.During, 10*time.Second, 0), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := warningsOf(t, tt.bake, tt.slow, tt.gate)
			if (got != "") != tt.warns {
				t.Errorf("warnings: %q", got)
			}
			golden.Check(t, got)
		})
	}
}

func TestSchedule_durationIncludesGates(t *testing.T) {
	shortest := func(gates ...shift.GateSettings) time.Duration {
		s, err := shift.Decide(with(full(green, route(blue, blue)), func(r *shift.Request) {
			r.Strategy.Steps = []shift.Step{{At: 50, Hold: 30 * time.Second}}
			r.Strategy.Bake, r.Strategy.Gates = 0, gates
		}))
		if err != nil {
			t.Fatal(err)
		}
		return s.Shortest()
	}
	reportOnly := gateOf("dry", shift.During, time.Second, time.Hour)
	reportOnly.DryRun = true
	plain := shortest()
	if plain != 105*time.Second { // steady 15s, hold 30s, settle 1m
		t.Fatalf("without gates: got %s, want 1m45s", plain)
	}
	// Before the gates are evaluated, health is steady for 15s, which counts toward the
	// lag.
	warmUp := gateOf("idle", shift.Before, time.Second, 2*time.Minute)
	warmUp.InitialDelay = time.Minute // after which the lag begins
	if got := shortest(warmUp); got != plain+3*time.Minute {
		t.Errorf("gate with a lag of 2m and an initial delay before any traffic: got %s, want %s", got, plain+3*time.Minute)
	}
	if got := shortest(gateOf("idle", shift.Before, time.Second, 2*time.Minute)); got != plain+105*time.Second {
		t.Errorf("gate with a lag of 2m before any traffic: got %s, want %s", got, plain+105*time.Second)
	}
	// The lag of 2m replaces the hold of 30s, and is added in the bake.
	if got := shortest(gateOf("errors", shift.During, time.Second, 2*time.Minute), reportOnly); got != plain+90*time.Second+2*time.Minute {
		t.Errorf("gate with a lag of 2m: got %s, want %s", got, plain+90*time.Second+2*time.Minute)
	}
}

// In a revert, all gates are report-only.
func TestSchedule_durationOfRevertExcludesGates(t *testing.T) {
	s, err := shift.Decide(with(full(blue, route(green, green)), func(r *shift.Request) {
		r.Previous, r.WithinRollbackWindow = &shift.Identity{Environment: "blue", Version: "1.4.2"}, true
		r.Strategy.Gates = []shift.GateSettings{gateOf("errors", shift.During, time.Second, 2*time.Minute)}
	}))
	if err != nil || s.Kind != shift.Revert {
		t.Fatalf("%v, %v", s.Kind, err)
	}
	if got := s.Shortest(); got != time.Minute { // settle
		t.Errorf("Shortest() = %s, want 1m", got)
	}
}
