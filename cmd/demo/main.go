// Command demo shows releases on this machine, without an account and without
// any configuration: a good one, a bad one that is caught, and one that is
// interrupted; one between two colours that is taken back by one line; and ones
// in which the old environment is drained and destroyed. Everything in it is real but the load balancer, which
// is localalb: the provider, Terraform, the application's processes and the
// requests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == rehearsal.AppCommand {
		exit(rehearsal.AppMain(os.Args[2:]))
		return
	}
	rate := flag.Int("rate", 500, "requests a second")
	clients := flag.Int("clients", 32, "clients at the same time")
	stage := flag.Bool("stage", false, "only set the stage for examples/quickstart and wait")
	example := flag.String("example", "", "with -stage: another of the examples, such as two-colours")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, options{rate: *rate, clients: *clients, stageOnly: *stage, example: *example}))
}

type options struct {
	rate, clients int
	stageOnly     bool
	example       string
}

// errActs says that an act did not end as it should; the table says which.
var errActs = errors.New("not every act ended as it should")

func run(ctx context.Context, o options) error {
	d, err := setUp(ctx, o)
	if err != nil {
		return err
	}
	defer d.close()
	if o.stageOnly && o.example != "" {
		return d.waitInExample(ctx)
	}
	if o.stageOnly {
		return d.waitOnStage(ctx)
	}
	results, err := d.play(ctx)
	if err != nil {
		return err
	}
	printTable(os.Stdout, results)
	for _, r := range results {
		if len(r.wrong) > 0 {
			return errActs
		}
	}
	return nil
}

// cacheDir keeps what is built or fetched once.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	dir := filepath.Join(base, "terraform-provider-bluegreen")
	return dir, os.MkdirAll(dir, 0o755)
}

func exit(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "demo:", err)
	os.Exit(1)
}
