// Command terraform-provider-bluegreen is a Terraform provider for blue/green
// and canary releases. Terraform starts it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider"
)

// What a release fills in.
var (
	version = "dev"
	commit  = "none"
)

func main() {
	debug := flag.Bool("debug", false, "serve for a debugger, and print what Terraform needs to attach")
	show := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *show {
		fmt.Printf("terraform-provider-bluegreen %s (%s)\n", version, commit)
		return
	}
	// A SIGTERM that goes to the whole process group, as runners and containers
	// send it, must not end the way back: Terraform asks for it over RPC. Nor
	// must the SIGHUP of a terminal that is gone, which ends Terraform, or a log
	// line to a Terraform that was killed.
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	busy := new(provider.Busy)
	if !*debug {
		go endWithParent(busy)
	}
	err := providerserver.Serve(context.Background(), provider.New(version, busy), providerserver.ServeOpts{
		Address: provider.Address,
		Debug:   *debug,
	})
	// At a second Ctrl-C Terraform ends at once and takes the server with it. The
	// way back that is under way needs no more than a moment, and has one: a plugin
	// is killed two seconds after it was told to end.
	await(busy)
	if err != nil {
		log.Fatal(err)
	}
}

// await returns when no shift is under way.
func await(busy *provider.Busy) {
	for busy.Shifts() > 0 {
		time.Sleep(5 * time.Millisecond)
	}
}

// endWithParent ends the process when Terraform is gone and every shift has
// come to its end: since SIGPIPE is ignored, nothing else would.
func endWithParent(busy *provider.Busy) {
	parent := os.Getppid()
	for range time.Tick(time.Second) {
		if os.Getppid() != parent && busy.Shifts() == 0 {
			os.Exit(0)
		}
	}
}
