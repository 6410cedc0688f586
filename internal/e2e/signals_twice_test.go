//go:build unix

package e2e

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// At a second Ctrl-C Terraform ends immediately without a message. The provider still
// rolls back, then exits.
func TestSignals_rollBackAtASecondInterrupt(t *testing.T) {
	w := newWorld(t, endless)
	w.configure("green")
	for range 5 {
		apply := w.start()
		w.at(5)
		provider := providerOf(t, apply.command)
		for range 2 {
			if err := proc.Interrupt(apply.command); err != nil {
				t.Fatal(err)
			}
		}
		if out, ok := apply.wait(); ok {
			t.Fatalf("an interrupted apply succeeded:\n%s", out)
		}
		w.eventually("the provider has ended", func() bool { return exited(provider) })
		w.mustHaveAll("blue")
	}
	w.lostNothing()
}
