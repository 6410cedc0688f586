package e2e

import (
	"fmt"
	"strings"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// AddRule creates a rule of the listener for the path /n/*, whose traffic blue has, and
// returns its ARN.
func (w *World) AddRule(n int) string {
	w.t.Helper()
	out, err := rehearsal.Client(w.Balancer.URL()).CreateRule(w.t.Context(), &elb.CreateRuleInput{
		ListenerArn: new(w.Stack.Listener), Priority: new(int32(10 + n)),
		Actions:    []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: new(w.Stack.Groups["blue"])}},
		Conditions: []types.RuleCondition{{Field: new("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{fmt.Sprintf("/%d/*", n)}}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.Rules[0].RuleArn
}

// Route sets the routes of the switch: the listener, and the given rules.
func (w *World) Route(rules ...string) {
	w.t.Helper()
	w.Edit("routes = { web = [var.listener_arn] }", fmt.Sprintf("routes = { web = [\"%s\"] }", strings.Join(append([]string{w.Stack.Listener}, rules...), `", "`)))
}

// Actions returns what a listener or rule does, nil where it does not exist.
func (w *World) Actions(arn string) []types.Action {
	client := rehearsal.Client(w.Balancer.URL())
	if strings.Contains(arn, "listener-rule/") {
		out, err := client.DescribeRules(w.t.Context(), &elb.DescribeRulesInput{RuleArns: []string{arn}})
		if err != nil {
			return nil
		}
		return out.Rules[0].Actions
	}
	out, err := client.DescribeListeners(w.t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{arn}})
	if err != nil {
		return nil
	}
	return out.Listeners[0].DefaultActions
}

// Feeds reports whether a listener or rule sends traffic to an environment.
func (w *World) Feeds(arn, environment string) bool {
	group := w.Stack.Groups[environment]
	for _, action := range w.Actions(arn) {
		if action.ForwardConfig == nil {
			if action.TargetGroupArn != nil && *action.TargetGroupArn == group {
				return true
			}
			continue
		}
		for _, tuple := range action.ForwardConfig.TargetGroups {
			if *tuple.TargetGroupArn == group && (*tuple.Weight > 0 || len(action.ForwardConfig.TargetGroups) == 1) {
				return true
			}
		}
	}
	return false
}
