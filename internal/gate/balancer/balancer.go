// Package balancer identifies load balancers as CloudWatch does, for groups that have no metrics of their own.
package balancer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

var form = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:([a-z0-9-]+):[0-9]*:loadbalancer/((?:app|net)/[^/]+/[^/]+)$`)

// LoadBalancer is an Application or Network Load Balancer.
type LoadBalancer struct {
	Region string
	Name   string // the value of the dimension LoadBalancer: "app/web/50dc6c495c0c9188"
}

// Parse returns the load balancer of an ARN; false: it is not one of them.
func Parse(arn string) (LoadBalancer, bool) {
	found := form.FindStringSubmatch(arn)
	if found == nil {
		return LoadBalancer{}, false
	}
	return LoadBalancer{found[1], found[2]}, true
}

// IsNetwork reports whether it is a Network Load Balancer.
func (b LoadBalancer) IsNetwork() bool { return strings.HasPrefix(b.Name, "net/") }

// Of are the ARNs of the load balancers of groups, by group.
type Of map[string][]string

// IsNetwork reports whether a group is behind a Network Load Balancer.
func (of Of) IsNetwork(group string) bool {
	return slices.ContainsFunc(of[group], func(arn string) bool { b, _ := Parse(arn); return b.IsNetwork() })
}

// Check returns a traffic.NoMetricsError where the metrics of load balancers are not those of an environment: it
// shares one with another environment, an entry point has load balancers of both types, or none
// of them counts requests.
func Check(backends []traffic.Backend, of Of) error {
	if len(of) == 0 {
		return nil
	}
	owners, types := map[string]traffic.Backend{}, map[string]bool{}
	networks := 0
	for _, b := range backends {
		if of.IsNetwork(b.Group) {
			networks++
		}
		for _, arn := range of[b.Group] {
			found, _ := Parse(arn)
			owner, taken := owners[arn]
			if taken && owner.Environment != b.Environment {
				return shared(owner, b, found)
			}
			owners[arn] = b
			if is, known := types[b.Entry]; known && is != found.IsNetwork() {
				return mixed(b.Entry)
			}
			types[b.Entry] = found.IsNetwork()
		}
	}
	if networks > 0 && networks == len(backends) {
		return &traffic.NoMetricsError{
			Cause: "all records are aliases of Network Load Balancers, which publish no response codes or response times",
			Action: "use cloudwatch_metric with namespace AWS/NetworkELB and HealthyHostCount of the target group or TCP_Target_Reset_Count of the load balancer, " +
				"or a gate on the application's own metrics",
		}
	}
	return nil
}

func shared(a, b traffic.Backend, both LoadBalancer) error {
	return &traffic.NoMetricsError{
		Cause: fmt.Sprintf("the records of %s and %s are aliases of the same load balancer, %s, whose metrics are of both", a.Environment, b.Environment, both.Name),
		Action: "give each environment a load balancer of its own, shift the listeners of this one with load_balancer, " +
			"or use cloudwatch_metric with the target group of the environment, or prometheus",
	}
}

func mixed(entry string) error {
	return &traffic.NoMetricsError{
		Cause:  fmt.Sprintf("the records of the entry point %q are aliases of Application and of Network Load Balancers, which have no metrics in common", entry),
		Action: "use prometheus or another gate on the application's own metrics",
	}
}
