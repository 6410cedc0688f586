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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

var (
	_ function.Function = (*stepsFunction)(nil)
	_ function.Function = (*presetFunction)(nil)
)

// stepType is a step as a function returns it. It has the same type as a literal step:
// Terraform requires one type for both results of a conditional.
var stepType = types.ObjectType{AttrTypes: map[string]attr.Type{"percent": types.NumberType, "hold": types.StringType}}

// resultDescription ends the description of every function. The example is a call of
// the function.
func resultDescription(example string) string {
	return "\n\nReturns a list of objects with `percent` and `hold` for `strategy.steps` of a `bluegreen_switch`. The step at 100 is added by the switch. " +
		"The list can be combined with other steps by `concat` and changed by a `for` expression, for example for a longer first step: `[for s in provider::bluegreen::" + example + " : s.percent < 15 ? merge(s, { hold = \"1h\" }) : s]`. " +
		"`at_percent` of a gate can be taken from it: `[for s in local.steps : s.percent]`. " +
		"In a conditional, both results must have the same attributes.\n\nRequires Terraform 1.8 or OpenTofu 1.7."
}

const holdDescription = "Minimum time at each step, as a duration such as `10m`; `0s` is allowed."

// stepsFunction is a function of a percentage and a hold.
type stepsFunction struct {
	name       string
	definition function.Definition
	steps      func(shift.Share, time.Duration) ([]shift.Step, error)
}

func newLinear() function.Function {
	return &stepsFunction{name: "linear", steps: shift.Linear, definition: stepsDefinition(
		"Equal steps",
		"Returns equal steps with the same hold: `linear(20, \"1m\")` returns 20, 40, 60 and 80 percent with one minute each.\n\n"+
			"The steps are the multiples of `percent` below 100. A last step that leaves less than a tenth of `percent` is omitted: `linear(33.3, \"5m\")` returns 33.3 and 66.6."+
			resultDescription(`linear(20, "1m")`),
		"Size of each step in percent: above 0, below 100, at most one decimal.",
	)}
}

func newCanary() function.Function {
	return &stepsFunction{name: "canary", steps: shift.Canary, definition: stepsDefinition(
		"One step before 100 percent",
		"Returns one step: `canary(10, \"15m\")` shifts 10 percent, holds for 15 minutes, and then shifts the rest."+
			resultDescription(`canary(10, "15m")`),
		"Size of the step in percent: above 0, below 100, at most one decimal.",
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

// Run implements function.Function. Terraform calls it only with known, non-null
// values.
func (f *stepsFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var percent types.Number
	var hold types.String
	if resp.Error = req.Arguments.Get(ctx, &percent, &hold); resp.Error != nil {
		return
	}
	rd := &decoder{}
	watched := rd.Duration(path.Root("hold"), hold, 0)
	if rd.Diags.HasError() {
		resp.Error = argumentError(1, rd.Diags[0])
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
		Summary: "Steps of a CodeDeploy deployment configuration",
		MarkdownDescription: "Returns the steps of a deployment configuration that AWS CodeDeploy predefines for ECS or Lambda: " +
			"`preset(\"ECSLinear10PercentEvery3Minutes\")` returns 10, 20, up to 90 percent with three minutes each. All at once is an empty list.\n\nThe names are `" + strings.Join(shift.Presets(), "`, `") + "`. " +
			"The prefix `CodeDeployDefault.` is optional, and so are `ECS` and `Lambda`: `Canary10Percent5Minutes`." +
			resultDescription(`preset("Canary10Percent5Minutes")`),
		Parameters: []function.Parameter{
			function.StringParameter{Name: "name", MarkdownDescription: "Name of the deployment configuration. An unknown name is an error that lists the known ones."},
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
	if len(steps) > 0 { // all steps have the same hold
		hold = schedule.FormatDuration(steps[0].Hold)
	}
	resp.Error = resp.Result.Set(ctx, stepsValue(steps, hold))
}

// stepsValue returns the steps with the hold as the user wrote it.
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

// argumentError turns an attribute's diagnostic into an argument error. Terraform
// prepends the argument's name and appends a period.
func argumentError(position int64, d diag.Diagnostic) *function.FuncError {
	return function.NewArgumentFuncError(position, strings.TrimSuffix(d.Detail(), "."))
}
