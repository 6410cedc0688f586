package provider

import (
	"maps"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// switchModel is a configuration, a plan or a state of the switch.
type switchModel struct {
	LoadBalancer types.Object `tfsdk:"load_balancer"`
	Strategy     types.Object `tfsdk:"strategy"`
	Health       types.Object `tfsdk:"health"`
	Environments types.Map    `tfsdk:"environments"`
	Active       types.String `tfsdk:"active"`
	Weights      types.Map    `tfsdk:"weights"`
	Gates        types.Map    `tfsdk:"gates"`
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
	case !active || config.Weights.IsUnknown():
		return trafficConfig{weights: &config.Weights}, true
	case !weights || config.Active.IsUnknown():
		return trafficConfig{active: &config.Active}, true
	}
	sole, ok := sharesOf(config.Weights).Sole()
	return trafficConfig{ignored: true}, ok && sole == config.Active.ValueString()
}

// stateEnvironments returns the target groups and version of each environment of a state.
func (m switchModel) stateEnvironments() map[string]desiredEnvironment {
	found := map[string]desiredEnvironment{}
	for name, v := range m.Environments.Elements() {
		own := &reader{}
		attrs := own.attributes(v)
		groups, _ := attrs["target_groups"].(types.Map)
		found[name] = desiredEnvironment{groups: textsOf(groups), version: asText(attrs["version"])}
	}
	return found
}

// stateRoutes returns the routes of a state, by entry point.
func (m switchModel) stateRoutes() []desiredRoute {
	own := &reader{}
	routes, _ := own.attributes(m.LoadBalancer)["routes"].(types.Map)
	var found []desiredRoute
	for _, entry := range slices.Sorted(maps.Keys(routes.Elements())) {
		list, _ := routes.Elements()[entry].(types.List)
		for _, e := range list.Elements() {
			found = append(found, desiredRoute{entry, asText(e)})
		}
	}
	return found
}

// stableWeights returns the stable weights of a state; nil where there are none.
func (m switchModel) stableWeights() shift.Weights {
	if m.Stable.IsNull() || m.Stable.IsUnknown() {
		return nil
	}
	weights, _ := m.Stable.Attributes()["weights"].(types.Map)
	return sharesOf(weights)
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
		texts[key] = asText(e)
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

// weightsValue returns the share of each name, and of every other name that has one.
func weightsValue(w shift.Weights, names []string) types.Map {
	elements := map[string]attr.Value{}
	for _, name := range append(w.Names(), names...) {
		elements[name] = shareValue(w[name])
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

// soleValue is the environment that has all traffic, null while it is split.
func soleValue(w shift.Weights) types.String {
	name, _ := w.Sole()
	return textValue(name)
}

// identityValue is live or previous; null without an environment.
func identityValue(environment, version string) types.Object {
	if environment == "" {
		return types.ObjectNull(identityTypes)
	}
	return types.ObjectValueMust(identityTypes, map[string]attr.Value{
		"environment": types.StringValue(environment),
		"version":     textValue(version),
	})
}

func stableValue(w shift.Weights, names []string, versions map[string]string) types.Object {
	return types.ObjectValueMust(stableTypes, map[string]attr.Value{
		"weights":  weightsValue(w, names),
		"versions": textsValue(versions),
	})
}

func rejectedValue(r *shift.Rejection) types.Object {
	if r == nil {
		return types.ObjectNull(rejectedTypes)
	}
	return types.ObjectValueMust(rejectedTypes, map[string]attr.Value{
		"environment": types.StringValue(r.Environment),
		"version":     textValue(r.Version),
		"reason":      types.StringValue(r.Reason),
		"at":          timeValue(r.At),
	})
}

// lastShift is the result of a shift.
type lastShift struct {
	outcome           outcome
	reason            string
	from, to          shift.Weights
	started, finished time.Time
}

func (l lastShift) value() types.Object {
	return types.ObjectValueMust(shiftTypes, map[string]attr.Value{
		"outcome":     types.StringValue(string(l.outcome)),
		"reason":      textValue(l.reason),
		"from":        weightsValue(l.from, nil),
		"to":          weightsValue(l.to, nil),
		"started_at":  timeValue(l.started),
		"finished_at": timeValue(l.finished),
	})
}

// loadBalancerValue is the block with routes only, as an import knows it.
func loadBalancerValue(routes []desiredRoute) types.Object {
	byEntry := map[string][]attr.Value{}
	for _, route := range routes {
		byEntry[route.entry] = append(byEntry[route.entry], types.StringValue(route.arn))
	}
	lists := map[string]attr.Value{}
	for entry, arns := range byEntry {
		lists[entry] = types.ListValueMust(types.StringType, arns)
	}
	return types.ObjectValueMust(loadBalancerTypes, map[string]attr.Value{
		"routes":     types.MapValueMust(types.ListType{ElemType: types.StringType}, lists),
		"stickiness": types.StringNull(),
	})
}

func environmentsValue(environments map[string]map[string]string) types.Map {
	elements := map[string]attr.Value{}
	for name, groups := range environments {
		elements[name] = types.ObjectValueMust(environmentTypes, map[string]attr.Value{
			"name":          types.StringNull(),
			"target_groups": textsValue(groups),
			"version":       types.StringNull(),
		})
	}
	return types.MapValueMust(types.ObjectType{AttrTypes: environmentTypes}, elements)
}
