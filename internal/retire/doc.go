// Package retire takes an environment out of service that has no traffic any more: it waits
// for in-flight requests (Drain), and removes target groups from routes (Detach).
package retire

import (
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	// callTimeout limits one call, including its retries.
	callTimeout = 30 * time.Second
	// The pauses between two reads of health. The first reads follow each other fast, because
	// targets may be gone already.
	minPollInterval, maxPollInterval = 100 * time.Millisecond, 5 * time.Second
)

// rereadPauses are the pauses before each read of a verification, because reads are
// eventually consistent.
var rereadPauses = []time.Duration{0, 200 * time.Millisecond, time.Second, 3 * time.Second}

// emit passes an event with the current time to onEvent, which may be nil.
func emit(onEvent func(rollout.Event), e rollout.Event) {
	if onEvent != nil {
		e.At = time.Now()
		onEvent(e)
	}
}

// sleep pauses for d, or until ctx ends and returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}
