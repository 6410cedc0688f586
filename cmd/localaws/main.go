// Command localaws runs a stand-in for Elastic Load Balancing v2 on this machine, with the parts of CloudWatch and Route 53
// that releases need: the AWS CLI, the SDKs and Terraform use it like AWS, and its listeners serve real traffic. It is for
// tests and for rehearsing a release, not for production, and stores nothing.
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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "localaws:", err)
		os.Exit(1)
	}
}

// run starts the server, prints its addresses, and serves until ctx ends.
func run(ctx context.Context, args []string, out, diagnostics io.Writer) (err error) {
	opts, err := parse(args, diagnostics)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(diagnostics, nil))
	srv, err := localaws.Start(append(opts, localaws.WithLogger(log))...)
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

func announce(out io.Writer, srv *localaws.Server) error {
	lines := []string{
		"localaws, a stand-in for Elastic Load Balancing. Not for production; nothing is stored.",
		"endpoint:   " + srv.URL(),
	}
	if url := srv.ManagementURL(); url != "" {
		lines = append(lines, "management: "+url+"  (GET /listeners /counts /tags /records /aliases /calls /faults /healthz, POST and DELETE /faults)")
	}
	if address := srv.DNSAddr(); address != "" {
		lines = append(lines, "dns:        "+address)
	}
	lines = append(lines,
		"export AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2="+srv.URL(),
		"export AWS_ENDPOINT_URL_CLOUDWATCH="+srv.URL(),
		"export AWS_ENDPOINT_URL_ROUTE_53="+srv.URL(),
		"export AWS_ENDPOINT_URL_LAMBDA="+srv.URL(),
		"Use any credentials. Press Ctrl-C to stop.",
	)
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

func parse(args []string, diagnostics io.Writer) ([]localaws.Option, error) {
	flags := flag.NewFlagSet("localaws", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	address := flags.String("address", "127.0.0.1:9000", "address of the API")
	management := flags.String("management", "127.0.0.1:9001", "loopback address of the management port; empty: off")
	region := flags.String("region", "us-east-1", "region of calls whose signature has none")
	account := flags.String("account", "123456789012", "account ID in every ARN")
	fast := flags.Duration("fast-health", 0, "interval of all health checks, overriding the target groups; AWS allows no less than 5s (0: as in the target groups)")
	late := flags.Duration("propagation", 0, "delay until listeners apply a routing change")
	period := flags.Duration("metrics-period", time.Minute, "period of the load balancer metrics and, below 1m, of alarm evaluation: whole seconds that divide a minute,\nor whole minutes. AWS has only 1m: say so with every figure that you measure with another value")
	unseen := flags.Duration("metrics-late", time.Minute, "delay until the metrics of a period are available; about 1m on AWS: say so with every figure that you measure\nwith another value")
	ephemeral := flags.Bool("ephemeral-ports", false, "use free ports for listeners instead of the requested ones; GET /listeners returns them")
	dns := flags.String("dns", "", "loopback address of the DNS server, for UDP and TCP, such as 127.0.0.1:9053; empty: off")
	pending := flags.Duration("dns-propagation", 100*time.Millisecond, "time for which a change of DNS records is PENDING; up to 1m on AWS")
	exact := flags.Bool("dns-exact", false, "answer exactly by the weights of records, in turns, instead of at random")
	own := flags.Bool("balancer-addresses", false, "give every load balancer a loopback address of its own, from 127.0.0.2 on (Linux)")
	activation := flags.Duration("function-activation", 0, "time for which a new version of a Lambda function is Pending")
	provisioning := flags.Duration("function-provisioning", 0, "time for which provisioned concurrency is IN_PROGRESS; a few minutes on AWS")
	flags.Usage = func() { usage(flags) }
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	opts := []localaws.Option{
		localaws.WithAddress(*address), localaws.WithManagement(*management), localaws.WithRegion(*region), localaws.WithAccount(*account),
		localaws.WithFastHealth(*fast), localaws.WithPropagation(*late), localaws.WithMetricsClock(*period, *unseen),
		localaws.WithDNS(*dns), localaws.WithRecordPropagation(*pending), localaws.WithFunctionDelays(*activation, *provisioning),
	}
	if *exact {
		opts = append(opts, localaws.WithExactDNS())
	}
	if *own {
		opts = append(opts, localaws.WithBalancerAddresses())
	}
	if *ephemeral {
		opts = append(opts, localaws.WithEphemeralPorts())
	}
	return opts, nil
}

func usage(flags *flag.FlagSet) {
	fmt.Fprint(flags.Output(), `localaws is a stand-in for Elastic Load Balancing v2 on this machine, for the AWS CLI, the SDKs and Terraform.
Its listeners serve real HTTP traffic with weighted target groups, health checks, stickiness, draining and
metrics. It is not for production and stores nothing.

  localaws &
  export AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2=http://127.0.0.1:9000
  aws elbv2 create-load-balancer --name app --subnets subnet-1 subnet-2

It also serves the CloudWatch calls that releases need: load balancer metrics of the real traffic, custom
metrics, and alarms.

  export AWS_ENDPOINT_URL_CLOUDWATCH=http://127.0.0.1:9000
  aws cloudwatch put-metric-alarm --alarm-name errors --namespace App --metric-name Errors --statistic Sum \
    --period 60 --evaluation-periods 1 --threshold 1 --comparison-operator GreaterThanThreshold
  aws cloudwatch set-alarm-state --alarm-name errors --state-value ALARM --state-reason rehearsal

With -dns it answers DNS queries from the hosted zones and record sets of Route 53, by weight, health and TTL:

  localaws -dns 127.0.0.1:9053 -balancer-addresses &
  export AWS_ENDPOINT_URL_ROUTE_53=http://127.0.0.1:9000
  aws route53 create-hosted-zone --name example.com --caller-reference 1
  dig @127.0.0.1 -p 9053 www.example.com
  curl http://127.0.0.1:9001/records
  curl -d '{"healthy": false}' http://127.0.0.1:9001/health-checks/ID

It runs the versions of Lambda functions: an invocation is a POST to the URL that the version was published with,
and an alias divides invocations between two versions by weight.

  export AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:9000
  aws lambda create-function --function-name api --role arn:aws:iam::123456789012:role/api --runtime provided.al2023 \
    --handler bootstrap --zip-file fileb://api.zip --environment 'Variables={LOCALAWS_HANDLER=http://127.0.0.1:8080}' --publish
  aws lambda create-alias --function-name api --name live --function-version 1
  aws lambda invoke --function-name api:live /dev/stdout
  curl http://127.0.0.1:9001/aliases

Faults can be injected. Kinds: Throttle, ServerError, AccessDenied, ExpiredToken, DropConnection, DropAnswer,
EmptyBody, HTMLBody, CutAnswer, EmptyList, LostWrite, StaleRead, LateTags, SlowRead, Slow, LateExecution,
LateSync, PriorRequest; action, arn, skip, times and delay are optional. LateTags needs a delay.

  curl -d '{"kind": "Throttle", "action": "ModifyListener", "times": 3}' http://127.0.0.1:9001/faults
  curl -d '{"kind": "LateTags", "delay": "10s"}' http://127.0.0.1:9001/faults
  curl -X DELETE http://127.0.0.1:9001/faults

The tags of all resources, and the calls that were made or, with wait, the first one that is made:

  curl http://127.0.0.1:9001/tags
  curl 'http://127.0.0.1:9001/calls?action=AddTags&wait=30s'

Flags:
`)
	flags.PrintDefaults()
}
