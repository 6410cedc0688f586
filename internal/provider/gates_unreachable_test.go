package provider_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// A gate that can never be asked moves no traffic, and holds up no revert. Nothing is asked of it
// before the shift starts.
func TestGates_unreachable(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	h := s.release("blue")
	h.strategy = "rollback_window = \"24h\""
	w.write(h.in(s.bench))
	w.apply().ok()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	closed := listener.Addr().String()
	s.must(listener.Close())
	script := filepath.Join(w.dir, "smoke.sh")
	s.must(os.WriteFile(script, []byte("#!/bin/sh\r\nexit 0\r\n"), 0o700))
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	replacements := []golden.Replacement{golden.Replace(closed, "<closed>"), golden.Replace(untrusted.Listener.Addr().String(), "<untrusted>"), golden.Replace(w.dir, "<working directory>")}
	for name, gate := range map[string]string{
		"http":      block("http", fmt.Sprintf(`url = "http://%s/healthz"`, closed)),
		"webhook":   block("webhook", fmt.Sprintf(`url = "http://%s/hooks/T000"`, closed)),
		"untrusted": block("webhook", fmt.Sprintf("url = %q", untrusted.URL)),
		"command":   block("command", `argv = ["./smoke.sh"]`, "working_dir = abspath(path.root)"),
	} {
		h = s.release("green")
		h.gates = gateBlock("smoke", gate, `timeout = "2s"`)
		w.write(h.in(s.bench))
		before := len(s.writes())
		w.apply().failsAs(name, replacements...)
		if n := len(s.writes()) - before; n != 0 {
			t.Errorf("%s: %d writes were made", name, n)
		}
	}
	h.gates = ""
	w.write(h.in(s.bench))
	w.apply().ok()
	h = s.release("blue")
	h.strategy = "rollback_window = \"24h\""
	h.gates = gateBlock("smoke", block("http", fmt.Sprintf(`url = "http://%s/healthz"`, closed)), `timeout = "50ms"`)
	w.write(h.in(s.bench))
	w.apply().ok()
	if got := s.routed(s.listener); !strings.Contains(got, "app-blue 100") {
		t.Errorf("the traffic is at %s", got)
	}
}

// A person approves a step once. The webhook is not called again before the next weights.
func TestGates_approvalLasts(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	var calls atomic.Int64
	keys := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key")
		if calls.Add(1)%2 == 1 { // closed, then open, at each of two weights
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(hook.Close)
	h := s.release("green")
	h.strategy = `steps = [{ percent = 50, hold = "1s" }]`
	h.gates = gateBlock("approve", block("webhook", fmt.Sprintf("url = %q", hook.URL), "pending_codes = [403]"), `interval = "100ms"`)
	w.write(h.in(s.bench))
	w.apply().ok()
	close(keys)
	seen := map[string]bool{}
	for key := range keys {
		seen[key[strings.Index(key, "/"):]] = true
	}
	if want := []string{"/approve/1/1", "/approve/1/2", "/approve/2/3", "/approve/2/4"}; calls.Load() != 4 || len(seen) != 4 || !seen[want[0]] || !seen[want[1]] || !seen[want[2]] || !seen[want[3]] {
		t.Errorf("%d requests with the keys %v, want %v", calls.Load(), seen, want)
	}
}
