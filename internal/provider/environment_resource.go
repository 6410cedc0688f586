package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

var (
	_ resource.ResourceWithConfigure      = (*environmentResource)(nil)
	_ resource.ResourceWithValidateConfig = (*environmentResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*environmentResource)(nil)
	_ resource.ResourceWithImportState    = (*environmentResource)(nil)
)

// environmentResource is the resource bluegreen_environment.
type environmentResource struct {
	configured
}

func newEnvironment() resource.Resource { return &environmentResource{} }

// Metadata implements resource.Resource.
func (r *environmentResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_environment"
}

// Configure implements resource.ResourceWithConfigure.
func (r *environmentResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	resp.Diagnostics.Append(r.configure(req.ProviderData)...)
}

// ValidateConfig implements resource.ResourceWithValidateConfig. Unknown values are skipped;
// the apply checks them.
func (r *environmentResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config environmentModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, diags := config.read()
	resp.Diagnostics.Append(diags...)
}

// Create implements resource.Resource. It returns when the environment is ready. A failed
// Create leaves no state, because nothing was created.
func (r *environmentResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan environmentModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.ID = types.StringValue(newEnvironmentID())
	memory, diags := r.createOrUpdate(ctx, plan, nil, environmentMemory{})
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	resp.Diagnostics.Append(rememberEnvironment(ctx, resp.Private, memory)...)
}

// Update implements resource.Resource. A failed Update keeps the prior state.
func (r *environmentResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state environmentModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	before, diags := recallEnvironment(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	memory, diags := r.createOrUpdate(ctx, plan, &state, before)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	if memory != nil {
		resp.Diagnostics.Append(rememberEnvironment(ctx, resp.Private, memory)...)
	}
}

// Delete implements resource.Resource. It is refused while the environment carries traffic,
// and returns when in-flight requests have drained. Terraform keeps the state if it fails.
func (r *environmentResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state environmentModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	before, diags := recallEnvironment(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(r.destroy(ctx, state, before)...)
	if resp.Diagnostics.HasError() { // the environment stays, and so do the routes of the switches of this run
		before.Routes = r.knownRoutes(before.Routes)
		resp.Diagnostics.Append(rememberEnvironment(ctx, resp.Private, &before)...)
	}
}

// Read implements resource.Resource. What it finds is not part of the state: private state
// holds it for the plan.
func (r *environmentResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state environmentModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	before, diags := recallEnvironment(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	limited, cancel := limitRefresh(ctx)
	defer cancel()
	memory, diags := r.refresh(limited, state, before)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(rememberEnvironment(ctx, resp.Private, memory)...)
}

// ImportState implements resource.ResourceWithImportState. The Read that follows finds the
// traffic of the target groups.
func (r *environmentResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	imported, diags := parseEnvironmentImport(req.ID)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	m := importedEnvironment(imported)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}
