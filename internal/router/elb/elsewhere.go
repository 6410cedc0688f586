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
)

// Other is a listener or rule that forwards to a group without being a route.
type Other struct {
	Route string // its ARN
	// Text names it for a person, without an ARN: "listener :8080",
	// "rule 10 of listener :8080", and " of web" after it where there are
	// several load balancers to tell apart.
	Text   string
	Groups []string // those of the groups asked for that it gives requests, sorted
}

// outlet is a listener or rule of a load balancer.
type outlet struct {
	arn      string
	listener int32  // the port
	priority string // empty: the listener's default action
	weights  map[string]int
	sticky   bool // clients stay with their group for a while
	asks     []condition
}

// Elsewhere returns the listeners and rules of the routes' load balancers that
// forward to one of the groups and are none of the routes: they would go on
// feeding a side that the routes have left. They come by balancer, port and
// priority. It takes a call per load balancer and one per listener; see
// Reader.Elsewhere for many switches on one load balancer.
func (r *Router) Elsewhere(ctx context.Context, routes, groups []string) ([]Other, error) {
	return elsewhere(ctx, routes, groups, r.outlets)
}

func elsewhere(
	ctx context.Context, routes, groups []string, outlets func(context.Context, ARN) ([]outlet, error),
) ([]Other, error) {
	balancers, err := balancersOf(routes)
	if err != nil {
		return nil, err
	}
	var others []Other
	for _, balancer := range balancers {
		all, err := outlets(ctx, balancer)
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			fed := o.feeds(groups)
			if len(fed) == 0 || slices.Contains(routes, o.arn) {
				continue
			}
			other := Other{Route: o.arn, Text: o.text(), Groups: fed}
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

func (o outlet) feeds(groups []string) []string {
	var fed []string
	for group, n := range o.weights {
		if n > 0 && slices.Contains(groups, group) {
			fed = append(fed, group)
		}
	}
	slices.Sort(fed)
	return fed
}

func (o outlet) text() string {
	if o.priority == "" {
		return fmt.Sprintf("listener :%d", o.listener)
	}
	return fmt.Sprintf("rule %s of listener :%d", o.priority, o.listener)
}

// outlets lists every listener and rule of a load balancer.
func (r *Router) outlets(ctx context.Context, balancer ARN) ([]outlet, error) {
	listeners, err := r.listenersOf(ctx, balancer)
	if err != nil || balancer.Type != Application { // the others have no rules
		return listeners, err
	}
	rules, errs := make([][]outlet, len(listeners)), make([]error, len(listeners))
	var work []func()
	for i, l := range listeners {
		work = append(work, func() { rules[i], errs[i] = r.rulesOf(ctx, balancer.Region, l) })
	}
	side(work)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var all []outlet
	for i, l := range listeners {
		all = append(append(all, l), rules[i]...)
	}
	return all, nil
}

func (r *Router) listenersOf(ctx context.Context, balancer ARN) ([]outlet, error) {
	var listeners []outlet
	arn := balancer.String()
	pages := elbv2.NewDescribeListenersPaginator(r.client(balancer.Region), &elbv2.DescribeListenersInput{LoadBalancerArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, callError(describeListeners, arn, err)
		}
		for _, l := range page.Listeners {
			listeners = append(listeners, outletOf(aws.ToString(l.ListenerArn), aws.ToInt32(l.Port), l.DefaultActions))
		}
	}
	slices.SortFunc(listeners, func(a, b outlet) int { return cmp.Compare(a.listener, b.listener) })
	return listeners, nil
}

func (r *Router) rulesOf(ctx context.Context, region string, listener outlet) ([]outlet, error) {
	var rules []outlet
	pages := elbv2.NewDescribeRulesPaginator(r.client(region), &elbv2.DescribeRulesInput{ListenerArn: &listener.arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, callError(describeRules, listener.arn, err)
		}
		for _, rule := range page.Rules {
			if aws.ToBool(rule.IsDefault) { // the listener stands for it
				continue
			}
			o := outletOf(aws.ToString(rule.RuleArn), listener.listener, rule.Actions)
			o.priority = aws.ToString(rule.Priority)
			o.asks = conditionsOf(rule.Conditions)
			rules = append(rules, o)
		}
	}
	// By number: as texts "10" stands before "9".
	slices.SortFunc(rules, func(a, b outlet) int {
		return cmp.Or(cmp.Compare(len(a.priority), len(b.priority)), strings.Compare(a.priority, b.priority))
	})
	return rules, nil
}

func outletOf(arn string, port int32, actions []types.Action) outlet {
	s := settingOf(arn, actions)
	return outlet{arn: arn, listener: port, weights: s.Weights, sticky: s.Sticky > 0}
}
