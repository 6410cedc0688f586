package shift

import (
	"fmt"
	"slices"
)

// Kind is what an apply does with the traffic.
type Kind int

// The kinds of a schedule.
const (
	NoChange       Kind = iota // the observed weights are the desired ones
	Forward                    // to new weights, by steps under gates
	Rollback                   // to the weights of the last completed shift: one write per route
	Revert                     // to the previous version: one write per route, under health only
	Rejected                   // a rejected version is desired: no write
	ExternalChange             // an environment that should have traffic has none: no write
	Accept                     // somebody moved the traffic to what is desired now: no write
	Join                       // a route joins: one write to the stable weights, under health only
	OtherSwitch                // another switch abandoned a shift on a route: no write
	RouteMissing               // a route does not exist: no write
)

// String returns the kind as logged.
func (k Kind) String() string {
	names := []string{"none", "forward", "rollback", "revert", "rejected", "external_change", "accept", "join", "other_switch", "route_missing"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind_%d", int(k))
	}
	return names[k]
}

// Moves reports whether a schedule of the kind writes other weights.
func (k Kind) Moves() bool { return k == Forward || k == Rollback || k == Revert || k == Join }

// Refuses reports whether an apply with a schedule of the kind fails without a write.
func (k Kind) Refuses() bool {
	return k == Rejected || k == ExternalChange || k == OtherSwitch || k == RouteMissing
}

// Schedule is what an apply will do, in order.
type Schedule struct {
	Kind    Kind
	Row     int // of the decision table, from 1; see Table
	Desired Weights
	// RollsBackFirst reports that every route with Route.Back gets it before anything
	// else, with one write, also where Kind refuses. What is decided is based on that.
	RollsBackFirst bool
	// Repairs reports that the shift only undoes a partial external change, so its
	// failure says nothing about the version.
	Repairs bool
	Split   *Step  // the current split, evaluated like a step before any other; nil: none
	Steps   []Step // rising; the last is at Full; empty when no traffic is moved

	// Attached are the environments in every action while the traffic moves,
	// AttachedAfter those that remain afterwards; all others are detached. An
	// unmanaged group is only ever in the actions that already have it.
	Attached      []string
	AttachedAfter []string

	ReplacesFixedError bool     // a route answers a fixed 5xx, which the desired weights replace in one write
	Retries            bool     // a rejected version is desired, and retry allows it
	BakeOnly           bool     // the desired weights are reached, but the shift never completed
	Joins              []bool   // by route: it joins from an idle environment, so it gets the desired weights in one write
	Gaining            []string // environments that gain on some route and so must be healthy; sorted

	Request Request    // what was decided
	gaining [][]string // by route
}

// From returns the weights that the shift starts from: the mean of the rollback targets
// of the routes that it changes, or of all routes where it changes none. It is nil where
// none of them forwarded.
func (s Schedule) From() Weights {
	var all, changing []Weights
	for i, x := range s.Request.Routes {
		all = append(all, x.Origin)
		if s.Changes(i) {
			changing = append(changing, x.Origin)
		}
	}
	if changing != nil {
		return Mean(changing)
	}
	return Mean(all)
}

// Changes reports whether the shift changes the i-th route: its rollback target differs
// from the desired weights. Where one of several groups of an environment was replaced,
// the routes of the others stay as they are.
func (s Schedule) Changes(i int) bool { return !s.Request.Routes[i].Origin.Equal(s.Desired) }

// KeepsStable reports whether a shift by steps ends with what the last completed one left:
// a route joins, or a partial external change is undone.
func (s Schedule) KeepsStable() bool { return s.Repairs || s.Row == rowJoins }

// Origin returns the rollback target of the i-th route of the request; nil
// where the route did not forward.
func (s Schedule) Origin(i int) Weights { return s.Request.Routes[i].Origin }

// At returns the weights of the i-th route when the part at of the shift is
// done. A route with a fixed error, and one of Joins, has no steps: it gets the desired
// weights.
func (s Schedule) At(i int, at Share) Weights {
	if s.Request.Routes[i].FixedError || s.Joins != nil && s.Joins[i] {
		return s.Desired
	}
	return Between(s.Origin(i), s.Desired, at)
}

// Decide compares desired with observed weights and returns what an apply does, by the
// rows of Table. It returns ErrTooManyGroups where the router's limit does not allow the
// shift, and a HoldError where a hold is shorter than what clients cache.
func Decide(r Request) (Schedule, error) {
	r.Routes = slices.Clone(r.Routes)
	for i := range r.Routes {
		r.Routes[i].Found = r.Routes[i].Observed
	}
	return decide(r)
}

func decide(r Request) (Schedule, error) {
	if r.NoRecord {
		r.assumeUnfinished()
	}
	f := factsOf(r)
	row := f.row()
	if row.rollsBackFirst || row.kind == Rollback && f.joins { // a joining route needs row 13
		s, err := decide(r.rolledBack(f, row))
		s.RollsBackFirst = true
		return s, err
	}
	r.setOrigins(f, row)
	s := Schedule{Kind: row.kind, Row: row.number, Desired: r.Desired, Request: r, Repairs: row.repairs}
	if s.Desired == nil {
		s.Desired = r.ObservedMean()
	}
	s.Retries = r.Retry && f.wantsRejected
	s.fillJoins()
	if err := s.fillAttached(); err != nil {
		return s, err
	}
	switch s.Kind {
	case Forward:
		s.fillSteps()
		s.fillGaining()
	case Revert, Join:
		s.Steps = []Step{{At: Full}}
		s.fillGaining()
	case Rollback:
		s.Steps = []Step{{At: Full}}
	case NoChange, Rejected, ExternalChange, Accept, OtherSwitch, RouteMissing:
	}
	return s, s.waitForCached()
}

// assumeUnfinished takes observed weights that are neither the stable nor the desired ones
// for an unfinished shift to the desired ones: without a record, nothing distinguishes them.
func (r *Request) assumeUnfinished() {
	if r.Unfinished != nil || r.Create || r.Desired == nil || r.Unobserved {
		return
	}
	r.Routes = slices.Clone(r.Routes)
	moved := false
	for i, x := range r.Routes {
		if !x.Joining && x.Stable != nil {
			moved = moved || !x.Observed.Equal(x.Stable)
			r.Routes[i].From, r.Routes[i].To = x.Stable, r.Desired
		}
	}
	if moved {
		r.Unfinished = &Unfinished{SameGoal: true}
	}
}

// rolledBack returns the request as it is after a rollback to where the unfinished shift
// started or, in a row of kind Rollback, to the desired weights.
func (r Request) rolledBack(f facts, row row) Request {
	r.Routes = slices.Clone(r.Routes)
	for i, x := range r.Routes {
		back := x.From
		if row.kind == Rollback && f.isKnown(x) {
			back = r.Desired
		}
		if back != nil && !x.Missing {
			r.Routes[i].Back, r.Routes[i].Observed = back, back
		}
		r.Routes[i].From, r.Routes[i].To = nil, nil
	}
	r.Unfinished, r.NoRecord = nil, false
	return r
}

// fillJoins sets Joins: routes that join from idle environments of the switch, or whose
// groups have no healthy target, while the known routes have the desired weights.
func (s *Schedule) fillJoins() {
	r := s.Request
	if s.Row != rowJoins {
		return
	}
	s.Joins = make([]bool, len(r.Routes))
	steps := false
	for i, x := range r.Routes {
		if x.FixedError {
			steps = true // they are for the others, but fillSteps knows how it is replaced
		}
		if !x.Joining || x.Observed.Equal(r.Desired) || x.FixedError {
			continue
		}
		managed := !slices.ContainsFunc(x.Observed.Names(), func(name string) bool { return r.Environment(name).Unmanaged })
		s.Joins[i] = managed || x.Unserved
		steps = steps || !s.Joins[i]
	}
	if steps {
		s.Kind = Forward
	}
}

// fillSteps sets Split, and the steps above the route that is least far along.
// Routes that are at different weights count as a split, too.
func (s *Schedule) fillSteps() {
	r := s.Request
	all := append(slices.Clone(r.Strategy.Path()), Step{At: Full})
	if r.Unobserved {
		s.Steps = all
		return
	}
	low, high := Full, Share(0)
	for i, x := range r.Routes {
		if x.FixedError {
			s.ReplacesFixedError = true
			continue // it gets the desired weights before the health check
		}
		if s.Joins != nil && s.Joins[i] {
			continue // and after it
		}
		at := Progress(x.Origin, s.Desired, x.Observed)
		low = min(low, at)
		if at > 0 && !x.Observed.Equal(x.Origin) { // otherwise there is nothing to evaluate
			high = max(high, min(at, Full-MinShare))
		}
	}
	if low < Full && high > 0 {
		s.Split = new(stepAt(r.Strategy.Path(), high))
	}
	for _, step := range all {
		if step.At > low {
			s.Steps = append(s.Steps, step)
		}
	}
	s.BakeOnly = len(s.Steps) == 0 && !s.ReplacesFixedError
}

// BakesBelow reports whether the bake is a step of the shift, below 100 %.
func (s Schedule) BakesBelow() bool {
	return s.Split != nil && s.Split.Bakes || slices.ContainsFunc(s.Steps, func(step Step) bool { return step.Bakes })
}

// fillGaining sets Gaining: the environments that gain on some route.
func (s *Schedule) fillGaining() {
	all := newOrderedNames(nil)
	s.gaining = make([][]string, len(s.Request.Routes))
	for i := range s.Request.Routes {
		s.gaining[i] = s.gainingOn(i)
		all.add(s.gaining[i]...)
	}
	slices.Sort(all.names)
	s.Gaining = all.names
}

// gainingOn returns the environments whose desired share of a route is above its origin,
// and those that a step gives more than observed: after an external change those may be
// others, and no environment gains traffic without a health check.
func (s *Schedule) gainingOn(i int) []string {
	x := s.Request.Routes[i]
	gaining := newOrderedNames(s.Desired.Gaining(x.Origin))
	progress := Progress(x.Origin, s.Desired, x.Observed)
	for _, step := range s.Steps {
		if progress < step.At && !s.Request.Unobserved {
			gaining.add(s.At(i, step.At).Gaining(x.Observed)...)
		}
	}
	return gaining.names
}

// GainingOn returns the environments that gain on the i-th route of the request. It is
// empty for a route that the shift does not change.
func (s Schedule) GainingOn(i int) []string {
	if s.gaining == nil {
		return nil
	}
	return s.gaining[i]
}

// GainsOn reports whether an environment gains on the i-th route.
func (s Schedule) GainsOn(i int, name string) bool { return slices.Contains(s.GainingOn(i), name) }

// stepAt returns a split as a step: with the hold and gates of the highest step that
// it reached, or of the first step if none. Without steps it has no hold.
func stepAt(steps []Step, at Share) Step {
	reached := Step{At: at}
	for i, step := range steps {
		if i == 0 || step.At <= at {
			reached = Step{At: at, Hold: step.Hold, Bakes: step.Bakes, Like: step.At}
		}
	}
	return reached
}

// Sides returns the environments that gain between two weights, and those of from
// that do not, for gates that compare the two.
func Sides(from, to Weights) (receiving, giving []string) {
	receiving = to.Gaining(from)
	giving = slices.DeleteFunc(from.Names(), func(name string) bool { return slices.Contains(receiving, name) })
	return receiving, giving
}
