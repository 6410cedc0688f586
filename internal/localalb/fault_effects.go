package localalb

import (
	"context"
	"fmt"
	"time"
)

// effects are the combined effects of the faults on one call.
type effects struct {
	callDelay time.Duration
	// syncDelay is the delay before the data plane applies the write.
	syncDelay time.Duration
	// stale serves a read from the state before the latest write.
	stale bool
	// kind is the fault that replaces the response, "" for none.
	kind FaultKind
}

func (e *effects) add(f Fault) {
	switch f.Kind {
	case Slow, SlowRead:
		e.callDelay += f.Delay
	case LateSync:
		e.syncDelay += f.Delay
	case StaleRead:
		e.stale = true
	default:
		if e.kind == "" {
			e.kind = f.Kind
		}
	}
}

// Wait waits for the delay before the call. It returns an error if ctx ends before.
func (e effects) Wait(ctx context.Context) error {
	if e.callDelay <= 0 {
		return nil
	}
	timer := time.NewTimer(e.callDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Failure returns the error response to a call, nil if the faults have none. service is the IAM prefix of the API.
func (e effects) Failure(service, action, account string) error {
	switch e.kind {
	case Throttle:
		code := "ThrottlingException"
		if service == serviceCloudWatch {
			code = "Throttling"
		}
		return &apiError{status: 400, code: code, message: "Rate exceeded"}
	case ServerError:
		return &apiError{status: 500, code: "InternalFailure", message: "The request processing has failed because of an unknown error, exception or failure."}
	case AccessDenied:
		return &apiError{status: 403, code: "AccessDenied", message: fmt.Sprintf(
			"User: arn:aws:iam::%s:user/local is not authorized to perform: %s:%s because no identity-based policy allows the %s:%s action",
			account, service, action, service, action)}
	case ExpiredToken:
		return &apiError{status: 403, code: "ExpiredToken", message: "The security token included in the request is expired"}
	}
	return nil
}
