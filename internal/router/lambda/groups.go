package lambda

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// versionInfo is what a Router needs to know about a version.
type versionInfo struct {
	role       string // ARN of the execution role
	deadLetter string // ARN of the dead-letter queue; empty: none
	timeout    time.Duration
	state      traffic.TargetState
	reason     string
}

// version reads a version.
func (r *Router) version(ctx context.Context, group string) (versionInfo, error) {
	a, err := ParseGroup(group)
	if err != nil {
		return versionInfo{}, err
	}
	return awscall.RetryIncomplete(ctx, func() (versionInfo, error) {
		function := a.Of().String()
		out, err := r.client(a.Region).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function, Qualifier: &a.Qualifier})
		if err != nil {
			return versionInfo{}, callError(getFunction, group, err)
		}
		if aws.ToString(out.Version) != a.Qualifier || out.Timeout == nil || out.State == "" {
			return versionInfo{}, incomplete(getFunction, group)
		}
		v := versionInfo{role: aws.ToString(out.Role), timeout: time.Duration(*out.Timeout) * time.Second}
		if out.DeadLetterConfig != nil {
			v.deadLetter = aws.ToString(out.DeadLetterConfig.TargetArn)
		}
		v.state, v.reason = stateOf(out)
		return v, nil
	})
}

func (r *Router) versions(ctx context.Context, groups []string) (map[string]versionInfo, map[string]error) {
	return awscall.Each(groups, maxConcurrent, func(group string) (versionInfo, error) { return r.version(ctx, group) })
}

// CheckGroups checks, before a shift, that every version exists and belongs to the function of the routes of
// its entry point, that the versions of an entry point have the same execution role and dead-letter queue,
// without which Lambda divides no requests between them, and that no route has provisioned concurrency. It
// returns traffic.ErrNotFound in a CallError, and ErrOtherFunction, ErrRole, ErrDeadLetter or ErrConcurrency
// in a GroupError.
func (r *Router) CheckGroups(ctx context.Context, entries ...traffic.Entry) error {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	var groups, routes []string
	for _, e := range entries {
		if err := checkFunction(e); err != nil {
			return err
		}
		groups, routes = append(groups, e.Groups...), append(routes, e.Routes...)
	}
	found, errs := r.versions(ctx, groups)
	if err := awscall.FirstOf(groups, errs); err != nil {
		return err
	}
	for _, e := range entries {
		if err := checkAlike(e, found); err != nil {
			return err
		}
	}
	return r.checkConcurrency(ctx, routes)
}

// checkFunction checks that routes and groups of an entry point belong to one function.
func checkFunction(e traffic.Entry) error {
	for _, route := range e.Routes {
		a, err := ParseRoute(route)
		if err != nil {
			return err
		}
		for _, group := range e.Groups {
			g, err := ParseGroup(group)
			if err != nil {
				return err
			}
			if g.Of() != a.Of() {
				return &GroupError{Group: group, Other: route, Err: ErrOtherFunction}
			}
		}
	}
	return nil
}

// checkAlike checks that the groups of an entry point can share an alias.
func checkAlike(e traffic.Entry, found map[string]versionInfo) error {
	for _, group := range e.Groups {
		first, v := found[e.Groups[0]], found[group]
		switch {
		case v.role != first.role:
			return &GroupError{Group: group, Other: e.Groups[0], Err: ErrRole}
		case v.deadLetter != first.deadLetter:
			return &GroupError{Group: group, Other: e.Groups[0], Err: ErrDeadLetter}
		}
	}
	return nil
}

func (r *Router) checkConcurrency(ctx context.Context, routes []string) error {
	has, errs := awscall.Each(routes, maxConcurrent, func(route string) (bool, error) {
		return awscall.RetryIncomplete(ctx, func() (bool, error) {
			status, err := r.provisioned(ctx, route)
			return status != "", err
		})
	})
	if err := awscall.FirstOf(routes, errs); err != nil {
		return err
	}
	for _, route := range routes {
		if has[route] {
			return &GroupError{Other: route, Err: ErrConcurrency}
		}
	}
	return nil
}

// LongestDelay returns the longest timeout of the versions: an invocation that has begun may take that long.
// It returns traffic.ErrNotFound for a missing version.
func (r *Router) LongestDelay(ctx context.Context, groups []string) (time.Duration, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	found, errs := r.versions(ctx, groups)
	longest := time.Duration(0)
	for _, v := range found {
		longest = max(longest, v.timeout)
	}
	return longest, awscall.FirstOf(groups, errs)
}

// SlowStarts returns nothing: a version gets its share from the first request on.
func (r *Router) SlowStarts(context.Context, []string) (map[string]time.Duration, error) {
	return map[string]time.Duration{}, nil
}
