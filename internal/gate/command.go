package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/payload"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/program"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	// exitTempFail is the inconclusive exit status: EX_TEMPFAIL of sysexits.h.
	exitTempFail = 75
	// exitNotExecutable and exitNotFound are what shells, env and others exit with where a
	// command could not be run.
	exitNotExecutable, exitNotFound = 126, 127
	// gracePeriod is the time between SIGTERM and SIGKILL. Together with drainTimeout,
	// an evaluation ends well within the second after which a gate counts as hung.
	gracePeriod = 400 * time.Millisecond
	// drainTimeout is how long to wait for output that a process outside the group
	// keeps open.
	drainTimeout = 100 * time.Millisecond
)

// Command is the arguments of the kind "command": a program that runs once per
// evaluation. Its exit status decides the verdict: 0 passes, 75 is inconclusive, and
// any other status fails. A program that could not decide is an error: one that
// cannot be started, that still runs at the gate's timeout, that a signal ended (the
// kernel's for memory, or a crash), or whose shell could not run a command (126, 127).
//
// Argv is executed without a shell. Standard input is empty. The program runs in its
// own process group. When the evaluation ends because of the timeout or an
// interrupt, the group gets SIGTERM, and SIGKILL 400 ms later. When the program
// exits, the processes that it left in the group are stopped in the same way. On
// Windows, the process tree is stopped immediately (taskkill), and processes whose
// parent has already exited are not found.
//
// The program gets the environment of Terraform, Env, and the input of the gate:
//
//	BLUEGREEN_GATE             name of the gate
//	BLUEGREEN_SHIFT            ID of this shift
//	BLUEGREEN_PART             before, during or after
//	BLUEGREEN_STEP             number of the step; the first is 1, before any traffic 0
//	BLUEGREEN_STEPS            number of steps, including the one at 100 %
//	BLUEGREEN_ATTEMPT          number of this evaluation since the weights last changed; the first is 1
//	BLUEGREEN_ROLLBACK         true if the shift returns to an earlier version; then the gate only reports
//	BLUEGREEN_ELAPSED_SECONDS  seconds since the shift started
//	BLUEGREEN_FROM             blue=100,green=0: percent before the shift; empty if nothing had traffic
//	BLUEGREEN_TO               percent after the shift
//	BLUEGREEN_WEIGHTS          current percent
//	BLUEGREEN_ENVIRONMENTS     environments that gain traffic, separated by commas
//	BLUEGREEN_TARGET_GROUPS    web=arn:...,api=arn:...: their target groups by entry point
//	BLUEGREEN_INPUT            all of this as the JSON that a webhook gets
//
// Verdicts show the last lines of its output without masking, so it must not print a
// secret.
type Command struct {
	Argv       []string          // the program and its arguments; the program is required
	WorkingDir string            // empty: that of Terraform
	Env        map[string]string // added to the environment; shown in plans, so not for secrets
}

// Check returns everything that is wrong with the arguments, without checking the
// machine.
func (c Command) Check() []*ArgumentError {
	var errs []*ArgumentError
	switch {
	case len(c.Argv) == 0:
		errs = append(errs, &ArgumentError{Argument: "argv", Err: ErrMissing})
	case c.Argv[0] == "":
		errs = append(errs, invalid("argv", "the first element, the program, is empty"))
	case slices.ContainsFunc(c.Argv, hasNUL):
		errs = append(errs, invalid("argv", "an element contains a NUL character"))
	}
	if hasNUL(c.WorkingDir) {
		errs = append(errs, invalid("working_dir", "it contains a NUL character"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		if err := checkEnvEntry(name, c.Env[name]); err != nil {
			errs = append(errs, &ArgumentError{Argument: "env", Key: name, Err: err})
		}
	}
	return errs
}

func hasNUL(text string) bool { return strings.ContainsRune(text, 0) }

func checkEnvEntry(name, value string) error {
	switch {
	case slices.ContainsFunc(payload.Body{}.Variables(""), func(v payload.Variable) bool { return v.Name == name }):
		return fmt.Errorf("%w: the gate sets this variable", ErrInvalid)
	case hasNUL(value):
		return fmt.Errorf("%w: it contains a NUL character", ErrInvalid)
	}
	return checkVariable(name)
}

// NewCommand returns a command gate, which is also a rollout.Preflight: it checks
// that the program exists, and its interpreter or format, before the shift starts. Wrong arguments are returned as
// joined *ArgumentError.
func NewCommand(c Command, deps Dependencies) (rollout.Gate, error) {
	if errs := c.Check(); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	return &commandGate{Command: c, deps: deps}, nil
}

// Absent returns why the command cannot be started on this machine: the program, its
// interpreter or the working directory is missing, or it has the wrong format. It returns
// nil if nothing is wrong.
func (c Command) Absent(deps Dependencies) error {
	place := c.place(deps)
	path, err := place.Find(c.Argv[0])
	if err != nil {
		return err
	}
	return place.Runnable(path)
}

// place is where the program runs, with the environment as far as it decides about the PATH.
func (c Command) place(deps Dependencies) program.Place {
	return program.Place{Dir: c.WorkingDir, Environment: c.baseEnvironment(deps)}
}

// baseEnvironment returns the environment without the input of the gate.
func (c Command) baseEnvironment(deps Dependencies) []string {
	env := []string{}
	if deps.Environ != nil {
		env = deps.Environ()
	}
	for name, value := range c.Env {
		env = append(env, name+"="+value)
	}
	return env
}

type commandGate struct {
	Command
	deps Dependencies
}

var (
	// errNotStarted is the cause if the program did not run.
	errNotStarted = errors.New("the command could not be started")
	// errNotDecided is the cause if the program ended without a decision.
	errNotDecided = errors.New("the command did not decide")
)

// Preflight implements rollout.Preflight.
func (g *commandGate) Preflight(context.Context, rollout.GateInput) rollout.Verdict {
	place := g.place(g.deps)
	path, err := place.Find(g.Argv[0])
	if err == nil {
		err = place.Runnable(path)
	}
	if err != nil {
		return g.withProgram(rollout.Verdict{Status: rollout.Errored, Detail: err.Error(), Err: errNotStarted})
	}
	return g.withProgram(rollout.Verdict{Status: rollout.Pass, Detail: "found at " + path})
}

// Evaluate implements rollout.Gate.
func (g *commandGate) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	path, err := g.place(g.deps).Find(g.Argv[0])
	if err != nil {
		return g.withProgram(rollout.Verdict{Status: rollout.Errored, Detail: err.Error(), Err: errNotStarted})
	}
	env, err := g.environment(in)
	if err != nil {
		return g.withProgram(rollout.Verdict{Status: rollout.Errored, Detail: err.Error(), Err: errNotStarted})
	}
	command := exec.CommandContext(ctx, path)
	command.Args, command.Dir, command.Env = g.Argv, g.WorkingDir, env
	result, err := run(command)
	if err != nil {
		return g.withProgram(g.notStarted(ctx, path, err))
	}
	return g.withProgram(result.verdict(ctx))
}

// environment returns the full environment of the program.
func (g *commandGate) environment(in rollout.GateInput) ([]string, error) {
	b := payload.New(in, time.Now())
	text, err := b.Text()
	if err != nil {
		return nil, err
	}
	env := g.baseEnvironment(g.deps)
	if g.WorkingDir != "" {
		dir, err := filepath.Abs(g.WorkingDir)
		if err != nil {
			return nil, err
		}
		env = append(env, "PWD="+dir) // programs rely on it
	}
	for _, v := range b.Variables(string(text)) {
		env = append(env, v.Name+"="+v.Value)
	}
	return env, nil
}

// withProgram adds the program to the detail, without its arguments, which may be
// secrets.
func (g *commandGate) withProgram(v rollout.Verdict) rollout.Verdict {
	v.Detail = "command " + g.Argv[0] + ": " + v.Detail
	return v
}

func (g *commandGate) notStarted(ctx context.Context, path string, err error) rollout.Verdict {
	if ctx.Err() != nil {
		return rollout.Verdict{Status: rollout.Errored, Detail: "not started because the evaluation had already ended", Err: ctx.Err()}
	}
	text := "could not be started: " + err.Error()
	if reason := g.place(g.deps).Runnable(path); reason != nil {
		text = reason.Error()
	}
	return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: errNotStarted}
}

// commandResult is the result of a run.
type commandResult struct {
	proc.Ending
	state  *os.ProcessState
	output *program.Output
}

// run runs a command with its group until it exits or its context ends. When it returns,
// no process of the group and no goroutine is running. An error means that the command
// was not started.
func run(command *exec.Cmd) (commandResult, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return commandResult{}, err
	}
	defer func() { _ = read.Close() }()
	command.Stdout, command.Stderr = write, write
	printed := &program.Output{}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(printed, read)
	}()
	end, err := proc.Run(command, gracePeriod)
	_ = write.Close()
	drainOutput(read, copied)
	return commandResult{end, command.ProcessState, printed}, err
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

// verdict returns the verdict for the way in which the program ended.
func (r commandResult) verdict(ctx context.Context) rollout.Verdict {
	took := roundUp(r.Took)
	switch {
	case r.Stopped && errors.Is(ctx.Err(), context.Canceled):
		return rollout.Verdict{Status: rollout.Errored, Err: ctx.Err(),
			Detail: fmt.Sprintf("still running after %s (evaluation canceled); its process group was stopped%s", took, r.output.Text())}
	case r.Stopped:
		return rollout.Verdict{Status: rollout.Errored, Err: context.DeadlineExceeded,
			Detail: fmt.Sprintf("still running after %s (gate timeout); its process group was stopped%s", took, r.output.Text())}
	case r.state.Success():
		return rollout.Verdict{Status: rollout.Pass, Detail: fmt.Sprintf("exit status 0 in %s%s", took, r.output.LastLine())}
	case r.state.ExitCode() == exitTempFail:
		return rollout.Verdict{Status: rollout.Inconclusive,
			Detail: fmt.Sprintf("exit status %d in %s: not decided yet%s", exitTempFail, took, r.output.Text())}
	case r.state.ExitCode() < 0:
		return rollout.Verdict{Status: rollout.Errored, Err: errNotDecided,
			Detail: fmt.Sprintf("ended by a signal that the gate did not send (%s) after %s%s", r.state, took, r.output.Text())}
	case r.state.ExitCode() == exitNotExecutable || r.state.ExitCode() == exitNotFound:
		return rollout.Verdict{Status: rollout.Errored, Err: errNotDecided,
			Detail: fmt.Sprintf("%s in %s: a command was not found or could not be run%s", r.state, took, r.output.Text())}
	}
	return rollout.Verdict{Status: rollout.Fail, Detail: fmt.Sprintf("%s in %s, expected exit status 0%s", r.state, took, r.output.Text())}
}
