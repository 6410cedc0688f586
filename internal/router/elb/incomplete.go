package elb

import (
	"context"
	"errors"
	"maps"
	"slices"
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

// retryRoutes is retryIncomplete for several routes: it reads only those again that are missing.
func retryRoutes(
	ctx context.Context, routes []string, read func([]string) (map[string]traffic.State, map[string]error),
) (map[string]traffic.State, map[string]error) {
	found, errs := map[string]traffic.State{}, map[string]error{}
	states, failed := read(routes)
	maps.Copy(found, states) // which is nil where the call failed
	maps.Copy(errs, failed)
	for _, pause := range incompletePauses {
		missing := slices.DeleteFunc(slices.Clone(routes), func(route string) bool { return !errors.Is(errs[route], traffic.ErrIncomplete) })
		if len(missing) == 0 || !waitFor(ctx, pause) {
			break
		}
		for _, route := range missing {
			delete(errs, route)
		}
		states, failed = read(missing)
		maps.Copy(found, states)
		maps.Copy(errs, failed)
	}
	return found, errs
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
