package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// narrowRules are rules as for tests, by their condition.
func narrowRules() map[string]types.RuleCondition {
	return map[string]types.RuleCondition{
		"header": {Field: new("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{
			HttpHeaderName: new("X-Environment"), Values: []string{"green"}}},
		"cookie": {Field: new("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{
			HttpHeaderName: new("Cookie"), Values: []string{"*environment=green*"}}},
		"query string": {Field: new("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{
			Values: []types.QueryStringKeyValuePair{{Key: new("environment"), Value: new("green")}}}},
		"source address": {Field: new("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"10.0.0.0/8"}}},
	}
}

// ruleWhen creates a rule that sends everything that matches to a group.
func (b *bench) ruleWhen(listener, group string, condition types.RuleCondition) string {
	b.t.Helper()
	out, err := b.api.CreateRule(b.t.Context(), &elbv2.CreateRuleInput{
		ListenerArn: &listener, Priority: new(int32(7)), Actions: forward(weights{group: 1}), Conditions: []types.RuleCondition{condition}})
	b.must(err)
	return aws.ToString(out.Rules[0].RuleArn)
}

// A rule that feeds an environment is traffic, whatever its condition is, until test_routes says otherwise: the header may
// be that of a CDN, and the address that of all users.
func TestEnvironment_destroyUnderATestRule(t *testing.T) {
	t.Parallel()
	for name, condition := range narrowRules() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
			rule := s.ruleWhen(s.listener, s.green.group, condition)
			green := s.greenEnv()
			w.raises(s, green).ok()
			w.raises(s).failsAs("error")
			if w.resources()["bluegreen_environment.green"] == nil {
				t.Fatal("it is no longer in the state")
			}
			// Follow the message.
			green.rest = testRoutes(rule)
			w.raises(s, green).ok()
			w.raises(s).ok()
			s.want("app-blue 100")
		})
	}
}

// Terraform destroys a rule that depends on nothing of the environment at the same time.
func TestEnvironment_destroyWaitsForRulesThatAreRemovedBesideIt(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	rule := s.testRule(s.listener, 1, s.green.group)
	w.raises(s, s.greenEnv()).ok()
	before := s.calls("DescribeRules")
	done := make(chan run, 1)
	go func() { done <- w.raises(s) }()
	s.until("the environment to see its rule", func() bool { return s.calls("DescribeRules") > before+1 })
	s.unroute(rule)
	(<-done).ok()
}

func TestEnvironment_testListener(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	listener := s.listen(forward(weights{s.green.group: 1}))
	green := s.greenEnv()
	w.raises(s, green).ok()
	// It counts as traffic for changes, too; adding it to test_routes in the same edit is enough.
	green.version = `"2.0"`
	w.plans(s, green).failsAs("changed")
	w.raises(s).failsAs("destroyed")
	green.rest = testRoutes(listener)
	w.raises(s, green).ok()
	green.version = `"3.0"`
	w.raises(s, green).ok()
	w.raises(s).ok()
}

func TestEnvironment_testRoutesKnownAfterApply(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	rule := s.testRule(s.listener, 1, s.green.group)
	green := s.greenEnv()
	for _, later := range []string{"[terraform_data.rule.output]", "terraform_data.rule.output[*]", fmt.Sprintf("[%q, terraform_data.rule.output]", rule)} {
		green.rest = "test_routes = " + later
		known := fmt.Sprintf("\nresource \"terraform_data\" \"rule\" {\n  triggers_replace = %q\n  input = %q\n}\n", later, rule)
		w.plans(s, green, known).ok()
		w.applyPlan().ok()
		if out := w.terraform("plan", "-json", "-input=false", "-detailed-exitcode"); out.err != nil {
			t.Errorf("the second plan is not empty: %s", out.out)
		}
	}
	w.raises(s).ok()
}

func TestEnvironment_badTestRoutes(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	for name, value := range map[string]string{
		"group": fmt.Sprintf("[%q]", s.green.group), "balancer": fmt.Sprintf("[%q]", s.balancer), "text": `["rule 7"]`, "null": "[null]",
		"second_of_two": fmt.Sprintf("[%q, %q]", s.listener, s.listener+"\n"),
	} {
		green := s.greenEnv()
		green.rest = "test_routes = " + strings.ReplaceAll(value, "\n", `\n`)
		planned := w.plans(s, green)
		planned.t = t
		planned.failsAs(name)
	}
}

// Whichever of both Terraform plans first.
func TestEnvironment_testRouteOfASwitch(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	green := s.greenEnv()
	green.rest = testRoutes(s.listener)
	h := s.release("blue")
	h.environments = environment("blue", "1.0", s.blue.group) + "\n green = bluegreen_environment.green"
	w.plans(s, green, h.resource("web")).failsAs("switch_after")
	first := s.greenEnv()
	first.rest = green.rest
	first.backing = `[bluegreen_switch.web.schedule == null ? "a" : "b"]`
	w.plans(s, first, s.release("blue").resource("web")).failsAs("environment_after")
}

// The schedule does not call the test routes of an environment unmanaged.
func TestEnvironment_testRoutesAreNoUnmanagedRoutes(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", s.listener),
		environments: "blue = bluegreen_environment.blue\n green = bluegreen_environment.green",
		traffic:      `active = "blue"`,
	}
	green := s.greenEnv()
	green.rest = testRoutes(s.testRule(s.listener, 1, s.green.group))
	s.rule(s.listener, "/admin/*", 2, forward(weights{s.green.group: 1}))
	w.raises(s, s.blueEnv(), green, h.resource("web")).ok()
	h.traffic = `active = "green"`
	w.plans(s, s.blueEnv(), green, h.resource("web")).ok()
	w.scheduleIs("schedule")
	w.applyPlan().ok()
	s.want("app-blue 0, app-green 100")
}
