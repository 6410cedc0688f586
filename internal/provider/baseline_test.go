package provider_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// With a baseline, the bake is a step below 100 %, and no gate is evaluated after it. The same
// gate names the environment of each shift.
func TestStrategy_baseline(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	var mu sync.Mutex
	var seen []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Part    string             `json:"part"`
			Weights map[string]float64 `json:"weights"`
		}
		text, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(text, &body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%s %s %s at blue %v, green %v", r.URL.Path, r.Header.Get("X-Version"), body.Part, body.Weights["blue"], body.Weights["green"]))
	}))
	t.Cleanup(hook.Close)
	for _, release := range []struct {
		active string
		want   []string
	}{
		{"blue", nil}, // it has all traffic already
		{"green", []string{"/green 1.1 during at blue 50, green 50", "/green 1.1 after at blue 20, green 80"}},
		{"blue", []string{"/blue 1.0 after at blue 100, green 0"}}, // a revert takes no steps, and its gates only report
	} {
		seen = nil
		h := s.release(release.active)
		h.strategy = "steps = [{ percent = 50, hold = \"0s\" }]\n baseline_percent = 20\n bake = \"1ms\""
		h.gates = gateBlock("hook", block("webhook", fmt.Sprintf("url = \"%s/{{incoming.environment}}\"", hook.URL), `headers = { X-Version = "{{incoming.version}}" }`), `interval = "1h"`)
		w.write(h.in(s.bench))
		w.apply().ok()
		if got := s.routed(s.listener); !strings.Contains(got, "app-"+release.active+" 100") {
			t.Errorf("%s: the traffic is at %s", release.active, got)
		}
		if !slices.Equal(seen, release.want) {
			t.Errorf("%s: the gate was evaluated for %q, want %q", release.active, seen, release.want)
		}
	}
}
