package localaws_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestRefusals_networkLoadBalancers(t *testing.T) {
	b := newBench(t)
	lb := b.networkBalancer()
	tcp, udp, both := b.networkGroup("tcp", types.ProtocolEnumTcp), b.networkGroup("udp", types.ProtocolEnumUdp), b.networkGroup("both", types.ProtocolEnumTcpUdp)
	web := b.group("web")
	l := b.networkListener(lb, types.ProtocolEnumTcp, forward(share{tcp, 1}, share{both, 0}))
	try := func(actions []types.Action) func() error { return func() error { return b.modifyErr(l, actions) } }
	noDuration := stickyForward(60, share{tcp, 1})
	noDuration[0].ForwardConfig.TargetGroupStickinessConfig.DurationSeconds = aws.Int32(60)
	noDuration[0].ForwardConfig.TargetGroupStickinessConfig.Enabled = aws.Bool(false)
	create := func(balancer string, protocol types.ProtocolEnum, group string) func() error {
		return func() error {
			_, err := b.api.CreateListener(b.ctx(), &elb.CreateListenerInput{
				LoadBalancerArn: &balancer, Protocol: protocol, Port: aws.Int32(99), DefaultActions: forward(share{group, 1}),
			})
			return err
		}
	}
	attribute := func(group, key, value string) func() error {
		return func() error {
			_, err := b.api.ModifyTargetGroupAttributes(b.ctx(), &elb.ModifyTargetGroupAttributesInput{
				TargetGroupArn: &group, Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}},
			})
			return err
		}
	}
	b.check([]refusal{
		{"fixed response", try(fixed("503", "x")), "InvalidLoadBalancerAction: Actions of type 'fixed-response' are not supported for listeners with the TCP protocol"},
		{"stickiness duration", try(noDuration), "InvalidLoadBalancerAction: A target group stickiness duration is not supported for listeners with the TCP protocol"},
		{"HTTP group", try(forward(share{web, 1})), "IncompatibleProtocols: The HTTP protocol of target group '" + web + "' is not supported for listeners with the TCP protocol"},
		{"UDP group", try(forward(share{udp, 1})), "IncompatibleProtocols: The UDP protocol of target group '" + udp + "' is not supported for listeners with the TCP protocol"},
		{"weight 1000", try(forward(share{tcp, 1000}, share{both, 1})), "ValidationError: The weight for each target group must be between 0 and 999, inclusive"},
		{"HTTP listener", create(lb, types.ProtocolEnumHttp, web), "ValidationError: Listener protocol 'HTTP' must be one of 'TCP, TLS, UDP, TCP_UDP'"},
		{"TCP group on an application load balancer", create(b.balancer("app"), types.ProtocolEnumHttp, udp), "IncompatibleProtocols: The UDP protocol of target group '" + udp + "' is not supported for listeners with the HTTP protocol"},
		{"TLS without a certificate", create(lb, types.ProtocolEnumTls, tcp), "CertificateNotFound: A certificate must be specified for TLS listeners"},
		{"cookie", attribute(tcp, "stickiness.type", "lb_cookie"), "InvalidConfigurationRequest: Stickiness type 'lb_cookie' is not supported for target groups with the TCP protocol"},
		{"source IP", attribute(tcp, "stickiness.enabled", "true"), "InvalidConfigurationRequest: Source IP stickiness is not simulated here"},
		{"slow start", attribute(tcp, "slow_start.duration_seconds", "30"), "InvalidConfigurationRequest: Attribute key 'slow_start.duration_seconds' is not recognized"},
		{"connection termination of HTTP", attribute(web, "deregistration_delay.connection_termination.enabled", "true"), "InvalidConfigurationRequest: Attribute key 'deregistration_delay.connection_termination.enabled' is not recognized"},
		{"rule", func() error {
			_, err := b.api.CreateRule(b.ctx(), &elb.CreateRuleInput{ListenerArn: &l, Priority: aws.Int32(1), Actions: forward(share{tcp, 1}), Conditions: []types.RuleCondition{{
				Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"10.0.0.0/8"}},
			}}})
			return err
		}, "InvalidConfigurationRequest: Rules of network load balancers are not simulated here"},
	})
}

func TestNetwork_metricsOfResetsAreOfTheWholeLoadBalancer(t *testing.T) {
	b := newWatchBench(t)
	dead, lb := b.networkGroup("dead", types.ProtocolEnumTcp, refusing(t)), b.networkBalancer()
	l := b.networkListener(lb, types.ProtocolEnumTcp, forward(share{dead, 1}))
	b.becomes(dead, failing)
	if !b.refused(l) {
		t.Error("a target that refuses got a connection")
	}
	b.until("the reset", func() bool { return b.srv.Counts(dead).TargetResets == 1 })
	b.clock.advance(2 * time.Minute)
	values := func(metric, statistic string, dimensions ...string) []float64 {
		return b.data(stat("m", metric, statistic, dimensions...))["m"].values
	}
	ofBalancer := []string{"LoadBalancer", suffix(lb)}
	ofGroup := append(slices.Clone(ofBalancer), "TargetGroup", suffix(dead))
	for _, metric := range []string{"AWS/NetworkELB:NewFlowCount", "AWS/NetworkELB:TCP_Target_Reset_Count"} {
		if got := values(metric, "Sum", ofBalancer...); !slices.Equal(got, []float64{1}) {
			t.Errorf("%s is %v", metric, got)
		}
		if got := values(metric, "Sum", ofGroup...); len(got) > 0 {
			t.Errorf("%s of a target group is %v", metric, got)
		}
	}
	if got := values("AWS/NetworkELB:UnHealthyHostCount", "Maximum", ofGroup...); !slices.Contains(got, 1) {
		t.Errorf("unhealthy hosts: %v", got)
	}
	if got := values("AWS/ApplicationELB:UnHealthyHostCount", "Maximum", ofGroup...); len(got) > 0 {
		t.Errorf("in the namespace of application load balancers: %v", got)
	}
}
