package provider_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// applyError prepares an apply that fails.
type applyError func(s *site, h *hcl)

// notThere are routes and groups that do not match the configuration.
func notThere() map[string]applyError {
	return map[string]applyError{
		"listener not found":        func(s *site, h *hcl) { h.routes = strings.ReplaceAll(h.routes, s.listener, s.missing()) },
		"rule not found":            func(s *site, h *hcl) { h.routes = strings.ReplaceAll(h.routes, s.listener, s.missingRule()) },
		"group not found":           func(_ *site, h *hcl) { h.environments += environment("teal", "1", goneGroup) },
		"group of another balancer": func(s *site, h *hcl) { h.environments += environment("teal", "1", s.elsewhere()) },
	}
}

// refusedCalls are AWS errors that end an apply.
func refusedCalls() map[string]applyError {
	return map[string]applyError{
		"access denied":       func(s *site, _ *hcl) { s.refuse("ModifyListener", "", 0) },
		"expired credentials": func(s *site, _ *hcl) { s.srv.Inject(faults.Fault{Kind: faults.ExpiredToken}) },
		"throttling that outlasts the retries": func(s *site, h *hcl) {
			h.aws = "max_attempts = 2"
			s.srv.Inject(faults.Fault{Kind: faults.Throttle})
		},
		"server errors that outlast the retries": func(s *site, h *hcl) {
			h.aws = "max_attempts = 2"
			s.srv.Inject(faults.Fault{Kind: faults.ServerError})
		},
	}
}

// notServing are routes and environments that cannot take part.
func notServing() map[string]applyError {
	return map[string]applyError{
		"redirect": func(s *site, _ *hcl) { s.changeExternally(s.listener, redirect()) },
		"never healthy": func(s *site, h *hcl) {
			h.environments += environment("teal", "1", s.group("empty"))
			h.traffic, h.health = `active = "teal"`, "\n steady_for = \"0s\"\n timeout = \"3s\""
		},
		"variable of a gate not set": func(_ *site, h *hcl) {
			h.gates = httpGate(`headers_env = { Authorization = "BLUEGREEN_TEST_UNSET" }`, "")
		},
	}
}

// Every error of an apply reports the traffic, the cause and what to do.
func TestSwitch_errorsOfACreate(t *testing.T) {
	t.Parallel()
	all := notThere()
	maps.Copy(all, refusedCalls())
	maps.Copy(all, notServing())
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			h := s.release("green")
			c(s, &h)
			w.write(h.in(s.bench))
			w.apply().failsAs("error")
			if v := w.values(); v != nil {
				t.Errorf("there is state: %v", v)
			}
		})
	}
}

const goneGroup = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gone/73e2d6bc24d8a067"

// tail returns the text after a mark.
func tail(text, mark string) string {
	_, after, _ := strings.Cut(text, mark)
	return after
}

// missing returns the ARN of a listener that does not exist.
func (s *site) missing() string {
	return s.listener[:strings.LastIndex(s.listener, "/")] + "/0000000000000000"
}

func (s *site) missingRule() string {
	return strings.Replace(s.listener, ":listener/", ":listener-rule/", 1) + "/0000000000000000"
}

// elsewhere creates a target group that another load balancer forwards to.
func (s *site) elsewhere() string {
	s.t.Helper()
	group, mine := s.group("elsewhere"), s.balancer
	s.balancer = s.loadBalancer("other")
	s.listen(forward(weights{group: 1}))
	s.balancer = mine
	return group
}

func TestSwitch_errorsOfARefresh(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	remove := s.refuse("DescribeListeners", "", 0)
	w.plan().failsAs("error")
	remove()
	w.plan().ok()
}

// A switch stays in the state without any of its routes: what is rejected stays
// remembered. The plan and the apply name a missing route.
func TestSwitch_missingRoutes(t *testing.T) {
	t.Parallel()
	s, w := newTwoEntries(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	_, err := s.api.DeleteRule(t.Context(), &elbv2.DeleteRuleInput{RuleArn: &s.secondRule})
	s.must(err)
	w.write(s.release("green").in(s.bench))
	s.unwritten(func() {
		w.apply().failsAs("rule_is_gone")
	})
	_, err = s.api.DeleteListener(t.Context(), &elbv2.DeleteListenerInput{ListenerArn: &s.listener})
	s.must(err)
	w.plan().ok()
	w.scheduleIs("schedule")
	s.unwritten(func() {
		w.applyPlan().failsAs("both_are_gone")
	})
}

// After a refused rollback, the message and the state report the traffic.
func TestSwitch_failedRollbackReportsTraffic(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.green.status.Store(500)
	s.srv.Inject(faults.Fault{Action: "ModifyListener", Kind: faults.AccessDenied, Skip: 1})
	h := s.guarded("green")
	h.strategy += "\n rollback_timeout = \"10s\""
	w.write(h.in(s.bench))
	r := w.apply()
	s.want("app-blue 95, app-green 5")
	r.failsAs("rollback_failed")
	if got := fmt.Sprint(w.values()["weights"]); got != "map[blue:95 green:5]" {
		t.Error(got)
	}
}

func TestSwitch_accountNotAllowed(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("green")
	h.aws = `allowed_account_ids = ["999999999999"]`
	w.write(h.in(s.bench))
	s.unwritten(func() {
		w.apply().failsAs("error")
	})
}

// Target stickiness without group stickiness is refused by the first write, which
// attaches the target group. Nothing has moved, and no rollback may be claimed.
func TestSwitch_targetStickinessWithoutGroupStickiness(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	teal := s.app("teal")
	s.stickyTargets(teal.group)
	h := s.release("teal")
	h.environments += environment("teal", "1.2", teal.group)
	w.write(h.in(s.bench))
	w.apply().failsAs("target_stickiness")
	s.want("app-blue 100, app-green 0")
}

// A missing permission to write is the same: the attach is refused, and nothing moved.
func TestSwitch_deniedAttachClaimsNoRollback(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	teal := s.app("teal")
	h := s.release("teal")
	h.environments += environment("teal", "1.2", teal.group)
	w.write(h.in(s.bench))
	s.refuse("ModifyListener", s.listener, 0)
	w.apply().failsAs("denied")
	s.want("app-blue 100, app-green 0")
}

// stickyTargets turns on the stickiness of a target group.
func (b *bench) stickyTargets(group string) {
	b.t.Helper()
	_, err := b.api.ModifyTargetGroupAttributes(b.t.Context(), &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &group,
		Attributes: []types.TargetGroupAttribute{{Key: aws.String("stickiness.enabled"), Value: aws.String("true")}}})
	b.must(err)
}

// AWS accepts the writes of a step but does not apply them.
func TestSwitch_lostWrites(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	w.write(s.guarded("green").in(s.bench))
	s.srv.Inject(faults.Fault{Action: "ModifyListener", Kind: faults.LostWrite})
	w.apply().failsAs("lost_writes")
	s.want("app-blue 100, app-green 0")
}

// The targets of green are deregistered while it has traffic.
func TestSwitch_healthDegradesUnderTraffic(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "60s" }]`
	h.health = "\n breach_for = \"300ms\"\n steady_for = \"0s\""
	url := firstCall(t, func() { s.deregister(s.green) })
	h.gates = smokeGate(url, "10ms")
	w.write(h.in(s.bench))
	w.apply().failsAs("health_degraded", golden.ReplacePattern(`for [0-9.]+m?s\.`, "for <duration>."))
	s.want("app-blue 100, app-green 0")
	if last := w.lastShift(); last["outcome"] != "rolled_back" {
		t.Error(last)
	}
}

// deregister removes all targets of a target group.
func (b *bench) deregister(from *app) {
	b.t.Helper()
	out, err := b.api.DescribeTargetHealth(b.t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &from.group})
	b.must(err)
	for _, d := range out.TargetHealthDescriptions {
		_, err := b.api.DeregisterTargets(b.t.Context(), &elbv2.DeregisterTargetsInput{
			TargetGroupArn: &from.group, Targets: []types.TargetDescription{{Id: d.Target.Id, Port: d.Target.Port}},
		})
		b.must(err)
	}
}
