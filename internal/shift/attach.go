package shift

import (
	"errors"
	"fmt"
	"slices"
)

// ErrTooManyGroups reports that a shift needs more than Request.MaxGroups groups on one
// route.
var ErrTooManyGroups = errors.New("too many groups on one route")

// Attach returns the environments that some route does not have in its action
// yet and that are added at weight 0, sorted.
func (s Schedule) Attach() []string {
	want := s.Attached
	switch s.Kind {
	case Rejected, ExternalChange, OtherSwitch, RouteMissing:
		return nil
	case NoChange, Rollback, Accept:
		want = s.AttachedAfter
	case Forward, Revert, Join:
	}
	if !s.Request.AttachesIdle {
		return nil
	}
	return s.onSomeRoute(want, func(x Route, name string) bool {
		return !s.Request.Environment(name).Unmanaged && !slices.Contains(x.Attached, name) && !slices.Contains(x.Without, name)
	})
}

// Detach returns the environments and unmanaged groups that some route has in its
// action and that are removed at the end, sorted. Where the router attaches nothing, it is empty.
func (s Schedule) Detach() []string {
	if s.Kind.Refuses() || !s.Request.AttachesIdle {
		return nil
	}
	all := slices.Clone(s.Attached)
	for _, x := range s.Request.Routes {
		all = append(all, x.Attached...)
	}
	all = slices.DeleteFunc(all, func(name string) bool { return slices.Contains(s.AttachedAfter, name) })
	return s.onSomeRoute(all, func(x Route, name string) bool { return slices.Contains(x.Attached, name) })
}

// onSomeRoute returns the names for which the condition holds on at least one
// route that forwards, sorted and without repeats.
func (s Schedule) onSomeRoute(names []string, holds func(x Route, name string) bool) []string {
	var matching []string
	for _, name := range names {
		hit := slices.ContainsFunc(s.Request.Routes, func(x Route) bool { return x.Attached != nil && holds(x, name) })
		if hit && !slices.Contains(matching, name) {
			matching = append(matching, name)
		}
	}
	slices.Sort(matching)
	return matching
}

// IsEmpty reports whether the apply writes nothing at all, no record either.
func (s Schedule) IsEmpty() bool {
	if s.Kind != NoChange || s.RollsBackFirst || s.Request.StickinessChanges || len(s.Attach()) > 0 || len(s.Detach()) > 0 {
		return false
	}
	return s.Request.Desired == nil || s.Request.ClosedRecord == "" && s.Request.Unfinished == nil
}

// fillAttached sets Attached and AttachedAfter. Environments with traffic and those
// of the rollback target are required; idle ones are added by name up to the limit.
func (s *Schedule) fillAttached() error {
	r := s.Request
	attached := newOrderedNames(s.Desired.Names())
	for _, x := range r.Routes {
		attached.add(x.Origin.Names()...)
		attached.add(x.Observed.Names()...)
		attached.add(x.Found.Names()...)
	}
	if !r.fits(attached.names) {
		return fmt.Errorf("%w: %d, the maximum is %d", ErrTooManyGroups, r.groupsPerRoute(attached.names), r.MaxGroups)
	}
	after := newOrderedNames(s.Desired.Names())
	if !r.stickyAfterwards() && !r.Strategy.DetachIdle {
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
	if s.Request.AttachesIdle && s.Kind != Rollback && s.Kind != Revert && s.Kind != Join {
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
			here := slices.Contains(x.Attached, name) || x.Origin[name] > 0 || x.Observed[name] > 0 || x.Found[name] > 0
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
