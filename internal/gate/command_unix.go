//go:build unix

package gate

import (
	"os/exec"
	"syscall"
)

func setProcessGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminateGroup sends SIGTERM to a command and everything that it started.
func terminateGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// terminateRemaining sends SIGTERM to what a command left behind when it exited.
func terminateRemaining(cmd *exec.Cmd) { _ = terminateGroup(cmd) }

// groupRunning reports whether the group has a process. The kernel does not reuse the
// number of a group that has one.
func groupRunning(cmd *exec.Cmd) bool { return syscall.Kill(-cmd.Process.Pid, 0) == nil }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
