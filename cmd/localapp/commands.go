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

// commands are all of them. Creating what is there and deleting what is not
// there both succeed, since Terraform may run a provisioner again.
func commands() []command {
	return []command{
		{"balancer create", "a load balancer whose listener answers 503 until a switch takes it over", createBalancer},
		{"balancer delete", "the load balancer with its listener", named((*rehearsal.Site).DeleteBalancer)},
		{"group create", "a target group", createGroup},
		{"group delete", "the target group, once no listener or rule names it", named((*rehearsal.Site).DeleteGroup)},
		{"rule create", "a rule that sends test traffic to a group by a header", createRule},
		{"rule delete", "the rule", named((*rehearsal.Site).DeleteRule)},
		{"machine start", "processes of the application, registered in a group; running ones of the name are replaced", fleet((*rehearsal.Site).StartMachines)},
		{"machine stop", "takes the processes out of the group and kills them", versioned((*rehearsal.Site).StopMachines)},
		{"service put", "as machine start, but refuses as ECS does while the group is in no listener or rule", fleet((*rehearsal.Site).PutService)},
		{"service delete", "as machine stop", versioned((*rehearsal.Site).DeleteService)},
		{"database migrate", "plays a change of a database's schema", migrate},
	}
}

// named is a command that needs nothing but a name.
func named(do func(*rehearsal.Site, context.Context, string) error) func(*flag.FlagSet) action {
	return func(flags *flag.FlagSet) action {
		name := flags.String("name", "", "its name")
		return func(ctx context.Context, s *rehearsal.Site) error { return do(s, ctx, *name) }
	}
}

// versioned is a command that ends one version of what has a name.
func versioned(do func(*rehearsal.Site, context.Context, string, string) error) func(*flag.FlagSet) action {
	return func(flags *flag.FlagSet) action {
		name := flags.String("name", "", "its name")
		version := flags.String("version", "", "do nothing where another version runs by now; empty: whatever runs")
		return func(ctx context.Context, s *rehearsal.Site) error { return do(s, ctx, *name, *version) }
	}
}

func createBalancer(flags *flag.FlagSet) action {
	name := flags.String("name", "", "its name")
	port := flags.Int("port", 8080, "where its listener listens")
	return func(ctx context.Context, s *rehearsal.Site) error { return s.CreateBalancer(ctx, *name, int32(*port)) }
}

func createGroup(flags *flag.FlagSet) action {
	name := flags.String("name", "", "its name")
	delay := flags.Duration("deregistration-delay", 2*time.Second, "how long its targets drain")
	return func(ctx context.Context, s *rehearsal.Site) error { return s.CreateGroup(ctx, *name, *delay) }
}

func createRule(flags *flag.FlagSet) action {
	var t rehearsal.TestRule
	flags.StringVar(&t.Name, "name", "", "its name")
	flags.StringVar(&t.Listener, "listener", "", "ARN of the listener")
	flags.StringVar(&t.Group, "group", "", "ARN of the target group")
	flags.StringVar(&t.Environment, "environment", "", "what the header "+rehearsal.EnvironmentHeader+" says")
	return func(ctx context.Context, s *rehearsal.Site) error { return s.CreateRule(ctx, t) }
}

func fleet(do func(*rehearsal.Site, context.Context, rehearsal.Fleet) error) func(*flag.FlagSet) action {
	return func(flags *flag.FlagSet) action {
		var f rehearsal.Fleet
		flags.StringVar(&f.Name, "name", "", "its name")
		flags.StringVar(&f.Group, "group", "", "ARN of the target group")
		flags.IntVar(&f.Count, "count", 1, "how many processes")
		boot := flags.String("boot", setting("LOCALAPP_BOOT", "0s"), "how long a process takes until it listens")
		flags.StringVar(&f.Terms.Version, "version", "", "what it calls itself")
		flags.DurationVar(&f.Terms.Delay, "delay", 2*time.Millisecond, "before every answer")
		breaks := flags.String("breaks", setting("LOCALAPP_BREAKS", ""), "VERSION=REQUESTS: a version that answers 500 after so many requests of users")
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

// breaksAfter is how many requests a version answers well; 0: all of them.
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
