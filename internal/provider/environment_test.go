package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// env is the HCL of a bluegreen_environment.
type env struct {
	label   string // of the resource; default: the name
	name    string
	version string // in HCL; default: "1.0" in quotes
	groups  string // the inside of target_groups
	backing string // in HCL; default: []
	ready   string // the inside of the block
	drain   string // in HCL; default: "0s" in quotes
	rest    string
	life    string // the inside of lifecycle
}

// firstNot returns the first text that is not empty.
func firstNot(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func (e env) String() string {
	return fmt.Sprintf(`
resource "bluegreen_environment" %q {
  name          = %q
  version       = %s
  target_groups = { %s }
  backed_by     = %s
  drain         = %s
  ready {
    steady_for = "0s"
    %s
  }
  %s
  lifecycle {
    %s
  }
}
`, firstNot(e.label, e.name), e.name, firstNot(e.version, `"1.0"`), e.groups, firstNot(e.backing, "[]"), firstNot(e.drain, `"0s"`), e.ready, e.rest, e.life)
}

func (s *site) blueEnv() env { return env{name: "blue", groups: fmt.Sprintf("web = %q", s.blue.group)} }

func (s *site) greenEnv() env {
	return env{name: "green", groups: fmt.Sprintf("web = %q", s.green.group)}
}

// raises applies these environments and other blocks.
func (w *workspace) raises(s *site, parts ...any) run {
	w.t.Helper()
	w.write(settings(s.bench, "") + fmt.Sprint(parts...))
	return w.apply()
}

// plans plans these environments and other blocks.
func (w *workspace) plans(s *site, parts ...any) run {
	w.t.Helper()
	w.write(settings(s.bench, "") + fmt.Sprint(parts...))
	return w.plan()
}

// resources returns the values of the state's resources by address.
func (w *workspace) resources() map[string]map[string]any {
	w.t.Helper()
	out, err := w.prepare("show", "-json").Output()
	w.must(err)
	var state struct {
		Values struct {
			Root struct {
				Resources []struct {
					Address string         `json:"address"`
					Values  map[string]any `json:"values"`
				} `json:"resources"`
			} `json:"root_module"`
		} `json:"values"`
	}
	w.must(json.Unmarshal(out, &state))
	found := map[string]map[string]any{}
	for _, r := range state.Values.Root.Resources {
		found[r.Address] = r.Values
	}
	return found
}

// calls counts the calls of an action so far.
func (b *bench) calls(action string) int {
	n := 0
	for _, call := range b.srv.Calls() {
		if call.Action == action {
			n++
		}
	}
	return n
}

// gated is a ready block with a gate that calls green.
func (s *site) gated() string {
	return smokeGate(s.green.url, "10ms")
}

func TestEnvironment_createWaitsUntilItIsHealthy(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	late := s.group("late")
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, late: 0}))
	done := make(chan run, 1)
	e := env{name: "green", groups: fmt.Sprintf("web = %q", late)}
	go func() { done <- w.raises(s, e) }()
	s.until("a health check", func() bool { return s.calls("DescribeTargetHealth") > 2 })
	select {
	case <-done:
		t.Fatal("it did not wait for its targets")
	default:
	}
	s.moveTarget(s.green, &app{group: late})
	(<-done).ok()
	w.plans(s, e).ok()
	if shown := w.resources()["bluegreen_environment.green"]; shown["name"] != "green" || shown["protect"] != nil {
		t.Errorf("the state is %v", shown)
	}
	if out := w.terraform("plan", "-json", "-input=false", "-detailed-exitcode"); out.err != nil {
		t.Errorf("the second plan is not empty: %s", out.out)
	}
}

func TestEnvironment_withoutRoutesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	e := env{name: "green", groups: fmt.Sprintf("web = %q", s.group("unnamed"))}
	before := s.calls("DescribeTargetHealth")
	w.raises(s, e).ok()
	if n := s.calls("DescribeTargetHealth") - before; n != 0 {
		t.Errorf("%d health calls for a group that no load balancer checks", n)
	}
}

func TestEnvironment_notReady(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(s *site, e *env)
	}{
		"no targets": {
			func(s *site, e *env) {
				late := s.group("late")
				e.groups, e.ready = fmt.Sprintf("web = %q", late), `timeout = "3s"`
				s.changeExternally(s.listener, forward(weights{s.blue.group: 100, late: 0}))
			}},
		"unhealthy targets": {
			func(s *site, e *env) {
				unhealthy := s.group("unhealthy", "127.0.0.1:1")
				e.groups, e.ready = fmt.Sprintf("web = %q", unhealthy), `timeout = "3s"`
				s.rule(s.listener, "/test", 3, forward(weights{unhealthy: 1}))
				s.changeExternally(s.listener, forward(weights{s.blue.group: 100, unhealthy: 0}))
				s.until("a verdict", func() bool { return s.states(unhealthy) == "unhealthy" })
			}},
		"too few targets": {
			func(s *site, e *env) {
				e.ready = `timeout = "3s"` + "\n min_healthy_targets = 2"
				s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
				s.healthy(s.green.group)
			}},
		"a gate fails": {
			func(s *site, e *env) {
				e.ready = s.gated()
				s.green.status.Store(500)
			}},
		"a variable of a gate is not set": {
			func(_ *site, e *env) {
				e.ready = gateBlock("smoke", block("http", `url = "http://127.0.0.1/"`, `headers_env = { A = "BLUEGREEN_TEST_UNSET" }`))
			}},
		"a group that is not there": {
			func(_ *site, e *env) { e.groups = fmt.Sprintf("web = %q", goneGroup) }},
		"a load balancer that may not be read": {
			func(s *site, e *env) {
				e.groups = fmt.Sprintf("web = %q", s.blue.group)
				s.srv.Inject(faults.Fault{Action: "DescribeRules", Kind: faults.AccessDenied})
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			e := s.greenEnv()
			c.prepare(s, &e)
			w.raises(s, e).failsAs("error")
			if state := w.resources(); len(state) != 0 {
				t.Errorf("a create that failed left %v", state)
			}
		})
	}
}

// states returns the health states of a group's targets.
func (b *bench) states(group string) string {
	b.t.Helper()
	out, err := b.api.DescribeTargetHealth(b.t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
	b.must(err)
	var all []string
	for _, d := range out.TargetHealthDescriptions {
		all = append(all, string(d.TargetHealth.State))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestEnvironment_trivialUpdateCallsNothing(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	e := s.greenEnv()
	e.ready = s.gated()
	w.raises(s, e).ok()
	s.green.status.Store(500)
	e.drain, e.rest, e.label, e.name = `"1s"`, "protect = true", "green", "teal"
	w.plans(s, e).ok()
	before := s.called()
	w.applyPlan().ok()
	if n := s.called() - before; n != 0 {
		t.Errorf("a change of name, drain and protect took %d calls", n)
	}
	if shown := w.resources()["bluegreen_environment.green"]; shown["name"] != "teal" || shown["drain"] != "1s" || shown["protect"] != true {
		t.Errorf("the state is %v", shown)
	}
}

func TestEnvironment_failedUpdatePreservesState(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	e := s.greenEnv()
	e.ready = s.gated()
	w.raises(s, e).ok()
	s.green.status.Store(500)
	for _, change := range []func(*env){
		func(e *env) { e.version = `"2.0"` },
		func(e *env) { e.backing = `["asg-2"]` },
		func(e *env) { e.groups = fmt.Sprintf("web = %q", s.group("other")) },
		func(e *env) { e.ready += "\n min_healthy_targets = 1" },
	} {
		bad := e
		change(&bad)
		if r := w.raises(s, bad); r.err == nil || !strings.Contains(r.text(), "Gate: smoke") {
			t.Errorf("it was not evaluated: %s", r.text())
		}
		if shown := w.resources()["bluegreen_environment.green"]; shown["version"] != "1.0" || fmt.Sprint(shown["backed_by"]) != "[]" {
			t.Errorf("the state is %v", shown)
		}
	}
	s.green.status.Store(200)
	e.version = `"2.0"`
	w.raises(s, e).ok()
}

// testRule creates a test rule for a group, as documented.
func (b *bench) testRule(listener string, priority int32, group string) string {
	b.t.Helper()
	out, err := b.api.CreateRule(b.t.Context(), &elbv2.CreateRuleInput{
		ListenerArn: &listener, Priority: &priority, Actions: forward(weights{group: 1}),
		Conditions: []types.RuleCondition{{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{
			HttpHeaderName: aws.String("X-Environment"), Values: []string{fmt.Sprint(priority)},
		}}},
	})
	b.must(err)
	return aws.ToString(out.Rules[0].RuleArn)
}

// testRoutes is the argument test_routes.
func testRoutes(routes ...string) string {
	return fmt.Sprintf("test_routes = [%q]", strings.Join(routes, `", "`))
}

// addresses returns the sorted addresses of the state.
func (w *workspace) addresses() []string {
	w.t.Helper()
	return slices.Sorted(maps.Keys(w.resources()))
}

// unroute deletes a rule.
func (b *bench) unroute(rule string) {
	b.t.Helper()
	_, err := b.api.DeleteRule(b.t.Context(), &elbv2.DeleteRuleInput{RuleArn: &rule})
	b.must(err)
}
