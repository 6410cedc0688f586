package elb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

const delayKey = "deregistration_delay.timeout_seconds"

// errDelay says that ELB gave a delay that is no number of seconds.
var errDelay = errors.New("the deregistration delay is no number of seconds")

// LongestDelay returns the longest deregistration delay of the groups, with one
// call per group: for how long ELB lets a target finish what it has begun. A
// group of Lambda functions has none. It returns ErrNotFound of rollout for a
// group that there is not.
func (r *Router) LongestDelay(ctx context.Context, groups []string) (time.Duration, error) {
	var mu sync.Mutex
	var longest time.Duration
	var errs []error
	var work []func()
	for _, group := range groups {
		work = append(work, func() {
			delay, err := r.delay(ctx, group)
			mu.Lock()
			defer mu.Unlock()
			longest, errs = max(longest, delay), append(errs, err)
		})
	}
	side(work)
	return longest, errors.Join(errs...)
}

func (r *Router) delay(ctx context.Context, group string) (time.Duration, error) {
	a, err := ParseGroup(group)
	if err != nil {
		return 0, err
	}
	out, err := r.client(a.Region).DescribeTargetGroupAttributes(ctx, &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: &group})
	if err != nil {
		return 0, callError(describeAttributes, group, err)
	}
	for _, attribute := range out.Attributes {
		if aws.ToString(attribute.Key) != delayKey {
			continue
		}
		seconds, err := strconv.Atoi(aws.ToString(attribute.Value))
		if err != nil || seconds < 0 {
			return 0, fmt.Errorf("%s: %w: %q", display(group), errDelay, aws.ToString(attribute.Value))
		}
		return time.Duration(seconds) * time.Second, nil
	}
	return 0, nil
}
