package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// exitTempFail is the exit status that is inconclusive: EX_TEMPFAIL of sysexits.h.
const exitTempFail = 75

// Command is the arguments of the kind "command": a program that is run once per
// call, by whose exit status it is decided. 0 passes, 75 is inconclusive, any
// other fails, and so does an end by a signal. A program that cannot be started,
// and one that is still running at the gate's timeout, are errors.
//
// There is no shell: Argv is what the program gets. Its standard input is empty.
// It runs in a process group of its own. When the call ends, at the timeout or
// for an interrupt, the whole group is asked to end (SIGTERM) and ended 400 ms
// later (SIGKILL); and when the program ends, so is whatever it has left running
// in the group. On Windows the program's tree is ended at once (taskkill), and
// what a program leaves behind that has ended itself is not found.
//
// It gets the environment that Terraform runs in, Env, and the place in the shift
// in variables of its own:
//
//	BLUEGREEN_GATE             the gate's name
//	BLUEGREEN_SHIFT            the id of this shift
//	BLUEGREEN_PART             before, during or after
//	BLUEGREEN_STEP             1 is the first step; 0 before any traffic
//	BLUEGREEN_STEPS            how many steps there are, the one at 100 % included
//	BLUEGREEN_ATTEMPT          how often the gate was asked since the last change of weights, from 1
//	BLUEGREEN_ELAPSED_SECONDS  since the shift began
//	BLUEGREEN_FROM             blue=100,green=0: percent before the shift; empty where nothing had traffic
//	BLUEGREEN_TO               ... after it
//	BLUEGREEN_WEIGHTS          ... now
//	BLUEGREEN_ENVIRONMENTS     environments that receive, by comma
//	BLUEGREEN_TARGET_GROUPS    web=arn:...,api=arn:...: their target groups by entry point
//	BLUEGREEN_MOMENT           all of it as the JSON that a webhook gets
//
// The last lines of its output are told as they are, and nothing is masked in
// them: it must not print a secret.
type Command struct {
	Argv       []string          // the program and its arguments; at least the program
	WorkingDir string            // where it runs; empty: where Terraform runs
	Env        map[string]string // added to the environment; shown in plans, so no place for secrets
}

// Check returns everything that is wrong with the arguments, without looking at
// the machine.
func (c Command) Check() []*ArgumentError {
	var errs []*ArgumentError
	switch {
	case len(c.Argv) == 0:
		errs = append(errs, &ArgumentError{Argument: "argv", Err: ErrMissing})
	case c.Argv[0] == "":
		errs = append(errs, invalid("argv", "its first element, the program, is empty"))
	case slices.ContainsFunc(c.Argv, hasNUL):
		errs = append(errs, invalid("argv", "an element has a NUL character"))
	}
	if hasNUL(c.WorkingDir) {
		errs = append(errs, invalid("working_dir", "it has a NUL character"))
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
	case slices.ContainsFunc(variables(inputBody{}, ""), func(own variable) bool { return own.name == name }):
		return fmt.Errorf("%w: the gate sets it itself", ErrInvalid)
	case hasNUL(value):
		return fmt.Errorf("%w: its value has a NUL character", ErrInvalid)
	}
	return checkVariable(name)
}

// NewCommand returns a gate of the kind, which is also a rollout.Preflight: before
// anything is written it looks whether the program is there. It returns what is
// wrong with the arguments as *ArgumentError, joined.
func NewCommand(c Command, means Dependencies) (rollout.Gate, error) {
	if errs := c.Check(); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	return &commandGate{Command: c, means: means}, nil
}

// Absent says what the command lacks on this machine to be started: the program,
// or the folder it runs in. It is nil where nothing is missing.
func (c Command) Absent(means Dependencies) error {
	_, err := c.find(means)
	return err
}

type commandGate struct {
	Command
	means Dependencies
}

// errNotStarted is the cause where there was nothing to run.
var errNotStarted = errors.New("the command could not be started")

// Preflight implements rollout.Preflight.
func (g *commandGate) Preflight(context.Context, rollout.GateInput) rollout.Verdict {
	found, err := g.find(g.means)
	if err != nil {
		return g.withProgram(rollout.Verdict{Status: rollout.Errored, Detail: err.Error(), Err: errNotStarted})
	}
	return g.withProgram(rollout.Verdict{Status: rollout.Pass, Detail: "found at " + found})
}

// Evaluate implements rollout.Gate.
func (g *commandGate) Evaluate(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	found, err := g.find(g.means)
	if err != nil {
		return g.withProgram(rollout.Verdict{Status: rollout.Errored, Detail: err.Error(), Err: errNotStarted})
	}
	env, err := g.environment(m)
	if err != nil {
		return g.withProgram(rollout.Verdict{Status: rollout.Errored, Detail: err.Error(), Err: errNotStarted})
	}
	done, err := run(ctx, process{path: found, argv: g.Argv, dir: g.WorkingDir, env: env})
	if err != nil {
		return g.withProgram(g.notStarted(ctx, err))
	}
	return g.withProgram(done.verdict(ctx))
}

// withProgram names the program alone: an argument may be a secret.
func (g *commandGate) withProgram(v rollout.Verdict) rollout.Verdict {
	v.Detail = "command " + g.Argv[0] + ": " + v.Detail
	return v
}

func (g *commandGate) notStarted(ctx context.Context, err error) rollout.Verdict {
	v := rollout.Verdict{Status: rollout.Errored, Detail: "it could not be started: " + err.Error(), Err: errNotStarted}
	if ctx.Err() != nil {
		v.Detail, v.Err = "it was not started, as the time for it was over", ctx.Err()
	}
	return v
}

// verdict goes by how the program ended.
func (d processResult) verdict(ctx context.Context) rollout.Verdict {
	took := roundUp(d.took)
	switch {
	case d.stopped && errors.Is(ctx.Err(), context.Canceled):
		return rollout.Verdict{Status: rollout.Errored, Err: ctx.Err(),
			Detail: fmt.Sprintf("still running after %s, when nobody waited for it any more; its process group was ended%s", took, d.output.outputText())}
	case d.stopped:
		return rollout.Verdict{Status: rollout.Errored, Err: context.DeadlineExceeded,
			Detail: fmt.Sprintf("still running after %s, when the gate's timeout was over; its process group was ended%s", took, d.output.outputText())}
	case d.state.Success():
		return rollout.Verdict{Status: rollout.Pass, Detail: fmt.Sprintf("exit status 0 in %s%s", took, d.output.lastLineText())}
	case d.state.ExitCode() == exitTempFail:
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: fmt.Sprintf("exit status %d in %s, not yet%s", exitTempFail, took, d.output.outputText())}
	}
	return rollout.Verdict{Status: rollout.Fail, Detail: fmt.Sprintf("%s in %s, wanted exit status 0%s", d.state, took, d.output.outputText())}
}
