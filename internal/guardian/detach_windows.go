package guardian

import (
	"errors"
	"os/exec"
)

// Supported reports whether this system has guardians. On Windows a provider whose console is
// closed looks like one that was killed.
const Supported = false

func startDetached(func() *exec.Cmd) (*exec.Cmd, error) { return nil, errors.ErrUnsupported }

func kill(int) error { return errors.ErrUnsupported }
