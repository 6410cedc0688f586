package kubernetes_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// throttling answers the first requests with 429 and Retry-After, and the others with an HTTPRoute.
type throttling struct {
	first    int
	requests int
}

// RoundTrip implements http.RoundTripper.
func (a *throttling) RoundTrip(r *http.Request) (*http.Response, error) {
	a.requests++
	code, body := http.StatusOK, `{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"namespace":"shop","name":"web","resourceVersion":"7"},`+
		`"spec":{"rules":[{"backendRefs":[{"name":"web-blue","port":8080,"weight":1}]}]}}`
	header := http.Header{"Content-Type": {"application/json"}}
	if a.requests <= a.first {
		code, body = http.StatusTooManyRequests, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Too many requests, please try again later.","reason":"TooManyRequests","code":429}`
		header.Set("Retry-After", "7")
	}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r, ContentLength: -1, ProtoMajor: 1, ProtoMinor: 1}, nil
}

func TestThrottling_waitsAsLongAsTheAPISays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &throttling{first: 2}
		forward, _, err := kubernetes.NewRouters(&rest.Config{Host: "http://127.0.0.1", Transport: api})
		must(t, err)
		began := time.Now()
		states, err := forward.Read(t.Context(), []string{web})
		if err != nil || states[0].Weights[group("web-blue")] != 1 || time.Since(began) != 14*time.Second || api.requests != 3 {
			t.Errorf("got %v, %v after %d requests and %s", states, err, api.requests, time.Since(began))
		}
	})
}

// The end of the context in a wait does not hide that the API throttles.
func TestThrottling_isNamedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &throttling{first: 1 << 30}
		forward, rollback, err := kubernetes.NewRouters(&rest.Config{Host: "http://127.0.0.1", Transport: api})
		must(t, err)
		for name, router := range map[string]*kubernetes.Router{"forward": forward, "rollback": rollback} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			_, err := router.Read(ctx, []string{web})
			if !errors.Is(err, traffic.ErrThrottled) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the %s router returned %v", name, err)
			}
			cancel()
		}
		if _, err := forward.Read(t.Context(), []string{web}); !errors.Is(err, traffic.ErrThrottled) || !strings.Contains(err.Error(), "Too many requests") {
			t.Errorf("after the last attempt: %v", err)
		}
	})
}

// failing answers gets as throttling does, and writes with a server error after which the client may try again.
type failing struct {
	throttling
	writes int
}

// RoundTrip implements http.RoundTripper.
func (a *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := a.throttling.RoundTrip(r)
	if err == nil && r.Method != http.MethodGet {
		a.writes++
		answer.StatusCode = http.StatusGatewayTimeout
		answer.Header.Set("Retry-After", "1")
	}
	return answer, err
}

// A write that the API may have carried out is not repeated: somebody may have rolled it back meanwhile.
func TestAttempts_repeatNoWriteAfterAServerError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &failing{}
		forward, rollback, err := kubernetes.NewRouters(&rest.Config{Host: "http://127.0.0.1", Transport: api})
		must(t, err)
		for i, router := range []*kubernetes.Router{forward, rollback} {
			states, err := router.Read(t.Context(), []string{web})
			must(t, err)
			if err := router.Write(t.Context(), web, states[0]); err == nil || api.writes != i+1 {
				t.Errorf("got %v after %d writes", err, api.writes)
			}
		}
	})
}

// silent answers nothing, or begins an answer and does not end it.
type silent struct{ begins bool }

// RoundTrip implements http.RoundTripper.
func (a silent) RoundTrip(r *http.Request) (*http.Response, error) {
	if !a.begins {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	body := io.NopCloser(io.MultiReader(strings.NewReader(`{"kind":`), endless{r.Context()}))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Request: r, ContentLength: -1, ProtoMajor: 1, ProtoMinor: 1}, nil
}

type endless struct{ ctx context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}

// An API that does not answer ends an attempt, not the request of the caller.
func TestAttempts_areLimited(t *testing.T) {
	for _, api := range []silent{{}, {begins: true}} {
		synctest.Test(t, func(t *testing.T) {
			forward, rollback, err := kubernetes.NewRouters(&rest.Config{Host: "http://127.0.0.1", Transport: api})
			must(t, err)
			for limit, router := range map[time.Duration]*kubernetes.Router{10 * time.Second: forward, 30 * time.Second: rollback} {
				began := time.Now()
				_, err := router.Read(t.Context(), []string{web})
				if err == nil || !strings.Contains(err.Error(), "no answer within "+limit.String()) || errors.Is(err, context.DeadlineExceeded) || time.Since(began) != limit {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if _, err := router.Read(ctx, []string{web}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after the end of the context: %v", err)
				}
				cancel()
			}
		})
	}
}
