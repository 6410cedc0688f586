// Command localapp builds on this machine what a user's own Terraform builds
// on AWS: target groups, the rules for test traffic, and machines that really
// answer, behind the local load balancer (cmd/localalb). Terraform runs it from
// the examples' own modules, so that the examples need neither an account nor
// hashicorp/aws. It is for rehearsals and tests, not for production.
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
	if len(os.Args) > 1 && os.Args[1] == rehearsal.MachineCommand {
		exit(rehearsal.MachineMain(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stderr))
}

// exit ends the program.
func exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "localapp:", err)
	os.Exit(1)
}

// command is one thing that localapp does.
type command struct {
	words string // "group create"
	about string
	// flags declares its own flags and returns what it does once they are read.
	flags func(*flag.FlagSet) action
}

type action func(context.Context, *rehearsal.Site) error

// run carries out the command that the first two words name.
func run(ctx context.Context, args []string, diagnostics io.Writer) error {
	if len(args) < 2 {
		usage(diagnostics)
		if len(args) == 1 && (args[0] == "-h" || args[0] == "--help" || args[0] == "help") {
			return flag.ErrHelp
		}
		return errors.New("a command has two words")
	}
	words := args[0] + " " + args[1]
	at := slices.IndexFunc(commands(), func(c command) bool { return c.words == words })
	if at < 0 {
		usage(diagnostics)
		return fmt.Errorf("there is no command %q", words)
	}
	flags := flag.NewFlagSet("localapp "+words, flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	dir := flags.String("dir", rehearsal.SiteDir, "folder in which it remembers what it has built, and keeps the log of events")
	endpoint := flags.String("endpoint", setting("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://127.0.0.1:9000"), "of the balancer's API")
	management := flags.String("management", setting("LOCALALB_MANAGEMENT", "http://127.0.0.1:9001"), "the balancer's management port")
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

// setting is an environment variable, or what stands for it.
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
	_, _ = fmt.Fprintf(out, `localapp builds, behind the local load balancer (localalb), what your own Terraform builds on AWS. The
examples use it; it is not for production.

%s
Each lists its flags with -h. Every command says what it did in the folder's events.log.
`, lines.String())
}
