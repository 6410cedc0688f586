package shift

import "slices"

// row is a row of the decision table.
type row struct {
	number    int
	situation string // in Markdown; the guide has it word for word
	apply     string // what the apply does, in Markdown

	holds func(f facts) bool
	kind  Kind
	// rollsBackFirst: every known route gets the weights from before the unfinished
	// shift, then the table decides again.
	rollsBackFirst bool
	resumes        bool // the rollback target is that of the unfinished shift
	repairs        bool // a failure says nothing about the version
}

// The numbers of rows that other rows or texts refer to.
const (
	rowOtherSwitch = 3
	rowRescue      = 10
	rowPartial     = 11
	rowJoins       = 13
)

// Row is a row of the decision table for people, in Markdown.
type Row struct {
	Number    int
	Situation string
	Apply     string // what the apply does
}

// Table returns the decision table, in the order in which the rows are tried. It is the
// source of the guide "What an apply does".
func Table() []Row {
	var rows []Row
	for _, x := range table() {
		rows = append(rows, Row{x.number, x.situation, x.apply})
	}
	return rows
}

// table returns the decision table. Rows are tried from the top; the first that holds
// decides. Known routes are those that the switch had before, or that an unfinished shift
// had; only row 13 is about the others.
func table() []row {
	return []row{
		{1, "The configuration leaves the traffic alone (`ignore_changes = [active, weights]`)", "No traffic is moved. After an abandoned shift, the schedule names `bluegreen recover`.",
			func(f facts) bool { return f.nothingDesired }, NoChange, false, false, false},
		{2, "The traffic is where the configuration and the last completed shift say", "No traffic is moved. A record that an earlier shift left is removed.",
			func(f facts) bool { return f.reached && f.stable && !f.joins && !f.missing && f.otherSwitch == "" }, NoChange, false, false, false},
		{rowOtherSwitch, "Another switch abandoned a shift on a route", "Refused: no traffic is moved. Apply the configuration of that switch first; it completes the shift or rolls it back. `bluegreen recover` only rolls it back.",
			func(f facts) bool { return f.otherSwitch != "" }, OtherSwitch, false, false, false},
		{4, "A shift of this switch did not finish, and the configuration wants what was stable before", "Rolled back: one write per route. Neither a gate nor a rejected version prevents it.",
			func(f facts) bool { return f.stable && !f.reached && (f.ours || f.noRecord) && !f.responds }, Rollback, false, false, false},
		{5, "A shift of this switch did not finish and left traffic on a rejected version", "Rolled back first: one write per route. Then the table decides again.",
			func(f facts) bool { return f.ours && f.rejectedHasTraffic && f.canRollBack && !f.retry }, Forward, true, false, false},
		{6, "The configuration gives a rejected version more traffic than the last completed shift, and `retry` is unchanged", "Refused: no traffic is moved. Ship another version, set `active` to another environment, or change `retry`.",
			func(f facts) bool { return f.wantsRejected && !f.retry }, Rejected, false, false, false},
		{7, "A shift of this switch did not finish, and the configuration wants something else", "Rolled back first to where that shift started: one write per route. Then the table decides again.",
			func(f facts) bool { return f.ours && !f.sameGoal && f.canRollBack && !f.reachedFrom }, Forward, true, false, false},
		{15, "A listener or rule of the switch does not exist", "Refused until it exists again or is removed from `routes`. The state and the rejected version are preserved.",
			func(f facts) bool { return f.missing }, RouteMissing, false, false, false},
		{8, "A shift of this switch did not finish, and the configuration still wants its goal", "Resumed: health and gates are evaluated at the current split, then the steps above it follow. A failure rolls back to where that shift started.",
			func(f facts) bool { return f.ours && f.sameGoal && !f.reachedFrom && !f.previous && !f.responds }, Forward, false, true, false},
		{9, "Traffic was moved outside Terraform to where the configuration wants it now", "Accepted: no traffic is moved, and gates are report-only. These weights become `stable`, and `previous` is null.",
			func(f facts) bool { return f.reached && !f.stable && !f.joins && !f.create && !f.unobserved }, Accept, false, false, false},
		{rowRescue, "All traffic was moved off an environment that the configuration still wants, a canary was ended, or a route was given a fixed response or redirect, outside Terraform", "Refused: no traffic is moved. The error says how to accept the change, how to shift back at once, and how to shift back by steps.",
			func(f facts) bool { return f.stable && f.rescued && !f.retry || f.responds }, ExternalChange, false, false, false},
		{rowPartial, "A part of the traffic was moved outside Terraform", "Repaired: shifted back by steps from the observed weights, with health checks and gates. A failure rejects nothing.",
			func(f facts) bool { return f.stable && !f.reached && !f.rescued }, Forward, false, false, true},
		{12, "The configuration wants the previous version, within `rollback_window`", "Reverted: one write per route, after the health check. Gates are report-only.",
			func(f facts) bool { return f.previous && !f.stable }, Revert, false, false, false},
		{rowJoins, "A route joins or was created again, and all others are where the configuration wants them", "One write to that route, after the health check, if it forwards to an environment of the switch or to target groups without healthy targets. Otherwise it is shifted by steps.",
			func(f facts) bool { return f.reached && f.stable && f.joins }, Join, false, false, false},
		{2, "The switch is created, and the traffic is where the configuration wants it", "No traffic is moved.",
			func(f facts) bool { return f.create && f.reached && !f.unobserved }, NoChange, false, false, false},
		{14, "Anything else", "Shifted by steps from the observed weights.",
			func(facts) bool { return true }, Forward, false, false, false},
	}
}

// facts is what the rows depend on.
type facts struct {
	nothingDesired bool
	create         bool // there was no completed shift before
	unobserved     bool // the plan of a Create
	noRecord       bool // shifts leave no record
	missing        bool // a known route does not exist
	otherSwitch    string

	ours        bool // an unfinished shift of this switch, and every known route is on its way
	sameGoal    bool // ... to the desired weights
	reachedFrom bool // ... and every known route is where it started
	canRollBack bool // ... and where it started has the versions that it had

	stable  bool // the desired weights, versions and groups are those of the last completed shift
	reached bool // the known routes have the desired weights
	rescued bool // on a known route, an environment that should have traffic has none, or it is rejected
	// responds: a known route has a fixed response or a redirect, and no weights to shift from
	responds bool
	joins    bool // a route joins that does not have the desired weights

	rejectedHasTraffic bool // on a known route, more than the last completed shift gives it
	wantsRejected      bool // the desired weights give it more than the last completed shift
	retry              bool
	previous           bool // a revert is possible
}

// row returns the first row that holds.
func (f facts) row() row {
	all := table()
	return all[slices.IndexFunc(all, func(x row) bool { return x.holds(f) })]
}

// isKnown reports whether the switch had the route before, or an unfinished shift had it.
// A Create without an unfinished shift knows all its routes.
func (f facts) isKnown(x Route) bool { return !x.Joining || x.From != nil || f.create && !f.ours }

// factsOf returns the facts of a request.
func factsOf(r Request) facts {
	f := facts{nothingDesired: r.Desired == nil, create: r.Create, unobserved: r.Unobserved, noRecord: r.NoRecord && !r.Create,
		otherSwitch: r.OtherSwitch, retry: r.Retry}
	f.ours = r.isOurs()
	if f.nothingDesired {
		return f
	}
	known := slices.DeleteFunc(slices.Clone(r.Routes), func(x Route) bool { return !f.isKnown(x) })
	all := func(holds func(Route) bool) bool {
		return !slices.ContainsFunc(known, func(x Route) bool { return !holds(x) })
	}
	some := func(holds func(Route) bool) bool { return slices.ContainsFunc(known, holds) }
	f.missing = slices.ContainsFunc(r.Routes, func(x Route) bool { return x.Missing })
	f.sameGoal = f.ours && r.Unfinished.SameGoal
	f.reachedFrom = f.ours && all(func(x Route) bool { return x.Missing || x.From == nil || x.Observed.Equal(x.From) })
	f.canRollBack = f.ours && !r.fromIsReleased()
	f.reached = !r.Unobserved && all(func(x Route) bool { return x.Missing || x.Observed.Equal(r.Desired) })
	f.stable = r.desiresStable(known, f.ours) && !r.gainsNewVersion(func(Route) Weights { return r.Desired })
	f.rescued = some(func(x Route) bool {
		return !x.Missing && r.lacksTraffic(x) || r.hasRejected(r.Desired.Gaining(x.Observed))
	})
	f.responds = slices.ContainsFunc(r.Routes, func(x Route) bool { return !x.Joining && x.Response != "" })
	f.joins = slices.ContainsFunc(r.Routes, func(x Route) bool { return !f.isKnown(x) && !x.Observed.Equal(r.Desired) })
	f.rejectedHasTraffic = some(func(x Route) bool { return r.givesRejected(x.Observed, r.stableOf(x)) })
	f.wantsRejected = slices.ContainsFunc(r.Routes, func(x Route) bool {
		return r.givesRejected(r.Desired, r.stableOf(x))
	})
	f.previous = r.canRevert()
	return f
}

// isOurs reports whether there is an unfinished shift and every route that it had has
// weights between where it started and its goal.
func (r Request) isOurs() bool {
	some := false
	for _, x := range r.Routes {
		if x.From == nil || x.To == nil || x.Missing {
			continue
		}
		some = true
		if !x.isBetween() {
			return false
		}
	}
	return some && r.Unfinished != nil
}

// isBetween reports whether every observed share is between that of From and that of To.
func (x Route) isBetween() bool { return x.Observed != nil && x.Observed.IsBetween(x.From, x.To) }

// desiresStable reports whether the desired weights are what the last completed shift left
// on the known routes. On a Create that is where an unfinished shift started.
func (r Request) desiresStable(known []Route, ours bool) bool {
	if len(known) == 0 { // all routes were created again
		return r.Stable != nil && r.Stable.Equal(r.Desired)
	}
	return !slices.ContainsFunc(known, func(x Route) bool {
		before := x.Stable
		if before == nil && ours {
			before = x.From
		}
		return before == nil || !before.Equal(r.Desired)
	})
}

// gainsNewVersion reports whether an environment would gain traffic with another version
// than that of the last completed shift: that is a release.
func (r Request) gainsNewVersion(goal func(Route) Weights) bool {
	return slices.ContainsFunc(r.Routes, func(x Route) bool {
		return slices.ContainsFunc(goal(x).Gaining(x.Observed), func(name string) bool { return r.Environment(name).VersionChanged })
	})
}

// fromIsReleased reports whether where an unfinished shift started is a release now: an
// environment that would gain has another version than the last completed shift left with
// traffic, or than it left of an environment that is desired. Any other environment had the
// traffic of the unfinished shift with the version that it has.
func (r Request) fromIsReleased() bool {
	return slices.ContainsFunc(r.Routes, func(x Route) bool {
		return slices.ContainsFunc(x.From.Gaining(x.Observed), func(name string) bool {
			return r.Environment(name).VersionChanged && (r.stableOf(x)[name] > 0 || r.Desired[name] > 0)
		})
	})
}

// lacksTraffic reports whether an environment that should have traffic has none.
func (r Request) lacksTraffic(x Route) bool {
	return slices.ContainsFunc(r.Desired.Names(), func(name string) bool { return x.Observed[name] == 0 })
}

// stableOf returns what the last completed shift gives a route; for one that joins, the
// mean of the others.
func (r Request) stableOf(x Route) Weights {
	if x.Stable != nil {
		return x.Stable
	}
	if r.Stable != nil {
		return r.Stable
	}
	return x.From
}

// givesRejected reports whether weights give the rejected version more than the last
// completed shift, which gave nothing to an environment that has another version since.
func (r Request) givesRejected(w, stable Weights) bool {
	return r.hasRejected(slices.DeleteFunc(w.Names(), func(name string) bool {
		return w[name] <= stable[name] && !r.Environment(name).VersionChanged
	}))
}

// hasRejected reports whether one of the names is an environment with the rejected version.
func (r Request) hasRejected(names []string) bool {
	return r.Rejected != nil && slices.ContainsFunc(names, func(name string) bool { return r.Rejected.Matches(r.Environment(name)) })
}

// canRevert reports whether all traffic shifts to the version that was live before the
// last completed shift, within the rollback window. A rejected version does not qualify,
// with or without retry: it is shifted by steps.
func (r Request) canRevert() bool {
	live, ok := r.Desired.Sole()
	if !ok || !r.WithinRollbackWindow || slices.ContainsFunc(r.Routes, func(x Route) bool { return x.Joining || x.FixedError }) {
		return false
	}
	e := r.Environment(live)
	return r.Previous.Matches(e) && (r.Rejected == nil || !r.Rejected.Matches(e))
}
