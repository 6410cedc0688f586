package shift

import "slices"

// externalChange classifies how the traffic left the weights of the last completed
// shift. An abandoned shift leaves nothing but its weights, so some observations
// allow for both an external change and an abandoned shift.
type externalChange int

const (
	noExternalChange       externalChange = iota // drift, or an unfinished shift: may be rolled back
	possibleExternalChange                       // an external change, or a shift that was abandoned at 100 %
	certainExternalChange                        // an external change
)

// externalChange classifies the observed weights where the desired ones are those of
// the last completed shift. To write these again would override what a person did
// about a bad release. Routes that join with this shift do not count.
func (r Request) externalChange() externalChange {
	known := r.knownRoutes()
	originIsDesired := !slices.ContainsFunc(known, func(x Route) bool { return !x.Origin.Equal(r.Desired) })
	reached := !slices.ContainsFunc(known, func(x Route) bool { return !x.Observed.Equal(r.Desired) })
	if len(known) == 0 || !originIsDesired || reached {
		return noExternalChange
	}
	if r.gainsRejected(known) {
		return certainExternalChange
	}
	current, unsplit := soleEnvironment(known)
	desired, sole := r.Desired.Sole()
	switch p := r.Previous; {
	case !unsplit:
		return noExternalChange
	case !sole && r.Desired[current] > 0:
		return certainExternalChange // somebody ended a canary
	case !sole || p == nil || p.Environment != current || current == desired:
		return noExternalChange
	case p.Matches(r.Environment(current)) && r.Environment(desired).Version != "":
		return certainExternalChange
	}
	return possibleExternalChange
}

// knownRoutes returns the routes that the last completed shift managed.
func (r Request) knownRoutes() []Route {
	return slices.DeleteFunc(slices.Clone(r.Routes), func(x Route) bool { return x.Joining })
}

// gainsRejected reports whether the desired weights give an environment with the
// rejected version more than one of the routes does now.
func (r Request) gainsRejected(routes []Route) bool {
	return r.Rejected != nil && slices.ContainsFunc(routes, func(x Route) bool {
		return slices.ContainsFunc(r.Desired.Gaining(x.Observed), func(name string) bool {
			return r.Rejected.Matches(r.Environment(name))
		})
	})
}

// soleEnvironment returns the environment that has all traffic of all routes, and
// false if there is none.
func soleEnvironment(routes []Route) (string, bool) {
	name, ok := routes[0].Observed.Sole()
	differs := slices.ContainsFunc(routes, func(x Route) bool { return !x.Observed.Equal(routes[0].Observed) })
	return name, ok && !differs
}

// shipsNewVersion reports whether the desired weights are the rollback target, but
// every environment that would gain has a new version and no traffic. That is a
// release and not a rollback.
func (r Request) shipsNewVersion() bool {
	if !r.isRollback() {
		return false
	}
	changed := false
	for _, x := range r.Routes {
		for _, name := range r.Desired.Gaining(x.Observed) {
			if !r.Environment(name).VersionChanged || x.Observed[name] > 0 {
				return false
			}
			changed = true
		}
	}
	return changed
}

// startFromObserved makes the observed weights the rollback target, which turns a
// rollback into a shift by steps.
func (r *Request) startFromObserved() {
	r.Routes = slices.Clone(r.Routes)
	for i := range r.Routes {
		r.Routes[i].Origin = r.Routes[i].Observed
	}
}
