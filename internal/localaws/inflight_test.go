package localaws_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// TestDataPlane_targetThatClosesIdleConnections provokes the race of keep-alive connections: the target closes
// one while the next request is sent.
func TestDataPlane_targetThatClosesIdleConnections(t *testing.T) {
	b := newBench(t)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a") }))
	srv.Config.IdleTimeout = time.Millisecond
	srv.Start()
	t.Cleanup(srv.Close)
	g := b.group("g", srv.Listener.Addr().String())
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.healthy(g)
	if got := b.load(l, 3, 300); got["200 a"] != 900 {
		t.Errorf("got %v", got)
	}
}

func TestDataPlane_brokenResponseIsCounted(t *testing.T) {
	b := newBench(t)
	broken := target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	}))
	g := b.group("g", broken)
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.healthy(g)
	if got := b.try(l); !strings.Contains(got, "EOF") {
		t.Errorf("the client got %q", got)
	}
	b.until("the count", func() bool { return b.srv.Counts(g).Truncated == 1 })
	if got := b.srv.Counts(g).Errors(); got != 1 {
		t.Errorf("errors: %d", got)
	}
}

func TestDataPlane_clientDisconnectIsNoError(t *testing.T) {
	b := newBench(t)
	arrived := make(chan struct{})
	slow := target(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			close(arrived)
			<-r.Context().Done()
		}
	}))
	g := b.group("g", slow)
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.healthy(g)
	ctx, cancel := context.WithCancel(b.ctx())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.srv.ListenerAddr(l)+"/", nil)
	b.must(err)
	go func() {
		<-arrived
		cancel()
	}()
	if resp, err := b.web.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Fatal("the request was answered")
	}
	b.until("the count", func() bool { return b.srv.Counts(g).ClientDisconnects == 1 })
	if c := b.srv.Counts(g); c.Errors() != 0 || c.Requests != 1 {
		t.Errorf("got %+v", c)
	}
}

func TestDataPlane_longResponseOutlivesDeletion(t *testing.T) {
	b := newBench(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	long := target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			close(arrived)
			<-release
		}
		_, _ = io.WriteString(w, "done")
	}))
	g := b.group("g", long)
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.healthy(g)
	answer := make(chan string, 1)
	go func() { answer <- b.try(l) }()
	<-arrived
	_, err := b.api.DeleteListener(b.ctx(), &elb.DeleteListenerInput{ListenerArn: &l})
	b.must(err)
	close(release)
	if got := <-answer; got != "200 done" {
		t.Errorf("got %q", got)
	}
}

func TestDataPlane_propagationDelay(t *testing.T) {
	b := newBench(t, localaws.WithPropagation(20*time.Millisecond))
	l, blue, green := b.twoGroups()
	b.modify(l, forward(share{blue, 0}, share{green, 1}))
	if got := b.weights(l)[green]; got != 1 {
		t.Errorf("Describe shows %d", got)
	}
	b.until("the data plane to apply the change", func() bool { _, body := b.get(l, "/"); return body == "green" })
}

func TestDataPlane_portAndProtocolMove(t *testing.T) {
	b := newBench(t)
	lb := b.balancer("app")
	l := b.listener(lb, 80, fixed("200", "x"))
	_, err := b.api.ModifyListener(b.ctx(), &elb.ModifyListenerInput{
		ListenerArn: &l, Protocol: "HTTPS", Port: aws.Int32(443),
	})
	if code(err) != "CertificateNotFound" {
		t.Errorf("got %v", err)
	}
	s := b.secure(lb, fixed("200", "secure"))
	if status, body := b.get(s, "/", func(r *http.Request) { r.URL.Scheme = "https" }); status != 200 || body != "secure" {
		t.Errorf("got %d %s", status, body)
	}
	_, err = b.api.ModifyListener(b.ctx(), &elb.ModifyListenerInput{ListenerArn: &s, Protocol: "HTTP", Port: aws.Int32(81)})
	b.must(err)
	if status, body := b.get(s, "/"); status != 200 || body != "secure" {
		t.Errorf("got %d %s", status, body)
	}
}

func TestDataPlane_http2Targets(t *testing.T) {
	b := newBench(t)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	out, err := b.api.CreateTargetGroup(b.ctx(), &elb.CreateTargetGroupInput{
		Name: aws.String("h2"), Protocol: "HTTP", ProtocolVersion: aws.String("HTTP2"), Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: "ip",
	})
	b.must(err)
	g := *out.TargetGroups[0].TargetGroupArn
	b.register(g, srv.Listener.Addr().String())
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	if got := b.try(l); got != "200 HTTP/2.0" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkForward(b *testing.B) {
	srv, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = srv.Close() })
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	b.Cleanup(app.Close)
	listener := benchListener(b, srv, app.Listener.Addr().String())
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := web.Get("http://" + srv.ListenerAddr(listener))
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				b.Error(resp.Status, err)
			}
			_ = resp.Body.Close()
		}
	})
}

// benchListener creates a listener that forwards to one target.
func benchListener(b *testing.B, srv *localaws.Server, address string) string {
	b.Helper()
	api := client(srv.URL(), 1)
	lb, err := api.CreateLoadBalancer(b.Context(), &elb.CreateLoadBalancerInput{Name: aws.String("app"), Subnets: []string{"subnet-1", "subnet-2"}})
	if err != nil {
		b.Fatal(err)
	}
	g, err := api.CreateTargetGroup(b.Context(), &elb.CreateTargetGroupInput{Name: aws.String("g"), Protocol: "HTTP", Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: "ip"})
	if err != nil {
		b.Fatal(err)
	}
	arn := *g.TargetGroups[0].TargetGroupArn
	if _, err := api.RegisterTargets(b.Context(), &elb.RegisterTargetsInput{TargetGroupArn: &arn, Targets: descriptions(b, []string{address})}); err != nil {
		b.Fatal(err)
	}
	l, err := api.CreateListener(b.Context(), &elb.CreateListenerInput{LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: "HTTP", Port: aws.Int32(80), DefaultActions: forward(share{arn, 1})})
	if err != nil {
		b.Fatal(err)
	}
	return *l.Listeners[0].ListenerArn
}
