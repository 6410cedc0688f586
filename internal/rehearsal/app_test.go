package rehearsal

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// get calls a handler; with an environment, as test traffic.
func get(t *testing.T, h http.Handler, path, environment string) string {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	if environment != "" {
		req.Header.Set(EnvironmentHeader, environment)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return fmt.Sprintf("%d %s", rec.Code, rec.Body)
}

// counted returns the lines of /metrics that count requests.
func counted(t *testing.T, h http.Handler) string {
	t.Helper()
	return strings.Join(regexp.MustCompile(`(?m)^http_request(?:s_total|_duration_seconds_count)\{.*$`).FindAllString(get(t, h, "/metrics", ""), -1), "\n")
}

func TestApp_countsRequestsOfUsers(t *testing.T) {
	h := AppTerms{Version: "2", BreaksAfter: 2}.Handler()
	if got, want := counted(t, h), "http_requests_total{code=\"200\",version=\"2\"} 0\nhttp_requests_total{code=\"500\",version=\"2\"} 0"; got != want {
		t.Errorf("initial metrics are\n%s\nwant\n%s", got, want)
	}
	for i, want := range []string{"200 hello from version 2\n", "200 hello from version 2\n", "500 version 2 is broken\n"} {
		get(t, h, "/healthz", "")
		if i < 2 {
			get(t, h, "/", "green")
		}
		if got := get(t, h, "/", ""); got != want {
			t.Errorf("request %d is answered %q, want %q", i+1, got, want)
		}
	}
	want := `http_request_duration_seconds_count{code="200",version="2"} 2
http_request_duration_seconds_count{code="500",version="2"} 1
http_requests_total{code="200",version="2"} 2
http_requests_total{code="500",version="2"} 1`
	if got := counted(t, h); got != want {
		t.Errorf("metrics are\n%s\nwant\n%s", got, want)
	}
	if got := get(t, h, "/", "green"); got != "500 version 2 is broken\n" {
		t.Errorf("test traffic is answered %q once it is broken", got)
	}
}

func TestApp_slowsDown(t *testing.T) {
	terms := AppTerms{Version: "2", Delay: 20 * time.Millisecond, SlowAfter: 2, SlowBy: 3}
	h := terms.Handler()
	for i, least := range []time.Duration{terms.Delay, terms.Delay, 3 * terms.Delay, 3 * terms.Delay} {
		start := time.Now()
		if got := get(t, h, "/", ""); got != "200 hello from version 2\n" {
			t.Errorf("request %d is answered %q", i+1, got)
		}
		if took := time.Since(start); took < least {
			t.Errorf("request %d took %s, want at least %s", i+1, took, least)
		}
	}
	for _, tt := range []struct {
		terms AppTerms
		asked int64
		want  time.Duration
	}{
		{terms, 2, 20 * time.Millisecond},
		{terms, 3, 60 * time.Millisecond},
		{AppTerms{Delay: time.Second, SlowBy: 1.5}, 1, 1500 * time.Millisecond},
		{AppTerms{Delay: time.Second, SlowAfter: 1}, 9, time.Second},
	} {
		if got := tt.terms.delay(tt.asked); got != tt.want {
			t.Errorf("%+v takes %s for request %d, want %s", tt.terms, got, tt.asked, tt.want)
		}
	}
}

// The terms are passed on the command line.
func TestApp_readsItsTerms(t *testing.T) {
	want := AppTerms{Version: "1.5", Delay: 5 * time.Millisecond, BreaksAfter: 30, SlowAfter: 100, SlowBy: 2.5}
	var got AppTerms
	flags := flag.NewFlagSet(AppCommand, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	got.setFlags(flags)
	if err := flags.Parse(want.args()[1:]); err != nil || got != want {
		t.Errorf("it read %+v, want %+v: %v", got, want, err)
	}
}
