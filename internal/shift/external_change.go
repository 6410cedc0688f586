package shift

import "slices"

// externalChange is whether somebody took the traffic away from where the last completed
// shift left it, and meant it. A shift that was killed leaves no trace but the
// weights, so that not every move tells who made it.
type externalChange int

const (
	noExternalChange       externalChange = iota // drift, or the rest of a shift: it may be repaired
	possibleExternalChange                       // a hand, or a shift that was killed at its end
	certainExternalChange                        // a hand
)

// externalChange looks for it. Putting the traffic back would undo what a person did
// about a bad release, and a person is not asked twice. A route that joins now
// tells nothing about it.
func (r Request) externalChange() externalChange {
	known := r.knownRoutes()
	leads := !slices.ContainsFunc(known, func(x Route) bool { return !x.Origin.Equal(r.Desired) })
	there := !slices.ContainsFunc(known, func(x Route) bool { return !x.Observed.Equal(r.Desired) })
	if len(known) == 0 || !leads || there {
		return noExternalChange
	}
	if r.gainsRejected(known) {
		return certainExternalChange
	}
	where, wholly := soleEnvironment(known)
	live, sole := r.Desired.Sole()
	switch p := r.Previous; {
	case !wholly:
		return noExternalChange
	case !sole && r.Desired[where] > 0:
		return certainExternalChange // a canary was ended
	case !sole || p == nil || p.Environment != where || where == live:
		return noExternalChange
	case p.Matches(r.environment(where)) && r.environment(live).Version != "":
		return certainExternalChange
	}
	return possibleExternalChange
}

// knownRoutes are those that were the switch's before.
func (r Request) knownRoutes() []Route {
	return slices.DeleteFunc(slices.Clone(r.Routes), func(x Route) bool { return x.Joining })
}

// gainsRejected: the version that a hand has sent back already would gain.
func (r Request) gainsRejected(routes []Route) bool {
	return r.Rejected != nil && slices.ContainsFunc(routes, func(x Route) bool {
		return slices.ContainsFunc(r.Desired.Gaining(x.Observed), func(name string) bool {
			return r.Rejected.Matches(r.environment(name))
		})
	})
}

// soleEnvironment is the one environment that has all the traffic of all routes.
func soleEnvironment(routes []Route) (string, bool) {
	where, ok := routes[0].Observed.Sole()
	other := slices.ContainsFunc(routes, func(x Route) bool { return !x.Observed.Equal(routes[0].Observed) })
	return where, ok && !other
}

// shipsNewVersion: the traffic has left the goal, and whoever would gain has been
// given another version since and has no traffic. That is a release, whatever
// the last completed shift left, and no way back.
func (r Request) shipsNewVersion() bool {
	if !r.isRollback() {
		return false
	}
	another := false
	for _, x := range r.Routes {
		for _, name := range r.Desired.Gaining(x.Observed) {
			if !r.environment(name).VersionChanged || x.Observed[name] > 0 {
				return false
			}
			another = true
		}
	}
	return another
}

// startFromObserved makes a shift of what would be a repair: it goes by steps, and
// a way back leads to what is there now.
func (r *Request) startFromObserved() {
	r.Routes = slices.Clone(r.Routes)
	for i := range r.Routes {
		r.Routes[i].Origin = r.Routes[i].Observed
	}
}
