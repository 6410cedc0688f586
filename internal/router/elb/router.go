package elb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	batchSize     = 20 // ARNs that one describe call takes
	maxConcurrent = 8  // calls that one method has under way at a time
)

var _ rollout.Router = (*Router)(nil)

// Client is the calls of the API that a Router makes.
type Client interface {
	DescribeListeners(context.Context, *elbv2.DescribeListenersInput, ...func(*elbv2.Options)) (*elbv2.DescribeListenersOutput, error)
	DescribeRules(context.Context, *elbv2.DescribeRulesInput, ...func(*elbv2.Options)) (*elbv2.DescribeRulesOutput, error)
	DescribeTargetGroups(context.Context, *elbv2.DescribeTargetGroupsInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupsOutput, error)
	DescribeTargetGroupAttributes(context.Context, *elbv2.DescribeTargetGroupAttributesInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupAttributesOutput, error)
	DescribeTargetHealth(context.Context, *elbv2.DescribeTargetHealthInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetHealthOutput, error)
	ModifyListener(context.Context, *elbv2.ModifyListenerInput, ...func(*elbv2.Options)) (*elbv2.ModifyListenerOutput, error)
	ModifyRule(context.Context, *elbv2.ModifyRuleInput, ...func(*elbv2.Options)) (*elbv2.ModifyRuleOutput, error)
}

// Config is what a Router is made of.
type Config struct {
	// Client returns the client for a region. It is called once per region, when
	// the first call goes there.
	Client func(region string) Client
}

// Router is rollout.Router for Application Load Balancers. It remembers
// nothing but its clients.
type Router struct {
	config  Config
	mu      sync.Mutex
	clients map[string]Client
}

// New returns a Router. See NewPair for one that talks to AWS.
func New(config Config) *Router {
	return &Router{config: config, clients: map[string]Client{}}
}

func (r *Router) client(region string) Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clients[region] == nil {
		r.clients[region] = r.config.Client(region)
	}
	return r.clients[region]
}

// Read implements rollout.Router. Beside its errors it returns those of
// ParseRoute, and ErrDefaultRule. Up to twenty routes of a kind and region are
// one call.
func (r *Router) Read(ctx context.Context, routes []string) ([]rollout.RouteState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found := r.readEach(ctx, routes)
	settings := make([]rollout.RouteState, 0, len(routes))
	for _, route := range routes {
		if err := found[route].err; err != nil {
			return nil, err
		}
		settings = append(settings, found[route].copied())
	}
	return settings, nil
}

// Write implements rollout.Router: one ModifyListener or ModifyRule with the
// actions alone. Beside its errors it returns those of ParseRoute, and
// ErrInvalid where nothing was sent. The CallError of a group that there is not
// has the ARN of that group.
func (r *Router) Write(ctx context.Context, route string, want rollout.RouteState) error {
	a, err := ParseRoute(route)
	if err != nil {
		return err
	}
	actions, err := actionsFor(route, want)
	if err != nil {
		return err
	}
	action := modifyListener
	if a.Kind == Rule {
		action = modifyRule
		_, err = r.client(a.Region).ModifyRule(ctx, &elbv2.ModifyRuleInput{RuleArn: new(route), Actions: actions})
	} else {
		_, err = r.client(a.Region).ModifyListener(ctx, &elbv2.ModifyListenerInput{ListenerArn: new(route), DefaultActions: actions})
	}
	if _, isGroup := errors.AsType[*types.TargetGroupNotFoundException](err); isGroup {
		return callError(action, r.missingGroup(ctx, a.Region, want.Groups()), err)
	}
	return callError(action, route, err)
}

// missingGroup finds the group that a write was refused for, which the API does
// not name. It is empty where that cannot be found out.
func (r *Router) missingGroup(ctx context.Context, region string, groups []string) string {
	if len(groups) == 0 {
		return ""
	}
	_, err := r.groupInfoBatch(ctx, region, groups)
	if call, ok := errors.AsType[*CallError](err); ok && isNotFound(err) {
		return call.ARN
	}
	return ""
}

// result is what came of reading one route.
type result struct {
	setting rollout.RouteState
	err     error
}

// copied returns a setting that the caller may change.
func (r result) copied() rollout.RouteState {
	s := r.setting
	s.Weights = maps.Clone(s.Weights)
	return s
}

// place is what one call can be about.
type place struct {
	region string
	kind   Kind
}

// readEach reads routes in as few calls as can be, and says of each apart what
// came of it.
func (r *Router) readEach(ctx context.Context, routes []string) map[string]result {
	found := map[string]result{}
	places := map[place][]string{}
	for _, route := range routes {
		a, err := ParseRoute(route)
		if err != nil {
			found[route] = result{err: err}
			continue
		}
		p := place{a.Region, a.Kind}
		if !slices.Contains(places[p], route) {
			places[p] = append(places[p], route)
		}
	}
	var mu sync.Mutex
	var work []func()
	for p, all := range places {
		for some := range slices.Chunk(all, batchSize) {
			work = append(work, func() {
				got := r.readBatch(ctx, p, some)
				mu.Lock()
				defer mu.Unlock()
				maps.Copy(found, got)
			})
		}
	}
	side(work)
	return found
}

// readBatch reads up to twenty routes with one call. The API names none of
// those that it misses, so they are then looked for one by one.
func (r *Router) readBatch(ctx context.Context, p place, routes []string) map[string]result {
	read := r.readListeners
	if p.kind == Rule {
		read = r.readRules
	}
	found, err := read(ctx, p.region, routes)
	if err != nil && isNotFound(err) && len(routes) > 1 {
		return r.readOneByOne(ctx, p, routes)
	}
	for _, route := range routes {
		if err != nil {
			found[route] = result{err: err}
		} else if _, ok := found[route]; !ok {
			found[route] = result{err: missing(describe(p.kind), route)}
		}
	}
	return found
}

func (r *Router) readOneByOne(ctx context.Context, p place, routes []string) map[string]result {
	found := map[string]result{}
	for _, route := range routes {
		found[route] = r.readBatch(ctx, p, []string{route})[route]
	}
	return found
}

func (r *Router) readListeners(ctx context.Context, region string, routes []string) (map[string]result, error) {
	found := map[string]result{}
	pages := elbv2.NewDescribeListenersPaginator(r.client(region), &elbv2.DescribeListenersInput{ListenerArns: routes})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return map[string]result{}, callError(describeListeners, lone(routes), err)
		}
		for _, l := range page.Listeners {
			route := aws.ToString(l.ListenerArn)
			s := stateOf(route, l.DefaultActions)
			s.Label = trafficRoute{listener: aws.ToInt32(l.Port)}.text()
			found[route] = result{setting: s}
		}
	}
	return found, nil
}

func (r *Router) readRules(ctx context.Context, region string, routes []string) (map[string]result, error) {
	found := map[string]result{}
	pages := elbv2.NewDescribeRulesPaginator(r.client(region), &elbv2.DescribeRulesInput{RuleArns: routes})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return map[string]result{}, callError(describeRules, lone(routes), err)
		}
		for _, rule := range page.Rules {
			route := aws.ToString(rule.RuleArn)
			s := stateOf(route, rule.Actions)
			s.Label = ruleLabel(rule)
			found[route] = result{setting: s}
			if aws.ToBool(rule.IsDefault) {
				found[route] = result{err: fmt.Errorf("%s: %w", display(route), ErrDefaultRule)}
			}
		}
	}
	return found, nil
}

func describe(kind Kind) string {
	if kind == Rule {
		return describeRules
	}
	return describeListeners
}

// lone names what a call was about where it was about one thing.
func lone(arns []string) string {
	if len(arns) == 1 {
		return arns[0]
	}
	return ""
}

// side does all the work, a few pieces at a time.
func side(work []func()) {
	slots := make(chan struct{}, maxConcurrent)
	var all sync.WaitGroup
	for _, do := range work {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do()
		})
	}
	all.Wait()
}
