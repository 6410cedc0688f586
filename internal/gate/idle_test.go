package gate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// TestKinds_askOnceAndKeepNothing: a gate costs one request per call and no
// goroutine between two. The command has a test of its own.
func TestKinds_askOnceAndKeepNothing(t *testing.T) {
	means := gate.Dependencies{Lookup: environment(nil)}
	for name, build := range map[string]func(url string) (rollout.Gate, error){
		"http": func(url string) (rollout.Gate, error) { return gate.NewHTTP(gate.HTTP{URL: url}, means) },
		"prometheus": func(url string) (rollout.Gate, error) {
			return gate.NewPrometheus(gate.Prometheus{URL: url, Query: "up", Max: new(1.0)}, means)
		},
		"webhook": func(url string) (rollout.Gate, error) { return gate.NewWebhook(gate.Webhook{URL: url}, means) },
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				_, _ = io.WriteString(w, result("scalar", `[1,"1"]`, ""))
			}))
			defer srv.Close()
			before := runtime.NumGoroutine()
			g, err := build(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			for round := int64(1); round <= 3; round++ {
				if v := g.Evaluate(t.Context(), canary()); v.Status != rollout.Pass {
					t.Errorf("the gate says %+v", v)
				}
				if n := requests.Load(); n != round {
					t.Errorf("%d calls took %d requests", round, n)
				}
				until(t, "the end of goroutines", func() bool { return runtime.NumGoroutine() <= before })
			}
		})
	}
}
