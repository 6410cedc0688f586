package provider

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// decoder reads a configuration, a plan or a state of a resource.
type decoder struct{ input.Reader }

// desired is the desired state of a configuration, as far as it is known. Defaults are set here and not in
// the schema, so that changing a default shows no diff in plans.
type desired struct {
	release.Desired
	platform platform.Entry
	routesAt path.Path     // path of the routes argument
	entries  []string      // entry points, sorted; nil while unknown
	gates    []*gates.Gate // sorted by name
	// routesUnknown reports that some routes are unknown.
	routesUnknown bool
	// stepsUnknown reports that the steps are unknown or invalid.
	stepsUnknown bool
}

// read reads a configuration or a plan. The traffic is given separately, because under ignore_changes both
// active and weights may be set.
func (r *decoder) read(m switchModel, traffic trafficConfig) desired {
	p, block := m.platform()
	w := desired{Desired: release.Desired{Retry: m.Retry.ValueString()}, platform: p, routesAt: p.RoutesAt()}
	if m.Retry.IsUnknown() {
		r.Unknown = true
	}
	r.readRouter(&w, block)
	r.readEnvironments(&w, m.Environments)
	r.readStrategy(&w, m.Strategy)
	r.readGates(&w, m.Gate)
	r.readHealth(&w, m.Health)
	r.readTraffic(&w, traffic)
	w.Unknown = r.Unknown
	w.Gates = func(gaining []string) []shift.GateSettings { return gates.Settings(w.gates, gaining) }
	return w
}

// readRouter reads the block of the platform.
func (r *decoder) readRouter(w *desired, v types.List) {
	if input.NoBlock(v) {
		r.Add(noRouterBlock(w.platform.At()))
		return
	}
	at, attrs := r.Block(w.platform.At(), v)
	if attrs == nil {
		return
	}
	r.readStickiness(w, at.AtName("stickiness"), attrs["stickiness"])
	unknown := r.Unknown
	r.Unknown = false
	r.readRoutes(w, attrs["routes"])
	w.routesUnknown, r.Unknown = r.Unknown, r.Unknown || unknown
	for _, route := range w.Routes {
		if w.platform.Connections(route.ID) && w.Sticky != nil && *w.Sticky > 0 {
			r.Add(stickinessOfConnections(at.AtName("stickiness"), route.ID))
			return
		}
	}
}

// readRoutes reads the entry points with their routes.
func (r *decoder) readRoutes(w *desired, v attr.Value) {
	routes, ok := v.(types.Map)
	if input.Missing(v) || (ok && !routes.IsUnknown() && len(routes.Elements()) == 0) {
		r.Add(noRoutes(w.routesAt, w.platform))
		return
	}
	if !r.Known(routes) {
		return
	}
	seen := map[string]path.Path{}
	w.entries = slices.Sorted(maps.Keys(routes.Elements()))
	for _, entry := range w.entries {
		r.readEntry(w, entry, routes.Elements()[entry], seen)
	}
}

// readEntry reads the routes of one entry point. Seen are the routes so far.
func (r *decoder) readEntry(w *desired, entry string, v attr.Value, seen map[string]path.Path) {
	at := w.routesAt.AtMapKey(entry)
	list, ok := v.(types.List)
	switch {
	case input.Missing(v):
		r.Add(input.NullElement(at))
	case !r.Name(at, entry):
	case ok && !list.IsUnknown() && len(list.Elements()) == 0:
		r.Add(noRoutes(at, w.platform))
	case r.Known(v) && ok:
		for i, e := range list.Elements() {
			at := at.AtListIndex(i)
			arn, ok := r.Element(at, e)
			if !ok {
				continue
			}
			if first, twice := seen[arn]; twice {
				r.Add(sameRouteTwice(at, first, arn))
				continue
			}
			seen[arn] = at
			if fault := w.platform.RouteFault(arn); fault != "" {
				r.Add(unusableID(at, arn, fault))
				continue
			}
			if len(w.Routes) > 0 && w.platform.Place(arn).Partition != w.platform.Place(w.Routes[0].ID).Partition {
				r.Add(routeElsewhere(at, arn, w.Routes[0].ID))
				continue
			}
			w.Routes = append(w.Routes, traffic.Route{Entry: entry, ID: arn})
		}
	}
}

func (r *decoder) readStickiness(w *desired, at path.Path, v attr.Value) {
	if !r.Known(v) {
		return
	}
	before := r.Diags.ErrorsCount()
	d := r.Duration(at, v, 0)
	if r.Diags.ErrorsCount() > before {
		return
	}
	if limits := w.platform.Limits; d != 0 && (d < limits.MinSticky || d > limits.MaxSticky || d%time.Second != 0) {
		r.Add(stickinessOutOfRange(at, r.Text(v), limits))
		return
	}
	w.Sticky = &d
}

func (r *decoder) readEnvironments(w *desired, v types.Map) {
	at := path.Root("environments")
	if !r.Known(v) {
		return
	}
	if len(v.Elements()) == 0 {
		r.Add(noEnvironments(at))
		return
	}
	w.Environments = map[string]release.Environment{}
	owners := map[string]path.Path{} // by target group
	for _, name := range slices.Sorted(maps.Keys(v.Elements())) {
		if e, ok := r.readEnvironment(w, name, v.Elements()[name], owners); ok {
			w.Environments[name] = e
		}
	}
}

// readEnvironment returns false where there is no environment to read.
func (r *decoder) readEnvironment(w *desired, name string, v attr.Value, owners map[string]path.Path) (release.Environment, bool) {
	at := path.Root("environments").AtMapKey(name)
	e := release.Environment{Groups: map[string]string{}}
	switch {
	case input.Missing(v):
		r.Add(input.NullElement(at))
		return e, false
	case !r.Name(at, name):
		return e, false
	case v.IsUnknown():
		e.GroupsUnknown, e.VersionUnknown, e.InlineUnknown = true, true, true
		return e, true
	}
	own := &decoder{} // unknown values are tracked by the environment
	attrs := own.Attributes(v)
	e.Inline, e.InlineUnknown = r.readOrigin(at, attrs)
	if other := own.Text(attrs["name"]); other != "" && other != name {
		r.Add(nameIsNotKey(at.AtName("name"), other, name))
	}
	own.Unknown = false // the key is known
	e.Version = own.Text(attrs["version"])
	e.VersionUnknown, own.Unknown = own.Unknown, false
	at = at.AtName(w.platform.Backends)
	if input.Missing(attrs[w.platform.Backends]) {
		r.Add(backendsMissing(at, w))
		return e, true
	}
	e.Groups = own.Texts(at, attrs[w.platform.Backends])
	e.GroupsUnknown = own.Unknown
	r.Diags.Append(own.Diags...)
	r.Diags.Append(composeGroups(w, at, &e)...)
	if groups, ok := attrs[w.platform.Backends].(types.Map); ok && !groups.IsUnknown() {
		r.checkEntries(w, at, groups)
	}
	r.checkOwners(w, at, e.Groups, owners)
	return e, true
}

// composeGroups turns the values of an environment into groups. Without the routes of their entry point they are
// unknown.
func composeGroups(w *desired, at path.Path, e *release.Environment) (diags diag.Diagnostics) {
	if !w.platform.Composes() {
		return nil
	}
	routes, values := routesByEntry(w.Routes), e.Groups
	e.Groups = map[string]string{}
	for _, entry := range slices.Sorted(maps.Keys(values)) {
		value := values[entry]
		group, fault := "", w.platform.ValueFault(value)
		if known := !w.routesUnknown && len(routes[entry]) > 0; fault == "" && known {
			group, fault = w.platform.GroupOf(routes[entry], value)
		}
		switch {
		case fault != "":
			diags.Append(unusableID(at.AtMapKey(entry), value, fault))
		case group != "":
			e.Groups[entry] = group
		}
	}
	e.GroupsUnknown = e.GroupsUnknown || w.routesUnknown
	return diags
}

// readOrigin reports whether an environment is inline, or that it is not known. The data source
// has neither of the two arguments. What is unknown in backed_by does not matter: it only gives
// Terraform an order.
func (r *decoder) readOrigin(at path.Path, attrs map[string]attr.Value) (inline, unknown bool) {
	if backing, ok := attrs["backed_by"].(types.List); ok {
		r.readBacking(at.AtName("backed_by"), backing)
	}
	kind, ok := attrs["resource_type"].(types.String)
	switch {
	case ok && kind.IsUnknown():
		return false, true
	case !ok || kind.IsNull():
		return true, false
	case kind.ValueString() != environmentType:
		r.Add(notAnEnvironment(at.AtName("resource_type"), kind.ValueString()))
	}
	return false, false
}

// checkEntries checks that an environment has one target group for each entry point.
func (r *decoder) checkEntries(w *desired, at path.Path, groups types.Map) {
	if w.entries == nil {
		return // unknown, or reported already
	}
	for _, entry := range w.entries {
		if _, ok := groups.Elements()[entry]; !ok {
			r.Add(groupMissing(at, entry, w))
		}
	}
	for _, entry := range slices.Sorted(maps.Keys(groups.Elements())) {
		if !slices.Contains(w.entries, entry) {
			r.Add(groupTooMany(at.AtMapKey(entry), entry, w))
		}
	}
}

// checkOwners checks the groups of an environment: each can serve its entry point, and is used once.
func (r *decoder) checkOwners(w *desired, at path.Path, groups map[string]string, owners map[string]path.Path) {
	mine := map[string]path.Path{}
	for _, entry := range slices.Sorted(maps.Keys(groups)) {
		group := groups[entry]
		at := at.AtMapKey(entry)
		if fault := w.platform.GroupFault(group); fault != "" {
			r.Add(unusableID(at, group, fault))
			continue
		}
		if route, fault := w.elsewhere(entry, group); fault != "" {
			r.Add(groupElsewhere(at, fault, group, route))
			continue
		}
		if other, taken := owners[group]; taken {
			r.Add(sameGroupTwice(at, other, group))
			continue
		}
		mine[group] = at
	}
	maps.Copy(owners, mine)
}

// elsewhere returns a route of the entry point that cannot send traffic to the group, because
// the group is in another partition, account or region, and which of them it is.
func (w desired) elsewhere(entry, group string) (route, fault string) {
	for _, route := range w.Routes {
		if route.Entry != entry {
			continue
		}
		if fault := w.platform.Place(group).Apart(w.platform.Place(route.ID)); fault != "" {
			return route.ID, fault
		}
	}
	return "", ""
}

// readTraffic turns active or weights into desired weights.
func (r *decoder) readTraffic(w *desired, traffic trafficConfig) {
	switch {
	case traffic.ignored:
	case traffic.active != nil:
		if !r.Known(*traffic.active) {
			return
		}
		name := traffic.active.ValueString()
		if w.Environments != nil && !w.has(name) {
			r.Add(noSuchEnvironment(path.Root("active"), name, slices.Sorted(maps.Keys(w.Environments))))
			return
		}
		w.Weights = shift.Sole(name)
	case traffic.weights != nil:
		r.readWeights(w, *traffic.weights)
	}
}

func (r *decoder) readWeights(w *desired, v types.Map) {
	at := path.Root("weights")
	if !r.Known(v) {
		return
	}
	before, percent, complete := r.Diags.ErrorsCount(), map[string]float64{}, true
	for _, name := range slices.Sorted(maps.Keys(v.Elements())) {
		e := v.Elements()[name]
		at := at.AtMapKey(name)
		if input.Missing(e) {
			r.Add(input.NullElement(at))
			continue
		}
		if w.Environments != nil && !w.has(name) {
			r.Add(noSuchEnvironment(at, name, slices.Sorted(maps.Keys(w.Environments))))
			continue
		}
		n, ok := e.(types.Number)
		if !r.Known(e) || !ok {
			complete = false
			continue
		}
		percent[name], _ = n.ValueBigFloat().Float64()
		if _, err := shift.ShareOf(percent[name]); err != nil {
			r.Add(badShare(at, percent[name], err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Environments)) {
		if _, ok := v.Elements()[name]; !ok {
			r.Add(weightMissing(at, name))
		}
	}
	if !complete || r.Diags.ErrorsCount() > before {
		return
	}
	goal, err := shift.FromPercent(percent)
	if errors.Is(err, shift.ErrSum) {
		r.Add(wrongSum(at, percent))
		return
	}
	w.Weights = goal
}

// has reports whether an environment is configured.
func (w desired) has(name string) bool {
	_, ok := w.Environments[name]
	return ok
}
