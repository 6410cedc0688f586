package elb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// wire answers the SDK without a socket, so that hours of retries take no real
// time. The function gets the number of the request, from 1.
type wire struct {
	answer func(n int, req *http.Request) (*http.Response, error)
	mu     sync.Mutex
	hosts  []string
}

func (w *wire) Do(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.hosts = append(w.hosts, req.URL.Host)
	n := len(w.hosts)
	w.mu.Unlock()
	return w.answer(n, req)
}

func reply(status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func noTargets() (*http.Response, error) {
	return reply(http.StatusOK, `<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions/>`+
		`</DescribeTargetHealthResult></DescribeTargetHealthResponse>`)
}

func refusal(status int, code, message string) (*http.Response, error) {
	return reply(status, `<ErrorResponse><Error><Type>Sender</Type><Code>`+code+`</Code><Message>`+message+
		`</Message></Error><RequestId>7</RequestId></ErrorResponse>`)
}

func throttled() (*http.Response, error) { return refusal(400, "Throttling", "Rate exceeded") }

// hang is a connection that drops packets.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func pair(w *wire, o elb.Options) (forward, rollback *elb.Router) {
	cfg := config()
	cfg.HTTPClient = w
	return elb.NewRouters(cfg, o)
}

func health(ctx context.Context, r *elb.Router, group string) error {
	_, err := r.Health(ctx, []string{group})
	return err
}

func TestRollback_outlastsThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := &wire{answer: func(int, *http.Request) (*http.Response, error) {
			if time.Since(start) < 5*time.Minute {
				return throttled()
			}
			return noTargets()
		}}
		_, rollback := pair(w, elb.Options{MaxAttempts: 2})
		if err := health(t.Context(), rollback, blue); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 5*time.Minute+time.Second {
			t.Errorf("the call succeeded after %s, throttling ended after 5m", took)
		}
		if len(w.hosts) < 300 {
			t.Errorf("it tried %d times in 5 minutes", len(w.hosts))
		}
	})
}

func TestRollback_retriesQuicklyAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := &wire{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n <= 4 {
				return throttled()
			}
			return noTargets()
		}}
		_, rollback := pair(w, elb.Options{})
		if err := health(t.Context(), rollback, blue); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 750*time.Millisecond {
			t.Errorf("four refusals took %s", took)
		}
	})
}

func TestRollback_endsWithItsContextAndReportsTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 75*time.Millisecond)
		defer cancel()
		w := &wire{answer: func(int, *http.Request) (*http.Response, error) { return throttled() }}
		_, rollback := pair(w, elb.Options{})
		err := health(ctx, rollback, blue)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, traffic.ErrThrottled) {
			t.Errorf("the call returned %v", err)
		}
		golden.Record(t, fmt.Sprint(err))
	})
}

func TestRollback_abandonsAHangingConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := &wire{answer: func(n int, req *http.Request) (*http.Response, error) {
			if n == 1 {
				return hang(req)
			}
			return noTargets()
		}}
		_, rollback := pair(w, elb.Options{})
		if err := health(t.Context(), rollback, blue); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 2100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
	})
}

func TestRollback_waitsForASlowAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(_ int, req *http.Request) (*http.Response, error) {
			select {
			case <-time.After(7 * time.Second):
				return noTargets()
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		}}
		_, rollback := pair(w, elb.Options{})
		if err := health(t.Context(), rollback, blue); err != nil {
			t.Fatal(err)
		}
		if len(w.hosts) != 3 { // timed out after 2 s and 4 s
			t.Errorf("it took %d attempts", len(w.hosts))
		}
	})
}

func TestForward_triesMaxAttempts(t *testing.T) {
	for _, tt := range []struct{ option, configured, want int }{{0, 0, awscall.DefaultMaxAttempts}, {4, 7, 4}, {0, 7, 7}, {1, 0, 1}} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answer: func(int, *http.Request) (*http.Response, error) { return throttled() }}
			cfg := config()
			cfg.HTTPClient, cfg.RetryMaxAttempts = w, tt.configured
			forward, _ := elb.NewRouters(cfg, elb.Options{MaxAttempts: tt.option})
			err := health(t.Context(), forward, blue)
			if !errors.Is(err, traffic.ErrThrottled) || len(w.hosts) != tt.want {
				t.Errorf("with %d and %d configured it tried %d times, want %d, and returned %v",
					tt.option, tt.configured, len(w.hosts), tt.want, err)
			}
			golden.Record(t, fmt.Sprint(err))
		})
	}
}

func TestForward_reportsAMissingResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(_ int, req *http.Request) (*http.Response, error) { return hang(req) }}
		forward, _ := pair(w, elb.Options{MaxAttempts: 1})
		err := health(t.Context(), forward, blue)
		golden.Record(t, fmt.Sprint(err))
	})
}

func TestClients_endWithTheContextDuringACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(_ int, req *http.Request) (*http.Response, error) { return hang(req) }}
		forward, rollback := pair(w, elb.Options{})
		for _, r := range []*elb.Router{forward, rollback} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start := time.Now()
			if err := health(ctx, r, blue); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
				t.Errorf("the call returned %v after %s", err, time.Since(start))
			}
		}
	})
}

func TestClients_callTheRegionOfTheARN(t *testing.T) {
	w := &wire{answer: func(int, *http.Request) (*http.Response, error) { return noTargets() }}
	forward, rollback := pair(w, elb.Options{})
	chinese := "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:targetgroup/blue/1"
	for _, r := range []*elb.Router{forward, rollback} {
		if _, err := r.Health(t.Context(), []string{chinese}); err != nil {
			t.Fatal(err)
		}
		must(t, health(t.Context(), r, blue))
	}
	want := "elasticloadbalancing.cn-north-1.amazonaws.com.cn elasticloadbalancing.eu-central-1.amazonaws.com"
	if got := strings.Join(w.hosts, " "); got != want+" "+want {
		t.Errorf("the calls went to %s", got)
	}
}

func TestClients_endpointFromTheEnvironment(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://127.0.0.1:9")
	w := &wire{answer: func(int, *http.Request) (*http.Response, error) { return noTargets() }}
	cfg, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithCredentialsProvider(config().Credentials))
	must(t, err)
	cfg.HTTPClient = w
	forward, _ := elb.NewRouters(cfg, elb.Options{})
	must(t, health(t.Context(), forward, blue))
	forward, _ = elb.NewRouters(cfg, elb.Options{Endpoint: "http://127.0.0.1:10"})
	must(t, health(t.Context(), forward, blue))
	if got := strings.Join(w.hosts, " "); got != "127.0.0.1:9 127.0.0.1:10" {
		t.Errorf("the calls went to %s", got)
	}
}
