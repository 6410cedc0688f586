package shift_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s",
		10 * time.Minute: "10m", 10 * time.Hour: "10h", time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s", 24 * time.Hour: "24h",
	} {
		if got := shift.FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%s) = %s, want %s", d, got, want)
		}
	}
}

func TestRouteName(t *testing.T) {
	var got []string
	for _, n := range []int{1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111} {
		got = append(got, strings.TrimPrefix(shift.RouteName("web", n, 200), "web, "))
	}
	want := "1st route 2nd route 3rd route 4th route 11th route 12th route 13th route 21st route 22nd route 101st route 111th route"
	if text := strings.Join(got, " "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if got := shift.RouteName("web", 1, 1); got != "web" {
		t.Errorf("got %s for the only route, want web", got)
	}
}

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
		{"a long inconclusive_timeout", gated(with(func(g *shift.GateSettings) { g.InconclusiveTimeout = time.Hour })),
			time.Minute, time.Hour + 4*time.Minute + 20*time.Second},
		{"tolerated failures", gated(with(func(g *shift.GateSettings) { g.FailureLimit = 9 })), time.Minute, 9 * time.Minute},
		{"a gate of a step is not evaluated in the bake", gated(gate, shift.Step{At: 50, Hold: time.Minute, Gates: []string{"errors"}}), 2 * time.Minute, 8 * time.Minute},
	}
	for _, tt := range tests {
		s, err := shift.Decide(tt.request)
		if err != nil || s.Shortest() != tt.short || s.Longest() != tt.long {
			t.Errorf("%s: %s to %s, %v; want %s to %s", tt.name, s.Shortest(), s.Longest(), err, tt.short, tt.long)
		}
	}
}

func TestStrategy_gatesFor(t *testing.T) {
	all := shift.Strategy{Steps: []shift.Step{{At: 50}, {At: 500, Gates: []string{"approve"}}}}
	for _, name := range []string{"after", "always", "approve", "before", "during"} {
		when := shift.When(name)
		if name == "approve" {
			when = shift.Always // a gate of a step is evaluated there only
		}
		all.Gates = append(all.Gates, shift.GateSettings{Name: name, When: when})
	}
	tests := []struct {
		part shift.When
		step shift.Step
		want []string
	}{
		{shift.Before, shift.Step{}, []string{"always", "before"}},
		{shift.During, all.Steps[0], []string{"always", "during"}},
		{shift.During, all.Steps[1], []string{"always", "approve", "during"}},
		{shift.After, shift.Step{}, []string{"after", "always", "during"}},
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
