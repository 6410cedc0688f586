package elb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

const (
	secretKey    = "wJalrXUtnFEMI-never-to-be-seen"
	clientSecret = "oidc-client-secret-never-to-be-seen"
)

// alb is a running local load balancer with a separate client, so that the effect
// of a router is read independently.
type alb struct {
	t                 *testing.T
	srv               *localaws.Server
	api               *elbv2.Client
	forward, rollback *elb.Router
}

func newALB(t *testing.T, opts ...localaws.Option) *alb {
	t.Helper()
	srv, err := localaws.Start(append([]localaws.Option{
		localaws.WithEphemeralPorts(), localaws.WithFastHealth(10 * time.Millisecond),
		localaws.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	must(t, err)
	t.Cleanup(func() { must(t, srv.Close()) })
	a := &alb{t: t, srv: srv, api: client(srv.URL(), "us-east-1")}
	a.forward, a.rollback = elb.NewRouters(config(), elb.Options{Endpoint: srv.URL(), MaxAttempts: 1})
	return a
}

func config() aws.Config {
	return aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", secretKey, "")}
}

func client(url, region string) *elbv2.Client {
	return elbv2.NewFromConfig(config(), func(o *elbv2.Options) {
		o.Region, o.BaseEndpoint, o.RetryMaxAttempts = region, &url, 1
	})
}

// in returns the same load balancer through another region.
func (a *alb) in(region string) *alb {
	other := *a
	other.api = client(a.srv.URL(), region)
	return &other
}

func (a *alb) ctx() context.Context { return a.t.Context() }

func (a *alb) balancer(name string, kind ...types.LoadBalancerTypeEnum) string {
	a.t.Helper()
	in := &elbv2.CreateLoadBalancerInput{Name: &name, Subnets: []string{"subnet-1", "subnet-2"}}
	if len(kind) > 0 {
		in.Type = kind[0]
	}
	out, err := a.api.CreateLoadBalancer(a.ctx(), in)
	must(a.t, err)
	return *out.LoadBalancers[0].LoadBalancerArn
}

// group creates a target group with this number of targets that answer 200.
func (a *alb) group(name string, targets int) string {
	a.t.Helper()
	out, err := a.api.CreateTargetGroup(a.ctx(), &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: new(int32(80)), VpcId: new("vpc-1"),
		TargetType: types.TargetTypeEnumIp, HealthyThresholdCount: new(int32(2)), UnhealthyThresholdCount: new(int32(2)),
	})
	must(a.t, err)
	arn := *out.TargetGroups[0].TargetGroupArn
	for range targets {
		a.register(arn, http.StatusOK)
	}
	return arn
}

// register starts a target that answers with a status, and returns its id.
func (a *alb) register(group string, status int) string {
	a.t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "here")
	}))
	a.t.Cleanup(srv.Close)
	host, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	must(a.t, err)
	n, err := strconv.ParseInt(port, 10, 32)
	must(a.t, err)
	_, err = a.api.RegisterTargets(a.ctx(), &elbv2.RegisterTargetsInput{
		TargetGroupArn: &group, Targets: []types.TargetDescription{{Id: &host, Port: new(int32(n))}},
	})
	must(a.t, err)
	return host + ":" + port
}

func (a *alb) listener(balancer string, port int32, actions ...types.Action) string {
	a.t.Helper()
	in := &elbv2.CreateListenerInput{
		LoadBalancerArn: &balancer, Protocol: types.ProtocolEnumHttp, Port: &port, DefaultActions: actions,
	}
	if actions[0].AuthenticateOidcConfig != nil {
		in.Protocol = types.ProtocolEnumHttps
		in.Certificates = []types.Certificate{{CertificateArn: new("arn:aws:acm:us-east-1:123456789012:certificate/1")}}
	}
	out, err := a.api.CreateListener(a.ctx(), in)
	must(a.t, err)
	return *out.Listeners[0].ListenerArn
}

func (a *alb) rule(listener string, priority int32, actions ...types.Action) string {
	a.t.Helper()
	out, err := a.api.CreateRule(a.ctx(), &elbv2.CreateRuleInput{
		ListenerArn: &listener, Priority: &priority, Actions: actions,
		Conditions: []types.RuleCondition{{
			Field: new("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{fmt.Sprintf("/%d/*", priority)}},
		}},
	})
	must(a.t, err)
	return *out.Rules[0].RuleArn
}

// actions returns the actions of a listener or rule, through the test's client.
func (a *alb) actions(route string) []types.Action {
	a.t.Helper()
	if arn, err := elb.Parse(route); err == nil && arn.Kind == elb.Listener {
		out, err := a.api.DescribeListeners(a.ctx(), &elbv2.DescribeListenersInput{ListenerArns: []string{route}})
		must(a.t, err)
		return out.Listeners[0].DefaultActions
	}
	out, err := a.api.DescribeRules(a.ctx(), &elbv2.DescribeRulesInput{RuleArns: []string{route}})
	must(a.t, err)
	return out.Rules[0].Actions
}

// calls returns the calls of an action so far, oldest first.
func (a *alb) calls(action string) []localaws.Call {
	return slices.DeleteFunc(a.srv.Calls(), func(c localaws.Call) bool { return c.Action != action })
}

func to(groups map[string]int32) types.Action {
	c := &types.ForwardActionConfig{}
	for arn, weight := range groups {
		c.TargetGroups = append(c.TargetGroups, types.TargetGroupTuple{TargetGroupArn: &arn, Weight: &weight})
	}
	return types.Action{Type: types.ActionTypeEnumForward, ForwardConfig: c}
}

func toOne(group string) types.Action {
	return types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: &group}
}

func fixed(status string) types.Action {
	return types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{
		StatusCode: &status, ContentType: new("text/plain"), MessageBody: new("nobody is here yet"),
	}}
}

func redirect() types.Action {
	return types.Action{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
		StatusCode: types.RedirectActionStatusCodeEnumHttp301, Protocol: new("HTTPS"), Port: new("443"),
	}}
}

func login() types.Action {
	return types.Action{Type: types.ActionTypeEnumAuthenticateOidc, AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
		Issuer: new("https://id.example.com"), AuthorizationEndpoint: new("https://id.example.com/auth"),
		TokenEndpoint: new("https://id.example.com/token"), UserInfoEndpoint: new("https://id.example.com/user"),
		ClientId: new("web"), ClientSecret: new(clientSecret), Scope: new("openid email"), SessionTimeout: new(int64(3600)),
		OnUnauthenticatedRequest:         types.AuthenticateOidcActionConditionalBehaviorEnumDeny,
		AuthenticationRequestExtraParams: map[string]string{"prompt": "login"},
	}}
}

// inOrder sets the order of actions, with gaps.
func inOrder(actions ...types.Action) []types.Action {
	for i := range actions {
		actions[i].Order = new(int32(10 * (i + 1)))
	}
	return actions
}

// besideRouting returns the actions other than the routing action, and the order of
// that one, as text.
func besideRouting(t *testing.T, actions []types.Action) string {
	t.Helper()
	shown := slices.Clone(actions)
	for i, a := range shown {
		if a.Type == types.ActionTypeEnumForward {
			shown[i] = types.Action{Type: a.Type, Order: a.Order}
		}
	}
	text, err := json.MarshalIndent(shown, "", " ")
	must(t, err)
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// absent returns the ARN of a resource of the same kind that does not exist.
func absent(arn string) string {
	return arn[:strings.LastIndex(arn, "/")+1] + "0000000000000000"
}
