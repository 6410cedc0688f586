package schedule_test

import (
	"time"

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

func id(name, version string) *shift.Identity {
	return &shift.Identity{Environment: name, Version: version}
}

func rejection(version string) *shift.Rejection {
	return &shift.Rejection{Identity: *id("green", version), Reason: "gate errors failed", At: time.Unix(0, 0)}
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

func with(r shift.Request, change func(*shift.Request)) shift.Request {
	change(&r)
	return r
}

// toGreen and away make the routes those of an unfinished shift from blue to green, which
// is the desired goal or not.
func toGreen(r *shift.Request) { unfinished(r, true) }

func away(r *shift.Request) { unfinished(r, false) }

func unfinished(r *shift.Request, same bool) {
	r.Unfinished = &shift.Unfinished{Shift: "20260101T000000Z-1", SameGoal: same}
	for i := range r.Routes {
		r.Routes[i].From, r.Routes[i].To = blue, green
	}
}
