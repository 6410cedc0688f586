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

var (
	blue  = shift.Sole("blue")
	green = shift.Sole("green")
	half  = shift.Weights{"blue": 500, "green": 500}
)

// pair are two environments with versions, and blue was live before green.
func pair() []shift.Environment {
	return []shift.Environment{
		{Name: "blue", Version: "1.4.2", Groups: "web=b"},
		{Name: "green", Version: "1.5.0", Groups: "web=g"},
	}
}

func id(name, version, groups string) *shift.Identity {
	return &shift.Identity{Environment: name, Version: version, Groups: groups}
}

func rejects(name, version string) *shift.Rejection {
	return &shift.Rejection{Identity: *id(name, version, ""), Reason: "gate errors failed", At: time.Unix(0, 0)}
}

// route is one whose action names blue and green.
func route(origin, found shift.Weights) shift.Route {
	return shift.Route{Name: "web", Origin: origin, Observed: found, Attached: []string{"blue", "green"}}
}

func joining(found shift.Weights) shift.Route {
	x := route(found, found)
	x.Joining = true
	return x
}

var idle = shift.Route{Name: "web", FixedError: true, Joining: true, Response: "fixed response 503"}

// request wants a goal of routes, by steps of 5 and 50 percent.
func request(goal shift.Weights, routes ...shift.Route) shift.Request {
	return shift.Request{
		Environments: pair(),
		Routes:       routes,
		Desired:      goal,
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

// words sums up a schedule: its kind, what is judged, the steps, who gains.
func words(s shift.Schedule) string {
	parts := []string{s.Kind.String()}
	if s.Certain {
		parts = append(parts, "surely")
	}
	if s.Split != nil {
		parts = append(parts, fmt.Sprintf("judge %s for %s", s.Split.At, s.Split.Hold))
	}
	for _, step := range s.Steps {
		parts = append(parts, step.At.String())
	}
	if s.BakeOnly {
		parts = append(parts, "finish")
	}
	if s.ReplacesFixedError {
		parts = append(parts, "take over")
	}
	if len(s.Gaining) > 0 {
		parts = append(parts, "gaining "+strings.Join(s.Gaining, " "))
	}
	return strings.Join(parts, ", ")
}

func previousBlue(r *shift.Request) {
	r.Previous, r.WithinRollbackWindow = id("blue", "1.4.2", "web=b"), true
}

func rejectedGreen(r *shift.Request) { r.Rejected = rejects("green", "1.5.0") }

func retry(r *shift.Request) { r.Retry = true }

// decision is a request and, in words, what is due.
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
			if err != nil || words(got) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", words(got), err, tt.want)
			}
		})
	}
}

func TestDecide_forward(t *testing.T) {
	checkDecisions(t, []decision{
		{"all is as wanted", request(green, route(green, green)), "nothing"},
		{"the traffic is left as it is", request(nil, route(blue, half)), "nothing"},
		{"adopted as it is", request(green, joining(green)), "nothing"},
		{"a release", request(green, route(blue, blue)), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a release without steps", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Strategy.Steps = nil }),
			"forward, 100 %, gaining green"},
		{"a Create, at plan", shift.Request{Desired: green, Unobserved: true, Routes: []shift.Route{{Name: "web", Joining: true}}},
			"forward, 100 %, gaining green"},

		// A split is judged first, then come the steps above it.
		{"killed at 50", request(green, route(blue, half)), "forward, judge 50 % for 5m0s, 100 %, gaining green"},
		{"killed at 5", request(green, route(blue, shift.Weights{"blue": 950, "green": 50})),
			"forward, judge 5 % for 10m0s, 50 %, 100 %, gaining green"},
		{"between two steps", request(green, route(blue, shift.Weights{"blue": 700, "green": 300})),
			"forward, judge 30 % for 10m0s, 50 %, 100 %, gaining green"},
		{"below the first step", request(green, route(blue, shift.Weights{"blue": 990, "green": 10})),
			"forward, judge 1 % for 10m0s, 5 %, 50 %, 100 %, gaining green"},
		{"a split, and no steps any more", with(request(green, route(blue, half)), func(r *shift.Request) { r.Strategy.Steps = nil }),
			"forward, judge 50 % for 0s, 100 %, gaining green"},
		{"killed between the writes of two routes", request(green, route(blue, half), route(blue, shift.Weights{"blue": 950, "green": 50})),
			"forward, judge 50 % for 5m0s, 50 %, 100 %, gaining green"},
		{"killed between the last writes", request(green, route(blue, green), route(blue, half)),
			"forward, judge 99.9 % for 5m0s, 100 %, gaining green"},
		{"one route is there, the other has not begun", request(green, route(blue, green), route(blue, blue)),
			"forward, judge 99.9 % for 5m0s, 5 %, 50 %, 100 %, gaining green"},
		{"led off the way, blue receives as well", request(green, route(blue, shift.Sole("red"))),
			"forward, 5 %, 50 %, 100 %, gaining blue green"},
		{"killed at 100", request(green, route(blue, green)), "forward, finish, gaining green"},
		{"a split is found on a Create, where a way back leads to it", request(green, joining(half)),
			"forward, 5 %, 50 %, 100 %, gaining green"},
	})
}

// What the last shift left is wanted again, and the traffic is elsewhere.
func TestDecide_back(t *testing.T) {
	checkDecisions(t, []decision{
		{"back from a split", request(blue, route(blue, half)), "back, 100 %"},
		{"drift is repaired", request(green, route(green, half)), "back, 100 %"},
		{"drift of one of two routes", request(green, route(green, green), route(green, half)), "back, 100 %"},
	})
}

// A hand has taken it back.
func TestDecide_handedBack(t *testing.T) {
	checkDecisions(t, []decision{
		{"handed back", with(request(green, route(green, blue)), previousBlue), "handed back, surely"},
		{"handed back long after the window", with(request(green, route(green, blue)), func(r *shift.Request) {
			r.Previous = id("blue", "1.4.2", "")
		}), "handed back, surely"},
		{"handed back only in part is drift", with(request(green, route(green, half)), previousBlue), "back, 100 %"},
		{"handed back on one of two routes is drift", with(request(green, route(green, blue), route(green, green)), previousBlue), "back, 100 %"},
		{"what was live before is another version now", with(request(green, route(green, blue)), func(r *shift.Request) {
			r.Previous = id("blue", "1.0.0", "")
		}), "handed back"},
		{"what was live before has no version", with(request(green, route(green, blue)), func(r *shift.Request) {
			r.Environments[0].Version = ""
			r.Previous = id("blue", "", "")
		}), "handed back"},
		{"the live one has no version to be remembered by", with(request(green, route(green, blue)), func(r *shift.Request) {
			previousBlue(r)
			r.Environments[1].Version = ""
		}), "handed back"},
		{"handed back, seen before", with(request(green, route(green, half)), rejectedGreen), "handed back, surely"},
		{"handed back, and a route joins", with(request(green, route(green, blue), joining(blue)), previousBlue), "handed back, surely"},
		{"a route joins a rejected version that is live", with(request(green, route(green, green), joining(blue)), rejectedGreen), "refused"},
		{"handed back, tried again: a shift from what is there", with(request(green, route(green, blue)), func(r *shift.Request) {
			previousBlue(r)
			retry(r)
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"handed back and rejected, tried again", with(request(green, route(green, half)), func(r *shift.Request) {
			rejectedGreen(r)
			retry(r)
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"a retry does not make a shift of drift", with(request(green, route(green, half)), retry), "back, 100 %"},
		{"a hand, or a killed shift: tried again is a way back", with(request(green, route(green, blue)), func(r *shift.Request) {
			r.Previous = id("blue", "", "")
			retry(r)
		}), "back, 100 %"},
		{"a hand ended a canary", request(half, route(half, blue)), "handed back, surely"},
		{"a hand ended a canary, seen before", with(request(half, route(half, blue)), rejectedGreen), "handed back, surely"},
		{"a canary led to a third side is drift", request(half, route(half, shift.Sole("red"))), "back, 100 %"},
		{"another version is shipped after a hand", with(request(green, route(green, blue)), func(r *shift.Request) {
			previousBlue(r)
			r.Environments[1].VersionChanged = true
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"another version where the traffic was is no way back", with(request(blue, route(blue, green)), func(r *shift.Request) {
			r.Environments[0].VersionChanged = true
		}), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"another version that has traffic already is a way back", with(request(blue, route(blue, half)), func(r *shift.Request) {
			r.Environments[0].VersionChanged = true
		}), "back, 100 %"},
	})
}

func TestDecide_rejected(t *testing.T) {
	checkDecisions(t, []decision{
		{"rejected", with(request(green, route(blue, blue)), rejectedGreen), "refused"},
		{"rejected, in a split", with(request(shift.Weights{"blue": 900, "green": 100}, route(blue, blue)), rejectedGreen), "refused"},
		{"rejected, found in between", with(request(green, route(blue, half)), rejectedGreen), "refused"},
		{"rejected, tried again", with(request(green, route(blue, blue)), func(r *shift.Request) {
			rejectedGreen(r)
			retry(r)
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"another version of it", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Rejected = rejects("green", "1.4.9") }),
			"forward, 5 %, 50 %, 100 %, gaining green"},
		{"rejected on one of two routes, and the mean gains nothing", with(request(half, route(blue, blue), joining(green)), rejectedGreen), "refused"},
		{"a rejected version may lose", with(request(blue, route(shift.Weights{"blue": 500, "green": 500}, half)), rejectedGreen),
			"forward, 5 %, 50 %, 100 %, gaining blue"},
		{"no version cannot be remembered", with(request(green, route(blue, blue)), func(r *shift.Request) {
			r.Environments[1].Version = ""
			r.Rejected = rejects("green", "")
		}), "forward, 5 %, 50 %, 100 %, gaining green"},
	})
}

func TestDecide_return(t *testing.T) {
	checkDecisions(t, []decision{
		{"return", with(request(blue, route(green, green)), previousBlue), "return, 100 %, gaining blue"},
		{"return from a split", with(request(blue, route(green, half)), previousBlue), "return, 100 %, gaining blue"},
		{"return where a hand has led already", with(request(blue, route(green, blue)), previousBlue), "return, 100 %, gaining blue"},
		{"after the window", with(request(blue, route(green, green)), func(r *shift.Request) {
			previousBlue(r)
			r.WithinRollbackWindow = false
		}), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"other machines of that version", with(request(blue, route(green, green)), func(r *shift.Request) {
			previousBlue(r)
			r.Environments[0].Groups = "web=b2"
		}), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"never to a rejected version", with(request(blue, route(green, green)), func(r *shift.Request) {
			previousBlue(r)
			r.Rejected = rejects("blue", "1.4.2")
		}), "refused"},
		{"a rejected one that is tried again takes the steps", with(request(blue, route(green, green)), func(r *shift.Request) {
			previousBlue(r)
			r.Rejected = rejects("blue", "1.4.2")
			retry(r)
		}), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"a part of the traffic takes the steps", with(request(half, route(green, green)), previousBlue), "forward, 5 %, 50 %, 100 %, gaining blue"},
		{"a route joins", with(request(blue, route(green, green), joining(green)), previousBlue), "forward, 5 %, 50 %, 100 %, gaining blue"},
	})
}

// Routes that forward nowhere, and routes that disagree.
func TestDecide_routes(t *testing.T) {
	checkDecisions(t, []decision{
		{"a fixed 503", request(green, idle), "forward, take over, gaining green"},
		{"a fixed 503 beside a route", request(green, idle, joining(blue)), "forward, 5 %, 50 %, 100 %, take over, gaining green"},
		{"a fixed 503 beside a route that is there", request(green, idle, joining(green)), "forward, take over, gaining green"},
		{"a route joins what is live", request(green, route(green, green), joining(blue)), "forward, 5 %, 50 %, 100 %, gaining green"},
		{"opposite routes: the mean gains nothing, each side does", request(half, joining(blue), joining(green)),
			"forward, 5 %, 50 %, 100 %, gaining blue green"},
	})
}

func TestDecide_judgesWithTheGatesOfTheStep(t *testing.T) {
	s, err := shift.Decide(request(green, route(blue, half)))
	if err != nil || !slices.Equal(s.Split.Gates, []string{"approve"}) {
		t.Errorf("judges with %v, %v", s.Split, err)
	}
}

func TestSchedule_at(t *testing.T) {
	s, err := shift.Decide(request(green, route(blue, blue), idle, joining(half)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"blue 95 %, green 5 %", "green 100 %", "blue 47.5 %, green 52.5 %"} {
		if got := s.At(i, 50).String(); got != want {
			t.Errorf("route %d at 5 %%: %s, want %s", i, got, want)
		}
	}
	if got := s.From().String(); got != "blue 75 %, green 25 %" {
		t.Errorf("From() = %s", got)
	}
	if s.Origin(1) != nil {
		t.Errorf("a route that forwarded nowhere has the origin %v", s.Origin(1))
	}
}

// many has nine environments, a to i.
func many(r *shift.Request) {
	r.Environments = nil
	for _, name := range strings.Split("i h g f e d c b a", " ") {
		r.Environments = append(r.Environments, shift.Environment{Name: name, Version: "1"})
	}
}

func TestDecide_groups(t *testing.T) {
	tests := []struct {
		name       string
		request    shift.Request
		held, kept string
	}{
		{"all fit", request(green, route(blue, blue)), "green blue", "green blue"},
		{"the goal, the origin, then by name", with(request(shift.Sole("i"), shift.Route{Origin: shift.Sole("h"), Observed: shift.Sole("h")}), many),
			"i h a b c", "i h a b c"},
		{"a split goal", with(request(shift.Weights{"d": 500, "i": 500}, shift.Route{Origin: shift.Sole("h"), Observed: shift.Weights{"g": 500, "h": 500}}), many),
			"d i h g a", "d i h g a"},
		{"sticky as found: only who has traffic", with(request(green, shift.Route{Origin: blue, Observed: blue, Sticky: true}), func(*shift.Request) {}),
			"green blue", "green"},
		{"sticky as wanted", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Sticky = new(true) }), "green blue", "green"},
		{"sticky switched off", with(request(green, shift.Route{Origin: blue, Observed: blue, Sticky: true}), func(r *shift.Request) { r.Sticky = new(false) }),
			"green blue", "green blue"},
		{"who leaves is held and not kept", with(request(green, route(blue, blue)), func(r *shift.Request) { r.Environments[0].Removed = true }),
			"green blue", "green"},
		{"who leaves idle is neither", with(request(green, route(blue, blue)), func(r *shift.Request) {
			r.Environments = append(r.Environments, shift.Environment{Name: "red", Removed: true})
		}), "green blue", "green blue"},
		{"a stranger is held and not kept", request(green, route(shift.Sole("legacy"), shift.Sole("legacy"))), "green legacy blue", "green blue"},
		{"left as it is, all that have traffic stay", request(nil, route(blue, shift.Weights{"blue": 900, "legacy": 100})),
			"blue legacy green", "blue legacy green"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := shift.Decide(tt.request)
			if held, kept := strings.Join(s.Attached, " "), strings.Join(s.AttachedAfter, " "); err != nil || held != tt.held || kept != tt.kept {
				t.Errorf("held %s, kept %s, %v; want %s and %s", held, kept, err, tt.held, tt.kept)
			}
		})
	}
}

func TestDecide_tooManyGroups(t *testing.T) {
	spread := shift.Weights{"a": 200, "b": 200, "c": 200, "d": 200, "e": 200}
	_, err := shift.Decide(with(request(shift.Sole("f"), route(spread, spread)), many))
	want := "more target groups in one action at once than the balancer takes: 6 are needed, at most 5 are taken"
	if !errors.Is(err, shift.ErrTooManyGroups) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := shift.Decide(with(request(shift.Sole("a"), route(spread, spread)), many)); err != nil {
		t.Errorf("five fit: %v", err)
	}
	// A stranger counts on the routes that it was found on.
	odd := func(a, b string) shift.Route {
		return joining(shift.Weights{"blue": 800, shift.Weights{a: 1}.Names()[0]: 100, b: 100})
	}
	if _, err := shift.Decide(request(green, odd("s1", "s2"), odd("s3", "s4"))); err != nil {
		t.Errorf("four come together on each route: %v", err)
	}
}

// anyRequest draws a request; little of it makes sense.
func anyRequest(t *rapid.T) shift.Request {
	names := []string{"a", "b", "c", "d", "e", "f", "g"} // a, b and c may be wanted
	flag := func(label string) bool { return rapid.IntRange(0, 4).Draw(t, label) == 0 }
	some := func(label string) shift.Weights {
		return rapid.SampledFrom([]shift.Weights{shift.Sole("a"), shift.Sole("b"), {"a": 500, "b": 500}, {"a": 950, "b": 50}, {"b": 999, "c": 1}}).Draw(t, label)
	}
	odd := shift.Weights{"a": 400, "d": 300, "e": 300}
	r := shift.Request{Desired: some("goal"), WithinRollbackWindow: flag("recent"), Retry: flag("retry"), Strategy: request(nil).Strategy}
	for _, name := range names[:rapid.IntRange(3, 7).Draw(t, "environments")] {
		r.Environments = append(r.Environments, shift.Environment{
			Name: name, Version: rapid.SampledFrom([]string{"", "1", "1", "2"}).Draw(t, "version"), Removed: flag("leaving"), Unmanaged: name > "c" && flag("stranger")})
	}
	stable := some("stable")
	for range rapid.IntRange(1, 3).Draw(t, "routes") {
		x := shift.Route{Name: "web", Origin: stable, Observed: some("found"), Sticky: flag("sticky")}
		if flag("odd") {
			x.Observed = odd
		}
		if flag("new") {
			x.Joining, x.Origin = true, x.Observed
		} else if flag("nowhere") {
			x = idle
		}
		x.Attached = append(x.Observed.Names(), rapid.SampledFrom(names).Draw(t, "named"))
		r.Routes = append(r.Routes, x)
	}
	if flag("previous") {
		r.Previous = id(rapid.SampledFrom(names).Draw(t, "was"), "1", "")
	}
	if flag("rejected") {
		r.Rejected = rejects(rapid.SampledFrom(names).Draw(t, "bad"), "1")
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
			t.Fatalf("%s of %+v: %v", words(s), r, err)
		}
		again, _ := shift.Decide(r)
		if s.Text() != again.Text() || s.Shortest() > s.Longest() || (s.IsEmpty() && s.Kind != shift.NoChange) {
			t.Fatalf("%s, %s, %s", s.Text(), s.Shortest(), s.Longest())
		}
	})
}

func checkSchedule(r shift.Request, s shift.Schedule) error {
	traffic := s.Kind == shift.Forward || s.Kind == shift.Revert || s.Kind == shift.Rollback
	gainsRejected := r.Rejected != nil && slices.ContainsFunc(r.Environments, func(e shift.Environment) bool {
		return r.Rejected.Matches(e) && slices.ContainsFunc(r.Routes, func(x shift.Route) bool { return r.Desired[e.Name] > x.Origin[e.Name] })
	})
	switch {
	case len(s.AttachedAfter) > shift.MaxGroups:
		return fmt.Errorf("kept %v", s.AttachedAfter)
	case !traffic && (len(s.Steps) > 0 || s.Split != nil || len(s.Gaining) > 0 || s.ReplacesFixedError || s.BakeOnly):
		return errors.New("nothing may move")
	case s.Kind == shift.Rollback && (len(s.Steps) != 1 || s.Split != nil || len(s.Gaining) > 0 || len(s.Steps[0].Gates) > 0):
		return errors.New("a way back is one step without gates")
	case s.Kind == shift.Revert && (len(s.Steps) != 1 || s.Split != nil):
		return errors.New("a return is one step")
	case gainsRejected && !r.Retry && (s.Kind == shift.Forward || s.Kind == shift.Revert):
		return errors.New("a rejected version goes out")
	case s.Kind == shift.Forward && len(s.Steps) > 0 && s.Steps[len(s.Steps)-1].At != shift.Full:
		return errors.New("the way does not end at the goal")
	case !slices.IsSortedFunc(s.Steps, func(a, b shift.Step) int { return int(a.At - b.At) }):
		return errors.New("the steps do not rise")
	}
	for _, name := range s.Desired.Names() {
		if !slices.Contains(s.AttachedAfter, name) || !slices.Contains(s.Attached, name) {
			return fmt.Errorf("%s is to have traffic and is not named", name)
		}
	}
	for _, x := range r.Routes {
		for _, name := range append(x.Observed.Names(), x.Origin.Names()...) {
			if !slices.Contains(s.Attached, name) {
				return fmt.Errorf("%s has traffic, or had it, and is not held", name)
			}
		}
	}
	for _, e := range r.Environments {
		if (e.Removed || e.Unmanaged) && r.Desired[e.Name] == 0 && slices.Contains(s.AttachedAfter, e.Name) {
			return fmt.Errorf("%s stays", e.Name)
		}
	}
	return nil
}
