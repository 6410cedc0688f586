package shift_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

func TestSchedule_duration(t *testing.T) {
	gate := shift.GateSettings{Name: "errors", When: shift.During, Interval: 10 * time.Second, Timeout: 10 * time.Second, ErrorLimit: 4}
	gated := func(g shift.GateSettings, steps ...shift.Step) shift.Request {
		return with(request(green, route(blue, blue)), func(r *shift.Request) {
			r.Strategy = shift.Strategy{Steps: steps, Bake: time.Minute, Gates: []shift.GateSettings{g}}
		})
	}
	with := func(change func(*shift.GateSettings)) shift.GateSettings {
		g := gate
		change(&g)
		return g
	}
	tests := []struct {
		name        string
		request     shift.Request
		short, long time.Duration
	}{
		// Longest: reading, attaching and detaching 1m; the readiness check and the step
		// 30s each; the bake 1m and 30s; five errors and a failure 20s each.
		{"a gate in the bake", gated(gate), time.Minute, 6 * time.Minute},
		{"an initial delay longer than the bake", gated(with(func(g *shift.GateSettings) { g.InitialDelay = 2 * time.Minute })), 2 * time.Minute, 8 * time.Minute},
		{"a metric after an initial delay", gated(with(func(g *shift.GateSettings) { g.InitialDelay, g.Lag = 2*time.Minute, 2*time.Minute })), 4 * time.Minute, 8 * time.Minute},
		{"a long inconclusive_timeout", gated(with(func(g *shift.GateSettings) { g.InconclusiveTimeout = time.Hour })),
			time.Minute, time.Hour + 4*time.Minute + 20*time.Second},
		{"tolerated failures", gated(with(func(g *shift.GateSettings) { g.FailureLimit = 9 })), time.Minute, 9 * time.Minute},
		{"a gate of a step is not evaluated in the bake", gated(with(func(g *shift.GateSettings) { g.AtSteps = []shift.Share{50} }), shift.Step{At: 50, Hold: time.Minute}), 2 * time.Minute, 8 * time.Minute},
	}
	for _, tt := range tests {
		s, err := shift.Decide(tt.request)
		if err != nil || s.Shortest() != tt.short || s.Longest() != tt.long {
			t.Errorf("%s: %s to %s, %v; want %s to %s", tt.name, s.Shortest(), s.Longest(), err, tt.short, tt.long)
		}
	}
}

func TestStrategy_gatesFor(t *testing.T) {
	all := shift.Strategy{Steps: []shift.Step{{At: 50}, {At: 500}}}
	for _, name := range []string{"after", "always", "before", "during"} {
		all.Gates = append(all.Gates, shift.GateSettings{Name: name, When: shift.When(name)})
	}
	all.Gates = append(all.Gates, // evaluated at their steps only, whatever the part
		shift.GateSettings{Name: "step", When: shift.Always, AtSteps: []shift.Share{500}},
		shift.GateSettings{Name: "step and bake", When: shift.During, AtSteps: []shift.Share{50, shift.Full}})
	tests := []struct {
		part shift.When
		step shift.Step
		want []string
	}{
		{shift.Before, shift.Step{}, []string{"always", "before"}},
		{shift.During, all.Steps[0], []string{"always", "during", "step and bake"}},
		{shift.During, all.Steps[1], []string{"always", "during", "step"}},
		{shift.During, shift.Step{At: 620, Like: 500}, []string{"always", "during", "step"}}, // a split between two steps
		{shift.After, shift.Step{}, []string{"after", "always", "during", "step and bake"}},
	}
	for _, tt := range tests {
		var got []string
		for _, g := range all.GatesFor(tt.part, tt.step) {
			got = append(got, g.Name)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s %v: %v, want %v", tt.part, tt.step.At, got, tt.want)
		}
	}
}

func TestSchedule_isEmpty(t *testing.T) {
	tests := []struct {
		name    string
		request shift.Request
		want    bool
	}{
		{"observed equals desired", request(green, route(green, green)), true},
		{"no desired weights", request(nil, route(blue, half)), true},
		{"an environment is attached", request(green, shift.Route{Origin: green, Observed: green, Attached: []string{"green"}}), false},
		{"an environment is detached", with(request(green, route(green, green)), func(r *shift.Request) { r.Environments[0].Removed = true }), false},
		{"the stickiness changes", with(request(green, route(green, green)), func(r *shift.Request) { r.StickinessChanges = true }), false},
		{"traffic moves", request(green, route(blue, blue)), false},
		{"a rejected version, which is an error", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Rejected = rejection("green", "1.5.0") }), false},
		{"a route with a fixed response has nothing to attach", request(nil, shift.Route{FixedError: true, Joining: true, Response: "fixed response 503"}), true},
	}
	for _, tt := range tests {
		s, err := shift.Decide(tt.request)
		if err != nil || s.IsEmpty() != tt.want {
			t.Errorf("%s: IsEmpty() = %t, %v; want %t", tt.name, s.IsEmpty(), err, tt.want)
		}
	}
}
