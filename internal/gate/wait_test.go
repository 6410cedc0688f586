package gate_test

import (
	"testing"
	"time"
)

// until polls for as long as a slow machine may take.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(60 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("in vain waited for " + what)
		}
	}
}
