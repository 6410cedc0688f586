//go:build linux || darwin

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// asCommand makes the test binary run the command instead of tests.
const asCommand = "BLUEGREEN_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// session is a run of the command on a terminal.
type session struct {
	t       *testing.T
	command *exec.Cmd
	file    *os.File
	mu      sync.Mutex
	out     bytes.Buffer
	read    chan struct{} // closed at the end of the output
}

// onTerminal starts the command on a terminal of 60 columns and 20 lines.
func onTerminal(t *testing.T, env []string, args ...string) *session {
	t.Helper()
	s := &session{t: t, command: exec.Command(os.Args[0], args...), read: make(chan struct{})}
	s.command.Env = append(os.Environ(), append([]string{asCommand + "=1", "TERM=xterm-256color", "GORACE=atexit_sleep_ms=0"}, env...)...)
	file, err := pty.StartWithSize(s.command, &pty.Winsize{Rows: 20, Cols: 60})
	if err != nil {
		t.Fatal(err)
	}
	s.file = file
	t.Cleanup(func() { _ = s.command.Process.Kill(); _ = file.Close() })
	go func() {
		defer close(s.read)
		part := make([]byte, 4096)
		for {
			n, err := file.Read(part) // an error once the command has ended
			s.mu.Lock()
			s.out.Write(part[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *session) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// shows waits for a text after what was printed so far, and returns how much that is.
func (s *session) shows(after int, text string) int {
	s.t.Helper()
	limit := time.After(slow.Deadline(30 * time.Second))
	for !strings.Contains(s.text()[after:], text) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-limit:
			printed := s.text()[after:]
			s.t.Fatalf("%q was not printed, at the end:\n%q", text, printed[max(0, len(printed)-1000):])
		}
	}
	return len(s.text())
}

// interrupt presses Ctrl-C, and returns the exit code.
func (s *session) interrupt() int {
	s.t.Helper()
	if _, err := s.file.WriteString("\x03"); err != nil {
		s.t.Fatal(err)
	}
	hung := time.AfterFunc(slow.Deadline(30*time.Second), func() { _ = s.command.Process.Kill() })
	defer hung.Stop()
	err := s.command.Wait()
	<-s.read
	if exit, is := errors.AsType[*exec.ExitError](err); err != nil && (!is || !exit.Exited()) {
		s.t.Fatalf("%v\n%q", err, s.text())
	}
	return s.command.ProcessState.ExitCode()
}

const (
	entered = "\x1b[?1049h"
	left    = "\x1b[?1049l"
)

// restored checks that what was turned on is turned off again, and returns what is shown afterwards.
func (s *session) restored() string {
	s.t.Helper()
	text := s.text()
	for on, off := range map[string]string{entered: left, "\x1b[?25l": "\x1b[?25h", "\x1b[?2026h": "\x1b[?2026l"} {
		if strings.Count(text, on) == 0 || strings.LastIndex(text, on) > strings.LastIndex(text, off) {
			s.t.Errorf("the terminal is not restored: %q is on", on)
		}
	}
	_, after, _ := strings.Cut(text, left)
	return after
}

// A terminal is redrawn in place, follows its size, and is as before after Ctrl-C, with the lines.
func TestTerminal_watch(t *testing.T) {
	dir := t.TempDir()
	const id = "20261102T093000Z-0a1b"
	recordShift(t, dir, id, report.Result{})
	awaitJournal(t, dir)
	s := onTerminal(t, nil, "watch", "--report-dir", dir)
	at := s.shows(0, "gate users passed: web (green): 0.1 % errors")
	if text := s.text(); !strings.HasPrefix(text, entered) || !strings.Contains(text, "█") || !strings.Contains(text, "\x1b[32m") {
		t.Errorf("it is not drawn: %q", text)
	}
	if err := pty.Setsize(s.file, &pty.Winsize{Rows: 4, Cols: 16}); err != nil {
		t.Fatal(err)
	}
	s.shows(at, "  blue      50 …")
	if code := s.interrupt(); code != 3 {
		t.Errorf("exit code %d", code)
	}
	if after := s.restored(); !strings.Contains(after, listener+": blue 50 %, green 50 %") || !strings.Contains(after, "Error: Stopped watching before the end") {
		t.Errorf("after it: %q", after)
	}
}

// Without color there are plain lines, on a terminal as well.
func TestTerminal_plain(t *testing.T) {
	dir := t.TempDir()
	recordShift(t, dir, "20261102T093000Z-0a1b", report.Result{})
	awaitJournal(t, dir)
	for name, c := range map[string]struct{ env, args []string }{
		"NO_COLOR": {env: []string{"NO_COLOR=1"}},
		"dumb":     {env: []string{"TERM=dumb"}},
		"never":    {args: []string{"--color", "never"}},
	} {
		s := onTerminal(t, c.env, append([]string{"watch", "--report-dir", dir}, c.args...)...)
		s.shows(0, "gate users passed")
		if code := s.interrupt(); code != 3 || strings.Contains(s.text(), "\x1b") {
			t.Errorf("%s: exit code %d, %q", name, code, s.text())
		}
	}
}

// So is the status, and its pause does not delay Ctrl-C.
func TestTerminal_status(t *testing.T) {
	server, stack := newStack(t)
	s := onTerminal(t, nil, "status", "--watch", "--interval", "50ms", "--route", stack.Listener)
	at := s.shows(0, "No shift is in progress")
	shiftTo(t, stack, "green")
	s.shows(at, "app-green    100 %")
	if code := s.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.restored()
	if server.Weights(stack.Listener)[stack.Groups["green"]] == 0 {
		t.Error("the test moved no traffic")
	}
}
