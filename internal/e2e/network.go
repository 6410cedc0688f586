package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// Network is a Network Load Balancer in front of the application of a World, with a listener on which blue is live.
type Network struct {
	*World
	Listener string
	Groups   map[string]string // environment to target group
	URL      string
}

// NewNetwork creates a Network Load Balancer whose target groups have what runs in the environments, and makes its listener
// the entry point "tcp" of the switch, beside that of the Application Load Balancer.
func NewNetwork(w *World) *Network {
	w.t.Helper()
	n := &Network{World: w, Groups: map[string]string{}}
	client := w.Stack.Client()
	lb, err := client.CreateLoadBalancer(w.t.Context(), &elb.CreateLoadBalancerInput{
		Name: new("tcp"), Type: types.LoadBalancerTypeEnumNetwork, Subnets: []string{"subnet-0000000a", "subnet-0000000b"}})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range []string{"blue", "green"} {
		n.Groups[name] = n.newGroup(name)
	}
	listener, err := client.CreateListener(w.t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Port: new(int32(443)), Protocol: types.ProtocolEnumTcp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: new(n.Groups["blue"])}}})
	if err != nil {
		w.t.Fatal(err)
	}
	n.Listener = *listener.Listeners[0].ListenerArn
	n.URL = "http://" + w.Balancer.ListenerAddr(n.Listener)
	w.Edit("routes = { web = [var.listener_arn] }", fmt.Sprintf("routes = { web = [var.listener_arn], tcp = [%q] }", n.Listener))
	w.Edit("target_groups = { web = group }", fmt.Sprintf("target_groups = { web = group, tcp = { blue = %q, green = %q }[name] }", n.Groups["blue"], n.Groups["green"]))
	return n
}

// newGroup creates a TCP target group with what runs in an environment.
func (n *Network) newGroup(environment string) string {
	n.t.Helper()
	client := n.Stack.Client()
	created, err := client.CreateTargetGroup(n.t.Context(), &elb.CreateTargetGroupInput{
		Name: new("tcp-" + environment), Protocol: types.ProtocolEnumTcp, Port: new(int32(80)), TargetType: types.TargetTypeEnumIp,
		VpcId: new("vpc-00000001"), HealthyThresholdCount: new(int32(2)), UnhealthyThresholdCount: new(int32(2))})
	if err != nil {
		n.t.Fatal(err)
	}
	group := created.TargetGroups[0].TargetGroupArn
	_, err = client.RegisterTargets(n.t.Context(), &elb.RegisterTargetsInput{
		TargetGroupArn: group, Targets: []types.TargetDescription{{Id: new("127.0.0.1"), Port: new(n.Stack.App(environment).Port)}}})
	if err != nil {
		n.t.Fatal(err)
	}
	return *group
}

// LoadConnections starts a load on the Network Load Balancer, with a new connection for every request.
func (n *Network) LoadConnections(rate int) *rehearsal.Load {
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: n.URL, Rate: rate, Clients: 64, NewConnections: true})
	n.t.Cleanup(func() { load.Stop() })
	return load
}

// MoreConnections waits for a second of connections.
func (n *Network) MoreConnections(load *rehearsal.Load) {
	n.t.Helper()
	moreRequests(n.t, load)
}

// LostNoConnection ends the load and checks that every connection was answered, and that the load balancer refused and cut
// none.
func (n *Network) LostNoConnection(load *rehearsal.Load) rehearsal.Counts {
	n.t.Helper()
	counts := lostNothing(n.t, load)
	for name, group := range n.Groups {
		if c := n.Balancer.Counts(group); c.Refused+c.Cut+c.TargetResets+c.ConnectionErrors > 0 {
			n.t.Errorf("%s: %+v", name, c)
		}
	}
	return counts
}

// HasAllConnections reports whether an environment gets all new connections.
func (n *Network) HasAllConnections(environment string) bool {
	weights := n.Balancer.Weights(n.Listener)
	for name, group := range n.Groups {
		if name != environment && weights[group] > 0 {
			return false
		}
	}
	return weights[n.Groups[environment]] > 0
}

// Steps returns the percentage of an environment after every write of a listener since a mark.
func (n *Network) Steps(mark int, listener, group string) (steps []string) {
	for _, call := range n.Balancer.Calls()[mark:] {
		if call.Action != "ModifyListener" || call.Params.Get("ListenerArn") != listener {
			continue
		}
		for name, values := range call.Params {
			prefix, isGroup := strings.CutSuffix(name, ".TargetGroupArn")
			if isGroup && values[0] == group && strings.Contains(prefix, "ForwardConfig") {
				steps = append(steps, call.Params.Get(prefix+".Weight"))
			}
		}
	}
	return steps
}

// Connection is an open connection to a Network Load Balancer.
type Connection struct {
	t      *testing.T
	client *http.Client
	url    string
	used   bool
}

// OpenConnection opens a connection, and checks which version has it.
func (n *Network) OpenConnection(version string) *Connection {
	n.t.Helper()
	transport := &http.Transport{MaxConnsPerHost: 1}
	c := &Connection{t: n.t, client: &http.Client{Transport: transport, Timeout: hangTimeout()}, url: n.URL}
	n.t.Cleanup(transport.CloseIdleConnections)
	c.MustHave(version)
	return c
}

// MustHave checks that the connection is still open, and which version has it.
func (c *Connection) MustHave(version string) {
	c.t.Helper()
	reused := false
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(c.t.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
	}), http.MethodPost, c.url, strings.NewReader("order"))
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		c.t.Fatal(err)
	}
	if reused != c.used {
		c.t.Error("the connection was closed")
	}
	c.used = true
	if got := resp.Header.Get(rehearsal.VersionHeader); got != version {
		c.t.Errorf("the connection is with version %q, it should be %q", got, version)
	}
}
