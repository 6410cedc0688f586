package provider

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

var (
	_ datasource.DataSourceWithConfigure      = (*switchData)(nil)
	_ datasource.DataSourceWithValidateConfig = (*switchData)(nil)
)

// switchData is the data source bluegreen_switch: what routes give now,
// whoever manages them.
type switchData struct {
	backend *backend // nil while nothing is configured, as in validation
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

// Schema implements datasource.DataSource. As in the resource, nothing inside
// the map of environments may be Required.
func (d *switchData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads who carries the traffic of listeners and listener rules now, whoever manages them. It changes nothing.\n\n" +
			"It tells who is live, for an output, a check or another state. It has no \"idle\" environment to tell, and `active` of a `bluegreen_switch` is not to be computed from it: " +
			"the environment that is idle before an apply is live after it, so a colour chosen so would flip at every apply, whether there is a release or not. Write `active` down instead.\n\n" +
			"While anything that it refers to is about to change, Terraform reads it at apply only, and its values are unknown in the plan.",
		Attributes: switchDataAttributes(),
	}
}

func switchDataAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"routes": schema.MapAttribute{
			ElementType: types.ListType{ElemType: types.StringType},
			Required:    true,
			MarkdownDescription: "Entry point (a name of your own: `web`, `api`) => ARNs of the listeners (their default action) and listener rules that serve it, of Application Load Balancers in any region. " +
				"At least one entry point, each with at least one ARN, none twice. A route that does not exist is an error.",
		},
		"environments": schema.MapNestedAttribute{
			Optional: true,
			MarkdownDescription: "Environment (a name of your own: `blue`, `green`) => its target groups and version, as in the resource; `bluegreen_environment.app` with `for_each` fits as a whole. " +
				"Default: none; every target group then stands under its own name, which tells who is live where there is one entry point.",
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"name": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "The name once more, as a `bluegreen_environment` brings it along; it must be that of the key. Default: the key.",
				},
				"target_groups": schema.MapAttribute{
					ElementType:         types.StringType,
					Optional:            true,
					MarkdownDescription: "Entry point => ARN of the target group that serves it, one for each entry point in `routes`. Must be there.",
				},
				"version": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "What is deployed; `live` repeats it. Default: none.",
				},
			}},
		},
		"live": schema.SingleNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Who carries all the traffic now; null while it is split, where routes disagree, and where no route forwards to a target group.",
			Attributes: map[string]schema.Attribute{
				"environment": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the environment, or of a target group that is no environment's."},
				"version":     schema.StringAttribute{Computed: true, MarkdownDescription: "Its version; null if it has none."},
			},
		},
		"weights": schema.MapAttribute{
			ElementType: types.NumberType,
			Computed:    true,
			MarkdownDescription: "Environment => percent of the traffic, 0 to 100 with one decimal at most; where routes disagree it is their mean. Names every environment, " +
				"and under its own name every target group of the routes that is no environment's (with ` (target group)` after it where an environment is called so). " +
				"A route that answers by itself (a fixed response, a redirect) does not count; where all do, every weight is 0.",
		},
	}
}

// Configure implements datasource.DataSourceWithConfigure.
func (d *switchData) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	if req.ProviderData == nil {
		return
	}
	b, ok := req.ProviderData.(*backend)
	if !ok {
		resp.Diagnostics.Append(wrongProviderData(req.ProviderData))
		return
	}
	d.backend = b
}

// ValidateConfig implements datasource.DataSourceWithValidateConfig. What is
// not known yet is passed over.
func (d *switchData) ValidateConfig(ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	var config switchDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, diags := config.wanted()
	resp.Diagnostics.Append(diags...)
}

// Read implements datasource.DataSource. All is known by now.
func (d *switchData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m switchDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	w, diags := m.wanted()
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings, err := d.look(ctx, w.routes)
	if err != nil {
		resp.Diagnostics.Append(unreadableRoutes(w.routes, err))
		return
	}
	m.see(w, settings)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// wanted reads the configuration with the rules of the resource.
func (m switchDataModel) wanted() (desired, diag.Diagnostics) {
	rd, w := &reader{}, desired{routesAt: path.Root("routes")}
	rd.readRoutes(&w, m.Routes)
	rd.readEnvironments(&w, m.Environments)
	return w, rd.diags
}

// look returns what each route does, through the reader that all share.
func (d *switchData) look(ctx context.Context, routes []desiredRoute) ([]rollout.RouteState, error) {
	var arns []string
	for _, route := range routes {
		arns = append(arns, route.arn)
	}
	c, err := d.backend.connect(ctx, arns[0])
	if err != nil {
		return nil, err
	}
	return c.reader.Read(ctx, arns)
}

// see words what the routes do as live and weights.
func (m *switchDataModel) see(w desired, settings []rollout.RouteState) {
	spec := rollout.Spec{Groups: map[string]map[string]string{}}
	for name, e := range w.environments {
		spec.Groups[name] = e.groups
	}
	spec.UnmanagedName = strangerNamer(spec.Groups)
	names := slices.Collect(maps.Keys(w.environments))
	var all []shift.Weights
	for i, route := range w.routes {
		names = append(names, namedBy(spec, route.entry, settings[i])...)
		all = append(all, spec.Weights(route.entry, settings[i]))
	}
	mean := shift.Mean(all)
	live, _ := mean.Sole()
	version := ""
	if e := w.environments[live]; e != nil {
		version = e.version
	}
	m.Live, m.Weights = sideValue(live, version), weightsValue(mean, names)
}

// namedBy are the environments and strangers that a route names, with a share
// or without.
func namedBy(spec rollout.Spec, entry string, s rollout.RouteState) []string {
	each := map[string]int{}
	for _, group := range s.Groups() {
		each[group] = 1
	}
	return spec.Weights(entry, rollout.RouteState{Weights: each}).Names()
}
