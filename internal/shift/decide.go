package shift

import (
	"errors"
	"fmt"
	"slices"
)

// ErrTooManyGroups reports that a shift needs more than Request.MaxGroups groups on one
// route.
var ErrTooManyGroups = errors.New("too many target groups in one action")

// Kind is what an apply does with the traffic.
type Kind int

// The kinds of a schedule.
const (
	NoChange       Kind = iota // the observed weights are the desired ones
	Forward                    // to new weights, by steps under gates
	Rollback                   // to the weights of the last completed shift: one write per route
	Revert                     // to the previous version: one write per route, under health only
	Rejected                   // a rejected version is desired: no write
	ExternalChange             // traffic was moved off the desired weights, which is not overridden: no write
)

// String returns the kind as logged.
func (k Kind) String() string {
	names := []string{"none", "forward", "rollback", "revert", "rejected", "external_change"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind_%d", int(k))
	}
	return names[k]
}

// Schedule is what an apply will do, in order.
type Schedule struct {
	Kind    Kind
	Desired Weights
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
	Certain            bool     // ExternalChange: it cannot be the work of an abandoned shift
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

// Origin returns the rollback target of the i-th route of the request; nil
// where the route did not forward.
func (s Schedule) Origin(i int) Weights { return s.Request.Routes[i].Origin }

// At returns the weights of the i-th route when the part at of the shift is
// done. A route with a fixed error has no steps: it gets the desired weights.
func (s Schedule) At(i int, at Share) Weights {
	if s.Request.Routes[i].FixedError {
		return s.Desired
	}
	return Between(s.Origin(i), s.Desired, at)
}

// Decide compares desired with observed weights and returns what an apply does. It
// returns ErrTooManyGroups where the router's limit does not allow the shift.
func Decide(r Request) (Schedule, error) {
	if !r.Unobserved && r.Desired != nil && (r.shipsNewVersion() || r.externalChange() == certainExternalChange && r.Retry) {
		r.startFromObserved()
	}
	s := Schedule{Desired: r.Desired, Request: r}
	if s.Desired == nil {
		s.Desired = r.ObservedMean()
	}
	s.Kind = r.kind()
	s.Retries = r.Retry && r.desiresRejected()
	if err := s.fillAttached(); err != nil {
		return s, err
	}
	switch s.Kind {
	case Forward:
		s.fillSteps()
		s.fillGaining()
	case Revert:
		s.Steps = []Step{{At: Full}}
		s.fillGaining()
	case Rollback:
		s.Steps = []Step{{At: Full}}
	case ExternalChange:
		s.Certain = r.externalChange() == certainExternalChange
	case NoChange, Rejected:
	}
	return s, nil
}

// kind returns the kind of the schedule. The order of the cases matters: a rollback
// is never rejected, and a rejected version never gains traffic.
func (r Request) kind() Kind {
	switch {
	case r.Desired == nil:
		return NoChange
	case r.Unobserved:
		return Forward
	case r.AllRoutes(func(x Route) bool { return x.Observed.Equal(r.Desired) && x.Origin.Equal(r.Desired) }):
		return NoChange
	case r.externalChange() != noExternalChange && !r.Retry:
		return ExternalChange
	case r.isRollback():
		return Rollback
	case r.desiresRejected() && !r.Retry:
		return Rejected
	case r.isRevert():
		return Revert
	}
	return Forward
}

// isRollback reports whether the desired weights are the rollback target of every
// route. The observed ones differ then, by drift or by an unfinished shift.
func (r Request) isRollback() bool {
	return r.AllRoutes(func(x Route) bool { return x.Origin.Equal(r.Desired) })
}

// desiresRejected reports whether an environment with the rejected version would
// gain traffic on some route.
func (r Request) desiresRejected() bool {
	return r.Rejected != nil && slices.ContainsFunc(r.Routes, func(x Route) bool {
		return slices.ContainsFunc(r.Desired.Gaining(x.Origin), func(name string) bool {
			return r.Rejected.Matches(r.Environment(name))
		})
	})
}

// isRevert reports whether all traffic shifts to the version that was live before
// the last completed shift, within the rollback window. A rejected version does
// not qualify, with or without retry: it is shifted by steps.
func (r Request) isRevert() bool {
	live, ok := r.Desired.Sole()
	if !ok || !r.WithinRollbackWindow || slices.ContainsFunc(r.Routes, func(x Route) bool { return x.Joining || x.FixedError }) {
		return false
	}
	e := r.Environment(live)
	return r.Previous.Matches(e) && (r.Rejected == nil || !r.Rejected.Matches(e))
}

// fillSteps sets Split, and the steps above the route that is least far along.
// Routes that are at different weights count as a split, too.
func (s *Schedule) fillSteps() {
	r := s.Request
	all := append(slices.Clone(r.Strategy.Steps), Step{At: Full})
	if r.Unobserved {
		s.Steps = all
		return
	}
	low, high := Full, Share(0)
	for _, x := range r.Routes {
		if x.FixedError {
			s.ReplacesFixedError = true
			continue // it gets the desired weights before the health check
		}
		at := Progress(x.Origin, s.Desired, x.Observed)
		low = min(low, at)
		if at > 0 && !x.Observed.Equal(x.Origin) { // otherwise there is nothing to evaluate
			high = max(high, min(at, Full-MinShare))
		}
	}
	if low < Full && high > 0 {
		s.Split = new(stepAt(r.Strategy.Steps, high))
	}
	for _, step := range all {
		if step.At > low {
			s.Steps = append(s.Steps, step)
		}
	}
	s.BakeOnly = len(s.Steps) == 0 && !s.ReplacesFixedError
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
			reached = Step{At: at, Hold: step.Hold, Gates: step.Gates}
		}
	}
	return reached
}

// fillAttached sets Attached and AttachedAfter. Environments with traffic and those
// of the rollback target are required; idle ones are added by name up to the limit.
func (s *Schedule) fillAttached() error {
	r := s.Request
	attached := newOrderedNames(s.Desired.Names())
	for _, x := range r.Routes {
		attached.add(x.Origin.Names()...)
		attached.add(x.Observed.Names()...)
	}
	if !r.fits(attached.names) {
		return fmt.Errorf("%w: %d, the maximum is %d", ErrTooManyGroups, r.groupsPerRoute(attached.names), r.MaxGroups)
	}
	after := newOrderedNames(s.Desired.Names())
	if !r.stickyAfterwards() {
		after.addWhile(r.fits, r.managed(attached.names)...)
		after.addWhile(r.fits, s.idle()...)
	}
	attached.addWhile(r.fits, after.names...)
	s.Attached, s.AttachedAfter = attached.names, after.names
	return nil
}

// idle returns the environments to attach at weight 0, so that their health is
// checked. Where the router needs no group for that, and in a rollback or revert, which
// must not fail because of one of them, it adds nothing to what is attached.
func (s *Schedule) idle() []string {
	names := s.Request.managed(s.Request.environmentNames())
	if s.Request.AttachesIdle && s.Kind != Rollback && s.Kind != Revert {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !slices.ContainsFunc(s.Request.Routes, func(x Route) bool { return slices.Contains(x.Attached, name) })
	})
}

func (r Request) fits(names []string) bool {
	return r.MaxGroups == 0 || r.groupsPerRoute(names) <= r.MaxGroups
}

// groupsPerRoute returns the largest number of groups that the names need on one
// route: an environment has a group on each except those it is without, an unmanaged
// group is where it was observed.
func (r Request) groupsPerRoute(names []string) int {
	most := 0
	for _, x := range r.Routes {
		n := 0
		for _, name := range names {
			unmanaged := r.Environment(name).Unmanaged
			here := slices.Contains(x.Attached, name) || x.Origin[name] > 0 || x.Observed[name] > 0
			if unmanaged && here || !unmanaged && !slices.Contains(x.Without, name) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// stickyAfterwards reports whether group stickiness is on after the shift. Sticky
// clients stay with a group at weight 0, so idle environments are then detached.
func (r Request) stickyAfterwards() bool {
	if r.Sticky != nil {
		return *r.Sticky
	}
	return slices.ContainsFunc(r.Routes, func(x Route) bool { return x.Sticky })
}

// orderedNames is an ordered list without duplicates.
type orderedNames struct {
	names []string
	seen  map[string]bool
}

func newOrderedNames(first []string) *orderedNames {
	n := &orderedNames{seen: map[string]bool{}}
	n.add(first...)
	return n
}

func (n *orderedNames) add(more ...string) {
	n.addWhile(func([]string) bool { return true }, more...)
}

// addWhile adds the names with which the list still fits and skips the others.
func (n *orderedNames) addWhile(fit func([]string) bool, more ...string) {
	for _, name := range more {
		if n.seen[name] || !fit(append(slices.Clone(n.names), name)) {
			continue
		}
		n.seen[name] = true
		n.names = append(n.names, name)
	}
}

// Sides returns the environments that gain between two weights, and those of from
// that do not, for gates that compare the two.
func Sides(from, to Weights) (receiving, giving []string) {
	receiving = to.Gaining(from)
	giving = slices.DeleteFunc(from.Names(), func(name string) bool { return slices.Contains(receiving, name) })
	return receiving, giving
}
