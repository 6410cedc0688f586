package provider_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// emptied is a proxy before the API that answers calls of an action with a 200 without content.
type emptied struct {
	url    string
	action atomic.Value // string; empty: none
	times  atomic.Int64 // number of calls left
}

func newEmptied(s *site) *emptied {
	s.t.Helper()
	e := &emptied{}
	e.action.Store("")
	target, err := url.Parse(s.srv.URL())
	s.must(err)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		if form.Get("Action") == e.action.Load() && e.times.Add(-1) >= 0 {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		forward.ServeHTTP(w, r)
	}))
	s.t.Cleanup(srv.Close)
	e.url = srv.URL
	return e
}

func (e *emptied) empty(action string, times int64) {
	e.times.Store(times)
	e.action.Store(action)
}

// of returns a configuration that calls the proxy.
func (e *emptied) of(s *site, hcl string) string { return strings.ReplaceAll(hcl, s.srv.URL(), e.url) }

const forEver = 1 << 40

// An answer without content, once or for ever, does not drop the switch from the state.
func TestSwitch_emptyAnswersKeepTheState(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	proxy := newEmptied(s)
	w.write(proxy.of(s, s.release("blue").in(s.bench)))
	w.apply().ok()
	proxy.empty("DescribeListeners", 1)
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Errorf("after one empty answer the plan is %s", action)
	}
	proxy.empty("DescribeListeners", forEver)
	w.terraform("apply", "-refresh-only", "-json", "-auto-approve", "-input=false").failsAs("error")
	proxy.empty("", 0)
	if w.values() == nil {
		t.Error("the switch was dropped from the state")
	}
}

// An answer without listeners or target groups does not let an environment with traffic be destroyed.
func TestEnvironment_emptyAnswersDestroyNothing(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"DescribeListeners", "DescribeTargetGroups", "DescribeRules"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			proxy := newEmptied(s)
			w.write(proxy.of(s, settings(s.bench, "")+s.blueEnv().String()))
			w.apply().ok()
			w.write(proxy.of(s, settings(s.bench, "")))
			w.terraform("plan", "-json", "-input=false", "-refresh=false", "-out=destroy").ok()
			proxy.empty(action, forEver)
			w.terraform("apply", "-json", "-input=false", "destroy").failsAs("error")
			if all := w.addresses(); !slices.Contains(all, "bluegreen_environment.blue") {
				t.Errorf("the state has %q", all)
			}
		})
	}
}

// within runs f and reports how long it took if that is too long on this machine.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); slow.Exceeds(took, limit) {
		t.Errorf("it took %s, want at most %s", took, limit)
	}
}

// A refresh ends soon if the API does not respond, and says what it read.
func TestRefresh_hangingAPI(t *testing.T) {
	t.Parallel()
	t.Run("switch", func(t *testing.T) {
		t.Parallel()
		s, w := newSite(t), newWorkspace(t)
		w.write(s.release("blue").in(s.bench))
		w.apply().ok()
		defer s.srv.Inject(faults.Fault{Kind: faults.SlowRead, Delay: time.Hour})()
		within(t, 40*time.Second, func() { w.plan().failsAs("error") })
	})
	t.Run("environment", func(t *testing.T) {
		t.Parallel()
		s, w := newSite(t), newWorkspace(t)
		w.raises(s, s.blueEnv()).ok()
		defer s.srv.Inject(faults.Fault{Kind: faults.SlowRead, Delay: time.Hour})()
		within(t, 40*time.Second, func() { w.plans(s, s.blueEnv()).failsAs("error") })
	})
	t.Run("data source", func(t *testing.T) {
		t.Parallel()
		s, w := newSite(t), newWorkspace(t)
		defer s.srv.Inject(faults.Fault{Kind: faults.SlowRead, Delay: time.Hour})()
		w.write(settings(s.bench, "") + `
data "bluegreen_switch" "web" {
  routes = { web = ["` + s.listener + `"] }
}
`)
		within(t, 40*time.Second, func() { w.plan().failsAs("error") })
	})
	t.Run("optional reads", func(t *testing.T) {
		t.Parallel()
		s, w := newSite(t), newWorkspace(t)
		w.write(s.release("blue").in(s.bench))
		w.apply().ok()
		for _, action := range []string{"DescribeRules", "DescribeTargetGroupAttributes"} {
			defer s.srv.Inject(faults.Fault{Action: action, Kind: faults.SlowRead, Delay: time.Hour})()
		}
		within(t, 40*time.Second, func() { w.plan().ok() })
	})
}

// The API hangs from the drain on: the drain takes its own time, and the destroy ends with
// the environment in the state.
func TestEnvironment_drainWithHangingAPI(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	green := s.greenEnv()
	green.drain = `"5s"`
	w.raises(s, green).ok()
	w.write(settings(s.bench, ""))
	w.terraform("plan", "-json", "-input=false", "-refresh=false", "-out=destroy").ok()
	defer s.srv.Inject(faults.Fault{Action: "DescribeTargetHealth", Kind: faults.SlowRead, Delay: time.Hour})()
	defer s.srv.Inject(faults.Fault{Action: "DescribeTargetGroups", Kind: faults.SlowRead, Delay: time.Hour, Skip: 1})()
	within(t, time.Minute, func() { w.terraform("apply", "-json", "-input=false", "destroy").failsAs("error") })
	if all := w.addresses(); !slices.Contains(all, "bluegreen_environment.green") {
		t.Errorf("the state has %q", all)
	}
	s.want("app-blue 100, app-green 0")
}

// guardedBy is a release of green in one step whose first gate call, at 5 %, does something.
func (s *site) guardedBy(hold, health string, first func()) hcl {
	h := s.release("green")
	h.strategy = fmt.Sprintf(`steps = [{ percent = 5, hold = %q }]`, hold)
	h.health = "\n steady_for = \"0s\"\n " + health
	h.gates = smokeGate(firstCall(s.t, first), "10ms")
	return h
}

// Health that cannot be read is not bad: the shift is rolled back, and nothing is rejected.
func TestSwitch_unreadableHealthRejectsNothing(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faults.Fault{
		"throttled": {Kind: faults.Throttle}, "server error": {Kind: faults.ServerError}, "hanging": {Kind: faults.SlowRead, Delay: time.Hour},
		"expired credentials": {Kind: faults.ExpiredToken}, "access denied": {Kind: faults.AccessDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			s.blueIsLive(w)
			fault.Action, fault.ARN = "DescribeTargetHealth", "app-green"
			h := s.guardedBy("0s", `timeout = "4s"`, func() { s.srv.Inject(fault) })
			h.aws = "max_attempts = 1"
			w.write(h.in(s.bench))
			w.apply().failsAs("error", golden.ReplacePattern(`no read succeeded|the last read that succeeded was [0-9.]+m?s ago`, "<read>"))
			s.want("app-blue 100, app-green 0")
			if got := w.values()["rejected"]; got != nil {
				t.Errorf("it rejected %v", got)
			}
			if last := w.lastShift(); last["outcome"] != "rolled_back" {
				t.Error(last)
			}
		})
	}
}

// Credentials expire while health is read in a hold, and are renewed: the shift completes.
func TestSwitch_healthIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]faults.Kind{"expired credentials": faults.ExpiredToken, "access denied": faults.AccessDenied} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			s.blueIsLive(w)
			called := 0
			h := s.guardedBy("0s", "", func() {
				called = s.called()
				s.srv.Inject(faults.Fault{Action: "DescribeTargetHealth", Kind: kind, Times: 3})
			})
			h.aws = "max_attempts = 1"
			w.write(h.in(s.bench))
			w.apply().ok()
			s.want("app-blue 0, app-green 100")
			failed := 0
			for _, call := range s.srv.Calls()[called:] {
				if call.Action == "DescribeTargetHealth" && call.Status == http.StatusForbidden {
					failed++
				}
			}
			if failed != 3 {
				t.Errorf("%d reads failed, want 3", failed)
			}
			if last := w.lastShift(); last["outcome"] != "completed" {
				t.Error(last)
			}
		})
	}
}

// Targets that were read as unhealthy for breach_for reject the version.
func TestSwitch_unhealthyTargetsRejectTheVersion(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.guardedBy("60s", `breach_for = "300ms"`, func() {
		_, err := s.api.RegisterTargets(t.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &s.green.group,
			Targets: []types.TargetDescription{{Id: new("127.0.0.1"), Port: new(int32(1))}}})
		s.must(err)
	})
	w.write(h.in(s.bench))
	w.apply().failsAs("error", golden.ReplacePattern(`for [0-9.]+m?s\.`, "for <duration>."))
	s.want("app-blue 100, app-green 0")
	if w.values()["rejected"] == nil {
		t.Error("it rejected nothing")
	}
}

// A Lambda function is one target, whatever min_healthy_targets and capacity_percent are.
func TestSwitch_lambdaIsNotAskedForCapacity(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	out, err := s.api.CreateTargetGroup(t.Context(), &elbv2.CreateTargetGroupInput{Name: new("function"), TargetType: types.TargetTypeEnumLambda})
	s.must(err)
	group := *out.TargetGroups[0].TargetGroupArn
	_, err = s.api.RegisterTargets(t.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &group,
		Targets: []types.TargetDescription{{Id: new("arn:aws:lambda:us-east-1:123456789012:function:web")}}})
	s.must(err)
	h := s.release("teal")
	h.environments += environment("teal", "1.2", group)
	h.health = "\n steady_for = \"0s\"\n min_healthy_targets = 2\n capacity_percent = 100\n timeout = \"10s\""
	w.write(h.in(s.bench))
	w.apply().ok()
}

// A lack of capacity for the whole shift is known before its first step.
func TestSwitch_capacityIsMissingBeforeTheFirstStep(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	for range 2 { // further targets of the live environment
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		t.Cleanup(other.Close)
		at := netip.MustParseAddrPort(other.Listener.Addr().String())
		_, err := s.api.RegisterTargets(t.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &s.blue.group,
			Targets: []types.TargetDescription{{Id: new(at.Addr().String()), Port: new(int32(at.Port()))}}})
		s.must(err)
	}
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "0s" }]`
	h.health = "\n steady_for = \"0s\"\n capacity_percent = 100\n timeout = \"3s\""
	w.write(h.in(s.bench))
	writes := len(s.writes())
	w.apply().failsAs("error")
	if n := len(s.writes()) - writes; n != 0 {
		t.Errorf("%d writes", n)
	}
	if got := w.values()["rejected"]; got != nil {
		t.Errorf("it rejected %v", got)
	}
}

// Three environments with one target each: a third of the traffic takes a third of the
// capacity. All of it takes more than one of three, which is known before the first step.
func TestSwitch_capacityOfThirds(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	red := s.app("app-red")
	release := func(traffic string) hcl {
		h := s.release("blue")
		h.environments += environment("red", "1.2", red.group)
		h.traffic = traffic
		h.health = "\n steady_for = \"0s\""
		return h
	}
	w.write(release(`active = "blue"`).in(s.bench))
	w.apply().ok()
	w.write(release(`weights = { blue = 34, green = 33, red = 33 }`).in(s.bench))
	w.apply().ok()
	s.want("app-blue 34, app-green 33, app-red 33")
	w.write(release(`active = "green"`).in(s.bench))
	s.unwritten(func() {
		within(t, time.Minute, func() { w.apply().failsAs("error", golden.ReplacePattern(`after [0-9.]+m?s`, "after <duration>")) })
	})
	if got := w.values()["rejected"]; got != nil {
		t.Errorf("it rejected %v", got)
	}
}
