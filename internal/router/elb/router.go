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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	batchSize     = 20 // ARNs per describe call
	maxConcurrent = 8  // concurrent calls of one method
)

var _ traffic.Router = (*Router)(nil)

// Client is the part of the API that a Router calls.
type Client interface {
	DescribeListeners(context.Context, *elbv2.DescribeListenersInput, ...func(*elbv2.Options)) (*elbv2.DescribeListenersOutput, error)
	DescribeRules(context.Context, *elbv2.DescribeRulesInput, ...func(*elbv2.Options)) (*elbv2.DescribeRulesOutput, error)
	DescribeTargetGroups(context.Context, *elbv2.DescribeTargetGroupsInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupsOutput, error)
	DescribeTargetGroupAttributes(context.Context, *elbv2.DescribeTargetGroupAttributesInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupAttributesOutput, error)
	DescribeTargetHealth(context.Context, *elbv2.DescribeTargetHealthInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetHealthOutput, error)
	ModifyListener(context.Context, *elbv2.ModifyListenerInput, ...func(*elbv2.Options)) (*elbv2.ModifyListenerOutput, error)
	ModifyRule(context.Context, *elbv2.ModifyRuleInput, ...func(*elbv2.Options)) (*elbv2.ModifyRuleOutput, error)
}

// Config configures a Router.
type Config struct {
	// Client returns the client for a region. It is called once per region, on first use.
	Client func(region string) Client
}

// Router is traffic.Router for Application Load Balancers. It caches nothing but its clients.
type Router struct {
	config  Config
	mu      sync.Mutex
	clients map[string]Client
}

// New returns a Router. See NewRouters for Routers that call AWS.
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

// Read implements traffic.Router. It also returns the errors of ParseRoute, and ErrDefaultRule. Up to
// twenty routes of one kind and region share a call.
func (r *Router) Read(ctx context.Context, routes []string) ([]traffic.State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found := r.readEach(ctx, routes)
	settings := make([]traffic.State, 0, len(routes))
	for _, route := range routes {
		if err := found[route].err; err != nil {
			return nil, err
		}
		settings = append(settings, found[route].copied())
	}
	return settings, nil
}

// Write implements traffic.Router with one ModifyListener or ModifyRule that contains only the actions. It
// also returns the errors of ParseRoute, and ErrInvalid where nothing was sent. For a missing group the
// CallError has the ARN of the group.
func (r *Router) Write(ctx context.Context, route string, want traffic.State) error {
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

// missingGroup returns the group because of which a write was refused, which the API does not name. It is
// empty where it cannot be found out.
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

// result is the result of reading one route.
type result struct {
	setting traffic.State
	err     error
}

// copied returns a state that the caller may change.
func (r result) copied() traffic.State {
	s := r.setting
	s.Weights = maps.Clone(s.Weights)
	return s
}

// batchKey is what the routes of one call have in common.
type batchKey struct {
	region string
	kind   Kind
}

// readEach reads routes in as few calls as possible and returns a result for each.
func (r *Router) readEach(ctx context.Context, routes []string) map[string]result {
	found := map[string]result{}
	places := map[batchKey][]string{}
	for _, route := range routes {
		a, err := ParseRoute(route)
		if err != nil {
			found[route] = result{err: err}
			continue
		}
		p := batchKey{a.Region, a.Kind}
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
	runConcurrently(work)
	return found
}

// readBatch reads up to twenty routes with one call. The API does not say which are missing, so in that case
// it reads them one by one.
func (r *Router) readBatch(ctx context.Context, p batchKey, routes []string) map[string]result {
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
			found[route] = result{err: notFound(describe(p.kind), route)}
		}
	}
	return found
}

func (r *Router) readOneByOne(ctx context.Context, p batchKey, routes []string) map[string]result {
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
			return map[string]result{}, callError(describeListeners, soleARN(routes), err)
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
			return map[string]result{}, callError(describeRules, soleARN(routes), err)
		}
		for _, rule := range page.Rules {
			route := aws.ToString(rule.RuleArn)
			s := stateOf(route, rule.Actions)
			s.Label = ruleLabel(rule)
			found[route] = result{setting: s}
			if aws.ToBool(rule.IsDefault) {
				found[route] = result{err: fmt.Errorf("%s: %w", displayARN(route), ErrDefaultRule)}
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

// soleARN is the ARN of a call about a single resource; empty otherwise.
func soleARN(arns []string) string {
	if len(arns) == 1 {
		return arns[0]
	}
	return ""
}

// runConcurrently runs all the work, maxConcurrent pieces at a time.
func runConcurrently(work []func()) {
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
