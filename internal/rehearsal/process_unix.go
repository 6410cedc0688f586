//go:build unix

package rehearsal

import (
	"os/exec"
	"syscall"
)

func ownGroup(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// SignalGroup sends a signal to a command and everything that it started.
func SignalGroup(command *exec.Cmd, signal syscall.Signal) error {
	return syscall.Kill(-command.Process.Pid, signal)
}

// Interrupt is Ctrl-C at the terminal: the whole process group gets it.
func Interrupt(command *exec.Cmd) error { return SignalGroup(command, syscall.SIGINT) }
