package gate

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
)

// Dependencies is what a gate uses besides its arguments.
type Dependencies struct {
	Lookup  Lookup          // reads one environment variable
	Environ func() []string // the whole environment that a command inherits, as "NAME=value"
	// CloudWatch returns the client for a region.
	CloudWatch func(region string) (CloudWatch, error)
	// AWSCredentials returns the credentials of the provider for requests to a region.
	AWSCredentials func(region string) (aws.CredentialsProvider, error)
	// Region is the default region: that of the routes of a switch, or of the target
	// groups of an environment.
	Region string
}

// CloudWatch is the subset of the CloudWatch API that gates use.
type CloudWatch interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}
