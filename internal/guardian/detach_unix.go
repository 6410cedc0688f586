//go:build unix

package guardian

import "syscall"

// Supported reports whether this system has guardians.
const Supported = true

// kill kills a process.
func kill(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }
