package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// commands returns all commands. Creating what exists and deleting what does not exist
// both succeed, because Terraform may run a provisioner again.
func commands() []command {
	return []command{
		{"balancer create", "create a load balancer whose listener responds with 503 until a switch replaces that", createBalancer},
		{"network create", "create a Network Load Balancer whose listener forwards to a target group", createNetwork},
		{"balancer delete", "delete the load balancer with its listener", named((*rehearsal.Site).DeleteBalancer)},
		{"group create", "create a target group", createGroup},
		{"group delete", "delete the target group, once it is in no listener or rule", named((*rehearsal.Site).DeleteGroup)},
		{"rule create", "create a rule that sends test traffic to a target group by a header", createRule},
		{"rule delete", "delete the rule", named((*rehearsal.Site).DeleteRule)},
		{"machine start", "start processes of the application and register them; replaces running ones of the name", fleet((*rehearsal.Site).StartMachines)},
		{"machine stop", "deregister the processes and kill them", versioned((*rehearsal.Site).StopMachines)},
		{"service put", "like machine start, but refused, as by ECS, while the target group is in no listener or rule", fleet((*rehearsal.Site).PutService)},
		{"service delete", "like machine stop", versioned((*rehearsal.Site).DeleteService)},
		{"function publish", "start a process of the application and publish a version of a Lambda function that runs there", publishVersion},
		{"function delete", "delete a version that no alias has, and end its process", deleteVersion},
		{"alias create", "create an alias that sends all invocations to the version of an environment", createAlias},
		{"alias delete", "delete the alias", deleteAlias},
		{"database migrate", "simulate a database migration", migrate},
	}
}

// named is a command with only a name.
func named(do func(*rehearsal.Site, context.Context, string) error) func(*flag.FlagSet) action {
	return func(flags *flag.FlagSet) action {
		name := flags.String("name", "", "its name")
		return func(ctx context.Context, s *rehearsal.Site) error { return do(s, ctx, *name) }
	}
}

// versioned is a command that ends one version of a name.
func versioned(do func(*rehearsal.Site, context.Context, string, string) error) func(*flag.FlagSet) action {
	return func(flags *flag.FlagSet) action {
		name := flags.String("name", "", "its name")
		version := flags.String("version", "", "do nothing if another version runs; empty: any version")
		return func(ctx context.Context, s *rehearsal.Site) error { return do(s, ctx, *name, *version) }
	}
}

func createBalancer(flags *flag.FlagSet) action {
	name := flags.String("name", "", "its name")
	port := flags.Int("port", 8080, "port of the listener")
	return func(ctx context.Context, s *rehearsal.Site) error { return s.CreateBalancer(ctx, *name, int32(*port)) }
}

func createNetwork(flags *flag.FlagSet) action {
	name := flags.String("name", "", "its name")
	port := flags.Int("port", 8443, "port of the listener")
	group := flags.String("group", "", "ARN of the target group")
	return func(ctx context.Context, s *rehearsal.Site) error {
		return s.CreateNetwork(ctx, *name, int32(*port), *group)
	}
}

func createGroup(flags *flag.FlagSet) action {
	name := flags.String("name", "", "its name")
	protocol := flags.String("protocol", "HTTP", "protocol of the targets")
	delay := flags.Duration("deregistration-delay", 2*time.Second, "deregistration delay")
	return func(ctx context.Context, s *rehearsal.Site) error {
		return s.CreateGroup(ctx, *name, *protocol, *delay)
	}
}

func createRule(flags *flag.FlagSet) action {
	var t rehearsal.TestRule
	flags.StringVar(&t.Name, "name", "", "its name")
	flags.StringVar(&t.Listener, "listener", "", "ARN of the listener")
	flags.StringVar(&t.Group, "group", "", "ARN of the target group")
	flags.StringVar(&t.Environment, "environment", "", "value of the header "+rehearsal.EnvironmentHeader)
	return func(ctx context.Context, s *rehearsal.Site) error { return s.CreateRule(ctx, t) }
}

func fleet(do func(*rehearsal.Site, context.Context, rehearsal.Fleet) error) func(*flag.FlagSet) action {
	return func(flags *flag.FlagSet) action {
		var f rehearsal.Fleet
		flags.StringVar(&f.Name, "name", "", "its name")
		flags.StringVar(&f.Group, "group", "", "ARN of the target group")
		flags.IntVar(&f.Count, "count", 1, "number of processes")
		boot := flags.String("boot", setting("LOCALAPP_BOOT", "0s"), "time until a process listens")
		flags.StringVar(&f.Terms.Version, "version", "", "version")
		flags.DurationVar(&f.Terms.Delay, "delay", 2*time.Millisecond, "before every response")
		breaks := flags.String("breaks", setting("LOCALAPP_BREAKS", ""), "VERSION=REQUESTS: a version that responds with 500 after this many user requests")
		return func(ctx context.Context, s *rehearsal.Site) error {
			var err error
			if f.Boot, err = time.ParseDuration(*boot); err != nil {
				return fmt.Errorf("-boot: %w", err)
			}
			if f.Terms.BreaksAfter, err = breaksAfter(*breaks, f.Terms.Version); err != nil {
				return err
			}
			return do(s, ctx, f)
		}
	}
}

// functionFlags are the flags that name a version of a function.
func functionFlags(flags *flag.FlagSet) *rehearsal.FunctionVersion {
	v := &rehearsal.FunctionVersion{Fleet: rehearsal.Fleet{Count: 1}}
	flags.StringVar(&v.Function, "function", "", "name of the function")
	flags.StringVar(&v.Environment, "environment", "", "environment of the version")
	return v
}

func publishVersion(flags *flag.FlagSet) action {
	v := functionFlags(flags)
	flags.StringVar(&v.Fleet.Terms.Version, "release", "", "release that the version runs")
	flags.DurationVar(&v.Fleet.Terms.Delay, "delay", 2*time.Millisecond, "before every response")
	boot := flags.String("boot", setting("LOCALAPP_BOOT", "0s"), "time until the process listens")
	breaks := flags.String("breaks", setting("LOCALAPP_BREAKS", ""), "RELEASE=REQUESTS: a release that responds with 500 after this many user requests")
	return func(ctx context.Context, s *rehearsal.Site) error {
		var err error
		if v.Fleet.Boot, err = time.ParseDuration(*boot); err != nil {
			return fmt.Errorf("-boot: %w", err)
		}
		if v.Fleet.Terms.BreaksAfter, err = breaksAfter(*breaks, v.Fleet.Terms.Version); err != nil {
			return err
		}
		return rehearsal.FunctionsOf(s).PublishVersion(ctx, *v)
	}
}

func deleteVersion(flags *flag.FlagSet) action {
	v := functionFlags(flags)
	flags.StringVar(&v.Fleet.Terms.Version, "release", "", "do nothing if another release is published")
	return func(ctx context.Context, s *rehearsal.Site) error {
		return rehearsal.FunctionsOf(s).DeleteVersion(ctx, *v)
	}
}

func createAlias(flags *flag.FlagSet) action {
	v := functionFlags(flags)
	name := flags.String("name", "", "its name")
	return func(ctx context.Context, s *rehearsal.Site) error {
		return rehearsal.FunctionsOf(s).CreateAlias(ctx, *v, *name)
	}
}

func deleteAlias(flags *flag.FlagSet) action {
	function := flags.String("function", "", "name of the function")
	name := flags.String("name", "", "its name")
	return func(ctx context.Context, s *rehearsal.Site) error {
		return rehearsal.FunctionsOf(s).DeleteAlias(ctx, *function, *name)
	}
}

// breaksAfter is the number of requests that a version answers well; 0: all of them.
func breaksAfter(breaks, version string) (int, error) {
	if breaks == "" {
		return 0, nil
	}
	bad, after, _ := strings.Cut(breaks, "=")
	n, err := strconv.Atoi(after)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("-breaks %q is not VERSION=REQUESTS", breaks)
	}
	if bad != version {
		return 0, nil
	}
	return n, nil
}

func migrate(flags *flag.FlagSet) action {
	name := flags.String("name", "", "its name")
	return func(_ context.Context, s *rehearsal.Site) error { return s.Migrate(*name) }
}
