package shift_test

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// terms are a whole strategy with a gate of each kind of moment.
func terms() shift.Strategy {
	gate := func(name string, when shift.When) shift.GateSettings {
		return shift.GateSettings{Name: name, When: when, Interval: 10 * time.Second, Timeout: 10 * time.Second,
			InconclusiveTimeout: 10 * time.Minute, ErrorLimit: 4}
	}
	dry := gate("p99", shift.During)
	dry.DryRun = true
	return shift.Strategy{
		Steps: []shift.Step{{At: 50, Hold: 10 * time.Minute}, {At: 500, Hold: 90 * time.Second, Gates: []string{"approve"}}},
		Bake:  time.Hour, Settle: time.Minute, HealthTimeout: 10 * time.Minute, SteadyFor: 15 * time.Second, RollbackWindow: 24 * time.Hour,
		Gates: []shift.GateSettings{gate("approve", shift.During), gate("errors", shift.During), gate("idle", shift.Before), dry, gate("slo", shift.After)},
	}
}

// full asks for a shift with steps and gates, bare for one without.
func full(goal shift.Weights, routes ...shift.Route) shift.Request {
	return with(request(goal, routes...), func(r *shift.Request) { r.Strategy = terms() })
}

func bare(goal shift.Weights, routes ...shift.Route) shift.Request {
	return with(request(goal, routes...), func(r *shift.Request) {
		r.Strategy = shift.Strategy{Settle: time.Minute, HealthTimeout: 10 * time.Minute, RollbackWindow: 24 * time.Hour}
	})
}

// unattached is a route that names whoever has traffic and nobody else.
func unattached(w shift.Weights) shift.Route {
	return shift.Route{Name: "web", Origin: w, Observed: w, Attached: w.Names()}
}

// scheduleText is a request whose schedule is compared with a golden file.
type scheduleText struct {
	name    string
	request shift.Request
}

func checkTexts(t *testing.T, tests []scheduleText) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := shift.Decide(tt.request)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, s.Text())
		})
	}
}

func TestSchedule_textOfAShift(t *testing.T) {
	checkTexts(t, []scheduleText{
		{"a release", full(green, unattached(blue))},
		{"all at once, without versions", with(bare(green, route(blue, blue)), func(r *shift.Request) {
			r.Environments[0].Version, r.Environments[1].Version = "", ""
		})},
		{"a Create", shift.Request{Desired: green, Unobserved: true, Environments: pair(), Strategy: terms(), Routes: []shift.Route{{Name: "web", Joining: true}, {Name: "api", Joining: true}}}},
		{"killed at 50", full(green, route(blue, half))},
		{"killed at 100", full(green, route(blue, green))},
		{"who leaves, and a stranger", with(bare(green, route(blue, shift.Weights{"blue": 900, "legacy": 100})), func(r *shift.Request) {
			r.Environments[0].Removed = true
			r.Environments = append(r.Environments, shift.Environment{Name: "legacy", Unmanaged: true})
			r.Routes[0].Attached = append(r.Routes[0].Attached, "legacy")
			r.Notes = []string{"rule 7 forwards to green as well."}
		})},
	})
}

func TestSchedule_textOfRoutes(t *testing.T) {
	checkTexts(t, []scheduleText{
		{"routes that disagree", bare(green, joining(blue), called(joining(half), "web, 2nd route"), called(shift.Route{Joining: true}, "api"), called(idle, "admin"))},
		{"routes that are not to be taken", full(green, route(blue, blue), called(shift.Route{Joining: true, Response: "redirect 301"}, "old"),
			called(shift.Route{Origin: blue, Response: "fixed response 503"}, "api"))},
		{"sticky", with(bare(green, unattached(blue)), func(r *shift.Request) { r.Sticky = new(true) })},
		{"a fixed error", bare(green, idle)},
	})
}

func TestSchedule_textOfOtherKinds(t *testing.T) {
	checkTexts(t, []scheduleText{
		{"back", full(blue, shift.Route{Origin: blue, Observed: half, Attached: []string{"blue", "green", "legacy"}})},
		{"return", with(full(blue, route(green, green)), func(r *shift.Request) { r.Previous, r.WithinRollbackWindow = id("blue", "1.4.2", ""), true })},
		{"return without gates", with(bare(blue, route(green, green)), func(r *shift.Request) { r.Previous, r.WithinRollbackWindow = id("blue", "1.4.2", ""), true })},
		{"refused", with(full(green, unattached(blue)), func(r *shift.Request) { r.Rejected = rejects("green", "1.5.0") })},
		{"tried again", with(bare(green, route(blue, blue)), func(r *shift.Request) { r.Rejected, r.Retry = rejects("green", "1.5.0"), true })},
		{"a retry beside another version's rejection", with(bare(green, route(blue, blue)), func(r *shift.Request) { r.Rejected, r.Retry = rejects("green", "1.4.9"), true })},
		{"handed back", with(full(green, route(green, blue)), func(r *shift.Request) { r.Previous = id("blue", "1.4.2", "") })},
		{"nothing", full(green, route(green, green))},
		{"nothing but who is named, and stickiness", with(full(green, shift.Route{Origin: green, Observed: green, Attached: []string{"green", "red"}}), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "red", Removed: true})
			r.StickinessChanges = true
		})},
		{"left as it is, with a stranger's share", with(full(nil, route(blue, shift.Weights{"blue": 900, "legacy": 100})), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "legacy", Unmanaged: true})
			r.Routes[0].Attached = append(r.Routes[0].Attached, "legacy")
		})},
	})
}

// called names a route.
func called(x shift.Route, name string) shift.Route {
	x.Name = name
	return x
}
