package elb

import (
	"context"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// operations is a Client of functions of an SDK client, which is in no interface then: the linker keeps
// all methods of a type in an interface once a program uses templates, which is 1 MB of the command.
type operations struct {
	describeListeners             func(context.Context, *elbv2.DescribeListenersInput, ...func(*elbv2.Options)) (*elbv2.DescribeListenersOutput, error)
	describeRules                 func(context.Context, *elbv2.DescribeRulesInput, ...func(*elbv2.Options)) (*elbv2.DescribeRulesOutput, error)
	describeTargetGroups          func(context.Context, *elbv2.DescribeTargetGroupsInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupsOutput, error)
	describeTargetGroupAttributes func(context.Context, *elbv2.DescribeTargetGroupAttributesInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupAttributesOutput, error)
	describeTargetHealth          func(context.Context, *elbv2.DescribeTargetHealthInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetHealthOutput, error)
	describeLoadBalancers         func(context.Context, *elbv2.DescribeLoadBalancersInput, ...func(*elbv2.Options)) (*elbv2.DescribeLoadBalancersOutput, error)
	addTags                       func(context.Context, *elbv2.AddTagsInput, ...func(*elbv2.Options)) (*elbv2.AddTagsOutput, error)
	removeTags                    func(context.Context, *elbv2.RemoveTagsInput, ...func(*elbv2.Options)) (*elbv2.RemoveTagsOutput, error)
	describeTags                  func(context.Context, *elbv2.DescribeTagsInput, ...func(*elbv2.Options)) (*elbv2.DescribeTagsOutput, error)
	modifyListener                func(context.Context, *elbv2.ModifyListenerInput, ...func(*elbv2.Options)) (*elbv2.ModifyListenerOutput, error)
	modifyRule                    func(context.Context, *elbv2.ModifyRuleInput, ...func(*elbv2.Options)) (*elbv2.ModifyRuleOutput, error)
}

func operationsOf(api *elbv2.Client) Client {
	return operations{
		describeListeners:             api.DescribeListeners,
		describeRules:                 api.DescribeRules,
		describeTargetGroups:          api.DescribeTargetGroups,
		describeTargetGroupAttributes: api.DescribeTargetGroupAttributes,
		describeTargetHealth:          api.DescribeTargetHealth,
		describeLoadBalancers:         api.DescribeLoadBalancers,
		addTags:                       api.AddTags,
		removeTags:                    api.RemoveTags,
		describeTags:                  api.DescribeTags,
		modifyListener:                api.ModifyListener,
		modifyRule:                    api.ModifyRule,
	}
}

func (o operations) DescribeListeners(ctx context.Context, in *elbv2.DescribeListenersInput, options ...func(*elbv2.Options)) (*elbv2.DescribeListenersOutput, error) {
	return o.describeListeners(ctx, in, options...)
}

func (o operations) DescribeRules(ctx context.Context, in *elbv2.DescribeRulesInput, options ...func(*elbv2.Options)) (*elbv2.DescribeRulesOutput, error) {
	return o.describeRules(ctx, in, options...)
}

func (o operations) DescribeTargetGroups(ctx context.Context, in *elbv2.DescribeTargetGroupsInput, options ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupsOutput, error) {
	return o.describeTargetGroups(ctx, in, options...)
}

func (o operations) DescribeTargetGroupAttributes(ctx context.Context, in *elbv2.DescribeTargetGroupAttributesInput, options ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupAttributesOutput, error) {
	return o.describeTargetGroupAttributes(ctx, in, options...)
}

func (o operations) DescribeTargetHealth(ctx context.Context, in *elbv2.DescribeTargetHealthInput, options ...func(*elbv2.Options)) (*elbv2.DescribeTargetHealthOutput, error) {
	return o.describeTargetHealth(ctx, in, options...)
}

func (o operations) DescribeLoadBalancers(ctx context.Context, in *elbv2.DescribeLoadBalancersInput, options ...func(*elbv2.Options)) (*elbv2.DescribeLoadBalancersOutput, error) {
	return o.describeLoadBalancers(ctx, in, options...)
}

func (o operations) AddTags(ctx context.Context, in *elbv2.AddTagsInput, options ...func(*elbv2.Options)) (*elbv2.AddTagsOutput, error) {
	return o.addTags(ctx, in, options...)
}

func (o operations) RemoveTags(ctx context.Context, in *elbv2.RemoveTagsInput, options ...func(*elbv2.Options)) (*elbv2.RemoveTagsOutput, error) {
	return o.removeTags(ctx, in, options...)
}

func (o operations) DescribeTags(ctx context.Context, in *elbv2.DescribeTagsInput, options ...func(*elbv2.Options)) (*elbv2.DescribeTagsOutput, error) {
	return o.describeTags(ctx, in, options...)
}

func (o operations) ModifyListener(ctx context.Context, in *elbv2.ModifyListenerInput, options ...func(*elbv2.Options)) (*elbv2.ModifyListenerOutput, error) {
	return o.modifyListener(ctx, in, options...)
}

func (o operations) ModifyRule(ctx context.Context, in *elbv2.ModifyRuleInput, options ...func(*elbv2.Options)) (*elbv2.ModifyRuleOutput, error) {
	return o.modifyRule(ctx, in, options...)
}
