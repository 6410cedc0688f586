package localaws_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// bench is a running load balancer with an SDK client.
type bench struct {
	t   *testing.T
	srv *localaws.Server
	api *elb.Client
	web *http.Client
}

func newBench(t *testing.T, opts ...localaws.Option) *bench {
	t.Helper()
	all := append([]localaws.Option{
		localaws.WithEphemeralPorts(), localaws.WithFastHealth(20 * time.Millisecond), localaws.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)
	srv, err := localaws.Start(all...)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, srv: srv, api: client(srv.URL(), 1)}
	b.web = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		b.web.CloseIdleConnections()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func client(url string, attempts int) *elb.Client {
	return elb.New(elb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), RetryMaxAttempts: attempts,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", ""),
	})
}

func (b *bench) ctx() context.Context { return b.t.Context() }

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// balancer creates an Application Load Balancer.
func (b *bench) balancer(name string) string {
	b.t.Helper()
	out, err := b.api.CreateLoadBalancer(b.ctx(), &elb.CreateLoadBalancerInput{Name: &name, Subnets: []string{"subnet-1", "subnet-2"}})
	b.must(err)
	return *out.LoadBalancers[0].LoadBalancerArn
}

// group creates a target group with the smallest thresholds and registers IP targets.
func (b *bench) group(name string, targets ...string) string {
	b.t.Helper()
	out, err := b.api.CreateTargetGroup(b.ctx(), &elb.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumIp,
		HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2), HealthCheckPath: aws.String("/health"),
	})
	b.must(err)
	arn := *out.TargetGroups[0].TargetGroupArn
	if len(targets) > 0 {
		b.register(arn, targets...)
	}
	return arn
}

func descriptions(t testing.TB, targets []string) []types.TargetDescription {
	t.Helper()
	var out []types.TargetDescription
	for _, address := range targets {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseInt(port, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, types.TargetDescription{Id: &host, Port: aws.Int32(int32(n))})
	}
	return out
}

func (b *bench) register(group string, targets ...string) {
	b.t.Helper()
	_, err := b.api.RegisterTargets(b.ctx(), &elb.RegisterTargetsInput{TargetGroupArn: &group, Targets: descriptions(b.t, targets)})
	b.must(err)
}

func (b *bench) deregister(group string, targets ...string) {
	b.t.Helper()
	_, err := b.api.DeregisterTargets(b.ctx(), &elb.DeregisterTargetsInput{TargetGroupArn: &group, Targets: descriptions(b.t, targets)})
	b.must(err)
}

// attribute sets one attribute of a group.
func (b *bench) attribute(group, key, value string) {
	b.t.Helper()
	_, err := b.api.ModifyTargetGroupAttributes(b.ctx(), &elb.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &group, Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}},
	})
	b.must(err)
}

// share is a group and its weight in an action.
type share struct {
	arn    string
	weight int32
}

func forward(shares ...share) []types.Action {
	cfg := &types.ForwardActionConfig{}
	for _, s := range shares {
		cfg.TargetGroups = append(cfg.TargetGroups, types.TargetGroupTuple{TargetGroupArn: &s.arn, Weight: &s.weight})
	}
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: cfg}}
}

func stickyForward(seconds int32, shares ...share) []types.Action {
	out := forward(shares...)
	out[0].ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: &seconds}
	return out
}

func fixed(status, body string) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{
		StatusCode: &status, MessageBody: &body, ContentType: aws.String("text/plain"),
	}}}
}

// listener creates an HTTP listener.
func (b *bench) listener(balancer string, port int32, actions []types.Action) string {
	b.t.Helper()
	out, err := b.api.CreateListener(b.ctx(), &elb.CreateListenerInput{
		LoadBalancerArn: &balancer, Protocol: types.ProtocolEnumHttp, Port: &port, DefaultActions: actions,
	})
	b.must(err)
	return *out.Listeners[0].ListenerArn
}

func (b *bench) modify(listener string, actions []types.Action) {
	b.t.Helper()
	_, err := b.api.ModifyListener(b.ctx(), &elb.ModifyListenerInput{ListenerArn: &listener, DefaultActions: actions})
	b.must(err)
}

// get sends a request to a listener and returns status and body.
func (b *bench) get(listener, path string, change ...func(*http.Request)) (int, string) {
	b.t.Helper()
	resp := b.send(listener, http.MethodGet, path, change...)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	b.must(err)
	return resp.StatusCode, string(body)
}

func (b *bench) send(listener, method, path string, change ...func(*http.Request)) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.ctx(), method, "http://"+b.srv.ListenerAddr(listener)+path, nil)
	b.must(err)
	for _, c := range change {
		c(req)
	}
	resp, err := b.web.Do(req)
	b.must(err)
	return resp
}

// states returns the health of a target group's targets as "address: state reason".
func (b *bench) states(group string) []string {
	b.t.Helper()
	out, err := b.api.DescribeTargetHealth(b.ctx(), &elb.DescribeTargetHealthInput{TargetGroupArn: &group})
	b.must(err)
	states := []string{}
	for _, d := range out.TargetHealthDescriptions {
		states = append(states, fmt.Sprintf("%s %s %s", d.TargetHealth.State, d.TargetHealth.Reason, aws.ToString(d.TargetHealth.Description)))
	}
	return states
}

// until waits for a condition.
func (b *bench) until(what string, done func() bool) {
	b.t.Helper()
	limit := time.NewTimer(slow.Deadline(30 * time.Second))
	defer limit.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.C:
			b.t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// healthy waits until every target of the groups is healthy.
func (b *bench) healthy(groups ...string) {
	b.t.Helper()
	for _, g := range groups {
		b.until("healthy targets", func() bool {
			states := b.states(g)
			for _, s := range states {
				if s != "healthy  " {
					return false
				}
			}
			return len(states) > 0
		})
	}
}

// web is a target that responds with its name.
func web(t *testing.T, name string) string {
	t.Helper()
	return target(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
}

func target(t *testing.T, handler http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}
