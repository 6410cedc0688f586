package platform

import (
	"context"
	"fmt"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// recordBalancers finds the load balancers behind alias records: Route 53 counts no requests, and a load balancer does.
type recordBalancers struct {
	records *route53.Reader
	names   *elb.Names
}

// find is Clients.Balancers.
func (b recordBalancers) find(ctx context.Context, backends []traffic.Backend) (map[string][]string, error) {
	aliases, err := b.records.Aliases(ctx, backends)
	if err != nil {
		return nil, err
	}
	found := map[string][]string{}
	for _, backend := range backends {
		for _, a := range aliases[backend.Group] {
			arn, err := b.balancerOf(ctx, backend, a)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(found[backend.Group], arn) {
				found[backend.Group] = append(found[backend.Group], arn)
			}
		}
	}
	return found, nil
}

// otherGates are those that need no load balancer.
const otherGates = "cloudwatch_metric, prometheus or another gate on the application's own metrics"

// balancerOf returns the ARN of the load balancer that a record is an alias of.
func (b recordBalancers) balancerOf(ctx context.Context, backend traffic.Backend, a route53.Alias) (string, error) {
	record := fmt.Sprintf("the record %s of %s", route53.Label(a.Route), backend.Environment)
	switch {
	case a.Target == "":
		return "", &traffic.NoMetricsError{
			Cause:  record + " has values, and Route 53 publishes no metrics of requests",
			Action: "make it an alias of an Application Load Balancer, or use " + otherGates,
		}
	case a.Zone:
		return "", &traffic.NoMetricsError{
			Cause:  fmt.Sprintf("%s is an alias of the record %s, and Route 53 publishes no metrics of requests", record, a.Target),
			Action: "make it an alias of the Application Load Balancer itself, or use " + otherGates,
		}
	case a.Balancer == "":
		return "", &traffic.NoMetricsError{
			Cause:  fmt.Sprintf("%s is an alias of %s, which is not an Application Load Balancer", record, a.Target),
			Action: "use " + otherGates,
		}
	}
	arn, err := b.names.Balancer(ctx, a.Balancer)
	if err != nil {
		return "", err
	}
	if arn == (elb.ARN{}) {
		return "", &traffic.NoMetricsError{
			Cause:  fmt.Sprintf("%s is an alias of %s, which is not an Application or Network Load Balancer of this account", record, a.Balancer),
			Action: "make it an alias of an Application Load Balancer of this account, or use " + otherGates,
		}
	}
	return arn.String(), nil
}
