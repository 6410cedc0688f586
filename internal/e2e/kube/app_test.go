//go:build linux

package kube

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// app is the application of one environment. It listens on the ClusterIP of its Service, as no kube-proxy is there
// to forward requests.
type app struct {
	namespace string
	service   string
	ip        string
	port      int
	handler   atomic.Pointer[http.Handler]
}

// deploy runs a version in place of the one before.
func (a *app) deploy(terms rehearsal.AppTerms) { a.handler.Store(new(terms.Handler())) }

// ServeHTTP implements http.Handler.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*a.handler.Load()).ServeHTTP(w, r) }

// newApp starts an application on a free port, and creates its Service with two ready endpoints.
func (c *cluster) newApp(t *testing.T, namespace, name string, terms rehearsal.AppTerms) *app {
	t.Helper()
	return c.newAppAt(t, target{"Service", namespace, name}, 0, terms)
}

// newAppAt is newApp with a port.
func (c *cluster) newAppAt(t *testing.T, at target, port int, terms rehearsal.AppTerms) *app {
	t.Helper()
	namespace, name := at.namespace, at.name
	a := &app{namespace: namespace, service: name, ip: fmt.Sprintf("127.10.0.%d", 100+c.ips.Add(1))}
	a.deploy(terms)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(a.ip, strconv.Itoa(port)))
	must(t, err)
	_, text, err := net.SplitHostPort(listener.Addr().String())
	must(t, err)
	a.port, err = strconv.Atoi(text)
	must(t, err)
	srv := &httptest.Server{Listener: listener, Config: &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}}
	srv.Start()
	t.Cleanup(srv.Close)
	s := service(namespace, name)
	s["spec"] = object{"clusterIP": a.ip, "selector": object{"app": name}, "ports": []any{object{"name": "http", "port": a.port}}}
	c.create(t, s)
	c.create(t, endpoints(namespace, name, "ready", "ready"))
	return a
}

// somebody does something again and again until the test ends or stop is called.
func somebody(t *testing.T, do func(ctx context.Context) error) (stop func() (times int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		times := 0
		for ctx.Err() == nil {
			if err := do(ctx); err != nil {
				if ctx.Err() == nil {
					t.Errorf("somebody else: %v", err)
				}
				break
			}
			times++
		}
		ended <- times
	}()
	times := -1
	stop = func() int {
		cancel()
		if times < 0 {
			times = <-ended
		}
		return times
	}
	t.Cleanup(func() { stop() })
	return stop
}
