package rehearsal

import (
	"os"
	"os/exec"
	"syscall"
)

func ownGroup(*exec.Cmd) {}

// Interrupt stops the command; Windows has no process groups to signal.
func Interrupt(command *exec.Cmd) error { return command.Process.Signal(os.Interrupt) }

// detachedProcess is a flag of CreateProcess: no console, and independent of the parent.
const detachedProcess = 0x00000008

func detach(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: detachedProcess}
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
