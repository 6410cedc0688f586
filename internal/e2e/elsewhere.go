//go:build linux

package e2e

import (
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// Elsewhere makes a command of Terraform run as on another machine or in a container: its
// processes have a PID namespace of their own. The test is skipped where that is not permitted.
func Elsewhere(t *testing.T, command *exec.Cmd) *exec.Cmd {
	t.Helper()
	unshare, err := exec.LookPath("unshare")
	if err == nil {
		err = exec.CommandContext(t.Context(), unshare, "--pid", "--fork", "--mount-proc", "true").Run()
	}
	if err != nil {
		t.Skipf("SKIPPED: it needs unshare and the permission to create a PID namespace: %v", err)
	}
	command.Args = append([]string{unshare, "--pid", "--fork", "--mount-proc", command.Path}, command.Args[1:]...)
	command.Path = unshare
	return command
}

// RunElsewhere runs a Terraform command as on another machine. It returns what it printed, and
// whether it succeeded.
func (w *World) RunElsewhere(args ...string) (string, bool) {
	w.t.Helper()
	out, err := Elsewhere(w.t, w.Terraform.Command(args...)).CombinedOutput()
	return string(out), err == nil
}

// Freeze stops a process, and returns what lets it go on.
func Freeze(t *testing.T, pid int) (thaw func()) {
	t.Helper()
	if err := stop(pid); err != nil {
		t.Fatal(err)
	}
	thaw = sync.OnceFunc(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	t.Cleanup(thaw)
	return thaw
}
