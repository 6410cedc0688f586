package elb

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Reference is a listener or rule that names a target group.
type Reference struct {
	Route string // its ARN
	// Text names it for a person, without an ARN: "listener :8080",
	// "rule 10 of listener :8080".
	Text  string
	Group string      // the ARN of the group
	Share shift.Share // of what comes there; 0 is named with weight 0
	// Sticky: clients that the group has had before may still come, whatever
	// its share.
	Sticky bool
	// Test: what comes there is taken for tests; see isTest.
	Test bool
}

// CarriesTraffic tells whether users' requests reach the group here.
func (u Reference) CarriesTraffic() bool { return !u.Test && (u.Share > 0 || u.Sticky) }

// References returns the listeners and rules that name one of the groups, by group
// in the order asked, then by port and priority, whoever manages them. A group
// that none names has none. It takes a call per twenty groups, and per load
// balancer one and one per listener (and more where the API answers in pages);
// see Reader.Users for many environments on one. It returns ErrNotFound of
// rollout for a group that there is not, in a CallError that names it.
func (r *Router) References(ctx context.Context, groups []string) ([]Reference, error) {
	facts, err := r.GroupInfo(ctx, groups)
	if err != nil {
		return nil, err
	}
	return references(ctx, groups, facts, r.trafficRoutes)
}

// References is Router.Users with the calls made once for all who ask in one run of
// Terraform. It fails for groups of its own only.
func (r *Reader) References(ctx context.Context, groups []string) ([]Reference, error) {
	var asked []*answer[GroupInfo]
	for _, group := range groups {
		a, isNew := r.groups.take(group)
		if isNew {
			r.gatherGroup(ctx, group, a)
		}
		asked = append(asked, a)
	}
	facts := map[string]GroupInfo{}
	for i, a := range asked {
		f, err := a.wait(ctx)
		if err != nil {
			return nil, err
		}
		facts[groups[i]] = f
	}
	return references(ctx, groups, facts, r.trafficRoutes)
}

func references(
	ctx context.Context, groups []string, facts map[string]GroupInfo, outlets func(context.Context, ARN) ([]trafficRoute, error),
) ([]Reference, error) {
	balancers := map[string][]trafficRoute{}
	var found []Reference
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
			if balancers[name], err = outlets(ctx, balancer); err != nil {
				return nil, err
			}
		}
		found = append(found, referencesIn(balancers[name], group)...)
	}
	return found, nil
}

// referencesIn picks the users of a group from all there is on its load balancer.
func referencesIn(all []trafficRoute, group string) []Reference {
	var found []Reference
	for _, o := range all {
		if _, names := o.weights[group]; !names {
			continue
		}
		found = append(found, Reference{
			Route: o.arn, Text: o.text(), Group: group, Share: o.share(group),
			Sticky: o.sticky, Test: isTest(o, all, group),
		})
	}
	return found
}

// share is what the group gets. One that is alone gets all there is.
func (o trafficRoute) share(group string) shift.Share {
	if len(o.weights) == 1 {
		return shift.Full
	}
	return shift.FromRaw(o.weights)[group]
}

// referencePorts are the ports that browsers come to.
var referencePorts = []int32{80, 443}

// isTest tells whether what an outlet gives a group is taken for tests. Nobody
// says so, and to take users for tests would lose their requests, so it must
// show: the outlet names the group alone and keeps no client (a switch leaves a
// group alone where clients stay with it), and either
//
//   - a switch keeps the group idle, that is, it stands beside others at weight 0
//     in another action, and the outlet is a rule that asks for a header, a query
//     string or a source address, or belongs to a listener that has no such action
//     and another port than 80 and 443; or
//   - the outlet is a rule that asks for these beside what another rule (or the
//     default action, which asks for nothing) of its listener asks for, and that
//     one forwards whoever does not bring them.
func isTest(o trafficRoute, all []trafficRoute, group string) bool {
	if len(o.weights) != 1 || o.sticky {
		return false
	}
	if idles(all, group) {
		return o.asksForTests() || !slices.Contains(referencePorts, o.listener) && !idles(on(all, o.listener), group)
	}
	return o.asksForTests() && slices.ContainsFunc(on(all, o.listener), func(other trafficRoute) bool { return o.isBeside(other) })
}

// idles: an action names the group beside others, at weight 0, and keeps no
// client there.
func idles(all []trafficRoute, group string) bool {
	return slices.ContainsFunc(all, func(o trafficRoute) bool {
		weight, names := o.weights[group]
		return names && weight == 0 && len(o.weights) > 1 && !o.sticky
	})
}

func on(all []trafficRoute, listener int32) []trafficRoute {
	return slices.DeleteFunc(slices.Clone(all), func(o trafficRoute) bool { return o.listener != listener })
}

func (o trafficRoute) asksForTests() bool { return slices.ContainsFunc(o.asks, condition.isForTests) }

// isBeside: other serves those who do not bring what the rule o asks for in
// addition. If it is from the same group, other counts for itself.
func (o trafficRoute) isBeside(other trafficRoute) bool {
	more := slices.Clone(o.asks)
	for _, c := range other.asks {
		if !slices.Contains(o.asks, c) {
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

type groupQuestion struct {
	group  string
	answer *answer[GroupInfo]
}

// gatherGroup puts a group among those of the next calls.
func (r *Reader) gatherGroup(ctx context.Context, group string, a *answer[GroupInfo]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.nextGroups) == 0 {
		time.AfterFunc(batchWindow, func() { r.sendGroups(ctx) })
	}
	r.nextGroups = append(r.nextGroups, groupQuestion{group, a})
}

func (r *Reader) sendGroups(ctx context.Context) {
	r.mu.Lock()
	going := r.nextGroups
	r.nextGroups = nil
	r.mu.Unlock()
	var groups []string
	for _, q := range going {
		groups = append(groups, q.group)
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	found, errs := r.router.groupInfoEach(ctx, groups)
	for _, q := range going {
		r.groups.give(q.answer, found[q.group], errs[q.group])
	}
}

// groupInfoEach is Facts that says of each group apart what came of it.
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
	side(alone)
	return found, errs
}
