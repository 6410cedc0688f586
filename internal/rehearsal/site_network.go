package rehearsal

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// CreateNetwork creates a Network Load Balancer with a TCP listener that forwards to a target group, as it must have one.
// DeleteBalancer deletes it.
func (s *Site) CreateNetwork(ctx context.Context, name string, port int32, group string) error {
	lb, err := s.client.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		Name: aws.String(name), Type: types.LoadBalancerTypeEnumNetwork, Subnets: []string{"subnet-0000000a", "subnet-0000000b"}})
	if err != nil {
		return fmt.Errorf("cannot create load balancer %s: %w", name, err)
	}
	r := balancerRecord{ARN: aws.ToString(lb.LoadBalancers[0].LoadBalancerArn)}
	listener, err := s.client.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: aws.String(r.ARN), Port: aws.Int32(port), Protocol: types.ProtocolEnumTcp, DefaultActions: []types.Action{forwardTo(group)}})
	if err != nil {
		return fmt.Errorf("cannot create the listener of load balancer %s: %w", name, err)
	}
	r.Listener = aws.ToString(listener.Listeners[0].ListenerArn)
	if r.URL, err = s.listenerURL(ctx, r.Listener); err != nil {
		return err
	}
	return errors.Join(s.save("balancer", name, r), s.note("balancer %s created", name))
}

// groupInput is a target group whose targets are healthy after two checks. Health checks are those of the application,
// whatever the protocol is.
func groupInput(name, protocol string) *elb.CreateTargetGroupInput {
	return &elb.CreateTargetGroupInput{
		Name: aws.String(name), Protocol: types.ProtocolEnum(protocol), Port: aws.Int32(80),
		TargetType: types.TargetTypeEnumIp, VpcId: aws.String("vpc-00000001"), HealthCheckProtocol: types.ProtocolEnumHttp,
		HealthCheckPath: aws.String("/healthz"), HealthCheckIntervalSeconds: aws.Int32(5),
		HealthCheckTimeoutSeconds: aws.Int32(2), HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2)}
}
