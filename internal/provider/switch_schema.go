package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// Schema implements resource.Resource. What is written by hand once is a
// block, so that Terraform catches a misspelled name; what is computed or
// passed on is a map, where nothing may be Required: Terraform validates an
// unknown element as if its attributes were null.
func (r *switchResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = switchSchema()
}

func switchSchema() schema.Schema {
	attributes := switchArguments()
	for name, a := range switchComputed() {
		attributes[name] = a
	}
	return schema.Schema{
		MarkdownDescription: "Moves the traffic of load balancer listeners and rules between environments (two or more copies of production) " +
			"in steps, under health and gates, and back to where it was when something is wrong. One edit of `active` and one `terraform apply` are a release.\n\n" +
			"The switch owns the forward action of its routes and nothing else of them: beside it, the listener in `hashicorp/aws` carries " +
			"`lifecycle { ignore_changes = [default_action] }` (a rule: `[action]`). Destroying the switch moves no traffic.",
		Attributes: attributes,
		Blocks: map[string]schema.Block{
			"load_balancer": loadBalancerBlock(),
			"strategy":      strategyBlock(),
			"health":        healthBlock(),
		},
	}
}

func loadBalancerBlock() schema.Block {
	return schema.SingleNestedBlock{
		MarkdownDescription: "Where the traffic comes from. Must be there.",
		Attributes: map[string]schema.Attribute{
			"routes": schema.MapAttribute{
				ElementType: types.ListType{ElemType: types.StringType},
				Optional:    true,
				MarkdownDescription: "Entry point (a name of your own: `web`, `api`) => ARNs of the listeners (their default action) and listener rules that serve it. " +
					"At least one entry point, each with at least one ARN, none twice. Routes of Application Load Balancers in any region. All move in lock-step: step n on all, then n + 1. " +
					"A route must forward to target groups; only one that answers a fixed 5xx is taken over, when the switch is created or when the route joins it.",
			},
			"stickiness": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "For how long a client stays with its target group (group stickiness), as a duration from `1s` to `168h` (7 days, the limit of Elastic Load Balancing). " +
					"`0s` switches it off. Omitted: left as it is. With stickiness on, the old group is detached at the end of every shift, since a cookie beats a weight of 0.",
			},
		},
	}
}

func strategyBlock() schema.Block {
	return schema.SingleNestedBlock{
		MarkdownDescription: "How the traffic moves. Omitted: all at once.",
		Attributes: map[string]schema.Attribute{
			"steps": schema.ListNestedAttribute{
				Optional: true,
				MarkdownDescription: "The stops on the way, in rising order. 100 is always the last one and is not written. Default: none, all at once. " +
					"The functions `linear`, `canary` and `preset` return such lists. " +
					"A step is passed when its hold is over and every gate on watch has passed at least once on data from after the step's change.",
				NestedObject: schema.NestedAttributeObject{Attributes: stepAttributes()},
			},
			"bake": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "How long to watch at 100 % with the way back still armed, as a duration. Default: `0s`.",
			},
			"settle": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "How long to wait for the balancer's nodes to obey before an old target group is let go, as a duration. Default: `60s`. " +
					"Elastic Load Balancing names no number; 60 to 120 seconds are what users of other tools found to be enough.",
			},
			"on_failure": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "What a failed gate or broken health does: `rollback` (the traffic goes back to `stable`) or `stop` (it stays where it is). The apply fails with both. Default: `rollback`.",
			},
			"on_interrupt": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "What an interrupt (Ctrl-C, SIGTERM) does: `rollback` or `stop`. Default: `rollback`.",
			},
			"rollback_window": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "For how long after a completed shift going back to the `previous` version may skip the steps and gates, as a duration. Default: `24h`. " +
					"`0s`: never.",
			},
		},
	}
}

func stepAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"percent": schema.NumberAttribute{
			Optional:            true,
			MarkdownDescription: "Percent of the way from `stable` to the wanted weights: above 0, below 100, above the step before, with one decimal at most. Must be there.",
		},
		"hold": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "How long the step is watched at least, as a duration such as `10m`. Must be there; `0s` is allowed.",
		},
		"gates": schema.ListAttribute{
			ElementType:         types.StringType,
			Optional:            true,
			MarkdownDescription: "Names of gates that are asked at this step. A gate that is named by a step is asked at such steps alone. Default: none.",
		},
	}
}

func healthBlock() schema.Block {
	attributes := healthAttributes()
	attributes["capacity_percent"] = schema.NumberAttribute{
		Optional: true,
		MarkdownDescription: "Percent, 0 to 100. The receiving group must have at least this percent of its share times the healthy targets that serve the entry point now. Default: `50`. " +
			"With 20 healthy targets serving, a group that is to take all the traffic needs 10.",
	}
	attributes["breach_for"] = schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "After the first weight: how long a breach must last before it counts, as a duration. Default: `30s`.",
	}
	return schema.SingleNestedBlock{
		MarkdownDescription: "What health asks of every target group that receives traffic, before each step and while it is watched. Health is always on; a group with no targets is never healthy.",
		Attributes:          attributes,
	}
}

// healthAttributes are what the switch and the environment ask of health alike.
func healthAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"min_healthy_percent": schema.NumberAttribute{
			Optional:            true,
			MarkdownDescription: "Percent, 1 to 100, of healthy targets among the healthy and unhealthy ones. Targets that are initial, draining or in a zone that is not enabled do not count. Default: `100`.",
		},
		"min_healthy_targets": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "How many healthy targets each group must have at least, 1 or more. Default: `1`.",
		},
		"steady_for": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Before any traffic: for how long the set of targets must be unchanged with none initial, as a duration. Default: `15s`.",
		},
		"timeout": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "How long to wait for health, each time it is waited for, as a duration above zero. Default: `10m`.",
		},
	}
}

// ignoreBoth is said of active and of weights: what stands in the place of one
// alone looks as if it was written.
const ignoreBoth = "To leave the traffic as it is, let `ignore_changes` name both: `lifecycle { ignore_changes = [active, weights] }`."

func switchArguments() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"environments": schema.MapNestedAttribute{
			Required: true,
			MarkdownDescription: "Environment (a name of your own: `blue`, `green`) => its target groups and version. Two or twenty, at most five groups in one action at a time (the limit of Elastic Load Balancing). " +
				"Environments are known by their groups: a new name for the same groups moves no traffic. One that is taken out of the map is detached from the routes.",
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"name": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "The name once more, as a `bluegreen_environment` brings it along; it must be that of the key. Default: the key.",
				},
				"target_groups": schema.MapAttribute{
					ElementType:         types.StringType,
					Optional:            true,
					MarkdownDescription: "Entry point => ARN of the target group that serves it, one for each entry point in `load_balancer.routes`. Must be there.",
				},
				"version": schema.StringAttribute{
					Optional: true,
					MarkdownDescription: "What is deployed: an image digest, a launch template version. Rollbacks and rejected versions are known by it. " +
						"Default: none; an environment without a version is never a known rollback, and cannot be remembered as rejected.",
				},
			}},
		},
		"active": schema.StringAttribute{
			Optional: true,
			Computed: true,
			MarkdownDescription: "The environment that is to have all the traffic. Exactly one of `active` and `weights` is written. " +
				"Read from the routes; null while the traffic is split. " + ignoreBoth,
		},
		"weights": schema.MapAttribute{
			ElementType: types.NumberType,
			Optional:    true,
			Computed:    true,
			MarkdownDescription: "Environment => percent of the traffic, 0 to 100 with one decimal at most, for a split that stays. Names every environment and sums to 100. " +
				"Read from the routes; where they disagree it is their mean. A target group on a route that is no environment's stands under its own name. " + ignoreBoth,
		},
		"gates": schema.MapNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Gate (a name of your own) => exactly one kind and how it is judged. Default: none; health is always on.",
			NestedObject:        schema.NestedAttributeObject{Attributes: gateAttributes()},
		},
		"retry": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Any text. A new value lets a rejected version out once more, by steps and under all gates.",
		},
	}
}

// answersKept is said of whatever words a failing gate.
const answersKept = "Of a failing gate's answer the first 200 bytes are part of it, and so of the state."

func switchComputed() map[string]schema.Attribute {
	identity := map[string]schema.Attribute{
		"environment": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the environment."},
		"version":     schema.StringAttribute{Computed: true, MarkdownDescription: "Its version; null if it has none."},
	}
	return map[string]schema.Attribute{
		"schedule": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "What the next apply will do, or the last one did, in words, a line a thing. Known in the plan. Null after the traffic was found elsewhere.",
		},
		"stable": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "What the last completed shift left, or what was found at adoption. The way back always leads here.",
			Attributes: map[string]schema.Attribute{
				"weights":  schema.MapAttribute{ElementType: types.NumberType, Computed: true, MarkdownDescription: "Environment => percent of the traffic."},
				"versions": schema.MapAttribute{ElementType: types.StringType, Computed: true, MarkdownDescription: "Environment => version, of those that have one."},
			},
		},
		"live": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Who carries all the traffic now; null while it is split.",
			Attributes:          identity,
		},
		"previous": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Who carried all the traffic before the last completed shift; null after a way back.",
			Attributes:          identity,
		},
		"rejected": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "A version that a gate, health or a hand sent back. It does not go out again until `retry` has a new value; another version does. Null: none.",
			Attributes: map[string]schema.Attribute{
				"environment": identity["environment"],
				"version":     schema.StringAttribute{Computed: true, MarkdownDescription: "The version that was sent back."},
				"reason":      schema.StringAttribute{Computed: true, MarkdownDescription: "Why, in words. " + answersKept},
				"at":          schema.StringAttribute{Computed: true, MarkdownDescription: "When, in RFC 3339."},
			},
		},
		"last_shift": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "How the last shift ended, failed ones included (but for a failed create, which leaves nothing).",
			Attributes: map[string]schema.Attribute{
				"outcome":     schema.StringAttribute{Computed: true, MarkdownDescription: outcomeDescription()},
				"reason":      schema.StringAttribute{Computed: true, MarkdownDescription: "Why it ended so, in words; null when it completed. " + answersKept},
				"from":        schema.MapAttribute{ElementType: types.NumberType, Computed: true, MarkdownDescription: "Environment => percent of the traffic when it began."},
				"to":          schema.MapAttribute{ElementType: types.NumberType, Computed: true, MarkdownDescription: "Environment => percent of the traffic that was wanted."},
				"started_at":  schema.StringAttribute{Computed: true, MarkdownDescription: "When it began, in RFC 3339."},
				"finished_at": schema.StringAttribute{Computed: true, MarkdownDescription: "When it ended, in RFC 3339."},
			},
		},
	}
}

// The object types of the computed values, as they stand in the schema.
var (
	numbersType  = types.MapType{ElemType: types.NumberType}
	stringsType  = types.MapType{ElemType: types.StringType}
	stableTypes  = map[string]attr.Type{"weights": numbersType, "versions": stringsType}
	sideTypes    = map[string]attr.Type{"environment": types.StringType, "version": types.StringType}
	rejectTypes  = map[string]attr.Type{"environment": types.StringType, "version": types.StringType, "reason": types.StringType, "at": types.StringType}
	shiftTypes   = map[string]attr.Type{"outcome": types.StringType, "reason": types.StringType, "from": numbersType, "to": numbersType, "started_at": types.StringType, "finished_at": types.StringType}
	balanceTypes = map[string]attr.Type{"routes": types.MapType{ElemType: types.ListType{ElemType: types.StringType}}, "stickiness": types.StringType}
	environTypes = map[string]attr.Type{"name": types.StringType, "target_groups": stringsType, "version": types.StringType}
)
