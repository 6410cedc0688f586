//go:build linux

package operated

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
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// apply are the arguments of exec for an apply.
func apply(w *e2e.World) []string {
	return []string{"exec", "--", w.Terraform.Binary, "apply", "-no-color", "-input=false", "-auto-approve"}
}

// summarized sets the file for summaries, and returns its path.
func summarized(t *testing.T, w *e2e.World) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "summary.md")
	w.Terraform.Env = append(w.Terraform.Env, "GITHUB_STEP_SUMMARY="+path)
	return path
}

// progress are the progress lines of a switch, without their times.
func progress(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if rest, is := strings.CutPrefix(line, "[bluegreen web] "); is {
			lines = append(lines, rest)
		}
	}
	return strings.Join(lines, "")
}

// A release through exec: the output of Terraform, a line per event, one summary, exit code 0.
func TestExec_release(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, quick)
	summary := summarized(t, w)
	w.MustConfigure("green")
	out, errs, code := e2e.Operate(w, apply(w)...).Wait()
	if code != 0 || !strings.Contains(out, "Apply complete!") || strings.Contains(out, "[bluegreen") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	w.MustHaveAll("green")
	golden.Check(t, progress(errs), golden.ReplacePattern(`(?m)^ *[\d.ms]+  `, ""), golden.ReplacePattern(`arn:\S+[^:\s]`, "<listener>"), golden.ReplacePattern(`(?m)^gate .*\n`, ""), golden.ReplacePattern(`(?m)^health: .*\n`, ""))
	text, err := os.ReadFile(summary)
	if err != nil || strings.Count(string(text), "### Shift of web: completed") != 1 || strings.Count(string(text), "###") != 1 {
		t.Errorf("the summary is %q (%v)", text, err)
	}
	if found, _ := filepath.Glob(filepath.Join(w.Terraform.Dir, ".bluegreen", "*.jsonl")); len(found) != 1 {
		t.Errorf("the journals are %v", found)
	}
	w.LostNothing()
}

// processesOf are the processes with the directory of a configuration.
func processesOf(w *e2e.World) (all []int) {
	want, _ := filepath.EvalSymlinks(w.Terraform.Dir)
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		if cwd, err := os.Readlink(folder + "/cwd"); err == nil && cwd == want {
			pid, _ := strconv.Atoi(filepath.Base(folder))
			all = append(all, pid)
		}
	}
	return all
}

// terraformOf is the process of Terraform, which exec has started.
func terraformOf(t *testing.T, w *e2e.World) int {
	t.Helper()
	for _, pid := range processesOf(w) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.HasPrefix(string(line), w.Terraform.Binary+"\x00apply\x00") {
			return pid
		}
	}
	t.Fatal("Terraform does not run")
	return 0
}

// waitFor5 waits until green has 5 % and its health is read, so that the hold has begun.
func waitFor5(w *e2e.World) {
	w.Eventually("the hold at 5 %", func() bool {
		calls := w.Balancer.Calls()
		return w.Weights()["green"] == 5 && len(calls) > 0 && calls[len(calls)-1].Action == "DescribeTargetHealth"
	})
}

// tracked are the processes of a configuration with an entry in their environment.
func tracked(w *e2e.World, entry string) []int {
	return slices.DeleteFunc(processesOf(w), func(pid int) bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		return !slices.Contains(strings.Split(string(text), "\x00"), entry)
	})
}

// A job is canceled as GitHub's runner does it: INT to the shell, 7.5 s, TERM, 2.5 s, KILL for its
// tree and for what has the tracking variable. Terraform ends as after Ctrl-C: the traffic is
// rolled back, the state saved and unlocked.
func TestExec_canceledJob(t *testing.T) {
	for name, c := range map[string]struct{ script, provider string }{
		"with a guardian":    {`"$@"; echo done`, ""},
		"without a guardian": {`"$@"; echo done`, "guardian = false"},
		"exec of the shell":  {`exec "$@"`, "guardian = false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := e2e.NewQuietWorld(t, e2e.Endless)
			summary := summarized(t, w)
			if c.provider != "" {
				w.Edit(`provider "bluegreen" {}`, "provider \"bluegreen\" {\n  "+c.provider+"\n}")
			}
			w.MustConfigure("green")
			tracking := "RUNNER_TRACKING_ID=github_" + strconv.Itoa(os.Getpid())
			shell := exec.CommandContext(t.Context(), "bash", "-e", "-c", c.script, "bash", e2e.BuildCommand(t))
			shell.Args = append(shell.Args, apply(w)...)
			shell.Dir, shell.Env = w.Terraform.Dir, slices.Concat(os.Environ(), w.Terraform.Env, []string{tracking})
			proc.OwnGroup(shell)
			if err := shell.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor5(w)
			tree := append(e2e.Children(shell.Process.Pid), shell.Process.Pid)
			if slices.Contains(tree, terraformOf(t, w)) {
				t.Error("Terraform is in the process tree of the job")
			}
			_ = shell.Process.Signal(syscall.SIGINT)
			<-time.After(7500 * time.Millisecond)
			_ = shell.Process.Signal(syscall.SIGTERM)
			<-time.After(2500 * time.Millisecond)
			for _, pid := range slices.Concat(tree, tracked(w, tracking)) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			_ = shell.Wait()
			w.Eventually("no process is left", func() bool { return len(processesOf(w)) == 0 })
			w.MustHaveAll("blue")
			if last, _ := w.Switch()["last_shift"].(map[string]any); last["outcome"] != "interrupted" {
				t.Errorf("last_shift in the state is %v", last)
			}
			if text, err := os.ReadFile(summary); err != nil || strings.Count(string(text), "### Shift of web: interrupted") != 1 {
				t.Errorf("the summary is %q (%v)", text, err)
			}
			if tags := w.Balancer.Tags(w.Stack.Listener); len(tags) > 0 {
				t.Errorf("the listener still has the tags %v", tags)
			}
			w.Pace = quick
			w.MustConfigure("green") // nothing was rejected, and the state has no lock
			w.MustApply()
			w.MustHaveAll("green")
			w.LostNothing()
		})
	}
}

// Terraform and the provider are killed: the guardian returns the traffic, and exec waits for it.
// Without a guardian, or if it is killed as well, exec recovers.
func TestExec_providerIsKilled(t *testing.T) {
	for name, c := range map[string]struct {
		victims  e2e.Victims
		provider string
		by       string // in the reason
	}{
		"with its guardian":  {e2e.Everything, "", "bluegreen exec"},
		"without a guardian": {e2e.AllButGuards, "guardian = false", "bluegreen exec"},
		"with a guardian":    {e2e.AllButGuards, "", "its guardian"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := e2e.NewQuietWorld(t, e2e.Endless)
			summary := summarized(t, w)
			w.Edit(`provider "bluegreen" {}`, "provider \"bluegreen\" {\n  "+c.provider+"\n}")
			w.MustConfigure("green")
			operation := e2e.Operate(w, apply(w)...)
			waitFor5(w)
			if err := e2e.Attach(w, terraformOf(t, w)).Strike(c.victims); err != nil {
				t.Fatal(err)
			}
			out, errs, code := operation.Wait()
			if code != 137 {
				t.Errorf("exit code %d\n%s%s", code, out, errs)
			}
			w.MustHaveAll("blue")
			w.Eventually("no process is left", func() bool { return len(processesOf(w)) == 0 })
			text := progress(errs)
			for _, want := range []string{"end: rolled back: the process of the shift died, and " + c.by + " returned the traffic\n", "Shift of web: rolled back. Traffic: blue 100 %.\n"} {
				if !strings.Contains(text, want) {
					t.Errorf("the progress lines have no %q\n%s", want, errs)
				}
			}
			if text, err := os.ReadFile(summary); err != nil || strings.Count(string(text), "### Shift of web: rolled back\n\n**Traffic:** blue 100 %") != 1 {
				t.Errorf("the summary is %q (%v)", text, err)
			}
			w.Pace = quick
			w.MustConfigure("green") // nothing was rejected
			w.MustApply(e2e.Unlocked)
			w.MustHaveAll("green")
			w.LostNothing()
		})
	}
}

// Terraform alone is killed: the provider, which notices it, rolls back, and exec waits for it.
func TestExec_terraformIsKilled(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Endless)
	w.MustConfigure("green")
	operation := e2e.Operate(w, apply(w)...)
	waitFor5(w)
	_ = syscall.Kill(terraformOf(t, w), syscall.SIGKILL)
	out, errs, code := operation.Wait()
	if code != 137 || !strings.Contains(progress(errs), "end: ") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	w.MustHaveAll("blue")
	w.LostNothing()
}
