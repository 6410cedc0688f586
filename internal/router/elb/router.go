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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
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
	AddTags(context.Context, *elbv2.AddTagsInput, ...func(*elbv2.Options)) (*elbv2.AddTagsOutput, error)
	RemoveTags(context.Context, *elbv2.RemoveTagsInput, ...func(*elbv2.Options)) (*elbv2.RemoveTagsOutput, error)
	DescribeTags(context.Context, *elbv2.DescribeTagsInput, ...func(*elbv2.Options)) (*elbv2.DescribeTagsOutput, error)
	ModifyListener(context.Context, *elbv2.ModifyListenerInput, ...func(*elbv2.Options)) (*elbv2.ModifyListenerOutput, error)
	ModifyRule(context.Context, *elbv2.ModifyRuleInput, ...func(*elbv2.Options)) (*elbv2.ModifyRuleOutput, error)
}

// Config configures a Router.
type Config struct {
	// Client returns the client for a region. It is called once per region, on first use.
	Client func(region string) Client
}

// Router is traffic.Router for Application and Network Load Balancers. It caches nothing but its clients.
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
	found, errs := r.readEach(ctx, routes)
	states := make([]traffic.State, 0, len(routes))
	for _, route := range routes {
		if err := errs[route]; err != nil {
			return nil, err
		}
		states = append(states, copied(found[route]))
	}
	return states, nil
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
	writing := awscall.Writing(ctx, nil)
	if a.Kind == Rule {
		action = modifyRule
		_, err = r.client(a.Region).ModifyRule(writing, &elbv2.ModifyRuleInput{RuleArn: new(route), Actions: actions})
	} else {
		_, err = r.client(a.Region).ModifyListener(writing, &elbv2.ModifyListenerInput{ListenerArn: new(route), DefaultActions: actions})
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

// copied returns a state that the caller may change.
func copied(s traffic.State) traffic.State {
	s.Weights = maps.Clone(s.Weights)
	return s
}

// batchKey is what the routes of one call have in common.
type batchKey struct {
	region string
	kind   Kind
}

// readEach reads routes in as few calls as possible and returns a state or an error for each. It
// reads routes again that an answer left out.
func (r *Router) readEach(ctx context.Context, routes []string) (map[string]traffic.State, map[string]error) {
	found, errs := map[string]traffic.State{}, map[string]error{}
	places := map[batchKey][]string{}
	for _, route := range routes {
		a, err := ParseRoute(route)
		if err != nil {
			errs[route] = err
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
				states, failed := retryRoutes(ctx, some, func(some []string) (map[string]traffic.State, map[string]error) { return r.readBatch(ctx, p, some) })
				mu.Lock()
				defer mu.Unlock()
				maps.Copy(found, states)
				maps.Copy(errs, failed)
			})
		}
	}
	awscall.Concurrently(maxConcurrent, work)
	return found, errs
}

// readBatch reads up to twenty routes with one call. The API does not say which are missing, so in that case
// it reads them one by one.
func (r *Router) readBatch(ctx context.Context, p batchKey, routes []string) (map[string]traffic.State, map[string]error) {
	read := r.readListeners
	if p.kind == Rule {
		read = r.readRules
	}
	found, errs, err := read(ctx, p.region, routes)
	if err != nil && isNotFound(err) && len(routes) > 1 {
		return r.readOneByOne(ctx, p, routes)
	}
	for _, route := range routes {
		_, there := found[route]
		switch {
		case err != nil:
			errs[route] = err
		case !there && errs[route] == nil:
			errs[route] = incomplete(describe(p.kind), route)
		}
	}
	return found, errs
}

func (r *Router) readOneByOne(ctx context.Context, p batchKey, routes []string) (map[string]traffic.State, map[string]error) {
	found, errs := map[string]traffic.State{}, map[string]error{}
	for _, route := range routes {
		state, failed := r.readBatch(ctx, p, []string{route})
		maps.Copy(found, state)
		maps.Copy(errs, failed)
	}
	return found, errs
}

// readListeners and readRules return states and errors by route, and the error of the call.
func (r *Router) readListeners(ctx context.Context, region string, routes []string) (map[string]traffic.State, map[string]error, error) {
	found, errs := map[string]traffic.State{}, map[string]error{}
	pages := elbv2.NewDescribeListenersPaginator(r.client(region), &elbv2.DescribeListenersInput{ListenerArns: routes})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, errs, callError(describeListeners, soleARN(routes), err)
		}
		for _, l := range page.Listeners {
			route := aws.ToString(l.ListenerArn)
			if !isComplete(l.DefaultActions) {
				continue // like a listener that the answer leaves out
			}
			s := stateOf(route, l.DefaultActions)
			s.Label = trafficRoute{listener: aws.ToInt32(l.Port)}.text()
			found[route] = s
		}
	}
	return found, errs, nil
}

func (r *Router) readRules(ctx context.Context, region string, routes []string) (map[string]traffic.State, map[string]error, error) {
	found, errs := map[string]traffic.State{}, map[string]error{}
	pages := elbv2.NewDescribeRulesPaginator(r.client(region), &elbv2.DescribeRulesInput{RuleArns: routes})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, errs, callError(describeRules, soleARN(routes), err)
		}
		for _, rule := range page.Rules {
			route := aws.ToString(rule.RuleArn)
			if aws.ToBool(rule.IsDefault) {
				errs[route] = fmt.Errorf("%s: %w", displayARN(route), ErrDefaultRule)
				continue
			}
			if !isComplete(rule.Actions) {
				continue
			}
			s := stateOf(route, rule.Actions)
			s.Label = ruleLabel(rule)
			found[route] = s
		}
	}
	return found, errs, nil
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
