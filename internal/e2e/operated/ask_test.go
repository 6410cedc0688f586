//go:build linux

package operated

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// patient is a pace at which somebody has time to ask.
var patient = rehearsal.Pace{Hold: "1h", Settle: "300ms", SteadyFor: "100ms"}

// asks replaces who asked and when. The answer may arrive before or after the traffic moved.
func asks() []golden.Replacement {
	return append(volatile(), golden.ReplacePattern(`of \S+ on \S+( \([^)]*\))?, at`, "of <user> on <host>, at"), golden.ReplacePattern(`shift \d{8}T\d{6}Z-\w+`, "shift <shift>"), golden.ReplacePattern(`Traffic: app-.*`, "Traffic: <traffic>"), golden.ReplacePattern(`was rolled back\.|is being rolled back\.`, "<rolls back>."),
		golden.ReplacePattern(`by arn:aws:sts::\S+|by \S+ on [^:\n]+`, "by <who>"))
}

// ask runs a verb with an exit code.
func ask(t *testing.T, w *e2e.World, code int, args ...string) string {
	t.Helper()
	out, errs, got := e2e.Operate(w, append(args, "--route", w.Stack.Listener)...).Wait()
	if got != code {
		t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	return out + errs
}

// reached waits until the record says how far the shift is: it is written after the traffic moved, and
// a request is for the step that it says.
func reached(t *testing.T, w *e2e.World, percent float64) {
	t.Helper()
	w.Eventually(fmt.Sprintf("the record has %g %%", percent), func() bool {
		var status struct {
			Shifts []struct {
				Reached float64 `json:"reached_percent"`
			}
		}
		out := ask(t, w, 0, "status", "--json")
		if err := json.Unmarshal([]byte(out), &status); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return len(status.Shifts) > 0 && status.Shifts[0].Reached == percent
	})
}

// People steer a running apply: the hold of the first step ends early, the second waits for an
// approval, and the apply completes.
func TestOperated_promoteAndApprove(t *testing.T) {
	t.Parallel()
	w := e2e.NewWorld(t, patient)
	w.SetGates(`
  gate {
    name       = "go"
    at_percent = [50]
    approval {
      message = "Are the orders complete?"
    }
  }
`)
	w.MustConfigure("green")
	golden.CheckPart(t, "nobody answers", ask(t, w, 2, "promote"), asks()...)
	apply := w.Start()
	reached(t, w, 5)
	golden.CheckPart(t, "no gate", ask(t, w, 2, "approve", "--gate", "go"), asks()...)
	golden.CheckPart(t, "promoted", ask(t, w, 0, "promote"), asks()...)
	reached(t, w, 50)
	golden.CheckPart(t, "approved", ask(t, w, 0, "approve", "--gate", "go"), asks()...)
	ask(t, w, 0, "promote", "--json") // the hold of this step
	reached(t, w, 100)
	ask(t, w, 0, "promote")
	if out, ok := apply.Wait(); !ok {
		t.Fatalf("the apply failed:\n%s", out)
	}
	w.LostNothing()
	golden.CheckPart(t, "ended", ask(t, w, 2, "promote"), asks()...)
}

// Somebody aborts a running apply: it rolls back, says who asked for it, and rejects the version.
func TestOperated_abort(t *testing.T) {
	t.Parallel()
	w := e2e.NewWorld(t, patient)
	w.MustConfigure("green")
	apply := w.Start()
	reached(t, w, 5)
	golden.CheckPart(t, "aborted", ask(t, w, 0, "abort", "--reason", "checkout is slow"), asks()...)
	out, ok := apply.Wait()
	if ok {
		t.Fatalf("the apply succeeded:\n%s", out)
	}
	golden.CheckPart(t, "apply", e2e.ErrorsIn(out), asks()...)
	w.MustHaveAll("blue")
	w.LostNothing()
	if text := w.MustFail(); !strings.Contains(text, "rejected") {
		t.Errorf("the version ships again:\n%s", text)
	}
}
