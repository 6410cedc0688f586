package provider

import (
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// parseImport parses "web=<arn>[+<arn>...][,api=<arn>...]".
func parseImport(id string) ([]desiredRoute, diag.Diagnostics) {
	var routes []desiredRoute
	for entryText := range strings.SplitSeq(id, ",") {
		entry, arns, ok := strings.Cut(strings.TrimSpace(entryText), "=")
		if !ok || entry == "" || arns == "" {
			return nil, diag.Diagnostics{malformedImport(id, entryText)}
		}
		for arn := range strings.SplitSeq(arns, "+") {
			if _, err := elb.ParseRoute(arn); err != nil {
				return nil, diag.Diagnostics{importNotARoute(id, arn, err)}
			}
			if slices.ContainsFunc(routes, func(r desiredRoute) bool { return r.arn == arn }) {
				return nil, diag.Diagnostics{importTwice(id, arn)}
			}
			routes = append(routes, desiredRoute{entry, arn})
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

// adopt creates a state from the routes of an import: one environment per target group, named
// like it, until the configuration sets names.
func (s *observation) adopt(found map[string]traffic.State) diag.Diagnostic {
	environments := map[string]map[string]string{}
	names := map[string]string{} // by target group
	var all []shift.Weights
	for _, route := range s.model.stateRoutes() {
		setting := found[route.arn]
		if setting.Weights == nil {
			return importForwardsNothing(route, setting.Response)
		}
		for _, group := range setting.Groups() {
			if names[group] == "" {
				names[group] = unusedName(environments, group)
				environments[names[group]] = map[string]string{}
			}
			environments[names[group]][route.entry] = group
		}
		named := map[string]int{}
		for group, n := range setting.Weights {
			named[names[group]] = n
		}
		all = append(all, shift.FromRaw(named))
	}
	s.model.Environments = environmentsValue(environments)
	s.memory.Adopted = map[string]routeMemory{}
	for arn, setting := range found {
		s.memory.Adopted[arn] = rememberRoute(setting)
	}
	var every []string
	for name := range environments {
		every = append(every, name)
	}
	s.model.Stable = stableValue(shift.Mean(all), every, nil)
	return nil
}

// unusedName is the target group's own name, with a number where another one has that name:
// target groups in two regions or accounts can have the same name.
func unusedName(taken map[string]map[string]string, group string) string {
	name := group
	if arn, err := elb.ParseGroup(group); err == nil {
		name = arn.Name
	}
	for taken[name] != nil {
		name += "-2"
	}
	return name
}
