package kubernetes_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
)

// pipes are a listener and the dialer of its clients, without a network. Connections may die without a word, as where
// a load balancer takes an API server out.
type pipes struct {
	accepted chan net.Conn
	done     chan struct{}
	dialed   atomic.Int32
	dead     atomic.Int32 // how many of the first connections are dead
	protocol atomic.Int32 // the major version of HTTP of the last request
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (*pipes) Close() error { return nil }

// Addr implements net.Listener.
func (*pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6443} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.accepted <- server
	return &mortal{client, p, p.dialed.Add(1)}, nil
}

// mortal is a connection that may be dead.
type mortal struct {
	net.Conn
	pipes *pipes
	n     int32
}

// Write implements net.Conn. What a dead connection gets is lost.
func (c *mortal) Write(data []byte) (int, error) {
	if c.n <= c.pipes.dead.Load() {
		return len(data), nil
	}
	return c.Conn.Write(data)
}

// ServeHTTP implements http.Handler: an API with one HTTPRoute.
func (p *pipes) ServeHTTP(response http.ResponseWriter, r *http.Request) {
	p.protocol.Store(int32(r.ProtoMajor)) //nolint:gosec // 1 or 2
	response.Header().Set("Content-Type", "application/json")
	answer, err := (&throttling{}).RoundTrip(r)
	if err == nil {
		_, err = io.Copy(response, answer.Body)
	}
	if err != nil {
		panic(err)
	}
}

// serve starts the server, and returns its certificate.
func (p *pipes) serve(t *testing.T) []byte {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"api.example.com"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	server := &http.Server{Handler: p, ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}}
	go func() { _ = server.ServeTLS(p, "", "") }()
	t.Cleanup(func() { close(p.done); _ = server.Close() })
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// A connection of HTTP/2 that is dead is closed after one attempt: all others would use it as well, for up to 45
// seconds.
func TestAttempts_leaveADeadConnection(t *testing.T) {
	for name, write := range map[string]bool{"a rollback": true, "a read": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pipes{accepted: make(chan net.Conn), done: make(chan struct{})}
				config := &rest.Config{Host: "https://api.example.com", Dial: p.dial, TLSClientConfig: rest.TLSClientConfig{CAData: p.serve(t)}}
				forward, rollback, err := kubernetes.NewRouters(config)
				must(t, err)
				_, err = forward.Read(t.Context(), []string{web})
				must(t, err)
				states, err := rollback.Read(t.Context(), []string{web})
				must(t, err)
				p.dead.Store(p.dialed.Load())
				began := time.Now()
				if write {
					must(t, rollback.Write(t.Context(), web, states[0]))
				} else {
					_, err = forward.Read(t.Context(), []string{web})
					must(t, err)
				}
				if took := time.Since(began); took > 11*time.Second || p.dialed.Load() != p.dead.Load()+1 || p.protocol.Load() != 2 {
					t.Errorf("it took %s with %d connections of HTTP/%d", took, p.dialed.Load(), p.protocol.Load())
				}
			})
		})
	}
}
