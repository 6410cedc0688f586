package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// Effects are the combined effects of the faults on one call.
type Effects struct {
	callDelay      time.Duration
	executionDelay time.Duration
	// SyncDelay is the delay before the data plane applies the write.
	SyncDelay time.Duration
	// Stale serves a read from the state before the latest write.
	Stale bool
	// Kind is the fault that replaces the response, "" for none.
	Kind Kind
	// lateTags are the faults that show older tags. They apply to each resource of a call on its own.
	lateTags []Fault
}

func (e *Effects) add(f Fault) {
	switch f.Kind {
	case Slow, SlowRead:
		e.callDelay += f.Delay
	case LateExecution:
		e.executionDelay += f.Delay
	case LateSync:
		e.SyncDelay += f.Delay
	case StaleRead:
		e.Stale = true
		e.lateTags = append(e.lateTags, f)
	case LateTags:
		e.lateTags = append(e.lateTags, f)
	default:
		if e.Kind == "" {
			e.Kind = f.Kind
		}
	}
}

// StaleTags reports whether DescribeTags shows the tags of a resource from before their latest change.
func (e Effects) StaleTags(arn string) bool {
	return slices.ContainsFunc(e.lateTags, func(f Fault) bool { return f.Kind == StaleRead && strings.Contains(arn, f.ARN) })
}

// TagDelay returns how long ago the tags were that DescribeTags shows for a resource.
func (e Effects) TagDelay(arn string) time.Duration {
	var out time.Duration
	for _, f := range e.lateTags {
		if f.Kind == LateTags && strings.Contains(arn, f.ARN) {
			out += f.Delay
		}
	}
	return out
}

// Wait waits for the delay before the call. It returns an error if ctx ends before.
func (e Effects) Wait(ctx context.Context) error { return sleep(ctx, e.callDelay) }

// WaitForExecution waits for the delay of a write that is executed even if nobody waits for its response. It returns an
// error if ctx, which is that of the server, ends before.
func (e Effects) WaitForExecution(ctx context.Context) error { return sleep(ctx, e.executionDelay) }

func sleep(ctx context.Context, delay time.Duration) error {
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Failure returns the error response to a call, nil if the faults have none. service is the IAM prefix of the API.
func (e Effects) Failure(service, action, account string) error {
	if service == wire.Lambda {
		return e.lambdaFailure(action, account)
	}
	switch e.Kind {
	case Throttle:
		code := "ThrottlingException"
		if service == wire.CloudWatch || service == wire.Route53 {
			code = "Throttling"
		}
		return &wire.Error{Status: 400, Code: code, Message: "Rate exceeded"}
	case ServerError:
		return &wire.Error{Status: 500, Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure."}
	case AccessDenied:
		return &wire.Error{Status: 403, Code: "AccessDenied", Message: fmt.Sprintf(
			"User: arn:aws:iam::%s:user/local is not authorized to perform: %s:%s because no identity-based policy allows the %s:%s action",
			account, service, action, service, action)}
	case ExpiredToken:
		return &wire.Error{Status: 403, Code: "ExpiredToken", Message: "The security token included in the request is expired"}
	case PriorRequest:
		return &wire.Error{Status: 400, Code: "PriorRequestNotComplete", Message: "The request was rejected because Route 53 was still processing a prior request."}
	default: // it changes what is done or answered, or when
		return nil
	}
}

// lambdaFailure returns the error responses of Lambda, which has its own codes.
func (e Effects) lambdaFailure(action, account string) error {
	switch e.Kind {
	case Throttle:
		return &wire.Error{Status: 429, Code: "TooManyRequestsException", Message: "Rate exceeded"}
	case ServerError:
		return &wire.Error{Status: 500, Code: "ServiceException", Message: "An error occurred and the request cannot be processed."}
	case AccessDenied:
		return &wire.Error{Status: 403, Code: "AccessDeniedException", Message: fmt.Sprintf(
			"User: arn:aws:iam::%s:user/local is not authorized to perform: lambda:%s because no identity-based policy allows the lambda:%s action", account, action, action)}
	case ExpiredToken:
		return &wire.Error{Status: 403, Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}
	default: // it changes what is done or answered, or when
		return nil
	}
}
