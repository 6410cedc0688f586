package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// Schema implements resource.Resource. No argument forces replacement, and
// none is computed: what is live and healthy changes too often for a state.
func (r *environmentResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = environmentSchema()
}

func environmentSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "A whole copy of production: its target groups, what serves behind them, and what must hold before anything may depend on it. " +
			"It is proven healthy and tested while idle, protected while it carries traffic, and drained before what serves it is destroyed.\n\n" +
			"It makes nothing in AWS. Only when it is destroyed does it write: where a listener or rule still names a target group of it at weight 0 beside others, it takes the group off " +
			"(`elasticloadbalancing:ModifyListener`, `ModifyRule`), so that the group can be deleted. No traffic moves, and an action that forwards to the group alone is left as it is.\n\n" +
			"It stands in Terraform's order between the machines and the switch: machines, environment, switch; " +
			"and, with `lifecycle { create_before_destroy = true }` on the environment, switch, drain, environment, machines where one goes. " +
			"Write that line from the first apply on: Terraform reads it from the state.",
		Attributes: environmentAttributes(),
		Blocks:     map[string]schema.Block{"ready": readyBlock()},
	}
}

func environmentAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"name": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "A name of your own, such as `blue`: the key of the environment in `environments` of the switch. A new name alone changes nothing and is allowed at any time.",
		},
		"version": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "What is deployed: an image digest, a launch template version, best computed from what is deployed. The switch knows rollbacks and rejected versions by it. " +
				"Default: none; an environment without a version is never a known rollback, and cannot be remembered as rejected.",
		},
		"target_groups": schema.MapAttribute{
			ElementType:         types.StringType,
			Required:            true,
			MarkdownDescription: "Entry point (`web`, `api`: as in `load_balancer.routes` of the switch) => ARN of the target group that serves it. At least one.",
		},
		"backed_by": schema.ListAttribute{
			ElementType: types.StringType,
			Required:    true,
			MarkdownDescription: "Ids of whatever serves behind the groups, taken from those resources: Auto Scaling groups, ECS services, instances, attachments. " +
				"They are never called: they tell Terraform to build the machines before the environment and to destroy them after it. Without them it does both beside the shift. " +
				"`[]` says openly that the machines are in another state.",
		},
		"drain": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How long to wait, once the traffic is gone, before the environment and what serves it may be destroyed, as a duration. " +
				"It is over early when the groups have no targets left. Default: the longest deregistration delay of the groups.",
		},
		"protect": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: protectDescription,
		},
	}
}

// protectDescription says what counts as traffic; elb.User.Test decides it.
const protectDescription = "Whether the environment is protected while it carries traffic: a plan that changes its `version`, `target_groups` or `backed_by`, or makes them unknown, is then an error, " +
	"and destroying it is refused. `false` lifts both; `BLUEGREEN_ALLOW_DESTROY=1` in the environment of Terraform lets it be destroyed. Default: `true`.\n\n" +
	"  It carries traffic where any listener or rule of the load balancer, whoever manages it, gives one of its groups a share, or keeps clients there by stickiness. " +
	"Tests do not count. A listener or rule is taken for one where it forwards to the group alone and without stickiness, and where either " +
	"another one names the group beside others at weight 0 (as a switch does with whoever is idle), and this one is a rule with a header, query string or source address condition, or stands on another listener, not on port 80 or 443; " +
	"or this one is a rule that adds only such conditions to those of a rule, or the default action, of the same listener that forwards whoever does not bring them. In doubt it is traffic."

func readyBlock() schema.Block {
	attributes := healthAttributes()
	attributes["gates"] = schema.MapNestedAttribute{
		Optional: true,
		MarkdownDescription: "Gate (a name of your own) => exactly one kind and how it is judged, as in `gates` of the switch. Each must have passed once, after health. " +
			"`when` may not be written: there is no traffic yet. Default: none.",
		NestedObject: schema.NestedAttributeObject{Attributes: gateAttributes()},
	}
	return schema.SingleNestedBlock{
		MarkdownDescription: "What must hold before anything may depend on the environment. Asked when it is created and when its `version`, `target_groups` or `backed_by` change, " +
			"and while it is idle when `ready` itself does. A target group that no listener or rule names is checked by nobody: its health is left to the switch, which attaches it. Omitted: the defaults.",
		Attributes: attributes,
	}
}
