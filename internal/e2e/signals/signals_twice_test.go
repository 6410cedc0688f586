//go:build unix

package signals

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// At a second Ctrl-C Terraform ends immediately without a message. The provider still
// rolls back, then exits.
func TestSignals_rollBackAtASecondInterrupt(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Endless)
	w.MustConfigure("green")
	for range 5 {
		apply := w.Start()
		waitUntil(w, 5)
		provider := apply.Provider()
		for range 2 {
			if err := proc.Interrupt(apply.Command); err != nil {
				t.Fatal(err)
			}
		}
		if out, ok := apply.Wait(); ok {
			t.Fatalf("an interrupted apply succeeded:\n%s", out)
		}
		w.Eventually("the provider has ended", func() bool { return e2e.Exited(provider) })
		w.MustHaveAll("blue")
	}
	w.LostNothing()
}
