package gate

import (
	"context"
	"io"
	"os"
	"os/exec"
	"time"
)

const (
	// gracePeriod is what a process group has between being asked to end and being
	// ended. With it and leftover a call is over well before the second in which a
	// gate counts as hung.
	gracePeriod = 400 * time.Millisecond
	// drainTimeout is how long output is waited for that somebody outside the group
	// holds open.
	drainTimeout = 100 * time.Millisecond
	// groupPollInterval is how often a group is looked for that was asked to end.
	groupPollInterval = 10 * time.Millisecond
)

// process is what is to be run.
type process struct {
	path string
	argv []string
	dir  string
	env  []string // never nil: that would be this process's own
}

// processResult is how a run ended.
type processResult struct {
	state   *os.ProcessState
	stopped bool // it was running when the context ended
	took    time.Duration
	output  *output
}

// run runs a process with its group until it ends or ctx does. When it returns,
// nothing of the group runs any more, nor a goroutine. An error means that it has
// not been started.
func run(ctx context.Context, p process) (processResult, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return processResult{}, err
	}
	defer func() { _ = read.Close() }()
	done := processResult{output: &output{}}
	var stoppedAt time.Time
	cmd := exec.CommandContext(ctx, p.path)
	cmd.Args, cmd.Dir, cmd.Env = p.argv, p.dir, p.env
	cmd.Stdout, cmd.Stderr = write, write
	cmd.WaitDelay = gracePeriod // then os/exec ends the program itself
	cmd.Cancel = func() error {
		done.stopped, stoppedAt = true, time.Now()
		return terminateGroup(cmd)
	}
	setProcessGroup(cmd)
	start := time.Now()
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		return processResult{}, err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(done.output, read)
	}()
	_ = cmd.Wait() // what it says, the state and stopped say better
	done.took, done.state = time.Since(start), cmd.ProcessState
	if !done.stopped {
		stoppedAt = time.Now()
		terminateRemaining(cmd)
	}
	stopGroup(cmd, stoppedAt.Add(gracePeriod))
	drainOutput(read, copied)
	return done, nil
}

// stopGroup ends what is left of a group, at the latest then.
func stopGroup(cmd *exec.Cmd, latest time.Time) {
	tick := time.NewTicker(groupPollInterval)
	defer tick.Stop()
	for groupRunning(cmd) && time.Now().Before(latest) {
		<-tick.C
	}
	killGroup(cmd)
}

// drainOutput waits for the rest of the output. Somebody who has left the group may hold
// it open for ever: closing it ends the copying.
func drainOutput(read io.Closer, copied <-chan struct{}) {
	limit := time.NewTimer(drainTimeout)
	defer limit.Stop()
	select {
	case <-copied:
	case <-limit.C:
		_ = read.Close()
		<-copied
	}
}
