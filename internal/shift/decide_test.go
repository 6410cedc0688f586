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
func route(origin, observed shift.Weights) shift.Route {
	return shift.Route{Name: "web", Origin: origin, Observed: observed, Attached: []string{"blue", "green"}}
}

// joining returns a route that joins the switch with this shift.
func joining(observed shift.Weights) shift.Route {
	x := route(observed, observed)
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
			Steps:  []shift.Step{{At: 50, Hold: 10 * time.Minute}, {At: 500, Hold: 5 * time.Minute, Gates: []string{"approve"}}},
			Bake:   10 * time.Minute,
			Settle: time.Minute,
		},
	}
}

func with(r shift.Request, change func(*shift.Request)) shift.Request {
	change(&r)
	return r
}

// summary returns the kind of a schedule, its split, its steps, and the gaining
// environments.
func summary(s shift.Schedule) string {
	parts := []string{s.Kind.String()}
	if s.Certain {
		parts = append(parts, "certain")
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
		{"a joining route has the desired weights", request(green, joining(green)), "none"},
		{"a release", request(green, route(blue, blue)), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a release without steps", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Strategy.Steps = nil }),
			"forward, 100 %, gaining green"},
		{"the plan of a Create", shift.Request{MaxGroups: 5, AttachesIdle: true, Desired: green, Unobserved: true, Routes: []shift.Route{{Name: "web", Joining: true}}},
			"forward, 100 %, gaining green"},

		// A split is evaluated first, then the steps above it follow.
		{"abandoned at 50 %", request(green, route(blue, half)), "forward, split 50 % for 5m0s, 100 %, gaining green"},
		{"abandoned at 5 %", request(green, route(blue, shift.Weights{"blue": 950, "green": 50})),
			"forward, split 5 % for 10m0s, 50 %, 100 %, gaining green"},
		{"between two steps", request(green, route(blue, shift.Weights{"blue": 700, "green": 300})),
			"forward, split 30 % for 10m0s, 50 %, 100 %, gaining green"},
		{"below the first step", request(green, route(blue, shift.Weights{"blue": 990, "green": 10})),
			"forward, split 1 % for 10m0s, 5 %, 50 %, 100 %, gaining green"},
		{"a split, and the steps were removed", with(request(green, route(blue, half)), func(r *shift.Request) { r.Strategy.Steps = nil }),
			"forward, split 50 % for 0s, 100 %, gaining green"},
		{"abandoned between the writes of two routes", request(green, route(blue, half), route(blue, shift.Weights{"blue": 950, "green": 50})),
			"forward, split 50 % for 5m0s, 50 %, 100 %, gaining green"},
		{"abandoned between the last writes", request(green, route(blue, green), route(blue, half)),
			"forward, split 99.9 % for 5m0s, 100 %, gaining green"},
		{"one route is done, the other has not started", request(green, route(blue, green), route(blue, blue)),
			"forward, split 99.9 % for 5m0s, 5 %, 50 %, 100 %, gaining green"},
		{"moved to a third environment, so blue gains as well", request(green, route(blue, shift.Sole("red"))),
			"forward, 5 %, 50 %, 100 %, gaining blue green"},
		{"abandoned at 100 %", request(green, route(blue, green)), "forward, bake only, gaining green"},
		{"a Create observes a split, which is its rollback target", request(green, joining(half)),
			"forward, 5 %, 50 %, 100 %, gaining green"},
	})
}

// The desired weights are those of the last completed shift, the observed ones differ.
func TestDecide_rollback(t *testing.T) {
	checkDecisions(t, []decision{
		{"rollback from a split", request(blue, route(blue, half)), "rollback, 100 %"},
		{"drift is corrected", request(green, route(green, half)), "rollback, 100 %"},
		{"drift of one of two routes", request(green, route(green, green), route(green, half)), "rollback, 100 %"},
	})
}

// Traffic was moved off the desired weights outside Terraform.
func TestDecide_externalChange(t *testing.T) {
	checkDecisions(t, []decision{
		{"moved to the previous version", with(request(green, route(green, blue)), previousIsBlue), "external_change, certain"},
		{"moved to the previous version after the rollback window", with(request(green, route(green, blue)), func(r *shift.Request) {
			r.Previous = id("blue", "1.4.2", "")
		}), "external_change, certain"},
		{"a part of the traffic moved is drift", with(request(green, route(green, half)), previousIsBlue), "rollback, 100 %"},
		{"one of two routes moved is drift", with(request(green, route(green, blue), route(green, green)), previousIsBlue), "rollback, 100 %"},
		{"the previous environment has another version now", with(request(green, route(green, blue)), func(r *shift.Request) {
			r.Previous = id("blue", "1.0.0", "")
		}), "external_change"},
		{"the previous environment has no version", with(request(green, route(green, blue)), func(r *shift.Request) {
			r.Environments[0].Version = ""
			r.Previous = id("blue", "", "")
		}), "external_change"},
		{"the live environment has no version", with(request(green, route(green, blue)), func(r *shift.Request) {
			previousIsBlue(r)
			r.Environments[1].Version = ""
		}), "external_change"},
		{"moved off a rejected version", with(request(green, route(green, half)), rejectGreen), "external_change, certain"},
		{"moved to the previous version, and a route joins", with(request(green, route(green, blue), joining(blue)), previousIsBlue), "external_change, certain"},
		{"a route joins while the live version is rejected", with(request(green, route(green, green), joining(blue)), rejectGreen), "rejected"},
		{"moved externally, with retry: a shift from the observed weights", with(request(green, route(green, blue)), func(r *shift.Request) {
			previousIsBlue(r)
			retry(r)
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"moved externally and rejected, with retry", with(request(green, route(green, half)), func(r *shift.Request) {
			rejectGreen(r)
			retry(r)
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"retry does not turn drift into a shift", with(request(green, route(green, half)), retry), "rollback, 100 %"},
		{"possibly an abandoned shift, with retry: a rollback", with(request(green, route(green, blue)), func(r *shift.Request) {
			r.Previous = id("blue", "", "")
			retry(r)
		}), "rollback, 100 %"},
		{"a canary was ended externally", request(half, route(half, blue)), "external_change, certain"},
		{"a canary with a rejected version was ended externally", with(request(half, route(half, blue)), rejectGreen), "external_change, certain"},
		{"a canary moved to a third environment is drift", request(half, route(half, shift.Sole("red"))), "rollback, 100 %"},
		{"a new version after an external change", with(request(green, route(green, blue)), func(r *shift.Request) {
			previousIsBlue(r)
			r.Environments[1].VersionChanged = true
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a new version in the rollback target is a release", with(request(blue, route(blue, green)), func(r *shift.Request) {
			r.Environments[0].VersionChanged = true
		}), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"a new version that already has traffic is a rollback", with(request(blue, route(blue, half)), func(r *shift.Request) {
			r.Environments[0].VersionChanged = true
		}), "rollback, 100 %"},
	})
}

func TestDecide_rejected(t *testing.T) {
	checkDecisions(t, []decision{
		{"rejected version", with(request(green, route(blue, blue)), rejectGreen), "rejected"},
		{"rejected version in a split", with(request(shift.Weights{"blue": 900, "green": 100}, route(blue, blue)), rejectGreen), "rejected"},
		{"rejected version, observed in a split", with(request(green, route(blue, half)), rejectGreen), "rejected"},
		{"rejected version, with retry", with(request(green, route(blue, blue)), func(r *shift.Request) {
			rejectGreen(r)
			retry(r)
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"another version of the environment is rejected", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Rejected = rejection("green", "1.4.9") }),
			"forward, 5 %, 50 %, 100 %, gaining green"},
		{"rejected version gains on one of two routes, but not in the mean", with(request(half, route(blue, blue), joining(green)), rejectGreen), "rejected"},
		{"a rejected version may lose traffic", with(request(blue, route(shift.Weights{"blue": 500, "green": 500}, half)), rejectGreen),
			"forward, 5 %, 50 %, 100 %, gaining blue"},
		{"an environment without a version is never rejected", with(request(green, route(blue, blue)), func(r *shift.Request) {
			r.Environments[1].Version = ""
			r.Rejected = rejection("green", "")
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
	})
}

func TestDecide_revert(t *testing.T) {
	checkDecisions(t, []decision{
		{"revert", with(request(blue, route(green, green)), previousIsBlue), "revert, 100 %, gaining blue"},
		{"revert from a split", with(request(blue, route(green, half)), previousIsBlue), "revert, 100 %, gaining blue"},
		{"revert after an external change to the same weights", with(request(blue, route(green, blue)), previousIsBlue), "revert, 100 %, gaining blue"},
		{"after the rollback window", with(request(blue, route(green, green)), func(r *shift.Request) {
			previousIsBlue(r)
			r.WithinRollbackWindow = false
		}), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"other groups with that version", with(request(blue, route(green, green)), func(r *shift.Request) {
			previousIsBlue(r)
			r.Environments[0].Groups = "web=b2"
		}), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"never revert to a rejected version", with(request(blue, route(green, green)), func(r *shift.Request) {
			previousIsBlue(r)
			r.Rejected = rejection("blue", "1.4.2")
		}), "rejected"},
		{"a rejected version with retry is shifted by steps", with(request(blue, route(green, green)), func(r *shift.Request) {
			previousIsBlue(r)
			r.Rejected = rejection("blue", "1.4.2")
			retry(r)
		}), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"a part of the traffic is shifted by steps", with(request(half, route(green, green)), previousIsBlue), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"a route joins", with(request(blue, route(green, green), joining(green)), previousIsBlue), "forward, 5 %, 50 %, 100 %, gaining blue"},
	})
}

// Routes that do not forward, and routes with different weights.
func TestDecide_routes(t *testing.T) {
	checkDecisions(t, []decision{
		{"a fixed 503", request(green, fixed503), "forward, replaces fixed error, gaining green"},
		{"a fixed 503 beside a route", request(green, fixed503, joining(blue)), "forward, 5 %, 50 %, 100 %, replaces fixed error, gaining green"},
		{"a fixed 503 beside a route that is done", request(green, fixed503, joining(green)), "forward, replaces fixed error, gaining green"},
		{"a route joins the live version", request(green, route(green, green), joining(blue)), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"opposite routes: each environment gains, but not in the mean", request(half, joining(blue), joining(green)),
			"forward, 5 %, 50 %, 100 %, gaining blue green"},
	})
}

func TestDecide_evaluatesSplitWithGatesOfItsStep(t *testing.T) {
	s, err := shift.Decide(request(green, route(blue, half)))
	if err != nil || !slices.Equal(s.Split.Gates, []string{"approve"}) {
		t.Errorf("split %v, %v; want gate approve", s.Split, err)
	}
}

func TestSchedule_at(t *testing.T) {
	s, err := shift.Decide(request(green, route(blue, blue), fixed503, joining(half)))
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
		{"desired, origin, then by name", with(request(shift.Sole("i"), shift.Route{Origin: shift.Sole("h"), Observed: shift.Sole("h")}), nineEnvironments),
			"i h a b c", "i h a b c"},
		{"desired split", with(request(shift.Weights{"d": 500, "i": 500}, shift.Route{Origin: shift.Sole("h"), Observed: shift.Weights{"g": 500, "h": 500}}), nineEnvironments),
			"d i h g a", "d i h g a"},
		{"sticky as observed: only environments with traffic", with(request(green, shift.Route{Origin: blue, Observed: blue, Sticky: true}), func(*shift.Request) {}),
			"green blue", "green"},
		{"sticky as desired", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Sticky = new(true) }), "green blue", "green"},
		{"sticky switched off", with(request(green, shift.Route{Origin: blue, Observed: blue, Sticky: true}), func(r *shift.Request) { r.Sticky = new(false) }),
			"green blue", "green blue"},
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
	want := "too many target groups in one action: 6, the maximum is 5"
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
	stable := some("stable")
	for range rapid.IntRange(1, 3).Draw(t, "routes") {
		x := shift.Route{Name: "web", Origin: stable, Observed: some("observed"), Sticky: flag("sticky")}
		if flag("traffic on unmanaged groups") {
			x.Observed = unmanaged
		}
		if flag("joining") {
			x.Joining, x.Origin = true, x.Observed
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
	traffic := s.Kind == shift.Forward || s.Kind == shift.Revert || s.Kind == shift.Rollback
	gainsRejected := r.Rejected != nil && slices.ContainsFunc(r.Environments, func(e shift.Environment) bool {
		return r.Rejected.Matches(e) && slices.ContainsFunc(r.Routes, func(x shift.Route) bool { return r.Desired[e.Name] > x.Origin[e.Name] })
	})
	switch {
	case len(s.AttachedAfter) > r.MaxGroups:
		return fmt.Errorf("too many groups attached afterwards: %v", s.AttachedAfter)
	case !traffic && (len(s.Steps) > 0 || s.Split != nil || len(s.Gaining) > 0 || s.ReplacesFixedError || s.BakeOnly):
		return errors.New("this kind of schedule must not move traffic")
	case s.Kind == shift.Rollback && (len(s.Steps) != 1 || s.Split != nil || len(s.Gaining) > 0 || len(s.Steps[0].Gates) > 0):
		return errors.New("a rollback is one step without gates")
	case s.Kind == shift.Revert && (len(s.Steps) != 1 || s.Split != nil):
		return errors.New("a revert is one step")
	case gainsRejected && !r.Retry && (s.Kind == shift.Forward || s.Kind == shift.Revert):
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
	for _, x := range r.Routes {
		for _, name := range append(x.Observed.Names(), x.Origin.Names()...) {
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
