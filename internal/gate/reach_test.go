package gate

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// reachFixture is a server that counts connections and requests.
type reachFixture struct {
	*httptest.Server
	connections, requests atomic.Int64
}

func newReachFixture(t *testing.T, start func(*httptest.Server)) *reachFixture {
	t.Helper()
	f := &reachFixture{}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { f.requests.Add(1) }))
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.connections.Add(1)
		}
	}
	start(f.Server)
	t.Cleanup(f.Close)
	return f
}

func preflightOf(t *testing.T, ctx context.Context, address string, skipVerify bool) map[string]rollout.Verdict {
	t.Helper()
	deps := Dependencies{Lookup: func(string) (string, bool) { return "", false }}
	checked, err := NewHTTP(HTTP{Request: Request{URL: address}, InsecureSkipVerify: skipVerify}, deps)
	if err != nil {
		t.Fatal(err)
	}
	hook, err := NewWebhook(Webhook{Request: Request{URL: address}}, deps)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]rollout.Verdict{}
	for name, g := range map[string]rollout.Gate{"http": checked, "webhook": hook} {
		p, ok := g.(rollout.Preflight)
		if !ok {
			t.Fatalf("%s has no preflight", name)
		}
		all[name] = p.Preflight(ctx, rollout.GateInput{})
	}
	return all
}

// A preflight connects, and sends no request.
func TestReach_sendsNothing(t *testing.T) {
	plain := newReachFixture(t, (*httptest.Server).Start)
	for name, v := range preflightOf(t, t.Context(), plain.URL+"/path", false) {
		if v.Status != rollout.Pass {
			t.Errorf("%s: %+v", name, v)
		}
	}
	secure := newReachFixture(t, (*httptest.Server).StartTLS)
	secure.EnableHTTP2 = true
	if v := preflightOf(t, t.Context(), secure.URL, true)["http"]; v.Status != rollout.Pass {
		t.Errorf("TLS: %+v", v)
	}
	plain.Close() // waits for its handlers
	secure.Close()
	if plain.connections.Load() != 2 || plain.requests.Load() != 0 || secure.connections.Load() != 2 || secure.requests.Load() != 0 {
		t.Errorf("got %d connections and %d requests, with TLS %d and %d", plain.connections.Load(), plain.requests.Load(), secure.connections.Load(), secure.requests.Load())
	}
}

// What does not change is reported at once.
func TestReach_untrusted(t *testing.T) {
	secure := newReachFixture(t, (*httptest.Server).StartTLS)
	plain := newReachFixture(t, (*httptest.Server).Start)
	for address, want := range map[string]string{
		secure.URL: "certificate signed by unknown authority",
		strings.Replace(plain.URL, "http://", "https://", 1): "does not look like a TLS handshake",
	} {
		for name, v := range preflightOf(t, t.Context(), address, false) {
			if v.Status != rollout.Errored || !errors.Is(v.Err, rollout.ErrUnreachable) || !strings.Contains(v.Detail, want) {
				t.Errorf("%s at %s: got %+v, want %q", name, address, v, want)
			}
		}
	}
	if secure.requests.Load()+plain.requests.Load() != 0 {
		t.Error("a request was sent")
	}
}

// A listener that is created meanwhile is found; one that is not is an error in time.
func TestReach_triesAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, v := range preflightOf(t, ctx, "http://"+address, false) {
		if v.Status != rollout.Errored || !errors.Is(v.Err, rollout.ErrUnreachable) {
			t.Errorf("%s: got %+v", name, v)
		}
	}
	failing := true
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if failing {
			failing = false
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}
		own, other := net.Pipe()
		_ = other.Close()
		return own, nil
	}}}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://new.example.com", nil)
	req.RequestURI = ""
	if err := reach(t.Context(), client, req); err != nil || failing {
		t.Errorf("got %v", err)
	}
}

// An attempt that the timeout cuts off says nothing: the error is the cause that was seen before.
func TestReach_namesTheCauseSeenBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			if attempts++; attempts == 1 {
				return nil, syscall.ECONNREFUSED
			}
			cancel()
			return nil, context.Canceled
		}}}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://new.example.com", nil)
		req.RequestURI = ""
		if err := reach(ctx, client, req); !errors.Is(err, syscall.ECONNREFUSED) || attempts != 2 {
			t.Errorf("got %v after %d attempts", err, attempts)
		}
	})
}

// Behind a proxy, the connection and the certificate are those of the server.
func TestReach_throughAProxy(t *testing.T) {
	secure := newReachFixture(t, (*httptest.Server).StartTLS)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	connects := make(chan string, 1)
	go func() {
		own, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = own.Close() }()
		reader := bufio.NewReader(own)
		req, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		connects <- req.Method + " " + req.Host
		server, err := net.Dial("tcp", req.Host)
		if err != nil {
			return
		}
		defer func() { _ = server.Close() }()
		_, _ = io.WriteString(own, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(server, reader) }()
		_, _ = io.Copy(own, server)
	}()
	client := &http.Client{Transport: &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: listener.Addr().String()}),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, secure.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := reach(t.Context(), client, req); err != nil {
		t.Fatal(err)
	}
	if got, want := <-connects, "CONNECT "+secure.Listener.Addr().String(); got != want || secure.requests.Load() != 0 {
		t.Errorf("got %s and %d requests, want %s", got, secure.requests.Load(), want)
	}
}
