package shift_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

var (
	blue  = shift.Sole("blue")
	green = shift.Sole("green")
	half  = shift.Weights{"blue": 500, "green": 500}
)

// twoEnvironments returns blue and green, each with a version and groups.
func twoEnvironments() []shift.Environment {
	return []shift.Environment{
		{Name: "blue", Version: "1.4.2", Groups: "web=b"},
		{Name: "green", Version: "1.5.0", Groups: "web=g"},
	}
}

func id(name, version, groups string) *shift.Identity {
	return &shift.Identity{Environment: name, Version: version, Groups: groups}
}

func rejection(name, version string) *shift.Rejection {
	return &shift.Rejection{Identity: *id(name, version, ""), Reason: "gate errors failed", At: time.Unix(0, 0)}
}

// route returns a route with blue and green attached.
func route(stable, observed shift.Weights) shift.Route {
	return shift.Route{Name: "web", Stable: stable, Observed: observed, Attached: []string{"blue", "green"}}
}

// joining returns a route that joins the switch with this shift.
func joining(observed shift.Weights) shift.Route {
	x := route(nil, observed)
	x.Joining = true
	return x
}

// fixed503 answers a fixed error, which the desired weights may replace.
var fixed503 = shift.Route{Name: "web", FixedError: true, Joining: true, Response: "fixed response 503"}

// request returns a request for the desired weights, by steps at 5 and 50 %.
func request(desired shift.Weights, routes ...shift.Route) shift.Request {
	return shift.Request{
		MaxGroups: 5, AttachesIdle: true,
		Environments: twoEnvironments(),
		Routes:       routes,
		Desired:      desired,
		Strategy: shift.Strategy{
			Steps:  []shift.Step{{At: 50, Hold: 10 * time.Minute}, {At: 500, Hold: 5 * time.Minute}},
			Bake:   10 * time.Minute,
			Settle: time.Minute,
		},
	}
}

func with(r shift.Request, changes ...func(*shift.Request)) shift.Request {
	for _, change := range changes {
		change(&r)
	}
	return r
}

// unfinished returns a change that makes the routes those of an unfinished shift of the
// switch from and to weights. Same: to the desired goal.
func unfinished(from, to shift.Weights, same bool) func(*shift.Request) {
	return func(r *shift.Request) {
		r.Unfinished = &shift.Unfinished{Shift: "s1", SameGoal: same}
		r.Routes = slices.Clone(r.Routes)
		for i := range r.Routes {
			r.Routes[i].From, r.Routes[i].To = from, to
		}
	}
}

// toGreen is an unfinished shift from blue to green, which is the desired goal.
var toGreen = unfinished(blue, green, true)

// away is an unfinished shift from blue to green, which is not the desired goal.
var away = unfinished(blue, green, false)

func create(r *shift.Request) { r.Create = true }

// summary returns the kind of a schedule, its split, its steps, and the gaining
// environments.
func summary(s shift.Schedule) string {
	parts := []string{s.Kind.String()}
	if s.RollsBackFirst {
		parts = append([]string{"roll back first"}, parts...)
	}
	if s.Split != nil {
		parts = append(parts, fmt.Sprintf("split %s for %s", s.Split.At, s.Split.Hold))
	}
	for _, step := range s.Steps {
		parts = append(parts, step.At.String())
	}
	if s.BakeOnly {
		parts = append(parts, "bake only")
	}
	if s.ReplacesFixedError {
		parts = append(parts, "replaces fixed error")
	}
	if len(s.Gaining) > 0 {
		parts = append(parts, "gaining "+strings.Join(s.Gaining, " "))
	}
	return strings.Join(parts, ", ")
}

func previousIsBlue(r *shift.Request) {
	r.Previous, r.WithinRollbackWindow = id("blue", "1.4.2", "web=b"), true
}

func rejectGreen(r *shift.Request) { r.Rejected = rejection("green", "1.5.0") }

func retry(r *shift.Request) { r.Retry = true }

// decision is a request and the summary of its schedule.
type decision struct {
	name    string
	request shift.Request
	want    string
}

func checkDecisions(t *testing.T, tests []decision) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := shift.Decide(tt.request)
			if err != nil || summary(got) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", summary(got), err, tt.want)
			}
		})
	}
}

func TestDecide_forward(t *testing.T) {
	checkDecisions(t, []decision{
		{"observed equals desired", request(green, route(green, green)), "none"},
		{"no desired weights", request(nil, route(blue, half)), "none"},
		{"a Create finds the desired weights", with(request(green, joining(green)), create), "none"},
		{"a release", request(green, route(blue, blue)), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a release without steps", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Strategy.Steps = nil }),
			"forward, 100 %, gaining green"},
		{"the plan of a Create", shift.Request{Create: true, MaxGroups: 5, AttachesIdle: true, Desired: green, Unobserved: true, Routes: []shift.Route{{Name: "web", Joining: true}}},
			"forward, 100 %, gaining green"},
		{"from where somebody moved a part", request(green, route(blue, half)), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"from a third environment", request(green, route(blue, shift.Sole("red"))), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a Create on a split evaluates it", with(request(green, joining(half)), create), "forward, split 50 % for 5m0s, 100 %, gaining green"},
		{"a Create of a split on a split of the same environments", with(request(shift.Weights{"blue": 900, "green": 100}, joining(half)), create),
			"forward, 5 %, 50 %, 100 %, gaining blue"},
	})
}

// A shift of this switch did not finish.
func TestDecide_unfinished(t *testing.T) {
	newBlue := func(r *shift.Request) {
		r.Environments = slices.Clone(r.Environments)
		r.Environments[0].VersionChanged = true
	}
	checkDecisions(t, []decision{
		// A split is evaluated first, then the steps above it follow.
		{"resumed at 50 %", with(request(green, route(blue, half)), toGreen), "forward, split 50 % for 5m0s, 100 %, gaining green"},
		{"resumed at 5 %", with(request(green, route(blue, shift.Weights{"blue": 950, "green": 50})), toGreen),
			"forward, split 5 % for 10m0s, 50 %, 100 %, gaining green"},
		{"resumed between two steps", with(request(green, route(blue, shift.Weights{"blue": 700, "green": 300})), toGreen),
			"forward, split 30 % for 10m0s, 50 %, 100 %, gaining green"},
		{"resumed below the first step", with(request(green, route(blue, shift.Weights{"blue": 990, "green": 10})), toGreen),
			"forward, split 1 % for 10m0s, 5 %, 50 %, 100 %, gaining green"},
		{"resumed, and the steps were removed", with(request(green, route(blue, half)), toGreen, func(r *shift.Request) { r.Strategy.Steps = nil }),
			"forward, split 50 % for 0s, 100 %, gaining green"},
		{"resumed between the writes of two routes", with(request(green, route(blue, half), route(blue, shift.Weights{"blue": 950, "green": 50})), toGreen),
			"forward, split 50 % for 5m0s, 50 %, 100 %, gaining green"},
		{"resumed between the last writes", with(request(green, route(blue, green), route(blue, half)), toGreen),
			"forward, split 99.9 % for 5m0s, 100 %, gaining green"},
		{"one route is done, the other has not started", with(request(green, route(blue, green), route(blue, blue)), toGreen),
			"forward, split 99.9 % for 5m0s, 5 %, 50 %, 100 %, gaining green"},
		{"resumed at 100 %", with(request(green, route(blue, green)), toGreen), "forward, bake only, gaining green"},
		{"resumed before its first write", with(request(green, route(blue, blue)), toGreen), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a Create resumes", with(request(green, joining(half)), create, toGreen), "forward, split 50 % for 5m0s, 100 %, gaining green"},
		{"resumed from other weights than the stable ones", with(request(green, route(blue, half)), unfinished(shift.Weights{"blue": 900, "green": 100}, green, true)),
			"forward, split 44.4 % for 10m0s, 50 %, 100 %, gaining green"},

		// The stable weights are desired.
		{"rolled back from a split", with(request(blue, route(blue, half)), away), "rollback, 100 %"},
		{"rolled back from 100 %", with(request(blue, route(blue, green)), away), "rollback, 100 %"},
		{"rolled back from 100 % although green was the previous version", with(request(blue, route(blue, green)), away, func(r *shift.Request) {
			r.Previous, r.WithinRollbackWindow = id("green", "1.1", "web=g"), true
		}), "rollback, 100 %"},
		{"rolled back although blue is rejected", with(request(blue, route(blue, half)), away, func(r *shift.Request) { r.Rejected = rejection("blue", "1.4.2") }), "rollback, 100 %"},
		{"rolled back on one of two routes", with(request(blue, route(blue, blue), route(blue, half)), away), "rollback, 100 %"},
		{"a Create rolls back", with(request(blue, joining(half)), create, away), "rollback, 100 %"},
		{"a Create rolls back a rejected version, then refuses it", with(request(green, joining(half)), create, toGreen, rejectGreen), "roll back first, rejected"},
		{"a Create with another goal rolls back to the split that was there before, which is no split of an unfinished shift",
			with(request(blue, joining(shift.Weights{"blue": 500, "green": 500})), create, unfinished(shift.Weights{"blue": 900, "green": 100}, green, false)),
			"roll back first, forward, 5 %, 50 %, 100 %, gaining blue"},
		{"a Create with another goal, before the first write of the unfinished shift",
			with(request(blue, joining(half)), create, unfinished(half, green, false)), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"already there", with(request(blue, route(blue, blue)), away), "none"},
		{"rolled back, and a route joins", with(request(blue, route(blue, half), joining(green)), func(r *shift.Request) {
			r.Unfinished = &shift.Unfinished{}
			r.Routes[0].From, r.Routes[0].To = blue, green
		}), "roll back first, join, 100 %, gaining blue"},

		// Something else is desired.
		{"another environment", with(request(shift.Sole("red"), route(blue, half)), away), "roll back first, forward, 5 %, 50 %, 100 %, gaining red"},
		{"another version of the same environment", with(request(green, route(blue, half)), away), "roll back first, forward, 5 %, 50 %, 100 %, gaining green"},
		{"another share", with(request(half, route(blue, green)), away), "roll back first, forward, 5 %, 50 %, 100 %, gaining green"},
		{"a new version in the environment that was stable is a release", with(request(blue, route(blue, green)), away, newBlue), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"the same from a split, which is evaluated", with(request(blue, route(blue, half)), away, newBlue), "forward, split 50 % for 5m0s, 100 %, gaining blue"},
		{"the previous version", with(request(shift.Sole("red"), route(blue, half)), away, func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "red", Version: "1"})
			r.Previous, r.WithinRollbackWindow = id("red", "1", ""), true
		}), "roll back first, revert, 100 %, gaining red"},

		// Rejected versions.
		{"a rejected version in a split is rolled back first", with(request(green, route(blue, half)), toGreen, rejectGreen), "roll back first, rejected"},
		{"a rejected version at 100 %", with(request(green, route(blue, green)), toGreen, rejectGreen), "roll back first, rejected"},
		{"a rejected version before its first write", with(request(green, route(blue, blue)), toGreen, rejectGreen), "rejected"},
		{"with retry it is evaluated", with(request(green, route(blue, half)), toGreen, rejectGreen, retry), "forward, split 50 % for 5m0s, 100 %, gaining green"},
		{"another version is desired now", with(request(green, route(blue, half)), away, func(r *shift.Request) { r.Rejected = rejection("green", "1.4.9") }),
			"roll back first, forward, 5 %, 50 %, 100 %, gaining green"},

		// Not on its way: somebody moved the traffic elsewhere.
		{"moved to a third environment", with(request(green, route(blue, shift.Sole("red"))), toGreen), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"moved to a third environment, and blue is desired", with(request(blue, route(blue, shift.Sole("red"))), away), "external_change"},
	})
}

// The desired weights are those of the last completed shift, the observed ones differ, and
// no shift of this switch is unfinished.
func TestDecide_externalChange(t *testing.T) {
	checkDecisions(t, []decision{
		{"moved to the previous version", with(request(green, route(green, blue)), previousIsBlue), "external_change"},
		{"moved to another environment, previous unknown", request(green, route(green, blue)), "external_change"},
		{"moved to an unmanaged group", request(green, route(green, shift.Sole("legacy"))), "external_change"},
		{"replaced by a fixed response", request(green, shift.Route{Name: "web", Stable: green, Response: "fixed response 503"}), "external_change"},
		{"a canary was ended", request(half, route(half, blue)), "external_change"},
		{"a canary moved to a third environment", request(half, route(half, shift.Sole("red"))), "external_change"},
		{"one of two routes moved", with(request(green, route(green, blue), route(green, green)), previousIsBlue), "external_change"},
		{"moved, and a route joins", with(request(green, route(green, blue), joining(blue)), previousIsBlue), "external_change"},
		{"a part moved is repaired by steps", request(green, route(green, half)), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a tenth moved", request(green, route(green, green), route(green, shift.Weights{"green": 900, "blue": 100})), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a part moved off a rejected version", with(request(green, route(green, half)), rejectGreen), "external_change"},
		{"moved, with retry: a shift from the observed weights", with(request(green, route(green, blue)), previousIsBlue, retry), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a new version after the move", with(request(green, route(green, blue)), func(r *shift.Request) {
			previousIsBlue(r)
			r.Environments[1].VersionChanged = true
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a new version in the rollback target is a release", with(request(blue, route(blue, green)), func(r *shift.Request) {
			r.Environments[0].VersionChanged = true
		}), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"the configuration agrees with the move", request(blue, route(green, blue)), "accept"},
		{"the configuration agrees with the move to the previous version", with(request(blue, route(green, blue)), previousIsBlue), "accept"},
		{"the configuration agrees with a split", request(half, route(green, half)), "accept"},
		{"a new version in place", with(request(green, route(green, green)), func(r *shift.Request) { r.Environments[1].VersionChanged = true }), "none"},
	})
}

// Without records, weights that are not the stable ones may be those of a shift that did
// not finish.
func TestDecide_noRecord(t *testing.T) {
	off := func(r *shift.Request) { r.NoRecord = true }
	checkDecisions(t, []decision{
		{"the stable weights are always a rollback", with(request(green, route(green, blue)), off, previousIsBlue), "rollback, 100 %"},
		{"from an unmanaged group", with(request(green, route(green, shift.Sole("legacy"))), off), "rollback, 100 %"},
		{"from a part", with(request(green, route(green, half)), off), "rollback, 100 %"},
		{"a split is evaluated", with(request(green, route(blue, half)), off), "forward, split 50 % for 5m0s, 100 %, gaining green"},
		{"at 100 % the bake is left", with(request(green, route(blue, green)), off), "forward, bake only, gaining green"},
		{"a split with a rejected version is rolled back first", with(request(green, route(blue, half)), off, rejectGreen), "roll back first, rejected"},
		{"a release", with(request(green, route(blue, blue)), off), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a Create on a split evaluates it", with(request(green, joining(half)), off, create), "forward, split 50 % for 5m0s, 100 %, gaining green"},
	})
}

func TestDecide_otherSwitch(t *testing.T) {
	other := func(r *shift.Request) { r.OtherSwitch = "ann@ci" }
	checkDecisions(t, []decision{
		{"a release", with(request(green, route(blue, blue)), other), "other_switch"},
		{"nothing to do", with(request(blue, route(blue, blue)), other), "other_switch"},
		{"a rollback of our own", with(request(blue, route(blue, half)), other, away), "other_switch"},
	})
}

func TestDecide_rejected(t *testing.T) {
	checkDecisions(t, []decision{
		{"rejected version", with(request(green, route(blue, blue)), rejectGreen), "rejected"},
		{"rejected version in a split", with(request(shift.Weights{"blue": 900, "green": 100}, route(blue, blue)), rejectGreen), "rejected"},
		{"somebody moved a part to a rejected version", with(request(green, route(blue, half)), rejectGreen), "rejected"},
		{"rejected version, with retry", with(request(green, route(blue, blue)), rejectGreen, retry), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"another version of the environment is rejected", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Rejected = rejection("green", "1.4.9") }),
			"forward, 5 %, 50 %, 100 %, gaining green"},
		{"a rejected version that the last completed shift left may join", with(request(half, route(half, half), joining(blue)), func(r *shift.Request) {
			rejectGreen(r)
			r.Stable = half
		}), "join, 100 %, gaining green"},
		{"a rejected version may lose traffic", with(request(blue, route(half, half)), rejectGreen), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"a rejected version in an environment that was stable with another version", with(request(blue, route(blue, green)), func(r *shift.Request) {
			r.Environments[0].VersionChanged = true
			r.Rejected = rejection("blue", "1.4.2")
		}), "rejected"},
		{"an environment without a version is never rejected", with(request(green, route(blue, blue)), func(r *shift.Request) {
			r.Environments[1].Version = ""
			r.Rejected = rejection("green", "")
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a Create with a rejected version", with(request(green, joining(blue)), create, rejectGreen), "rejected"},
	})
}

func TestDecide_revert(t *testing.T) {
	checkDecisions(t, []decision{
		{"revert", with(request(blue, route(green, green)), previousIsBlue), "revert, 100 %, gaining blue"},
		{"revert from a split", with(request(blue, route(green, half)), previousIsBlue), "revert, 100 %, gaining blue"},
		{"a revert that did not finish", with(request(blue, route(green, green), route(green, blue)), previousIsBlue, unfinished(green, blue, true)), "revert, 100 %, gaining blue"},
		{"after the rollback window", with(request(blue, route(green, green)), previousIsBlue, func(r *shift.Request) { r.WithinRollbackWindow = false }),
			"forward, 5 %, 50 %, 100 %, gaining blue"},
		{"other groups with that version", with(request(blue, route(green, green)), previousIsBlue, func(r *shift.Request) { r.Environments[0].Groups = "web=b2" }),
			"forward, 5 %, 50 %, 100 %, gaining blue"},
		{"never revert to a rejected version", with(request(blue, route(green, green)), previousIsBlue, func(r *shift.Request) { r.Rejected = rejection("blue", "1.4.2") }), "rejected"},
		{"a rejected version with retry is shifted by steps", with(request(blue, route(green, green)), previousIsBlue, retry, func(r *shift.Request) { r.Rejected = rejection("blue", "1.4.2") }),
			"forward, 5 %, 50 %, 100 %, gaining blue"},
		{"a part of the traffic is shifted by steps", with(request(half, route(green, green)), previousIsBlue), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"a route joins", with(request(blue, route(green, green), joining(green)), previousIsBlue), "forward, 5 %, 50 %, 100 %, gaining blue"},
	})
}

// Routes that do not forward, that join, and that do not exist.
func TestDecide_routes(t *testing.T) {
	stableGreen := func(r *shift.Request) { r.Stable = green }
	missing := shift.Route{Name: "web", Stable: blue, Missing: true}
	checkDecisions(t, []decision{
		{"a fixed 503", with(request(green, fixed503), create), "forward, replaces fixed error, gaining green"},
		{"a fixed 503 beside a route", with(request(green, fixed503, joining(blue)), create), "forward, 5 %, 50 %, 100 %, replaces fixed error, gaining green"},
		{"a fixed 503 beside a route that is done", with(request(green, fixed503, joining(green)), create), "forward, replaces fixed error, gaining green"},
		{"a fixed 503 joins", with(request(green, route(green, green), fixed503), stableGreen), "forward, replaces fixed error, gaining green"},
		{"opposite routes: each environment gains, but not in the mean", with(request(half, joining(blue), joining(green)), create),
			"forward, 5 %, 50 %, 100 %, gaining blue green"},

		{"a route joins from an idle environment", with(request(green, route(green, green), joining(blue)), stableGreen), "join, 100 %, gaining green"},
		{"a route joins with the desired weights", with(request(green, route(green, green), joining(green)), stableGreen), "none"},
		{"a route joins from an unmanaged group", with(request(green, route(green, green), joining(shift.Sole("legacy"))), stableGreen), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"that has no healthy target", with(request(green, route(green, green), joining(shift.Sole("legacy"))), stableGreen, func(r *shift.Request) { r.Routes[1].Unserved = true }),
			"join, 100 %, gaining green"},
		{"all routes were created again", with(request(green, joining(blue), joining(blue)), stableGreen), "join, 100 %, gaining green"},
		{"all routes were created again, for a release", with(request(blue, joining(green)), stableGreen), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"all routes were created again, and the version is rejected", with(request(blue, joining(green)), stableGreen, func(r *shift.Request) { r.Rejected = rejection("blue", "1.4.2") }), "rejected"},
		{"a route joins in a release", with(request(green, route(blue, blue), joining(blue)), func(r *shift.Request) { r.Stable = blue }), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a route joins while the known ones refuse", with(request(green, route(green, blue), joining(blue)), stableGreen), "external_change"},

		{"a route does not exist", request(blue, route(blue, blue), missing), "route_missing"},
		{"a release, and a route does not exist", request(green, route(blue, blue), missing), "route_missing"},
		{"a rollback, and a route does not exist", with(request(blue, route(blue, half), missing), away), "rollback, 100 %"},
		{"a rejected version is rolled back, and a route does not exist", with(request(green, route(blue, half), missing), toGreen, rejectGreen), "roll back first, rejected"},
		{"another goal, and a route does not exist", with(request(shift.Sole("red"), route(blue, half), missing), away), "roll back first, route_missing"},
	})
}

func TestDecide_evaluatesSplitWithGatesOfItsStep(t *testing.T) {
	s, err := shift.Decide(with(request(green, route(blue, half)), toGreen))
	if err != nil || s.Split.Like != 500 {
		t.Errorf("split %v, %v; want the gates of the step at 500", s.Split, err)
	}
}

func TestSchedule_at(t *testing.T) {
	s, err := shift.Decide(request(green, route(blue, blue), fixed503, route(half, half)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"blue 95 %, green 5 %", "green 100 %", "blue 47.5 %, green 52.5 %"} {
		if got := s.At(i, 50).String(); got != want {
			t.Errorf("route %d at 5 %%: got %s, want %s", i, got, want)
		}
	}
	if got := s.From().String(); got != "blue 75 %, green 25 %" {
		t.Errorf("From() = %s, want blue 75 %%, green 25 %%", got)
	}
	if s.Origin(1) != nil {
		t.Errorf("Origin() = %v for a route that did not forward, want nil", s.Origin(1))
	}
}

// nineEnvironments sets the environments a to i.
func nineEnvironments(r *shift.Request) {
	r.Environments = nil
	for _, name := range strings.Split("i h g f e d c b a", " ") {
		r.Environments = append(r.Environments, shift.Environment{Name: name, Version: "1"})
	}
}

func TestDecide_groups(t *testing.T) {
	tests := []struct {
		name            string
		request         shift.Request
		attached, after string
	}{
		{"all groups fit", request(green, route(blue, blue)), "green blue", "green blue"},
		{"desired, origin, then by name", with(request(shift.Sole("i"), shift.Route{Stable: shift.Sole("h"), Observed: shift.Sole("h")}), nineEnvironments),
			"i h a b c", "i h a b c"},
		{"desired split", with(request(shift.Weights{"d": 500, "i": 500}, shift.Route{Stable: shift.Sole("h"), Observed: shift.Weights{"g": 500, "h": 500}}), nineEnvironments),
			"d i g h a", "d i g h a"},
		{"sticky as observed: only environments with traffic", with(request(green, shift.Route{Stable: blue, Observed: blue, Sticky: true}), func(*shift.Request) {}),
			"green blue", "green"},
		{"sticky as desired", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Sticky = new(true) }), "green blue", "green"},
		{"sticky switched off", with(request(green, shift.Route{Stable: blue, Observed: blue, Sticky: true}), func(r *shift.Request) { r.Sticky = new(false) }),
			"green blue", "green blue"},
		{"detach_idle: only environments with traffic stay", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Strategy.DetachIdle = true }), "green blue", "green"},
		{"detach_idle with a third environment", with(request(green, route(blue, blue)), func(r *shift.Request) {
			r.Strategy.DetachIdle = true
			r.Environments = append(r.Environments, shift.Environment{Name: "red"})
		}), "green blue", "green"},
		{"detach_idle and a desired split", with(request(shift.Weights{"blue": 500, "green": 500}, route(blue, blue)), func(r *shift.Request) { r.Strategy.DetachIdle = true }),
			"blue green", "blue green"},
		{"detach_idle where nothing shifts", with(request(green, route(green, green)), func(r *shift.Request) { r.Strategy.DetachIdle = true }), "green", "green"},
		{"a removed environment with traffic is detached afterwards", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Environments[0].Removed = true }),
			"green blue", "green"},
		{"a removed idle environment is not attached", with(request(green, route(blue, blue)), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "red", Removed: true})
		}), "green blue", "green blue"},
		{"an unmanaged group is detached afterwards", request(green, route(shift.Sole("legacy"), shift.Sole("legacy"))), "green legacy blue", "green blue"},
		{"no desired weights: all with traffic stay", request(nil, route(blue, shift.Weights{"blue": 900, "legacy": 100})),
			"blue legacy green", "blue legacy green"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := shift.Decide(tt.request)
			attached, after := strings.Join(s.Attached, " "), strings.Join(s.AttachedAfter, " ")
			if err != nil || attached != tt.attached || after != tt.after {
				t.Errorf("attached %s, then %s, %v; want %s, then %s", attached, after, err, tt.attached, tt.after)
			}
		})
	}
}

func TestDecide_tooManyGroups(t *testing.T) {
	spread := shift.Weights{"a": 200, "b": 200, "c": 200, "d": 200, "e": 200}
	_, err := shift.Decide(with(request(shift.Sole("f"), route(spread, spread)), nineEnvironments))
	want := "too many groups on one route: 6, the maximum is 5"
	if !errors.Is(err, shift.ErrTooManyGroups) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := shift.Decide(with(request(shift.Sole("a"), route(spread, spread)), nineEnvironments)); err != nil {
		t.Errorf("five groups: %v", err)
	}
	// An unmanaged group counts on its own routes only.
	withUnmanaged := func(a, b string) shift.Route {
		return joining(shift.Weights{"blue": 800, shift.Weights{a: 1}.Names()[0]: 100, b: 100})
	}
	if _, err := shift.Decide(request(green, withUnmanaged("s1", "s2"), withUnmanaged("s3", "s4"))); err != nil {
		t.Errorf("four groups on each route: %v", err)
	}
}

// anyRequest draws a request. Most of them are improbable.
func anyRequest(t *rapid.T) shift.Request {
	names := []string{"a", "b", "c", "d", "e", "f", "g"} // a, b and c may be desired
	flag := func(label string) bool { return rapid.IntRange(0, 4).Draw(t, label) == 0 }
	some := func(label string) shift.Weights {
		return rapid.SampledFrom([]shift.Weights{shift.Sole("a"), shift.Sole("b"), {"a": 500, "b": 500}, {"a": 950, "b": 50}, {"b": 999, "c": 1}}).Draw(t, label)
	}
	unmanaged := shift.Weights{"a": 400, "d": 300, "e": 300}
	r := shift.Request{MaxGroups: 5, AttachesIdle: true, Desired: some("desired"), WithinRollbackWindow: flag("within rollback window"), Retry: flag("retry"), Strategy: request(nil).Strategy}
	for _, name := range names[:rapid.IntRange(3, 7).Draw(t, "environments")] {
		r.Environments = append(r.Environments, shift.Environment{
			Name: name, Version: rapid.SampledFrom([]string{"", "1", "1", "2"}).Draw(t, "version"), Removed: flag("removed"), Unmanaged: name > "c" && flag("unmanaged")})
	}
	stable, from := some("stable"), some("from")
	r.NoRecord, r.Stable = flag("no record"), stable
	ours := !flag("no unfinished shift")
	if ours {
		r.Unfinished = &shift.Unfinished{SameGoal: flag("same goal")}
	}
	for range rapid.IntRange(1, 3).Draw(t, "routes") {
		x := shift.Route{Name: "web", Stable: stable, Observed: some("observed"), Sticky: flag("sticky")}
		if flag("traffic on unmanaged groups") {
			x.Observed = unmanaged
		}
		if ours {
			x.From, x.To = from, some("to")
		}
		if flag("joining") {
			x.Joining, x.Stable = true, nil
		} else if flag("fixed error") {
			x = fixed503
		}
		x.Attached = append(x.Observed.Names(), rapid.SampledFrom(names).Draw(t, "attached"))
		r.Routes = append(r.Routes, x)
	}
	if flag("previous") {
		r.Previous = id(rapid.SampledFrom(names).Draw(t, "previous environment"), "1", "")
	}
	if flag("rejected") {
		r.Rejected = rejection(rapid.SampledFrom(names).Draw(t, "rejected environment"), "1")
	}
	return r
}

func TestDecide_invariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRequest(t)
		s, err := shift.Decide(r)
		if err != nil {
			if !errors.Is(err, shift.ErrTooManyGroups) {
				t.Fatal(err)
			}
			return
		}
		if err := checkSchedule(r, s); err != nil {
			t.Fatalf("%s of %+v: %v", summary(s), r, err)
		}
		again, _ := shift.Decide(r)
		if !reflect.DeepEqual(s, again) || s.Shortest() > s.Longest() || (s.IsEmpty() && s.Kind != shift.NoChange) {
			t.Fatalf("%s, %s, %s", summary(s), s.Shortest(), s.Longest())
		}
	})
}

func checkSchedule(r shift.Request, s shift.Schedule) error {
	gainsRejected := r.Rejected != nil && s.Kind != shift.Rollback && slices.ContainsFunc(r.Environments, func(e shift.Environment) bool {
		return r.Rejected.Matches(e) && slices.ContainsFunc(s.Request.Routes, func(x shift.Route) bool {
			return r.Desired[e.Name] > x.Observed[e.Name] && r.Desired[e.Name] > r.Stable[e.Name]
		})
	})
	switch {
	case len(s.AttachedAfter) > r.MaxGroups:
		return fmt.Errorf("too many groups attached afterwards: %v", s.AttachedAfter)
	case !s.Kind.Moves() && (len(s.Steps) > 0 || s.Split != nil || len(s.Gaining) > 0 || s.ReplacesFixedError || s.BakeOnly):
		return errors.New("this kind of schedule must not move traffic")
	case s.Kind == shift.Rollback && (len(s.Steps) != 1 || s.Split != nil || len(s.Gaining) > 0):
		return errors.New("a rollback is one step")
	case (s.Kind == shift.Revert || s.Kind == shift.Join) && (len(s.Steps) != 1 || s.Split != nil):
		return errors.New("a revert is one step")
	case gainsRejected && !r.Retry && s.Kind.Moves():
		return errors.New("a rejected version would gain traffic")
	case s.Kind == shift.Forward && len(s.Steps) > 0 && s.Steps[len(s.Steps)-1].At != shift.Full:
		return errors.New("the last step is not at 100 %")
	case !slices.IsSortedFunc(s.Steps, func(a, b shift.Step) int { return int(a.At - b.At) }):
		return errors.New("the steps do not rise")
	}
	for _, name := range s.Desired.Names() {
		if !slices.Contains(s.AttachedAfter, name) || !slices.Contains(s.Attached, name) {
			return fmt.Errorf("%s is desired, but not attached", name)
		}
	}
	for _, x := range s.Request.Routes {
		for _, name := range slices.Concat(x.Observed.Names(), x.Origin.Names(), x.Found.Names(), x.Back.Names()) {
			if !slices.Contains(s.Attached, name) {
				return fmt.Errorf("%s has or had traffic, but is not attached", name)
			}
		}
	}
	for _, e := range r.Environments {
		if (e.Removed || e.Unmanaged) && r.Desired[e.Name] == 0 && slices.Contains(s.AttachedAfter, e.Name) {
			return fmt.Errorf("%s stays attached", e.Name)
		}
	}
	return nil
}
