package lambda_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// wire answers the SDK without a socket, so that minutes of retries take no real time.
type wire struct {
	answer func(req *http.Request) (*http.Response, error)
	mu     sync.Mutex
	hosts  []string
}

func (w *wire) Do(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.hosts = append(w.hosts, req.URL.Host)
	w.mu.Unlock()
	return w.answer(req)
}

func reply(status int, code, body string) (*http.Response, error) {
	header := http.Header{}
	if code != "" {
		header.Set("X-Amzn-Errortype", code)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// one is an alias with all requests on version 1.
func one() (*http.Response, error) {
	return reply(http.StatusOK, "", `{"FunctionVersion":"1","RevisionId":"r1"}`)
}

func throttled() (*http.Response, error) {
	return reply(http.StatusTooManyRequests, "TooManyRequestsException", `{"message":"Rate exceeded"}`)
}

func pair(w *wire) (forward, rollback *lambda.Router) {
	cfg := config()
	cfg.HTTPClient = w
	return lambda.NewRouters(cfg, lambda.Options{})
}

func read(ctx context.Context, r *lambda.Router, route string) error {
	_, err := r.Read(ctx, []string{route})
	return err
}

func TestClients_attempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := &wire{answer: func(*http.Request) (*http.Response, error) {
			if time.Since(began) < 5*time.Minute {
				return throttled()
			}
			return one()
		}}
		forward, rollback := pair(w)
		if err := read(t.Context(), forward, live); !errors.Is(err, traffic.ErrThrottled) || len(w.hosts) != awscall.DefaultMaxAttempts {
			t.Errorf("forward tried %d times and returned %v", len(w.hosts), err)
		}
		must(t, read(t.Context(), rollback, live))
		if took := time.Since(began); took > 5*time.Minute+time.Second {
			t.Errorf("the rollback succeeded after %s, throttling ended after 5m", took)
		}
	})
}

// Every read ends by itself if the API does not respond, and its error names the call.
func TestClients_readsHaveDeadlines(t *testing.T) {
	for action, read := range map[string]func(ctx context.Context, r *lambda.Router) error{
		"lambda:ListAliases": func(ctx context.Context, r *lambda.Router) error {
			_, err := r.OtherRoutes(ctx, []string{live}, []string{version(1)})
			return err
		},
		"lambda:GetFunctionConfiguration": func(ctx context.Context, r *lambda.Router) error { return r.CheckGroups(ctx, entry(version(1))) },
		"lambda:GetAlias": func(ctx context.Context, r *lambda.Router) error {
			_, err := lambda.NewReader(r).Read(ctx, []string{live})
			return err
		},
	} {
		t.Run(action, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forward, _ := pair(&wire{answer: func(req *http.Request) (*http.Response, error) {
					<-req.Context().Done()
					return nil, req.Context().Err()
				}})
				began := time.Now()
				err := read(t.Context(), forward)
				call, named := errors.AsType[*lambda.CallError](err)
				if took := time.Since(began); took > 30*time.Second || !errors.Is(err, context.DeadlineExceeded) || !named || call.Action != action {
					t.Errorf("got %v after %s", err, took)
				}
			})
		})
	}
}

func TestClients_callTheRegionOfTheARN(t *testing.T) {
	w := &wire{answer: func(*http.Request) (*http.Response, error) { return one() }}
	forward, rollback := pair(w)
	for _, r := range []*lambda.Router{forward, rollback} {
		must(t, read(t.Context(), r, live))
		must(t, read(t.Context(), r, "arn:aws-cn:lambda:cn-north-1:123456789012:function:shop:live"))
	}
	want := "lambda.eu-central-1.amazonaws.com lambda.cn-north-1.amazonaws.com.cn"
	if got := strings.Join(w.hosts, " "); got != want+" "+want {
		t.Errorf("the calls went to %s", got)
	}
}

// An error has no secret and nothing of the request.
func TestErrors_haveNoSecret(t *testing.T) {
	w := &wire{answer: func(*http.Request) (*http.Response, error) {
		return reply(http.StatusForbidden, "AccessDeniedException", `{"Message":"not authorized to perform: lambda:GetAlias"}`)
	}}
	forward, _ := pair(w)
	err := read(t.Context(), forward, live)
	if got := err.Error(); got != "lambda:GetAlias of alias live of shop: AccessDeniedException: not authorized to perform: lambda:GetAlias" {
		t.Errorf("got %s", got)
	}
}
