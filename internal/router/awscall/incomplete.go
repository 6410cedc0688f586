package awscall

import (
	"context"
	"errors"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// IncompletePauses returns the pauses before what an answer left out is read again.
func IncompletePauses() []time.Duration {
	return []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 1500 * time.Millisecond}
}

// RetryIncomplete reads until the answer is complete, a few times at most and not beyond the end
// of ctx.
func RetryIncomplete[T any](ctx context.Context, read func() (T, error)) (T, error) {
	value, err := read()
	for _, pause := range IncompletePauses() {
		if !errors.Is(err, traffic.ErrIncomplete) || !WaitFor(ctx, pause) {
			break
		}
		value, err = read()
	}
	return value, err
}

// readTimeout limits each read that no caller limits, including its retries.
const readTimeout = 30 * time.Second

// LimitRead returns a context for such a read.
func LimitRead(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, readTimeout)
}

// WaitFor pauses and reports whether ctx lasted that long.
func WaitFor(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
