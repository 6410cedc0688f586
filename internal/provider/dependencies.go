package provider

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// dependencies is what gates are created with. The ARN is one of the routes or target
// groups, and sets the region for gates that have none of their own.
func (b *backend) dependencies(ctx context.Context, arn string) gate.Dependencies {
	m := gate.Dependencies{Lookup: b.lookup, Environ: b.environ}
	if a, err := elb.Parse(arn); err == nil {
		m.Region = a.Region
	}
	m.CloudWatch = func(region string) (gate.CloudWatch, error) {
		c, err := b.connect(ctx, arn)
		if err != nil {
			return nil, err
		}
		return b.aws.cloudwatch(c.config, region), nil
	}
	return m
}

// cloudwatch returns a client for a region.
func (s awsSettings) cloudwatch(cfg aws.Config, region string) *cloudwatch.Client {
	return cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) {
		if region != "" {
			o.Region = region
		}
		if url := s.endpoints["cloudwatch"]; url != "" {
			o.BaseEndpoint = &url
		}
		if s.maxAttempts > 0 {
			o.RetryMaxAttempts = s.maxAttempts
		}
	})
}
