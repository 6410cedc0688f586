package awscall

import (
	"context"
	"errors"
	"net"

	"github.com/aws/smithy-go/middleware"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// writeKey is the key of the write in the context of its call.
type writeKey struct{}

// Writing returns a context for a call that changes traffic. Unanswered runs after every attempt that was
// sent and has no answer, or one that does not show whether it was executed. Nil: nothing runs.
// With the policy Forward, such a call is not repeated, and fails with traffic.ErrUnanswered: somebody may
// undo meanwhile what it writes.
func Writing(ctx context.Context, unanswered func()) context.Context {
	if unanswered == nil {
		unanswered = func() {}
	}
	return context.WithValue(ctx, writeKey{}, unanswered)
}

// unanswered finds the attempts of writes that have no answer.
type unanswered struct{ repeats bool }

// addTo adds it to the middleware stack of a call, below the SDK's retries.
func (m unanswered) addTo(stack *middleware.Stack) error {
	if err := stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("BluegreenSent", markSent), middleware.Before); err != nil {
		return err
	}
	return stack.Finalize.Insert(m, "Retry", middleware.After)
}

// ID implements middleware.FinalizeMiddleware.
func (unanswered) ID() string { return "BluegreenUnanswered" }

// sentKey is the key of a bool in the context of an attempt that says whether it was sent.
type sentKey struct{}

// HandleFinalize implements middleware.FinalizeMiddleware for one attempt.
func (m unanswered) HandleFinalize(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (middleware.FinalizeOutput, middleware.Metadata, error) {
	do, isWrite := ctx.Value(writeKey{}).(func())
	if !isWrite {
		return next.HandleFinalize(ctx, in)
	}
	sent := false
	out, metadata, err := next.HandleFinalize(context.WithValue(ctx, sentKey{}, &sent), in)
	if err == nil || !sent || IsRefusal(err) || errors.Is(Meaning(err), traffic.ErrThrottled) {
		return out, metadata, err
	}
	do()
	if !m.repeats {
		err = &unansweredError{err}
	}
	return out, metadata, err
}

// markSent notes that an attempt was sent, unless there was no connection to send it on. What fails before,
// such as getting credentials, sends nothing.
func markSent(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	if sent, ok := ctx.Value(sentKey{}).(*bool); ok {
		*sent = !isDial(err)
	}
	return out, metadata, err
}

// isDial reports whether there was no connection.
func isDial(err error) bool {
	dial, is := errors.AsType[*net.OpError](err)
	_, name := errors.AsType[*net.DNSError](err)
	return name || is && (dial.Op == "dial" || dial.Op == "proxyconnect")
}

// unansweredError is an attempt without an answer that is not repeated.
type unansweredError struct{ err error }

func (e *unansweredError) Error() string { return e.err.Error() }

// Unwrap returns traffic.ErrUnanswered and the cause.
func (e *unansweredError) Unwrap() []error { return []error{traffic.ErrUnanswered, e.err} }

// RetryableError keeps the SDK from retrying.
func (*unansweredError) RetryableError() bool { return false }
