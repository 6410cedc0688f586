package gate_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// serveGRPC starts a gRPC server, with the health service that register adds.
func serveGRPC(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(options...)
	register(srv)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = srv.Serve(listener) }()
	t.Cleanup(func() { srv.Stop(); <-ended })
	return listener.Addr().String()
}

// withHealth registers a health service with the status of "orders" and of the server.
func withHealth(orders healthpb.HealthCheckResponse_ServingStatus) func(*grpc.Server) {
	return func(s *grpc.Server) {
		h := health.NewServer()
		h.SetServingStatus("orders", orders)
		healthpb.RegisterHealthServer(s, h)
	}
}

// healthFunc is a health service that is one function.
type healthFunc struct {
	healthpb.UnimplementedHealthServer
	check func(context.Context, string) (healthpb.HealthCheckResponse_ServingStatus, error)
}

func (h healthFunc) Check(ctx context.Context, req *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	s, err := h.check(ctx, req.GetService())
	return &healthpb.HealthCheckResponse{Status: s}, err
}

func answering(check func(context.Context, string) (healthpb.HealthCheckResponse_ServingStatus, error)) func(*grpc.Server) {
	return func(s *grpc.Server) { healthpb.RegisterHealthServer(s, healthFunc{check: check}) }
}

func newGRPC(t *testing.T, c gate.GRPC) rollout.Gate {
	t.Helper()
	g, err := gate.NewGRPC(c, gate.Dependencies{Lookup: lookupIn(map[string]string{"TOKEN": "s3cret-token"})})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func preflightGRPC(ctx context.Context, t *testing.T, g rollout.Gate) rollout.Verdict {
	t.Helper()
	p, ok := g.(rollout.Preflight)
	if !ok {
		t.Fatal("there is no preflight")
	}
	return p.Preflight(ctx, rollout.GateInput{})
}

func TestGRPC_verdicts(t *testing.T) {
	ending := func(code codes.Code) func(*grpc.Server) {
		return answering(func(context.Context, string) (healthpb.HealthCheckResponse_ServingStatus, error) {
			return 0, status.Error(code, "as\ntested")
		})
	}
	for _, tt := range []struct {
		name    string
		server  func(*grpc.Server)
		service string
		want    rollout.Status
		advises bool
	}{
		{"server is serving", withHealth(healthpb.HealthCheckResponse_NOT_SERVING), "", "pass", false},
		{"service is serving", withHealth(healthpb.HealthCheckResponse_SERVING), "orders", "pass", false},
		{"service is not serving", withHealth(healthpb.HealthCheckResponse_NOT_SERVING), "orders", "fail", false},
		{"service has not decided", withHealth(healthpb.HealthCheckResponse_UNKNOWN), "orders", "inconclusive", false},
		{"service unknown", withHealth(healthpb.HealthCheckResponse_SERVICE_UNKNOWN), "orders", "error", true},
		{"service not found", withHealth(healthpb.HealthCheckResponse_SERVING), "order", "error", true},
		{"another status", withHealth(7), "orders", "error", true},
		{"no health service", func(*grpc.Server) {}, "", "error", true},
		{"unauthenticated", ending(codes.Unauthenticated), "", "error", true},
		{"not allowed", ending(codes.PermissionDenied), "", "error", true},
		{"unavailable", ending(codes.Unavailable), "", "fail", false},
		{"internal error", ending(codes.Internal), "", "fail", false},
		{"canceled by the server", ending(codes.Canceled), "", "fail", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := serveGRPC(t, tt.server)
			g := newGRPC(t, gate.GRPC{Address: address, Service: tt.service, Plaintext: true})
			wantVerdictFrom(t, g.Evaluate(t.Context(), canaryInput()), address, tt.want)
			if v := preflightGRPC(t.Context(), t, g); v.Status != rollout.Pass || (v.Advice != "") != tt.advises {
				t.Errorf("preflight: got %+v", v)
			}
		})
	}
}

func TestGRPC_cannotMeasure(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	address := strings.TrimPrefix(closed.URL, "http://")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	g := newGRPC(t, gate.GRPC{Address: address, Plaintext: true})
	wantVerdictFrom(t, g.Evaluate(t.Context(), canaryInput()), address, "error")
	if v := preflightGRPC(ctx, t, g); v.Status != rollout.Errored {
		t.Errorf("preflight: got %+v", v)
	}

	plain := serveGRPC(t, withHealth(healthpb.HealthCheckResponse_SERVING))
	g = newGRPC(t, gate.GRPC{Address: plain})
	wantVerdictFrom(t, g.Evaluate(t.Context(), canaryInput()), plain, "error")
	// It does not change, so it is reported at once.
	if v := preflightGRPC(t.Context(), t, g); v.Status != rollout.Errored || !errors.Is(v.Err, rollout.ErrUnreachable) {
		t.Errorf("preflight: got %+v", v)
	}

	page := httptest.NewServer(http.NotFoundHandler()) // HTTP/1
	t.Cleanup(page.Close)
	address = strings.TrimPrefix(page.URL, "http://")
	if v := newGRPC(t, gate.GRPC{Address: address, Plaintext: true}).Evaluate(t.Context(), canaryInput()); v.Status != rollout.Errored {
		t.Errorf("got %+v", v)
	}
}

// A call that the server received is not called unreachable.
func TestGRPC_timeoutAndBreak(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hanging := serveGRPC(t, answering(func(of context.Context, _ string) (healthpb.HealthCheckResponse_ServingStatus, error) {
		cancel()
		<-of.Done()
		return 0, of.Err()
	}))
	v := newGRPC(t, gate.GRPC{Address: hanging, Plaintext: true}).Evaluate(deadlineContext{ctx}, canaryInput())
	wantVerdictFrom(t, v, hanging, "error")

	conns := make(chan net.Conn, 10)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	answering(func(context.Context, string) (healthpb.HealthCheckResponse_ServingStatus, error) {
		_ = (<-conns).Close()
		return healthpb.HealthCheckResponse_SERVING, nil
	})(srv)
	go func() { _ = srv.Serve(sharedListener{listener, conns}) }()
	t.Cleanup(srv.Stop)
	v = newGRPC(t, gate.GRPC{Address: listener.Addr().String(), Plaintext: true}).Evaluate(t.Context(), canaryInput())
	if v.Status != rollout.Fail || !strings.Contains(v.Detail, "UNAVAILABLE") {
		t.Errorf("got %+v", v)
	}
}

// sharedListener hands out the connections that it accepts.
type sharedListener struct {
	net.Listener
	conns chan net.Conn
}

func (l sharedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.conns <- conn
	}
	return conn, err
}

func TestGRPC_mutualTLS(t *testing.T) {
	a := newAuthority(t)
	seen := make(chan string, 10)
	address := serveGRPC(t, answering(func(ctx context.Context, _ string) (healthpb.HealthCheckResponse_ServingStatus, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		p, _ := peer.FromContext(ctx)
		info, _ := p.AuthInfo.(credentials.TLSInfo)
		seen <- strings.Join([]string{info.State.ServerName, md.Get(":authority")[0], info.State.PeerCertificates[0].Subject.CommonName, md.Get("x-environment")[0], md.Get("authorization")[0]}, " ")
		return healthpb.HealthCheckResponse_SERVING, nil
	}), grpc.Creds(credentials.NewTLS(a.mutual())))
	c := gate.GRPC{Address: address, Connection: a.connection(), Headers: map[string]string{"X-Environment": "green"}, HeadersEnv: map[string]string{"Authorization": "TOKEN"}}
	if v := newGRPC(t, c).Evaluate(t.Context(), canaryInput()); v.Status != rollout.Pass {
		t.Fatalf("got %+v", v)
	}
	if got := <-seen; got != "app.internal app.internal client green s3cret-token" {
		t.Errorf("the server got %s", got)
	}
	for name, change := range map[string]func(*gate.GRPC){
		"no CA":                 func(c *gate.GRPC) { c.CAFile = "" },
		"no server name":        func(c *gate.GRPC) { c.ServerName = "" },
		"no client certificate": func(c *gate.GRPC) { c.ClientCertFile, c.ClientKeyFile = "", "" },
		"plaintext":             func(c *gate.GRPC) { c.Connection, c.Plaintext = gate.Connection{}, true },
	} {
		c := c
		change(&c)
		if v := newGRPC(t, c).Evaluate(t.Context(), canaryInput()); v.Status != rollout.Errored {
			t.Errorf("%s: got %+v", name, v)
		}
	}
}

func TestGRPC_badArguments(t *testing.T) {
	for _, c := range []gate.GRPC{
		{},
		{Address: "app.example.com"},
		{Address: "https://app.example.com:443"},
		{Address: "app.example.com:http"},
		{Address: ":443"},
		{Address: "h:443", Headers: map[string]string{"Host": "app.example.com"}},
		{Address: "h:443", Headers: map[string]string{"grpc-timeout": "1S"}},
		{Address: "h:443", HeadersEnv: map[string]string{"trace-bin": "SET"}},
		{Address: "h:443", HeadersEnv: map[string]string{"X": "UNSET"}},
		{Address: "h:443", Plaintext: true, InsecureSkipVerify: true, Connection: gate.Connection{ServerName: "h"}},
	} {
		g, err := gate.NewGRPC(c, gate.Dependencies{Lookup: lookupIn(map[string]string{"SET": "1"})})
		if g != nil || err == nil {
			t.Errorf("NewGRPC accepts %+v", c)
			continue
		}
		golden.Record(t, err.Error())
	}
}

func TestGRPC_hidesSecrets(t *testing.T) {
	address := serveGRPC(t, answering(func(ctx context.Context, _ string) (healthpb.HealthCheckResponse_ServingStatus, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		return 0, status.Error(codes.Internal, md.Get("authorization")[0])
	}))
	v := newGRPC(t, gate.GRPC{Address: address, Plaintext: true, HeadersEnv: map[string]string{"Authorization": "TOKEN"}}).Evaluate(t.Context(), canaryInput())
	if v.Status != rollout.Fail {
		t.Errorf("got %+v", v)
	}
	wantNoSecret(t, v, "s3cret-token")
}
