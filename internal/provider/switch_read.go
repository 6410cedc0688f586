package provider

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// observation is a state that is refreshed from the routes.
type observation struct {
	model  switchModel
	memory memory
}

// refresh reads the routes of a state. It returns true where none of them exists. A missing route among
// several is left out; the plan and the apply report it.
func (r *switchResource) refresh(ctx context.Context, s *observation) (missing bool, diags diag.Diagnostics) {
	routes := s.model.stateRoutes()
	if len(routes) == 0 {
		return false, nil
	}
	c, err := r.backend.connect(ctx, routes[0].arn)
	if err != nil {
		return false, diag.Diagnostics{unreadable(routes, err)}
	}
	found, err := readExisting(ctx, c.reader, routes)
	if err != nil {
		return false, diag.Diagnostics{unreadable(routes, err)}
	}
	adopting := s.model.Environments.IsNull()
	if adopting && len(found) < len(routes) {
		return false, diag.Diagnostics{importMissing(routes, found)}
	}
	if len(found) == 0 {
		return true, nil
	}
	if adopting {
		if d := s.adopt(found); d != nil {
			return false, diag.Diagnostics{d}
		}
	}
	s.update(found, time.Now())
	s.observeOtherRoutes(ctx, c.reader)
	s.observeSlowStart(ctx, c.forward)
	return false, nil
}

// readExisting reads routes and leaves out those that do not exist.
func readExisting(ctx context.Context, reader *elb.Reader, routes []desiredRoute) (map[string]traffic.State, error) {
	var arns []string
	for _, route := range routes {
		arns = append(arns, route.arn)
	}
	for len(arns) > 0 {
		settings, err := reader.Read(ctx, arns)
		var call *elb.CallError
		if errors.Is(err, traffic.ErrNotFound) && errors.As(err, &call) && slices.Contains(arns, call.ARN) {
			arns = slices.DeleteFunc(arns, func(arn string) bool { return arn == call.ARN })
			continue
		}
		if err != nil {
			return nil, err
		}
		found := map[string]traffic.State{}
		for i, arn := range arns {
			found[arn] = settings[i]
		}
		return found, nil
	}
	return nil, nil
}

// update takes over what the routes do now.
func (s *observation) update(found map[string]traffic.State, now time.Time) {
	before := s.memory.Routes
	s.memory.Routes = map[string]routeMemory{}
	for arn, setting := range found {
		s.memory.Routes[arn] = rememberRoute(setting)
	}
	s.memory.ReadAt = nil
	if s.memory.Previous != nil {
		s.memory.ReadAt = &now
	}
	s.setTraffic()
	s.observeStickiness(found)
	s.detectExternalChange(now)
	for arn, setting := range found {
		if was, ok := before[arn]; ok && !was.state().Equal(setting) {
			s.model.Schedule = types.StringNull() // so that the plan shows it
		}
	}
}

// setTraffic sets weights, active and live from the remembered routes, with the names of the state.
func (s *observation) setTraffic() {
	w := s.weights()
	names := slices.Sorted(maps.Keys(s.model.Environments.Elements()))
	s.model.Weights = weightsValue(w, names)
	s.model.Active = soleValue(w)
	name, _ := w.Sole()
	version := s.model.stateEnvironments()[name].version
	if s.memory.Attempt != nil && s.memory.Attempt.Stopped != nil && s.memory.Attempt.Stopped.Environment == name {
		version = s.memory.Attempt.Stopped.Version
	}
	s.model.Live = identityValue(name, version)
}

// weights is the mean of the routes.
func (s *observation) weights() shift.Weights {
	owners := s.owners()
	var all []shift.Weights
	for _, route := range s.model.stateRoutes() {
		if seen, ok := s.memory.Routes[route.arn]; ok {
			all = append(all, owners.Weights(route.entry, seen.state()))
		}
	}
	return shift.Mean(all)
}

// owners knows the environments of the state and of a failed Update.
func (s *observation) owners() traffic.Owners {
	configured, attempted := map[string]map[string]string{}, map[string]map[string]string{}
	known := s.model.stateEnvironments()
	for name, e := range known {
		configured[name] = e.groups
	}
	if s.memory.Attempt != nil {
		for name, groups := range s.memory.Attempt.Environments {
			if !isKnown(known, groups) && configured[name] == nil {
				attempted[name] = groups
			}
		}
	}
	return ownersOf(configured, attempted)
}

// isKnown reports whether the target groups are those of an environment of the state.
func isKnown(known map[string]desiredEnvironment, groups map[string]string) bool {
	for _, e := range known {
		if sameGroups(e.groups, groups) {
			return true
		}
	}
	return false
}

// observeStickiness refreshes the stickiness where it is configured.
func (s *observation) observeStickiness(found map[string]traffic.State) {
	rd := &reader{}
	block := rd.attributes(s.model.LoadBalancer)
	if missing(block["stickiness"]) {
		return
	}
	configured, err := time.ParseDuration(asText(block["stickiness"]))
	if err != nil {
		return
	}
	for _, route := range s.model.stateRoutes() {
		now, ok := found[route.arn]
		if !ok || now.Weights == nil || now.Stickiness == configured {
			continue
		}
		s.model.LoadBalancer = types.ObjectValueMust(loadBalancerTypes, map[string]attr.Value{
			"routes":     block["routes"],
			"stickiness": types.StringValue(schedule.FormatDuration(now.Stickiness)),
		})
		return
	}
}

// detectExternalChange rejects a version whose shift stopped part way when all traffic has been moved back
// since: only a person can have done that.
func (s *observation) detectExternalChange(now time.Time) {
	if s.memory.Attempt == nil || s.memory.Attempt.Stopped == nil {
		return
	}
	stable, owners := s.model.stableWeights(), s.owners()
	for _, route := range s.model.stateRoutes() {
		seen, ok := s.memory.Routes[route.arn]
		if !ok || !owners.Weights(route.entry, seen.state()).Equal(stable) {
			return
		}
	}
	sent := *s.memory.Attempt.Stopped
	sent.Reason, sent.At = movedExternally, now
	s.memory.Attempt.Stopped = nil
	s.reject(&sent)
}

// reject remembers a rejected version. An environment without a version cannot be rejected.
func (s *observation) reject(who *identityMemory) {
	if who == nil || who.Version == "" {
		return
	}
	s.memory.Rejected = who
	s.model.Rejected = rejectedValue(&shift.Rejection{
		Identity: shift.Identity{Environment: who.Environment, Version: who.Version},
		Reason:   who.Reason,
		At:       who.At,
	})
}

// observeOtherRoutes finds listeners and rules that forward to an environment and are not routes. Missing
// permission is not an error.
func (s *observation) observeOtherRoutes(ctx context.Context, reader *elb.Reader) {
	var arns, groups []string
	for arn := range s.memory.Routes {
		arns = append(arns, arn)
	}
	for _, e := range s.owners().Environments() {
		groups = append(groups, slices.Collect(maps.Values(e))...)
	}
	slices.Sort(arns)
	others, err := reader.OtherRoutes(ctx, arns, groups)
	if err != nil {
		tflog.Warn(ctx, "other_routes_not_read", map[string]any{"error": err.Error()})
		return
	}
	s.memory.OtherRoutes = nil
	for _, other := range others {
		s.memory.OtherRoutes = append(s.memory.OtherRoutes, otherRouteMemory{Text: other.Text, Groups: other.Groups})
	}
}
