//go:build unix

package guardian

import (
	"os/exec"
	"syscall"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// Supported reports whether this system has guardians.
const Supported = true

// startDetached starts a command in a session of its own. Where a sandbox does not allow that, it
// starts it in a process group of its own and, without that, as it is.
func startDetached(command func() *exec.Cmd) (*exec.Cmd, error) {
	var first error
	for _, detach := range []func(*exec.Cmd){proc.Detach, proc.OwnGroup, func(*exec.Cmd) {}} {
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

// kill kills a process.
func kill(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }
