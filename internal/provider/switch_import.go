package provider

import (
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// parseImport takes "web=<arn>[+<arn>...][,api=<arn>...]" apart.
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

// nullModel is a state in which nothing is known yet.
func nullModel() switchModel {
	strategy, _ := strategyBlock().Type().(types.ObjectType)
	health, _ := healthBlock().Type().(types.ObjectType)
	gates, _ := switchArguments()["gates"].GetType().(types.MapType)
	return switchModel{
		LoadBalancer: types.ObjectNull(balanceTypes),
		Strategy:     types.ObjectNull(strategy.AttrTypes),
		Health:       types.ObjectNull(health.AttrTypes),
		Environments: types.MapNull(types.ObjectType{AttrTypes: environTypes}),
		Weights:      types.MapNull(types.NumberType),
		Gates:        types.MapNull(gates.ElemType),
		Stable:       types.ObjectNull(stableTypes),
		Live:         types.ObjectNull(sideTypes),
		Previous:     types.ObjectNull(sideTypes),
		Rejected:     types.ObjectNull(rejectTypes),
		LastShift:    types.ObjectNull(shiftTypes),
	}
}

// adopt makes a state of what the routes of an import do: an environment per
// target group, called like it, until the configuration gives names.
func (s *observation) adopt(found map[string]rollout.RouteState) diag.Diagnostic {
	environments := map[string]map[string]string{}
	names := map[string]string{} // by group
	var all []shift.Weights
	for _, route := range s.model.stateRoutes() {
		setting := found[route.arn]
		if setting.Weights == nil {
			return importForwardsNothing(route, setting.Response)
		}
		for _, group := range setting.Groups() {
			if names[group] == "" {
				names[group] = freeName(environments, group)
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

// freeName is the target group's own, or the first with a number that is free:
// in two regions or accounts two may be called alike.
func freeName(taken map[string]map[string]string, group string) string {
	name := group
	if arn, err := elb.ParseGroup(group); err == nil {
		name = arn.Name
	}
	for taken[name] != nil {
		name += "-2"
	}
	return name
}
