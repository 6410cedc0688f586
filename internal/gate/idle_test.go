package gate_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// A gRPC evaluation makes one call on a connection of its own, and closes it.
func TestGates_callOnceOverGRPC(t *testing.T) {
	var calls atomic.Int64
	address := serveGRPC(t, answering(func(context.Context, string) (healthpb.HealthCheckResponse_ServingStatus, error) {
		calls.Add(1)
		return healthpb.HealthCheckResponse_SERVING, nil
	}))
	before := runtime.NumGoroutine()
	g := newGRPC(t, gate.GRPC{Address: address, Plaintext: true})
	for round := int64(1); round <= 3; round++ {
		if v := g.Evaluate(t.Context(), canaryInput()); v.Status != rollout.Pass || calls.Load() != round {
			t.Errorf("got %+v and %d calls in %d evaluations", v, calls.Load(), round)
		}
		waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	}
}

// An evaluation makes one request and leaves no goroutine behind.
// TestCommand_runsOncePerEvaluation tests the same for commands.
func TestGates_callOnceAndHoldNothing(t *testing.T) {
	deps := datadogDeps()
	for name, build := range map[string]func(url string) (rollout.Gate, error){
		"http": func(url string) (rollout.Gate, error) {
			return gate.NewHTTP(gate.HTTP{Request: gate.Request{URL: url}}, deps)
		},
		"prometheus": func(url string) (rollout.Gate, error) {
			return gate.NewPrometheus(gate.Prometheus{Request: gate.Request{URL: url}, Query: "up", Max: new(1.0)}, deps)
		},
		"datadog": func(url string) (rollout.Gate, error) {
			return gate.NewDatadog(withDatadog(gate.Datadog{OnNoData: "pass"}, url), deps)
		},
		"webhook": func(url string) (rollout.Gate, error) {
			return gate.NewWebhook(gate.Webhook{Request: gate.Request{URL: url}}, deps)
		},
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
				if v := g.Evaluate(t.Context(), canaryInput()); v.Status != rollout.Pass {
					t.Errorf("got %+v", v)
				}
				if n := requests.Load(); n != round {
					t.Errorf("got %d requests in %d evaluations", n, round)
				}
				waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
			}
		})
	}
}
