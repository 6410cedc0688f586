package elb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/smithy-go/middleware"
)

// DefaultMaxAttempts is how often a call is tried. The SDK's own default, 3,
// gives up after a second or two, and ELB throttles an account for longer.
const DefaultMaxAttempts = 10

// What the two clients differ in. Going back has one thing to do and must not
// be kept back by what reading has used up: no budget of retries but the
// context's deadline, short pauses, and little patience with a connection that
// swallows packets.
const (
	forwardAttemptTimeout, forwardMaxAttemptTimeout = 10 * time.Second, 30 * time.Second

	rollbackAttempts                                  = 1000 // the context ends them
	rollbackAttemptTimeout, rollbackMaxAttemptTimeout = 2 * time.Second, 10 * time.Second
	rollbackBackoff, rollbackMaxBackoff               = 50 * time.Millisecond, time.Second
)

// Options are for clients of AWS.
type Options struct {
	// MaxAttempts is how often a call is tried, going forward. 0 is what the
	// configuration says (AWS_MAX_ATTEMPTS, max_attempts of a profile), or else
	// DefaultMaxAttempts.
	MaxAttempts int
	// Endpoint is where to call, for all regions, such as "http://127.0.0.1:4566".
	// Empty: what the configuration says (AWS_ENDPOINT_URL and the like), or AWS.
	Endpoint string
}

// NewRouters returns two Routers to the same load balancers, for Router and Home of
// rollout.Spec. They share credentials and connections but no retries.
func NewRouters(cfg aws.Config, o Options) (forward, home *Router) {
	attempts := o.MaxAttempts
	if attempts == 0 {
		attempts = cfg.RetryMaxAttempts
	}
	if attempts == 0 {
		attempts = DefaultMaxAttempts
	}
	return newRouter(cfg, o.Endpoint, func() (aws.Retryer, attemptTimeout) {
			return forwardRetryer(attempts), attemptTimeout{forwardAttemptTimeout, forwardMaxAttemptTimeout}
		}), newRouter(cfg, o.Endpoint, func() (aws.Retryer, attemptTimeout) {
			return rollbackRetryer(), attemptTimeout{rollbackAttemptTimeout, rollbackMaxAttemptTimeout}
		})
}

func newRouter(cfg aws.Config, endpoint string, terms func() (aws.Retryer, attemptTimeout)) *Router {
	return New(Config{Client: func(region string) Client {
		retryer, patience := terms()
		return elbv2.NewFromConfig(cfg, func(o *elbv2.Options) {
			o.Region = region
			o.Retryer, o.RetryMaxAttempts = retryer, 0 // else the configuration's number would count
			if endpoint != "" {
				o.BaseEndpoint = &endpoint
			}
			o.APIOptions = append(o.APIOptions, patience.addTo)
		})
	}})
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

// rollbackBackoffDelay doubles from homePause to homeLongestPause, each up to a half
// shorter, so that several routes do not come at the same moment.
func rollbackBackoffDelay(attempt int, _ error) (time.Duration, error) {
	pause := rollbackBackoff << min(max(attempt-1, 0), 10)
	pause = min(pause, rollbackMaxBackoff)
	return pause - rand.N(pause/2+1), nil
}

// attemptTimeout is how long the first attempt of a call may take; each further one
// may take twice as long as the one before, up to most. The SDK itself waits for
// ever: a connection that a firewall has forgotten would hold up a way back
// until its deadline. It doubles because an API that is merely slow must get
// its chance.
type attemptTimeout struct {
	first, most time.Duration
}

// addTo puts the patience into the stack of one call, below the SDK's retries.
func (p attemptTimeout) addTo(stack *middleware.Stack) error {
	c := &attempts{patience: p}
	if err := stack.Finalize.Insert(c, "Retry", middleware.After); err != nil {
		return err
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("BluegreenLastCause", c.handleInitialize), middleware.Before)
}

// attempts watches the attempts of one call, which come one after the other.
type attempts struct {
	patience attemptTimeout
	n        int
	last     error // why the last one failed
}

// ID implements middleware.FinalizeMiddleware.
func (*attempts) ID() string { return "BluegreenPatience" }

// HandleFinalize implements middleware.FinalizeMiddleware: it is one attempt.
func (a *attempts) HandleFinalize(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
	limit := min(a.patience.first<<min(a.n, 10), a.patience.most)
	a.n++
	attempt, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, metadata, err = next.HandleFinalize(attempt, in)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = &slow{limit} // not wrapped: the SDK retries nothing that was cancelled
	}
	if err != nil && ctx.Err() == nil {
		a.last = err
	}
	return out, metadata, err
}

// handleInitialize is the whole call. Where the context ended it, it adds what
// kept the call from coming through until then, which the SDK forgets.
func (a *attempts) handleInitialize(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	if err != nil && ctx.Err() != nil && a.last != nil {
		err = &cutShort{ended: ctx.Err(), attempts: a.n, last: a.last}
	}
	return out, metadata, err
}

// slow is an attempt that took too long. The SDK retries it.
type slow struct{ limit time.Duration }

func (e *slow) Error() string { return fmt.Sprintf("no answer within %s", e.limit) }

// RetryableError tells the SDK to try again.
func (e *slow) RetryableError() bool { return true }

// cutShort is a call that its context ended between two attempts or in one.
type cutShort struct {
	ended    error // the context's
	attempts int
	last     error // what the last attempt failed with that came to an end
}

func (e *cutShort) Error() string {
	return fmt.Sprintf("%s in attempt %d, after %s", e.ended, e.attempts, reason(e.last))
}

func (e *cutShort) Unwrap() []error { return []error{e.ended, e.last} }
