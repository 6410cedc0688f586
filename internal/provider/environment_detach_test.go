package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// Without create_before_destroy Terraform destroys the environment, and would
// destroy its target group, before it updates the switch.
func TestEnvironment_destroyDetachesIdleGroup(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.raises(s, s.pair(`"blue", "green"`, "blue", "")).ok()
	w.raises(s, s.pair(`"blue", "green"`, "green", "")).ok()
	s.want("app-blue 0, app-green 100")
	writes := len(s.writes())
	w.raises(s, s.pair(`"green"`, "green", "")).ok()
	if n := len(s.writes()) - writes; n != 1 {
		t.Errorf("%d writes", n)
	}
	s.want("app-green 100")
	_, err := s.api.DeleteTargetGroup(t.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: &s.blue.group})
	s.must(err)
	if out := w.terraform("plan", "-json", "-input=false", "-detailed-exitcode"); out.err != nil {
		t.Errorf("the second plan is not empty: %s", out.out)
	}
}

// The environments are destroyed concurrently and detach from the same action.
func TestEnvironment_destroyDetachesManyGroups(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	red, teal := s.group("red"), s.group("teal")
	var all []any
	for name, group := range map[string]string{"green": s.green.group, "red": red, "teal": teal} {
		all = append(all, env{name: name, groups: fmt.Sprintf("web = %q", group)})
	}
	w.raises(s, all...).ok() // in no use yet: nobody asks for their health
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0, red: 0, teal: 0}))
	writes := len(s.writes())
	w.raises(s).ok()
	if n := len(s.writes()) - writes; n != 3 {
		t.Errorf("%d writes", n)
	}
	s.want("app-blue 100")
}

func TestEnvironment_destroyLeavesDedicatedRules(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	rule := s.testRule(s.listener, 1, s.green.group)
	beside := s.rule(s.listener, "/beside", 2, forward(weights{s.blue.group: 1, s.green.group: 0}))
	green := s.greenEnv()
	green.rest = testRoutes(rule)
	w.raises(s, green).ok()
	writes := len(s.writes())
	w.raises(s).ok()
	if got := strings.Join(s.writes()[writes:], ", "); got != "ModifyListener, ModifyRule" && got != "ModifyRule, ModifyListener" {
		t.Errorf("it wrote %s", got)
	}
	s.want("app-blue 100")
	out, err := s.api.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{RuleArns: []string{rule, beside}})
	s.must(err)
	for _, r := range out.Rules {
		want := map[string]string{rule: s.green.group, beside: s.blue.group}[aws.ToString(r.RuleArn)]
		groups := r.Actions[0].ForwardConfig.TargetGroups
		if len(groups) != 1 || aws.ToString(groups[0].TargetGroupArn) != want {
			t.Errorf("rule %s forwards to %d groups, want %s alone", aws.ToString(r.Priority), len(groups), want)
		}
	}
}

func TestEnvironment_destroyOfDetachedGroupWritesNothing(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.raises(s, s.greenEnv()).ok()
	writes := len(s.writes())
	w.raises(s).ok()
	if n := len(s.writes()) - writes; n != 0 {
		t.Errorf("%d writes", n)
	}
}

// A target group that another environment has meanwhile stays attached, and so
// does one that may be destroyed with its traffic.
func TestEnvironment_destroyLeavesGroupsInUse(t *testing.T) {
	t.Parallel()
	t.Run("another has the group", func(t *testing.T) {
		t.Parallel()
		s, w := newSite(t), newWorkspace(t)
		s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
		green := s.greenEnv()
		green.life = "create_before_destroy = true"
		w.raises(s, green).ok()
		w.terraform("apply", "-json", "-auto-approve", "-input=false", "-replace=bluegreen_environment.green").ok()
		s.want("app-blue 100, app-green 0")
	})
	t.Run("it goes with its traffic", func(t *testing.T) {
		t.Parallel()
		s, w := newSite(t), newWorkspace(t)
		s.changeExternally(s.listener, forward(weights{s.blue.group: 95, s.green.group: 5}))
		s.rule(s.listener, "/beside", 2, forward(weights{s.blue.group: 1, s.green.group: 0}))
		green := s.greenEnv()
		green.rest = "protect = false"
		w.raises(s, green).ok()
		writes := len(s.writes())
		w.raises(s).ok()
		if n := len(s.writes()) - writes; n != 0 {
			t.Errorf("%d writes", n)
		}
	})
}
