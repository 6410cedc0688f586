package gate

import (
	"os/exec"
	"strconv"
	"syscall"
)

func setProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// terminateGroup ends a command that runs, with all that it has started: Windows has
// nothing that asks a program without a window to end.
func terminateGroup(cmd *exec.Cmd) error {
	return exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run()
}

// A tree is found by its root alone. Where that has ended, its number may be
// another's by now, so nothing is ended by it.

func terminateRemaining(*exec.Cmd) {}

func groupRunning(*exec.Cmd) bool { return false }

func killGroup(*exec.Cmd) {}
