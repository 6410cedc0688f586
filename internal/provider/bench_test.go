package provider_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// bench is a running local load balancer with an SDK client.
type bench struct {
	t        *testing.T
	srv      *localaws.Server
	api      *elbv2.Client
	balancer string
	port     int32
}

// site is a bench with two versions of an application, blue and green, behind
// one listener that forwards to blue.
type site struct {
	*bench
	blue, green *app
	listener    string
}

// app is a version of an application behind a target group.
type app struct {
	group  string
	status atomic.Int64 // what it answers
	url    string
}

func newBench(t *testing.T, options ...localaws.Option) *bench {
	t.Helper()
	srv, err := localaws.Start(append([]localaws.Option{
		localaws.WithEphemeralPorts(),
		localaws.WithFastHealth(20 * time.Millisecond),
		localaws.WithLogger(slog.New(slog.DiscardHandler)),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, srv: srv, port: 8000, api: elbv2.New(elbv2.Options{
		Region: "us-east-1", BaseEndpoint: new(srv.URL()), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", ""),
	})}
	b.balancer = b.loadBalancer("web")
	return b
}

// newSite returns a site whose traffic is on blue.
func newSite(t *testing.T, options ...localaws.Option) *site {
	t.Helper()
	b := newBench(t, options...)
	s := &site{bench: b, blue: b.app("app-blue"), green: b.app("app-green")}
	s.listener = b.listen(forward(weights{s.blue.group: 100}))
	b.healthy(s.blue.group)
	return s
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) loadBalancer(name string) string {
	b.t.Helper()
	out, err := b.api.CreateLoadBalancer(b.t.Context(), &elbv2.CreateLoadBalancerInput{
		Name: &name, Subnets: []string{"subnet-1", "subnet-2"},
	})
	b.must(err)
	return aws.ToString(out.LoadBalancers[0].LoadBalancerArn)
}

// app creates a target group with one target that answers 200 and its name.
func (b *bench) app(name string) *app {
	b.t.Helper()
	a := &app{}
	a.status.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			w.WriteHeader(int(a.status.Load()))
		}
		_, _ = io.WriteString(w, name)
	}))
	b.t.Cleanup(server.Close)
	a.url = server.URL
	a.group = b.group(name, server.Listener.Addr().String())
	return a
}

// group creates a target group with these IP targets.
func (b *bench) group(name string, targets ...string) string {
	b.t.Helper()
	out, err := b.api.CreateTargetGroup(b.t.Context(), &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: new(int32(80)), VpcId: new("vpc-1"),
		TargetType: types.TargetTypeEnumIp, HealthyThresholdCount: new(int32(2)), UnhealthyThresholdCount: new(int32(2)),
		HealthCheckPath: new("/health"),
	})
	b.must(err)
	arn := aws.ToString(out.TargetGroups[0].TargetGroupArn)
	for _, target := range targets {
		host, port, err := net.SplitHostPort(target)
		b.must(err)
		n, err := strconv.Atoi(port)
		b.must(err)
		_, err = b.api.RegisterTargets(b.t.Context(), &elbv2.RegisterTargetsInput{
			TargetGroupArn: &arn, Targets: []types.TargetDescription{{Id: &host, Port: new(int32(n))}},
		})
		b.must(err)
	}
	return arn
}

// weights are the weights of target groups by ARN.
type weights map[string]int32

func forward(w weights) []types.Action {
	config := &types.ForwardActionConfig{}
	for group, weight := range w {
		config.TargetGroups = append(config.TargetGroups, types.TargetGroupTuple{TargetGroupArn: new(group), Weight: new(weight)})
	}
	slices.SortFunc(config.TargetGroups, func(a, b types.TargetGroupTuple) int {
		return strings.Compare(*a.TargetGroupArn, *b.TargetGroupArn)
	})
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: config}}
}

func fixed(status string) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{
		StatusCode: &status, ContentType: new("text/plain"), MessageBody: new("closed"),
	}}}
}

func redirect() []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
		StatusCode: types.RedirectActionStatusCodeEnumHttp301, Host: new("example.com"),
	}}}
}

// listen creates a listener on the next port.
func (b *bench) listen(actions []types.Action) string {
	b.t.Helper()
	b.port++
	out, err := b.api.CreateListener(b.t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: &b.balancer, Protocol: types.ProtocolEnumHttp, Port: new(b.port), DefaultActions: actions,
	})
	b.must(err)
	return aws.ToString(out.Listeners[0].ListenerArn)
}

// rule creates a rule for a path of a listener.
func (b *bench) rule(listener, path string, priority int32, actions []types.Action) string {
	b.t.Helper()
	out, err := b.api.CreateRule(b.t.Context(), &elbv2.CreateRuleInput{
		ListenerArn: &listener, Priority: &priority, Actions: actions,
		Conditions: []types.RuleCondition{{Field: new("path-pattern"), Values: []string{path}}},
	})
	b.must(err)
	return aws.ToString(out.Rules[0].RuleArn)
}

// defaultRule returns the ARN of the default rule of a listener.
func (b *bench) defaultRule(listener string) string {
	b.t.Helper()
	out, err := b.api.DescribeRules(b.t.Context(), &elbv2.DescribeRulesInput{ListenerArn: &listener})
	b.must(err)
	for _, rule := range out.Rules {
		if aws.ToBool(rule.IsDefault) {
			return aws.ToString(rule.RuleArn)
		}
	}
	b.t.Fatal("the listener has no default rule")
	return ""
}

// changeExternally sets the default actions of a listener, as a console user would.
func (b *bench) changeExternally(listener string, actions []types.Action) {
	b.t.Helper()
	_, err := b.api.ModifyListener(b.t.Context(), &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: actions})
	b.must(err)
}

// actions returns the current default actions of a listener.
func (b *bench) actions(listener string) []types.Action {
	b.t.Helper()
	out, err := b.api.DescribeListeners(b.t.Context(), &elbv2.DescribeListenersInput{ListenerArns: []string{listener}})
	b.must(err)
	return out.Listeners[0].DefaultActions
}

// routed returns the weights of a listener's forward action by target group
// name: "app-blue 100, app-green 0".
func (b *bench) routed(listener string) string {
	b.t.Helper()
	return routedBy(b.actions(listener))
}

// ruleRouted is routed for a rule.
func (b *bench) ruleRouted(rule string) string {
	b.t.Helper()
	out, err := b.api.DescribeRules(b.t.Context(), &elbv2.DescribeRulesInput{RuleArns: []string{rule}})
	b.must(err)
	return routedBy(out.Rules[0].Actions)
}

func routedBy(actions []types.Action) string {
	var parts []string
	for _, action := range actions {
		if action.Type != types.ActionTypeEnumForward {
			continue
		}
		for _, g := range action.ForwardConfig.TargetGroups {
			name := strings.Split(aws.ToString(g.TargetGroupArn), "/")[1]
			parts = append(parts, fmt.Sprintf("%s %d", name, aws.ToInt32(g.Weight)))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// healthy waits until every target of the groups is healthy.
func (b *bench) healthy(groups ...string) {
	b.t.Helper()
	for _, group := range groups {
		b.until("healthy targets", func() bool {
			out, err := b.api.DescribeTargetHealth(b.t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
			b.must(err)
			for _, d := range out.TargetHealthDescriptions {
				if d.TargetHealth.State != types.TargetHealthStateEnumHealthy {
					return false
				}
			}
			return len(out.TargetHealthDescriptions) > 0
		})
	}
}

// until polls a condition until it holds.
func (b *bench) until(what string, done func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), slow.Deadline(60*time.Second))
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// writes returns the calls so far that changed a route.
func (b *bench) writes() []string {
	var writes []string
	for _, call := range b.srv.Calls() {
		if call.Action == "ModifyListener" || call.Action == "ModifyRule" {
			writes = append(writes, call.Action)
		}
	}
	return writes
}

// called returns the number of calls so far.
func (b *bench) called() int { return len(b.srv.Calls()) }

// moveTarget moves the targets of one group to another.
func (b *bench) moveTarget(from, to *app) {
	b.t.Helper()
	out, err := b.api.DescribeTargetHealth(b.t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &from.group})
	b.must(err)
	for _, d := range out.TargetHealthDescriptions {
		_, err := b.api.RegisterTargets(b.t.Context(), &elbv2.RegisterTargetsInput{
			TargetGroupArn: &to.group, Targets: []types.TargetDescription{{Id: d.Target.Id, Port: d.Target.Port}},
		})
		b.must(err)
	}
}

// secureListener creates an HTTPS listener; authenticate actions require one.
func (b *bench) secureListener(actions []types.Action) string {
	b.t.Helper()
	b.port++
	out, err := b.api.CreateListener(b.t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: &b.balancer, Protocol: types.ProtocolEnumHttps, Port: new(b.port), DefaultActions: actions,
		Certificates: []types.Certificate{{CertificateArn: new("arn:aws:acm:us-east-1:123456789012:certificate/1")}},
	})
	b.must(err)
	return aws.ToString(out.Listeners[0].ListenerArn)
}

// refuse denies calls of an action on an ARN this many times (0: until remove
// is called).
func (b *bench) refuse(action, arn string, times int) (remove func()) {
	return b.srv.Inject(faults.Fault{Action: action, ARN: arn, Kind: faults.AccessDenied, Times: times})
}

// deleteListener deletes a listener with its rules.
func (b *bench) deleteListener(listener string) {
	b.t.Helper()
	_, err := b.api.DeleteListener(b.t.Context(), &elbv2.DeleteListenerInput{ListenerArn: &listener})
	b.must(err)
}
