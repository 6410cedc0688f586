// Package connect builds the clients of the command bluegreen, with the credentials and endpoints
// that the AWS SDK finds, or with the kubeconfig that kubectl uses.
package connect

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/kubeconfig"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/routers"
)

const (
	credentialsTimeout = 15 * time.Second
	accountTimeout     = 3 * time.Second // of a call that only completes a message
)

// Open returns the clients for the router of a route, whose region is for STS where nothing else sets one.
func Open(ctx context.Context, route, version string) (operate.Clients, error) {
	if routers.Of(route).IsCluster {
		return openCluster(route, version)
	}
	cfg, assumed, err := load(ctx, routers.Region(route))
	if err != nil {
		return operate.Clients{}, noCredentials("The AWS configuration could not be read: " + err.Error())
	}
	cfg.APIOptions = append(cfg.APIOptions, awsmiddleware.AddUserAgentKeyValue("bluegreen", version))
	if cfg.Credentials == nil {
		return operate.Clients{}, noCredentials("No AWS credentials were found.")
	}
	limited, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(limited); err != nil {
		return operate.Clients{}, noCredentials("No AWS credentials were found: " + err.Error())
	}
	clients, err := routers.Of(route).Connect(routers.Session{AWS: cfg})
	if err != nil {
		return operate.Clients{}, err
	}
	return operate.Clients{Clients: clients, Assumed: assumed,
		Account: func(ctx context.Context) string { return aws.ToString(identityOf(ctx, cfg).Account) },
		Caller:  func(ctx context.Context) string { return aws.ToString(identityOf(ctx, cfg).Arn) }}, nil
}

// load returns the configuration with a region. Where nothing sets one and the route has none, as a record, it is that
// of the global services of the partition that the credentials belong to. Assumed is that region where this partition
// is not known, as for access keys: then it is that of "aws".
func load(ctx context.Context, region string) (cfg aws.Config, assumed string, err error) {
	client := config.WithHTTPClient(awshttp.NewBuildableClient())
	cfg, err = config.LoadDefaultConfig(ctx, client)
	if err != nil || cfg.Region != "" {
		return cfg, "", err
	}
	if region == "" {
		known := false
		if region, known = routers.GlobalRegion(cfg); !known {
			assumed = region
		}
	}
	cfg, err = config.LoadDefaultConfig(ctx, client, config.WithDefaultRegion(region))
	return cfg, assumed, err
}

// openCluster is Open for the routes of a cluster. Who the credentials belong to is not asked: the API records it.
func openCluster(route, version string) (operate.Clients, error) {
	nobody := func(context.Context) string { return "" }
	config, err := kubeconfig.Default("bluegreen/" + version)
	var clients routers.Clients
	if err == nil {
		clients, err = routers.Of(route).Connect(routers.Session{Kubernetes: config})
	}
	if err != nil {
		p := &operate.Problem{Exit: operate.Refused, Summary: "Cannot call Kubernetes", Traffic: "not read. Nothing was changed.", Cause: err.Error(), Err: err,
			Action: "Fix the kubeconfig, then run the command again."}
		if failed, is := errors.AsType[*kubeconfig.Error](err); is {
			p.Action = failed.Action
		}
		return operate.Clients{}, p
	}
	return operate.Clients{Clients: clients, Account: nobody, Caller: nobody}, nil
}

func noCredentials(cause string) *operate.Problem {
	return &operate.Problem{Exit: operate.Refused, Summary: "Cannot call AWS", Traffic: "not read. Nothing was changed.", Cause: cause,
		Action: "Set credentials as for the AWS CLI, for example AWS_PROFILE, then run the command again."}
}

// identityOf returns whom the credentials belong to; empty: it could not be read.
func identityOf(ctx context.Context, cfg aws.Config) sts.GetCallerIdentityOutput {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return sts.GetCallerIdentityOutput{}
	}
	return *identity
}
