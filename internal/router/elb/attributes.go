package elb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
)

// attribute is a target group attribute in seconds.
type attribute string

const (
	delayAttribute     attribute = "deregistration_delay.timeout_seconds"
	slowStartAttribute attribute = "slow_start.duration_seconds"
)

// errSeconds says that an attribute is not a number of seconds.
var errSeconds = errors.New("an attribute of the target group is not a number of seconds")

// LongestDelay returns the longest deregistration delay of the groups, with one call per group.
// A group of Lambda functions has none. It returns traffic.ErrNotFound for a missing group.
func (r *Router) LongestDelay(ctx context.Context, groups []string) (time.Duration, error) {
	all, err := r.attributes(ctx, groups, delayAttribute)
	longest := time.Duration(0)
	for _, d := range all {
		longest = max(longest, d)
	}
	return longest, err
}

// SlowStarts returns the slow start duration of each group that has one, with one call per group.
// During slow start a target receives less than its share. It returns what it could read together
// with an error.
func (r *Router) SlowStarts(ctx context.Context, groups []string) (map[string]time.Duration, error) {
	return r.attributes(ctx, groups, slowStartAttribute)
}

// attributes reads one attribute of each group and omits those that are 0.
func (r *Router) attributes(ctx context.Context, groups []string, of attribute) (map[string]time.Duration, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	var mu sync.Mutex
	found := map[string]time.Duration{}
	var errs []error
	var work []func()
	for _, group := range groups {
		work = append(work, func() {
			d, err := awscall.RetryIncomplete(ctx, func() (time.Duration, error) { return r.seconds(ctx, group, of) })
			mu.Lock()
			defer mu.Unlock()
			if errs = append(errs, err); d > 0 {
				found[group] = d
			}
		})
	}
	awscall.Concurrently(maxConcurrent, work)
	return found, errors.Join(errs...)
}

func (r *Router) seconds(ctx context.Context, group string, of attribute) (time.Duration, error) {
	a, err := ParseGroup(group)
	if err != nil {
		return 0, err
	}
	out, err := r.client(a.Region).DescribeTargetGroupAttributes(ctx, &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: &group})
	if err != nil {
		return 0, callError(describeAttributes, group, err)
	}
	function := false
	for _, found := range out.Attributes {
		function = function || strings.HasPrefix(aws.ToString(found.Key), "lambda.")
		if aws.ToString(found.Key) != string(of) {
			continue
		}
		n, err := strconv.Atoi(aws.ToString(found.Value))
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%s: %w: %s = %q", displayARN(group), errSeconds, of, aws.ToString(found.Value))
		}
		return time.Duration(n) * time.Second, nil
	}
	if len(out.Attributes) == 0 || of == delayAttribute && !function {
		return 0, incomplete(describeAttributes, group)
	}
	return 0, nil
}
