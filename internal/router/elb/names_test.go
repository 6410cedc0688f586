package elb_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// dnsName returns the DNS name of a load balancer.
func (a *alb) dnsName(balancer string) string {
	a.t.Helper()
	out, err := a.api.DescribeLoadBalancers(a.ctx(), &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{balancer}})
	must(a.t, err)
	return *out.LoadBalancers[0].DNSName
}

func TestNames_health(t *testing.T) {
	t.Parallel()
	a, f := fixture(t)
	names := elb.NewNames(a.forward)
	web, idle, empty := a.balancer("web"), a.balancer("idle"), a.balancer("fixed")
	l := a.listener(web, 443, to(map[string]int32{f.Groups[0]: 100, f.Groups[2]: 0}))
	a.rule(l, 1, toOne(f.Groups[1]))
	a.listener(idle, 80, toOne(f.Groups[4]))
	a.listener(empty, 80, fixed("503"))

	name := a.dnsName(web)
	mark := len(a.srv.Calls())
	health, err := names.Health(t.Context(), name)
	must(t, err)
	called := map[string]bool{}
	for _, c := range a.srv.Calls()[mark:] {
		called["elasticloadbalancing:"+c.Action] = true
	}
	if got := slices.Sorted(maps.Keys(called)); !slices.Equal(got, elb.NamesPermissions()) {
		t.Errorf("called %q, and needs %q", got, elb.NamesPermissions())
	}
	count := map[string]int{}
	for _, target := range health.Targets {
		count[target.ID[:3]]++
	}
	if want := map[string]int{"g0 ": 2, "g1 ": 2}; !maps.Equal(count, want) || health.Count(traffic.Unused) != 0 {
		t.Errorf("got %v, want two targets of each group with traffic", health.Targets)
	}
	attached, err := names.IdleHealth(t.Context(), name)
	must(t, err)
	if got := slices.Collect(maps.Keys(attached)); !slices.Equal(got, []string{f.Groups[2]}) {
		t.Errorf("got %v, want the target group that is attached without traffic", attached)
	}
	// The ARN is cached, and the health is not.
	calls := len(a.calls("DescribeLoadBalancers"))
	_, err = names.Health(t.Context(), name)
	must(t, err)
	if got := len(a.calls("DescribeLoadBalancers")); got != calls {
		t.Errorf("the load balancer was looked up again: %d calls", got-calls)
	}
	if health, err := names.Health(t.Context(), a.dnsName(idle)); err != nil || len(health.Targets) != 0 {
		t.Errorf("without targets: got %v, %v", health, err)
	}
	for name, reason := range map[string]string{
		a.dnsName(empty):                      "LoadBalancer.NoTargetGroups",
		"old-1.us-east-1.elb.amazonaws.com":   "LoadBalancer.NotListed",
		"other-1.elb.us-east-1.amazonaws.com": "LoadBalancer.NotListed",
		"something-else.of.example.com":       "LoadBalancer.NotListed",
	} {
		health, err := names.Health(t.Context(), name)
		if err != nil || health.Count(traffic.Unchecked) != 1 || health.Targets[0].Reason != reason {
			t.Errorf("%s: got %v, %v", name, health.Targets, err)
		}
	}
}

func TestNames_errors(t *testing.T) {
	t.Parallel()
	a, f := fixture(t)
	web := a.balancer("web", types.LoadBalancerTypeEnumApplication)
	a.listener(web, 443, toOne(f.Groups[0]))
	name := a.dnsName(web)
	for kind, want := range map[faults.Kind]error{faults.AccessDenied: traffic.ErrDenied, faults.EmptyBody: traffic.ErrIncomplete} {
		remove := a.srv.Inject(faults.Fault{Action: "DescribeLoadBalancers", Kind: kind})
		_, err := elb.NewNames(a.forward).Health(t.Context(), name)
		remove()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v", kind, err)
		}
	}
}
