//go:build unix

package gate

import (
	"os/exec"
	"syscall"
)

func setProcessGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminateGroup asks all that a command has started to end.
func terminateGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// terminateRemaining asks what a command has left behind, which has ended itself.
func terminateRemaining(cmd *exec.Cmd) { _ = terminateGroup(cmd) }

// groupRunning: somebody of the group is there. The number of a group is not given
// to another process while it has a member.
func groupRunning(cmd *exec.Cmd) bool { return syscall.Kill(-cmd.Process.Pid, 0) == nil }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
