package shift

import (
	"slices"
	"time"
)

// Environment is one copy of production, or an unmanaged target group.
type Environment struct {
	Name           string
	Version        string // empty: none, and the environment never matches an Identity
	Groups         string // identifies its target groups; equal strings mean the same groups
	VersionChanged bool   // the version differs from that of the last completed shift
	VersionBefore  string // of the last completed shift; empty: unknown
	Removed        bool   // no longer configured: detached once it has no traffic
	Unmanaged      bool   // a group on a route that is in no environment of the switch
	// IdleUnhealthy reports that one of its groups was attached at weight 0 without a healthy
	// target at the last refresh.
	IdleUnhealthy bool
	// AliasUnhealthy reports that DNS left out one of its records at the last refresh, for a reason
	// that the health of its targets with traffic does not show.
	AliasUnhealthy bool
	// SlowStart is the longest slow start of its groups: a target that becomes healthy
	// gets less than its share for that long. 0: none, or unknown.
	SlowStart time.Duration
}

// Identity is an environment with the version and groups that it had at some time.
type Identity struct {
	Environment string
	Version     string
	Groups      string
}

// Matches reports whether e has the version of id and, where id has any, its groups.
// A nil id and an environment without a version never match.
func (id *Identity) Matches(e Environment) bool {
	return id != nil && e.Version != "" && id.Environment == e.Name &&
		id.Version == e.Version && (id.Groups == "" || id.Groups == e.Groups)
}

// Route is the state of one route.
type Route struct {
	Name       string   // for texts, such as "web" or "web, 2nd route"
	Stable     Weights  // what the last completed shift left; nil: none, or it joins with this shift
	Observed   Weights  // the current weights; nil: unknown (Unobserved), or does not forward
	From, To   Weights  // of Request.Unfinished on this route; nil: unknown, or it did not have the route
	Attached   []string // environments and unmanaged groups in its action, also at weight 0
	Without    []string // environments that have no group of their own here
	FixedError bool     // a joining route that answers a fixed 5xx, which may be replaced
	Response   string   // what it does instead of forwarding; empty where it forwards
	Missing    bool     // the router reported that it does not exist
	Sticky     bool     // group stickiness is on now
	Joining    bool     // joins with this shift, so there is no earlier state of it
	Unserved   bool     // joins, and none of the groups that it forwards to has a healthy target

	Connections bool // forwards connections: open ones stay with their target when the weights change
	// Batch is what routes have in common that one call changes; empty: each takes a call of its own.
	Batch string
	// Cached is how long clients may keep an earlier answer: the TTL of a DNS record. 0: not at all.
	Cached time.Duration

	// Set by Decide.
	Origin Weights // the rollback target; nil: does not forward there
	Found  Weights // what was observed, also where the apply rolls back first
	Back   Weights // what it gets where the apply rolls back first; nil: it stays as it is
}

// Unfinished is a shift of this switch that did not complete: what its record says, or
// the memory of a failed apply.
type Unfinished struct {
	Shift    string // its id
	SameGoal bool   // its goal was the desired weights, with the same versions and groups
	Running  string // describes it where its owner is not known to have ended; empty: it has ended
}

// Rejection is a version that a gate or health refused.
type Rejection struct {
	Identity
	Reason string
	At     time.Time
}

// Request is the input of Decide: desired, observed and prior state.
type Request struct {
	Environments []Environment // configured ones, then removed and unmanaged ones
	Routes       []Route
	Unobserved   bool // the weights of the routes are unknown: the plan of a Create

	Create       bool        // there was no completed shift before
	Stable       Weights     // what the last completed shift left, mean of its routes; nil on a Create
	Unfinished   *Unfinished // nil: no record of this switch is open, and no apply failed
	OtherSwitch  string      // who abandoned a shift of another switch on one of the routes; empty: nobody
	NoRecord     bool        // shifts leave no record, so a split may always be theirs
	ClosedRecord string      // id of a closed record to remove; empty: none

	Desired           Weights // nil: leave the traffic as it is
	Sticky            *bool   // desired group stickiness; nil: unchanged
	StickinessChanges bool    // the desired stickiness differs from the observed one

	Previous             *Identity  // what was live before the last completed shift
	WithinRollbackWindow bool       // that shift ended within the rollback window
	Rejected             *Rejection // nil: none
	Retry                bool       // retry changed, which allows the rejected version again

	Backend      string // what a group is called; empty: target group
	Managed      string // what to do if another resource manages a route; empty: nothing is known
	MaxGroups    int    // the router's limit of groups per route; 0: none
	AttachesIdle bool   // idle environments are attached at weight 0, so that their health is checked

	Strategy Strategy
	Notes    []string // warnings to append to the schedule
}

// When is the part of a shift in which a gate is evaluated.
type When string

// The parts of a shift.
const (
	Before When = "before" // before the gaining environments have production traffic
	During When = "during" // at every step and in the bake
	After  When = "after"  // in the bake only
	Always When = "always" // in all of them
)

// Strategy is how a shift proceeds: its steps, times and gates.
type Strategy struct {
	Steps          []Step // without the last one, at Full
	Bake           time.Duration
	Baseline       Share // the part of the shift that is held back until the bake is over; 0: none
	Settle         time.Duration
	HealthTimeout  time.Duration
	RollbackWindow time.Duration // how long a revert needs no steps; 0: never
	SteadyFor      time.Duration
	DetachIdle     bool           // idle environments are detached at the end, and attached again by the next shift
	Gates          []GateSettings // sorted by name
}

// GateSettings is when and how often one gate is evaluated.
type GateSettings struct {
	Name                string
	When                When
	AtSteps             []Share // the steps at which it is evaluated, Full for the bake; empty: as When says
	Interval            time.Duration
	Timeout             time.Duration
	InitialDelay        time.Duration
	InconclusiveTimeout time.Duration
	Lag                 time.Duration // how long after a weight change the first data from after it arrives
	BeforeTrafficNote   string        // a warning where the gate is evaluated before any traffic
	FailureLimit        int           // failures that are tolerated in the whole shift
	ErrorLimit          int           // consecutive errors that are tolerated
	DryRun              bool          // report-only
}

// GatesFor returns the gates that are evaluated in a part of the shift: before any
// traffic, at a step, or in the bake. A gate with steps of its own is evaluated at those
// only.
func (t Strategy) GatesFor(part When, step Step) []GateSettings {
	var gates []GateSettings
	for _, g := range t.Gates {
		if g.isFor(part, step) {
			gates = append(gates, g)
		}
	}
	return gates
}

func (g GateSettings) isFor(part When, step Step) bool {
	if step.Bakes {
		part = After
	}
	switch {
	case len(g.AtSteps) == 0:
		return g.When == Always || g.When == part || g.When == During && part == After
	case part == During:
		return slices.Contains(g.AtSteps, step.gatesOf())
	case part == After:
		return slices.Contains(g.AtSteps, Full)
	}
	return false
}

// Path returns the steps below 100 %, with the one of the bake if a baseline is held back.
func (t Strategy) Path() []Step {
	if t.Baseline == 0 {
		return t.Steps
	}
	return append(slices.Clone(t.Steps), Step{At: Full - t.Baseline, Hold: t.Bake, Bakes: true})
}

// HasOwnGates reports whether a gate is evaluated at certain steps only, among them this one.
func (t Strategy) HasOwnGates(step Step) bool {
	return slices.ContainsFunc(t.Gates, func(g GateSettings) bool { return slices.Contains(g.AtSteps, step.gatesOf()) })
}

func (r Request) environmentNames() []string {
	var names []string
	for _, e := range r.Environments {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}

// managed returns the names without removed environments and unmanaged groups.
func (r Request) managed(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		e := r.Environment(name)
		return e.Removed || e.Unmanaged
	})
}

// Environment returns an environment by name. An unknown name is an unmanaged group.
func (r Request) Environment(name string) Environment {
	for _, e := range r.Environments {
		if e.Name == name {
			return e
		}
	}
	return Environment{Name: name, Unmanaged: true}
}

// IsReset reports whether a route looks as if another resource that manages it had reset it:
// it forwards to one group alone, and to another one than the last completed shift left. A
// shift of the switch leaves at least two until it is completed.
func (r Request) IsReset(x Route) bool {
	return r.AttachesIdle && !x.Joining && !x.Missing && len(x.Attached) == 1 && x.Stable != nil && x.Observed != nil && !x.Observed.Equal(x.Stable)
}

// AllRoutes reports whether the condition holds for every route.
func (r Request) AllRoutes(is func(Route) bool) bool {
	return !slices.ContainsFunc(r.Routes, func(x Route) bool { return !is(x) })
}

// ObservedMean returns the mean of the observed weights; nil where no route forwards.
func (r Request) ObservedMean() Weights {
	var all []Weights
	for _, x := range r.Routes {
		all = append(all, x.Observed)
	}
	return Mean(all)
}
