package elb

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// References returns the listeners and rules that have one of the groups in their action, in the order of the
// groups, then by port and priority, whatever manages them. It takes one call per twenty groups, one per load
// balancer and one per listener (more with pagination); Reader.References shares them between environments. It
// returns traffic.ErrNotFound for a missing group, in a CallError with its ARN.
func (r *Router) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	ctx, cancel := limitRead(ctx)
	defer cancel()
	read := func() ([]traffic.Reference, error) {
		facts, err := r.GroupInfo(ctx, groups)
		if err != nil {
			return nil, err
		}
		return references(ctx, groups, facts, r.trafficRoutes)
	}
	found, err := read()
	if missing, is := traffic.Missing(err); errors.Is(err, traffic.ErrIncomplete) || is && !slices.Contains(groups, missing) {
		// Whatever used a group may have been deleted between two calls, as in a destroy.
		return read()
	}
	return found, err
}

// References is Router.References with shared calls. It fails only for its own groups.
func (r *Reader) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	found, err := r.groups.get(ctx, groups)
	if err != nil {
		return nil, err
	}
	facts := map[string]GroupInfo{}
	for i, group := range groups {
		facts[group] = found[i]
	}
	return references(ctx, groups, facts, r.trafficRoutes)
}

func references(
	ctx context.Context, groups []string, facts map[string]GroupInfo, routesOf func(context.Context, ARN) ([]trafficRoute, error),
) ([]traffic.Reference, error) {
	balancers := map[string][]trafficRoute{}
	var found []traffic.Reference
	for _, group := range groups {
		name := facts[group].Balancer
		if name == "" {
			continue
		}
		if _, known := balancers[name]; !known {
			balancer, err := Parse(name)
			if err != nil {
				return nil, err
			}
			if balancers[name], err = routesOf(ctx, balancer); err != nil {
				return nil, err
			}
		}
		found = append(found, referencesIn(balancers[name], group)...)
	}
	return found, nil
}

// referencesIn returns the references of a group from all routes of its load balancer.
func referencesIn(all []trafficRoute, group string) []traffic.Reference {
	var found []traffic.Reference
	for _, o := range all {
		if _, names := o.weights[group]; !names {
			continue
		}
		found = append(found, traffic.Reference{
			Route: o.arn, Text: o.text(), Group: group, Share: o.share(group),
			Sticky: o.sticky, Test: isTest(o, all, group),
		})
	}
	return found
}

// share is the share of the group. A single group has everything.
func (o trafficRoute) share(group string) shift.Share {
	if len(o.weights) == 1 {
		return shift.Full
	}
	return shift.FromRaw(o.weights)[group]
}

// userPorts are the ports that browsers use.
var userPorts = []int32{80, 443}

// isTest reports whether a route sends only test traffic to a group. There is no marker for that, and taking
// users for tests would lose their requests, so the configuration must show it. The route has the group alone and
// without stickiness (a switch leaves a group alone where clients are sticky), and either
//
//   - a switch keeps the group idle, that is, another action has it at weight 0 beside others, and the route is a
//     rule with a header, query string or source address condition, or belongs to a listener that has no such
//     action and another port than 80 and 443; or
//   - the route is a rule that adds only such conditions to those of another rule, or of the default action, of its
//     listener, and that one forwards the requests that do not match them.
func isTest(o trafficRoute, all []trafficRoute, group string) bool {
	if len(o.weights) != 1 || o.sticky {
		return false
	}
	if attachedIdle(all, group) {
		return o.hasTestConditions() || !slices.Contains(userPorts, o.listener) && !attachedIdle(onListener(all, o.listener), group)
	}
	return o.hasTestConditions() && slices.ContainsFunc(onListener(all, o.listener), func(other trafficRoute) bool { return o.isTestVariantOf(other) })
}

// attachedIdle reports whether an action has the group at weight 0 beside others and without stickiness.
func attachedIdle(all []trafficRoute, group string) bool {
	return slices.ContainsFunc(all, func(o trafficRoute) bool {
		weight, names := o.weights[group]
		return names && weight == 0 && len(o.weights) > 1 && !o.sticky
	})
}

func onListener(all []trafficRoute, listener int32) []trafficRoute {
	return slices.DeleteFunc(slices.Clone(all), func(o trafficRoute) bool { return o.listener != listener })
}

func (o trafficRoute) hasTestConditions() bool {
	return slices.ContainsFunc(o.conditions, condition.isForTests)
}

// isTestVariantOf reports whether other serves the requests that do not match the additional conditions of o. If
// other forwards to the same group, it is counted on its own.
func (o trafficRoute) isTestVariantOf(other trafficRoute) bool {
	more := slices.Clone(o.conditions)
	for _, c := range other.conditions {
		if !slices.Contains(o.conditions, c) {
			return false
		}
		more = slices.DeleteFunc(more, func(mine condition) bool { return mine == c })
	}
	if len(more) == 0 || slices.ContainsFunc(more, func(c condition) bool { return !c.isForTests() }) {
		return false
	}
	return slices.ContainsFunc(other.groups(), func(group string) bool { return other.share(group) > 0 })
}

func (o trafficRoute) groups() []string { return slices.Collect(maps.Keys(o.weights)) }

// groupInfoEach is GroupInfo with a result for each group.
func (r *Router) groupInfoEach(ctx context.Context, groups []string) (map[string]GroupInfo, map[string]error) {
	found, errs := map[string]GroupInfo{}, map[string]error{}
	var mu sync.Mutex
	ask := func(some []string) func() {
		return func() {
			facts, err := r.GroupInfo(ctx, some)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(found, facts)
			for _, group := range some {
				errs[group] = err
			}
		}
	}
	ask(groups)()
	if errs[groups[0]] == nil || len(groups) == 1 {
		return found, errs
	}
	var alone []func()
	for _, group := range groups {
		alone = append(alone, ask([]string{group}))
	}
	runConcurrently(alone)
	return found, errs
}
