// Package provider is everything that knows Terraform: schema, validation, plans, state
// and the texts for users. It turns a configuration and the memory of earlier applies
// into a rollout.Spec, and the result of a shift into state.
package provider

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/ledger"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/notifying"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/reporting"
)

// Address is the registry address of the provider.
const Address = "registry.terraform.io/bluegreen/bluegreen"

// allowDestroyVariable set to 1 allows environments that carry traffic to be destroyed,
// for stacks that are destroyed as a whole.
const allowDestroyVariable = "BLUEGREEN_ALLOW_DESTROY"

var (
	_ provider.ProviderWithFunctions      = (*bluegreen)(nil)
	_ provider.ProviderWithValidateConfig = (*bluegreen)(nil)
)

// bluegreen is the provider.
type bluegreen struct {
	version string
	busy    *Busy
	parent  int // process ID of Terraform
	guarded bool
}

// Option changes how the provider runs.
type Option func(*bluegreen)

// WithGuardian lets shifts have guardians. The binary of the process must be this program, whose
// main function runs guard.Main where guard.Is.
func WithGuardian() Option { return func(p *bluegreen) { p.guarded = true } }

// orphaned reports whether Terraform is gone.
func (p *bluegreen) orphaned() bool { return os.Getppid() != p.parent }

// shiftRecords are the values of shift_record.
var shiftRecords = []string{"tags", "off"}

// New returns a constructor of the provider. Busy counts running shifts; it may be nil.
func New(version string, busy *Busy, options ...Option) func() provider.Provider {
	if busy == nil {
		busy = new(Busy)
	}
	parent := os.Getppid()
	return func() provider.Provider {
		p := &bluegreen{version: version, busy: busy, parent: parent}
		for _, option := range options {
			option(p)
		}
		return p
	}
}

// NewServer returns a constructor of the provider's server, with the arguments of New.
func NewServer(version string, busy *Busy, options ...Option) func() tfprotov6.ProviderServer {
	create := New(version, busy, options...)
	return func() tfprotov6.ProviderServer {
		return server{providerserver.NewProtocol6(create())()}
	}
}

// Metadata implements provider.Provider.
func (p *bluegreen) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "bluegreen", p.version
}

// Schema implements provider.Provider.
func (p *bluegreen) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = providerSchema()
}

// ValidateConfig implements provider.ProviderWithValidateConfig, so that terraform validate finds what
// the configuration alone shows. The environment is that of another machine then.
func (p *bluegreen) ValidateConfig(ctx context.Context, req provider.ValidateConfigRequest, resp *provider.ValidateConfigResponse) {
	var config providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, diags := notifying.Read(config.Notify, nil)
	resp.Diagnostics.Append(diags...)
}

// Configure implements provider.Provider. It makes no calls: a plan that needs no AWS
// works without credentials.
func (p *bluegreen) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var config providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings, diags := platform.ReadAWS(config.AWS, os.Getenv)
	resp.Diagnostics.Append(diags...)
	cluster, diags := platform.ReadKubernetes(config.Kubernetes, os.Getenv)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	if record := config.ShiftRecord; !record.IsNull() && !record.IsUnknown() && !slices.Contains(shiftRecords, record.ValueString()) {
		resp.Diagnostics.Append(notOneOf(path.Root("shift_record"), record.ValueString(), shiftRecords))
		return
	}
	if dir := config.ReportDir.ValueString(); strings.HasPrefix(dir, "~") {
		resp.Diagnostics.Append(tildeNotExpanded(path.Root("report_dir"), dir))
		return
	}
	notices, diags := notifying.Read(config.Notify, os.LookupEnv)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings.UserAgent = "terraform-provider-bluegreen/" + p.version
	cluster.UserAgent = settings.UserAgent
	resp.ResourceData = &backend{
		session: platform.Session{AWS: platform.AWSSession{Settings: settings}, Kubernetes: platform.KubernetesSession{Settings: cluster}}, busy: p.busy, lookup: os.LookupEnv, environ: os.Environ,
		noRecord: config.ShiftRecord.ValueString() == "off", noGuardian: !p.guarded || config.Guardian.Equal(types.BoolValue(false)), orphaned: p.orphaned,
		reports: reporting.Read(config.ReportDir, os.LookupEnv, p.version), notices: notices,
		allowDestroy: os.Getenv(allowDestroyVariable) == "1", ledger: ledger.New(),
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

// providerModel is the provider configuration.
type providerModel struct {
	AWS         types.List   `tfsdk:"aws"`
	Kubernetes  types.List   `tfsdk:"kubernetes"`
	ShiftRecord types.String `tfsdk:"shift_record"`
	Guardian    types.Bool   `tfsdk:"guardian"`
	ReportDir   types.String `tfsdk:"report_dir"`
	Notify      types.List   `tfsdk:"notify"`
}

func providerSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Blue/green and canary releases on AWS load balancers, Route 53, Lambda and Kubernetes: one `terraform apply` shifts the traffic in steps, " +
			"monitors gates and target health, and rolls the traffic back if one of them fails.\n\n" +
			"All arguments are optional. Credentials come from the default chain of the AWS SDK; the region of each call comes from the ARN of the route or target group. For Kubernetes routes they come from the block `kubernetes`.",
		Attributes: map[string]schema.Attribute{
			"shift_record": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Whether a running shift keeps a record on its routes: `tags` (keys `bluegreen:shift/…`, for Kubernetes annotations `bluegreen/shift-…`; removed when Terraform has saved the result) or `off`. " +
					"Default: `tags`. Without a record, an abandoned shift and a change outside Terraform look the same; see [What an apply does](guides/what-an-apply-does.md).",
			},
			"guardian": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Whether each shift has a guardian: a process beside the provider that returns the traffic if the provider is killed during the shift. " +
					"`false` leaves the traffic where it was, until the next apply. Default: `true`; Windows has no guardians. See [Reliability](guides/reliability.md).",
			},
			"report_dir": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Folder for the reports of shifts: a journal (JSON Lines, described by `docs/journal.schema.json`) and an HTML page per shift, and `index.html`. It is created if it does not exist. " +
					"Also `BLUEGREEN_REPORT_DIR`. Default: none; `\"\"` turns reports off. See [The report of a shift](guides/how-a-shift-works.md#the-report-of-a-shift).",
			},
		},
		Blocks: map[string]schema.Block{"aws": platform.AWSBlock(), "kubernetes": platform.KubernetesBlock(), "notify": notifying.Block()},
	}
}

// server limits the number of blocks, which the schemas of the framework cannot: Terraform then
// reports a second block that would be ignored, and the documentation has the limit.
type server struct{ tfprotov6.ProviderServer }

// GetProviderSchema implements tfprotov6.ProviderServer.
func (s server) GetProviderSchema(ctx context.Context, req *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	resp, err := s.ProviderServer.GetProviderSchema(ctx, req)
	if err != nil || resp == nil {
		return resp, err
	}
	limitSchema(resp.Provider)
	for _, all := range []map[string]*tfprotov6.Schema{resp.ResourceSchemas, resp.DataSourceSchemas} {
		for _, schema := range all {
			limitSchema(schema)
		}
	}
	return resp, nil
}

func limitSchema(s *tfprotov6.Schema) {
	if s != nil {
		limitBlocks(s.Block)
	}
}

// limitBlocks allows one block of each name, except of those that can be repeated.
func limitBlocks(b *tfprotov6.SchemaBlock) {
	if b == nil {
		return
	}
	for _, nested := range b.BlockTypes {
		if nested.Nesting == tfprotov6.SchemaNestedBlockNestingModeList && !input.IsRepeated(nested.TypeName) {
			nested.MaxItems = 1
		}
		limitBlocks(nested.Block)
	}
}
