package elb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// GroupInfo describes a target group without the health of its targets.
type GroupInfo struct {
	ARN      string
	Name     string
	Balancer string // ARN of its load balancer; empty while the group is in no action
	Protocol string // such as "HTTP"; empty for a Lambda function
}

// GroupError is a problem with a target group.
type GroupError struct {
	Group    string       // ARN of the target group
	Balancer string       // ARN of the load balancer that it belongs to
	Routes   string       // ARN of the load balancer of the routes
	Protocol string       // with ErrProtocol
	Type     BalancerType // of the routes, with ErrProtocol
	Err      error
}

// Error implements error.
func (e *GroupError) Error() string {
	if errors.Is(e.Err, ErrProtocol) {
		return fmt.Sprintf("%s: %s of the routes %s: %s", displayARN(e.Group), e.Type, e.Err, e.Protocol)
	}
	return fmt.Sprintf("%s: %s: %s instead of %s", displayARN(e.Group), e.Err, displayARN(e.Balancer), displayARN(e.Routes))
}

// Unwrap returns the sentinel.
func (e *GroupError) Unwrap() error { return e.Err }

// GroupInfo describes each group by its ARN, with one call per twenty groups of a region. It
// returns traffic.ErrNotFound for a missing group, in a CallError with its ARN.
func (r *Router) GroupInfo(ctx context.Context, groups []string) (map[string]GroupInfo, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	regions := map[string][]string{}
	for _, group := range groups {
		a, err := ParseGroup(group)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(regions[a.Region], group) {
			regions[a.Region] = append(regions[a.Region], group)
		}
	}
	var mu sync.Mutex
	var errs []error
	found := map[string]GroupInfo{}
	var work []func()
	for region, all := range regions {
		for some := range slices.Chunk(all, batchSize) {
			work = append(work, func() {
				facts, err := awscall.RetryIncomplete(ctx, func() ([]GroupInfo, error) { return r.groupInfoBatch(ctx, region, some) })
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
				for _, f := range facts {
					found[f.ARN] = f
				}
			})
		}
	}
	awscall.Concurrently(maxConcurrent, work)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return found, nil
}

// groupInfoBatch reads up to twenty groups of a region. The API does not say which of them are
// missing.
func (r *Router) groupInfoBatch(ctx context.Context, region string, groups []string) ([]GroupInfo, error) {
	facts, err := r.describeGroups(ctx, region, groups)
	if err != nil && isNotFound(err) && len(groups) > 1 {
		for _, group := range groups {
			if _, lone := r.describeGroups(ctx, region, []string{group}); lone != nil {
				return nil, lone
			}
		}
	}
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		if !slices.ContainsFunc(facts, func(f GroupInfo) bool { return f.ARN == group }) {
			return nil, incomplete(describeTargetGroups, group)
		}
	}
	return facts, nil
}

func (r *Router) describeGroups(ctx context.Context, region string, groups []string) ([]GroupInfo, error) {
	var facts []GroupInfo
	pages := elbv2.NewDescribeTargetGroupsPaginator(r.client(region), &elbv2.DescribeTargetGroupsInput{TargetGroupArns: groups})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, callError(describeTargetGroups, soleARN(groups), err)
		}
		for _, g := range page.TargetGroups {
			f := GroupInfo{ARN: aws.ToString(g.TargetGroupArn), Name: aws.ToString(g.TargetGroupName), Protocol: string(g.Protocol)}
			if len(g.LoadBalancerArns) > 0 { // a group belongs to at most one
				f.Balancer = g.LoadBalancerArns[0]
			}
			facts = append(facts, f)
		}
	}
	return facts, nil
}

// CheckGroups checks, before a shift, that every group exists and that the routes of its entry
// point may forward to it. It returns traffic.ErrNotFound in a CallError, and ErrOtherBalancer or
// ErrProtocol in a GroupError.
func (r *Router) CheckGroups(ctx context.Context, entries ...traffic.Entry) error {
	var groups []string
	for _, e := range entries {
		groups = append(groups, e.Groups...)
	}
	facts, err := r.GroupInfo(ctx, groups)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := checkEntry(e, facts); err != nil {
			return err
		}
	}
	return nil
}

// forwardsTo reports whether a load balancer can have a target group of a protocol. A group of Lambda
// functions has none.
func (t BalancerType) forwardsTo(protocol string) bool {
	isHTTP := protocol == "HTTP" || protocol == "HTTPS"
	if t == Network {
		return !isHTTP && protocol != ""
	}
	return isHTTP || protocol == ""
}

func checkEntry(e traffic.Entry, facts map[string]GroupInfo) error {
	for _, route := range e.Routes {
		a, err := ParseRoute(route)
		if err != nil {
			return err
		}
		balancer, _ := a.LoadBalancer()
		for _, group := range e.Groups {
			if p := facts[group].Protocol; !a.Type.forwardsTo(p) {
				return &GroupError{Group: group, Protocol: p, Type: a.Type, Err: ErrProtocol}
			}
			if has := facts[group].Balancer; has != "" && has != balancer.String() {
				return &GroupError{Group: group, Balancer: has, Routes: balancer.String(), Err: ErrOtherBalancer}
			}
		}
	}
	return nil
}
