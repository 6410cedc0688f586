// Command terraform-provider-bluegreen is a Terraform provider for blue/green
// and canary releases. Terraform starts it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/guard"
)

// Set by the release build.
var (
	version = "dev"
	commit  = "none"
)

func main() {
	if guard.Is(os.Args) {
		if guard.Main() != nil {
			os.Exit(1) // nobody reads a text
		}
		return
	}
	debug := flag.Bool("debug", false, "run for a debugger, and print the value of TF_REATTACH_PROVIDERS")
	show := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *show {
		fmt.Printf("terraform-provider-bluegreen %s (%s)\n", version, commit)
		return
	}
	// A SIGTERM to the whole process group, as CI runners and containers send it, must
	// not end a rollback, which Terraform requests over RPC. Neither must SIGHUP of a
	// closed terminal, nor SIGPIPE when logging to a Terraform that was killed.
	proc.Discard(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	busy, parent := new(provider.Busy), os.Getppid()
	if !*debug {
		go endWithParent(busy, parent)
	}
	var options []tf6server.ServeOpt
	if *debug {
		options = append(options, tf6server.WithManagedDebug())
	}
	err := tf6server.Serve(provider.Address, provider.NewServer(version, busy, provider.WithGuardian()), options...)
	if os.Getppid() == parent {
		finish(busy)
	}
	// At a second Ctrl-C Terraform exits immediately and stops the server. A running
	// rollback is brief and can finish: Terraform kills a plugin two seconds after it
	// asked it to stop.
	await(busy)
	if err != nil {
		log.Fatal(err)
	}
}

// await returns when no shift is running.
func await(busy *provider.Busy) {
	for busy.Shifts() > 0 {
		time.Sleep(5 * time.Millisecond)
	}
}

// finishTimeout is below the two seconds after which Terraform kills a plugin that it asked to
// stop.
const finishTimeout = 1800 * time.Millisecond

// finish removes the records of shifts whose end Terraform saved.
func finish(busy *provider.Busy) {
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	if err := busy.Finish(ctx); err != nil {
		log.Printf("[WARN] a record of a shift was not removed; the next plan shows it: %s", err)
	}
}

// endWithParent exits when Terraform is gone and every shift has finished. Nothing else
// would, because SIGPIPE is discarded.
func endWithParent(busy *provider.Busy, parent int) {
	for range time.Tick(time.Second) {
		if os.Getppid() != parent && busy.Shifts() == 0 {
			os.Exit(0)
		}
	}
}
