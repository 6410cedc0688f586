package gate_test

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// waitFor polls until done returns true.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(slow.Deadline(60 * time.Second))
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("timed out waiting for " + what)
		}
	}
}
