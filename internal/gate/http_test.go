package gate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// took replaces measured durations.
var took = golden.ReplacePattern(`\b(in|after) [0-9.]+(µs|ms|s)\b`, "$1 <time>")

func evaluateHTTP(ctx context.Context, t *testing.T, c gate.HTTP) rollout.Verdict {
	t.Helper()
	g, err := gate.NewHTTP(c, gate.Dependencies{Lookup: lookupIn(nil)})
	if err != nil {
		t.Fatal(err)
	}
	return g.Evaluate(ctx, rollout.GateInput{})
}

func lookupIn(variables map[string]string) gate.Lookup {
	return func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	}
}

// wantVerdictFrom compares the status of a verdict and records its detail without the
// address of the server and measured durations. Only an error has a cause.
func wantVerdictFrom(t *testing.T, got rollout.Verdict, server string, status rollout.Status) {
	t.Helper()
	if got.Status != status {
		t.Errorf("got %s: %s, want %s", got.Status, got.Detail, status)
	}
	golden.Record(t, string(got.Status)+": "+got.Detail, golden.Replace(strings.TrimPrefix(server, "http://"), "<host>"), took)
	if (got.Err != nil) != (got.Status == rollout.Errored) {
		t.Errorf("verdict %s has cause %v", got.Status, got.Err)
	}
}

// serve starts a server that passes the number of the request, from 1, to handle.
func serve(t *testing.T, handle func(n int, w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(int(n.Add(1)), w, r) }))
	t.Cleanup(srv.Close)
	return srv.URL
}

func respond(status int, body string) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Version", "1.4.2")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestHTTP_verdicts(t *testing.T) {
	tests := []struct {
		name   string
		server func(int, http.ResponseWriter, *http.Request)
		gate   gate.HTTP
		want   rollout.Status
	}{
		{"expected status", respond(200, "ok"), gate.HTTP{},
			"pass"},
		{"several samples within max_latency", respond(204, ""), gate.HTTP{Samples: 3, MaxLatency: time.Hour},
			"pass"},
		{"unexpected status", respond(503, "no room\nat all\x00\t!"), gate.HTTP{},
			"fail"},
		{"unexpected status of some samples", func(n int, w http.ResponseWriter, r *http.Request) { respond(200+300*(n%2), "boom")(n, w, r) }, gate.HTTP{Samples: 5},
			"fail"},
		{"several unexpected statuses", func(n int, w http.ResponseWriter, r *http.Request) { respond(500+n/2, "")(n, w, r) }, gate.HTTP{Samples: 3},
			"fail"},
		{"status not in expect_status", respond(200, ""), gate.HTTP{ExpectStatus: []int{204, 301}},
			"fail"},
		{"error status in expect_status", respond(418, ""), gate.HTTP{ExpectStatus: []int{418}, Method: "POST"},
			"pass"},
		{"body does not match", respond(200, "version 1.4.2 is up"), gate.HTTP{ExpectBody: `version 1\.5`},
			"fail"},
		{"body matches", respond(200, "version 1.5.0 is up"), gate.HTTP{ExpectBody: `version 1\.5`},
			"pass"},
		{"header has another value", respond(200, ""), gate.HTTP{ExpectHeaders: map[string]string{"x-version": "1.5.0"}},
			"fail"},
		{"header is missing", respond(200, ""), gate.HTTP{ExpectHeaders: map[string]string{"X-Version": "1.4.2", "X-Zone": "a"}},
			"fail"},
		{"header matches", respond(200, ""), gate.HTTP{ExpectHeaders: map[string]string{"X-Version": "1.4.2"}},
			"pass"},
		{"response too slow", respond(200, ""), gate.HTTP{MaxLatency: time.Nanosecond},
			"fail"},
		{"long body is truncated", respond(500, strings.Repeat("é", 150)), gate.HTTP{},
			"fail"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, tt.server)
			tt.gate.URL = url + "/healthz"
			wantVerdictFrom(t, evaluateHTTP(t.Context(), t, tt.gate), url, tt.want)
		})
	}
}

func TestHTTP_doesNotFollowARedirect(t *testing.T) {
	url := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n > 1 {
			t.Error("got a second request")
		}
		http.Redirect(w, r, "/login?token=hidden", http.StatusFound)
	})
	got := evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}, Method: http.MethodHead})
	wantVerdictFrom(t, got, url, "fail")
}

func TestHTTP_acceptsAnExpectedRedirect(t *testing.T) {
	url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://example.com/", http.StatusMovedPermanently)
	})
	got := evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}, ExpectStatus: []int{301}, ExpectHeaders: map[string]string{"Location": "https://example.com/"}})
	wantVerdictFrom(t, got, url, "pass")
}

func TestHTTP_sendsTheConfiguredRequest(t *testing.T) {
	var got http.Request
	var body string
	url := serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got, body = *r, string(text)
	})
	g, err := gate.NewHTTP(gate.HTTP{
		Request: gate.Request{
			URL:        url + "/check?deep=1",
			Headers:    map[string]string{"Host": "green.example.com", "content-type": "application/json"},
			HeadersEnv: map[string]string{"Authorization": "CHECK_TOKEN"},
		},
		Method: http.MethodPut,
		Body:   `{"a":1}`,
	}, gate.Dependencies{Lookup: lookupIn(map[string]string{"CHECK_TOKEN": "Bearer abc"})})
	if err != nil {
		t.Fatal(err)
	}
	if v := g.Evaluate(t.Context(), rollout.GateInput{}); v.Status != rollout.Pass {
		t.Errorf("got %+v", v)
	}
	if got.Method != "PUT" || got.Host != "green.example.com" || got.URL.RequestURI() != "/check?deep=1" || body != `{"a":1}` ||
		got.Header.Get("Authorization") != "Bearer abc" || got.Header.Get("Content-Type") != "application/json" ||
		got.UserAgent() != "terraform-provider-bluegreen" {
		t.Errorf("got %s %s to %s with %q and %v", got.Method, got.URL, got.Host, body, got.Header)
	}
}

// A load balancer may choose another target for each connection.
func TestHTTP_opensAConnectionPerSample(t *testing.T) {
	var mu sync.Mutex
	var clients []string
	url := serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		clients = append(clients, r.RemoteAddr)
	})
	if v := evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}, Samples: 5}); v.Status != rollout.Pass {
		t.Errorf("got %+v", v)
	}
	slices.Sort(clients)
	if n := len(slices.Compact(clients)); n != 5 {
		t.Errorf("got %d connections for 5 samples, want 5", n)
	}
}

func TestHTTP_errorsWithoutAMeasurement(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(untrusted.Close)
	for _, url := range []string{closed.URL, untrusted.URL} {
		wantVerdictFrom(t, evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}, Samples: 2}), strings.Replace(url, "https:", "http:", 1), rollout.Errored)
	}
}

func TestHTTP_skipsCertificateVerification(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	if got := evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: srv.URL}, InsecureSkipVerify: true}); got.Status != rollout.Pass {
		t.Errorf("got %+v", got)
	}
}

func TestHTTP_failsWhenTheConnectionBreaksAfterTheRequest(t *testing.T) {
	url := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	})
	got := evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}})
	wantVerdictFrom(t, got, url, "fail")

	url = serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	got = evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}})
	wantVerdictFrom(t, got, url, "fail")
}

// hang blocks until the client cancels the request.
func hang(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// deadlineContext reports DeadlineExceeded when its parent is canceled.
type deadlineContext struct{ context.Context }

func (c deadlineContext) Err() error {
	if c.Context.Err() == nil {
		return nil
	}
	return context.DeadlineExceeded
}

// cancelAfterSend returns a context that is canceled when the n-th request was sent.
func cancelAfterSend(t *testing.T, n int64) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var sent atomic.Int64
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		if sent.Add(1) == n {
			cancel()
		}
	}})
}

func TestHTTP_timeouts(t *testing.T) {
	url := serve(t, hang)
	got := evaluateHTTP(deadlineContext{cancelAfterSend(t, 1)}, t, gate.HTTP{Request: gate.Request{URL: url}, Samples: 3})
	wantVerdictFrom(t, got, url, "error")
	if !errors.Is(got.Err, context.DeadlineExceeded) {
		t.Errorf("got cause %v", got.Err)
	}

	got = evaluateHTTP(deadlineContext{cancelAfterSend(t, 1)}, t, gate.HTTP{Request: gate.Request{URL: url}, MaxLatency: time.Nanosecond})
	wantVerdictFrom(t, got, url, "fail")

	got = evaluateHTTP(cancelAfterSend(t, 1), t, gate.HTTP{Request: gate.Request{URL: url}})
	wantVerdictFrom(t, got, url, "error")
}

// The evaluation is canceled during the second sample.
func TestHTTP_doesNotPassWithSomeSamplesMissing(t *testing.T) {
	url := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 2 {
			hang(n, w, r)
		}
	})
	got := evaluateHTTP(cancelAfterSend(t, 2), t, gate.HTTP{Request: gate.Request{URL: url}, Samples: 3})
	wantVerdictFrom(t, got, url, "error")
}

func TestHTTP_readsAtMostOneMebibyte(t *testing.T) {
	url := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat("x", 1<<16))
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, "late")
	})
	got := evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}, ExpectBody: "late"})
	wantVerdictFrom(t, got, url, "fail")
	if got := evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}, ExpectBody: "^x{10}"}); got.Status != rollout.Pass {
		t.Errorf("got %s", got.Detail)
	}
}

// The application repeats every secret in each place that a verdict shows.
func TestHTTP_hidesSecrets(t *testing.T) {
	const secret, inHeader, password = "s3cret-token", "plain-but-hidden", "pa55word"
	url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("Authorization")+r.Header.Get("X-Key"))
		w.Header().Set("Location", "/"+r.Header.Get("X-Key")+"?"+secret)
		status := http.StatusTeapot
		if r.URL.Path == "/moved" {
			status = http.StatusFound
		}
		w.WriteHeader(status)
		_ = r.Header.Write(w)
		_, _ = fmt.Fprintln(w, secret, inHeader)
	})
	urlWithUser := strings.Replace(url, "http://", "http://user:"+password+"@", 1)
	base := gate.HTTP{
		Request: gate.Request{HeadersEnv: map[string]string{"Authorization": "TOKEN"}, Headers: map[string]string{"X-Key": inHeader}},
	}
	for _, c := range []gate.HTTP{
		{Request: gate.Request{URL: urlWithUser + "/?token=" + secret}},
		{Request: gate.Request{URL: urlWithUser + "/moved"}},
		{Request: gate.Request{URL: url}, ExpectStatus: []int{418}, ExpectHeaders: map[string]string{"X-Echo": "other"}},
		{Request: gate.Request{URL: url}, ExpectStatus: []int{418}, ExpectBody: "other"},
		{Request: gate.Request{URL: "http://user:" + password + "@127.0.0.1:1/?token=" + secret}},
	} {
		c.Headers, c.HeadersEnv = base.Headers, base.HeadersEnv
		g, err := gate.NewHTTP(c, gate.Dependencies{Lookup: lookupIn(map[string]string{"TOKEN": "Bearer " + secret})})
		if err != nil {
			t.Fatal(err)
		}
		v := g.Evaluate(t.Context(), rollout.GateInput{})
		text := fmt.Sprintf("%s %v", v.Detail, v.Err)
		for _, hidden := range []string{secret, inHeader, password} {
			if strings.Contains(text, hidden) {
				t.Errorf("the verdict contains %q: %s", hidden, text)
			}
		}
		if v.Status != rollout.Fail && v.Status != rollout.Errored {
			t.Errorf("got %s", text)
		}
	}
}
