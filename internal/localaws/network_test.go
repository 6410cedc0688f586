package localaws_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

func TestNetwork_weightsAreExactPerNewConnection(t *testing.T) {
	b := newBench(t)
	l, blue, green := b.twoNetworkGroups()
	if !strings.Contains(l, ":listener/net/nlb/") {
		t.Errorf("the listener is %s", l)
	}
	for _, tt := range []struct{ blue, green, wantGreen int }{{1, 0, 0}, {90, 10, 10}, {999, 1, 0}, {1, 1, 50}, {0, 1, 100}} {
		b.modify(l, forward(share{blue, int32(tt.blue)}, share{green, int32(tt.green)}))
		got := b.targets(l, 100)
		if n := strings.Count(got, "g"); n != tt.wantGreen && tt.blue != 999 || n > 1 && tt.blue == 999 {
			t.Errorf("with %d:%d green got %d of 100 connections: %s", tt.blue, tt.green, n, got)
		}
	}
	if c := b.srv.Counts(blue); c.Requests+b.srv.Counts(green).Requests != 500 || c.Errors() != 0 || b.srv.Counts(green).Errors() != 0 {
		t.Errorf("blue %+v, green %+v", c, b.srv.Counts(green))
	}
	if got := b.srv.ListenerCounts(l).Requests; got != 500 {
		t.Errorf("the listener counted %d connections", got)
	}
}

func TestNetwork_connectionsStayWithTheirTargetWhenWeightsChange(t *testing.T) {
	b := newBench(t)
	l, blue, green := b.twoNetworkGroups()
	first := b.connect(l)
	b.modify(l, forward(share{blue, 0}, share{green, 1}))
	second := b.connect(l)
	if first.Target != "blue" || second.Target != "green" {
		t.Errorf("connections to %s and %s", first.Target, second.Target)
	}
	b.modify(l, forward(share{green, 1})) // detaches blue
	first.echo("still here")
	if got := b.srv.Counts(blue).Active; got != 1 {
		t.Errorf("blue has %d connections", got)
	}
	first.close()
	b.until("the connection to end", func() bool { return b.srv.Counts(blue).Active == 0 })
	if c := b.srv.Counts(blue); c.Errors() != 0 || c.ClientResets != 0 {
		t.Errorf("got %+v", c)
	}
}

func TestNetwork_aDeregisteredTargetKeepsItsConnections(t *testing.T) {
	b := newBench(t)
	address := greeter(t, "old")
	g := b.networkGroup("g", types.ProtocolEnumTcp, address, greeter(t, "new"))
	l := b.networkListener(b.networkBalancer(), types.ProtocolEnumTcp, forward(share{g, 1}))
	b.healthy(g)
	old := b.connect(l)
	if old.Target != "old" {
		old = b.connect(l)
	}
	b.attribute(g, "deregistration_delay.timeout_seconds", "0")
	b.deregister(g, address)
	if got := b.targets(l, 4); got != "nnnn" {
		t.Errorf("new connections went to %s", got)
	}
	old.echo("still here")
}

func TestNetwork_connectionTerminationCutsAfterTheDelay(t *testing.T) {
	b := newBench(t)
	address := greeter(t, "a")
	g := b.networkGroup("g", types.ProtocolEnumTcp, address)
	l := b.networkListener(b.networkBalancer(), types.ProtocolEnumTcp, forward(share{g, 1}))
	b.healthy(g)
	b.attribute(g, "deregistration_delay.timeout_seconds", strconv.Itoa(int(slow.Deadline(2*time.Second).Seconds())))
	b.attribute(g, "deregistration_delay.connection_termination.enabled", "true")
	c := b.connect(l)
	b.deregister(g, address)
	b.becomes(g, isDraining)
	c.echo("while draining")
	if !b.refused(l) {
		t.Error("a draining target got a new connection")
	}
	if !c.isCut() {
		t.Error("the connection was not cut")
	}
	b.until("the counts", func() bool {
		n := b.srv.Counts(g)
		return n.Cut == 1 && n.Refused == 1 && n.Active == 0
	})
}

func TestNetwork_cutsTheConnectionsOfATargetThatBecomesUnhealthy(t *testing.T) {
	b := newBench(t)
	address, unhealthy := switchable(t, "a")
	group := func(name string) string {
		out, err := b.api.CreateTargetGroup(b.ctx(), &elb.CreateTargetGroupInput{
			Name: &name, Protocol: types.ProtocolEnumTcp, Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumIp,
			HealthCheckProtocol: types.ProtocolEnumHttp, HealthCheckPath: aws.String("/health"),
			HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2),
		})
		b.must(err)
		if m := out.TargetGroups[0].Matcher; m == nil || aws.ToString(m.HttpCode) != "200-399" {
			t.Errorf("the matcher is %v", m)
		}
		b.register(*out.TargetGroups[0].TargetGroupArn, address)
		return *out.TargetGroups[0].TargetGroupArn
	}
	lb := b.networkBalancer()
	cut, left := group("cut"), group("left")
	b.attribute(left, "target_health_state.unhealthy.connection_termination.enabled", "false")
	l := b.networkListener(lb, types.ProtocolEnumTcp, forward(share{cut, 1}, share{left, 1}))
	b.healthy(cut, left)
	for range 2 {
		conn, err := net.Dial("tcp", b.srv.ListenerAddr(l))
		b.must(err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	b.until("both connections", func() bool { return b.srv.Counts(cut).Active == 1 && b.srv.Counts(left).Active == 1 })
	unhealthy.Store(true)
	b.becomes(cut, mismatch)
	b.becomes(left, mismatch)
	b.until("the cut", func() bool { return b.srv.Counts(cut).Cut == 1 })
	if c := b.srv.Counts(left); c.Cut != 0 || c.Active != 1 {
		t.Errorf("got %+v", c)
	}
}

func TestNetwork_crossZoneOffKeepsConnectionsInTheirZone(t *testing.T) {
	b := newBench(t)
	lb := b.networkBalancer() // us-east-1a and us-east-1b
	g := b.networkGroup("g", types.ProtocolEnumTcp)
	in := func(zone string, address string) {
		target := descriptions(t, []string{address})
		target[0].AvailabilityZone = &zone
		_, err := b.api.RegisterTargets(b.ctx(), &elb.RegisterTargetsInput{TargetGroupArn: &g, Targets: target})
		b.must(err)
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	greet(t, socket, "x")
	in("us-east-1a", greeter(t, "a"))
	in("us-east-1a", greeter(t, "b"))
	in("us-east-1b", socket.Addr().String())
	l := b.networkListener(lb, types.ProtocolEnumTcp, forward(share{g, 1}))
	b.healthy(g)
	if got := b.targets(l, 60); strings.Count(got, "x") != 30 {
		t.Errorf("one zone of two should get half of the connections: %s", got)
	}
	b.attribute(g, "load_balancing.cross_zone.enabled", "true")
	if got := b.targets(l, 60); strings.Count(got, "x") != 20 {
		t.Errorf("one target of three should get a third of the connections: %s", got)
	}
	b.attribute(g, "load_balancing.cross_zone.enabled", "false")
	b.must(socket.Close())
	b.becomes(g, good, good, failing)
	if got := b.targets(l, 20); strings.Contains(got, "x") {
		t.Errorf("a zone without healthy targets got connections: %s", got)
	}
}

func TestNetwork_tls(t *testing.T) {
	b := newBench(t)
	secure := httptest.NewUnstartedServer(nil)
	secure.StartTLS() // for its certificate
	t.Cleanup(secure.Close)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	greet(t, tls.NewListener(socket, secure.TLS), "again")
	plain := b.networkGroup("plain", types.ProtocolEnumTcp, greeter(t, "plain"))
	again := b.networkGroup("again", types.ProtocolEnumTls, socket.Addr().String())
	l := b.networkListener(b.networkBalancer(), types.ProtocolEnumTls, forward(share{plain, 1}, share{again, 0}))
	b.healthy(plain, again)
	c := b.connectTLS(l)
	c.echo("terminated")
	b.modify(l, forward(share{plain, 0}, share{again, 1}))
	if c := b.connectTLS(l); c.Target != "again" {
		t.Errorf("connected to %s", c.Target)
	}
	conn, err := net.Dial("tcp", b.srv.ListenerAddr(l))
	b.must(err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte("no handshake\n"))
	b.must(err)
	b.must(conn.SetDeadline(time.Now().Add(slow.Deadline(30 * time.Second))))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a client without TLS was not refused")
	}
	if n := b.srv.Counts(again).Requests; n != 1 {
		t.Errorf("the group got %d connections", n)
	}
}

func TestNetwork_udpFlowsStayWithTheirTarget(t *testing.T) {
	for _, protocol := range []types.ProtocolEnum{types.ProtocolEnumUdp, types.ProtocolEnumTcpUdp} {
		t.Run(string(protocol), func(t *testing.T) {
			b := newBench(t)
			health := web(t, "up")
			group := func(name string) string {
				_, port, err := net.SplitHostPort(health)
				b.must(err)
				out, err := b.api.CreateTargetGroup(b.ctx(), &elb.CreateTargetGroupInput{
					Name: &name, Protocol: protocol, Port: aws.Int32(53), VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumIp,
					HealthCheckPort: &port, HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2),
				})
				b.must(err)
				b.register(*out.TargetGroups[0].TargetGroupArn, datagrams(t, name))
				return *out.TargetGroups[0].TargetGroupArn
			}
			blue, green := group("blue"), group("green")
			l := b.networkListener(b.networkBalancer(), protocol, forward(share{blue, 1}, share{green, 0}))
			b.healthy(blue, green)
			ask := func(conn net.Conn) string {
				t.Helper()
				b.must(conn.SetDeadline(time.Now().Add(slow.Deadline(30 * time.Second))))
				_, err := conn.Write([]byte("who"))
				b.must(err)
				buffer := make([]byte, 64)
				n, err := conn.Read(buffer)
				b.must(err)
				return string(buffer[:n])
			}
			client := func() net.Conn {
				conn, err := net.Dial("udp", b.srv.ListenerAddr(l))
				b.must(err)
				t.Cleanup(func() { _ = conn.Close() })
				return conn
			}
			first := client()
			if got := ask(first); got != "blue" {
				t.Errorf("got %s", got)
			}
			b.modify(l, forward(share{blue, 0}, share{green, 1}))
			if got := ask(first); got != "blue" {
				t.Errorf("the flow moved to %s", got)
			}
			if got := ask(client()); got != "green" {
				t.Errorf("the new flow is with %s", got)
			}
			if c := b.srv.Counts(blue); c.Requests != 1 || c.Active != 1 || c.Errors() != 0 {
				t.Errorf("got %+v", c)
			}
		})
	}
}

// datagrams is a UDP target that answers every datagram with its name.
func datagrams(t *testing.T, name string) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		buffer := make([]byte, 64)
		for {
			_, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = socket.WriteTo([]byte(name), from)
		}
	}()
	return socket.LocalAddr().String()
}

func TestNetwork_resetsArePassedOnAndCounted(t *testing.T) {
	b := newBench(t)
	dead := b.networkGroup("dead", types.ProtocolEnumTcp, refusing(t))
	lb := b.networkBalancer()
	l := b.networkListener(lb, types.ProtocolEnumTcp, forward(share{dead, 1}))
	b.becomes(dead, failing)
	if !b.refused(l) { // fails open
		t.Error("a target that refuses got a connection")
	}
	empty := b.networkGroup("empty", types.ProtocolEnumTcp)
	b.modify(l, forward(share{empty, 1}))
	if !b.refused(l) {
		t.Error("a group without targets got a connection")
	}
	b.until("the counts", func() bool { return b.srv.Counts(dead).TargetResets == 1 && b.srv.Counts(empty).Refused == 1 })
}

// Close must not wait for connections that nobody closes.
func TestNetwork_closeEndsOpenConnections(t *testing.T) {
	b := newBench(t)
	l, _, _ := b.twoNetworkGroups()
	c := b.connect(l)
	b.must(b.srv.Close())
	if !c.isCut() {
		t.Error("the connection outlived the server")
	}
}
