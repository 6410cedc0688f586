package shift

import "slices"

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
// action and that are removed at the end, sorted.
func (s Schedule) Detach() []string {
	if s.Kind.Refuses() {
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
