package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// Routing is the listeners and rules of a World.
type Routing struct {
	t        *testing.T
	balancer *localaws.Server
	stack    *rehearsal.Stack
}

// AddRule creates a rule of the listener for the path /n/*, whose traffic blue has, and
// returns its ARN.
func (r Routing) AddRule(n int) string {
	r.t.Helper()
	out, err := r.stack.Client().CreateRule(r.t.Context(), &elb.CreateRuleInput{
		ListenerArn: new(r.stack.Listener), Priority: new(int32(10 + n)),
		Actions:    []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: new(r.stack.Groups["blue"])}},
		Conditions: []types.RuleCondition{{Field: new("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{fmt.Sprintf("/%d/*", n)}}}}})
	if err != nil {
		r.t.Fatal(err)
	}
	return *out.Rules[0].RuleArn
}

// AddListener creates a listener whose traffic blue has, and returns its ARN.
func (r Routing) AddListener(port int32) string {
	r.t.Helper()
	out, err := r.stack.Client().CreateListener(r.t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: new(r.stack.LoadBalancer), Port: new(port), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: new(r.stack.Groups["blue"])}}})
	if err != nil {
		r.t.Fatal(err)
	}
	return *out.Listeners[0].ListenerArn
}

// Delete deletes a listener or a rule.
func (r Routing) Delete(arn string) {
	r.t.Helper()
	var err error
	if client := r.stack.Client(); isRule(arn) {
		_, err = client.DeleteRule(r.t.Context(), &elb.DeleteRuleInput{RuleArn: &arn})
	} else {
		_, err = client.DeleteListener(r.t.Context(), &elb.DeleteListenerInput{ListenerArn: &arn})
	}
	if err != nil {
		r.t.Fatal(err)
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
func (r Routing) Actions(arn string) []types.Action {
	client := r.stack.Client()
	if isRule(arn) {
		out, err := client.DescribeRules(r.t.Context(), &elb.DescribeRulesInput{RuleArns: []string{arn}})
		if err != nil {
			return nil
		}
		return out.Rules[0].Actions
	}
	out, err := client.DescribeListeners(r.t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{arn}})
	if err != nil {
		return nil
	}
	return out.Listeners[0].DefaultActions
}

// Feeds reports whether a listener or rule sends traffic to an environment.
func (r Routing) Feeds(arn, environment string) bool {
	return r.balancer.Weights(arn)[r.stack.Groups[environment]] > 0
}
