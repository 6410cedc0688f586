// Command localalb runs a stand-in for Elastic Load Balancing v2 on this machine, with the part of CloudWatch that
// tells how a release goes: the AWS command line, the SDKs and Terraform use it as they use AWS, and its listeners
// really serve traffic. It is for tests and for rehearsing a release, not for production, and keeps nothing after
// it has ended.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localalb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "localalb:", err)
		os.Exit(1)
	}
}

// run starts the server, says where it is, and serves until ctx ends.
func run(ctx context.Context, args []string, out, diagnostics io.Writer) (err error) {
	opts, err := parse(args, diagnostics)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(diagnostics, nil))
	srv, err := localalb.Start(append(opts, localalb.WithLogger(log))...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	if err := announce(out, srv); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func announce(out io.Writer, srv *localalb.Server) error {
	lines := []string{
		"Not for production: a stand-in for Elastic Load Balancing that keeps nothing after exit.",
		"endpoint:   " + srv.URL(),
	}
	if url := srv.ManagementURL(); url != "" {
		lines = append(lines, "management: "+url+"  (GET /listeners /counts /faults /healthz, POST and DELETE /faults)")
	}
	lines = append(lines,
		"export AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2="+srv.URL(),
		"export AWS_ENDPOINT_URL_CLOUDWATCH="+srv.URL(),
		"Any credentials will do. Stop with Ctrl-C.",
	)
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

func parse(args []string, diagnostics io.Writer) ([]localalb.Option, error) {
	flags := flag.NewFlagSet("localalb", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	address := flags.String("address", "127.0.0.1:9000", "where the API listens")
	management := flags.String("management", "127.0.0.1:9001", "where the management port listens, a loopback address; empty: off")
	region := flags.String("region", "us-east-1", "region of calls whose signature names none")
	account := flags.String("account", "123456789012", "account number in every ARN")
	fast := flags.Duration("fast-health", 0, "interval of all health checks, whatever the groups say; not as AWS, which has none under 5s (0: as the groups say)")
	late := flags.Duration("propagation", 0, "how long after a change of routing the listeners obey it")
	period := flags.Duration("metrics-period", time.Minute, "how often the balancer's own figures have a point in CloudWatch and, if it is under 1m, alarms are evaluated;\nwhole seconds that divide a minute, or whole minutes. AWS has no clock but 1m: label every figure got with another one so")
	unseen := flags.Duration("metrics-late", time.Minute, "how long after the end of its period a point can be seen. AWS has no such setting, and experience says about 1m:\nlabel every figure got with another one so")
	ephemeral := flags.Bool("ephemeral-ports", false, "let listeners listen on free ports instead of those asked for; GET /listeners tells them")
	flags.Usage = func() { usage(flags) }
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	opts := []localalb.Option{
		localalb.WithAddress(*address), localalb.WithManagement(*management), localalb.WithRegion(*region), localalb.WithAccount(*account),
		localalb.WithFastHealth(*fast), localalb.WithPropagation(*late), localalb.WithMetricsClock(*period, *unseen),
	}
	if *ephemeral {
		opts = append(opts, localalb.WithEphemeralPorts())
	}
	return opts, nil
}

func usage(flags *flag.FlagSet) {
	fmt.Fprint(flags.Output(), `localalb is a stand-in for Elastic Load Balancing v2 on this machine. It answers the AWS command line, the
SDKs and Terraform, and its listeners really serve HTTP: they choose target groups by weight, check health,
stick, drain and count. It is not for production and keeps nothing after exit.

  localalb &
  export AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2=http://127.0.0.1:9000
  aws elbv2 create-load-balancer --name app --subnets subnet-1 subnet-2

It answers the CloudWatch calls that judge a release too: the balancer's own figures from its real traffic,
metrics of your own, and alarms.

  export AWS_ENDPOINT_URL_CLOUDWATCH=http://127.0.0.1:9000
  aws cloudwatch set-alarm-state --alarm-name errors --state-value ALARM --state-reason rehearsal

It fails on demand. Kinds: Throttle, ServerError, DropConnection, DropAnswer, LostWrite, StaleRead, SlowRead,
Slow, LateSync, AccessDenied, ExpiredToken; action, arn, skip, times and delay are optional.

  curl -d '{"kind": "Throttle", "action": "ModifyListener", "times": 3}' http://127.0.0.1:9001/faults
  curl -X DELETE http://127.0.0.1:9001/faults

Flags:
`)
	flags.PrintDefaults()
}
