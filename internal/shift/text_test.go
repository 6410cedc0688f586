package shift_test

import (
	"strings"
	"testing"
	"time"

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
		Bake:  time.Hour, Settle: time.Minute, HealthTimeout: 10 * time.Minute, SteadyFor: 15 * time.Second,
		Gates: []shift.GateSettings{gate("approve", shift.During), gate("errors", shift.During), gate("idle", shift.Before), dry, gate("slo", shift.After)},
	}
}

// full asks for a shift with steps and gates, bare for one without.
func full(goal shift.Weights, routes ...shift.Route) shift.Request {
	return with(request(goal, routes...), func(r *shift.Request) { r.Strategy = terms() })
}

func bare(goal shift.Weights, routes ...shift.Route) shift.Request {
	return with(request(goal, routes...), func(r *shift.Request) {
		r.Strategy = shift.Strategy{Settle: time.Minute, HealthTimeout: 10 * time.Minute}
	})
}

// unattached is a route that names whoever has traffic and nobody else.
func unattached(w shift.Weights) shift.Route {
	return shift.Route{Name: "web", Origin: w, Observed: w, Attached: w.Names()}
}

func checkTexts(t *testing.T, tests []decision) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := shift.Decide(tt.request)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := s.Text(), strings.TrimPrefix(tt.want, "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestSchedule_textOfAShift(t *testing.T) {
	checkTexts(t, []decision{
		{"a release", full(green, unattached(blue)), `
blue (1.4.2) 100 % -> green (1.5.0) 100 %
1. attach green at weight 0
2. health of green, steady for 15s, at most 10m
3. gates before any traffic: idle
4. blue 95 %, green 5 %; hold 10m, watch errors, p99 (told, not obeyed)
5. blue 50 %, green 50 %; hold 1m30s, watch approve, errors, p99 (told, not obeyed)
6. green 100 %; bake 1h, watch errors, p99 (told, not obeyed), slo
7. settle 1m
Takes 1h12m45s to 2h38m50s; a way back is one call per route (1).
Afterwards blue (1.4.2) stays as the way back, without steps within rollback_window.`},
		{"all at once, without versions", with(bare(green, route(blue, blue)), func(r *shift.Request) {
			r.Environments[0].Version, r.Environments[1].Version = "", ""
		}), `
blue 100 % -> green 100 %
1. health of green, steady for 0s, at most 10m
2. green 100 %; bake 0s
3. settle 1m
Takes 1m to 24m; a way back is one call per route (1).
Afterwards blue stays; it has no version, so going back to it takes the steps.`},
		{"a Create", shift.Request{Desired: green, Unobserved: true, Environments: pair(), Strategy: terms(), Routes: []shift.Route{{Name: "web", Joining: true}, {Name: "api", Joining: true}}}, `
what the routes give when this is applied -> green (1.5.0) 100 %
1. health of green, steady for 15s, at most 10m
2. gates before any traffic: idle
3. 5 % of the way to green 100 %; hold 10m, watch errors, p99 (told, not obeyed)
4. 50 % of the way to green 100 %; hold 1m30s, watch approve, errors, p99 (told, not obeyed)
5. green 100 %; bake 1h, watch errors, p99 (told, not obeyed), slo
6. settle 1m
Takes 1h12m45s to 2h38m50s; a way back is one call per route (2).
What is left to go back to afterwards depends on what the routes give when this is applied.`},
		{"killed at 50", full(green, route(blue, half)), `
blue (1.4.2) 100 % -> green (1.5.0) 100 %
1. judge what was found: hold 1m30s, watch approve, errors, p99 (told, not obeyed)
2. green 100 %; bake 1h, watch errors, p99 (told, not obeyed), slo
3. settle 1m
Takes 1h2m30s to 1h35m40s; a way back is one call per route (1).
Afterwards blue (1.4.2) stays as the way back, without steps within rollback_window.`},
		{"killed at 100", full(green, route(blue, green)), `
blue (1.4.2) 100 % -> green (1.5.0) 100 %
1. the traffic is there already: bake 1h, watch errors, p99 (told, not obeyed), slo
2. settle 1m
Takes 1h1m to 1h12m50s; a way back is one call per route (1).
Afterwards blue (1.4.2) stays as the way back, without steps within rollback_window.`},
		{"who leaves, and a stranger", with(bare(green, route(blue, shift.Weights{"blue": 900, "legacy": 100})), func(r *shift.Request) {
			r.Environments[0].Removed = true
			r.Environments = append(r.Environments, shift.Environment{Name: "legacy", Unmanaged: true})
			r.Routes[0].Attached = append(r.Routes[0].Attached, "legacy")
			r.Notes = []string{"rule 7 forwards to green as well."}
		}), `
blue (1.4.2) 100 % -> green (1.5.0) 100 %
1. health of green, steady for 0s, at most 10m
2. green 100 %; bake 0s
3. settle 1m, detach blue, legacy
Takes 1m to 24m; a way back is one call per route (1).
Afterwards nothing is left to go back to: blue is detached.
Note: target group legacy is no environment of this switch and has 10 % of the traffic; it is taken off the routes.
Note: rule 7 forwards to green as well.`},
	})
}

func TestSchedule_textOfRoutes(t *testing.T) {
	checkTexts(t, []decision{
		{"routes that disagree", bare(green, joining(blue), called(joining(half), "web, 2nd route"), called(shift.Route{Joining: true}, "api"), called(idle, "admin")), `
blue (1.4.2) 75 %, green (1.5.0) 25 % -> green (1.5.0) 100 %
1. routes that answer a fixed error: forward in its place at once, since no one is served there
2. health of green, steady for 0s, at most 10m
3. green 100 %; bake 0s
4. settle 1m
Takes 1m to 24m; a way back is one call per route (4).
Afterwards going back takes the steps as well.
Now web: blue 100 %.
Now web, 2nd route: blue 50 %, green 50 %.
Now api: known when this is applied.
Now admin: a fixed error.`},
		{"routes that are not to be taken", full(green, route(blue, blue), called(shift.Route{Joining: true, Response: "redirect 301"}, "old"),
			called(shift.Route{Origin: blue, Response: "fixed response 503"}, "api")), `
old does not forward (redirect 301): nothing moves, and the apply fails until it does.
api does not forward (fixed response 503): nothing moves, and the apply fails until it does.`},
		{"sticky", with(bare(green, unattached(blue)), func(r *shift.Request) { r.Sticky = new(true) }), `
blue (1.4.2) 100 % -> green (1.5.0) 100 %
1. attach green at weight 0
2. health of green, steady for 0s, at most 10m
3. green 100 %; bake 0s
4. settle 1m, detach blue
Takes 1m to 24m; a way back is one call per route (1).
Afterwards blue (1.4.2) stays as the way back, without steps within rollback_window.`},
		{"a fixed error", bare(green, idle), `
nothing -> green (1.5.0) 100 %
1. routes that answer a fixed error: forward in its place at once, since no one is served there
2. health of green, steady for 0s, at most 10m
3. green 100 %; bake 0s
4. settle 1m
Takes 1m to 13m30s; a way back is one call per route (1).
Afterwards nothing is left to go back to.`},
	})
}

func TestSchedule_textOfOtherKinds(t *testing.T) {
	checkTexts(t, []decision{
		{"back", full(blue, shift.Route{Origin: blue, Observed: half, Attached: []string{"blue", "green", "legacy"}}), `
Found: blue (1.4.2) 50 %, green (1.5.0) 50 %, which is not what the last completed shift left.
Back to blue (1.4.2) 100 % at once: one call per route, no steps, no gates; then settle 1m.
Detach legacy.`},
		{"return", with(full(blue, route(green, green)), func(r *shift.Request) { r.Previous, r.WithinRollbackWindow = id("blue", "1.4.2", ""), true }), `
green (1.5.0) 100 % -> blue (1.4.2) 100 %, a version that was live before: no steps
1. health of blue, at most 10m
2. blue 100 %; gates are told, not obeyed
3. settle 1m
Takes 1m to 13m20s; a way back is one call per route (1).
Afterwards going forward again takes the steps.`},
		{"return without gates", with(bare(blue, route(green, green)), func(r *shift.Request) { r.Previous, r.WithinRollbackWindow = id("blue", "1.4.2", ""), true }), `
green (1.5.0) 100 % -> blue (1.4.2) 100 %, a version that was live before: no steps
1. health of blue, at most 10m
2. blue 100 %
3. settle 1m
Takes 1m to 13m; a way back is one call per route (1).
Afterwards going forward again takes the steps.`},
		{"refused", with(full(green, unattached(blue)), func(r *shift.Request) { r.Rejected = rejects("green", "1.5.0") }), `
green (1.5.0) was rejected: gate errors failed.
Nothing moves and the apply fails: ship another version, go back to the environment that is live, or give retry a new value.`},
		{"tried again", with(bare(green, route(blue, blue)), func(r *shift.Request) { r.Rejected, r.Retry = rejects("green", "1.5.0"), true }), `
blue (1.4.2) 100 % -> green (1.5.0) 100 %, tried again
1. health of green, steady for 0s, at most 10m
2. green 100 %; bake 0s
3. settle 1m
Takes 1m to 24m; a way back is one call per route (1).
Afterwards blue (1.4.2) stays as the way back, without steps within rollback_window.`},
		{"a retry beside another version's rejection", with(bare(green, route(blue, blue)), func(r *shift.Request) { r.Rejected, r.Retry = rejects("green", "1.4.9"), true }), `
blue (1.4.2) 100 % -> green (1.5.0) 100 %
1. health of green, steady for 0s, at most 10m
2. green 100 %; bake 0s
3. settle 1m
Takes 1m to 24m; a way back is one call per route (1).
Afterwards blue (1.4.2) stays as the way back, without steps within rollback_window.`},
		{"handed back", with(full(green, route(green, blue)), func(r *shift.Request) { r.Previous = id("blue", "1.4.2", "") }), `
The traffic was moved away from green (1.5.0) 100 % by someone else, and this does not undo it. Found: blue (1.4.2) 100 %.
Nothing moves and the apply fails: want what carries the traffic, ship another version, or give retry a new value.`},
		{"nothing", full(green, route(green, green)), `
The traffic stays: green (1.5.0) 100 %.`},
		{"nothing but who is named, and stickiness", with(full(green, shift.Route{Origin: green, Observed: green, Attached: []string{"green", "red"}}), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "red", Removed: true})
			r.StickinessChanges = true
		}), `
The traffic stays: green (1.5.0) 100 %.
Attach blue (1.4.2) at weight 0.
Detach red.
Change the stickiness.
One call per route.`},
		{"left as it is, with a stranger's share", with(full(nil, route(blue, shift.Weights{"blue": 900, "legacy": 100})), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "legacy", Unmanaged: true})
			r.Routes[0].Attached = append(r.Routes[0].Attached, "legacy")
		}), `
The traffic stays: blue (1.4.2) 90 %, legacy 10 %.
Note: target group legacy is no environment of this switch and has 10 % of the traffic.`},
	})
}

// called names a route.
func called(x shift.Route, name string) shift.Route {
	x.Name = name
	return x
}
