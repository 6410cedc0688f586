package e2e

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// At a second Ctrl-C Terraform ends at once and says nothing of the traffic. It is
// back all the same, and the provider is gone.
func TestSignals_goBackAtASecondInterrupt(t *testing.T) {
	w := newWorld(t, endless)
	w.configure("green")
	for range 5 {
		apply := w.start()
		w.at(5)
		provider := providerOf(t, apply.command)
		for range 2 {
			if err := rehearsal.Interrupt(apply.command); err != nil {
				t.Fatal(err)
			}
		}
		if out, ok := apply.wait(); ok {
			t.Fatalf("an interrupted apply succeeded:\n%s", out)
		}
		w.eventually("the provider has ended", func() bool { return gone(provider) })
		w.mustHaveAll("blue")
	}
	w.lostNothing()
}
