package shift

import "slices"

// setOrigins sets the rollback target of each route: where an unfinished shift is resumed,
// what was there before it, otherwise what is observed. A Create on a split takes the
// environments that are not desired for what was there before, where no record says so.
func (r *Request) setOrigins(f facts, row row) {
	var fixed []Weights
	if row.kind == Forward && !row.resumes && !row.repairs && r.fixesForward(f) {
		fixed = r.fixForwardOrigins(f)
	}
	for i, x := range r.Routes {
		switch {
		case row.kind == Rollback && f.isKnown(x):
			r.Routes[i].Origin = r.Desired
		case row.resumes && x.From != nil:
			r.Routes[i].Origin = x.From
		case fixed != nil && f.isKnown(x):
			r.Routes[i].Origin = fixed[i]
		case r.Create && row.kind == Forward && x.Back == nil && (!f.ours || x.From == nil):
			r.Routes[i].Origin = without(x.Observed, func(name string) bool { return r.Desired[name] > 0 })
		default:
			r.Routes[i].Origin = x.Observed
		}
		if r.Routes[i].Origin == nil {
			r.Routes[i].Origin = x.Observed
		}
	}
}

// fixesForward reports whether a shift did not finish, and what it would be rolled back to
// has another version since, which is desired: it is released, and where it is rejected it
// keeps no traffic. A split that the last completed shift left is not meant: the version
// before had that traffic rightly, and its targets are replaced in place, so that there is
// nothing to return it to.
func (r *Request) fixesForward(f facts) bool {
	if !r.gainsNewVersion(func(Route) Weights { return r.Desired }) {
		return false
	}
	if f.ours {
		return !f.canRollBack
	}
	return f.noRecord && slices.ContainsFunc(r.Routes, func(x Route) bool { return x.Stable != nil && !x.Observed.Equal(x.Stable) })
}

// fixForwardOrigins returns the rollback targets of the known routes: what was there before
// the unfinished shift and has the same version still, or else what is observed on the
// route, or else on the others, without the environments that gain. A rejected version is
// no target. Where nothing remains, the target is what is observed.
func (r *Request) fixForwardOrigins(f facts) []Weights {
	origins, some := make([]Weights, len(r.Routes)), []Weights{}
	for i, x := range r.Routes {
		if !f.isKnown(x) || x.Missing {
			continue
		}
		bad := func(name string) bool { return r.gainsSomewhere(name, f) || r.hasRejected([]string{name}) }
		origins[i] = without(x.From, func(name string) bool { return bad(name) || r.Environment(name).VersionChanged })
		if origins[i] == nil {
			origins[i] = without(x.Observed, bad)
		}
		some = append(some, origins[i])
	}
	for i, x := range r.Routes {
		if origins[i] == nil && f.isKnown(x) && !x.Missing {
			origins[i] = Mean(some) // routes shift in lock-step
		}
	}
	return origins
}

// gainsSomewhere reports whether an environment gains on some known route.
func (r *Request) gainsSomewhere(name string, f facts) bool {
	return slices.ContainsFunc(r.Routes, func(x Route) bool { return f.isKnown(x) && !x.Missing && r.Desired[name] > x.Observed[name] })
}

// without returns weights without some environments, in the same proportions; nil where
// nothing remains.
func without(w Weights, drop func(name string) bool) Weights {
	others := map[string]int{}
	for name, share := range w {
		if !drop(name) {
			others[name] = int(share)
		}
	}
	return FromRaw(others)
}
