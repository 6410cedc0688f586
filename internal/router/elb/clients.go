package elb

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

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

// NewRouters returns two Routers for the same load balancers, for Router and RollbackRouter of
// rollout.Spec. They share credentials and connections but no retries.
func NewRouters(cfg aws.Config, o Options) (forward, rollback *Router) {
	return newRouter(cfg, o.Endpoint, func() awscall.Policy { return awscall.Forward(cfg, o.MaxAttempts) }),
		newRouter(cfg, o.Endpoint, func() awscall.Policy { return awscall.Rollback(cfg) })
}

func newRouter(cfg aws.Config, endpoint string, policy func() awscall.Policy) *Router {
	return New(Config{Client: func(region string) Client {
		terms := policy()
		return operationsOf(elbv2.NewFromConfig(cfg, func(o *elbv2.Options) {
			o.Region = region
			o.Retryer, o.RetryMaxAttempts = terms.Retryer, 0 // otherwise the configuration's number would apply
			if endpoint != "" {
				o.BaseEndpoint = &endpoint
			}
			o.APIOptions = append(o.APIOptions, terms.APIOptions...)
		}))
	}})
}
