package shift

import (
	"slices"
	"time"
)

// Environment is one copy of production, or a target group that is none of
// the switch's (Stranger), as far as a decision needs it.
type Environment struct {
	Name           string
	Version        string // empty: it has none, and is never known again
	Groups         string // stands for its target groups; equal means the same groups
	VersionChanged bool   // another version than the last completed shift left in it
	Removed        bool   // no longer configured: detached when the traffic is gone
	Unmanaged      bool   // a group on a route that is no environment of the switch
	// SlowStart is the longest of its groups' slow start: for so long a target
	// that becomes healthy has less than its share. 0: none, or not known.
	SlowStart time.Duration
}

// Identity is an environment as it once was.
type Identity struct {
	Environment string
	Version     string
	Groups      string
}

// Matches reports whether the environment is this one, known by its version. What
// has no version is never known.
func (id *Identity) Matches(e Environment) bool {
	return id != nil && e.Version != "" && id.Environment == e.Name &&
		id.Version == e.Version && (id.Groups == "" || id.Groups == e.Groups)
}

// Route is what is known of one listener or rule.
type Route struct {
	Name       string   // for lines about one route, such as "web" or "web, 2nd route"
	Origin     Weights  // where a way back leads; nil: forwards nowhere there
	Observed   Weights  // what it gives now; nil: unknown (Blind), or nowhere
	Attached   []string // environments and strangers in its action, weight 0 too
	FixedError bool     // it answers a fixed 5xx, and no one put that in place of traffic
	Response   string   // what it does instead of forwarding; empty where it forwards
	Missing    bool     // the router says that it does not exist
	Sticky     bool     // group stickiness is on now
	Joining    bool     // joins with this shift, so nothing is known of it at plan
}

// Rejection is what a switch remembers of a version that was sent back.
type Rejection struct {
	Identity
	Reason string
	At     time.Time
}

// Request is all that a decision rests on: what is wanted, what was left, and
// what was found.
type Request struct {
	Environments []Environment // configured ones first, then leaving and strangers
	Routes       []Route
	Unobserved   bool // what the routes give is not known: the plan of a Create

	Desired           Weights // nil: leave the traffic as it is
	Sticky            *bool   // wanted group stickiness; nil: as found
	StickinessChanges bool    // the wanted stickiness differs from what was found

	Previous             *Identity  // who was live before the last completed shift
	WithinRollbackWindow bool       // that shift ended within the rollback window
	Rejected             *Rejection // a version that does not go out again
	Retry                bool       // the user gave retry a new value

	Strategy Strategy
	Notes    []string // lines that close the schedule, from whoever knows more
}

// When is the part of a shift in which a gate is asked.
type When string

// The parts of a shift.
const (
	Before When = "before" // while the new side has no production traffic
	During When = "during" // at every step and in the bake
	After  When = "after"  // in the bake alone
	Always When = "always" // in all of them
)

// Strategy is how a shift is done: the strategy, health's times and the gates.
type Strategy struct {
	Steps          []Step // without the last one, Whole
	Bake           time.Duration
	Settle         time.Duration
	HealthTimeout  time.Duration
	RollbackWindow time.Duration // for so long a revert needs no steps; 0: never
	SteadyFor      time.Duration
	Gates          []GateSettings // sorted by name
}

// GateSettings is when and how often one gate is asked.
type GateSettings struct {
	Name                string
	When                When
	Interval            time.Duration
	Timeout             time.Duration
	InitialDelay        time.Duration
	InconclusiveTimeout time.Duration
	Lag                 time.Duration // after a change of weights there is no data from after it for so long
	BeforeTrafficNote   string        // what to know where it is asked before any traffic
	FailureLimit        int
	ErrorLimit          int // errors in a row that are tolerated
	DryRun              bool
}

// GatesFor tells which of the shift's gates watch at a part of it: before any
// traffic, at a step, or in the bake. A gate that a step names is asked at
// such steps alone.
func (t Strategy) GatesFor(part When, step Step) []GateSettings {
	var armed []GateSettings
	for _, g := range t.Gates {
		if own := t.isStepGate(g.Name); own {
			if part == During && slices.Contains(step.Gates, g.Name) {
				armed = append(armed, g)
			}
			continue
		}
		if g.When == Always || g.When == part || (g.When == During && part == After) {
			armed = append(armed, g)
		}
	}
	return armed
}

func (t Strategy) isStepGate(gate string) bool {
	return slices.ContainsFunc(t.Steps, func(s Step) bool { return slices.Contains(s.Gates, gate) })
}

func (r Request) environmentNames() []string {
	var names []string
	for _, e := range r.Environments {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}

// remaining drops the names that are leaving or strangers.
func (r Request) remaining(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		e := r.environment(name)
		return e.Removed || e.Unmanaged
	})
}

// environment returns the named one; one that is not known is a stranger.
func (r Request) environment(name string) Environment {
	for _, e := range r.Environments {
		if e.Name == name {
			return e
		}
	}
	return Environment{Name: name, Unmanaged: true}
}

func (r Request) allRoutes(is func(Route) bool) bool {
	return !slices.ContainsFunc(r.Routes, func(x Route) bool { return !is(x) })
}

func (r Request) originMean() Weights {
	var all []Weights
	for _, x := range r.Routes {
		all = append(all, x.Origin)
	}
	return Mean(all)
}

func (r Request) observedMean() Weights {
	var all []Weights
	for _, x := range r.Routes {
		all = append(all, x.Observed)
	}
	return Mean(all)
}
