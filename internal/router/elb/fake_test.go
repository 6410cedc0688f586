package elb_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// fake is an API for states that localaws cannot be brought into. It answers in
// pages of the given size, and records its calls.
type fake struct {
	listeners  map[string][]types.Action
	rules      map[string][]types.Rule // by listener
	health     []types.TargetHealthDescription
	balancer   string // of every group
	attributes []types.TargetGroupAttribute
	page       int           // so many at a time; 0: all
	err        error         // what every call fails with
	hold       chan struct{} // calls wait until it is closed

	mu       sync.Mutex
	calls    []string
	modified []types.Action
}

func router(f *fake) *elb.Router {
	return elb.New(elb.Config{Client: func(string) elb.Client { return f }})
}

func (f *fake) called(ctx context.Context, format string, args ...any) error {
	f.mu.Lock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	f.mu.Unlock()
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f.err
}

// cut returns the page at a marker, and the next marker.
func cut[T any](f *fake, all []T, marker *string) ([]T, *string) {
	from := 0
	if marker != nil {
		_, _ = fmt.Sscan(*marker, &from)
	}
	if f.page == 0 || from+f.page >= len(all) {
		return all[from:], nil
	}
	return all[from : from+f.page], new(fmt.Sprint(from + f.page))
}

func (f *fake) DescribeListeners(ctx context.Context, in *elbv2.DescribeListenersInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeListenersOutput, error) {
	if err := f.called(ctx, "listeners %d", len(in.ListenerArns)); err != nil {
		return nil, err
	}
	var all []types.Listener
	for arn, actions := range f.listeners {
		if in.LoadBalancerArn != nil || slices.Contains(in.ListenerArns, arn) {
			all = append(all, types.Listener{ListenerArn: &arn, Port: new(int32(80 + len(arn)%2)), DefaultActions: actions})
		}
	}
	for _, arn := range in.ListenerArns {
		if f.listeners[arn] == nil {
			return nil, &types.ListenerNotFoundException{Message: new("One or more listeners not found")}
		}
	}
	slices.SortFunc(all, func(a, b types.Listener) int { return strings.Compare(*a.ListenerArn, *b.ListenerArn) })
	page, next := cut(f, all, in.Marker)
	return &elbv2.DescribeListenersOutput{Listeners: page, NextMarker: next}, nil
}

func (f *fake) DescribeRules(ctx context.Context, in *elbv2.DescribeRulesInput, _ ...func(*elbv2.Options)) (out *elbv2.DescribeRulesOutput, _ error) {
	if err := f.called(ctx, "rules %d", len(in.RuleArns)); err != nil {
		return nil, err
	}
	var all []types.Rule
	if in.ListenerArn != nil { // every listener has a default rule
		defer func() {
			if out != nil && out.NextMarker == nil {
				out.Rules = append(out.Rules, types.Rule{RuleArn: new(*in.ListenerArn + "/default"), IsDefault: new(true)})
			}
		}()
	}
	for listener, rules := range f.rules {
		for _, r := range rules {
			if in.ListenerArn != nil && *in.ListenerArn == listener || slices.Contains(in.RuleArns, *r.RuleArn) {
				all = append(all, r)
			}
		}
	}
	page, next := cut(f, all, in.Marker)
	return &elbv2.DescribeRulesOutput{Rules: page, NextMarker: next}, nil
}

func (f *fake) DescribeTargetGroups(ctx context.Context, in *elbv2.DescribeTargetGroupsInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupsOutput, error) {
	if err := f.called(ctx, "groups %d", len(in.TargetGroupArns)); err != nil {
		return nil, err
	}
	var all []types.TargetGroup
	for _, arn := range in.TargetGroupArns {
		g := types.TargetGroup{TargetGroupArn: &arn}
		if f.balancer != "" {
			g.LoadBalancerArns = []string{f.balancer}
		}
		all = append(all, g)
	}
	page, next := cut(f, all, in.Marker)
	return &elbv2.DescribeTargetGroupsOutput{TargetGroups: page, NextMarker: next}, nil
}

func (f *fake) DescribeTargetHealth(ctx context.Context, _ *elbv2.DescribeTargetHealthInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeTargetHealthOutput, error) {
	if err := f.called(ctx, "health"); err != nil {
		return nil, err
	}
	return &elbv2.DescribeTargetHealthOutput{TargetHealthDescriptions: append([]types.TargetHealthDescription{}, f.health...)}, nil
}

func (f *fake) ModifyListener(ctx context.Context, in *elbv2.ModifyListenerInput, _ ...func(*elbv2.Options)) (*elbv2.ModifyListenerOutput, error) {
	f.modified = in.DefaultActions
	return &elbv2.ModifyListenerOutput{}, f.called(ctx, "modify listener")
}

func (f *fake) ModifyRule(ctx context.Context, in *elbv2.ModifyRuleInput, _ ...func(*elbv2.Options)) (*elbv2.ModifyRuleOutput, error) {
	f.modified = in.Actions
	return &elbv2.ModifyRuleOutput{}, f.called(ctx, "modify rule")
}

func (f *fake) DescribeTargetGroupAttributes(ctx context.Context, in *elbv2.DescribeTargetGroupAttributesInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupAttributesOutput, error) {
	if err := f.called(ctx, "attributes %s", *in.TargetGroupArn); err != nil {
		return nil, err
	}
	return &elbv2.DescribeTargetGroupAttributesOutput{Attributes: f.attributes}, nil
}

func (f *fake) AddTags(ctx context.Context, in *elbv2.AddTagsInput, _ ...func(*elbv2.Options)) (*elbv2.AddTagsOutput, error) {
	return &elbv2.AddTagsOutput{}, f.called(ctx, "add tags %d", len(in.ResourceArns))
}

func (f *fake) RemoveTags(ctx context.Context, in *elbv2.RemoveTagsInput, _ ...func(*elbv2.Options)) (*elbv2.RemoveTagsOutput, error) {
	return &elbv2.RemoveTagsOutput{}, f.called(ctx, "remove tags %d", len(in.ResourceArns))
}

func (f *fake) DescribeTags(ctx context.Context, in *elbv2.DescribeTagsInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeTagsOutput, error) {
	return &elbv2.DescribeTagsOutput{}, f.called(ctx, "describe tags %d", len(in.ResourceArns))
}
