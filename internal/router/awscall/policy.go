package awscall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
)

// DefaultMaxAttempts is the maximum number of attempts per call. The SDK's default of 3 ends
// after a second or two, and AWS throttles an account for longer.
const DefaultMaxAttempts = 10

// The settings in which the two policies differ. A rollback must not depend on the retries that
// reading has used up: it retries until the deadline of its context, with short backoff and short
// attempt timeouts.
const (
	forwardAttemptTimeout, forwardMaxAttemptTimeout = 10 * time.Second, 30 * time.Second

	rollbackAttempts                                  = 1000 // ended by the context
	rollbackAttemptTimeout, rollbackMaxAttemptTimeout = 2 * time.Second, 10 * time.Second
	rollbackBackoff, rollbackMaxBackoff               = 50 * time.Millisecond, time.Second
)

// Policy is how the calls of a client are tried. Each client needs its own.
type Policy struct {
	Retryer aws.Retryer
	// APIOptions are for the middleware stack of a call: the attempt timeout, and credentials
	// that are renewed.
	APIOptions []func(*middleware.Stack) error
}

// Forward returns the policy for everything but rollbacks. A write is not repeated after an attempt without an
// answer, see Writing. A maxAttempts of 0 takes that of the
// configuration (AWS_MAX_ATTEMPTS, max_attempts of a profile), or DefaultMaxAttempts.
func Forward(cfg aws.Config, maxAttempts int) Policy {
	attempts := cmp.Or(maxAttempts, cfg.RetryMaxAttempts, DefaultMaxAttempts)
	return policyOf(cfg, forwardRetryer(attempts), attemptTimeout{forwardAttemptTimeout, forwardMaxAttemptTimeout}, unanswered{})
}

// Rollback returns the policy for rollbacks.
func Rollback(cfg aws.Config) Policy {
	return policyOf(cfg, rollbackRetryer(), attemptTimeout{rollbackAttemptTimeout, rollbackMaxAttemptTimeout}, unanswered{repeats: true})
}

func policyOf(cfg aws.Config, retryer aws.Retryer, timeout attemptTimeout, writes unanswered) Policy {
	return Policy{Retryer: retryer, APIOptions: []func(*middleware.Stack) error{timeout.addTo, renewalOf(cfg).addTo, writes.addTo}}
}

func forwardRetryer(attempts int) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = attempts })
}

func rollbackRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = rollbackAttempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(rollbackBackoffDelay)
	})
}

// rollbackBackoffDelay doubles from rollbackBackoff to rollbackMaxBackoff, each shortened by up to
// a half, so that several routes do not retry at the same time.
func rollbackBackoffDelay(attempt int, _ error) (time.Duration, error) {
	pause := rollbackBackoff << min(max(attempt-1, 0), 10)
	pause = min(pause, rollbackMaxBackoff)
	return pause - rand.N(pause/2+1), nil
}

// attemptTimeout bounds the attempts of a call: the first may take this long, each further one
// twice as long as the one before, up to a maximum. The SDK has no attempt timeout, so a dropped
// connection would hold up a rollback until its deadline. It doubles so that a slow API can still
// answer.
type attemptTimeout struct {
	first, most time.Duration
}

// addTo adds the timeout to the middleware stack of a call, below the SDK's retries.
func (p attemptTimeout) addTo(stack *middleware.Stack) error {
	c := &attempts{timeout: p}
	if err := stack.Finalize.Insert(c, "Retry", middleware.After); err != nil {
		return err
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("BluegreenLastCause", c.handleInitialize), middleware.Before)
}

// attempts tracks the attempts of one call, which run one after the other.
type attempts struct {
	timeout attemptTimeout
	n       int
	last    error // error of the last attempt
}

// ID implements middleware.FinalizeMiddleware.
func (*attempts) ID() string { return "BluegreenAttemptTimeout" }

// HandleFinalize implements middleware.FinalizeMiddleware for one attempt.
func (a *attempts) HandleFinalize(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
	limit := min(a.timeout.first<<min(a.n, 10), a.timeout.most)
	a.n++
	attempt, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, metadata, err = next.HandleFinalize(attempt, in)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = &attemptTimeoutError{limit} // not wrapped: the SDK does not retry what was canceled
	}
	if err != nil && ctx.Err() == nil {
		a.last = err
	}
	return out, metadata, err
}

// handleInitialize wraps the whole call. Where the context ended it, it adds the error of the last
// attempt, which the SDK drops.
func (a *attempts) handleInitialize(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	if err != nil && ctx.Err() != nil && a.n > 0 {
		err = &canceledCall{ended: ctx.Err(), attempts: a.n, last: a.last}
	}
	return out, metadata, err
}

// attemptTimeoutError is an attempt that took too long. The SDK retries it.
type attemptTimeoutError struct{ limit time.Duration }

func (e *attemptTimeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.limit) }

// RetryableError makes the SDK retry.
func (e *attemptTimeoutError) RetryableError() bool { return true }

// canceledCall is a call that its context ended between or during attempts.
type canceledCall struct {
	ended    error // error of the context
	attempts int
	last     error // what the last attempt failed with that came to an end; nil: there was none
}

func (e *canceledCall) Error() string {
	if e.last == nil {
		return e.ended.Error() + " without an answer"
	}
	return fmt.Sprintf("%s in attempt %d, after %s", e.ended, e.attempts, Reason(e.last))
}

func (e *canceledCall) Unwrap() []error {
	if e.last == nil {
		return []error{e.ended}
	}
	return []error{e.ended, e.last}
}
