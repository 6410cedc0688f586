package provider

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// switchModel is a configuration, a plan or a state of the switch.
type switchModel struct {
	LoadBalancer types.List   `tfsdk:"load_balancer"`
	Route53      types.List   `tfsdk:"route53"`
	Lambda       types.List   `tfsdk:"lambda"`
	Kubernetes   types.List   `tfsdk:"kubernetes"`
	Strategy     types.List   `tfsdk:"strategy"`
	Health       types.List   `tfsdk:"health"`
	Environments types.Map    `tfsdk:"environments"`
	Active       types.String `tfsdk:"active"`
	Weights      types.Map    `tfsdk:"weights"`
	Gate         types.List   `tfsdk:"gate"`
	Retry        types.String `tfsdk:"retry"`

	Schedule  types.String `tfsdk:"schedule"`
	Stable    types.Object `tfsdk:"stable"`
	Live      types.Object `tfsdk:"live"`
	Previous  types.Object `tfsdk:"previous"`
	Rejected  types.Object `tfsdk:"rejected"`
	LastShift types.Object `tfsdk:"last_shift"`
}

// trafficConfig is the configured traffic: active or weights, or neither where it is ignored.
type trafficConfig struct {
	active  *types.String
	weights *types.Map
	ignored bool
}

// trafficConfigOf reads a configuration as a plan sees it. Under ignore_changes Terraform replaces
// configured values by those of the state, which is the only way that both can be set. It returns
// false where the two contradict each other.
func trafficConfigOf(config switchModel) (trafficConfig, bool) {
	active, weights := !config.Active.IsNull(), !config.Weights.IsNull()
	switch {
	case !active && !weights:
		return trafficConfig{ignored: true}, true
	case !active && isZero(config.Weights):
		return trafficConfig{ignored: true}, true
	case !active || config.Weights.IsUnknown():
		return trafficConfig{weights: &config.Weights}, true
	case !weights || config.Active.IsUnknown():
		return trafficConfig{active: &config.Active}, true
	}
	sole, ok := sharesOf(config.Weights).Sole()
	return trafficConfig{ignored: true}, ok && sole == config.Active.ValueString()
}

// isZero reports whether no environment has a weight. That is refused in a configuration, so that it is the state of a
// switch of which no route forwards.
func isZero(weights types.Map) bool {
	for _, e := range weights.Elements() {
		if n, ok := e.(types.Number); !ok || n.IsNull() || n.IsUnknown() || n.ValueBigFloat().Sign() != 0 {
			return false
		}
	}
	return len(weights.Elements()) > 0
}

// sharesOf reads percentages; invalid ones are ignored.
func sharesOf(v types.Map) shift.Weights {
	w := shift.Weights{}
	for name, e := range v.Elements() {
		if n, ok := e.(types.Number); ok && !n.IsNull() && !n.IsUnknown() {
			percent, _ := n.ValueBigFloat().Float64()
			share, err := shift.ShareOf(percent)
			if err == nil {
				w[name] = share
			}
		}
	}
	return w
}

func textsOf(v types.Map) map[string]string {
	texts := map[string]string{}
	for key, e := range v.Elements() {
		texts[key] = input.AsText(e)
	}
	return texts
}

// numberPrecision is Terraform's own: a computed number must equal one that was parsed.
const numberPrecision = 512

func shareValue(s shift.Share) types.Number {
	text := strconv.FormatFloat(s.Percent(), 'f', -1, 64)
	n, _, err := big.ParseFloat(text, 10, numberPrecision, big.ToNearestEven)
	if err != nil {
		return types.NumberNull()
	}
	return types.NumberValue(n)
}

// weightsValue returns the share of each name.
func weightsValue(w shift.Weights) types.Map {
	elements := map[string]attr.Value{}
	for name, share := range w {
		elements[name] = shareValue(share)
	}
	return types.MapValueMust(types.NumberType, elements)
}

func textsValue(texts map[string]string) types.Map {
	elements := map[string]attr.Value{}
	for key, text := range texts {
		elements[key] = types.StringValue(text)
	}
	return types.MapValueMust(types.StringType, elements)
}

// textValue is null for an empty string.
func textValue(text string) types.String {
	if text == "" {
		return types.StringNull()
	}
	return types.StringValue(text)
}

func timeValue(t time.Time) types.String {
	return types.StringValue(t.UTC().Format(time.RFC3339))
}

// blockType is the type of the elements of a block, as in the schema.
func blockType(b schema.Block) types.ObjectType {
	list, _ := b.Type().(types.ListType)
	object, _ := list.ElemType.(types.ObjectType)
	return object
}

// blockList is a list of one block, as in the schema.
func blockList(b schema.Block, values map[string]attr.Value) types.List {
	of := blockType(b)
	return types.ListValueMust(of, []attr.Value{types.ObjectValueMust(of.AttrTypes, values)})
}

// blockValue is a platform's block with routes only, as an import knows it.
func blockValue(ctx context.Context, p platform.Entry, routes []traffic.Route) (types.List, diag.Diagnostics) {
	byEntry := map[string][]attr.Value{}
	for _, route := range routes {
		byEntry[route.Entry] = append(byEntry[route.Entry], types.StringValue(route.ID))
	}
	lists := map[string]attr.Value{}
	for entry, ids := range byEntry {
		lists[entry] = types.ListValueMust(types.StringType, ids)
	}
	values := map[string]attr.Value{}
	for name, of := range blockType(p.Schema()).AttrTypes {
		null, err := of.ValueFromTerraform(ctx, tftypes.NewValue(of.TerraformType(ctx), nil))
		if err != nil {
			return types.ListNull(blockType(p.Schema())), diag.Diagnostics{unexpected(err)}
		}
		values[name] = null
	}
	values["routes"] = types.MapValueMust(types.ListType{ElemType: types.StringType}, lists)
	return blockList(p.Schema(), values), nil
}

// backendsValues returns the arguments of an environment that mean groups.
func backendsValues(p platform.Entry, groups map[string]string) map[string]types.Map {
	values := map[string]string{}
	for entry, group := range groups {
		values[entry] = p.Value(group)
	}
	return p.BackendValues(values)
}

func environmentsValue(p platform.Entry, environments map[string]release.Environment) types.Map {
	elements := map[string]attr.Value{}
	for name, e := range environments {
		values := map[string]attr.Value{"name": types.StringNull(), "version": types.StringNull(),
			"backed_by": types.ListNull(types.StringType), "resource_type": types.StringNull(), "id": types.StringNull()}
		for _, other := range platform.All() {
			for _, a := range other.BackendArguments() {
				values[a.Name] = a.Null()
			}
		}
		for name, value := range backendsValues(p, e.Groups) {
			values[name] = value
		}
		elements[name] = types.ObjectValueMust(environmentTypes(), values)
	}
	return types.MapValueMust(types.ObjectType{AttrTypes: environmentTypes()}, elements)
}

// nullModel is a state with only null values.
func nullModel() switchModel {
	m := switchModel{
		Strategy:     types.ListNull(blockType(strategyBlock())),
		Health:       types.ListNull(blockType(healthBlock())),
		Environments: types.MapNull(types.ObjectType{AttrTypes: environmentTypes()}),
		Weights:      types.MapNull(types.NumberType),
		Gate:         types.ListNull(blockType(gateBlock())),
		Stable:       types.ObjectNull(stableTypes),
		Live:         types.ObjectNull(identityTypes),
		Previous:     types.ObjectNull(identityTypes),
		Rejected:     types.ObjectNull(rejectedTypes),
		LastShift:    types.ObjectNull(shiftTypes),
	}
	for _, p := range platform.All() {
		*m.blocks()[p.Block] = types.ListNull(blockType(p.Schema()))
	}
	return m
}

// blocks are the blocks of the platforms. A new platform is a field of switchModel and a
// line here.
func (m *switchModel) blocks() map[string]*types.List {
	return map[string]*types.List{"load_balancer": &m.LoadBalancer, "route53": &m.Route53, "lambda": &m.Lambda, "kubernetes": &m.Kubernetes}
}

// identity identifies a planned switch for people: by its entry points, its environments, and where
// it sends the traffic.
func (m switchModel) identity() string {
	routes := m.routes()
	text := "entry point " + schedule.And(slices.Sorted(maps.Keys(routes.Elements())))
	if names := slices.Sorted(maps.Keys(m.Environments.Elements())); len(names) > 0 {
		text += ", environments " + schedule.And(names)
	}
	switch {
	case !m.Active.IsNull() && !m.Active.IsUnknown():
		text += fmt.Sprintf(", active = %q", m.Active.ValueString())
	case len(m.Weights.Elements()) > 0:
		text += ", weights " + sharesOf(m.Weights).String()
	}
	return text
}

// platform returns the platform of a switch, and the values of its block. Without any
// block it is the first one.
func (m switchModel) platform() (platform.Entry, types.List) {
	all, blocks := platform.All(), m.blocks()
	for _, p := range all {
		if block := blocks[p.Block]; !input.NoBlock(*block) {
			return p, *block
		}
	}
	return all[0], *blocks[all[0].Block]
}

// router returns the arguments of the platform's block; nil where it is missing or unknown.
func (m switchModel) router() map[string]attr.Value {
	_, block := m.platform()
	_, attrs := (&decoder{}).Block(path.Empty(), block)
	return attrs
}

// routes returns the routes by entry point.
func (m switchModel) routes() types.Map {
	routes, _ := m.router()["routes"].(types.Map)
	return routes
}
