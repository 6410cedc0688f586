package gate

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
)

// Dependencies is what a gate needs of the world beside its arguments.
type Dependencies struct {
	Lookup  Lookup          // of one variable of the environment
	Environ func() []string // the environment as a whole, "NAME=value" each, as a command inherits it
	// CloudWatch returns the client for a region.
	CloudWatch func(region string) (CloudWatch, error)
	// Region is where a name is looked for that has no region of its own: that of
	// the routes of a switch, or of the groups of an environment.
	Region string
}

// CloudWatch is the calls that gates make.
type CloudWatch interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}
