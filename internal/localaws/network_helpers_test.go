package localaws_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// networkBalancer creates a Network Load Balancer in two zones.
func (b *bench) networkBalancer() string {
	b.t.Helper()
	out, err := b.api.CreateLoadBalancer(b.ctx(), &elb.CreateLoadBalancerInput{
		Name: aws.String("nlb"), Type: types.LoadBalancerTypeEnumNetwork, Subnets: []string{"subnet-1", "subnet-2"},
	})
	b.must(err)
	return *out.LoadBalancers[0].LoadBalancerArn
}

// networkGroup creates a target group with a health check of TCP and registers IP targets.
func (b *bench) networkGroup(name string, protocol types.ProtocolEnum, targets ...string) string {
	b.t.Helper()
	out, err := b.api.CreateTargetGroup(b.ctx(), &elb.CreateTargetGroupInput{
		Name: &name, Protocol: protocol, Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumIp,
		HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2),
	})
	b.must(err)
	arn := *out.TargetGroups[0].TargetGroupArn
	if len(targets) > 0 {
		b.register(arn, targets...)
	}
	return arn
}

func (b *bench) networkListener(balancer string, protocol types.ProtocolEnum, actions []types.Action) string {
	b.t.Helper()
	in := &elb.CreateListenerInput{LoadBalancerArn: &balancer, Protocol: protocol, Port: aws.Int32(443), DefaultActions: actions}
	if protocol == types.ProtocolEnumTls {
		in.Certificates = []types.Certificate{{CertificateArn: aws.String("arn:aws:acm:us-east-1:123456789012:certificate/1")}}
	}
	out, err := b.api.CreateListener(b.ctx(), in)
	b.must(err)
	return *out.Listeners[0].ListenerArn
}

// twoNetworkGroups is a TCP listener that forwards to blue, with green at weight 0.
func (b *bench) twoNetworkGroups() (listener, blue, green string) {
	b.t.Helper()
	blue = b.networkGroup("blue", types.ProtocolEnumTcp, greeter(b.t, "blue"))
	green = b.networkGroup("green", types.ProtocolEnumTcp, greeter(b.t, "green"))
	listener = b.networkListener(b.networkBalancer(), types.ProtocolEnumTcp, forward(share{blue, 1}, share{green, 0}))
	b.healthy(blue, green)
	return listener, blue, green
}

// greeter is a TCP target that sends its name in a line, and then every line that it receives.
func greeter(t *testing.T, name string) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	greet(t, socket, name)
	return socket.Addr().String()
}

func greet(t *testing.T, socket net.Listener, name string) {
	t.Helper()
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := io.WriteString(conn, name+"\n"); err == nil {
					_, _ = io.Copy(conn, conn)
				}
			}()
		}
	}()
}

// connection is a client of a listener of a Network Load Balancer.
type connection struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Scanner
	// Target is the target that answered.
	Target string
}

// connect opens a connection and reads the name of the target.
func (b *bench) connect(listener string) *connection {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.srv.ListenerAddr(listener))
	b.must(err)
	return b.greeted(conn)
}

// connectTLS is connect for a TLS listener.
func (b *bench) connectTLS(listener string) *connection {
	b.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b.srv.CertificatePEM())
	conn, err := tls.Dial("tcp", b.srv.ListenerAddr(listener), &tls.Config{RootCAs: roots, ServerName: "localhost"})
	b.must(err)
	return b.greeted(conn)
}

func (b *bench) greeted(conn net.Conn) *connection {
	b.t.Helper()
	b.t.Cleanup(func() { _ = conn.Close() })
	b.must(conn.SetDeadline(time.Now().Add(slow.Deadline(30 * time.Second))))
	c := &connection{t: b.t, conn: conn, lines: bufio.NewScanner(conn)}
	if !c.lines.Scan() {
		b.t.Fatalf("no target answered: %v", c.lines.Err())
	}
	c.Target = c.lines.Text()
	return c
}

// echo checks that the connection still works.
func (c *connection) echo(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text+"\n"); err != nil {
		c.t.Fatal(err)
	}
	if !c.lines.Scan() || c.lines.Text() != text {
		c.t.Fatalf("got %q, %v", c.lines.Text(), c.lines.Err())
	}
}

// isCut waits until the connection ends, and reports whether that was by a reset and not in order.
func (c *connection) isCut() bool {
	return !c.lines.Scan() && c.lines.Err() != nil
}

func (c *connection) close() { _ = c.conn.Close() }

// targets opens connections one after the other, and returns the first letters of the targets.
func (b *bench) targets(listener string, n int) string {
	b.t.Helper()
	var out strings.Builder
	for range n {
		c := b.connect(listener)
		c.close()
		out.WriteString(c.Target[:1])
	}
	return out.String()
}

// refused reports whether a new connection is reset without an answer.
func (b *bench) refused(listener string) bool {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.srv.ListenerAddr(listener))
	if err != nil {
		return true
	}
	defer func() { _ = conn.Close() }()
	b.must(conn.SetDeadline(time.Now().Add(slow.Deadline(30 * time.Second))))
	_, err = conn.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, io.EOF)
}
