package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

// AddListener creates a listener whose traffic blue has, and returns its ARN.
func AddListener(w *World, port int32) string {
	w.t.Helper()
	out, err := rehearsal.Client(w.Balancer.URL()).CreateListener(w.t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: new(w.Stack.LoadBalancer), Port: new(port), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: new(w.Stack.Groups["blue"])}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.Listeners[0].ListenerArn
}

// Delete deletes a listener or a rule.
func Delete(w *World, arn string) {
	w.t.Helper()
	var err error
	if client := rehearsal.Client(w.Balancer.URL()); isRule(arn) {
		_, err = client.DeleteRule(w.t.Context(), &elb.DeleteRuleInput{RuleArn: &arn})
	} else {
		_, err = client.DeleteListener(w.t.Context(), &elb.DeleteListenerInput{ListenerArn: &arn})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func isRule(arn string) bool { return strings.Contains(arn, "listener-rule/") }

// routesLine is the routes of the switch in main.tf.
var routesLine = regexp.MustCompile(`routes = \{ web = \[.*\] \}`)

// Route sets the routes of the switch.
func (w *World) Route(arns ...string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.Terraform.Dir, "main.tf"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.Edit(routesLine.FindString(string(text)), fmt.Sprintf("routes = { web = [\"%s\"] }", strings.Join(arns, `", "`)))
}

// Actions returns what a listener or rule does, nil where it does not exist.
func (w *World) Actions(arn string) []types.Action {
	client := rehearsal.Client(w.Balancer.URL())
	if isRule(arn) {
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
