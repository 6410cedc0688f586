package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// The versions that the scenarios release, in order.
const (
	first  = "1.4.2" // live at the start
	second = "1.5.0" // good
	third  = "1.6.0" // passes every test, and fails under real traffic
	fourth = "1.6.1" // good, but its release is interrupted
	fifth  = "1.6.2" // answers everything, three times slower
)

// demo is the local stack: provider, Terraform, load balancer, application and load.
type demo struct {
	options
	printer
	*rehearsal.Release
	balancer *localaws.Server
	dir      string
	reports  string // folder of the reports, which remains
	command  string // path of the command bluegreen
	journals string // the file in which those of the Release are announced
	load     *rehearsal.Load
	watching *watch
	// examples are the common terms of the example runs; each adds a name and a directory.
	examples rehearsal.ExampleTerms
	mu       sync.Mutex
	runs     []*exampleRun // guarded by mu
}

func setUp(ctx context.Context, o options) (*demo, error) {
	d := &demo{options: o, printer: printer{os.Stdout}}
	binary, cliConfig, err := d.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.start(ctx, binary, cliConfig); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// prepare finds or downloads Terraform and builds the provider.
func (d *demo) prepare(ctx context.Context) (binary, cliConfig string, err error) {
	cache, err := cacheDir()
	if err != nil {
		return "", "", err
	}
	binary, err = rehearsal.FindTerraform()
	if errors.Is(err, rehearsal.ErrNoTerraform) {
		d.say("Neither terraform nor tofu is on PATH: downloading Terraform into %s", cache)
		binary, err = rehearsal.FetchTerraform(ctx, cache)
	}
	if err != nil {
		return "", "", err
	}
	root, err := rehearsal.ModuleRoot(ctx)
	if err != nil {
		return "", "", err
	}
	d.say("Building the provider for %s", filepath.Base(binary))
	if cliConfig, err = rehearsal.BuildProvider(ctx, root, cache); err != nil {
		return "", "", err
	}
	if d.command, err = rehearsal.BuildCommand(ctx, root, cache); err != nil {
		return "", "", err
	}
	d.reports = filepath.Join(cache, "demo-reports") // of the last demo
	if d.setupOnly {
		// Nothing is reported, and another demo may be writing its reports.
		return binary, cliConfig, nil
	}
	return binary, cliConfig, os.RemoveAll(d.reports)
}

// start starts the load balancer and the first two versions of the application.
func (d *demo) start(ctx context.Context, binary, cliConfig string) (err error) {
	// The shortest health check interval of AWS is 5 s, which is too long for a demo.
	d.balancer, err = localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(fastHealth),
		localaws.WithMetricsClock(metricsPeriod, metricsLate), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "bluegreen-demo-"); err != nil {
		return err
	}
	root, err := rehearsal.ModuleRoot(ctx)
	if err != nil {
		return err
	}
	bin, err := rehearsal.BuildLocalapp(ctx, root, filepath.Dir(cliConfig))
	if err != nil {
		return err
	}
	d.examples = rehearsal.ExampleTerms{Binary: binary, CLIConfig: cliConfig, Localapp: bin,
		Sources: []string{filepath.Join(root, "examples")}, Pace: examplePace}
	d.Release, err = rehearsal.NewRelease(ctx, rehearsal.ReleaseTerms{
		Binary: binary, CLIConfig: cliConfig, Root: root, Dir: d.dir,
		Endpoint: d.balancer.URL(), ListenerAddr: d.balancer.ListenerAddr,
		Pace: rehearsal.Pace{Hold: "2s", Settle: "1s", SteadyFor: "1s",
			Period: metricsPeriod.String(), Lag: metricsLate.String(), Interval: "250ms"}})
	if err != nil {
		return err
	}
	d.journals = filepath.Join(d.dir, "journals")
	env, err := d.reporting(d.journals)
	if err != nil {
		return err
	}
	d.Terraform.Env = append(d.Terraform.Env, env...)
	for _, t := range []struct{ environment, version string }{{"blue", first}, {"green", second}} {
		if err := d.Deploy(ctx, t.environment, rehearsal.AppTerms{Version: t.version, Delay: appDelay}); err != nil {
			return err
		}
	}
	d.say("A local load balancer (localaws, not for production) listens on %s.", d.URL)
	d.say("Its metrics have a period of %s and a delay of %s; on AWS both are a minute.", metricsPeriod, metricsLate)
	return nil
}

// sayCommand prints how the command is called in the other terminal.
func (d *demo) sayCommand(p printer) {
	p.say("  alias bluegreen=%q # for bluegreen status, watch, promote and so on", d.command)
}

// serveQuickstart runs the local stack for the quickstart until Ctrl-C.
func (d *demo) serveQuickstart(ctx context.Context) error {
	if err := d.Configure("blue"); err != nil {
		return err
	}
	// The gate of the quickstart evaluates user requests, so there are some.
	d.load = rehearsal.StartLoad(rehearsal.LoadTerms{URL: d.URL, Rate: d.rate, Clients: d.clients})
	d.say("\nReady: blue runs %s and receives %d requests per second; green runs %s. In another terminal:\n", first, d.rate, second)
	d.say("  cd %s", d.dir)
	for _, line := range d.Terraform.Env {
		d.say("  export %s", line)
	}
	d.sayCommand(d.printer)
	binary := filepath.Base(d.Terraform.Binary)
	d.say("  %-40s # adopts the listener, moves no traffic", binary+" init && "+binary+" apply")
	d.say("  %-40s # a release", binary+" apply -var active=green")
	d.say("\nPress Ctrl-C here to stop.")
	<-ctx.Done()
	return nil
}

func (d *demo) close() {
	if d.load != nil {
		d.load.Stop()
	}
	if d.watching != nil {
		d.watching.stop()
	}
	for _, s := range d.runs {
		s.close()
	}
	if d.Release != nil {
		d.Close()
	}
	if d.balancer != nil {
		_ = d.balancer.Close()
	}
	if d.dir != "" {
		_ = os.RemoveAll(d.dir)
	}
}
