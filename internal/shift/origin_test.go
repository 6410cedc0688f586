package shift_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// The environment that was stable has another version: where that is rejected, it keeps no
// traffic as long as there is another place for it.
func TestDecide_fixForward(t *testing.T) {
	red := shift.Sole("red")
	three := shift.Weights{"blue": 300, "green": 300, "red": 400}
	newBlue := func(r *shift.Request) {
		r.Environments = append(slices.Clone(r.Environments), shift.Environment{Name: "red", Version: "1.0"})
		r.Environments[0].Version, r.Environments[0].VersionChanged = "1.5", true
		r.Environments[1].VersionChanged = true // since the last completed shift, which gave it nothing
	}
	off := func(r *shift.Request) { r.NoRecord = true }
	rejectBlue := func(r *shift.Request) { r.Rejected = rejection("blue", "1.5") }
	stopped := func(from, to shift.Weights) func(*shift.Request) { return unfinished(from, to, false) }
	tests := []struct {
		name    string
		request shift.Request
		want    string // the rollback targets of the routes
	}{
		{"at 100 %", with(request(blue, route(blue, green)), newBlue, away), "green 100 %"},
		{"from a split", with(request(blue, route(blue, half)), newBlue, away), "green 100 %"},
		{"between two routes", with(request(blue, route(blue, half), route(blue, blue)), newBlue, away), "green 100 %; green 100 %"},
		{"between two routes of different shares", with(request(blue, route(blue, half), route(blue, green)), newBlue, away), "green 100 %; green 100 %"},
		{"a route joins", with(request(blue, route(blue, half), joining(red)), newBlue, func(r *shift.Request) {
			away(r)
			r.Routes[1].From, r.Routes[1].To = nil, nil
		}), "green 100 %; red 100 %"},
		{"three environments: what was there before", with(request(blue, route(shift.Weights{"blue": 500, "red": 500}, three)), newBlue, stopped(shift.Weights{"blue": 500, "red": 500}, green)), "red 100 %"},
		{"three environments, none of which was there before", with(request(blue, route(blue, three)), newBlue, stopped(blue, shift.Weights{"green": 500, "red": 500})), "green 42.9 %, red 57.1 %"},
		{"one of them is rejected", with(request(blue, route(blue, three)), newBlue, stopped(blue, shift.Weights{"green": 500, "red": 500}), rejectGreen), "red 100 %"},
		{"the only other one is rejected", with(request(blue, route(blue, half)), newBlue, away, rejectGreen), "blue 50 %, green 50 %"},
		{"the goal is a split", with(request(shift.Weights{"blue": 900, "green": 100}, route(blue, half)), newBlue, away), "green 100 %"},
		{"the goal is a split of which the new version gains nothing", with(request(shift.Weights{"blue": 500, "red": 500}, route(blue, half)), newBlue, away), "blue 50 %, green 50 %"},
		{"a third environment is the goal", with(request(red, route(blue, half)), newBlue, away), "blue 50 %, green 50 %"},
		{"without a record", with(request(blue, route(blue, half)), newBlue, off), "green 100 %"},
		// The last completed shift left the split. The version of blue is replaced in place, and
		// what was observed is what was there.
		{"of a stable split", with(request(blue, route(half, half)), newBlue), "blue 50 %, green 50 %"},
		{"of a stable split without a record", with(request(blue, route(half, half)), newBlue, off), "blue 50 %, green 50 %"},
		{"after an external change", with(request(blue, route(blue, half)), newBlue), "blue 50 %, green 50 %"},
		// It failed, and its rollback too.
		{"rejected, and not rolled back", with(request(blue, route(blue, half)), newBlue, stopped(green, blue), rejectBlue), "roll back first to green 100 %, then rejected"},
		{"and red shall be released", with(request(red, route(blue, half)), newBlue, stopped(green, blue), rejectBlue), "roll back first to green 100 %, then forward"},
		{"and another version of green shall be released: by steps", with(request(green, route(blue, half)), newBlue, stopped(green, blue), rejectBlue), "blue 50 %, green 50 %"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := shift.Decide(tt.request)
			if err != nil {
				t.Fatal(err)
			}
			var origins []string
			for i := range s.Request.Routes {
				origins = append(origins, s.Origin(i).String())
			}
			got := strings.Join(origins, "; ")
			if s.RollsBackFirst {
				got = fmt.Sprintf("roll back first to %s, then %s", got, s.Kind)
			} else if s.Kind != shift.Forward {
				t.Errorf("it is a %s", s.Kind)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
