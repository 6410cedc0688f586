//go:build linux

package operated

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// audit is a destination that gets all events.
func audit(url string) string {
	return fmt.Sprintf(`
  notify {
    name   = "audit"
    events = ["started", "step", "paused", "approval_needed", "rolled_back", "completed", "failed"]
    webhook {
      url        = %q
      secret_env = "NOTIFY_KEY"
    }
  }`, url)
}

// The notification of a gate has the command that approves it. A rollback by a user is notified of by
// the apply that runs.
func TestOperated_notifications(t *testing.T) {
	t.Parallel()
	w, hook := e2e.NewQuietWorld(t, patient), e2e.NewHook(t, "a-secret-key")
	w.Terraform.Env = append(w.Terraform.Env, "NOTIFY_KEY=a-secret-key")
	w.SetGates(`
  gate {
    name       = "go live"
    at_percent = [5]
    approval {
      message = "Are the orders complete?"
    }
  }
`)
	w.MustConfigure("green")
	e2e.Notify(w, audit(hook.URL))
	apply := w.Start()
	w.Eventually("the approval is asked for", func() bool { return hook.Find("approval_needed") != nil })
	command := hook.Find("approval_needed").Data.Command
	args, ok := strings.CutPrefix(command, "bluegreen approve --gate 'go live' --route ")
	if !ok {
		t.Fatalf("the command is %s", command)
	}
	reached(t, w, 5)
	if out, errs, code := e2e.Operate(w, "approve", "--gate", "go live", "--route", args).Wait(); code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	ask(t, w, 0, "promote") // the hold of this step
	w.Eventually("the second step", func() bool { return w.Weights()["green"] == 50 })
	ask(t, w, 0, "rollback", "--reason", "checkout is slow", "--yes")
	if out, ok := apply.Wait(); ok {
		t.Fatalf("the apply succeeded:\n%s", out)
	}
	var events []string
	for _, n := range hook.Notices() {
		events = append(events, n.Data.Event)
	}
	if got, want := strings.Join(events, " "), "started step approval_needed step rolled_back"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if last := hook.Find("rolled_back"); last == nil || !strings.Contains(last.Data.Reason, "checkout is slow") || last.Data.Weights["blue"] != 100 {
		t.Errorf("got %+v", last)
	}
	w.LostNothing()
}
