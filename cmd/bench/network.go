package main

import (
	"context"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const connectionRate = 500

// network measures a release and a rollback of a TCP listener.
func network(ctx context.Context) ([]row, error) {
	return trial{
		release: "Elastic Load Balancing calls of a release of a TCP listener (5 %, 50 %, 100 %, holds of 2 s), with those for health", write: "ModifyListener", perStep: "1 ModifyListener per step, and 1 attach", writes: 4,
		lost: "connections lost in that release, at 500 new connections/s", last: "from a failed gate at 50 % to the last new connection to the bad version of that listener",
		within: time.Second, goal: "under 1 s", hold: 2 * time.Second, linger: time.Second,
		stage: func(green rehearsal.AppTerms) (*stage, error) { return newNetwork(ctx, green) },
	}.rows(ctx)
}

// newNetwork is a TCP listener with a target group for each environment.
func newNetwork(ctx context.Context, green rehearsal.AppTerms) (*stage, error) {
	server, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(20*time.Millisecond), localaws.WithLogger(quiet()))
	if err != nil {
		return nil, err
	}
	s := &stage{server: server, close: func() { _ = server.Close() }}
	client, groups := rehearsal.Client(server.URL()), map[string]map[string]string{}
	for name, terms := range map[string]rehearsal.AppTerms{"blue": {Version: "1"}, "green": green} {
		app, rest := httptest.NewServer(terms.Handler()), s.close
		s.close = func() { rest(); app.Close() }
		group, err := newTCPGroup(ctx, client, name, app.Listener.Addr().String())
		if err != nil {
			s.close()
			return nil, err
		}
		groups[name] = map[string]string{"tcp": group}
	}
	lb, err := client.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{Name: aws.String("tcp"), Type: types.LoadBalancerTypeEnumNetwork, Subnets: []string{"subnet-0000000a", "subnet-0000000b"}})
	if err != nil {
		s.close()
		return nil, err
	}
	listener, err := client.CreateListener(ctx, &elbv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Port: aws.Int32(443), Protocol: types.ProtocolEnumTcp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(groups["blue"]["tcp"])}}})
	if err != nil {
		s.close()
		return nil, err
	}
	arn := aws.ToString(listener.Listeners[0].ListenerArn)
	forward, rollback := elb.NewRouters(aws.Config{Region: rehearsal.Region, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")},
		elb.Options{Endpoint: server.URL()})
	s.spec = specOf(forward, rollback, elb.Limits(), groups)
	s.spec.Routes = []rollout.Route{{Route: traffic.Route{ID: arn, Entry: "tcp"}}}
	s.load = func() *rehearsal.Load {
		return rehearsal.StartLoad(rehearsal.LoadTerms{URL: "http://" + server.ListenerAddr(arn), Rate: connectionRate, Clients: 64, NewConnections: true})
	}
	return s, nil
}

func newTCPGroup(ctx context.Context, client *elbv2.Client, name, address string) (string, error) {
	port, err := rehearsal.PortOf(address)
	if err != nil {
		return "", err
	}
	created, err := client.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{
		Name: aws.String("tcp-" + name), Protocol: types.ProtocolEnumTcp, Port: aws.Int32(80), TargetType: types.TargetTypeEnumIp,
		VpcId: aws.String("vpc-00000001"), HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2)})
	if err != nil {
		return "", err
	}
	group := created.TargetGroups[0].TargetGroupArn
	_, err = client.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: group, Targets: []types.TargetDescription{{Id: aws.String("127.0.0.1"), Port: &port}}})
	return aws.ToString(group), err
}
