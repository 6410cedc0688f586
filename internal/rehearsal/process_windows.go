package rehearsal

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

// Interrupt asks the command to stop; Windows has no process groups to signal.
func Interrupt(command *exec.Cmd) error { return command.Process.Signal(os.Interrupt) }
