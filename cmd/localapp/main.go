// Command localapp creates on this machine what a user's Terraform creates on AWS:
// target groups, test rules, and instances that serve requests, behind the local load
// balancer (cmd/localaws). Terraform runs it from the modules of the examples, so that
// they need neither an AWS account nor hashicorp/aws. It is not for production.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] { // for a process that localapp or a test starts
		case rehearsal.MachineCommand:
			exit(rehearsal.MachineMain(os.Args[2:]))
		case rehearsal.AppCommand:
			exit(rehearsal.AppMain(os.Args[2:]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stderr))
}

// exit exits with an error.
func exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "localapp:", err)
	os.Exit(1)
}

// command is a command of localapp.
type command struct {
	words string // "group create"
	about string
	// flags declares the flags of the command and returns what it does.
	flags func(*flag.FlagSet) action
}

type action func(context.Context, *rehearsal.Site) error

// run runs the command that the first two arguments name.
func run(ctx context.Context, args []string, diagnostics io.Writer) error {
	if len(args) < 2 {
		usage(diagnostics)
		if len(args) == 1 && (args[0] == "-h" || args[0] == "--help" || args[0] == "help") {
			return flag.ErrHelp
		}
		return errors.New("a command consists of two words")
	}
	words := args[0] + " " + args[1]
	at := slices.IndexFunc(commands(), func(c command) bool { return c.words == words })
	if at < 0 {
		usage(diagnostics)
		return fmt.Errorf("unknown command %q", words)
	}
	flags := flag.NewFlagSet("localapp "+words, flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	dir := flags.String("dir", rehearsal.SiteDir, "directory of the records and the event log")
	endpoint := flags.String("endpoint", setting("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://127.0.0.1:9000"), "endpoint of the load balancer API")
	management := flags.String("management", setting("LOCALAWS_MANAGEMENT", "http://127.0.0.1:9001"), "management port of the load balancer")
	do := commands()[at].flags(flags)
	if err := flags.Parse(args[2:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	site, err := rehearsal.OpenSite(*dir, *endpoint, *management)
	if err != nil {
		return err
	}
	return do(ctx, site)
}

// setting is the value of an environment variable, or the default.
func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func usage(out io.Writer) {
	var lines strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&lines, "  localapp %-17s %s\n", c.words, c.about)
	}
	_, _ = fmt.Fprintf(out, `localapp builds, behind the local load balancer (localaws), what your own Terraform builds on AWS. The
examples use it; it is not for production.

%s
Each lists its flags with -h. Every command says what it did in the folder's events.log.
`, lines.String())
}
