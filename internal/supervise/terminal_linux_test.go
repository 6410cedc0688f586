package supervise

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: this system has no terminals: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

// newTerminalJob returns a job that a shell runs in the foreground of a terminal. After it, the
// shell reads a line from the terminal.
func newTerminalJob(t *testing.T, child ...string) (j *job, terminal *os.File) {
	t.Helper()
	terminal, slave := openTerminal(t)
	j = newJob(t, "1m", child, "/bin/sh", "-c", `"$@"; code=$?; read line; echo "$line: $code"`, "sh")
	_ = j.in.Close()
	args, env, dir := j.Args, j.Env, j.Dir
	j.Cmd = exec.CommandContext(t.Context(), args[0], args[1:]...)
	j.Env, j.Dir = env, dir
	j.Stdin, j.Stdout, j.Stderr = slave, slave, slave
	go func() { _, _ = io.Copy(&j.out, terminal) }()
	return j, terminal
}

// commandOf is the process of the command.
func (j *job) commandOf() int {
	for _, pid := range j.processes() {
		if strings.HasPrefix(commandLine(pid), os.Args[0]+" child ") {
			return pid
		}
	}
	return 0
}

// foreground is the process group in the foreground of a terminal.
func foreground(t *testing.T, terminal *os.File) int {
	t.Helper()
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	if err != nil {
		t.Fatal(err)
	}
	return group
}

// In a terminal, the command is in the foreground: Ctrl-C reaches it alone, Ctrl-Z stops the whole
// job, and afterwards the terminal is that of the shell again.
func TestRun_terminal(t *testing.T) {
	t.Parallel()
	j, terminal := newTerminalJob(t, "signals")
	j.attributes = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	j.begin()
	j.ready()
	command, shell := j.commandOf(), j.Process.Pid
	if got := foreground(t, terminal); command == 0 || got != command {
		t.Fatalf("the foreground is %d, the command %d", got, command)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", command))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "SigIgn:\t")
	if ignored, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64); err != nil || ignored&(1<<(syscall.SIGTTOU-1)) != 0 {
		t.Errorf("the command ignores SIGTTOU: %x, %v", ignored, err)
	}

	write := func(text string) { _, _ = terminal.WriteString(text) }
	write("\x03")
	j.eventually("Ctrl-C", func() bool { return strings.Count(j.out.String(), "interrupt\r\n") == 1 })
	write("\x1a")
	j.eventually("Ctrl-Z stops the job", func() bool {
		return !slices.ContainsFunc(j.processes(), func(pid int) bool { return field(pid, 0) != "T" })
	})
	if got := foreground(t, terminal); got != shell {
		t.Errorf("the foreground of a stopped job is %d, the shell %d", got, shell)
	}
	_ = syscall.Kill(-shell, syscall.SIGCONT) // fg
	j.eventually("the job goes on", func() bool { return field(command, 0) != "T" && foreground(t, terminal) == command })
	write("\x04")
	j.eventually("the shell has the terminal", func() bool { return foreground(t, terminal) == shell })
	write("code\n")
	j.eventually("the shell reads", func() bool { return strings.Contains(j.out.String(), "code: 5\r\n") })
	j.end()
	if n := strings.Count(j.out.String(), "interrupt"); n != 1 {
		t.Errorf("%d interrupts\n%s", n, j.out.String())
	}
	j.gone()
}

// Progress lines appear in the terminal, and a shift is recovered there as well.
func TestRun_terminalRecovers(t *testing.T) {
	t.Parallel()
	j, terminal := newTerminalJob(t, "shift", "web:", "killed")
	path, _ := lookup(j.Env, recoveries)
	if err := os.WriteFile(path, []byte("rolled back"), 0o600); err != nil {
		t.Fatal(err)
	}
	j.attributes = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	j.begin()
	_, _ = terminal.WriteString("code\n")
	j.end()
	for _, want := range []string{"[bluegreen web]       0s  start: forward\r\n", "[bluegreen web] Shift of web: rolled back. Traffic: blue 100 %.\r\n", "code: 137\r\n"} {
		j.eventually(want, func() bool { return strings.Contains(j.out.String(), want) })
	}
	j.gone()
}
