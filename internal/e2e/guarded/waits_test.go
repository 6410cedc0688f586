//go:build linux

package guarded

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// holding starts a release of green that holds at 5 % for ten hours.
func holding(t *testing.T, edit func(*e2e.World)) (*e2e.World, *e2e.Apply) {
	t.Helper()
	w := e2e.NewQuietWorld(t, e2e.Endless)
	if edit != nil {
		edit(w)
	}
	w.MustConfigure("green")
	apply := w.Start()
	waitFor5(w)
	return w, apply
}

// waitFor5 waits until green has 5 % and its health is read, so that the hold has begun.
func waitFor5(w *e2e.World) {
	w.Eventually("the hold at 5 %", func() bool {
		calls := w.Balancer.Calls()
		return w.Weights()["green"] == 5 && len(calls) > 0 && calls[len(calls)-1].Action == "DescribeTargetHealth"
	})
}

// wait waits for a time outside of this process.
func wait(d time.Duration) { <-time.After(d) }

// slowCalls lets each call take 1.2 s.
var slowCalls = faults.Fault{Kind: faults.Slow, Delay: 1200 * time.Millisecond}

// A second Ctrl-C 300 ms after the first, while a call takes 1.2 s: Terraform kills the provider
// in the rollback.
func TestGuardian_secondInterruptWithASlowAPI(t *testing.T) {
	t.Parallel()
	w, apply := holding(t, nil)
	defer w.Balancer.Inject(slowCalls)()
	for range 2 {
		if err := proc.Interrupt(apply.Command); err != nil {
			t.Fatal(err)
		}
		wait(300 * time.Millisecond)
	}
	apply.Wait()
	if late := returned(w, time.Now(), 4*slowCalls.Delay); late != "" {
		t.Error(late)
	}
	w.LostNothing()
}

// tracked returns the processes that have an entry in their environment.
func tracked(entry string) (all []int) {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		if slices.Contains(strings.Split(string(text), "\x00"), entry) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			all = append(all, pid)
		}
	}
	return all
}

// A job is canceled as GitHub's runner does it: INT to the shell, 7.5 s, TERM, 2.5 s, then KILL
// for the shell's tree and for whatever has the tracking id of the runner.
func TestGuardian_canceledJob(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Endless)
	w.MustConfigure("green")
	job := w.Terraform.Command("apply", "-no-color", "-auto-approve")
	tracking := fmt.Sprintf("RUNNER_TRACKING_ID=github_%d_%s", os.Getpid(), t.Name())
	shell := exec.CommandContext(t.Context(), "/bin/sh", "-c", `"$@"; echo done`, "sh")
	shell.Args = append(shell.Args, job.Args...)
	shell.Dir, shell.Env = job.Dir, append(job.Env, tracking)
	proc.OwnGroup(shell)
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor5(w)
	victims := e2e.Children(shell.Process.Pid)
	if len(victims) < 2 {
		t.Fatalf("the job has the processes %v", victims)
	}
	_ = shell.Process.Signal(syscall.SIGINT)
	wait(7500 * time.Millisecond)
	_ = shell.Process.Signal(syscall.SIGTERM)
	wait(2500 * time.Millisecond)
	for _, pid := range slices.Concat([]int{shell.Process.Pid}, victims, tracked(tracking)) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	died := time.Now()
	_ = shell.Wait()
	if late := returned(w, died, 0); late != "" {
		t.Error(late)
	}
	w.Eventually("no process of the job is left", func() bool { return len(tracked(tracking)) == 0 })
	w.LostNothing()
}

// A provider that is frozen for longer than any pause keeps its pipe, and its shift goes on.
func TestGuardian_frozenProvider(t *testing.T) {
	t.Parallel()
	w, apply := holding(t, nil)
	provider := apply.Provider()
	_ = syscall.Kill(provider, syscall.SIGSTOP)
	wait(40 * time.Second)
	if weights := w.Weights(); weights["green"] != 5 {
		t.Errorf("a frozen provider was rolled back: %v", weights)
	}
	_ = syscall.Kill(provider, syscall.SIGCONT)
	if err := proc.Interrupt(apply.Command); err != nil {
		t.Fatal(err)
	}
	if out, _ := apply.Wait(); !strings.Contains(out, "rolled back") {
		t.Errorf("the apply did not end as an interrupted one:\n%s", out)
	}
	w.MustHaveAll("blue")
	w.LostNothing()
}

// SIGTERM to the guardian rolls back at once, and the apply reports it.
func TestGuardian_isTerminated(t *testing.T) {
	t.Parallel()
	w, apply := holding(t, nil)
	guardians := apply.Guardians()
	if len(guardians) != 1 {
		t.Fatalf("the guardians are %v", guardians)
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", guardians[0]))
	if text := strings.ReplaceAll(string(line), "\x00", " "); err != nil || !strings.HasPrefix(text, "terraform-provider-bluegreen guardian, shift 2") {
		t.Errorf("ps shows %q (%v)", text, err)
	}
	if kB := resident(t, guardians[0]); kB > mostMemory {
		t.Errorf("it has %d kB, at most %d", kB, mostMemory)
	}
	_ = syscall.Kill(guardians[0], syscall.SIGTERM)
	out, ok := apply.Wait()
	if ok {
		t.Fatalf("the apply succeeded:\n%s", out)
	}
	w.MustHaveAll("blue")
	golden.Check(t, e2e.ErrorsIn(out), golden.Volatile()...)
	w.Pace = quick
	w.MustConfigure("green") // nothing was rejected
	w.MustApply()
	w.MustHaveAll("green")
	w.LostNothing()
}

// A guardian that is killed is replaced by another one.
func TestGuardian_isKilled(t *testing.T) {
	t.Parallel()
	w, apply := holding(t, nil)
	first := apply.Guardians()
	_ = syscall.Kill(first[0], syscall.SIGKILL)
	w.Eventually("another guardian", func() bool {
		now := apply.Guardians()
		return len(now) == 1 && now[0] != first[0]
	})
	w.MoreRequests() // the provider hands over right after the start, which nothing shows
	died := time.Now()
	apply.Kill(e2e.AllButGuards)
	if late := returned(w, died, 0); late != "" {
		t.Error(late)
	}
	w.LostNothing()
}

// What a gate has said before the processes were killed is remembered.
func TestGuardian_remembersARejection(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Endless)
	w.SetGates(`
  gate {
    name     = "alarm"
    interval = "100ms"
    http {
      url           = var.url
      expect_status = [299]
    }
  }
`)
	w.MustConfigure("green")
	if !w.StruckAt(e2e.Kill(e2e.AllButGuards), 2, nth("ModifyListener")) { // the second write is the rollback
		t.Fatal("the apply was not killed")
	}
	if late := returned(w, time.Now(), 0); late != "" {
		t.Error(late)
	}
	out := w.MustFail(e2e.Unlocked)
	if !strings.Contains(out, "rejected") {
		t.Errorf("the next apply did not refuse the version:\n%s", out)
	}
	if rejected := fmt.Sprint(w.Switch()["rejected"]); !strings.Contains(rejected, "alarm") {
		t.Errorf("rejected is %s", rejected)
	}
	w.MustHaveAll("blue")
	w.LostNothing()
}

// on_interrupt = "stop" leaves the split, and the record says so.
func TestGuardian_stops(t *testing.T) {
	t.Parallel()
	w, apply := holding(t, func(w *e2e.World) {
		w.Edit("    bake   = var.hold\n", "    bake   = var.hold\n    on_interrupt = \"stop\"\n")
	})
	apply.Kill(e2e.AllButGuards)
	w.Eventually("the guardian has ended", func() bool { return len(apply.Guardians()) == 0 })
	if weights := w.Weights(); weights["green"] != 5 {
		t.Errorf("the split is %v", weights)
	}
	marked := false
	for _, value := range w.Balancer.Tags(w.Stack.Listener) {
		marked = marked || strings.Contains(value, "phase=stopped")
	}
	if !marked {
		t.Errorf("the record is %v", w.Balancer.Tags(w.Stack.Listener))
	}
	rollsBack(t, w)
}

// With guardian = false the split stays, and the next apply knows from the record.
func TestGuardian_isOff(t *testing.T) {
	t.Parallel()
	w, apply := holding(t, func(w *e2e.World) {
		w.Edit(`provider "bluegreen" {}`, "provider \"bluegreen\" {\n  guardian = false\n}")
	})
	if guardians := apply.Guardians(); len(guardians) > 0 {
		t.Errorf("the guardians are %v", guardians)
	}
	apply.Kill(e2e.AllButGuards)
	if weights := w.Weights(); weights["green"] != 5 {
		t.Errorf("the split is %v", weights)
	}
	rollsBack(t, w)
}

// rollsBack applies the line reverted, after a kill that left a split: one write returns the traffic.
func rollsBack(t *testing.T, w *e2e.World) {
	t.Helper()
	w.MustConfigure("blue")
	mark := w.Mark()
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("blue")
	if n := w.Writes(mark); n != 1 {
		t.Errorf("the rollback took %d writes", n)
	}
	w.LostNothing()
}
