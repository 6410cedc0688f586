package kubernetes_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// An API server that is replaced refuses connections or answers with server errors for a moment. That fails no read,
// and no write in whose middle it happens.
func TestRead_repeatsWhatMayPass(t *testing.T) {
	for _, kind := range []localkube.Kind{localkube.ServerError, localkube.DropConnection} {
		for _, resource := range []string{"httproutes", "services"} {
			t.Run(string(kind)+" of "+resource, func(t *testing.T) {
				t.Parallel()
				c := shopWith(t)
				s := c.read(t, web)
				s.Weights = half
				c.Inject(localkube.Fault{Kind: kind, Verb: "get", Resource: resource, Times: 2})
				must(t, c.forward.Write(t.Context(), web, s))
				c.Inject(localkube.Fault{Kind: kind, Verb: "get", Times: 2})
				c.Inject(localkube.Fault{Kind: kind, Verb: "list", Times: 2})
				if got := c.read(t, web); !got.Equal(traffic.State{Weights: half}) || c.Count("update", "httproutes") != 1 {
					t.Errorf("the route has %v after %d updates", got.Weights, c.Count("update", "httproutes"))
				}
				_, err := c.forward.Health(t.Context(), []string{group("web-blue")})
				must(t, err)
			})
		}
	}
}

// failures answers with an error until a time, and then with an HTTPRoute.
type failures struct {
	throttling
	err   error
	after time.Duration // the errors begin
	until time.Duration // and end
	began time.Time
	times int
}

// RoundTrip implements http.RoundTripper.
func (a *failures) RoundTrip(r *http.Request) (*http.Response, error) {
	if since := time.Since(a.began); since >= a.after && since < a.until {
		a.times++
		return nil, a.err
	}
	return a.throttling.RoundTrip(r)
}

// Once the API has answered, reads are repeated until their context ends, or for half a minute. An address where nobody
// has answered is usually a wrong one, and what another attempt does not change is not repeated at all.
func TestRead_isRepeatedForItsTime(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	absent := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "api.example.com", IsNotFound: true}}
	for name, tt := range map[string]struct {
		err         error
		after, till time.Duration // of the errors
		limit       time.Duration // of the context; 0: none
		least, most time.Duration // that the read takes
		fails       bool
	}{
		"refused for 25 seconds":            {refused, time.Second, 26 * time.Second, 0, 25 * time.Second, 27 * time.Second, false},
		"reset for 25 seconds":              {io.EOF, time.Second, 26 * time.Second, 0, 25 * time.Second, 27 * time.Second, false},
		"refused, and the context ends":     {refused, time.Second, time.Hour, 10 * time.Second, 9 * time.Second, 10 * time.Second, true},
		"refused for ever":                  {refused, time.Second, time.Hour, 0, 29 * time.Second, 30 * time.Second, true},
		"refused from the start":            {refused, 0, time.Hour, 0, 4 * time.Second, 5 * time.Second, true},
		"refused from the start for a time": {refused, 0, 3 * time.Second, 0, 3 * time.Second, 4 * time.Second, false},
		"no such host":                      {absent, time.Second, time.Hour, 0, 0, 0, true},
		"another certificate":               {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, time.Second, time.Hour, 0, 0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &failures{err: tt.err, after: tt.after, until: tt.till, began: time.Now()}
				forward, rollback, err := kubernetes.NewRouters(&rest.Config{Host: "http://127.0.0.1", Transport: api})
				must(t, err)
				if tt.after > 0 {
					_, err = forward.Read(t.Context(), []string{web})
					must(t, err)
				}
				<-time.After(time.Until(api.began.Add(tt.after)))
				ctx, began := t.Context(), time.Now()
				if tt.limit > 0 {
					limited, cancel := context.WithTimeout(ctx, tt.limit)
					defer cancel()
					ctx = limited
				}
				_, err = forward.Read(ctx, []string{web})
				if took := time.Since(began); (err != nil) != tt.fails || took < tt.least || took > tt.most || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %s and %d errors: %v", took, api.times, err)
				}
				if tt.fails {
					before := api.times
					if _, err := rollback.Read(ctx, []string{web}); err == nil || api.times != before+1 { // the engine repeats those
						t.Errorf("a rollback repeated a read %d times: %v", api.times-before, err)
					}
				}
			})
		})
	}
}

// hanging answers gets with an HTTPRoute, and nothing of what it hangs for.
type hanging struct {
	throttling
	methods []string // that get no answer
	begins  bool     // an answer begins, and does not end
}

// RoundTrip implements http.RoundTripper.
func (a *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, method := range a.methods {
		if r.Method == method {
			a.requests++
			return silent{a.begins}.RoundTrip(r)
		}
	}
	return a.throttling.RoundTrip(r)
}

// A read that gets no answer is repeated once within its half a minute.
func TestRead_isRepeatedAfterSilence(t *testing.T) {
	for _, begins := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			api := &hanging{begins: begins}
			forward, _, err := kubernetes.NewRouters(&rest.Config{Host: "http://127.0.0.1", Transport: api})
			must(t, err)
			_, err = forward.Read(t.Context(), []string{web})
			must(t, err)
			api.methods, api.requests = []string{http.MethodGet}, 0
			began := time.Now()
			_, err = forward.Read(t.Context(), []string{web})
			if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "no answer within 20s") || api.requests != 2 || took > 30*time.Second || took < 29*time.Second {
				t.Errorf("after %s and %d requests: %v", took, api.requests, err)
			}
		})
	}
}

// A write that gets no answer ends after 10 seconds, that of a rollback after 5, and says that it may have been carried
// out. It is not repeated.
func TestWrite_isLimited(t *testing.T) {
	for _, begins := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			api := &hanging{methods: []string{http.MethodPut, http.MethodPatch}, begins: begins}
			forward, rollback, err := kubernetes.NewRouters(&rest.Config{Host: "http://127.0.0.1", Transport: api})
			must(t, err)
			for limit, router := range map[time.Duration]*kubernetes.Router{10 * time.Second: forward, 5 * time.Second: rollback} {
				states, err := forward.Read(t.Context(), []string{web})
				must(t, err)
				api.requests = 0
				began := time.Now()
				err = router.Write(t.Context(), web, states[0])
				if !errors.Is(err, traffic.ErrUnanswered) || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within "+limit.String()) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took != limit || api.requests != 2 {
					t.Errorf("after %s and %d requests: %v", took, api.requests, err)
				}
			}
		})
	}
}

// A rollback does not wait for reads: it patches what it knows.
func TestWrite_rollsBackAlthoughReadsHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &hanging{}
		forward, rollback, err := kubernetes.NewRouters(&rest.Config{Host: "http://127.0.0.1", Transport: api})
		must(t, err)
		states, err := forward.Read(t.Context(), []string{web})
		must(t, err)
		api.methods = []string{http.MethodGet}
		states[0].Weights = map[string]int{group("web-green"): 1} // a Service that the route does not have, which is read as well
		began := time.Now()
		must(t, rollback.Write(t.Context(), web, states[0]))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
