package awscall

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// renewal makes the next attempt of any call fetch credentials again, once AWS has answered that
// those of this one are expired or invalid. The SDK keeps them until the expiry that it knows of,
// which credentials from a file or the environment of a process do not have, so that a retry would
// never pick up renewed ones.
type renewal struct{ credentials *aws.CredentialsCache }

// renewalOf returns the renewal of a configuration; nil: its credentials are not cached.
func renewalOf(cfg aws.Config) *renewal {
	cache, ok := cfg.Credentials.(*aws.CredentialsCache)
	if !ok {
		return nil
	}
	return &renewal{cache}
}

// addTo adds the renewal to the middleware stack of a call, below the SDK's retries.
func (r *renewal) addTo(stack *middleware.Stack) error {
	if r == nil {
		return nil
	}
	return stack.Finalize.Insert(r, "Retry", middleware.After)
}

// ID implements middleware.FinalizeMiddleware.
func (*renewal) ID() string { return "BluegreenRenewCredentials" }

// HandleFinalize implements middleware.FinalizeMiddleware for one attempt.
func (r *renewal) HandleFinalize(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (middleware.FinalizeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleFinalize(ctx, in)
	if errors.Is(Meaning(err), traffic.ErrExpired) {
		r.credentials.Invalidate()
	}
	return out, metadata, err
}
