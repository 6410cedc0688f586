package shift

import (
	"errors"
	"fmt"
	"slices"
)

// MaxGroups is how many target groups ELB takes in one action.
const MaxGroups = 5

// ErrTooManyGroups says that a move needs more groups in one action at once
// than MostGroups.
var ErrTooManyGroups = errors.New("more target groups in one action at once than the balancer takes")

// Kind is what sort of move is due.
type Kind int

// The kinds of a move.
const (
	NoChange       Kind = iota // the traffic is where it should be
	Forward                    // to new weights, by steps under gates
	Rollback                   // to what the last completed shift left: one write
	Revert                     // to a version that was live before: health alone
	Rejected                   // a rejected version is wanted: no write
	ExternalChange             // a hand moved it back, and it is not undone: no write
)

// String names the kind for traces.
func (k Kind) String() string {
	names := []string{"nothing", "forward", "back", "return", "refused", "handed back"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return names[k]
}

// Schedule is what will be done, in the order in which it is.
type Schedule struct {
	Kind    Kind
	Desired Weights
	Split   *Step  // a split that was found is judged like a step, first
	Steps   []Step // rising; the last is at Whole; empty when nothing is to be moved

	// Attached are the environments named in every action while the traffic moves,
	// Kept those that stay named afterwards. Whatever else is named goes. A
	// stranger stands in the actions alone that name it already.
	Attached      []string
	AttachedAfter []string

	ReplacesFixedError bool     // some route answers a fixed 5xx: its action goes in at once
	BakeOnly           bool     // at the goal already, but the shift was never completed
	Certain            bool     // HandedBack: no apply that was killed can have done it
	Gaining            []string // who gets more on some route, and so must be healthy; sorted

	request Request
}

// From is where the shift leads from: what the routes give on the whole where
// a way back leads. Nil where none forwarded there.
func (s Schedule) From() Weights { return s.request.originMean() }

// Origin is where a way back leads for the i-th route of the request: nil
// where it forwarded nowhere.
func (s Schedule) Origin(i int) Weights { return s.request.Routes[i].Origin }

// At is what the i-th route gives at a part of the way. A route that forwarded
// nowhere has no way: it is at the goal at once.
func (s Schedule) At(i int, at Share) Weights {
	if s.request.Routes[i].FixedError {
		return s.Desired
	}
	return Between(s.Origin(i), s.Desired, at)
}

// Decide compares what is wanted with what was found and says what is due. It
// returns ErrTooManyGroups where the goal cannot be reached under ELB's limit.
func Decide(r Request) (Schedule, error) {
	if !r.Unobserved && r.Desired != nil && (r.shipsNewVersion() || r.externalChange() == certainExternalChange && r.Retry) {
		r.startFromObserved()
	}
	s := Schedule{Desired: r.Desired, request: r}
	if s.Desired == nil {
		s.Desired = r.observedMean()
	}
	s.Kind = r.kind()
	if err := s.groups(); err != nil {
		return s, err
	}
	switch s.Kind {
	case Forward:
		s.forward()
		s.Gaining = s.gaining()
	case Revert:
		s.Steps = []Step{{At: Full}}
		s.Gaining = s.gaining()
	case Rollback:
		s.Steps = []Step{{At: Full}}
	case ExternalChange:
		s.Certain = r.externalChange() == certainExternalChange
	case NoChange, Rejected:
	}
	return s, nil
}

// kind tells the moves apart. The order matters: a way back is never refused,
// and a refusal comes before every increase.
func (r Request) kind() Kind {
	switch {
	case r.Desired == nil:
		return NoChange
	case r.Unobserved:
		return Forward
	case r.allRoutes(func(x Route) bool { return x.Observed.Equal(r.Desired) && x.Origin.Equal(r.Desired) }):
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

// isRollback: the goal is what the last completed shift left, and the traffic
// is elsewhere: drift, or the rest of a shift that did not end.
func (r Request) isRollback() bool {
	return r.allRoutes(func(x Route) bool { return x.Origin.Equal(r.Desired) })
}

// desiresRejected: an environment that is to gain traffic on some route has the
// version that was sent back.
func (r Request) desiresRejected() bool {
	return r.Rejected != nil && slices.ContainsFunc(r.Routes, func(x Route) bool {
		return slices.ContainsFunc(r.Desired.Gaining(x.Origin), func(name string) bool {
			return r.Rejected.Matches(r.environment(name))
		})
	})
}

// isRevert: all traffic goes to the very version that was live before the
// last completed shift, soon enough after it. A version that was rejected is
// never returned to, retry or not: it is judged by steps again.
func (r Request) isRevert() bool {
	live, ok := r.Desired.Sole()
	if !ok || !r.WithinRollbackWindow || slices.ContainsFunc(r.Routes, func(x Route) bool { return x.Joining || x.FixedError }) {
		return false
	}
	e := r.environment(live)
	return r.Previous.Matches(e) && (r.Rejected == nil || !r.Rejected.Matches(e))
}

// forward fills in the judging of a split and the steps above it. A split is
// also what routes make of it that stand at different ends of the way.
func (s *Schedule) forward() {
	r := s.request
	all := append(slices.Clone(r.Strategy.Steps), Step{At: Full})
	if r.Unobserved {
		s.Steps = all
		return
	}
	low, high := Full, Share(0)
	for _, x := range r.Routes {
		if x.FixedError {
			s.ReplacesFixedError = true
			continue // it is given the goal at once, before health
		}
		at := Progress(x.Origin, s.Desired, x.Observed)
		low = min(low, at)
		if at > 0 && !x.Observed.Equal(x.Origin) { // else nothing is there to be judged
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

// gaining are those that the goal gives more than they had, and those that a
// step gives more than was found: a hand may have led the traffic off the way,
// and nobody receives it unproven.
func (s *Schedule) gaining() []string {
	gaining := newOrderedNames(nil)
	for i, x := range s.request.Routes {
		gaining.add(s.Desired.Gaining(x.Origin)...)
		gone := Progress(x.Origin, s.Desired, x.Observed)
		for _, step := range s.Steps {
			if gone < step.At && !s.request.Unobserved {
				gaining.add(s.At(i, step.At).Gaining(x.Observed)...)
			}
		}
	}
	slices.Sort(gaining.names)
	return gaining.names
}

// stepAt is the step that a split stands at: the highest that it has reached,
// else the first, else one without a hold.
func stepAt(steps []Step, at Share) Step {
	found := Step{At: at}
	for i, step := range steps {
		if i == 0 || step.At <= at {
			found = Step{At: at, Hold: step.Hold, Gates: step.Gates}
		}
	}
	return found
}

// groups fills in who is named in the actions while the traffic moves and
// afterwards. Whoever has traffic comes first, then the side to go back to,
// then the idle ones by name, as many as ELB takes.
func (s *Schedule) groups() error {
	r := s.request
	held := newOrderedNames(s.Desired.Names())
	for _, x := range r.Routes {
		held.add(x.Origin.Names()...)
		held.add(x.Observed.Names()...)
	}
	if n := r.groupsPerRoute(held.names); n > MaxGroups {
		return fmt.Errorf("%w: %d are needed, at most %d are taken", ErrTooManyGroups, n, MaxGroups)
	}
	kept := newOrderedNames(s.Desired.Names())
	if !r.stickyAfterwards() {
		kept.addWhile(r.fits, r.remaining(held.names)...)
		kept.addWhile(r.fits, s.idle()...)
	}
	held.addWhile(r.fits, kept.names...)
	s.Attached, s.AttachedAfter = held.names, kept.names
	return nil
}

// idle are the environments that stay named, or come into the actions, for
// their health alone. A way back must not fail for one of them: it names who is
// named already.
func (s *Schedule) idle() []string {
	names := s.request.remaining(s.request.environmentNames())
	if s.Kind != Rollback && s.Kind != Revert {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !slices.ContainsFunc(s.request.Routes, func(x Route) bool { return slices.Contains(x.Attached, name) })
	})
}

func (r Request) fits(names []string) bool { return r.groupsPerRoute(names) <= MaxGroups }

// groupsPerRoute is the most of the names that come together on one route: an
// environment has a group on each, a stranger only where it was found.
func (r Request) groupsPerRoute(names []string) int {
	everywhere, most := 0, 0
	for _, name := range names {
		if !r.environment(name).Unmanaged {
			everywhere++
		}
	}
	for _, x := range r.Routes {
		here := 0
		for _, name := range names {
			if r.environment(name).Unmanaged && (slices.Contains(x.Attached, name) || x.Origin[name] > 0 || x.Observed[name] > 0) {
				here++
			}
		}
		most = max(most, here)
	}
	return everywhere + most
}

// stickyAfterwards: with group stickiness on, a cookie beats a weight of 0, so the
// old side may not stay named.
func (r Request) stickyAfterwards() bool {
	if r.Sticky != nil {
		return *r.Sticky
	}
	return slices.ContainsFunc(r.Routes, func(x Route) bool { return x.Sticky })
}

// orderedNames is a list without repeats that keeps its order.
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

// addWhile leaves out every name with which the list would not fit any more.
func (n *orderedNames) addWhile(fit func([]string) bool, more ...string) {
	for _, name := range more {
		if n.seen[name] || !fit(append(slices.Clone(n.names), name)) {
			continue
		}
		n.seen[name] = true
		n.names = append(n.names, name)
	}
}

// Sides returns who gains and who gives between two settings, for gates that
// compare them.
func Sides(from, to Weights) (receiving, giving []string) {
	receiving = to.Gaining(from)
	giving = slices.DeleteFunc(from.Names(), func(name string) bool { return slices.Contains(receiving, name) })
	return receiving, giving
}
