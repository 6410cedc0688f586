package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
)

// Schema implements resource.Resource. Settings are blocks, because Terraform
// reports a misspelled name in a block. Values that come from other resources are
// maps, in which nothing may be Required: Terraform validates an unknown element
// as if its attributes were null.
func (r *switchResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = switchSchema()
}

func switchSchema() schema.Schema {
	attributes := switchArguments()
	for name, a := range switchComputed() {
		attributes[name] = a
	}
	blocks := map[string]schema.Block{
		"strategy": strategyBlock(),
		"health":   healthBlock(),
		"gate":     gateBlock(),
	}
	for _, p := range platform.All() {
		blocks[p.Block] = p.Schema()
	}
	return schema.Schema{
		MarkdownDescription: "Shifts traffic between environments (copies of production): that of load balancer listeners and rules, weighted Route 53 records, Lambda aliases, or Kubernetes routes, " +
			"in steps, while gates and target health are monitored, and rolls it back if one fails. A release is one edit of `active` and one `terraform apply`; " +
			"see [How a shift works](../guides/how-a-shift-works.md).\n\n" +
			"The switch manages only the weights of its routes; see [Routers](../guides/routers.md). Set `lifecycle { ignore_changes = [default_action] }` on the `aws_lb_listener`, " +
			"or `ignore_changes = [action]` on an `aws_lb_listener_rule`, `[weighted_routing_policy]` on an `aws_route53_record`, or `[function_version, routing_config]` on an `aws_lambda_alias`; for Kubernetes objects, see [Kubernetes](../guides/kubernetes.md). Destroying the switch moves no traffic.",
		Attributes: attributes,
		Blocks:     blocks,
	}
}

func strategyBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "How the traffic is shifted. Default: all at once, without a bake.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"steps": schema.ListNestedAttribute{
				Optional: true,
				MarkdownDescription: "Steps in ascending order of `percent`. A last step at 100 is always added. Default: none, all at once. " +
					"A step ends when its hold is over and every gate has passed on data from after the step's weight change. The functions `linear`, `canary` and `preset` return such lists.",
				NestedObject: schema.NestedAttributeObject{Attributes: stepAttributes()},
			},
			"bake": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "How long to monitor gates and health at 100 % (or with `baseline_percent` below it) before the shift is completed, as a duration. A failure still rolls back. Default: `0s`.",
			},
			"baseline_percent": schema.NumberAttribute{
				Optional: true,
				MarkdownDescription: "Part of the shift that is held back until the bake is over, in percent: above 0, below 100, at most one decimal, and less than what the last step leaves. The bake then runs at 100 minus this, so that gates can compare with the live environment, and no gate is evaluated at 100 %. " +
					"Default: none, the bake runs at 100 %.",
			},
			"settle": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "How long to wait after the bake before target groups are detached, so that all load balancer nodes apply the new weights, as a duration. Default: `60s`. " +
					"AWS documents no number; see [Sticky sessions and draining](../guides/sticky-sessions-and-draining.md).",
			},
			"on_failure": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "What to do when a gate fails or health degrades: `rollback` (return the traffic to `stable`) or `stop` (leave the weights as they are). The apply fails in both cases. Default: `rollback`.",
			},
			"on_interrupt": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "What to do on an interrupt (Ctrl-C, SIGTERM, SIGHUP): `rollback` or `stop`. Default: `rollback`.",
			},
			"rollback_timeout": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "How long a rollback is retried, whatever AWS answers, as a duration from `10s` to `24h`. Each route is retried on its own. " +
					"While it lasts, traffic remains on a version that failed. The longest duration of the schedule does not include it. Default: `10m`.",
			},
			"on_source_unhealthy": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "What to do when the environments that give traffic have no registered target on an entry point: `advance` (go to 100 % at once, also before the first step, if every gate passed when it was last evaluated, " +
					"the targets for 100 % are healthy, and no skipped step has gates of its own or asks for an approval) or `warn` (keep the steps). Unhealthy targets are registered: the load balancer still sends them requests. Both report a warning. Default: `advance`.",
			},
			"detach_idle": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Whether to detach the target groups of idle environments at the end of a shift, after `settle`, and to attach them again for the next one. A revert then attaches them first. " +
					"Use it with Route 53 alias records that have `evaluate_target_health`; see [Route 53](../guides/how-a-shift-works.md#idle-target-groups-and-route-53). Default: `false`.",
			},
			"rollback_window": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "How long after a completed shift a revert to the `previous` version skips steps and only reports gates, as a duration. `0s` turns this off. Default: `24h`.",
			},
		}},
	}
}

func gateBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "A gate: a name, exactly one block with its kind, and how to evaluate it; see [Choosing gates](../guides/choosing-gates.md). Gates are evaluated in the order of their names, whatever the order of the blocks.",
		NestedObject:        gates.Block(gates.OfSwitch),
	}
}

func stepAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"percent": schema.NumberAttribute{
			Optional:            true,
			MarkdownDescription: "Part of the shift from the `stable` to the desired weights, in percent: above 0, below 100, at most one decimal. Required.",
		},
		"hold": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Minimum time at this step, as a duration such as `10m`. `0s` continues as soon as the gates pass. Required.",
		},
		"gates": schema.ListAttribute{
			ElementType:         types.StringType,
			Optional:            true,
			MarkdownDescription: "Not supported: any value is an error. Set `at_percent` in the block `gate` instead. Default: none.",
		},
	}
}

func healthBlock() schema.ListNestedBlock {
	attributes := healthAttributes()
	attributes["capacity_percent"] = schema.NumberAttribute{
		Optional: true,
		MarkdownDescription: "Minimum number of healthy targets of a target group, in percent of (its share × the healthy targets that serve the entry point now), 0 to 100. " +
			"Before the first step, the share is that after the whole shift; then that of each step. With 20 targets serving and the default, 100 % requires 10. " +
			"Use `0` where targets are added only under load. Ignored for Lambda functions and disabled health checks. Default: `50`.",
	}
	attributes["breach_for"] = schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "How long health must stay degraded during a shift before it counts as a failure, as a duration. The version is rejected only if targets were read as unhealthy for that long. Default: `30s`.",
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "Requirements for the health of every target group that receives traffic, checked before each step and while it is held. Health checks are always on. A target group without targets is not healthy.",
		NestedObject:        schema.NestedBlockObject{Attributes: attributes},
	}
}

// healthAttributes are the health arguments that the switch and the environment
// have in common.
func healthAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"min_healthy_percent": schema.NumberAttribute{
			Optional:            true,
			MarkdownDescription: "Minimum percentage of healthy targets among healthy and unhealthy ones, 1 to 100. Targets that are initial, draining or unused do not count. Default: `100`.",
		},
		"min_healthy_targets": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Minimum number of healthy targets in each target group, 1 or more. One suffices for Lambda functions and disabled health checks. Default: `1`.",
		},
		"steady_for": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "How long the set of targets must be unchanged, with none initial, before the first traffic, as a duration. Default: `15s`.",
		},
		"timeout": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "How long to wait for health before each step, as a duration above zero. Default: `10m`.",
		},
	}
}

// ignoreBoth is part of the descriptions of active and weights: with only one of
// them in ignore_changes, the other looks as if it was configured.
const ignoreBoth = "To leave the traffic as it is, use `lifecycle { ignore_changes = [active, weights] }`."

// environmentArguments are those of an element of environments. Every platform has an
// argument of its own for the groups.
func environmentArguments() map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{
		"name": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Name, as exported by `bluegreen_environment`. Must equal the key. Default: the key.",
		},
		"version": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Deployed version, such as an image digest. Reverts and rejected versions are identified by it. " +
				"Default: none; without a version every shift takes all steps and a bad release cannot be rejected.",
		},
	}
	attributes["backed_by"] = schema.ListAttribute{
		ElementType: types.StringType,
		Optional:    true,
		MarkdownDescription: "IDs of the resources that serve behind the target groups of an inline environment, as in `bluegreen_environment`. " +
			"Terraform creates them before the shift, but does not order their removal after it; see [Inline environments](../guides/getting-started.md#inline-environments). Default: none.",
	}
	attributes["resource_type"] = schema.StringAttribute{
		Optional: true,
		MarkdownDescription: "Exported by `bluegreen_environment`; leave it out of an inline environment. Without it the schedule warns that Terraform does not order the removal of the environment after the shift, " +
			"and removing it while it has traffic is a plan error.",
	}
	attributes["id"] = schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "Exported by `bluegreen_environment`; leave it out of an inline environment. It is how the switch and the environment know that they mean each other.",
	}
	for _, p := range platform.All() {
		for _, a := range p.BackendArguments() {
			attributes[a.Name] = schema.MapAttribute{
				ElementType:         a.Element,
				Optional:            true,
				MarkdownDescription: a.Text + " in `" + input.PathText(p.RoutesAt()) + "`. Required with that block, and only with it.",
			}
		}
	}
	return attributes
}

func switchArguments() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"environments": schema.MapNestedAttribute{
			Required: true,
			MarkdownDescription: "Map of environment name (such as `blue`; not blank, without control characters, commas and `=`) to its target groups and version. Pass a `bluegreen_environment` with `for_each` as a whole; entries without one are [inline environments](../guides/getting-started.md#inline-environments). " +
				"At most five target groups can be in one action at a time. An environment is identified by its target groups, so renaming it moves no traffic. Removing it detaches its target groups.",
			NestedObject: schema.NestedAttributeObject{Attributes: environmentArguments()},
		},
		"active": schema.StringAttribute{
			Optional: true,
			Computed: true,
			MarkdownDescription: "Name of the environment that receives all traffic. Exactly one of `active` and `weights` must be set. " +
				"A refresh sets it to the environment that has all traffic, or to null while the traffic is split and after an import. " + ignoreBoth,
		},
		"weights": schema.MapAttribute{
			ElementType: types.NumberType,
			Optional:    true,
			Computed:    true,
			MarkdownDescription: "Map of environment to its share of the traffic in percent, 0 to 100 with at most one decimal, for a lasting split. Must list every environment and sum to 100. " +
				"A refresh sets it to the mean of the routes, with unmanaged target groups under their own names. " + ignoreBoth,
		},
		"retry": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Any string. Changing it allows a rejected version to be shipped again, with all steps and gates.",
		},
	}
}

// responseInState is part of the descriptions of reasons.
const responseInState = "It can contain the first 200 bytes of a failed gate's response, which are then in the state."

// outcomeDescription lists the values of release.Outcome.
const outcomeDescription = "How it ended: `completed` (the desired weights are reached), `rolled_back` (it failed, and the traffic is back at `stable`), `interrupted` (Ctrl-C or SIGTERM), " +
	"`stopped` (it failed, and the traffic was left where it was), `external_change` (the weights were changed outside this switch), `failed` (anything else)."

func switchComputed() map[string]schema.Attribute {
	identity := map[string]schema.Attribute{
		"environment": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the environment."},
		"version":     schema.StringAttribute{Computed: true, MarkdownDescription: "Its version; null if it has none."},
	}
	return map[string]schema.Attribute{
		"schedule": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "What the next apply does, or what the last one did, one line per step. Known in the plan. Null after a refresh that found other weights.",
		},
		"stable": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Weights left by the last completed shift, or found at creation or import. A rollback returns the traffic to them.",
			Attributes: map[string]schema.Attribute{
				"weights":  schema.MapAttribute{ElementType: types.NumberType, Computed: true, MarkdownDescription: "Map of environment to its share of the traffic in percent."},
				"versions": schema.MapAttribute{ElementType: types.StringType, Computed: true, MarkdownDescription: "Map of environment to its version, for those that have one."},
			},
		},
		"live": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Environment that has all traffic now; null while the traffic is split.",
			Attributes:          identity,
		},
		"previous": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Environment that had all traffic before the last completed shift; null after a rollback or revert.",
			Attributes:          identity,
		},
		"rejected": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Version that was rejected by a gate, by target health, or by an external change back to the previous version. It is not shipped again until `retry` changes. Other versions can be shipped. Null if there is none.",
			Attributes: map[string]schema.Attribute{
				"environment": identity["environment"],
				"version":     schema.StringAttribute{Computed: true, MarkdownDescription: "The rejected version."},
				"reason":      schema.StringAttribute{Computed: true, MarkdownDescription: "Reason for the rejection. " + responseInState},
				"at":          schema.StringAttribute{Computed: true, MarkdownDescription: "Time of the rejection, in RFC 3339."},
			},
		},
		"last_shift": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Result of the last shift, including failed ones. A failed create leaves no state.",
			Attributes: map[string]schema.Attribute{
				"outcome":     schema.StringAttribute{Computed: true, MarkdownDescription: outcomeDescription},
				"reason":      schema.StringAttribute{Computed: true, MarkdownDescription: "Reason for the outcome; null when the shift completed. " + responseInState},
				"from":        schema.MapAttribute{ElementType: types.NumberType, Computed: true, MarkdownDescription: "Map of environment to its share of the traffic in percent when the shift started."},
				"to":          schema.MapAttribute{ElementType: types.NumberType, Computed: true, MarkdownDescription: "Map of environment to its desired share of the traffic in percent."},
				"started_at":  schema.StringAttribute{Computed: true, MarkdownDescription: "Start time, in RFC 3339."},
				"finished_at": schema.StringAttribute{Computed: true, MarkdownDescription: "End time, in RFC 3339."},
				"report":      schema.StringAttribute{Computed: true, MarkdownDescription: "Path of the HTML page about the shift, relative to where Terraform ran if `report_dir` is; null without `report_dir` in the provider, or if the page could not be written."},
			},
		},
	}
}

// The object types of the computed values, as in the schema.
var (
	numbersType   = types.MapType{ElemType: types.NumberType}
	stringsType   = types.MapType{ElemType: types.StringType}
	stableTypes   = map[string]attr.Type{"weights": numbersType, "versions": stringsType}
	identityTypes = map[string]attr.Type{"environment": types.StringType, "version": types.StringType}
	rejectedTypes = map[string]attr.Type{"environment": types.StringType, "version": types.StringType, "reason": types.StringType, "at": types.StringType}
	shiftTypes    = map[string]attr.Type{"outcome": types.StringType, "reason": types.StringType, "from": numbersType, "to": numbersType, "started_at": types.StringType, "finished_at": types.StringType, "report": types.StringType}
)

// environmentTypes are those of an element of environments, as in the schema.
func environmentTypes() map[string]attr.Type {
	all := map[string]attr.Type{}
	for name, a := range environmentArguments() {
		all[name] = a.GetType()
	}
	return all
}
