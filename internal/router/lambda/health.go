package lambda

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Reasons of a target that is not healthy, besides the codes of Lambda.
const (
	ReasonProvisioning       = "ProvisionedConcurrency.InProgress"
	ReasonProvisioningFailed = "ProvisionedConcurrency.Failed"
)

// Health implements traffic.Router with two calls per group. A version has one target, the function itself:
// it is healthy when the version is active and its provisioned concurrency, where it has some, is ready. It
// also returns the errors of ParseGroup.
func (r *Router) Health(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, errs := r.healthEach(ctx, groups)
	if err := awscall.FirstOf(groups, errs); err != nil {
		return nil, err
	}
	return found, nil
}

func (r *Router) healthEach(ctx context.Context, groups []string) (map[string]traffic.Health, map[string]error) {
	return awscall.Each(groups, maxConcurrent, func(group string) (traffic.Health, error) { return r.groupHealth(ctx, group) })
}

func (r *Router) groupHealth(ctx context.Context, group string) (traffic.Health, error) {
	v, err := r.version(ctx, group)
	if err != nil {
		return traffic.Health{}, err
	}
	t := traffic.Target{ID: Label(group), State: v.state, Reason: v.reason, Function: true}
	if t.State == traffic.Healthy {
		if t.State, t.Reason, err = r.concurrency(ctx, group); err != nil {
			return traffic.Health{}, err
		}
	}
	return traffic.Health{Targets: []traffic.Target{t}}, nil
}

// stateOf returns the state of a version as a target.
//
// A version is inactive after weeks without an invocation, and the next one fails while Lambda makes it
// active again: that is unhealthy. A state that is not known here is Unknown.
func stateOf(c *lambda.GetFunctionConfigurationOutput) (traffic.TargetState, string) {
	switch {
	case c.State == types.StatePending:
		return traffic.Initial, string(c.StateReasonCode)
	case c.State == types.StateFailed || c.State == types.StateInactive:
		return traffic.Unhealthy, reasonOf(c.State, string(c.StateReasonCode))
	case c.State != types.StateActive:
		return traffic.Unknown, string(c.State)
	case c.LastUpdateStatus == types.LastUpdateStatusInProgress:
		return traffic.Initial, string(c.LastUpdateStatusReasonCode)
	case c.LastUpdateStatus == types.LastUpdateStatusFailed:
		return traffic.Unhealthy, reasonOf(types.StateFailed, string(c.LastUpdateStatusReasonCode))
	}
	return traffic.Healthy, ""
}

// reasonOf is a state with its code, such as "Failed.ImageDeleted".
func reasonOf(state types.State, code string) string {
	if code == "" {
		return string(state)
	}
	return fmt.Sprintf("%s.%s", state, code)
}

// concurrency returns the state of a version or alias by its provisioned concurrency. Without any, it is
// healthy.
func (r *Router) concurrency(ctx context.Context, id string) (traffic.TargetState, string, error) {
	status, err := awscall.RetryIncomplete(ctx, func() (types.ProvisionedConcurrencyStatusEnum, error) { return r.provisioned(ctx, id) })
	switch {
	case err != nil:
		return "", "", err
	case status == "" || status == types.ProvisionedConcurrencyStatusEnumReady:
		return traffic.Healthy, "", nil
	case status == types.ProvisionedConcurrencyStatusEnumInProgress:
		return traffic.Initial, ReasonProvisioning, nil
	case status == types.ProvisionedConcurrencyStatusEnumFailed:
		return traffic.Unhealthy, ReasonProvisioningFailed, nil
	}
	return traffic.Unknown, string(status), nil
}

// provisioned returns the status of the provisioned concurrency of a version or alias; empty: it has none.
func (r *Router) provisioned(ctx context.Context, id string) (types.ProvisionedConcurrencyStatusEnum, error) {
	a, err := Parse(id)
	if err != nil {
		return "", err
	}
	function := a.Of().String()
	out, err := r.client(a.Region).GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: &function, Qualifier: aws.String(a.Qualifier)})
	if _, none := errors.AsType[*types.ProvisionedConcurrencyConfigNotFoundException](err); none {
		return "", nil
	}
	if err != nil {
		return "", callError(getConcurrency, id, err)
	}
	if out.Status == "" {
		return "", incomplete(getConcurrency, id)
	}
	return out.Status, nil
}
