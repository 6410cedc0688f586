// Command demo runs releases on this machine, without an AWS account and without any
// configuration: a good one, a bad one that is rolled back, one that is interrupted,
// one between two environments that is reverted by one line, and ones in which the
// old environment is drained and destroyed. Everything is real (the provider,
// Terraform, the application's processes and the requests) except for the load
// balancer, which is localaws.
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
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == rehearsal.AppCommand {
		exit(rehearsal.AppMain(os.Args[2:]))
		return
	}
	rate := flag.Int("rate", 500, "requests per second")
	clients := flag.Int("clients", 32, "number of concurrent clients")
	setup := flag.Bool("setup", false, "only start the load balancer and the application for examples/quickstart, and wait")
	example := flag.String("example", "", "with -setup: use another example, such as two-environments")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, options{rate: *rate, clients: *clients, setupOnly: *setup, example: *example}))
}

type options struct {
	rate, clients int
	setupOnly     bool
	example       string
}

// errScenarios reports that a scenario failed; the table says which.
var errScenarios = errors.New("not every scenario passed")

func run(ctx context.Context, o options) error {
	d, err := setUp(ctx, o)
	if err != nil {
		return err
	}
	defer d.close()
	if o.setupOnly && o.example != "" {
		return d.serveExample(ctx)
	}
	if o.setupOnly {
		return d.serveQuickstart(ctx)
	}
	results, err := d.runAll(ctx)
	if err != nil {
		return err
	}
	printTable(os.Stdout, results)
	d.say("\nReports of all shifts: %s", filepath.Join(d.reports, report.IndexName))
	for _, r := range results {
		if len(r.wrong) > 0 {
			return errScenarios
		}
	}
	return nil
}

// cacheDir returns the directory for what is built or downloaded once.
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
