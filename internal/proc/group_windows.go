package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// OwnGroup makes a command start in its own process group, so that Ctrl-C in the console
// does not reach it.
func OwnGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// detachedProcess is a flag of CreateProcess: no console, and independent of the parent.
const detachedProcess = 0x00000008

// Detach makes a command outlive this process, detached from the console.
func Detach(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: detachedProcess}
}

// StartDetached is not for Windows, where the caller works without it.
func StartDetached(func() *exec.Cmd) (*exec.Cmd, error) { return nil, errors.ErrUnsupported }

var generateConsoleCtrlEvent = syscall.NewLazyDLL("kernel32.dll").NewProc("GenerateConsoleCtrlEvent")

// Interrupt is Ctrl-Break in the console, which Go programs receive as os.Interrupt: the
// whole process group receives it. Ctrl-C cannot be sent to a single group.
func Interrupt(command *exec.Cmd) error {
	ok, _, err := generateConsoleCtrlEvent.Call(syscall.CTRL_BREAK_EVENT, uintptr(command.Process.Pid))
	if ok == 0 {
		return fmt.Errorf("cannot interrupt process %d: %w", command.Process.Pid, err)
	}
	return nil
}

// Running reports whether a process has not ended.
func Running(pid int) bool {
	process, err := os.FindProcess(pid) // fails for a process that is not there
	if err != nil {
		return false
	}
	_ = process.Release()
	return true
}

// terminateGroup kills a running command and everything that it started: Windows cannot
// ask a program without a window to exit.
func terminateGroup(command *exec.Cmd) error {
	return exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(command.Process.Pid)).Run()
}

// A process tree can be found only by its root. After the root has exited, its process ID
// may belong to another process, so nothing is killed by it.

func terminateRemaining(*exec.Cmd) {}

func groupRunning(*exec.Cmd) bool { return false }

// KillGroup ends a command and its children at once.
func KillGroup(command *exec.Cmd) { _ = terminateGroup(command) }

func killGroup(*exec.Cmd) {}
