package route53

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// requestRate is the number of requests per second that Route 53 accepts from an account, and how
// many may come at once.
const requestRate = 5

// errRate says that the time for a call ends before the request rate admits it.
var errRate = errors.New("the time for the call ends before the request rate of Route 53 admits it")

// limiter is the request rate of an account. Rollbacks come first: they take the next tokens, while
// all other calls wait in a line of their own, of which only the first has asked for a token.
type limiter struct {
	bucket *rate.Limiter
	line   chan struct{} // has one element while a call that is not a rollback waits for its token
}

func newLimiter(perSecond float64) *limiter {
	if perSecond == 0 {
		perSecond = requestRate
	}
	return &limiter{rate.NewLimiter(rate.Limit(perSecond), requestRate), make(chan struct{}, 1)}
}

// wait waits for a token.
func (l *limiter) wait(ctx context.Context, rollback bool) error {
	if !rollback {
		select {
		case l.line <- struct{}{}:
			defer func() { <-l.line }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := l.bucket.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errRate
	}
	return nil
}

// accounts has the limiter of each account: a process may open several clients for one, and AWS
// counts the requests of all of them.
var accounts struct {
	mu   sync.Mutex
	each map[string]*limiter
}

// limiterOf returns the limiter of an account. Without one, it is a new limiter.
func limiterOf(account string, perSecond float64) *limiter {
	if account == "" {
		return newLimiter(perSecond)
	}
	accounts.mu.Lock()
	defer accounts.mu.Unlock()
	if accounts.each == nil {
		accounts.each = map[string]*limiter{}
	}
	if accounts.each[account] == nil {
		accounts.each[account] = newLimiter(perSecond)
	}
	return accounts.each[account]
}

// rateMiddleware makes each attempt of a call wait for a token, before its attempt timeout starts.
type rateMiddleware struct {
	limiter  *limiter
	rollback bool
}

func (m rateMiddleware) addTo(stack *middleware.Stack) error {
	return stack.Finalize.Insert(m, "Retry", middleware.After)
}

// ID implements middleware.FinalizeMiddleware.
func (rateMiddleware) ID() string { return "BluegreenRequestRate" }

// HandleFinalize implements middleware.FinalizeMiddleware for one attempt.
func (m rateMiddleware) HandleFinalize(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (middleware.FinalizeOutput, middleware.Metadata, error) {
	if err := m.limiter.wait(ctx, m.rollback); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, err
	}
	return next.HandleFinalize(ctx, in)
}
