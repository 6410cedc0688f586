package supervise

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
)

const stageVariable = "BLUEGREEN_EXEC"

// terminal is not used on Windows, where the command runs in the console of this process.
type terminal struct{}

func run(ctx context.Context, o Options) int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	file, err := newAnnouncements()
	if err != nil {
		removeAnnouncements(file)
		file = ""
	}
	defer func() { removeAnnouncements(file) }()
	s := &session{options: o, file: file, out: newStream(o.Out), err: newStream(o.Err), signals: signals}
	return s.run(context.WithoutCancel(ctx))
}

// start starts the command. It receives Ctrl-C from the console itself.
func (s *session) start(command *exec.Cmd) (child, error) {
	command.Stdin, command.Stdout, command.Stderr = s.options.In, s.options.Out, s.options.Err
	ended := make(chan ending, 1)
	c := child{ended: ended, interrupt: func() error { return nil }, kill: func() error { return command.Process.Kill() }}
	if err := command.Start(); err != nil {
		return c, err
	}
	go func() {
		_ = command.Wait() // ProcessState holds more than its error
		ended <- ending{code: command.ProcessState.ExitCode()}
	}()
	return c, nil
}
