package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// balancerRecord is a load balancer with its one listener.
type balancerRecord struct {
	ARN      string `json:"arn"`
	Listener string `json:"listener_arn"`
	URL      string `json:"url"`
}

// arnRecord is a thing of which only the ARN is needed.
type arnRecord struct {
	ARN string `json:"arn"`
}

// CreateBalancer creates a load balancer whose listener responds with 503 until a switch replaces that, like a new
// aws_lb_listener with a fixed response.
func (s *Site) CreateBalancer(ctx context.Context, name string, port int32) error {
	lb, err := s.client.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		Name: aws.String(name), Subnets: []string{"subnet-0000000a", "subnet-0000000b"}})
	if err != nil {
		return fmt.Errorf("cannot create load balancer %s: %w", name, err)
	}
	r := balancerRecord{ARN: aws.ToString(lb.LoadBalancers[0].LoadBalancerArn)}
	listener, err := s.client.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: aws.String(r.ARN), Port: aws.Int32(port), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumFixedResponse,
			FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("503")}}}})
	if err != nil {
		return fmt.Errorf("cannot create the listener of load balancer %s: %w", name, err)
	}
	r.Listener = aws.ToString(listener.Listeners[0].ListenerArn)
	if r.URL, err = s.listenerURL(ctx, r.Listener); err != nil {
		return err
	}
	return errors.Join(s.save("balancer", name, r), s.note("balancer %s created", name))
}

// DeleteBalancer also deletes the listener.
func (s *Site) DeleteBalancer(ctx context.Context, name string) error {
	var r balancerRecord
	if found, err := s.load("balancer", name, &r); err != nil || !found {
		return err
	}
	if _, err := s.client.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: aws.String(r.ARN)}); err != nil {
		return fmt.Errorf("cannot delete load balancer %s: %w", name, err)
	}
	return s.forget("balancer", name)
}

// CreateGroup creates a target group of a protocol, whose targets drain for the delay.
func (s *Site) CreateGroup(ctx context.Context, name, protocol string, delay time.Duration) error {
	created, err := s.client.CreateTargetGroup(ctx, groupInput(name, protocol))
	if err != nil {
		return fmt.Errorf("cannot create target group %s: %w", name, err)
	}
	r := arnRecord{ARN: aws.ToString(created.TargetGroups[0].TargetGroupArn)}
	_, err = s.client.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{
		TargetGroupArn: aws.String(r.ARN),
		Attributes: []types.TargetGroupAttribute{{
			Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String(strconv.Itoa(int(delay.Seconds())))}}})
	if err != nil {
		return fmt.Errorf("cannot set the deregistration delay of target group %s: %w", name, err)
	}
	return errors.Join(s.save("group", name, r), s.note("group %s created", name))
}

// inUseLimit bounds the wait for a target group that is still in an action; hashicorp/aws waits too.
const inUseLimit = 20 * time.Second

// DeleteGroup waits while the group is in an action.
func (s *Site) DeleteGroup(ctx context.Context, name string) error {
	var r arnRecord
	if found, err := s.load("group", name, &r); err != nil || !found {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, inUseLimit)
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		_, err := s.client.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: aws.String(r.ARN)})
		var used *types.ResourceInUseException
		if errors.As(err, &used) {
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return fmt.Errorf("cannot delete target group %s, which may be in use still: %w", name, err)
	}
	return s.forget("group", name)
}

// maxRules is the maximum number of rules per listener.
const maxRules = 100

// TestRule sends requests with an environment's name in EnvironmentHeader to its target group, whatever the weights are.
type TestRule struct {
	Name, Listener, Group string
	Environment           string // value of the header
}

// CreateRule uses the first free priority.
func (s *Site) CreateRule(ctx context.Context, t TestRule) error {
	for priority := range int32(maxRules) {
		created, err := s.client.CreateRule(ctx, &elb.CreateRuleInput{
			ListenerArn: aws.String(t.Listener), Priority: aws.Int32(priority + 1),
			Actions: []types.Action{forwardTo(t.Group)},
			Conditions: []types.RuleCondition{{Field: aws.String("http-header"),
				HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String(EnvironmentHeader), Values: []string{t.Environment}}}}})
		var taken *types.PriorityInUseException
		if errors.As(err, &taken) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot create rule %s: %w", t.Name, err)
		}
		r := arnRecord{ARN: aws.ToString(created.Rules[0].RuleArn)}
		return errors.Join(s.save("rule", t.Name, r), s.note("rule %s created", t.Name))
	}
	return fmt.Errorf("cannot create rule %s: the listener has no free priority", t.Name)
}

// DeleteRule succeeds where the listener was deleted before.
func (s *Site) DeleteRule(ctx context.Context, name string) error {
	var r arnRecord
	if found, err := s.load("rule", name, &r); err != nil || !found {
		return err
	}
	_, err := s.client.DeleteRule(ctx, &elb.DeleteRuleInput{RuleArn: aws.String(r.ARN)})
	var gone *types.RuleNotFoundException
	if err != nil && !errors.As(err, &gone) {
		return fmt.Errorf("cannot delete rule %s: %w", name, err)
	}
	return s.forget("rule", name)
}

// weights returns the listener's weight of each target group, by the group's name without its prefix.
func (s *Site) weights(ctx context.Context, balancer, prefix string) (map[string]int, error) {
	var r balancerRecord
	if _, err := s.load("balancer", balancer, &r); err != nil {
		return nil, err
	}
	names, err := s.names("group")
	if err != nil {
		return nil, err
	}
	stage := &Stack{Listener: r.Listener, Groups: map[string]string{}, client: s.client}
	for _, name := range names {
		var group arnRecord
		if _, err := s.load("group", name, &group); err != nil {
			return nil, err
		}
		stage.Groups[strings.TrimPrefix(name, prefix)] = group.ARN
	}
	return stage.Weights(ctx)
}

// pollInterval is the interval of poll.
const pollInterval = 50 * time.Millisecond

// poll calls a function until it reports success, fails, or the context ends.
func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
