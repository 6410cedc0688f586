package dataplane_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// noMetrics ignores everything that the data plane reports.
type noMetrics struct{}

func (noMetrics) Balancer(string) dataplane.BalancerMetrics   { return noMetrics{} }
func (noMetrics) Group(string, string) dataplane.GroupMetrics { return noMetrics{} }
func (noMetrics) Generated(int)                               {}
func (noMetrics) Request()                                    {}
func (noMetrics) ConnectionError()                            {}
func (noMetrics) Response(int, time.Duration)                 {}
func (noMetrics) Flow()                                       {}
func (noMetrics) Reset(dataplane.Peer)                        {}
func (noMetrics) Hosts(dataplane.HostCounts)                  {}

func newPlane(t *testing.T) *dataplane.Plane {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	plane, err := dataplane.New(ctx, dataplane.Options{Log: slog.New(slog.DiscardHandler), Metrics: noMetrics{}, EphemeralPorts: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := plane.Close(); err != nil {
			t.Error(err)
		}
	})
	return plane
}

// group is a target group in use, with a target that responds with its name.
func group(t *testing.T, name string) dataplane.Group {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
	t.Cleanup(srv.Close)
	return dataplane.Group{Zones: map[string]bool{"a": true}, Targets: []dataplane.Target{{ID: name, Address: srv.Listener.Addr().String()}}, MinHealthy: 1}
}

func half() *dataplane.Rule {
	return &dataplane.Rule{Forward: &dataplane.Forward{Groups: []dataplane.WeightedGroup{{ARN: "blue", Weight: 1}, {ARN: "green", Weight: 1}}}}
}

func TestPlane_theSameRuleContinuesItsCycle(t *testing.T) {
	plane := newPlane(t)
	groups := map[string]dataplane.Group{"blue": group(t, "blue"), "green": group(t, "green")}
	apply := func(r *dataplane.Rule) {
		t.Helper()
		listener := dataplane.Listener{Port: 80, Protocol: "HTTP", IdleTimeout: time.Minute, ForwardedFor: "append", Rules: []*dataplane.Rule{r}}
		if err := plane.Apply(dataplane.Config{Listeners: map[string]dataplane.Listener{"http": listener}, Groups: groups}, 0); err != nil {
			t.Fatal(err)
		}
	}
	rule := half()
	for _, step := range []struct {
		rule *dataplane.Rule
		want string
	}{{rule, "blue"}, {rule, "green"}, {rule, "blue"}, {half(), "blue"}} {
		apply(step.rule)
		resp, err := http.Get("http://" + plane.Address("http"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != step.want {
			t.Errorf("got %q, %v, want %s", body, err, step.want)
		}
	}
	if got := plane.Counts("blue").Requests; got != 3 {
		t.Errorf("blue has %d requests", got)
	}
}

// The race detector fails this test if requests read what a registration changes.
func TestPlane_registrationDuringRequests(t *testing.T) {
	plane := newPlane(t)
	blue := group(t, "blue")
	rule := &dataplane.Rule{Forward: &dataplane.Forward{Groups: []dataplane.WeightedGroup{{ARN: "blue", Weight: 1}}}}
	apply := func() {
		t.Helper()
		listener := dataplane.Listener{Port: 80, Protocol: "HTTP", IdleTimeout: time.Minute, ForwardedFor: "append", Rules: []*dataplane.Rule{rule}}
		if err := plane.Apply(dataplane.Config{Listeners: map[string]dataplane.Listener{"http": listener}, Groups: map[string]dataplane.Group{"blue": blue}}, 0); err != nil {
			t.Fatal(err)
		}
	}
	apply()
	url, done := "http://"+plane.Address("http"), make(chan error)
	go func() {
		for range 20 {
			resp, err := http.Get(url)
			if err != nil {
				done <- err
				return
			}
			_ = resp.Body.Close()
		}
		done <- nil
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
			blue.Targets = slices.Clone(blue.Targets)
			blue.Targets[0].Zone = map[string]string{"all": "", "": "all"}[blue.Targets[0].Zone]
			apply()
		}
	}
}

func TestPlane_targetsThatAreNotRegistered(t *testing.T) {
	plane := newPlane(t)
	missing := dataplane.Target{ID: "192.0.2.1", Port: 80}
	want := dataplane.TargetHealth{Target: missing, State: "unused", Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"}
	if got := plane.Health("blue", missing); len(got) != 1 || got[0] != want {
		t.Errorf("got %+v", got)
	}
}
