package provider

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestBusy_countsShifts(t *testing.T) {
	var b Busy
	first, second := b.begin(), b.begin()
	if b.Shifts() != 2 {
		t.Error(b.Shifts())
	}
	first()
	second()
	if b.Shifts() != 0 {
		t.Error(b.Shifts())
	}
}

// What shifts left is removed when Terraform stops the provider; a shift that ends after that is
// not in the state.
func TestBusy_finish(t *testing.T) {
	var b Busy
	backend := &backend{busy: &b, orphaned: func() bool { return false }}
	var removed atomic.Int64
	denied := errors.New("denied")
	b.later(func(context.Context) error { removed.Add(1); return nil })
	b.later(func(context.Context) error { removed.Add(1); return denied })
	if backend.isUnsaved() {
		t.Error("an apply is not saved before the end")
	}
	if err := b.Finish(t.Context()); !errors.Is(err, denied) || removed.Load() != 2 {
		t.Errorf("%d removed: %v", removed.Load(), err)
	}
	if !backend.isUnsaved() {
		t.Error("an apply that ends later is saved")
	}
	if err := b.Finish(t.Context()); err != nil || removed.Load() != 2 {
		t.Errorf("removed again, %d: %v", removed.Load(), err)
	}
}
