package lambda

import (
	"context"

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
			return operationsOf(lambda.NewFromConfig(cfg, func(l *lambda.Options) {
				l.Region = region
				l.Retryer, l.RetryMaxAttempts = terms.Retryer, 0 // otherwise the configuration's number would apply
				if o.Endpoint != "" {
					l.BaseEndpoint = &o.Endpoint
				}
				l.APIOptions = append(l.APIOptions, terms.APIOptions...)
			}))
		}
	}
	forward = New(Config{Client: client(func() awscall.Policy { return awscall.Forward(cfg, o.MaxAttempts) })})
	rollback = New(Config{Client: client(func() awscall.Policy { return awscall.Rollback(cfg) }), Rollback: true})
	rollback.revisions = forward.revisions
	return forward, rollback
}

// operations is a Client of functions of an SDK client, which is in no interface then: the linker keeps
// all methods of a type in an interface once a program uses templates, which is 1 MB of the command.
type operations struct {
	getAlias                        func(context.Context, *lambda.GetAliasInput, ...func(*lambda.Options)) (*lambda.GetAliasOutput, error)
	updateAlias                     func(context.Context, *lambda.UpdateAliasInput, ...func(*lambda.Options)) (*lambda.UpdateAliasOutput, error)
	listAliases                     func(context.Context, *lambda.ListAliasesInput, ...func(*lambda.Options)) (*lambda.ListAliasesOutput, error)
	getFunctionConfiguration        func(context.Context, *lambda.GetFunctionConfigurationInput, ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error)
	getProvisionedConcurrencyConfig func(context.Context, *lambda.GetProvisionedConcurrencyConfigInput, ...func(*lambda.Options)) (*lambda.GetProvisionedConcurrencyConfigOutput, error)
}

func operationsOf(api *lambda.Client) Client {
	return operations{
		getAlias:                        api.GetAlias,
		updateAlias:                     api.UpdateAlias,
		listAliases:                     api.ListAliases,
		getFunctionConfiguration:        api.GetFunctionConfiguration,
		getProvisionedConcurrencyConfig: api.GetProvisionedConcurrencyConfig,
	}
}

func (o operations) GetAlias(ctx context.Context, in *lambda.GetAliasInput, options ...func(*lambda.Options)) (*lambda.GetAliasOutput, error) {
	return o.getAlias(ctx, in, options...)
}

func (o operations) UpdateAlias(ctx context.Context, in *lambda.UpdateAliasInput, options ...func(*lambda.Options)) (*lambda.UpdateAliasOutput, error) {
	return o.updateAlias(ctx, in, options...)
}

func (o operations) ListAliases(ctx context.Context, in *lambda.ListAliasesInput, options ...func(*lambda.Options)) (*lambda.ListAliasesOutput, error) {
	return o.listAliases(ctx, in, options...)
}

func (o operations) GetFunctionConfiguration(ctx context.Context, in *lambda.GetFunctionConfigurationInput, options ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error) {
	return o.getFunctionConfiguration(ctx, in, options...)
}

func (o operations) GetProvisionedConcurrencyConfig(ctx context.Context, in *lambda.GetProvisionedConcurrencyConfigInput, options ...func(*lambda.Options)) (*lambda.GetProvisionedConcurrencyConfigOutput, error) {
	return o.getProvisionedConcurrencyConfig(ctx, in, options...)
}
