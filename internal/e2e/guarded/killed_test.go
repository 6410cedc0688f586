//go:build unix

package guarded

import (
	"fmt"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// nth matches calls of an action.
func nth(action string) func(localaws.Call) bool {
	return func(call localaws.Call) bool { return call.Action == action }
}

// The provider and Terraform are killed at every write of the traffic.
func TestGuardian_killedAtEveryWrite(t *testing.T) {
	for n := range 3 {
		t.Run(fmt.Sprintf("write %d", n+1), func(t *testing.T) {
			t.Parallel()
			w := e2e.NewWorld(t, rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"})
			w.MustConfigure("green")
			if !w.KilledAt(n+1, nth("ModifyListener")) {
				t.Fatal("the apply was not killed")
			}
			died := time.Now()
			w.Eventually("the traffic is back", func() bool { return w.HasAll("blue") })
			t.Logf("back after %s", time.Since(died))
			out := w.MustRun("plan", "-no-color", e2e.Unlocked)
			t.Log(out)
			w.MustApply(e2e.Unlocked)
			w.MustHaveAll("green")
			w.LostNothing()
		})
	}
}
