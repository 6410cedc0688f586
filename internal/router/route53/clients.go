package route53

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	route53api "github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// GlobalRegion returns the region in which Route 53 is called in a partition, such as "aws-cn": the SDK needs
// one, although Route 53 has one endpoint per partition. For an unknown partition it is that of "aws".
func GlobalRegion(partition string) string {
	return cmp.Or(globalRegions[partition], "us-east-1")
}

// globalRegions are the regions of Route 53 by partition, except for "aws".
var globalRegions = map[string]string{
	"aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1", "aws-eusc": "eusc-de-east-1",
	"aws-iso": "us-iso-east-1", "aws-iso-b": "us-isob-east-1", "aws-iso-e": "eu-isoe-west-1", "aws-iso-f": "us-isof-south-1",
}

// client is the part of the API that a Router calls. It holds functions, because the linker keeps all
// methods of a type that is in an interface once a program uses templates: those of 70 operations are
// 2 MB of the command.
type client struct {
	ListResourceRecordSets   func(context.Context, *route53api.ListResourceRecordSetsInput, ...func(*route53api.Options)) (*route53api.ListResourceRecordSetsOutput, error)
	ChangeResourceRecordSets func(context.Context, *route53api.ChangeResourceRecordSetsInput, ...func(*route53api.Options)) (*route53api.ChangeResourceRecordSetsOutput, error)
	GetChange                func(context.Context, *route53api.GetChangeInput, ...func(*route53api.Options)) (*route53api.GetChangeOutput, error)
	GetHealthCheck           func(context.Context, *route53api.GetHealthCheckInput, ...func(*route53api.Options)) (*route53api.GetHealthCheckOutput, error)
	GetHealthCheckStatus     func(context.Context, *route53api.GetHealthCheckStatusInput, ...func(*route53api.Options)) (*route53api.GetHealthCheckStatusOutput, error)
}

func newClient(api *route53api.Client) client {
	return client{
		ListResourceRecordSets:   api.ListResourceRecordSets,
		ChangeResourceRecordSets: api.ChangeResourceRecordSets,
		GetChange:                api.GetChange,
		GetHealthCheck:           api.GetHealthCheck,
		GetHealthCheckStatus:     api.GetHealthCheckStatus,
	}
}

// Options configure the AWS clients.
type Options struct {
	// MaxAttempts is the maximum number of attempts per forward call. 0 takes the configuration
	// (AWS_MAX_ATTEMPTS, max_attempts of a profile), or awscall.DefaultMaxAttempts.
	MaxAttempts int
	// Endpoint is the URL to call, such as "http://127.0.0.1:4566". Empty: the configuration
	// (AWS_ENDPOINT_URL and the like), or AWS.
	Endpoint string
	// Account identifies the AWS account: all clients of a process with the same Account share
	// its request rate. Empty: a rate for these two Routers.
	Account string
	// RequestsPerSecond is the request rate of the account. 0: the 5 of AWS. The first clients of
	// an Account set it.
	RequestsPerSecond float64
	// AliasHealth returns the health of the load balancer with a DNS name, in lower case and without
	// "dualstack.", for alias records. It must be safe for concurrent use. Nil: their health is not
	// checked.
	AliasHealth func(ctx context.Context, dnsName string) (traffic.Health, error)
	// AliasIdleHealth returns the health of each target group of that load balancer that is attached
	// without traffic. Nil: it is not read.
	AliasIdleHealth func(ctx context.Context, dnsName string) (map[string]traffic.Health, error)
}

// NewRouters returns two Routers for the same records, for Router and RollbackRouter of rollout.Spec.
// They share credentials, connections, the request rate and what they have written, but no retries.
// In the rate, calls of the rollback Router come first.
func NewRouters(cfg aws.Config, o Options) (forward, rollback *Router) {
	common := &shared{aliasHealth: o.AliasHealth, aliasIdle: o.AliasIdleHealth}
	l := limiterOf(o.Account, o.RequestsPerSecond)
	open := func(terms awscall.Policy, rollback bool) *Router {
		return newRouter(newClient(route53api.NewFromConfig(cfg, func(c *route53api.Options) {
			c.Region = cmp.Or(cfg.Region, GlobalRegion(""))
			c.Retryer, c.RetryMaxAttempts = terms.Retryer, 0 // otherwise the configuration's number would apply
			if o.Endpoint != "" {
				c.BaseEndpoint = &o.Endpoint
			}
			// The rate last, so that an attempt waits for its token before its timeout starts.
			c.APIOptions = append(append(c.APIOptions, terms.APIOptions...), rateMiddleware{l, rollback}.addTo)
		})), common, rollback)
	}
	return open(awscall.Forward(cfg, o.MaxAttempts), false), open(awscall.Rollback(cfg), true)
}
