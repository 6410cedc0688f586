package e2e

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// Apply is an apply in progress.
type Apply struct {
	Command *exec.Cmd
	t       *testing.T
	out     bytes.Buffer
	ended   chan error
}

// Start starts an apply.
func (w *World) Start(args ...string) *Apply {
	w.t.Helper()
	return startApply(w.t, w.Terraform, args)
}

func startApply(t *testing.T, terraform *rehearsal.Terraform, args []string) *Apply {
	t.Helper()
	a := &Apply{t: t, Command: terraform.Command(append([]string{"apply", "-no-color", "-auto-approve"}, args...)...)}
	a.Command.Stdout, a.Command.Stderr = &a.out, &a.out
	a.start()
	return a
}

func (a *Apply) start() {
	a.t.Helper()
	if err := a.Command.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.ended = make(chan error, 1)
	go func() { a.ended <- a.Command.Wait() }()
}

// Wait waits for the end of the apply and returns what it printed, and whether it
// succeeded.
func (a *Apply) Wait() (string, bool) {
	a.t.Helper()
	select {
	case err := <-a.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			a.t.Fatalf("terraform could not be waited for: %v", err)
		}
		return a.out.String(), err == nil
	case <-time.After(hangTimeout()):
		_ = a.Command.Process.Kill()
		err := <-a.ended
		a.t.Fatalf("%v has not ended within %s (%v):\n%s", a.Command.Args, hangTimeout(), err, a.out.String())
		return "", false
	}
}

// ErrorsIn returns the errors that Terraform printed, each paragraph unwrapped to
// one line, without the excerpt of the configuration.
func ErrorsIn(out string) string {
	var all []string
	for part := range strings.SplitSeq(out, "Error: ") {
		var paragraphs []string
		for paragraph := range strings.SplitSeq(part, "\n\n") {
			text := strings.Join(strings.Fields(strings.Trim(paragraph, "\n╷╵│")), " ")
			if text != "" && !strings.HasPrefix(text, "with ") && !strings.HasPrefix(text, "on ") {
				paragraphs = append(paragraphs, text)
			}
		}
		all = append(all, strings.Join(paragraphs, "\n"))
	}
	return strings.Join(all[1:], "\n\n")
}
