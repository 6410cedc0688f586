package localaws_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// refusal is a call that must fail, with its error.
type refusal struct {
	name string
	call func() error
	want string // code and message
}

func (b *bench) check(cases []refusal) {
	b.t.Helper()
	for _, tc := range cases {
		err := tc.call()
		if err == nil {
			b.t.Errorf("%s: no error", tc.name)
			continue
		}
		known, ok := errors.AsType[smithy.APIError](err)
		if !ok {
			b.t.Errorf("%s: got %v, which is no answer of the API", tc.name, err)
			continue
		}
		if got := known.ErrorCode() + ": " + known.ErrorMessage(); got != tc.want {
			b.t.Errorf("%s: got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func (b *bench) modifyErr(listener string, actions []types.Action) error {
	_, err := b.api.ModifyListener(b.ctx(), &elb.ModifyListenerInput{ListenerArn: &listener, DefaultActions: actions})
	return err
}

func TestRefusals_actions(t *testing.T) {
	b := newBench(t)
	lb := b.balancer("app")
	g, other := b.group("g"), b.group("other")
	l := b.listener(lb, 80, forward(share{g, 1}))
	associated := b.group("associated")
	b.listener(b.balancer("second"), 80, forward(share{associated, 1}))
	stickyTargets := b.group("sticky")
	b.attribute(stickyTargets, "stickiness.enabled", "true")
	six := []share{}
	for i := range 6 {
		six = append(six, share{b.group(fmt.Sprint("g", i)), 1})
	}
	missing := strings.Replace(g, "targetgroup/g/", "targetgroup/gone/", 1)
	both := forward(share{g, 1}, share{other, 1})
	both[0].TargetGroupArn = &g
	noWeight := forward(share{g, 1}, share{other, 1})
	noWeight[0].ForwardConfig.TargetGroups[1].Weight = nil
	try := func(actions []types.Action) func() error { return func() error { return b.modifyErr(l, actions) } }
	b.check([]refusal{
		{"six groups", try(forward(six...)), "TooManyTargetGroups: You cannot specify more than '5' target groups in a single action"},
		{"weight 1000", try(forward(share{g, 1000}, share{other, 1})), "ValidationError: The weight for each target group must be between 0 and 999, inclusive"},
		{"negative weight", try(forward(share{g, -1}, share{other, 1})), "ValidationError: The weight for each target group must be between 0 and 999, inclusive"},
		{"no weight", try(noWeight), "ValidationError: The weight for each target group must be between 0 and 999, inclusive"},
		{"the same group twice", try(forward(share{g, 1}, share{g, 1})), "InvalidLoadBalancerAction: Target group '" + g + "' is specified more than once"},
		{"group unknown", try(forward(share{missing, 1})), "TargetGroupNotFound: Target group '" + missing + "' not found"},
		{"group of another balancer", try(forward(share{associated, 1})), "TargetGroupAssociationLimit: The following target groups cannot be associated with more than one load balancer: " + associated},
		{"both forms", try(both), "InvalidLoadBalancerAction: If you specify both ForwardConfig and TargetGroupArn, ForwardConfig must name that one target group alone"},
		{"no actions", try([]types.Action{}), "ValidationError: An action must be specified"},
		{"sticky too long", try(stickyForward(604801, share{g, 1}, share{other, 1})), "ValidationError: Target group stickiness duration must be between 1 and 604800 seconds, inclusive"},
		{"sticky targets", try(forward(share{stickyTargets, 1}, share{other, 1})), "InvalidConfigurationRequest: You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups"},
		{"two routing actions", try(gated(withOrder(forward(share{g, 1})[0], 1), fixed("200", "x"))), "InvalidLoadBalancerAction: You must specify exactly one action of type 'forward', 'redirect' or 'fixed-response'"},
		{"login over HTTP", try(gated(oidc("deny"), fixed("200", "x"))), "InvalidLoadBalancerAction: Actions of type 'authenticate-oidc' are supported only on HTTPS listeners"},
		{"odd status", try(fixed("301", "x")), "ValidationError: 1 validation error detected: Value '301' at 'fixedResponseConfig.statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(2|4|5)\\d\\d$"},
		{"redirect to itself", try([]types.Action{{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{StatusCode: "HTTP_301"}}}), "InvalidLoadBalancerAction: The redirect would lead to itself: change at least one of protocol, host, port and path"},
	})
	if got := b.weights(l)[g]; got != 1 {
		t.Errorf("a refused call changed the listener: %d", got)
	}
	s := b.secure(lb, fixed("200", "x"))
	login := oidc("deny")
	b.check([]refusal{
		{"login last", func() error {
			return b.modifyErr(s, []types.Action{withOrder(fixed("200", "x")[0], 1), withOrder(login, 2)})
		}, "InvalidLoadBalancerAction: The last action must be of type 'forward', 'redirect' or 'fixed-response'"},
		{"no order", func() error { login.Order = nil; return b.modifyErr(s, []types.Action{login, fixed("200", "x")[0]}) }, "ValidationError: An action order must be specified for each action when there is more than one action"},
	})
}

func withOrder(a types.Action, order int32) types.Action {
	a.Order = &order
	return a
}

func TestRefusals_listenersAndRules(t *testing.T) {
	b := newBench(t)
	lb := b.balancer("app")
	l := b.listener(lb, 80, fixed("200", "x"))
	gone := l[:len(l)-4] + "0000"
	b.rule(l, 10, fixed("200", "x"), path("/x"))
	rules, err := b.api.DescribeRules(b.ctx(), &elb.DescribeRulesInput{ListenerArn: &l})
	b.must(err)
	byDefault := rules.Rules[1].RuleArn
	create := func(protocol types.ProtocolEnum, port int32) func() error {
		return func() error {
			_, err := b.api.CreateListener(b.ctx(), &elb.CreateListenerInput{LoadBalancerArn: &lb, Protocol: protocol, Port: &port, DefaultActions: fixed("200", "y")})
			return err
		}
	}
	rule := func(priority int32, conditions ...types.RuleCondition) func() error {
		return func() error {
			_, err := b.api.CreateRule(b.ctx(), &elb.CreateRuleInput{ListenerArn: &l, Priority: &priority, Conditions: conditions, Actions: fixed("200", "x")})
			return err
		}
	}
	many := make([]string, 21)
	for i := range many {
		many[i] = l
	}
	b.check([]refusal{
		{"port taken", create("HTTP", 80), "DuplicateListener: A listener already exists on this port for this load balancer '" + lb + "'"},
		{"protocol", create("TCP", 81), "ValidationError: Listener protocol 'TCP' must be one of 'HTTP, HTTPS'"},
		{"no certificate", create("HTTPS", 81), "CertificateNotFound: A certificate must be specified for HTTPS listeners"},
		{"listener unknown", func() error { return b.modifyErr(gone, fixed("200", "x")) }, "ListenerNotFound: One or more listeners not found"},
		{"not a listener", func() error { return b.modifyErr(lb, fixed("200", "x")) }, "ValidationError: '" + lb + "' is not a valid listener ARN"},
		{"priority taken", rule(10, path("/y")), "PriorityInUse: Priority '10' is currently in use"},
		{"priority too high", rule(50001, path("/y")), "ValidationError: 'Priority' must be between '1' and '50000', inclusive: '50001' is not."},
		{"too many values", rule(11, path("/1", "/2", "/3"), host("a.b", "c.d", "e.f")), "ValidationError: A rule can only have '5' condition values"},
		{"condition twice", rule(11, path("/1"), path("/2")), "ValidationError: The 'path-pattern' condition can be specified only once"},
		{"unknown condition", rule(11, types.RuleCondition{Field: aws.String("moon"), Values: []string{"x"}}), "ValidationError: Condition field 'moon' must be one of '[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]'"},
		{"default rule", func() error {
			_, err := b.api.ModifyRule(b.ctx(), &elb.ModifyRuleInput{RuleArn: byDefault, Actions: fixed("200", "x")})
			return err
		}, "OperationNotPermitted: Default rule '" + *byDefault + "' cannot be modified"},
		{"delete default rule", func() error {
			_, err := b.api.DeleteRule(b.ctx(), &elb.DeleteRuleInput{RuleArn: byDefault})
			return err
		}, "OperationNotPermitted: Default rule '" + *byDefault + "' cannot be deleted"},
		{"rule unknown", func() error {
			_, err := b.api.DescribeRules(b.ctx(), &elb.DescribeRulesInput{RuleArns: []string{*byDefault + "0"}})
			return err
		}, "RuleNotFound: One or more rules not found"},
		{"21 listeners", func() error {
			_, err := b.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{ListenerArns: many})
			return err
		}, "ValidationError: You cannot describe more than '20' listeners at a time"},
		{"no listeners", func() error {
			_, err := b.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{})
			return err
		}, "ValidationError: You must specify either listener ARNs or a load balancer ARN"},
		{"bad marker", func() error {
			_, err := b.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{LoadBalancerArn: &lb, Marker: aws.String("!")})
			return err
		}, "ValidationError: The marker '!' is not valid"},
	})
}

func TestRefusals_balancersAndGroups(t *testing.T) {
	b := newBench(t)
	lb := b.balancer("app")
	g := b.group("g")
	create := func(change func(*elb.CreateTargetGroupInput)) func() error {
		in := &elb.CreateTargetGroupInput{Name: aws.String("new"), Protocol: "HTTP", Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: "ip"}
		change(in)
		return func() error { _, err := b.api.CreateTargetGroup(b.ctx(), in); return err }
	}
	balancer := func(name string, subnets ...string) func() error {
		return func() error {
			_, err := b.api.CreateLoadBalancer(b.ctx(), &elb.CreateLoadBalancerInput{Name: &name, Subnets: subnets})
			return err
		}
	}
	attribute := func(key, value string) func() error {
		return func() error {
			_, err := b.api.ModifyTargetGroupAttributes(b.ctx(), &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: &g, Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}}})
			return err
		}
	}
	b.check([]refusal{
		{"one subnet", balancer("new", "subnet-1"), "ValidationError: At least two subnets in two different Availability Zones must be specified"},
		{"other settings", balancer("app", "subnet-1", "subnet-3"), "DuplicateLoadBalancerName: A load balancer with the same name 'app' exists, but with different settings"},
		{"name", balancer("-app", "subnet-1", "subnet-2"), "ValidationError: Load balancer name '-app' can only contain characters that are alphanumeric characters and hyphens(-), and must not begin or end with a hyphen"},
		{"balancer unknown", func() error {
			_, err := b.api.DescribeLoadBalancers(b.ctx(), &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{lb + "0"}})
			return err
		}, "LoadBalancerNotFound: One or more load balancers not found"},
		{"group: other settings", create(func(in *elb.CreateTargetGroupInput) { in.Name = aws.String("g") }), "DuplicateTargetGroupName: A target group with the same name 'g' exists, but with different settings"},
		{"group: no VPC", create(func(in *elb.CreateTargetGroupInput) { in.VpcId = nil }), "ValidationError: A VPC ID must be specified"},
		{"group: interval", create(func(in *elb.CreateTargetGroupInput) { in.HealthCheckIntervalSeconds = aws.Int32(4) }), "ValidationError: 'HealthCheckIntervalSeconds' must be between '5' and '300', inclusive: '4' is not."},
		{"group: timeout", create(func(in *elb.CreateTargetGroupInput) { in.HealthCheckTimeoutSeconds = aws.Int32(30) }), "ValidationError: Health check interval must be greater than the timeout: '30' is not greater than '30'"},
		{"group: matcher", create(func(in *elb.CreateTargetGroupInput) { in.Matcher = &types.Matcher{HttpCode: aws.String("2xx")} }), "ValidationError: Health check matcher HTTP code '2xx' must be a value or a range of values such as '200', '200,202' or '200-299'"},
		{"group: path", create(func(in *elb.CreateTargetGroupInput) { in.HealthCheckPath = aws.String("health") }), "ValidationError: Health check path 'health' must begin with a '/' character and have at most 1024 characters"},
		{"group: checks off", create(func(in *elb.CreateTargetGroupInput) { in.HealthCheckEnabled = aws.Bool(false) }), "InvalidConfigurationRequest: Health check enabled must be true for target groups with target type 'ip'"},
		{"group unknown", func() error {
			_, err := b.api.DescribeTargetHealth(b.ctx(), &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(g + "0")})
			return err
		}, "TargetGroupNotFound: One or more target groups not found"},
		{"target", func() error {
			_, err := b.api.RegisterTargets(b.ctx(), &elb.RegisterTargetsInput{TargetGroupArn: &g, Targets: []types.TargetDescription{{Id: aws.String("i-1")}}})
			return err
		}, "ValidationError: The IP address 'i-1' is not a valid ipv4 address"},
		{"attribute", attribute("color", "blue"), "InvalidConfigurationRequest: Attribute key 'color' is not recognized"},
		{"attribute value", attribute("deregistration_delay.timeout_seconds", "3601"), "InvalidConfigurationRequest: 'deregistration_delay.timeout_seconds' must be between '0' and '3600', inclusive: '3601' is not valid"},
	})
	other := b.group("associated")
	l := b.listener(lb, 80, forward(share{g, 1}, share{other, 1}))
	err := attribute("stickiness.enabled", "true")()
	if code(err) != "InvalidConfigurationRequest" {
		t.Errorf("sticky targets beside another group: got %v", err)
	}
	b.modify(l, stickyForward(60, share{g, 1}, share{other, 1}))
	b.must(attribute("stickiness.enabled", "true")())
}

func TestListener_portInUse(t *testing.T) {
	b := newBench(t)
	fixedPorts, err := localaws.Start()
	b.must(err)
	defer func() { b.must(fixedPorts.Close()) }()
	api := &bench{t: t, srv: fixedPorts, api: client(fixedPorts.URL(), 1)}
	u, err := url.Parse(b.srv.URL())
	b.must(err)
	taken := descriptions(t, []string{u.Host})[0].Port
	lb := api.balancer("app")
	_, err = api.api.CreateListener(b.ctx(), &elb.CreateListenerInput{LoadBalancerArn: &lb, Protocol: "HTTP", Port: taken, DefaultActions: fixed("200", "x")})
	if code(err) != "InvalidConfigurationRequest" || !strings.Contains(err.Error(), "localaws cannot listen on "+u.Host) {
		t.Errorf("got %v", err)
	}
	out, err := api.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{LoadBalancerArn: &lb})
	b.must(err)
	if len(out.Listeners) != 0 {
		t.Error("the listener exists all the same")
	}
}
