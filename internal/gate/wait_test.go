package gate_test

import (
	"testing"
	"time"
)

// waitFor polls until done returns true, with a limit for slow machines.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(60 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("timed out waiting for " + what)
		}
	}
}
