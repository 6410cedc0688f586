package provider

import "sync/atomic"

// Busy counts the shifts, and the proofs of environments, that are under way, so
// that the process ends when the last of them has gone back, also where Terraform
// was killed or does not wait.
type Busy struct{ shifts atomic.Int64 }

// Shifts is how many are under way.
func (b *Busy) Shifts() int { return int(b.shifts.Load()) }

// begin counts one more until the function that it returns is called.
func (b *Busy) begin() (end func()) {
	b.shifts.Add(1)
	return func() { b.shifts.Add(-1) }
}
