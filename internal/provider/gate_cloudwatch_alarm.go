package provider

import (
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// cloudwatchAlarmKind looks at alarms of CloudWatch.
func cloudwatchAlarmKind() gateKind {
	return gateKind{
		name:         "cloudwatch_alarm",
		inconclusive: 10 * time.Minute,
		attribute: schema.SingleNestedAttribute{
			Optional: true,
			MarkdownDescription: "Looks at alarms of CloudWatch: of metrics, of metric maths, of logs, and composite ones. One in `ALARM` is a fail. " +
				"An alarm that does not exist is an error of measuring. One in `INSUFFICIENT_DATA` is inconclusive, and so is an alarm of metrics that is `OK` but could not have gone off since the last change of weights, " +
				"as too few of its periods are over (composite and log alarms have no period and count as they are). One that is in `ALARM` already, or does not exist, keeps a shift from beginning, but never a way back.",
			Attributes: map[string]schema.Attribute{
				"names": schema.ListAttribute{
					Required:            true,
					ElementType:         types.StringType,
					MarkdownDescription: "Names or ARNs of the alarms, 1 to 100, none twice. An ARN brings its region, and must be of the account whose credentials are used.",
				},
				"region": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "Region where the names that are no ARNs are looked for. Default: that of the load balancer.",
				},
			},
		},
		read: readCloudWatchAlarm,
	}
}

func readCloudWatchAlarm(r *reader, at path.Path, a map[string]attr.Value) gateConfig {
	before := r.diags.ErrorsCount()
	c := gate.CloudWatchAlarm{Names: r.list(at.AtName("names"), a["names"]), Region: r.text(a["region"])}
	names, _ := a["names"].(types.List)
	waits := slices.ContainsFunc(names.Elements(), attr.Value.IsUnknown)
	if r.diags.ErrorsCount() == before && !waits {
		r.check(at, a, c.Check())
	}
	return gateConfig{build: func(means gate.Dependencies) (rollout.Gate, error) { return gate.NewCloudWatchAlarm(c, means) }}
}
