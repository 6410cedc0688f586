//go:build unix

package signals

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// waitUntil waits until green has this percentage and the hold has started: health is read
// only after the new weights have been read back.
func waitUntil(w *e2e.World, percent int) {
	w.Eventually(fmt.Sprintf("green has %d %%", percent), func() bool {
		if weights := w.Weights(); weights["green"] != percent {
			return false
		}
		held := false
		for _, call := range w.Balancer.Calls() {
			switch call.Action {
			case "ModifyListener":
				held = false
			case "DescribeTargetHealth":
				held = true
			}
		}
		return held
	})
}

func TestSignals_rollBack(t *testing.T) {
	for _, tc := range []struct {
		name string
		send func(*exec.Cmd) error
	}{
		{"SIGINT to the process group, as Ctrl-C", proc.Interrupt},
		{"SIGINT to Terraform alone", func(c *exec.Cmd) error { return c.Process.Signal(syscall.SIGINT) }},
		{"SIGTERM to the process group, as a CI runner", func(c *exec.Cmd) error { return proc.SignalGroup(c, syscall.SIGTERM) }},
		{"SIGTERM to Terraform alone", func(c *exec.Cmd) error { return c.Process.Signal(syscall.SIGTERM) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := e2e.NewWorld(t, e2e.Endless)
			w.MustConfigure("green")
			apply := w.Start()
			waitUntil(w, 5)
			if err := tc.send(apply.Command); err != nil {
				t.Fatal(err)
			}
			out, ok := apply.Wait()
			if ok {
				t.Fatalf("an interrupted apply succeeded:\n%s", out)
			}
			w.MustHaveAll("blue")
			golden.Check(t, e2e.ErrorsIn(out), golden.Volatile()...)
			w.LostNothing()

			// An interrupt rejects nothing: the same version is shipped again.
			w.Pace = e2e.Quick()
			w.MustConfigure("green")
			w.MustApply()
			w.MustHaveAll("green")
		})
	}
}

func TestSignals_rollsBackWhenTerraformIsKilled(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Endless)
	w.MustConfigure("green")
	apply := w.Start()
	waitUntil(w, 5)
	provider := apply.Provider()
	if err := apply.Command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	apply.Wait()
	w.Eventually("blue has all the traffic again", func() bool { return w.HasAll("blue") })
	w.Eventually("the orphaned provider ends", func() bool { return e2e.Exited(provider) })
	w.LostNothing()
}

// The terminal closes during a shift, as when an SSH session drops: Terraform ends,
// and the provider rolls back.
func TestSignals_rollsBackWhenTheTerminalCloses(t *testing.T) {
	// Under nohup this process ignores SIGHUP, and so would the processes that it starts.
	// A signal that it handles has its default action in them.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	w := e2e.NewWorld(t, e2e.Endless)
	w.MustConfigure("green")
	apply := w.Start()
	waitUntil(w, 5)
	provider := apply.Provider()
	if err := proc.SignalGroup(apply.Command, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	apply.Wait()
	w.Eventually("blue has all the traffic again", func() bool { return w.HasAll("blue") })
	w.Eventually("the orphaned provider ends", func() bool { return e2e.Exited(provider) })
	w.LostNothing()
}

// killBoth kills Terraform and the provider at 50 %, so that no process rolls back.
func killBoth(t *testing.T, w *e2e.World) {
	t.Helper()
	w.Pace = rehearsal.Pace{Hold: "700ms", Settle: "300ms", SteadyFor: "300ms"}
	w.Edit("{ percent = 50, hold = var.hold }", `{ percent = 50, hold = "10m" }`)
	w.MustConfigure("green")
	apply := w.Start()
	waitUntil(w, 50)
	apply.Kill(e2e.Everything)
	if weights := w.Weights(); weights["green"] != 50 {
		t.Fatalf("after the kill: %v", weights)
	}
	w.Edit(`{ percent = 50, hold = "10m" }`, `{ percent = 50, hold = "1s" }`)
}

func TestSignals_abandonedAt50_goodGreenCompletes(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Quick())
	killBoth(t, w)
	mark := w.Mark()
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("green")
	if n := w.Writes(mark); n != 1 {
		t.Errorf("from 50 %% to 100 %% took %d writes", n)
	}
	w.LostNothing()
}

func TestSignals_abandonedAt50_badGreenRollsBack(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Quick())
	killBoth(t, w)
	w.MustDeploy("green", rehearsal.AppTerms{Version: "2", BreaksAfter: 1})
	mark := w.Mark()
	out := w.MustFail(e2e.Unlocked)
	w.MustHaveAll("blue")
	if n := w.Writes(mark); n != 1 {
		t.Errorf("the rollback took %d writes:\n%s", n, out)
	}
	w.LostNothing()
}

func TestSignals_abandonedAt50_activeBlueIsOneWrite(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Quick())
	killBoth(t, w)
	w.MustConfigure("blue")
	mark := w.Mark()
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("blue")
	if n := w.Writes(mark); n != 1 {
		t.Errorf("the revert took %d writes", n)
	}
	w.LostNothing()
}

// The machines of the environment that a revert left are stopped right after it:
// settle covers the propagation to the load balancer's nodes.
func TestSignals_abandonedAt50_losesNothingWhenGreenIsStopped(t *testing.T) {
	pace := e2e.Quick()
	pace.Settle = slow.Deadline(2 * time.Second).String() // the propagation, and as much again
	w := e2e.NewWorld(t, pace, localaws.WithPropagation(time.Second))
	killBoth(t, w)
	w.Pace = pace
	w.MustConfigure("blue")
	w.MustApply(e2e.Unlocked)
	if err := w.Stack.Retire(t.Context(), "green"); err != nil {
		t.Fatal(err)
	}
	w.MoreRequests()
	w.MustHaveAll("blue")
	w.LostNothing()
}
