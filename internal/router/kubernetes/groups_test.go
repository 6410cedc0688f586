package kubernetes_test

import (
	"errors"
	"net/http"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestHealth_ofEndpoints(t *testing.T) {
	c := shopWith(t)
	c.Put(endpoints("web-blue", "ready", "starting", "terminating"))
	got, err := c.forward.Health(t.Context(), []string{group("web-blue")})
	must(t, err)
	if text := got[group("web-blue")].String(); text != "1 of 3 targets healthy (1 draining: Terminating, 1 unhealthy: NotReady)" {
		t.Errorf("got %s", text)
	}
	if _, err := c.forward.Health(t.Context(), []string{"service/shop/web-blue:9999"}); !errors.Is(err, kubernetes.ErrNoPort) {
		t.Errorf("a port that is missing returned %v", err)
	}
}

func TestCheckGroups_refusesRoutesThatAreNotAccepted(t *testing.T) {
	c := shopWith(t)
	entry := traffic.Entry{Name: "web", Routes: []string{web}, Groups: []string{group("web-blue"), group("web-green")}}
	must(t, c.forward.CheckGroups(t.Context(), entry))
	c.Refuse("late", localkube.Refusal{Condition: "Accepted", Reason: "NoMatchingParent"})
	c.Put(route("HTTPRoute", "late", []any{backendRef("web-blue", 1)}))
	entry.Routes = []string{"httproute/shop/late"}
	if err := c.forward.CheckGroups(t.Context(), entry); !errors.Is(err, kubernetes.ErrNotAccepted) {
		t.Errorf("got %v", err)
	}
}

func TestParse_returnsWhatWasParsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(httproute|service|selector)/[a-z.-]{1,4}/[a-z0-9=,./:-]{1,8}(#[a-z0-9-]{1,3})?`).Draw(t, "text")
		if r, err := kubernetes.ParseRoute(text); err == nil && r.String() != text {
			t.Fatalf("%q became %q", text, r)
		}
		if g, err := kubernetes.ParseGroup(text); err == nil && g.String() != text {
			t.Fatalf("%q became %q", text, g)
		}
	})
}

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// client-go logs to the terminal by default, such as every request that waited for its rate.
func TestNewRouters_silencesTheLog(t *testing.T) {
	c := newCluster(t)
	calls := 0
	config := &rest.Config{Host: c.URL(), BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: c.CA()}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if calls++; klog.FromContext(r.Context()).Enabled() {
				t.Errorf("client-go logs about %s %s", r.Method, r.URL.Path)
			}
			return next.RoundTrip(r)
		})
	})
	forward, _, err := kubernetes.NewRouters(config)
	must(t, err)
	_, _ = forward.Read(t.Context(), []string{web})
	if calls == 0 {
		t.Error("there was no call")
	}
}
