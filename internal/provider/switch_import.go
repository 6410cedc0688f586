package provider

import (
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// parseImport parses "web=<arn>[+<arn>...][,api=<arn>...]".
func parseImport(id string) ([]traffic.Route, diag.Diagnostics) {
	var routes []traffic.Route
	for entryText := range strings.SplitSeq(id, ",") {
		entry, arns, ok := strings.Cut(strings.TrimSpace(entryText), "=")
		if !ok || entry == "" || arns == "" {
			return nil, diag.Diagnostics{malformedImport(id, entryText)}
		}
		for arn := range strings.SplitSeq(arns, "+") {
			if fault := platformOf(arn).routeFault(arn); fault != "" {
				return nil, diag.Diagnostics{importNotARoute(id, arn, fault)}
			}
			if slices.ContainsFunc(routes, func(r traffic.Route) bool { return r.ID == arn }) {
				return nil, diag.Diagnostics{importTwice(id, arn)}
			}
			routes = append(routes, traffic.Route{Entry: entry, ID: arn})
		}
	}
	return routes, nil
}

// nullModel is a state with only null values.
func nullModel() switchModel {
	strategy, _ := strategyBlock().Type().(types.ObjectType)
	health, _ := healthBlock().Type().(types.ObjectType)
	gates, _ := switchArguments()["gates"].GetType().(types.MapType)
	return switchModel{
		LoadBalancer: types.ObjectNull(loadBalancerTypes),
		Strategy:     types.ObjectNull(strategy.AttrTypes),
		Health:       types.ObjectNull(health.AttrTypes),
		Environments: types.MapNull(types.ObjectType{AttrTypes: environmentTypes}),
		Weights:      types.MapNull(types.NumberType),
		Gates:        types.MapNull(gates.ElemType),
		Stable:       types.ObjectNull(stableTypes),
		Live:         types.ObjectNull(identityTypes),
		Previous:     types.ObjectNull(identityTypes),
		Rejected:     types.ObjectNull(rejectedTypes),
		LastShift:    types.ObjectNull(shiftTypes),
	}
}
