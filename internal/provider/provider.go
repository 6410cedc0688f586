// Package provider is everything that knows Terraform: schema, validation,
// plans, state and the words for a user. It turns a configuration and what is
// remembered into a rollout.Spec, and what a shift left behind into state.
package provider

import (
	"context"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

// Address is where Terraform finds the provider. It stands nowhere else.
const Address = "registry.terraform.io/bluegreen/bluegreen"

// allowDestroyVariable set to 1 lets environments be destroyed that carry
// traffic: for stacks that are thrown away as a whole.
const allowDestroyVariable = "BLUEGREEN_ALLOW_DESTROY"

var _ provider.ProviderWithFunctions = (*bluegreen)(nil)

// bluegreen is the provider.
type bluegreen struct {
	version string
	busy    *Busy
}

// New returns what makes a provider for a server of its own. Busy counts the
// shifts that are under way; nil where nobody asks.
func New(version string, busy *Busy) func() provider.Provider {
	if busy == nil {
		busy = new(Busy)
	}
	return func() provider.Provider { return &bluegreen{version: version, busy: busy} }
}

// Metadata implements provider.Provider.
func (p *bluegreen) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "bluegreen", p.version
}

// Schema implements provider.Provider.
func (p *bluegreen) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = providerSchema()
}

// Configure implements provider.Provider. Nothing is called here: a plan that
// needs no AWS works without credentials.
func (p *bluegreen) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var config providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings, diags := readAWS(config.AWS, os.Getenv)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings.userAgent = "terraform-provider-bluegreen/" + p.version
	resp.ResourceData = &backend{
		aws: settings, busy: p.busy, lookup: os.LookupEnv, environ: os.Environ,
		allowDestroy: os.Getenv(allowDestroyVariable) == "1", ledger: newLedger(),
	}
	resp.DataSourceData = resp.ResourceData
}

// Resources implements provider.Provider.
func (p *bluegreen) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newSwitch, newEnvironment}
}

// DataSources implements provider.Provider.
func (p *bluegreen) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{newSwitchData}
}

// Functions implements provider.ProviderWithFunctions.
func (p *bluegreen) Functions(context.Context) []func() function.Function {
	return []func() function.Function{newLinear, newCanary, newPreset}
}
