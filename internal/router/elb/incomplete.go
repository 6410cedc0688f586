package elb

import (
	"context"
	"errors"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// incompletePauses are the pauses before what an answer left out is read again.
var incompletePauses = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 1500 * time.Millisecond}

// incomplete is the error for an answer that leaves out what was asked for. Only the service's
// own error says that something does not exist.
func incomplete(action, arn string) error {
	return &CallError{Action: action, ARN: arn, Err: traffic.ErrIncomplete}
}

// retryIncomplete reads until the answer is complete, a few times at most and not beyond the end
// of ctx.
func retryIncomplete[T any](ctx context.Context, read func() (T, error)) (T, error) {
	value, err := read()
	for _, pause := range incompletePauses {
		if !errors.Is(err, traffic.ErrIncomplete) || !waitFor(ctx, pause) {
			break
		}
		value, err = read()
	}
	return value, err
}

// readTimeout limits each read that no caller limits, including its retries.
const readTimeout = 30 * time.Second

func limitRead(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, readTimeout)
}

// waitFor pauses and reports whether ctx lasted that long.
func waitFor(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
