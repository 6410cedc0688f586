//go:build unix

package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// OwnGroup makes a command start in its own process group, so that a signal for the group
// of this process, such as Ctrl-C in the terminal, does not reach it.
func OwnGroup(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Detach makes a command outlive this process, detached from the terminal.
func Detach(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// StartDetached starts a command in a session of its own. Where a sandbox does not allow that, it
// starts it in a process group of its own and, without that, as it is. command returns a new
// command, because one cannot be started twice.
func StartDetached(command func() *exec.Cmd) (*exec.Cmd, error) {
	var first error
	for _, detach := range []func(*exec.Cmd){Detach, OwnGroup, func(*exec.Cmd) {}} {
		c := command()
		detach(c)
		err := c.Start()
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// SignalGroup sends a signal to a command with its own group and everything in the group.
func SignalGroup(command *exec.Cmd, signal syscall.Signal) error {
	return syscall.Kill(-command.Process.Pid, signal)
}

// Interrupt is Ctrl-C in the terminal: the whole process group receives it.
func Interrupt(command *exec.Cmd) error { return SignalGroup(command, syscall.SIGINT) }

// Running reports whether a process has not ended. A zombie does not run.
func Running(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		// Without /proc only the signal can be checked.
		_, err = os.Stat("/proc/self")
		return err != nil
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(state, "Z")
}

func terminateGroup(command *exec.Cmd) error { return SignalGroup(command, syscall.SIGTERM) }

// terminateRemaining sends SIGTERM to what a command left behind when it exited.
func terminateRemaining(command *exec.Cmd) { _ = terminateGroup(command) }

// groupRunning reports whether the group has a process. The kernel does not reuse the
// number of a group that has one.
func groupRunning(command *exec.Cmd) bool { return SignalGroup(command, 0) == nil }

// KillGroup ends a command with its own group, and everything in the group, at once.
func KillGroup(command *exec.Cmd) { killGroup(command) }

func killGroup(command *exec.Cmd) { _ = SignalGroup(command, syscall.SIGKILL) }
