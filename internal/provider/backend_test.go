package provider

import (
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
