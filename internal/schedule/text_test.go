package schedule_test

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// fullStrategy returns a strategy with all settings, and gates for every part.
func fullStrategy() shift.Strategy {
	gate := func(name string, when shift.When) shift.GateSettings {
		return shift.GateSettings{Name: name, When: when, Interval: 10 * time.Second, Timeout: 10 * time.Second,
			InconclusiveTimeout: 10 * time.Minute, ErrorLimit: 4}
	}
	reportOnly := gate("p99", shift.During)
	reportOnly.DryRun = true
	approve := gate("approve", shift.During)
	approve.AtSteps = []shift.Share{500}
	return shift.Strategy{
		Steps: []shift.Step{{At: 50, Hold: 10 * time.Minute}, {At: 500, Hold: 90 * time.Second}},
		Bake:  time.Hour, Settle: time.Minute, HealthTimeout: 10 * time.Minute, SteadyFor: 15 * time.Second, RollbackWindow: 24 * time.Hour,
		Gates: []shift.GateSettings{approve, gate("errors", shift.During), gate("idle", shift.Before), reportOnly, gate("slo", shift.After)},
	}
}

// full returns a request with steps and gates, bare one without.
func full(desired shift.Weights, routes ...shift.Route) shift.Request {
	return with(request(desired, routes...), func(r *shift.Request) { r.Strategy = fullStrategy() })
}

func bare(desired shift.Weights, routes ...shift.Route) shift.Request {
	return with(request(desired, routes...), func(r *shift.Request) {
		r.Strategy = shift.Strategy{Settle: time.Minute, HealthTimeout: 10 * time.Minute, RollbackWindow: 24 * time.Hour}
	})
}

// onlyAttached returns a route with no groups at weight 0.
func onlyAttached(w shift.Weights) shift.Route {
	return shift.Route{Name: "web", Stable: w, Observed: w, Attached: w.Names()}
}

// scheduleText is a request, with a golden file for the text of its schedule.
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
			golden.Check(t, schedule.Text(s))
		})
	}
}

func TestSchedule_textOfAShift(t *testing.T) {
	checkTexts(t, []scheduleText{
		{"a release", full(green, onlyAttached(blue))},
		{"no steps, without versions", with(bare(green, route(blue, blue)), func(r *shift.Request) {
			r.Environments[0].Version, r.Environments[1].Version = "", ""
		})},
		{"a baseline", with(full(green, onlyAttached(blue)), func(r *shift.Request) { r.Strategy.Baseline = 50 })},
		{"a baseline, abandoned in the bake", with(full(green, route(blue, shift.Weights{"blue": 50, "green": 950})), func(r *shift.Request) {
			toGreen(r)
			r.Strategy.Baseline = 50
		})},
		// blue was moved to green outside Terraform, and changed while it was idle.
		{"the last stable version was replaced while idle", with(full(shift.Sole("red"), route(blue, green)), blueChanged)},
		// The edit that moves the traffic away also changes blue.
		{"the version that has the traffic changes in the same edit", with(full(green, route(blue, blue)), blueChanged)},
		{"detach_idle", with(full(green, onlyAttached(blue)), func(r *shift.Request) { r.Strategy.DetachIdle = true })},
		{"an attached idle environment without a healthy target", with(full(green, route(blue, blue)), redUnhealthy)},
		{"one that is detached", with(full(green, route(blue, blue)), func(r *shift.Request) {
			redUnhealthy(r)
			r.Strategy.DetachIdle = true
		})},
		{"one that gets the traffic", with(full(green, route(blue, blue)), func(r *shift.Request) { r.Environments[1].IdleUnhealthy = true })},
		{"an alias that gets the traffic", with(full(green, route(blue, blue)), func(r *shift.Request) { r.Environments[1].AliasUnhealthy = true })},
		{"an alias that loses the traffic", with(full(green, route(blue, blue)), func(r *shift.Request) { r.Environments[0].AliasUnhealthy = true })},
		{"a Create", shift.Request{AttachesIdle: true, Desired: green, Unobserved: true, Environments: twoEnvironments(), Strategy: fullStrategy(), Routes: []shift.Route{{Name: "web", Joining: true}, {Name: "api", Joining: true}}}},
		{"abandoned at 50 %", with(full(green, route(blue, half)), toGreen)},
		{"abandoned at 100 %", with(full(green, route(blue, green)), toGreen)},
		{"a removed environment and an unmanaged group", with(bare(green, route(blue, shift.Weights{"blue": 900, "legacy": 100})), func(r *shift.Request) {
			r.Environments[0].Removed = true
			r.Environments = append(r.Environments, shift.Environment{Name: "legacy", Unmanaged: true})
			r.Routes[0].Attached = append(r.Routes[0].Attached, "legacy")
			r.Notes = []string{"rule 7 forwards to green as well."}
		})},
	})
}

func managed(r *shift.Request) {
	r.Managed = "If hashicorp/aws manages this listener or rule, first give that resource lifecycle { … }."
}

func blueChanged(r *shift.Request) {
	r.Environments[0].VersionBefore, r.Environments[0].VersionChanged = "1.4.1", true
}

func TestSchedule_textOfRoutes(t *testing.T) {
	checkTexts(t, []scheduleText{
		{"routes with different weights", bare(green, joining(blue), named(joining(half), "web, 2nd route"), named(shift.Route{Joining: true}, "api"), named(fixed503, "admin"))},
		{"routes that cannot be replaced", full(green, route(blue, blue), named(shift.Route{Joining: true, Response: "redirect 301"}, "old"),
			named(shift.Route{Stable: blue, Response: "fixed response 503"}, "api"))},
		// blue got another group for api: the route of web stays as it is.
		{"one of several groups was replaced", with(full(blue, shift.Route{Name: "web", Stable: blue, Observed: blue, Attached: []string{"blue", "green"}, Without: []string{"blue (old target groups)"}},
			shift.Route{Name: "api", Stable: shift.Sole("blue (old target groups)"), Observed: shift.Sole("blue (old target groups)"), Attached: []string{"blue (old target groups)", "green"}}),
			func(r *shift.Request) {
				r.Environments = append(r.Environments, shift.Environment{Name: "blue (old target groups)", Removed: true})
			})},
		{"sticky", with(bare(green, onlyAttached(blue)), func(r *shift.Request) { r.Sticky = new(true) })},
		{"a fixed error", bare(green, fixed503)},
		{"connections", bare(green, ofConnections(route(blue, blue)))},
		{"connections on one of two routes", bare(green, route(blue, blue), ofConnections(named(route(blue, blue), "tcp")))},
		{"a rollback of connections", with(bare(blue, ofConnections(route(blue, half))), away)},
	})
}

func ofConnections(x shift.Route) shift.Route {
	x.Connections = true
	return x
}

func TestSchedule_textOfOtherKinds(t *testing.T) {
	checkTexts(t, []scheduleText{
		{"rollback", with(full(blue, shift.Route{Stable: blue, Observed: half, Attached: []string{"blue", "green", "legacy"}}), away)},
		{"revert", with(full(blue, route(green, green)), func(r *shift.Request) { r.Previous, r.WithinRollbackWindow = id("blue", "1.4.2"), true })},
		{"revert without gates", with(bare(blue, route(green, green)), func(r *shift.Request) { r.Previous, r.WithinRollbackWindow = id("blue", "1.4.2"), true })},
		{"rejected", with(full(green, onlyAttached(blue)), func(r *shift.Request) { r.Rejected = rejection("1.5.0") })},
		{"retry", with(bare(green, route(blue, blue)), func(r *shift.Request) { r.Rejected, r.Retry = rejection("1.5.0"), true })},
		{"retry while another version is rejected", with(bare(green, route(blue, blue)), func(r *shift.Request) { r.Rejected, r.Retry = rejection("1.4.9"), true })},
		{"external change", with(full(green, route(green, blue)), func(r *shift.Request) { r.Previous = id("blue", "1.4.2") })},
		{"external change by a resource that manages the route", with(full(green, shift.Route{Name: "web", Stable: green, Observed: blue, Attached: []string{"blue"}}), managed)},
		{"external change that leaves both groups attached", with(full(green, route(green, blue)), managed)},
		{"external change to an unmanaged group", full(green, route(green, shift.Sole("legacy")))},
		{"external change of one route to an unmanaged group", with(full(green, route(green, shift.Sole("legacy")), named(route(green, half), "api")), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "legacy", Unmanaged: true})
		})},
		{"external change of one route to a removed environment", with(full(green, route(green, shift.Sole("old")), named(route(green, half), "api")), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "old", Removed: true})
		})},
		{"rollback from a single group", with(full(blue, shift.Route{Stable: blue, Observed: green, Attached: []string{"green"}}), away)},
		{"partial external change", with(full(green, route(green, half)), func(r *shift.Request) { r.Previous = id("blue", "1.4.2") })},
		{"partial external change, the previous version was replaced while idle", with(full(green, route(green, half)), func(r *shift.Request) { r.Previous = id("blue", "1.4.1") })},
		{"partial external change without a previous version", full(green, route(green, half))},
		{"accepted", full(blue, route(green, blue))},
		{"another switch", with(full(green, route(blue, blue)), func(r *shift.Request) { r.OtherSwitch = "ann@ci-1 (shift 20260101T000000Z-1)" })},
		{"a route is missing", full(blue, named(shift.Route{Stable: blue, Missing: true}, "api"), route(blue, blue))},
		{"rolled back first, then refused", with(full(green, route(blue, half)), func(r *shift.Request) { toGreen(r); r.Rejected = rejection("1.5.0") })},
		{"rolled back first, then another environment", with(full(shift.Sole("red"), route(blue, half)), away)},
		{"a closed record", with(full(green, route(green, green)), func(r *shift.Request) { r.ClosedRecord = "20260101T000000Z-1" })},
		{"a route joins from an idle environment", with(full(green, route(green, green), named(joining(blue), "web, 2nd route")), func(r *shift.Request) { r.Stable = green })},
		{"a route joins that is not read", with(full(green, route(green, green), named(shift.Route{Joining: true}, "web, 2nd route")), func(r *shift.Request) { r.Stable = green })},
		{"a route joins from an unmanaged group", with(full(green, route(green, green), named(joining(shift.Sole("legacy")), "web, 2nd route")), func(r *shift.Request) {
			r.Stable = green
			r.Environments = append(r.Environments, shift.Environment{Name: "legacy", Unmanaged: true})
		})},
		{"no change", full(green, route(green, green))},
		{"only attached groups and stickiness change", with(full(green, shift.Route{Stable: green, Observed: green, Attached: []string{"green", "red"}}), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "red", Removed: true})
			r.StickinessChanges = true
		})},
		{"a shift that may still be running", with(full(blue, route(blue, half)), func(r *shift.Request) {
			away(r)
			r.Unfinished.Running = "shift 20260101T000000Z-1 of ann on ci-7, at 50 %"
		})},
		{"no desired weights, with an unfinished shift", with(full(nil, route(blue, half)), func(r *shift.Request) {
			r.Unfinished = &shift.Unfinished{Shift: "20260101T000000Z-1"}
		})},
		{"no desired weights, with an unmanaged group", with(full(nil, route(blue, shift.Weights{"blue": 900, "legacy": 100})), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "legacy", Unmanaged: true})
			r.Routes[0].Attached = append(r.Routes[0].Attached, "legacy")
		})},
	})
}

// named returns the route with another name.
func named(x shift.Route, name string) shift.Route {
	x.Name = name
	return x
}

// redUnhealthy adds red, which is attached at weight 0 and has no healthy target.
func redUnhealthy(r *shift.Request) {
	r.Environments = append(r.Environments, shift.Environment{Name: "red", IdleUnhealthy: true})
	r.Routes[0].Attached = append(r.Routes[0].Attached, "red")
}
