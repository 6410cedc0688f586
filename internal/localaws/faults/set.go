package faults

import (
	"fmt"
	"net/url"
	"slices"
	"sync"
)

// Set holds the injected faults. When several match a call, their delays add up, and the oldest of the others
// wins. It is safe for concurrent use.
type Set struct {
	actions []string

	mu     sync.Mutex
	active []*injected
	lastID int
}

type injected struct {
	Fault
	id, matched, affected int
}

// NewSet returns a set without faults. actions are the API actions that a fault can name.
func NewSet(actions []string) *Set { return &Set{actions: actions} }

// Add adds a fault and returns its ID. It rejects a fault that could not have the intended effect.
func (s *Set) Add(f Fault) (int, error) {
	if err := s.check(f); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	s.active = append(s.active, &injected{Fault: f, id: s.lastID})
	return s.lastID, nil
}

func (s *Set) check(f Fault) error {
	switch {
	case !slices.Contains(kinds(), f.Kind):
		return fmt.Errorf("unknown fault kind %q: known kinds are %v", f.Kind, kinds())
	case f.Action != "" && !slices.Contains(s.actions, f.Action):
		return fmt.Errorf("unknown action %q of a fault: known actions are %v", f.Action, s.actions)
	}
	return f.check()
}

// Remove removes a fault and reports whether it was there.
func (s *Set) Remove(id int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.active)
	s.active = slices.DeleteFunc(s.active, func(f *injected) bool { return f.id == id })
	return len(s.active) < before
}

// Clear removes all faults.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = nil
}

// List returns the active faults, oldest first.
func (s *Set) List() []Active {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Active{}
	for _, f := range s.active {
		a := Active{ID: f.id, Action: f.Action, Kind: f.Kind, ARN: f.ARN, Skip: f.Skip, Times: f.Times, Affected: f.affected}
		if f.Delay > 0 {
			a.Delay = f.Delay.String()
		}
		out = append(out, a)
	}
	return out
}

// Match returns the effects of all faults that match a call, and counts the call against them.
func (s *Set) Match(action string, params url.Values, write bool) Effects {
	s.mu.Lock()
	defer s.mu.Unlock()
	var e Effects
	for _, f := range s.active {
		if !f.matches(action, params, write) {
			continue
		}
		f.matched++
		if f.matched <= f.Skip {
			continue
		}
		f.affected++
		e.add(f.Fault)
	}
	s.active = slices.DeleteFunc(s.active, func(f *injected) bool { return f.Times > 0 && f.affected >= f.Times })
	return e
}
