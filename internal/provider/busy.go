package provider

import "sync/atomic"

// Busy counts running shifts and readiness checks, so that the process exits only
// after the last of them has finished or rolled back, even if Terraform was killed or
// does not wait.
type Busy struct{ shifts atomic.Int64 }

// Shifts returns how many are running.
func (b *Busy) Shifts() int { return int(b.shifts.Load()) }

// begin counts one more until the returned function is called.
func (b *Busy) begin() (end func()) {
	b.shifts.Add(1)
	return func() { b.shifts.Add(-1) }
}
