package elb

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const describeLoadBalancers = "elasticloadbalancing:DescribeLoadBalancers"

// NamesPermissions returns the IAM actions that Names may call, sorted.
func NamesPermissions() []string {
	return []string{describeListeners, describeLoadBalancers, describeRules, describeTargetHealth}
}

// Reasons of a load balancer whose health is not known.
const (
	reasonNotListed = "LoadBalancer.NotListed"      // a Classic Load Balancer, or one of another account
	reasonNoGroups  = "LoadBalancer.NoTargetGroups" // it forwards to none
)

// Names finds load balancers by their DNS names, to which alias records of Route 53 refer. It caches
// the ARN of each name. It is safe for concurrent use.
type Names struct {
	router *Router
	mu     sync.Mutex
	arns   map[string]ARN
}

// NewNames returns Names with an empty cache.
func NewNames(router *Router) *Names { return &Names{router: router, arns: map[string]ARN{}} }

// balancerLister is the part of the API that only Names calls.
type balancerLister interface {
	DescribeLoadBalancers(context.Context, *elbv2.DescribeLoadBalancersInput, ...func(*elbv2.Options)) (*elbv2.DescribeLoadBalancersOutput, error)
}

var regionLabel = regexp.MustCompile(`^[a-z]{2,}(?:-[a-z]+)+-\d+$`)

// regionOf returns the region in the DNS name of a load balancer, such as
// "web-1.eu-central-1.elb.amazonaws.com" or "web-1.elb.eu-central-1.amazonaws.com"; empty: there is none.
func regionOf(name string) string {
	labels := strings.Split(strings.ToLower(name), ".")
	at := slices.Index(labels, "elb")
	for _, i := range []int{at - 1, at + 1} {
		if at > 0 && i < len(labels) && regionLabel.MatchString(labels[i]) {
			return labels[i]
		}
	}
	return ""
}

// Health returns the targets of all target groups to which a listener or rule of the load balancer
// sends traffic. An ID has the name of the group: "blue 10.0.0.7:80". A load balancer that
// the API does not list, or that forwards to no group, is one target that is not checked.
func (n *Names) Health(ctx context.Context, name string) (traffic.Health, error) {
	balancer, err := n.Balancer(ctx, name)
	if err != nil {
		return traffic.Health{}, err
	}
	if balancer == (ARN{}) {
		return unknownHealth(name, reasonNotListed), nil
	}
	groups, _, err := n.groups(ctx, balancer)
	if err != nil {
		return traffic.Health{}, err
	}
	if len(groups) == 0 {
		return unknownHealth(name, reasonNoGroups), nil
	}
	each, err := n.router.Health(ctx, groups)
	if err != nil {
		return traffic.Health{}, err
	}
	var all traffic.Health
	for _, group := range groups {
		for _, t := range each[group].Targets {
			t.ID = groupName(group) + " " + t.ID
			all.Targets = append(all.Targets, t)
		}
	}
	return all, nil
}

// IdleHealth returns the health of each target group that a listener or rule of the load balancer has at
// weight 0 and to which none sends traffic. Route 53 considers the load balancer unhealthy for aliases that
// evaluate it while one of them has no healthy target.
func (n *Names) IdleHealth(ctx context.Context, name string) (map[string]traffic.Health, error) {
	balancer, err := n.Balancer(ctx, name)
	if err != nil || balancer == (ARN{}) {
		return nil, err
	}
	_, idle, err := n.groups(ctx, balancer)
	if err != nil || len(idle) == 0 {
		return nil, err
	}
	return n.router.Health(ctx, idle)
}

// groups returns the target groups to which a listener or rule sends traffic, and the others in an
// action, each sorted.
func (n *Names) groups(ctx context.Context, balancer ARN) (used, idle []string, err error) {
	routes, err := n.router.trafficRoutes(ctx, balancer)
	if err != nil {
		return nil, nil, err
	}
	has := map[string]bool{}
	for _, r := range routes {
		for group := range r.weights {
			has[group] = has[group] || r.share(group) > 0
		}
	}
	for _, group := range slices.Sorted(maps.Keys(has)) {
		if has[group] {
			used = append(used, group)
		} else {
			idle = append(idle, group)
		}
	}
	return used, idle, nil
}

func unknownHealth(name, reason string) traffic.Health {
	return traffic.Health{Targets: []traffic.Target{{ID: "load balancer " + name, State: traffic.Unchecked, Reason: reason}}}
}

func groupName(group string) string {
	a, err := ParseGroup(group)
	if err != nil {
		return group
	}
	return a.Name
}

// Balancer returns the load balancer with a DNS name, in lower case and without "dualstack.". The zero
// ARN: the API lists none, so it is a Classic Load Balancer, one of another account, or deleted.
func (n *Names) Balancer(ctx context.Context, name string) (ARN, error) {
	n.mu.Lock()
	found, known := n.arns[name]
	n.mu.Unlock()
	if known {
		return found, nil
	}
	region := regionOf(name)
	if region == "" {
		return ARN{}, nil
	}
	lister, ok := n.router.client(region).(balancerLister)
	if !ok {
		return ARN{}, nil
	}
	found, err := awscall.RetryIncomplete(ctx, func() (ARN, error) { return findBalancer(ctx, lister, name) })
	if err == nil && found != (ARN{}) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.arns[name] = found
	}
	return found, err
}

// findBalancer returns the load balancer with a DNS name; the zero ARN: none is listed. The API
// cannot filter by it.
func findBalancer(ctx context.Context, lister balancerLister, name string) (ARN, error) {
	pages := elbv2.NewDescribeLoadBalancersPaginator(lister, &elbv2.DescribeLoadBalancersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return ARN{}, callError(describeLoadBalancers, "", err)
		}
		if page.LoadBalancers == nil { // an answer without any has a list, which is empty
			return ARN{}, incomplete(describeLoadBalancers, "")
		}
		for _, b := range page.LoadBalancers {
			if strings.EqualFold(aws.ToString(b.DNSName), name) {
				return Parse(aws.ToString(b.LoadBalancerArn))
			}
		}
	}
	return ARN{}, nil
}
