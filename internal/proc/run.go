package proc

import (
	"os/exec"
	"time"
)

// pollInterval is how often to check whether a terminated group still runs.
const pollInterval = 10 * time.Millisecond

// Ending is how a command ended. The rest is in its ProcessState.
type Ending struct {
	Stopped bool          // it was still running when its context ended
	Took    time.Duration // until the command itself exited
}

// Run runs a command of exec.CommandContext in its own process group until it exits or
// its context ends. When it returns, no process of the group is running. An error means
// that the command was not started.
//
// When the context ends, the group gets SIGTERM, and SIGKILL after the grace period. When
// the command exits, the processes that it left in the group are stopped in the same way.
// On Windows, the process tree is stopped immediately (taskkill), and processes whose
// parent has already exited are not found.
func Run(command *exec.Cmd, grace time.Duration) (Ending, error) {
	var end Ending
	var stoppedAt time.Time
	command.WaitDelay = grace // after it, os/exec kills the command
	command.Cancel = func() error {
		end.Stopped, stoppedAt = true, time.Now()
		return terminateGroup(command)
	}
	OwnGroup(command)
	start := time.Now()
	if err := command.Start(); err != nil {
		return Ending{}, err
	}
	_ = command.Wait() // ProcessState and Stopped hold more than its error
	end.Took = time.Since(start)
	if !end.Stopped {
		stoppedAt = time.Now()
		terminateRemaining(command)
	}
	stopGroup(command, stoppedAt.Add(grace))
	return end, nil
}

// stopGroup waits until a group has exited, and kills the rest at the deadline.
func stopGroup(command *exec.Cmd, deadline time.Time) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for groupRunning(command) && time.Now().Before(deadline) {
		<-tick.C
	}
	killGroup(command)
}
