package shift

import "slices"

// hand is whether somebody took the traffic away from where the last completed
// shift left it, and meant it. A shift that was killed leaves no trace but the
// weights, so that not every move tells who made it.
type hand int

const (
	nobody hand = iota // drift, or the rest of a shift: it may be repaired
	likely             // a hand, or a shift that was killed at its end
	surely             // a hand
)

// hand looks for it. Putting the traffic back would undo what a person did
// about a bad release, and a person is not asked twice. A route that joins now
// tells nothing about it.
func (r Request) hand() hand {
	known := r.knownRoutes()
	leads := !slices.ContainsFunc(known, func(x Route) bool { return !x.Origin.Equal(r.Goal) })
	there := !slices.ContainsFunc(known, func(x Route) bool { return !x.Found.Equal(r.Goal) })
	if len(known) == 0 || !leads || there {
		return nobody
	}
	if r.gainsRejected(known) {
		return surely
	}
	where, wholly := whollyOn(known)
	live, sole := r.Goal.Sole()
	switch p := r.Previous; {
	case !wholly:
		return nobody
	case !sole && r.Goal[where] > 0:
		return surely // a canary was ended
	case !sole || p == nil || p.Environment != where || where == live:
		return nobody
	case p.Is(r.environment(where)) && r.environment(live).Version != "":
		return surely
	}
	return likely
}

// knownRoutes are those that were the switch's before.
func (r Request) knownRoutes() []Route {
	return slices.DeleteFunc(slices.Clone(r.Routes), func(x Route) bool { return x.New })
}

// gainsRejected: the version that a hand has sent back already would gain.
func (r Request) gainsRejected(routes []Route) bool {
	return r.Rejected != nil && slices.ContainsFunc(routes, func(x Route) bool {
		return slices.ContainsFunc(r.Goal.Gaining(x.Found), func(name string) bool {
			return r.Rejected.Is(r.environment(name))
		})
	})
}

// whollyOn is the one environment that has all the traffic of all routes.
func whollyOn(routes []Route) (string, bool) {
	where, ok := routes[0].Found.Sole()
	other := slices.ContainsFunc(routes, func(x Route) bool { return !x.Found.Equal(routes[0].Found) })
	return where, ok && !other
}

// shipsAnother: the traffic has left the goal, and whoever would gain has been
// given another version since and has no traffic. That is a release, whatever
// the last completed shift left, and no way back.
func (r Request) shipsAnother() bool {
	if !r.leadsBack() {
		return false
	}
	another := false
	for _, x := range r.Routes {
		for _, name := range r.Goal.Gaining(x.Found) {
			if !r.environment(name).Fresh || x.Found[name] > 0 {
				return false
			}
			another = true
		}
	}
	return another
}

// startFromFound makes a shift of what would be a repair: it goes by steps, and
// a way back leads to what is there now.
func (r *Request) startFromFound() {
	r.Routes = slices.Clone(r.Routes)
	for i := range r.Routes {
		r.Routes[i].Origin = r.Routes[i].Found
	}
}
