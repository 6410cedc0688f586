package elb

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// References returns the listeners and rules that have one of the groups in their action, in the order of the
// groups, then by port and priority, whatever manages them. It takes one call per twenty groups, one per load
// balancer and one per listener (more with pagination); Reader.References shares them between environments. It
// returns traffic.ErrNotFound for a missing group, in a CallError with its ARN.
func (r *Router) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	ctx, cancel := awscall.LimitRead(ctx)
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
	found, err := r.groups.Get(ctx, groups)
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
			Sticky: o.sticky, Narrow: o.narrow,
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
	awscall.Concurrently(maxConcurrent, alone)
	return found, errs
}
