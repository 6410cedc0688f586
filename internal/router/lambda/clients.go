package lambda

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
)

// Options configure the AWS clients.
type Options struct {
	// MaxAttempts is the maximum number of attempts per forward call. 0 takes the configuration
	// (AWS_MAX_ATTEMPTS, max_attempts of a profile), or awscall.DefaultMaxAttempts.
	MaxAttempts int
	// Endpoint is the URL to call in all regions, such as "http://127.0.0.1:4566". Empty: the
	// configuration (AWS_ENDPOINT_URL and the like), or AWS.
	Endpoint string
}

// NewRouters returns two Routers for the same aliases, for Router and RollbackRouter of rollout.Spec. They
// share credentials and connections but no retries. Only the second writes an alias that it cannot read.
func NewRouters(cfg aws.Config, o Options) (forward, rollback *Router) {
	client := func(policy func() awscall.Policy) func(string) Client {
		return func(region string) Client {
			terms := policy()
			return lambda.NewFromConfig(cfg, func(l *lambda.Options) {
				l.Region = region
				l.Retryer, l.RetryMaxAttempts = terms.Retryer, 0 // otherwise the configuration's number would apply
				if o.Endpoint != "" {
					l.BaseEndpoint = &o.Endpoint
				}
				l.APIOptions = append(l.APIOptions, terms.APIOptions...)
			})
		}
	}
	forward = New(Config{Client: client(func() awscall.Policy { return awscall.Forward(cfg, o.MaxAttempts) })})
	rollback = New(Config{Client: client(func() awscall.Policy { return awscall.Rollback(cfg) }), Rollback: true})
	rollback.revisions = forward.revisions
	return forward, rollback
}
