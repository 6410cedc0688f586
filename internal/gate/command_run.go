package gate

import (
	"context"
	"io"
	"os"
	"os/exec"
	"time"
)

const (
	// gracePeriod is the time between SIGTERM and SIGKILL. Together with drainTimeout,
	// an evaluation ends well within the second after which a gate counts as hung.
	gracePeriod = 400 * time.Millisecond
	// drainTimeout is how long to wait for output that a process outside the group
	// keeps open.
	drainTimeout = 100 * time.Millisecond
	// groupPollInterval is how often to check whether a terminated group still runs.
	groupPollInterval = 10 * time.Millisecond
)

// process describes the program to run.
type process struct {
	path string
	argv []string
	dir  string
	env  []string // never nil, which would mean the environment of this process
}

// processResult is the result of a run.
type processResult struct {
	state   *os.ProcessState
	stopped bool // it was still running when the context ended
	took    time.Duration
	output  *output
}

// run runs a process with its group until it exits or ctx ends. When it returns, no
// process of the group and no goroutine is running. An error means that the process
// was not started.
func run(ctx context.Context, p process) (processResult, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return processResult{}, err
	}
	defer func() { _ = read.Close() }()
	result := processResult{output: &output{}}
	var stoppedAt time.Time
	cmd := exec.CommandContext(ctx, p.path)
	cmd.Args, cmd.Dir, cmd.Env = p.argv, p.dir, p.env
	cmd.Stdout, cmd.Stderr = write, write
	cmd.WaitDelay = gracePeriod // after it, os/exec kills the program
	cmd.Cancel = func() error {
		result.stopped, stoppedAt = true, time.Now()
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
		_, _ = io.Copy(result.output, read)
	}()
	_ = cmd.Wait() // the state and stopped hold more than its error
	result.took, result.state = time.Since(start), cmd.ProcessState
	if !result.stopped {
		stoppedAt = time.Now()
		terminateRemaining(cmd)
	}
	stopGroup(cmd, stoppedAt.Add(gracePeriod))
	drainOutput(read, copied)
	return result, nil
}

// stopGroup waits until a group has exited, and kills the rest at the deadline.
func stopGroup(cmd *exec.Cmd, deadline time.Time) {
	tick := time.NewTicker(groupPollInterval)
	defer tick.Stop()
	for groupRunning(cmd) && time.Now().Before(deadline) {
		<-tick.C
	}
	killGroup(cmd)
}

// drainOutput waits for the rest of the output. A process that left the group may
// keep it open forever: after drainTimeout, closing the pipe ends the copying.
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
