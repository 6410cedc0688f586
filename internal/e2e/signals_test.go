//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// endless has a hold that lasts until the apply is interrupted.
var endless = rehearsal.Pace{Hold: "10m", Settle: "300ms", SteadyFor: "300ms"}

// at waits until green has this percentage and the hold has started: health is read
// only after the new weights have been read back.
func (w *world) at(percent int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("green has %d %%", percent), func() bool {
		if weights := w.weights(); weights["green"] != percent {
			return false
		}
		held := false
		for _, call := range w.balancer.Calls() {
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

// providerOf finds the process that a Terraform has started for the provider.
func providerOf(t *testing.T, terraform *exec.Cmd) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		_, rest, _ := strings.Cut(string(text), ") ") // after the name: state, parent
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(terraform.Process.Pid) && strings.Contains(string(text), "(terraform-provi") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("the provider's process was not found")
	return 0
}

// exited reports whether a process has ended or is a zombie.
func exited(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(rest, "Z")
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
			w := newWorld(t, endless)
			w.configure("green")
			apply := w.start()
			w.at(5)
			if err := tc.send(apply.command); err != nil {
				t.Fatal(err)
			}
			out, ok := apply.wait()
			if ok {
				t.Fatalf("an interrupted apply succeeded:\n%s", out)
			}
			w.mustHaveAll("blue")
			golden.Check(t, errorsIn(out), golden.Volatile()...)
			w.lostNothing()

			// An interrupt rejects nothing: the same version is shipped again.
			w.Pace = quick
			w.configure("green")
			w.mustApply()
			w.mustHaveAll("green")
		})
	}
}

func TestSignals_rollsBackWhenTerraformIsKilled(t *testing.T) {
	w := newWorld(t, endless)
	w.configure("green")
	apply := w.start()
	w.at(5)
	provider := providerOf(t, apply.command)
	if err := apply.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	apply.wait()
	w.eventually("blue has all the traffic again", func() bool { return w.all("blue") })
	w.eventually("the orphaned provider ends", func() bool { return exited(provider) })
	w.lostNothing()
}

// The terminal closes during a shift, as when an SSH session drops: Terraform ends,
// and the provider rolls back.
func TestSignals_rollsBackWhenTheTerminalCloses(t *testing.T) {
	w := newWorld(t, endless)
	w.configure("green")
	apply := w.start()
	w.at(5)
	provider := providerOf(t, apply.command)
	if err := proc.SignalGroup(apply.command, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	apply.wait()
	w.eventually("blue has all the traffic again", func() bool { return w.all("blue") })
	w.eventually("the orphaned provider ends", func() bool { return exited(provider) })
	w.lostNothing()
}

// killBoth kills Terraform and the provider at 50 %, so that no process rolls back.
func (w *world) killBoth() {
	w.t.Helper()
	w.Pace = rehearsal.Pace{Hold: "700ms", Settle: "300ms", SteadyFor: "300ms"}
	w.edit("{ percent = 50, hold = var.hold }", `{ percent = 50, hold = "10m" }`)
	w.configure("green")
	apply := w.start()
	w.at(50)
	// The provider is stopped first, so that it cannot roll back when Terraform dies,
	// and Terraform dies before it can change its state.
	provider := providerOf(w.t, apply.command)
	for _, kill := range []func() error{
		func() error { return syscall.Kill(provider, syscall.SIGSTOP) },
		apply.command.Process.Kill,
		func() error { return syscall.Kill(provider, syscall.SIGKILL) },
	} {
		if err := kill(); err != nil {
			w.t.Fatal(err)
		}
	}
	apply.wait()
	w.eventually("the provider has exited", func() bool { return exited(provider) })
	if weights := w.weights(); weights["green"] != 50 {
		w.t.Fatalf("after the kill: %v", weights)
	}
	w.edit(`{ percent = 50, hold = "10m" }`, `{ percent = 50, hold = "1s" }`)
}

func (w *world) unlocked() []string { return []string{"-lock=false"} }

func TestSignals_abandonedAt50_goodGreenCompletes(t *testing.T) {
	w := newWorld(t, quick)
	w.killBoth()
	mark := w.mark()
	w.mustApply(w.unlocked()...)
	w.mustHaveAll("green")
	if n := w.writes(mark); n != 1 {
		t.Errorf("from 50 %% to 100 %% took %d writes", n)
	}
	w.lostNothing()
}

func TestSignals_abandonedAt50_badGreenRollsBack(t *testing.T) {
	w := newWorld(t, quick)
	w.killBoth()
	w.deploy("green", rehearsal.AppTerms{Version: "2", BreaksAfter: 1})
	mark := w.mark()
	out := w.mustFail(w.unlocked()...)
	w.mustHaveAll("blue")
	if n := w.writes(mark); n != 1 {
		t.Errorf("the rollback took %d writes:\n%s", n, out)
	}
	w.lostNothing()
}

func TestSignals_abandonedAt50_activeBlueIsOneWrite(t *testing.T) {
	w := newWorld(t, quick)
	w.killBoth()
	w.configure("blue")
	mark := w.mark()
	w.mustApply(w.unlocked()...)
	w.mustHaveAll("blue")
	if n := w.writes(mark); n != 1 {
		t.Errorf("the revert took %d writes", n)
	}
	w.lostNothing()
}

// The machines of the environment that a revert left are stopped right after it:
// settle covers the propagation to the load balancer's nodes.
func TestSignals_abandonedAt50_losesNothingWhenGreenIsStopped(t *testing.T) {
	pace := quick
	pace.Settle = "2s"
	w := newWorld(t, pace, localaws.WithPropagation(time.Second))
	w.killBoth()
	w.Pace = pace
	w.configure("blue")
	w.mustApply(w.unlocked()...)
	if err := w.Stack.Retire(t.Context(), "green"); err != nil {
		t.Fatal(err)
	}
	before := w.load.Counts().Requests
	w.eventually("a second of requests after it", func() bool { return w.load.Counts().Requests > before+loadRate })
	w.mustHaveAll("blue")
	w.lostNothing()
}
