package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
)

var (
	_ resource.ResourceWithConfigure      = (*switchResource)(nil)
	_ resource.ResourceWithValidateConfig = (*switchResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*switchResource)(nil)
	_ resource.ResourceWithImportState    = (*switchResource)(nil)
)

// switchResource is the resource bluegreen_switch.
type switchResource struct {
	configured
}

func newSwitch() resource.Resource { return &switchResource{} }

// Metadata implements resource.Resource.
func (r *switchResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_switch"
}

// Configure implements resource.ResourceWithConfigure.
func (r *switchResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	resp.Diagnostics.Append(r.configure(req.ProviderData)...)
}

// ValidateConfig implements resource.ResourceWithValidateConfig. Unknown values are skipped; the plan checks
// them.
func (r *switchResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config switchModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(validate(config)...)
}

// Create implements resource.Resource. A failed Create leaves no state: Terraform would taint it and replace
// the switch.
func (r *switchResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan switchModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	end := r.apply(ctx, change{plan: plan})
	r.see(plan)
	resp.Diagnostics.Append(end.diags...)
	if end.diags.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &end.model)...)
	resp.Diagnostics.Append(remember(ctx, resp.Private, memoryKey, end.memory)...)
}

// Update implements resource.Resource. A failed Update keeps the prior state with what is true now.
func (r *switchResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	c := change{state: new(switchModel)}
	resp.Diagnostics.Append(req.Plan.Get(ctx, &c.plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, c.state)...)
	resp.Diagnostics.Append(recall(ctx, req.Private, memoryKey, &c.memory)...)
	resp.Diagnostics.Append(recall(ctx, req.Private, planKey, &c.decided)...)
	if resp.Diagnostics.HasError() {
		return
	}
	end := r.apply(ctx, c)
	r.see(*c.state, c.plan)
	resp.Diagnostics.Append(end.diags...)
	resp.Diagnostics.Append(resp.State.Set(ctx, &end.model)...)
	resp.Diagnostics.Append(remember(ctx, resp.Private, memoryKey, end.memory)...)
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, planKey, nil)...)
}

// Delete implements resource.Resource. It moves no traffic. Its routes protect the environments that Terraform
// destroys after it.
func (r *switchResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state switchModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	r.see(state)
}

// Read implements resource.Resource.
func (r *switchResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m switchModel
	var memory release.Memory
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	resp.Diagnostics.Append(recall(ctx, req.Private, memoryKey, &memory)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(r.refreshFresh(ctx, &m, &memory)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	resp.Diagnostics.Append(remember(ctx, resp.Private, memoryKey, memory)...)
}

// ImportState implements resource.ResourceWithImportState. The Read that follows sets the values.
func (r *switchResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	routes, diags := parseImport(req.ID)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	m, p := nullModel(), platform.Of(routes[0].ID)
	*m.blocks()[p.Block], diags = blockValue(ctx, p, routes)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}
