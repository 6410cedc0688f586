// Command bluegreen operates shifts of the Terraform provider bluegreen without Terraform: it shows
// them, rolls them back, and recovers abandoned ones. It needs the routes, or a state
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
	Rollback   rollbackVerb   `cmd:"" help:"Return all traffic to where the shift started, or to --to, with one write per route. The version is rejected, if the shift left a record."`
	Recover    recoverVerb    `cmd:"" help:"Roll back an abandoned shift of load balancers. Does nothing if there is none, so a CI job can always run it."`
	Approve    approveVerb    `cmd:"" help:"Approve a gate of a running shift of load balancers at its current step."`
	Promote    promoteVerb    `cmd:"" help:"End the hold of a running shift of load balancers now, once its gates pass."`
	Abort      abortVerb      `cmd:"" help:"Make a running shift of load balancers roll back now. The version is rejected."`
	Watch      watchVerb      `cmd:"" help:"Follow a shift until it ends. The exit code is its outcome: 0 completed, 1 not completed, 3 still running. Without routes, the journals are those of BLUEGREEN_REPORT_DIR."`
	History    historyVerb    `cmd:"" help:"List past shifts, from a folder of journals."`
	Report     reportVerb     `cmd:"" help:"Write the HTML report of a shift, and print its path."`
	Exec       execVerb       `cmd:"" help:"Run Terraform or OpenTofu with progress lines. If the job is killed, the shift is rolled back and the state is saved."`
	Export     exportVerb     `cmd:"" help:"Send a shift as a trace to an OpenTelemetry receiver."`
	Completion completionVerb `cmd:"" help:"Print the completion script of a shell."`

	Color   string           `enum:"auto,always,never" default:"auto" help:"Use color: auto, always or never. auto is color on a terminal, unless NO_COLOR is set."`
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
	parser, err := kong.New(&c, kong.Name("bluegreen"), kong.Description("Shows, steers and rolls back shifts of the Terraform provider bluegreen, without Terraform.\n\nExit codes: 0 done, 1 failed, 2 refused and nothing was changed, 3 the shift is still running. The exit code of exec is that of its command."),
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
		fmt.Fprintf(s.err, "Error: %v\n\nRun bluegreen --help for usage.\n", err)
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
