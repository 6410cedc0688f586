package gates

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

// cloudwatchAlarmKind checks CloudWatch alarms.
func cloudwatchAlarmKind() kind {
	return kind{
		name:         "cloudwatch_alarm",
		inconclusive: 10 * time.Minute,
		description: "Checks CloudWatch alarms (metric, composite or log). `ALARM` fails, `OK` passes and `INSUFFICIENT_DATA` counts by `on_insufficient_data`, " +
			"but only after enough periods since the last weight change for the alarm to have fired; until then the gate is inconclusive. An alarm that is missing or already in `ALARM` blocks the shift from starting, but never a rollback.",
		arguments: map[string]schema.Attribute{
			"names": schema.ListAttribute{
				Required:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Names or ARNs of 1 to 100 alarms in the account of the credentials. An ARN sets the region.",
			},
			"on_insufficient_data": onNoDataAttribute("`INSUFFICIENT_DATA` counts as"),
			"region": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Region of alarms that are given by name. Default: the region of the routes or, for Route 53 and Kubernetes, that of the provider.",
			},
		},
		read: readCloudWatchAlarm,
	}
}

func readCloudWatchAlarm(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.CloudWatchAlarm{Names: r.List(at.AtName("names"), a["names"]), Region: r.Text(a["region"]),
		OnInsufficientData: r.onNoData(at.AtName("on_insufficient_data"), a["on_insufficient_data"])}
	names, _ := a["names"].(types.List)
	namesUnknown := slices.ContainsFunc(names.Elements(), attr.Value.IsUnknown)
	if r.Diags.ErrorsCount() == before && !namesUnknown {
		r.check(at, a, c.Check())
	}
	var regionless *fault
	if c.NeedsRegion() {
		regionless = needsRegion(at.AtName("region"), a["region"], "Alarms that are given by name need", " or the ARNs of the alarms in names")
	}
	return configuration{build: func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewCloudWatchAlarm(c, deps) }, regionless: regionless}
}
