package gate_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

func TestHTTP_badArguments(t *testing.T) {
	good := func(change func(*gate.HTTP)) gate.HTTP {
		c := gate.HTTP{Request: gate.Request{URL: "https://app.example.com/healthz"}}
		change(&c)
		return c
	}
	tests := []struct {
		c gate.HTTP
	}{
		{gate.HTTP{}},
		{gate.HTTP{Request: gate.Request{URL: "app.example.com"}}},
		{gate.HTTP{Request: gate.Request{URL: "ftp://app.example.com"}}},
		{gate.HTTP{Request: gate.Request{URL: "http://:80/"}}},
		{gate.HTTP{Request: gate.Request{URL: "http://user:pass word@h/%zz"}}},
		{good(func(c *gate.HTTP) { c.Method = "GET IT" })},
		{good(func(c *gate.HTTP) { c.Headers = map[string]string{"X Y": "1"} })},
		{good(func(c *gate.HTTP) { c.Headers = map[string]string{"X": "1\r\nY: 2"} })},
		{good(func(c *gate.HTTP) { c.HeadersEnv = map[string]string{"X": "NEW\nLINE"} })},
		{good(func(c *gate.HTTP) { c.HeadersEnv = map[string]string{"X": "UNSET"} })},
		{good(func(c *gate.HTTP) { c.HeadersEnv = map[string]string{"X": "EMPTY"} })},
		{good(func(c *gate.HTTP) {
			c.Headers, c.HeadersEnv = map[string]string{"x-key": "1"}, map[string]string{"X-Key": "SET"}
		})},
		{good(func(c *gate.HTTP) { c.ExpectStatus = []int{200, 99} })},
		{good(func(c *gate.HTTP) { c.ExpectHeaders = map[string]string{"": "1"} })},
		{good(func(c *gate.HTTP) { c.ExpectBody = "(" })},
		{good(func(c *gate.HTTP) { c.MaxLatency, c.Samples = -time.Second, -1 })},
	}
	deps := gate.Dependencies{Lookup: lookupIn(map[string]string{"SET": "1", "EMPTY": "", "NEW\nLINE": "a\nb"})}
	for _, tt := range tests {
		g, err := gate.NewHTTP(tt.c, deps)
		if g != nil || err == nil {
			t.Errorf("NewHTTP accepts %+v", tt.c)
			continue
		}
		golden.Record(t, err.Error())
		if _, ok := errors.AsType[*gate.ArgumentError](err); !ok {
			t.Errorf("%v is not an ArgumentError", err)
		}
	}
	if errs := (gate.HTTP{Request: gate.Request{URL: "https://a/", HeadersEnv: map[string]string{"X": "UNSET"}}}).Check(); errs != nil {
		t.Errorf("Check reads the environment: %v", errs)
	}
}

func TestHTTP_closesItsConnections(t *testing.T) {
	open := map[net.Conn]bool{}
	var mu sync.Mutex
	idle := make(chan struct{}, 100)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ConnState = func(c net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		open[c] = s != http.StateClosed
		if s == http.StateClosed {
			idle <- struct{}{}
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	if got := evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: srv.URL}, Samples: 4}); got.Status != rollout.Pass {
		t.Fatalf("got %s", got.Detail)
	}
	for range 4 {
		select {
		case <-idle:
		case <-time.After(slow.Deadline(30 * time.Second)):
			t.Fatal("a connection was not closed")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, isOpen := range open {
		if isOpen {
			t.Error("a connection was not closed")
		}
	}
}
