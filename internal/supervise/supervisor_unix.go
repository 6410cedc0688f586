//go:build unix

package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// supervise is the main function of the supervisor.
func supervise(ctx context.Context, o Options) int {
	proc.Discard(syscall.SIGPIPE)
	syscall.CloseOnExec(controlFD) // the command does not get them
	syscall.CloseOnExec(statusFD)
	control, statuses := os.NewFile(controlFD, "control"), os.NewFile(statusFD, "status")
	signals, lost := make(chan os.Signal, 16), make(chan struct{})
	signal.Notify(signals, passed...)
	go receive(control, signals, lost)
	file, _ := lookup(o.Environ, report.JournalsVariable)
	s := newSession(o, file, signals)
	s.lost = lost
	reports := json.NewEncoder(statuses)
	s.started = func(pid int) { _ = reports.Encode(status{PID: pid}) }
	code := s.run(ctx)
	_ = reports.Encode(status{Exit: &code})
	select {
	case <-lost: // the front cannot
		removeAnnouncements(file)
	default:
	}
	return code
}

// receive turns what the front writes into signals. Its death, and that of its parent, close lost.
func receive(control io.Reader, signals chan<- os.Signal, lost chan<- struct{}) {
	message := make([]byte, 1)
	gone := false
	for {
		_, err := control.Read(message)
		if err != nil || message[0] == controlLost {
			if !gone {
				close(lost)
			}
			if gone = true; err != nil {
				return
			}
			continue
		}
		s := os.Signal(syscall.SIGTERM)
		if message[0] == controlInterrupt {
			s = os.Interrupt
		}
		select {
		case signals <- s:
		default: // it has many already
		}
	}
}

// start starts the command in a process group of its own.
func (s *session) start(command *exec.Cmd) (child, error) {
	command.Stdin = s.options.In
	ended := make(chan ending, 1)
	c := child{ended: ended, interrupt: func() error { return command.Process.Signal(os.Interrupt) }, kill: func() error { return command.Process.Kill() }}
	if s.terminal != nil {
		command.Stdout, command.Stderr = s.options.Out, s.options.Err
		return c, s.terminal.start(command, ended)
	}
	proc.OwnGroup(command)
	command.Stdout, command.Stderr = s.out, s.err
	command.WaitDelay = outputPause
	if err := command.Start(); err != nil {
		return c, err
	}
	go func() {
		_ = command.Wait() // ProcessState holds more than its error
		state, _ := command.ProcessState.Sys().(syscall.WaitStatus)
		ended <- endingOf(state)
	}()
	return c, nil
}

func endingOf(state syscall.WaitStatus) ending {
	if state.Signaled() {
		return ending{code: exitSignal + int(state.Signal())}
	}
	return ending{code: state.ExitStatus()}
}

// adopt finishes a session whose supervisor was killed: pid is the command, 0: none was started.
// It is interrupted, and its output is lost.
func (s *session) adopt(ctx context.Context, pid int) int {
	defer func() { s.out.Close(); s.err.Close() }()
	if pid == 0 {
		s.say("Error: The process that runs the command could not be started.")
		return exitNotStarted
	}
	s.say("The process that runs the command was killed. Interrupting the command.")
	s.journals = s.follow(ctx)
	limit := time.Now().Add(s.options.Timeout)
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.warn("The command could not be interrupted: %s", err)
	}
	for proc.Running(pid) && time.Now().Before(limit) {
		time.Sleep(scanPause)
	}
	return s.finish(ctx, ending{code: exitSignal + int(syscall.SIGKILL)})
}
