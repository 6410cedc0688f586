package elb

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Health implements traffic.Router with one call per group. It also returns the errors of
// ParseGroup.
func (r *Router) Health(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	found, errs := map[string]traffic.Health{}, make([]error, len(groups))
	var work []func()
	for i, group := range groups {
		work = append(work, func() {
			health, err := awscall.RetryIncomplete(ctx, func() (traffic.Health, error) { return r.groupHealth(ctx, group) })
			mu.Lock()
			defer mu.Unlock()
			found[group], errs[i] = health, err
		})
	}
	awscall.Concurrently(maxConcurrent, work)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return found, nil
}

func (r *Router) groupHealth(ctx context.Context, group string) (traffic.Health, error) {
	a, err := ParseGroup(group)
	if err != nil {
		return traffic.Health{}, err
	}
	out, err := r.client(a.Region).DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: new(group)})
	if err != nil {
		return traffic.Health{}, callError(describeTargetHealth, group, err)
	}
	if out.TargetHealthDescriptions == nil { // a group without targets has a list, which is empty
		return traffic.Health{}, incomplete(describeTargetHealth, group)
	}
	var h traffic.Health
	for _, d := range out.TargetHealthDescriptions {
		if d.Target == nil || d.TargetHealth == nil {
			return traffic.Health{}, incomplete(describeTargetHealth, group)
		}
		h.Targets = append(h.Targets, targetOf(d))
	}
	return h, nil
}

func targetOf(d types.TargetHealthDescription) traffic.Target {
	t := traffic.Target{State: traffic.Unknown}
	if d.Target != nil {
		t.ID = aws.ToString(d.Target.Id)
		if d.Target.Port != nil { // a Lambda function has none
			t.ID += ":" + strconv.Itoa(int(*d.Target.Port))
		}
		t.Function = strings.HasPrefix(t.ID, "arn:") && strings.Contains(t.ID, ":lambda:")
	}
	if d.TargetHealth != nil {
		t.State, t.Reason = targetState(*d.TargetHealth)
	}
	return t
}

// targetState returns the state of a target.
//
// Every unused target is Unused whatever its reason: Target.NotInUse (the group is in no action,
// or the zone is not enabled), Target.InvalidState (a stopped instance), Target.IpUnusable and
// Target.NotRegistered receive neither health checks nor requests. Of unavailable targets only
// those with health checks turned off are Unchecked. Elb.InternalError means that ELB could not
// determine the health: that is Unknown, as is an unknown state.
func targetState(h types.TargetHealth) (traffic.TargetState, string) {
	reason := string(h.Reason)
	switch h.State {
	case types.TargetHealthStateEnumHealthy:
		return traffic.Healthy, ""
	case types.TargetHealthStateEnumInitial:
		return traffic.Initial, reason
	case types.TargetHealthStateEnumDraining, types.TargetHealthStateEnumUnhealthyDraining:
		return traffic.Draining, reason
	case types.TargetHealthStateEnumUnused:
		return traffic.Unused, reason
	case types.TargetHealthStateEnumUnhealthy:
		if h.Reason == types.TargetHealthReasonEnumInternalError {
			return traffic.Unknown, reason
		}
		return traffic.Unhealthy, reason
	case types.TargetHealthStateEnumUnavailable:
		if h.Reason == types.TargetHealthReasonEnumHealthCheckDisabled {
			return traffic.Unchecked, reason
		}
	}
	if reason == "" {
		reason = string(h.State)
	}
	return traffic.Unknown, reason
}
