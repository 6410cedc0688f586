//go:build linux

package kube

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// front is a proxy before the API server, which counts requests and lets a test act before one and after it.
type front struct {
	c   *cluster
	url string

	mu     sync.Mutex
	writes []string // of routes: "PUT /apis/…"
	found  int      // conflicts
	hook   func(n int, r *http.Request) (drop bool)
	hidden string // a prefix of paths
}

func newFront(t *testing.T, c *cluster) *front {
	t.Helper()
	f := &front{c: c}
	certificate, err := tls.LoadX509KeyPair(filepath.Join(c.dir, "tls.crt"), filepath.Join(c.dir, "tls.key"))
	must(t, err)
	api, err := url.Parse(c.url)
	must(t, err)
	transport, err := rest.TransportFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: c.ca}})
	must(t, err)
	proxy := &httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(io.Discard, "", 0), FlushInterval: -1, // of watches
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(api) }, ModifyResponse: f.after}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.hides(r) {
			http.NotFound(w, r) // the API server answers the same
			return
		}
		if r.URL.Path == "/version" {
			f.answerVersion(w)
			return
		}
		drop := f.before(r)
		if !drop {
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r) // it is executed, and nobody receives the answer
		panic(http.ErrAbortHandler)
	}))
	srv.Config.ReadHeaderTimeout, srv.Config.ErrorLog = time.Minute, log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

// answerVersion answers with the version of the API server, which was built without it. hashicorp/kubernetes needs it for
// an update of a Service. The folder of the programs is named after it.
func (f *front) answerVersion(w http.ResponseWriter) {
	version, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(f.c.parts), "kubernetes-"), ",")
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"gitVersion":%q}`, version)
}

// before counts a write and runs the hook.
func (f *front) before(r *http.Request) (drop bool) {
	if !isWrite(r) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = append(f.writes, r.Method+" "+r.URL.Path)
	return f.hook != nil && f.hook(len(f.writes), r)
}

// after counts a conflict.
func (f *front) after(r *http.Response) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.StatusCode == http.StatusConflict {
		f.found++
	}
	return nil
}

// hide makes a prefix of paths unknown, as that of a version which the API server does not serve.
func (f *front) hide(prefix string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hidden = prefix
}

func (f *front) hides(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hidden != "" && strings.HasPrefix(r.URL.Path, f.hidden)
}

// conflicts returns how many writes were in conflict.
func (f *front) conflicts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.found
}

// mark returns how many writes of routes there were.
func (f *front) mark() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.writes)
}

// paths returns the writes of routes, with method and path.
func (f *front) paths() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.writes)
}

// atWrite sets a function that runs at the n-th write from now on, from 1. It returns whether the write is executed
// without an answer.
func (f *front) atWrite(n int, do func() (drop bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n += len(f.writes)
	f.hook = func(i int, _ *http.Request) bool { return i == n && do() }
}
