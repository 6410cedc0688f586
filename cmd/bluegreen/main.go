// Command bluegreen operates shifts of the Terraform provider bluegreen without Terraform: it shows
// them, rolls them back, and recovers abandoned ones. It needs the ARNs of the routes, or a state
// file, and AWS credentials; no Terraform, no state lock.
//
// Exit codes: 0 done, 1 failed, 2 refused and nothing was changed, 3 the shift is still running.
// The verb exec has the exit code of its command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/console"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// version and commit are set by the linker.
var version, commit = "dev", "none"

// cli is the command line. Each verb is one field and a file or a few lines of its own.
type cli struct {
	Status     statusVerb     `cmd:"" help:"Show routes, weights, target health, the shift in progress and the rejected version."`
	Rollback   rollbackVerb   `cmd:"" help:"Return all traffic to where the shift started, or to --to, with one write per route. Rejects the version."`
	Recover    recoverVerb    `cmd:"" help:"Roll back a shift whose process has ended. Does nothing if there is none. For steps of CI that always run."`
	Approve    approveVerb    `cmd:"" help:"Approve a gate of a running shift at its present step."`
	Promote    promoteVerb    `cmd:"" help:"End the hold of a running shift now, once its gates pass."`
	Abort      abortVerb      `cmd:"" help:"Make a running shift roll back now. Rejects the version."`
	Watch      watchVerb      `cmd:"" help:"Follow a shift until it ends, by the record on its routes or in its journal (default: that of $$BLUEGREEN_REPORT_DIR). The exit code is its outcome."`
	History    historyVerb    `cmd:"" help:"List the shifts of a folder of journals."`
	Report     reportVerb     `cmd:"" help:"Write the page of a shift, and print its path."`
	Exec       execVerb       `cmd:"" help:"Run Terraform or OpenTofu so that a shift is followed, and is not left open if the job is killed."`
	Export     exportVerb     `cmd:"" help:"Send the journal of a shift as a trace to an OpenTelemetry receiver."`
	Completion completionVerb `cmd:"" help:"Print the completion script of a shell."`

	Color   string           `enum:"auto,always,never" default:"auto" help:"Color: auto, always or never. Default: auto, on a terminal, as NO_COLOR and CLICOLOR_FORCE say."`
	Version kong.VersionFlag `help:"Print the version."`
}

// streams are what the command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	terminal bool // in and out are a terminal, so that somebody can be asked
	screen   bool // out is a terminal
	color    bool // out has color; with screen: it is redrawn in place
	getenv   func(string) (string, bool)
}

func main() {
	proc.Discard(syscall.SIGPIPE) // a closed pager must not end a rollback
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	os.Exit(run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr,
		terminal: isTerminal(os.Stdin) && isTerminal(os.Stdout), screen: isTerminal(os.Stdout), getenv: os.LookupEnv}))
}

// run runs the command line and returns the exit code.
func run(ctx context.Context, args []string, s streams) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("bluegreen"), kong.Description("Operates shifts of the Terraform provider bluegreen, without Terraform."),
		kong.Writers(s.out, s.err), kong.Exit(func(code int) { exited = code }),
		kong.Vars{"version": fmt.Sprintf("bluegreen %s (%s)", version, commit)})
	if err != nil {
		fmt.Fprintln(s.err, err)
		return int(operate.Failed)
	}
	verb, err := parser.Parse(args)
	switch {
	case exited >= 0: // help or version
		return exited
	case err != nil:
		fmt.Fprintf(s.err, "Error: %v. Run bluegreen --help.\n", err)
		return int(operate.Refused)
	}
	if s.color = console.HasColor(c.Color, s.screen, s.getenv); s.color {
		console.EnableColor(os.Stdout)
	}
	verb.BindTo(ctx, (*context.Context)(nil))
	err = verb.Run(s, parser)
	if problem, is := errors.AsType[*operate.Problem](err); is {
		return int(problem.Exit)
	}
	if err != nil {
		fmt.Fprintln(s.err, "Error:", err)
		return int(operate.Failed)
	}
	return int(operate.Done)
}
