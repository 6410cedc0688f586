package gates

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// Place is where gates are configured.
type Place int

// The places of gates.
const (
	OfSwitch Place = iota
	OfReady        // the readiness check of an environment, which has one part and no steps
)

// Block is the schema of a gate: its name, its kind, and how to evaluate it. Every kind is a list
// of at most one block: Terraform requires the arguments of a kind only where there is such a block.
func Block(place Place) schema.NestedBlockObject {
	attributes := evaluationArguments()
	attributes["name"] = schema.StringAttribute{
		Required:            true,
		MarkdownDescription: "Name of the gate (that you choose), shown in schedules and errors. Each gate needs a name of its own, without commas and control characters.",
	}
	if place == OfSwitch {
		maps.Copy(attributes, partArguments())
	}
	blocks := map[string]schema.Block{}
	for _, k := range kinds() {
		blocks[k.name] = schema.ListNestedBlock{
			MarkdownDescription: k.description,
			NestedObject:        schema.NestedBlockObject{Attributes: k.arguments, Blocks: k.blocks},
		}
	}
	return schema.NestedBlockObject{Attributes: attributes, Blocks: blocks}
}

// partArguments say in which parts of a shift a gate is evaluated.
func partArguments() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"when": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Part of the shift in which the gate is evaluated: `before` (before any production traffic), `during` (at every step and in the bake), " +
				"`after` (only in the bake) or `always`. Default: `during`.",
		},
		"at_percent": schema.ListAttribute{
			ElementType: types.NumberType,
			Optional:    true,
			MarkdownDescription: "Steps at which the gate is evaluated, and at no others: list of numbers, each the `percent` of a step, or 100 for the bake. " +
				"With `weights`, too, it is the part of the shift that is done, as in `steps`. " +
				"A percentage without a step is an error, and so is a `when` other than `during`. Default: none, as `when` says.",
		},
	}
}

// evaluationArguments say how a gate is evaluated.
func evaluationArguments() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"interval": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Time between two evaluations, as a duration above zero. Default: `10s`.",
		},
		"timeout": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Maximum time of one evaluation, as a duration above zero. Default: `10s`.",
		},
		"initial_delay": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Warm-up after each weight change, as a duration: the gate is not evaluated, and `target_metrics`, `cloudwatch_metric` and `cloudwatch_alarm` ignore data from before its end. Default: `0s`.",
		},
		"failure_limit": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Number of failed evaluations to tolerate per shift, 0 or more. A step ends only after a pass that follows them. Default: `0`.",
		},
		"consecutive_error_limit": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Number of consecutive evaluations that may end in an error (could not measure), 0 or more. A step ends only after a pass that follows them. Default: `4`.",
		},
		"inconclusive_timeout": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "How long the gate may stay inconclusive after the hold of the step, as a duration. Default: `10m`; `24h` for `webhook`.",
		},
		"on_inconclusive_timeout": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Result when `inconclusive_timeout` is over: `fail`, `pass`, or `stop` (leave the weights as they are and fail the apply). Default: `fail`.",
		},
		"dry_run": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Evaluate and report only; the gate never blocks or fails a shift. Default: `false`.",
		},
	}
}
