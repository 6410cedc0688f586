package provider

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

var (
	_ function.Function = (*stepsFunction)(nil)
	_ function.Function = (*presetFunction)(nil)
)

// stepType is a step as a function returns it. It has no gates, so that it is
// of one type with a step that is written without: Terraform finds no common
// type for the two sides of a conditional otherwise.
var stepType = types.ObjectType{AttrTypes: map[string]attr.Type{"percent": types.NumberType, "hold": types.StringType}}

// resultDescription is what every function says of its result. The example is
// a call of it.
func resultDescription(example string) string {
	return "\n\nThe result is a list of steps, objects of `percent` and `hold`, for `strategy.steps` of a `bluegreen_switch`. 100 is always the last step and is not in it. " +
		"It can be given as it is, joined with steps of your own by `concat`, chosen by a conditional, and changed by a `for` expression. " +
		"Its steps have no `gates`; where the other side of a conditional has some, both must. To give every step a gate: `[for s in provider::bluegreen::" + example + " : merge(s, { gates = [\"approve\"] })]`.\n\n" +
		"Needs Terraform 1.8 or OpenTofu 1.7."
}

const holdDescription = "How long each step is watched at least, as a duration such as `10m`; `0s` is allowed."

// stepsFunction is a function of a percentage and a hold.
type stepsFunction struct {
	name       string
	definition function.Definition
	steps      func(shift.Share, time.Duration) ([]shift.Step, error)
}

func newLinear() function.Function {
	return &stepsFunction{name: "linear", steps: shift.Linear, definition: stepsDefinition(
		"Steps of equal strides",
		"Returns steps of equal strides, each watched for the same time: `linear(20, \"1m\")` is 20, 40, 60 and 80 percent, one minute each.\n\n"+
			"The steps are the multiples of `percent` below 100. A last one that leaves less than a tenth of `percent` to go is left out: `linear(33.3, \"5m\")` is 33.3 and 66.6, "+
			"since 99.9 would only be the whole a little earlier."+resultDescription(`linear(20, "1m")`),
		"How much more of the way each step goes, in percent: above 0, below 100, with one decimal at most.",
	)}
}

func newCanary() function.Function {
	return &stepsFunction{name: "canary", steps: shift.Canary, definition: stepsDefinition(
		"One step before the whole",
		"Returns one step: `canary(10, \"15m\")` gives the new side 10 percent and watches for 15 minutes; then the rest follows at once."+
			resultDescription(`canary(10, "15m")`),
		"How much of the way the step goes, in percent: above 0, below 100, with one decimal at most.",
	)}
}

func stepsDefinition(summary, description, percent string) function.Definition {
	return function.Definition{
		Summary:             summary,
		MarkdownDescription: description,
		Parameters: []function.Parameter{
			function.NumberParameter{Name: "percent", MarkdownDescription: percent},
			function.StringParameter{Name: "hold", MarkdownDescription: holdDescription},
		},
		Return: function.ListReturn{ElementType: stepType},
	}
}

// Metadata implements function.Function.
func (f *stepsFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = f.name
}

// Definition implements function.Function.
func (f *stepsFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = f.definition
}

// Run implements function.Function. Terraform calls it with values alone that
// are known and not null.
func (f *stepsFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var percent types.Number
	var hold types.String
	if resp.Error = req.Arguments.Get(ctx, &percent, &hold); resp.Error != nil {
		return
	}
	rd := &reader{}
	watched := rd.duration(path.Root("hold"), hold, 0)
	if rd.diags.HasError() {
		resp.Error = argumentError(1, rd.diags[0])
		return
	}
	number, _ := percent.ValueBigFloat().Float64()
	share, err := shift.ShareOf(number)
	var steps []shift.Step
	if err == nil {
		steps, err = f.steps(share, watched)
	}
	if err != nil {
		resp.Error = argumentError(0, badStep(path.Root("percent"), number, err))
		return
	}
	resp.Error = resp.Result.Set(ctx, stepsValue(steps, hold.ValueString()))
}

// presetFunction is the function preset.
type presetFunction struct{}

func newPreset() function.Function { return &presetFunction{} }

// Metadata implements function.Function.
func (*presetFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "preset"
}

// Definition implements function.Function.
func (*presetFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Steps of a deployment configuration of CodeDeploy",
		MarkdownDescription: "Returns the steps of a deployment configuration that AWS CodeDeploy predefines for ECS or Lambda, for those who come from there: " +
			"`preset(\"ECSLinear10PercentEvery3Minutes\")` is 10, 20, up to 90 percent, three minutes each. All at once is an empty list.\n\n" +
			"The known names are `" + strings.Join(shift.Presets(), "`, `") + "`. " +
			"`CodeDeployDefault.` may stand in front of each, and `ECS` and `Lambda` may be left out: `Canary10Percent5Minutes`." +
			resultDescription(`preset("Canary10Percent5Minutes")`),
		Parameters: []function.Parameter{
			function.StringParameter{Name: "name", MarkdownDescription: "Name of the deployment configuration. One that is not known is an error that lists those that are."},
		},
		Return: function.ListReturn{ElementType: stepType},
	}
}

// Run implements function.Function.
func (*presetFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var name string
	if resp.Error = req.Arguments.Get(ctx, &name); resp.Error != nil {
		return
	}
	steps, err := shift.Preset(name)
	if err != nil {
		resp.Error = argumentError(0, unknownPreset(path.Root("name"), name))
		return
	}
	hold := ""
	if len(steps) > 0 { // all of them are held alike
		hold = shift.FormatDuration(steps[0].Hold)
	}
	resp.Error = resp.Result.Set(ctx, stepsValue(steps, hold))
}

// stepsValue has the hold as it was written.
func stepsValue(steps []shift.Step, hold string) types.List {
	elements := []attr.Value{}
	for _, step := range steps {
		elements = append(elements, types.ObjectValueMust(stepType.AttrTypes, map[string]attr.Value{
			"percent": shareValue(step.At),
			"hold":    types.StringValue(hold),
		}))
	}
	return types.ListValueMust(stepType, elements)
}

// argumentError says of an argument what is said of an attribute. Terraform
// names the argument before it and puts the full stop behind it.
func argumentError(position int64, d diag.Diagnostic) *function.FuncError {
	return function.NewArgumentFuncError(position, strings.TrimSuffix(d.Detail(), "."))
}
