package elb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// trafficRoute is a listener or rule of a load balancer.
type trafficRoute struct {
	arn      string
	listener int32  // the port
	priority string // empty: the default action of the listener
	weights  map[string]int
	sticky   bool // group stickiness is on
	narrow   bool // as in traffic.Reference
}

// OtherRoutes returns the listeners and rules of the routes' load balancers that forward to one of
// the groups and are not among the routes: they keep sending traffic to an environment that the
// routes have left. They are sorted by load balancer, port and priority. It takes one call per load
// balancer and one per listener; Reader.OtherRoutes shares them between switches.
func (r *Router) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	return otherRoutes(ctx, routes, groups, r.trafficRoutes)
}

func otherRoutes(
	ctx context.Context, routes, groups []string, routesOf func(context.Context, ARN) ([]trafficRoute, error),
) ([]traffic.OtherRoute, error) {
	balancers, err := balancersOf(routes)
	if err != nil {
		return nil, err
	}
	var others []traffic.OtherRoute
	for _, balancer := range balancers {
		all, err := routesOf(ctx, balancer)
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			fed := o.forwardsTo(groups)
			if len(fed) == 0 || slices.Contains(routes, o.arn) {
				continue
			}
			other := traffic.OtherRoute{Route: o.arn, Text: o.text(), Groups: fed}
			if len(balancers) > 1 {
				other.Text += " of " + balancer.Name
			}
			others = append(others, other)
		}
	}
	return others, nil
}

// balancersOf returns the load balancers of routes, each once, by name.
func balancersOf(routes []string) ([]ARN, error) {
	var balancers []ARN
	for _, route := range routes {
		a, err := ParseRoute(route)
		if err != nil {
			return nil, err
		}
		if b, _ := a.LoadBalancer(); !slices.Contains(balancers, b) {
			balancers = append(balancers, b)
		}
	}
	slices.SortFunc(balancers, func(a, b ARN) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.String(), b.String()))
	})
	return balancers, nil
}

func (o trafficRoute) forwardsTo(groups []string) []string {
	var fed []string
	for group, n := range o.weights {
		if n > 0 && slices.Contains(groups, group) {
			fed = append(fed, group)
		}
	}
	slices.Sort(fed)
	return fed
}

func (o trafficRoute) text() string {
	if o.priority == "" {
		return fmt.Sprintf("listener :%d", o.listener)
	}
	return fmt.Sprintf("rule %s of listener :%d", o.priority, o.listener)
}

// trafficRoutes lists every listener and rule of a load balancer that has at least one listener:
// that of a route, or of a target group in use.
func (r *Router) trafficRoutes(ctx context.Context, balancer ARN) ([]trafficRoute, error) {
	listeners, err := awscall.RetryIncomplete(ctx, func() ([]trafficRoute, error) { return r.listenersOf(ctx, balancer) })
	if err != nil || balancer.Type != Application { // other types have no rules
		return listeners, err
	}
	rules, errs := make([][]trafficRoute, len(listeners)), make([]error, len(listeners))
	var work []func()
	for i, l := range listeners {
		work = append(work, func() {
			rules[i], errs[i] = awscall.RetryIncomplete(ctx, func() ([]trafficRoute, error) { return r.rulesOf(ctx, balancer.Region, l) })
		})
	}
	awscall.Concurrently(maxConcurrent, work)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var all []trafficRoute
	for i, l := range listeners {
		all = append(append(all, l), rules[i]...)
	}
	return all, nil
}

func (r *Router) listenersOf(ctx context.Context, balancer ARN) ([]trafficRoute, error) {
	var listeners []trafficRoute
	arn := balancer.String()
	pages := elbv2.NewDescribeListenersPaginator(r.client(balancer.Region), &elbv2.DescribeListenersInput{LoadBalancerArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, callError(describeListeners, arn, err)
		}
		for _, l := range page.Listeners {
			if !isComplete(l.DefaultActions) {
				return nil, incomplete(describeListeners, aws.ToString(l.ListenerArn))
			}
			listeners = append(listeners, trafficRouteOf(aws.ToString(l.ListenerArn), aws.ToInt32(l.Port), l.DefaultActions))
		}
	}
	if len(listeners) == 0 { // an empty answer must not mean that nothing uses a group
		return nil, incomplete(describeListeners, arn)
	}
	slices.SortFunc(listeners, func(a, b trafficRoute) int { return cmp.Compare(a.listener, b.listener) })
	return listeners, nil
}

func (r *Router) rulesOf(ctx context.Context, region string, listener trafficRoute) ([]trafficRoute, error) {
	var rules []trafficRoute
	complete := false
	pages := elbv2.NewDescribeRulesPaginator(r.client(region), &elbv2.DescribeRulesInput{ListenerArn: &listener.arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, callError(describeRules, listener.arn, err)
		}
		for _, rule := range page.Rules {
			if aws.ToBool(rule.IsDefault) { // part of the listener; every listener has one
				complete = true
				continue
			}
			if !isComplete(rule.Actions) {
				return nil, incomplete(describeRules, aws.ToString(rule.RuleArn))
			}
			o := trafficRouteOf(aws.ToString(rule.RuleArn), listener.listener, rule.Actions)
			o.priority = aws.ToString(rule.Priority)
			o.narrow = isNarrow(rule.Conditions)
			rules = append(rules, o)
		}
	}
	if !complete {
		return nil, incomplete(describeRules, listener.arn)
	}
	// By number: as a string, "10" sorts before "9".
	slices.SortFunc(rules, func(a, b trafficRoute) int {
		return cmp.Or(cmp.Compare(len(a.priority), len(b.priority)), strings.Compare(a.priority, b.priority))
	})
	return rules, nil
}

func trafficRouteOf(arn string, port int32, actions []types.Action) trafficRoute {
	s := stateOf(arn, actions)
	return trafficRoute{arn: arn, listener: port, weights: s.Weights, sticky: isSticky(actions)}
}
