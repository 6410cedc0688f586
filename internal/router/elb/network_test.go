package elb_test

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestRouter_contractForNetworkListeners(t *testing.T) {
	for name, opts := range map[string][]localaws.Option{"weight of a single group": nil, "no weight of a single group": {localaws.WithoutLoneWeight()}} {
		t.Run(name, func(t *testing.T) {
			routertest.Run(t, func(t *testing.T) routertest.Fixture {
				a, f := networkFixture(t, opts...)
				b := a.balancer("tcp", types.LoadBalancerTypeEnumNetwork)
				f.Routes = []string{a.networkListener(b, 443, toOne(f.Groups[0])), a.networkListener(b, 8443, toOne(f.Groups[0]))}
				f.MissingRoute = absent(f.Routes[0])
				f = albFixture{f.of(a)}
				f.Extra = nil // a listener of a Network Load Balancer does nothing besides forwarding
				return f.Fixture
			})
		})
	}
}

func TestRouter_recorderForNetworkListeners(t *testing.T) {
	a, f := networkFixture(t)
	b := a.balancer("tcp", types.LoadBalancerTypeEnumNetwork)
	routertest.TestRecorder(t, elb.NewRecorder(a.forward), []string{a.networkListener(b, 443, toOne(f.Groups[0])), a.networkListener(b, 8443, toOne(f.Groups[0]))})
}

func networkFixture(t *testing.T, opts ...localaws.Option) (*alb, albFixture) {
	t.Helper()
	a := newALB(t, opts...)
	f := albFixture{}
	f.Router, f.Limits = a.forward, elb.NetworkLimits()
	for i := range 6 {
		f.Groups = append(f.Groups, a.networkGroup("g"+strconv.Itoa(i), max(2-2*(i/2), 0)))
	}
	f.MissingGroup = absent(f.Groups[0])
	return a, f
}

// networkGroup creates a TCP target group with this number of targets that accept connections.
func (a *alb) networkGroup(name string, targets int) string {
	a.t.Helper()
	out, err := a.api.CreateTargetGroup(a.ctx(), &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumTcp, Port: new(int32(80)), VpcId: new("vpc-1"),
		TargetType: types.TargetTypeEnumIp, HealthyThresholdCount: new(int32(2)), UnhealthyThresholdCount: new(int32(2)),
	})
	must(a.t, err)
	arn := *out.TargetGroups[0].TargetGroupArn
	for range targets {
		a.register(arn, 200)
	}
	return arn
}

func (a *alb) networkListener(balancer string, port int32, actions ...types.Action) string {
	a.t.Helper()
	out, err := a.api.CreateListener(a.ctx(), &elbv2.CreateListenerInput{
		LoadBalancerArn: &balancer, Protocol: types.ProtocolEnumTcp, Port: &port, DefaultActions: actions,
	})
	must(a.t, err)
	return *out.Listeners[0].ListenerArn
}

// One Read of both kinds of load balancer takes one call.
func TestRouter_readsBothKindsOfLoadBalancerWithOneCall(t *testing.T) {
	a := newALB(t)
	web, tcp := a.group("web", 0), a.networkGroup("tcp", 0)
	routes := []string{
		a.listener(a.balancer("web"), 80, toOne(web)),
		a.networkListener(a.balancer("tcp", types.LoadBalancerTypeEnumNetwork), 443, toOne(tcp)),
	}
	before := len(a.calls("DescribeListeners"))
	states, err := a.forward.Read(t.Context(), routes)
	must(t, err)
	if states[0].Weights[web] != 1 || states[1].Weights[tcp] != 1 {
		t.Errorf("read %v and %v", states[0].Weights, states[1].Weights)
	}
	if n := len(a.calls("DescribeListeners")) - before; n != 1 {
		t.Errorf("it took %d calls", n)
	}
}

func TestRouter_sendsNoStickinessToANetworkListener(t *testing.T) {
	a := newALB(t)
	blue, green := a.networkGroup("blue", 0), a.networkGroup("green", 0)
	l := a.networkListener(a.balancer("tcp", types.LoadBalancerTypeEnumNetwork), 443, toOne(blue))
	s := read(t, a.forward, l)
	s.Weights = map[string]int{blue: 999, green: 1}
	must(t, a.forward.Write(t.Context(), l, s))
	for name := range a.calls("ModifyListener")[0].Params {
		if strings.Contains(name, "DurationSeconds") {
			t.Errorf("the call has %s", name)
		}
	}
	s.Stickiness = time.Hour
	if err := a.forward.Write(t.Context(), l, s); !errors.Is(err, elb.ErrInvalid) {
		t.Errorf("stickiness of a Network Load Balancer returned %v", err)
	}
	if n := len(a.calls("ModifyListener")); n != 1 {
		t.Errorf("it took %d calls", n)
	}
}

// Group stickiness of a Network Load Balancer is on or off, without a duration, and none of the switch's.
func TestRouter_preservesStickinessWithoutADuration(t *testing.T) {
	l := strings.Replace(listener, "/app/", "/net/", 1)
	on := to(map[string]int32{blue: 1})
	on.ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: new(true)}
	f := &fake{listeners: map[string][]types.Action{l: {on}}, balancer: strings.Replace(balancer, "/app/", "/net/", 1)}
	r := router(f)
	s := read(t, r, l)
	if s.Stickiness != 0 {
		t.Errorf("stickiness is %s", s.Stickiness)
	}
	must(t, r.Write(t.Context(), l, s))
	if c := f.modified[0].ForwardConfig.TargetGroupStickinessConfig; c == nil || !*c.Enabled || c.DurationSeconds != nil {
		t.Errorf("sent %+v", c)
	}
	users, err := r.References(t.Context(), []string{blue})
	must(t, err)
	if len(users) != 1 || !users[0].Sticky {
		t.Errorf("references are %+v", users)
	}
}

func TestRouter_checksTheProtocolOfGroups(t *testing.T) {
	a := newALB(t)
	web, tcp := a.group("web", 0), a.networkGroup("tcp", 0)
	app := a.listener(a.balancer("web"), 80, toOne(web))
	network := a.networkListener(a.balancer("tcp", types.LoadBalancerTypeEnumNetwork), 443, toOne(tcp))
	must(t, a.forward.CheckGroups(t.Context(), traffic.Entry{Routes: []string{app}, Groups: []string{web}}, traffic.Entry{Routes: []string{network}, Groups: []string{tcp}}))
	for _, wrong := range []traffic.Entry{{Routes: []string{app}, Groups: []string{tcp}}, {Routes: []string{network}, Groups: []string{web}}} {
		if err := a.forward.CheckGroups(t.Context(), wrong); !errors.Is(err, elb.ErrProtocol) {
			t.Errorf("%v returned %v", wrong, err)
		}
	}
}

// What is written takes effect on the connections of clients.
func TestRouter_shiftsConnections(t *testing.T) {
	a := newALB(t)
	blue, green := a.networkGroup("blue", 1), a.networkGroup("green", 1)
	l := a.networkListener(a.balancer("tcp", types.LoadBalancerTypeEnumNetwork), 443, toOne(blue))
	s := read(t, a.forward, l)
	for _, weights := range []map[string]int{{blue: 0, green: 1}, {blue: 1, green: 0}} {
		s.Weights = weights
		must(t, a.forward.Write(t.Context(), l, s))
		before := []int64{a.srv.Counts(blue).Requests, a.srv.Counts(green).Requests}
		for range 10 {
			conn, err := net.Dial("tcp", a.srv.ListenerAddr(l))
			must(t, err)
			must(t, conn.Close())
		}
		want := []int64{before[0] + 10*int64(weights[blue]), before[1] + 10*int64(weights[green])}
		eventually(t, "the connections to be counted", func() bool {
			return slices.Equal(want, []int64{a.srv.Counts(blue).Requests, a.srv.Counts(green).Requests})
		})
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(slow.Deadline(30 * time.Second))
	for !is() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}
