package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

var (
	_ datasource.DataSourceWithConfigure      = (*switchData)(nil)
	_ datasource.DataSourceWithValidateConfig = (*switchData)(nil)
)

// switchData is the data source bluegreen_switch: the weights of routes, whatever manages
// them.
type switchData struct {
	configured
}

func newSwitchData() datasource.DataSource { return &switchData{} }

// switchDataModel is a configuration or a state of the data source.
type switchDataModel struct {
	Routes       types.Map    `tfsdk:"routes"`
	Environments types.Map    `tfsdk:"environments"`
	Live         types.Object `tfsdk:"live"`
	Weights      types.Map    `tfsdk:"weights"`
}

// Metadata implements datasource.DataSource.
func (d *switchData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_switch"
}

// Schema implements datasource.DataSource. As in the resource, nothing inside the map of
// environments may be Required.
func (d *switchData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads the weights of listeners, listener rules, weighted Route 53 records or Lambda aliases, whatever manages them. It changes nothing.\n\n" +
			"Use it for outputs, checks or another state. Do not compute `active` of a `bluegreen_switch` from it: the environment that is idle before an apply is live after it, so `active` would change at every apply.\n\n" +
			"While a resource that it refers to has pending changes, Terraform reads it at apply and its values are unknown in the plan.",
		Attributes: switchDataAttributes(),
	}
}

func switchDataAttributes() map[string]schema.Attribute {
	environment := map[string]schema.Attribute{
		"name": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Name, as exported by `bluegreen_environment`. Must equal the key. Default: the key.",
		},
		"version": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Deployed version, returned in `live`. Default: none.",
		},
	}
	for _, p := range platform.All() {
		for _, a := range p.BackendArguments() {
			environment[a.Name] = schema.MapAttribute{ElementType: a.Element, Optional: true, MarkdownDescription: a.Text + " in `routes`. Required."}
		}
	}
	return map[string]schema.Attribute{
		"routes": schema.MapAttribute{
			ElementType: types.ListType{ElemType: types.StringType},
			Required:    true,
			MarkdownDescription: "Map of entry point (a name that you choose, such as `web`) to the ARNs of the listeners (default action) and listener rules of Application Load Balancers, or listeners of Network Load Balancers, that serve it; or to records as `ZONE_ID/name/type`, to the ARNs of Lambda aliases, or to Kubernetes routes as `httproute/NAMESPACE/NAME`. All are of one kind. " +
				"A route that does not exist is an error.",
		},
		"environments": schema.MapNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Map of environment name to its target groups and version, as in the resource. Default: none; target groups are then listed under their own names.",
			NestedObject:        schema.NestedAttributeObject{Attributes: environment},
		},
		"live": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Environment that has all traffic now; null while the traffic is split or no route forwards to a target group.",
			Attributes: map[string]schema.Attribute{
				"environment": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the environment, or of an unmanaged target group."},
				"version":     schema.StringAttribute{Computed: true, MarkdownDescription: "Its version; null if it has none."},
			},
		},
		"weights": schema.MapAttribute{
			ElementType: types.NumberType,
			Computed:    true,
			MarkdownDescription: "Map of environment to its share of the traffic in percent, the mean of all routes that forward. " +
				"Unmanaged target groups are listed under their own names, with the suffix ` (target group)` where an environment has that name.",
		},
	}
}

// Configure implements datasource.DataSourceWithConfigure.
func (d *switchData) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	resp.Diagnostics.Append(d.configure(req.ProviderData)...)
}

// ValidateConfig implements datasource.DataSourceWithValidateConfig. Unknown values are
// skipped.
func (d *switchData) ValidateConfig(ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	var config switchDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, diags := config.desired()
	resp.Diagnostics.Append(diags...)
}

// Read implements datasource.DataSource. All values are known.
func (d *switchData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m switchDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	w, diags := m.desired()
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	limited, cancel := limitRefresh(ctx)
	defer cancel()
	settings, err := d.readRoutes(limited, w.Routes)
	if err != nil {
		resp.Diagnostics.Append(unreadableRoutes(w.Routes, err))
		return
	}
	m.setTraffic(w, settings)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// platform is that of the first route.
func (m switchDataModel) platform() platform.Entry {
	for _, list := range m.Routes.Elements() {
		if routes, ok := list.(types.List); ok && len(routes.Elements()) > 0 {
			return platform.Of(input.AsText(routes.Elements()[0]))
		}
	}
	return platform.Of("")
}

// desired reads the configuration with the rules of the resource.
func (m switchDataModel) desired() (desired, diag.Diagnostics) {
	rd, w := &decoder{}, desired{routesAt: path.Root("routes"), platform: m.platform()}
	rd.readRoutes(&w, m.Routes)
	rd.readEnvironments(&w, m.Environments)
	return w, rd.Diags
}

// readRoutes reads the routes through the reader that all resources share.
func (d *switchData) readRoutes(ctx context.Context, routes []traffic.Route) ([]traffic.State, error) {
	var arns []string
	for _, route := range routes {
		arns = append(arns, route.ID)
	}
	c, err := d.backend.connect(ctx, arns[0])
	if err != nil {
		return nil, err
	}
	return c.Reader.Read(ctx, arns)
}

// setTraffic sets live and weights from the routes.
func (m *switchDataModel) setTraffic(w desired, settings []traffic.State) {
	owners := w.platform.Release().Owners(w.Environments)
	var names []string
	var all []shift.Weights
	for i, route := range w.Routes {
		names = append(names, attachedNames(owners, route.Entry, settings[i])...)
		all = append(all, owners.Weights(route.Entry, settings[i]))
	}
	mean := shift.Mean(all)
	live, _ := mean.Sole()
	weights := w.WithNames(mean)
	for _, name := range names {
		weights[name] = mean[name]
	}
	m.Live, m.Weights = identityValue(release.Identity{Environment: live, Version: w.VersionOf(live)}), weightsValue(weights)
}

// attachedNames returns the environments and unmanaged target groups of a route, at whatever
// weight.
func attachedNames(owners traffic.Owners, entry string, s traffic.State) []string {
	each := map[string]int{}
	for _, group := range s.Groups() {
		each[group] = 1
	}
	return owners.Weights(entry, traffic.State{Weights: each}).Names()
}
