package provider_test

import (
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// aliasOf makes the record of an environment an alias of a load balancer whose listener sends everything to one target group
// and has another one, without targets, at weight 0.
func (s *dnsSite) aliasOf(environment string, weight int64) (listener, used string) {
	s.t.Helper()
	ctx := s.t.Context()
	lb, err := s.api.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{Name: &environment, Subnets: []string{"subnet-1", "subnet-2"}})
	s.must(err)
	used, idle := s.group(environment), s.group(environment+"-idle")
	out, err := s.api.CreateListener(ctx, &elbv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: new(int32(80)),
		DefaultActions: forward(weights{used: 100, idle: 0}),
	})
	s.must(err)
	s.set(types.ResourceRecordSet{
		Name: new("app.example.com"), Type: types.RRTypeA, SetIdentifier: &environment, Weight: &weight,
		AliasTarget: &types.AliasTarget{HostedZoneId: lb.LoadBalancers[0].CanonicalHostedZoneId, DNSName: lb.LoadBalancers[0].DNSName, EvaluateTargetHealth: true},
	})
	return *out.Listeners[0].ListenerArn, used
}

// An alias that evaluates its load balancer is left out of DNS while that has an empty target group at weight 0, although all
// targets with traffic are healthy. The plan warns of it, until the group is detached.
func TestRecords_aliasWithAnEmptyIdleGroup(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t, localaws.WithFastHealth(10*time.Millisecond)), newWorkspace(t)
	s.aliasOf("blue", 100)
	listener, used := s.aliasOf("green", 0)
	w.write(s.release("blue").String())
	w.apply().ok()
	r := s.release("green")
	r.strategy = `steps = [{ percent = 50, hold = "1m" }]
    bake = "1m"`
	w.write(r.String())
	w.plan().ok()
	w.scheduleIs("warns")
	_, err := s.api.ModifyListener(t.Context(), &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(weights{used: 100})})
	s.must(err)
	w.plan().ok()
	w.scheduleIs("detached")
}
