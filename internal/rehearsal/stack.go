package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// EnvironmentHeader sends a request to one environment whatever the weights are: the test traffic of the stack.
const EnvironmentHeader = "X-Environment"

// Stack is what a release needs besides Terraform: a load balancer with a listener, a target group for each environment,
// a rule for test traffic to each, and the processes of the application.
type Stack struct {
	LoadBalancer string
	Listener     string
	Groups       map[string]string // environment to target group
	// Program runs as the application, like cmd/localapp. Empty: this program.
	Program string

	client *elb.Client
	apps   map[string]*App
}

// Client returns an ELBv2 client for a local load balancer.
func Client(endpoint string) *elb.Client {
	return elb.New(elb.Options{
		Region:       Region,
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

// Client is the client of the stack.
func (s *Stack) Client() *elb.Client { return s.client }

// Region is the region of the local load balancer.
const Region = "eu-central-1"

// NewStack creates the stack for the environments, of which the first one receives all traffic. localaws may listen on
// another port than the requested one.
func NewStack(ctx context.Context, endpoint string, port int32, environments ...string) (*Stack, error) {
	return NewStackOf(ctx, StackTerms{Endpoint: endpoint, Name: "web", Port: port}, environments...)
}

// StackTerms configures a Stack.
type StackTerms struct {
	Endpoint string // of the API
	Name     string // of the load balancer
	Port     int32  // of the listener
}

// NewStackOf is NewStack for a load balancer with another name.
func NewStackOf(ctx context.Context, t StackTerms, environments ...string) (*Stack, error) {
	s := &Stack{client: Client(t.Endpoint), Groups: map[string]string{}, apps: map[string]*App{}}
	lb, err := s.client.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		Name: aws.String(t.Name), Subnets: []string{"subnet-0000000a", "subnet-0000000b"}})
	if err != nil {
		return nil, fmt.Errorf("cannot create the load balancer: %w", err)
	}
	s.LoadBalancer = aws.ToString(lb.LoadBalancers[0].LoadBalancerArn)
	for _, name := range environments {
		if err := s.addGroup(ctx, name); err != nil {
			return nil, fmt.Errorf("cannot create the target group of %s: %w", name, err)
		}
	}
	listener, err := s.client.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: aws.String(s.LoadBalancer), Port: aws.Int32(t.Port), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{forwardTo(s.Groups[environments[0]])}})
	if err != nil {
		return nil, fmt.Errorf("cannot create the listener: %w", err)
	}
	s.Listener = aws.ToString(listener.Listeners[0].ListenerArn)
	for i, name := range environments {
		if err := s.addTestRule(ctx, int32(i+1), name); err != nil {
			return nil, fmt.Errorf("cannot create the test rule of %s: %w", name, err)
		}
	}
	return s, nil
}

func forwardTo(group string) types.Action {
	return types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(group)}
}

func (s *Stack) addGroup(ctx context.Context, name string) error {
	created, err := s.client.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: aws.String("app-" + name), Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80),
		TargetType: types.TargetTypeEnumIp, VpcId: aws.String("vpc-00000001"),
		HealthCheckPath: aws.String("/healthz"), HealthCheckIntervalSeconds: aws.Int32(5),
		HealthCheckTimeoutSeconds: aws.Int32(2), HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2)})
	if err != nil {
		return err
	}
	s.Groups[name] = aws.ToString(created.TargetGroups[0].TargetGroupArn)
	_, err = s.client.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{
		TargetGroupArn: aws.String(s.Groups[name]),
		Attributes: []types.TargetGroupAttribute{{
			Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String(strconv.Itoa(int(drainDelay.Seconds())))}}})
	return err
}

func (s *Stack) addTestRule(ctx context.Context, priority int32, name string) error {
	_, err := s.client.CreateRule(ctx, &elb.CreateRuleInput{
		ListenerArn: aws.String(s.Listener), Priority: aws.Int32(priority),
		Actions: []types.Action{forwardTo(s.Groups[name])},
		Conditions: []types.RuleCondition{{Field: aws.String("http-header"),
			HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String(EnvironmentHeader), Values: []string{name}}}}})
	return err
}

// Deploy starts a version as the only target of an environment. What ran there before is deregistered, finishes requests in
// flight, and ends.
func (s *Stack) Deploy(ctx context.Context, environment string, t AppTerms) error {
	app, err := startApp(s.Program, t)
	if err != nil {
		return err
	}
	old := s.apps[environment]
	s.apps[environment] = app
	if err := s.register(ctx, environment, app); err != nil {
		return fmt.Errorf("cannot register version %s: %w", t.Version, err)
	}
	if old == nil {
		return nil
	}
	defer old.Stop()
	if err := s.deregister(ctx, environment, old); err != nil {
		return err
	}
	return s.drained(ctx, environment, old)
}

// drainDelay is the deregistration delay of the target groups.
const drainDelay = time.Second

// drained waits until the process is no longer a draining target: a request that the load balancer has just routed to it
// may not have reached it yet.
func (s *Stack) drained(ctx context.Context, environment string, app *App) error {
	poll := time.NewTicker(drainDelay / 10)
	defer poll.Stop()
	for {
		out, err := s.client.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(s.Groups[environment])})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(out.TargetHealthDescriptions, func(d types.TargetHealthDescription) bool { return aws.ToInt32(d.Target.Port) == app.Port }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
		}
	}
}

// Retire deregisters what runs in an environment and kills it.
func (s *Stack) Retire(ctx context.Context, environment string) error {
	app := s.apps[environment]
	if app == nil {
		return nil
	}
	delete(s.apps, environment)
	app.Kill()
	return s.deregister(ctx, environment, app)
}

func (s *Stack) register(ctx context.Context, environment string, app *App) error {
	_, err := s.client.RegisterTargets(ctx, &elb.RegisterTargetsInput{
		TargetGroupArn: aws.String(s.Groups[environment]), Targets: target(app)})
	return err
}

func (s *Stack) deregister(ctx context.Context, environment string, app *App) error {
	_, err := s.client.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{
		TargetGroupArn: aws.String(s.Groups[environment]), Targets: target(app)})
	return err
}

func target(app *App) []types.TargetDescription {
	return []types.TargetDescription{{Id: aws.String("127.0.0.1"), Port: aws.Int32(app.Port)}}
}

// App is what runs in an environment, nil if nothing does.
func (s *Stack) App(environment string) *App { return s.apps[environment] }

// ErrNotForwarding says that the listener does not forward.
var ErrNotForwarding = errors.New("the listener does not forward")

// Weights returns the listener's weight of each environment.
func (s *Stack) Weights(ctx context.Context) (map[string]int, error) {
	described, err := s.client.DescribeListeners(ctx, &elb.DescribeListenersInput{ListenerArns: []string{s.Listener}})
	if err != nil {
		return nil, err
	}
	for _, action := range described.Listeners[0].DefaultActions {
		if action.Type == types.ActionTypeEnumForward {
			return s.weightsOf(action), nil
		}
	}
	return nil, ErrNotForwarding
}

func (s *Stack) weightsOf(action types.Action) map[string]int {
	weights := map[string]int{}
	for name, group := range s.Groups {
		if action.ForwardConfig == nil {
			if aws.ToString(action.TargetGroupArn) == group {
				weights[name] = 1 // a single target group receives everything
			}
			continue
		}
		for _, tuple := range action.ForwardConfig.TargetGroups {
			if aws.ToString(tuple.TargetGroupArn) == group {
				weights[name] = int(aws.ToInt32(tuple.Weight))
				if len(action.ForwardConfig.TargetGroups) == 1 {
					weights[name] = 1 // a lone group has it all, whatever it says
				}
			}
		}
	}
	return weights
}

// Close kills every process of the application.
func (s *Stack) Close() {
	for _, app := range s.apps {
		app.Kill()
	}
}
