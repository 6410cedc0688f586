//go:build unix

package rehearsal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

func ownGroup(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// SignalGroup sends a signal to a command and everything that it started.
func SignalGroup(command *exec.Cmd, signal syscall.Signal) error {
	return syscall.Kill(-command.Process.Pid, signal)
}

// Interrupt is Ctrl-C in the terminal: the whole process group receives it.
func Interrupt(command *exec.Cmd) error { return SignalGroup(command, syscall.SIGINT) }

// detach lets a command outlive this process, detached from the terminal.
func detach(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

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
