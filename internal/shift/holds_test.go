package shift_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// notesOf are the notes of a release by 5 %, 50 % and the whole, whose green
// starts slowly for a time.
func notesOf(t *testing.T, bake, slow time.Duration, gates ...shift.GateSettings) string {
	t.Helper()
	s, err := shift.Decide(with(full(green, route(blue, blue)), func(r *shift.Request) {
		r.Strategy.Steps = []shift.Step{{At: 50, Hold: 30 * time.Second}, {At: 500, Hold: 5 * time.Minute, Gates: []string{"approve"}}}
		r.Strategy.Bake, r.Strategy.Gates = bake, gates
		r.Environments[1].SlowStart = slow
	}))
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	for line := range strings.Lines(s.Text()) {
		if note, ok := strings.CutPrefix(strings.TrimSpace(line), "Warning: "); ok {
			notes = append(notes, note)
		}
	}
	return strings.Join(notes, "\n")
}

func gateOf(name string, when shift.When, interval, lag time.Duration) shift.GateSettings {
	return shift.GateSettings{Name: name, When: when, Interval: interval, Lag: lag, InconclusiveTimeout: 10 * time.Minute}
}

func TestSchedule_notesOfHolds(t *testing.T) {
	brief, dry := gateOf("brief", shift.During, 10*time.Second, 2*time.Minute), gateOf("dry", shift.During, 10*time.Second, 2*time.Minute)
	brief.InconclusiveTimeout, dry.DryRun = time.Minute, true
	tests := []struct {
		name       string
		bake, slow time.Duration
		gate       shift.GateSettings
		noted      bool
	}{
		{"long enough", time.Minute, 30 * time.Second, gateOf("errors", shift.During, 30*time.Second, 30*time.Second), false},
		{"an interval", 0, 0, gateOf("errors", shift.During, time.Minute, 0), true},
		{"an interval longer than all holds", 30 * time.Second, 0, gateOf("errors", shift.Always, 6*time.Minute, 0), true},
		{"only before any traffic", 0, 0, gateOf("idle", shift.Before, time.Hour, time.Hour), false},
		{"a metric's minutes", 0, 0, gateOf("errors", shift.During, 10*time.Second, 2*time.Minute), true},
		{"in the bake alone", time.Minute, 0, gateOf("errors", shift.After, 10*time.Second, 2*time.Minute), true},
		{"a gate of a step", 0, 0, gateOf("approve", shift.During, 10*time.Minute, 0), true},
		{"never decided in time", 2 * time.Minute, 0, brief, true},
		{"not obeyed, so not waited for", 0, 0, dry, false},
		{"slow start", 0, time.Minute, gateOf("errors", shift.During, 10*time.Second, 0), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := notesOf(t, tt.bake, tt.slow, tt.gate)
			if (got != "") != tt.noted {
				t.Errorf("the notes are %q", got)
			}
			golden.Check(t, got)
		})
	}
}

func TestSchedule_countsWhatGatesAdd(t *testing.T) {
	took := func(gates ...shift.GateSettings) (short time.Duration) {
		s, err := shift.Decide(with(full(green, route(blue, blue)), func(r *shift.Request) {
			r.Strategy.Steps = []shift.Step{{At: 50, Hold: 30 * time.Second}}
			r.Strategy.Bake, r.Strategy.Gates = 0, gates
		}))
		if err != nil {
			t.Fatal(err)
		}
		return s.Shortest()
	}
	dry := gateOf("dry", shift.During, time.Second, time.Hour)
	dry.DryRun = true
	plain := took()
	if plain != 105*time.Second { // steady 15s, hold 30s, settle 1m
		t.Fatalf("without gates it takes %s", plain)
	}
	// Health is steady for 15s before the gates are asked, and before that they have
	// seen nothing either.
	if got := took(gateOf("idle", shift.Before, time.Second, 2*time.Minute)); got != plain+105*time.Second {
		t.Errorf("with a gate that sees after 2m before any traffic it takes %s", got)
	}
	// 2m in place of the hold of 30s, and 2m in the bake.
	if got := took(gateOf("errors", shift.During, time.Second, 2*time.Minute), dry); got != plain+90*time.Second+2*time.Minute {
		t.Errorf("with a gate that sees after 2m it takes %s", got)
	}
}

// On a way back to a version that was live before gates are told, not obeyed.
func TestSchedule_countsNothingOfGatesThatAreTold(t *testing.T) {
	s, err := shift.Decide(with(full(blue, route(green, green)), func(r *shift.Request) {
		r.Previous, r.WithinRollbackWindow = &shift.Identity{Environment: "blue", Version: "1.4.2"}, true
		r.Strategy.Gates = []shift.GateSettings{gateOf("errors", shift.During, time.Second, 2*time.Minute)}
	}))
	if err != nil || s.Kind != shift.Revert {
		t.Fatalf("%v, %v", s.Kind, err)
	}
	if got := s.Shortest(); got != time.Minute { // to settle
		t.Errorf("it takes %s", got)
	}
}
