package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
)

// Schema implements resource.Resource. No argument forces replacement. What is live and
// healthy is not computed, because it changes too often for the state.
func (r *environmentResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = environmentSchema()
}

func environmentSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "A copy of production: its target groups, the resources that serve behind them, and what must hold before it can receive traffic. " +
			"It is tested while idle, protected while it carries traffic, and drained before it is destroyed.\n\n" +
			"It creates nothing in AWS or Kubernetes. When it is destroyed, its target groups are removed from the listeners and rules that have them at weight 0, so that they can be deleted.\n\n" +
			"Set `lifecycle { create_before_destroy = true }` from the first apply on: Terraform reads it from the state, and it makes Terraform shift the traffic before it destroys an old environment. " +
			"See [Getting started](../guides/getting-started.md).",
		Attributes: environmentAttributes(),
		Blocks:     map[string]schema.Block{"ready": readyBlock()},
	}
}

// environmentType is the resource_type of every environment. It has a constant value, so that a
// plan of the switch knows it before the environment is created.
const environmentType = "bluegreen_environment"

func environmentAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id": schema.StringAttribute{
			Computed:            true,
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			MarkdownDescription: "Random id. It reaches the switch with the environment, so pass the environment as a whole.",
		},
		"name": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "Name, such as `blue`: the key of the environment in `environments` of the switch. Not blank, without control characters, commas and `=`. It can be changed at any time.",
		},
		"version": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Deployed version, such as an image digest or a launch template version, preferably computed. The switch identifies reverts and rejected versions by it. " +
				"Default: none; without a version every shift takes all steps and a bad release cannot be rejected.",
		},
		"target_groups": schema.MapAttribute{
			ElementType:         types.StringType,
			Optional:            true,
			MarkdownDescription: "Map of entry point (as in `load_balancer.routes` of the switch) to the ARN of its target group. At least one. Exactly one of `target_groups`, `records`, `function_versions` and those of Kubernetes (`services`, `selectors`) must be set.",
		},
		"records": schema.MapAttribute{
			ElementType: types.StringType,
			Optional:    true,
			MarkdownDescription: "Map of entry point (as in `route53.routes` of the switch) to the set identifier of its weighted records. " +
				"Their health is checked by the switch, which knows the records.",
		},
		"function_versions": schema.MapAttribute{
			ElementType: types.StringType,
			Optional:    true,
			MarkdownDescription: "Map of entry point (as in `lambda.routes` of the switch) to the number of the version of its function. " +
				"Whether the version is active, and its provisioned concurrency ready, is checked by the switch, which knows the function.",
		},
		"services": schema.MapAttribute{
			ElementType: types.StringType,
			Optional:    true,
			MarkdownDescription: "Map of entry point (as in `kubernetes.routes` of the switch) to its Service with the port, such as `web-blue:8080`, or `shop/web-blue:8080` in another namespace than the routes. " +
				"The health of its Pods is checked by the switch, which knows the routes.",
		},
		"selectors": schema.MapAttribute{
			ElementType: types.MapType{ElemType: types.StringType},
			Optional:    true,
			MarkdownDescription: "Map of entry point with routes `service/…` to the labels that select its Pods, such as `{ web = { app = \"web\", color = \"blue\" } }`. They are the whole selector of the Service while the environment has the traffic. " +
				"The health of the Pods is checked by the switch, which knows the namespace.",
		},
		"test_routes": schema.ListAttribute{
			ElementType: types.StringType,
			Optional:    true,
			MarkdownDescription: "ARNs of the listeners and listener rules, or Kubernetes routes, that send only test traffic to the environment, such as a rule with a header condition. They do not count as traffic for `protect` " +
				"and may still forward to the environment when it is destroyed. Default: none; every listener and rule counts.",
		},
		"backed_by": schema.ListAttribute{
			ElementType: types.StringType,
			Required:    true,
			MarkdownDescription: "IDs of the resources that serve behind the target groups, such as Auto Scaling groups, ECS services or attachments. " +
				"They only give Terraform the order: created before the environment, destroyed after it. Use `[]` if those resources are in another state.",
		},
		"drain": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How long to wait for in-flight requests before the environment is destroyed, as a duration. Ends early when all targets were seen draining and none is left. A target group that had no targets from the start does not end it. " +
				"Default: the longest deregistration delay of the target groups.",
		},
		"protect": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: protectDescription,
		},
		"resource_type": schema.StringAttribute{
			Computed:            true,
			Default:             stringdefault.StaticString(environmentType),
			MarkdownDescription: "Always `" + environmentType + "`. It reaches the switch with the environment and distinguishes it from an inline environment, so pass the environment as a whole.",
		},
	}
}

// protectDescription says what protection does; the guide explains what counts as traffic.
const protectDescription = "Whether to protect the environment while it carries traffic: changing its `version`, `target_groups` or `backed_by` is then a plan error, and destroying it is refused. " +
	"Set `BLUEGREEN_ALLOW_DESTROY=1` to destroy it anyway. Routes in `test_routes` do not count as traffic; see [What counts as traffic](../guides/how-a-shift-works.md#what-counts-as-traffic). Default: `true`."

func readyBlock() schema.ListNestedBlock {
	gate := schema.ListNestedBlock{
		MarkdownDescription: "A gate, as in the switch, without `when` and `at_percent`. Each must pass once, after the health check.",
		NestedObject:        gates.Block(gates.OfReady),
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "Readiness check, run when the environment is created, when its `version`, `target_groups` or `backed_by` change, and, while it is idle, when `ready` changes. " +
			"The health of a target group that is attached to no listener or rule is checked later, by the switch. Default: the health defaults below and no gates.",
		NestedObject: schema.NestedBlockObject{Attributes: healthAttributes(), Blocks: map[string]schema.Block{"gate": gate}},
	}
}
