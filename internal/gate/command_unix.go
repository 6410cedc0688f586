//go:build unix

package gate

import (
	"os/exec"
	"syscall"
)

func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// askGroup asks all that a command has started to end.
func askGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// askLeft asks what a command has left behind, which has ended itself.
func askLeft(cmd *exec.Cmd) { _ = askGroup(cmd) }

// groupRuns: somebody of the group is there. The number of a group is not given
// to another process while it has a member.
func groupRuns(cmd *exec.Cmd) bool { return syscall.Kill(-cmd.Process.Pid, 0) == nil }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
