//go:build unix

package supervise

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal is the one in whose foreground this process runs.
type terminal struct {
	file  *os.File
	group int // the process group of this process
}

// terminalOf returns the terminal of standard input; nil: there is none, or this process is in its
// background.
func terminalOf(in *os.File) *terminal {
	group, err := unix.IoctlGetInt(int(in.Fd()), unix.TIOCGPGRP)
	if err != nil || group != syscall.Getpgrp() {
		return nil
	}
	return &terminal{in, group}
}

// start starts a command in a process group of its own in the foreground.
func (t *terminal) start(command *exec.Cmd, ended chan<- ending) error {
	command.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: int(t.file.Fd())}
	err := command.Start()
	// From now on this process is in the background, and the signal would stop it when it takes
	// the terminal back. A command that is started later would inherit that: there is none.
	signal.Ignore(syscall.SIGTTOU)
	if err != nil {
		t.foreground(t.group)
		return err
	}
	go func() { ended <- t.wait(command.Process.Pid) }()
	return nil
}

// foreground gives the terminal to a process group.
func (t *terminal) foreground(group int) {
	_ = unix.IoctlSetPointerInt(int(t.file.Fd()), unix.TIOCSPGRP, group)
}

// wait waits for the command. When Ctrl-Z stops it, this process group stops as well, so that the
// shell takes the terminal; when the shell continues it, so does the command.
func (t *terminal) wait(pid int) ending {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	for {
		var state syscall.WaitStatus
		_, err := syscall.Wait4(pid, &state, syscall.WUNTRACED, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			t.foreground(t.group)
			return ending{code: exitFailed}
		case !state.Stopped():
			t.foreground(t.group)
			return endingOf(state)
		}
		t.foreground(t.group)
		select {
		case <-continued: // of an earlier stop
		default:
		}
		_ = syscall.Kill(0, syscall.SIGSTOP)
		<-continued // the signal stops this process some instructions later
		if now, err := unix.IoctlGetInt(int(t.file.Fd()), unix.TIOCGPGRP); err == nil && now == t.group {
			t.foreground(pid)
		}
		_ = syscall.Kill(-pid, syscall.SIGCONT)
	}
}
