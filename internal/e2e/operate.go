package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

var (
	commandOnce sync.Once
	commandPath string
	errCommand  error
)

// BuildCommand builds cmd/bluegreen as a release does, and returns its path.
func BuildCommand(t *testing.T) string {
	t.Helper()
	built := Build(t)
	commandOnce.Do(func() {
		commandPath, errCommand = rehearsal.BuildCommand(context.WithoutCancel(t.Context()), built.Root, built.Dir)
	})
	if errCommand != nil {
		t.Fatal(errCommand)
	}
	return commandPath
}

// Operation is a run of the command bluegreen.
type Operation struct {
	Began    time.Time
	command  *exec.Cmd
	out, err bytes.Buffer
	t        *testing.T
}

// Operate starts the command bluegreen with the credentials and endpoints of Terraform, in the
// directory of the configuration.
func Operate(w *World, args ...string) *Operation {
	w.t.Helper()
	return operateIn(w.t, w.Terraform, args)
}

func operateIn(t *testing.T, terraform *rehearsal.Terraform, args []string) *Operation {
	t.Helper()
	o := &Operation{t: t, command: exec.Command(BuildCommand(t), args...)}
	o.command.Dir, o.command.Env = terraform.Dir, append(os.Environ(), terraform.Env...)
	o.command.Stdout, o.command.Stderr = &o.out, &o.err
	o.Began = time.Now()
	if err := o.command.Start(); err != nil {
		t.Fatal(err)
	}
	return o
}

// Wait waits for the end of the command, and returns what it printed and its exit code.
func (o *Operation) Wait() (out, errs string, code int) {
	o.t.Helper()
	hung := time.AfterFunc(hangTimeout(), func() { _ = o.command.Process.Kill() })
	defer hung.Stop()
	err := o.command.Wait()
	if exit, is := errors.AsType[*exec.ExitError](err); err != nil && !is {
		o.t.Fatal(err)
	} else if is && !exit.Exited() {
		o.t.Fatalf("%v did not end: %v\n%s%s", o.command.Args, err, o.out.String(), o.err.String())
	}
	return o.out.String(), o.err.String(), o.command.ProcessState.ExitCode()
}
