package gate

import (
	"os/exec"
	"strconv"
	"syscall"
)

func setProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// terminateGroup kills a running command and everything that it started: Windows
// cannot ask a program without a window to exit.
func terminateGroup(cmd *exec.Cmd) error {
	return exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run()
}

// A process tree can be found only by its root. After the root has exited, its
// process ID may belong to another process, so nothing is killed by it.

func terminateRemaining(*exec.Cmd) {}

func groupRunning(*exec.Cmd) bool { return false }

func killGroup(*exec.Cmd) {}
