package gate_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// startPrometheus starts a server that scrapes the targets five times a second, and
// returns its URL when it is ready. Another process may take the port first, so it
// tries several ports.
func startPrometheus(t *testing.T, targets ...string) string {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("the program prometheus is missing (Debian has it in the package prometheus)")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := "global: { scrape_interval: 200ms, scrape_timeout: 200ms }\nscrape_configs:\n" +
		"- job_name: app\n  static_configs: [{ targets: ['" + strings.Join(targets, "','") + "'] }]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if url := runPrometheus(t, dir, program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data")); url != "" {
			return url
		}
	}
	output, _ := os.ReadFile(filepath.Join(dir, "log"))
	t.Fatalf("prometheus did not start: %s", output)
	return ""
}

// runPrometheus starts the server on a free port and returns its URL, or "" if it
// ended or did not become ready.
func runPrometheus(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	cmd := exec.Command(program, append(args, "--web.listen-address="+address)...)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
		_ = log.Close()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	if !isReady(t, "http://"+address+"/-/ready", ended) {
		return ""
	}
	return "http://" + address
}

// isReady waits until the server is ready, and reports false if it ended or timed out.
func isReady(t *testing.T, url string, ended <-chan struct{}) bool {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(slow.Deadline(60 * time.Second))
	for {
		select {
		case <-ended:
			return false
		case <-limit:
			return false
		case <-tick.C:
		}
		if res, err := http.Get(url); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return true
			}
		}
	}
}

// sendRequests sends requests until the test ends.
func sendRequests(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if res, err := http.Get(url); err == nil {
				_ = res.Body.Close()
			}
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// A real server scrapes versions of an application: one is good, one fails, one is
// slow, and one gets no requests.
func TestPrometheus_evaluatesARealServer(t *testing.T) {
	var targets []string
	for _, terms := range []rehearsal.AppTerms{
		{Version: "1.5"}, {Version: "1.6", BreaksAfter: 1}, {Version: "1.7", Delay: 10 * time.Millisecond, SlowBy: 10}, {Version: "1.8"},
	} {
		srv := httptest.NewServer(terms.Handler())
		t.Cleanup(srv.Close)
		targets = append(targets, srv.Listener.Addr().String())
		if terms.Version != "1.8" { // gets no requests
			sendRequests(t, srv.URL)
		}
	}
	server := startPrometheus(t, targets...)
	errorRate := func(version string) gate.Prometheus {
		return gate.Prometheus{Max: new(5.0), Query: fmt.Sprintf(
			`100 * sum(rate(http_requests_total{version=%q, code=~"5.."}[5s])) / sum(rate(http_requests_total{version=%[1]q}[5s]))`, version)}
	}
	latency := func(version string) gate.Prometheus {
		return gate.Prometheus{Max: new(0.05), Query: fmt.Sprintf(
			`histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{version=%q, code="200"}[5s])))`, version)}
	}
	for _, tt := range []struct {
		name   string
		c      gate.Prometheus
		want   rollout.Status
		detail string // a part of it, because the values vary
	}{
		{"good", errorRate("1.5"), rollout.Pass, ": 0, "},
		{"bad", errorRate("1.6"), rollout.Fail, ""},
		{"slow", latency("1.7"), rollout.Fail, ""},
		{"each version", gate.Prometheus{Query: `sum by (version) (increase(http_requests_total{code="500"}[5s]))`, Max: new(0.5)},
			rollout.Fail, `{version="1.6"}`},
		{"a scalar", gate.Prometheus{Query: "scalar(count(up == 1))", Min: new(4.0), Max: new(4.0)}, rollout.Pass, ": 4, "},
		{"unused", errorRate("1.8"), rollout.Inconclusive, "NaN"},
		{"unknown", errorRate("1.9"), rollout.Inconclusive, ""},
		{"a range", gate.Prometheus{Query: "http_requests_total[1s]", Min: new(0.0)}, rollout.Errored, "matrix"},
		{"unreadable", gate.Prometheus{Query: "sum(", Min: new(0.0)}, rollout.Errored, "bad_data"},
	} {
		tt.c.URL = server
		var got rollout.Verdict
		// The verdict differs until the server has scraped enough.
		waitFor(t, tt.name, func() bool {
			if got = evaluatePrometheus(t.Context(), t, tt.c); tt.name == "good" && got.Status == rollout.Fail {
				t.Fatalf("the good version failed: %s", got.Detail)
			}
			return got.Status == tt.want && strings.Contains(got.Detail, tt.detail)
		})
		t.Logf("%s: %s: %s", tt.name, got.Status, got.Detail)
	}
}
