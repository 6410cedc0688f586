package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Hook receives notifications, and checks their signatures.
type Hook struct {
	URL    string
	t      *testing.T
	secret string

	mu     sync.Mutex
	bodies []string
}

// Notice is a notification.
type Notice struct {
	ID   string
	Data struct {
		Event, Summary, Shift, Command, Reason string
		Guardian                               bool
		Weights                                map[string]float64
	}
}

// NewHook starts a receiver of notifications that are signed with the secret.
func NewHook(t *testing.T, secret string) *Hook {
	t.Helper()
	h := &Hook{t: t, secret: secret}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	h.URL = srv.URL
	return h
}

// ServeHTTP implements http.Handler.
func (h *Hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write([]byte(r.Header.Get("X-Bluegreen-Timestamp") + "." + string(body)))
	if got := r.Header.Get("X-Bluegreen-Signature-256"); got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		h.t.Errorf("the signature is %q", got)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodies = append(h.bodies, string(body))
}

// Bodies returns everything that arrived.
func (h *Hook) Bodies() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.bodies, "\n")
}

// Notices returns the notifications that arrived, in order.
func (h *Hook) Notices() (all []Notice) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, body := range h.bodies {
		var n Notice
		if err := json.Unmarshal([]byte(body), &n); err != nil {
			h.t.Fatalf("%v: %s", err, body)
		}
		all = append(all, n)
	}
	return all
}

// Find returns the first notification of an event; nil: none arrived.
func (h *Hook) Find(event string) *Notice {
	h.t.Helper()
	for _, n := range h.Notices() {
		if n.Data.Event == event {
			return &n
		}
	}
	return nil
}

// Notify adds blocks notify to the provider.
func Notify(w *World, blocks string) {
	w.t.Helper()
	w.Edit(`provider "bluegreen" {}`, "provider \"bluegreen\" {\n"+blocks+"\n}")
}
