package route53_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// balancer creates a load balancer with one target that is healthy, and returns it.
func (d *dns) balancer(name string) elbtypes.LoadBalancer {
	d.t.Helper()
	api := elbv2.NewFromConfig(config(), func(o *elbv2.Options) { o.BaseEndpoint = new(d.srv.URL()) })
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	d.t.Cleanup(target.Close)
	host, text, err := net.SplitHostPort(target.Listener.Addr().String())
	must(d.t, err)
	port, err := strconv.ParseInt(text, 10, 32)
	must(d.t, err)
	group, err := api.CreateTargetGroup(d.ctx(), &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: elbtypes.ProtocolEnumHttp, Port: new(int32(80)), VpcId: new("vpc-1"), TargetType: elbtypes.TargetTypeEnumIp,
	})
	must(d.t, err)
	arn := group.TargetGroups[0].TargetGroupArn
	_, err = api.RegisterTargets(d.ctx(), &elbv2.RegisterTargetsInput{TargetGroupArn: arn, Targets: []elbtypes.TargetDescription{{Id: &host, Port: new(int32(port))}}})
	must(d.t, err)
	out, err := api.CreateLoadBalancer(d.ctx(), &elbv2.CreateLoadBalancerInput{Name: &name, Subnets: []string{"subnet-1", "subnet-2"}})
	must(d.t, err)
	_, err = api.CreateListener(d.ctx(), &elbv2.CreateListenerInput{
		LoadBalancerArn: out.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: new(int32(80)),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: arn}},
	})
	must(d.t, err)
	return out.LoadBalancers[0]
}

// The health of an alias is that of the targets of its load balancer, and a write keeps the alias.
func TestHealth_ofTheLoadBalancerOfAnAlias(t *testing.T) {
	t.Parallel()
	d := newDNS(t, localaws.WithFastHealth(10*time.Millisecond))
	balancers, _ := elb.NewRouters(config(), elb.Options{Endpoint: d.srv.URL()})
	router, _ := d.routers(route53.Options{RequestsPerSecond: unlimited, AliasHealth: elb.NewNames(balancers).Health})
	for identifier, weight := range map[string]int64{"blue": 100, "green": 0} {
		b := d.balancer(identifier)
		d.change(types.ChangeActionCreate, types.ResourceRecordSet{
			Name: new(appName), Type: types.RRTypeA, SetIdentifier: &identifier, Weight: &weight,
			AliasTarget: &types.AliasTarget{HostedZoneId: b.CanonicalHostedZoneId, DNSName: b.DNSName, EvaluateTargetHealth: true},
		})
	}
	before := d.beside()
	green := d.group(appName, "green")
	ctx, cancel := context.WithTimeout(t.Context(), slow.Deadline(30*time.Second))
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		health, err := router.Health(ctx, []string{green})
		must(t, err)
		if got := health[green].Targets; len(got) != 1 {
			t.Fatalf("got %v", got)
		}
		if health[green].Count(traffic.Healthy) == 1 {
			break
		}
		<-ticker.C
	}
	states, err := router.Read(ctx, []string{d.route(appName, "A")})
	must(t, err)
	if states[0].Cached != time.Minute {
		t.Errorf("answers are cached for %s", states[0].Cached)
	}
	must(t, router.Write(ctx, d.route(appName, "A"), d.to(states[0], 50, 50)))
	if got := d.weights(appName, "A"); got != "blue 50, green 50" || d.beside() != before {
		t.Errorf("the weights are %s, the rest is\n%s", got, d.beside())
	}
}
