package provider

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The limits of group stickiness of Elastic Load Balancing.
const (
	leastSticky = time.Second
	mostSticky  = 7 * 24 * time.Hour
)

// desired is the desired state of a configuration, as far as it is known. Defaults are set here and not in
// the schema, so that changing a default shows no diff in plans.
type desired struct {
	release.Desired
	platform platform
	routesAt path.Path      // path of the routes argument
	entries  []string       // entry points, sorted; nil while unknown
	gates    []*desiredGate // sorted by name
}

// read reads a configuration or a plan. The traffic is given separately, because under ignore_changes both
// active and weights may be set.
func (r *reader) read(m switchModel, traffic trafficConfig) desired {
	p, block := m.platform()
	w := desired{Desired: release.Desired{Retry: m.Retry.ValueString()}, platform: p, routesAt: p.routesAt()}
	if m.Retry.IsUnknown() {
		r.unknown = true
	}
	r.readRouter(&w, block)
	r.readEnvironments(&w, m.Environments)
	r.readGates(&w, m.Gates)
	r.readStrategy(&w, m.Strategy)
	r.readHealth(&w, m.Health)
	r.readTraffic(&w, traffic)
	w.Unknown, w.Gates = r.unknown, w.gateSettings
	return w
}

// readRouter reads the block of the platform.
func (r *reader) readRouter(w *desired, v types.Object) {
	at := w.platform.at()
	if missing(v) {
		r.add(noRouterBlock(at))
		return
	}
	attrs := r.attributes(v)
	if attrs == nil {
		return
	}
	r.readStickiness(w, at.AtName("stickiness"), attrs["stickiness"])
	r.readRoutes(w, attrs["routes"])
}

// readRoutes reads the entry points with their routes.
func (r *reader) readRoutes(w *desired, v attr.Value) {
	routes, ok := v.(types.Map)
	if missing(v) || (ok && !routes.IsUnknown() && len(routes.Elements()) == 0) {
		r.add(noRoutes(w.routesAt))
		return
	}
	if !r.known(routes) {
		return
	}
	seen := map[string]path.Path{}
	w.entries = slices.Sorted(maps.Keys(routes.Elements()))
	for _, entry := range w.entries {
		r.readEntry(w, entry, routes.Elements()[entry], seen)
	}
}

// readEntry reads the routes of one entry point. Seen are the routes so far.
func (r *reader) readEntry(w *desired, entry string, v attr.Value, seen map[string]path.Path) {
	at := w.routesAt.AtMapKey(entry)
	list, ok := v.(types.List)
	switch {
	case missing(v):
		r.add(nullElement(at))
	case !r.name(at, entry):
	case ok && !list.IsUnknown() && len(list.Elements()) == 0:
		r.add(noRoutes(at))
	case r.known(v) && ok:
		for i, e := range list.Elements() {
			at := at.AtListIndex(i)
			arn, ok := r.element(at, e)
			if !ok {
				continue
			}
			if first, twice := seen[arn]; twice {
				r.add(sameRouteTwice(at, first, arn))
				continue
			}
			seen[arn] = at
			if fault := w.platform.routeFault(arn); fault != "" {
				r.add(unusableID(at, arn, fault))
				continue
			}
			w.Routes = append(w.Routes, traffic.Route{Entry: entry, ID: arn})
		}
	}
}

func (r *reader) readStickiness(w *desired, at path.Path, v attr.Value) {
	if !r.known(v) {
		return
	}
	before := r.diags.ErrorsCount()
	d := r.duration(at, v, 0)
	if r.diags.ErrorsCount() > before {
		return
	}
	if d != 0 && (d < leastSticky || d > mostSticky || d%time.Second != 0) {
		r.add(stickinessOutOfRange(at, r.text(v)))
		return
	}
	w.Sticky = &d
}

func (r *reader) readEnvironments(w *desired, v types.Map) {
	at := path.Root("environments")
	if !r.known(v) {
		return
	}
	if len(v.Elements()) == 0 {
		r.add(noEnvironments(at))
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
func (r *reader) readEnvironment(w *desired, name string, v attr.Value, owners map[string]path.Path) (release.Environment, bool) {
	at := path.Root("environments").AtMapKey(name)
	e := release.Environment{Groups: map[string]string{}}
	switch {
	case missing(v):
		r.add(nullElement(at))
		return e, false
	case !r.name(at, name):
		return e, false
	case v.IsUnknown():
		e.GroupsUnknown, e.VersionUnknown = true, true
		return e, true
	}
	own := &reader{} // unknown values are tracked by the environment
	attrs := own.attributes(v)
	if other := own.text(attrs["name"]); other != "" && other != name {
		r.add(nameIsNotKey(at.AtName("name"), other, name))
	}
	own.unknown = false // the key is known
	e.Version = own.text(attrs["version"])
	e.VersionUnknown, own.unknown = own.unknown, false
	at = at.AtName(w.platform.backends)
	if missing(attrs[w.platform.backends]) {
		r.add(noTargetGroups(at, w.routesAt))
		return e, true
	}
	e.Groups = own.texts(at, attrs[w.platform.backends])
	e.GroupsUnknown = own.unknown
	r.diags.Append(own.diags...)
	if groups, ok := attrs[w.platform.backends].(types.Map); ok && !groups.IsUnknown() {
		r.checkEntries(w, at, groups)
	}
	r.checkOwners(w.platform, at, e.Groups, owners)
	return e, true
}

// checkEntries checks that an environment has one target group for each entry point.
func (r *reader) checkEntries(w *desired, at path.Path, groups types.Map) {
	if w.entries == nil {
		return // unknown, or reported already
	}
	for _, entry := range w.entries {
		if _, ok := groups.Elements()[entry]; !ok {
			r.add(groupMissing(at, entry, w.routesAt))
		}
	}
	for _, entry := range slices.Sorted(maps.Keys(groups.Elements())) {
		if !slices.Contains(w.entries, entry) {
			r.add(groupTooMany(at.AtMapKey(entry), entry, w))
		}
	}
}

func (r *reader) checkOwners(p platform, at path.Path, groups map[string]string, owners map[string]path.Path) {
	mine := map[string]path.Path{}
	for _, entry := range slices.Sorted(maps.Keys(groups)) {
		group := groups[entry]
		at := at.AtMapKey(entry)
		if fault := p.groupFault(group); fault != "" {
			r.add(unusableID(at, group, fault))
			continue
		}
		if other, taken := owners[group]; taken {
			r.add(sameGroupTwice(at, other, group))
			continue
		}
		mine[group] = at
	}
	maps.Copy(owners, mine)
}

// readTraffic turns active or weights into desired weights.
func (r *reader) readTraffic(w *desired, traffic trafficConfig) {
	switch {
	case traffic.ignored:
	case traffic.active != nil:
		if !r.known(*traffic.active) {
			return
		}
		name := traffic.active.ValueString()
		if w.Environments != nil && !w.has(name) {
			r.add(noSuchEnvironment(path.Root("active"), name, slices.Sorted(maps.Keys(w.Environments))))
			return
		}
		w.Weights = shift.Sole(name)
	case traffic.weights != nil:
		r.readWeights(w, *traffic.weights)
	}
}

func (r *reader) readWeights(w *desired, v types.Map) {
	at := path.Root("weights")
	if !r.known(v) {
		return
	}
	before, percent, complete := r.diags.ErrorsCount(), map[string]float64{}, true
	for _, name := range slices.Sorted(maps.Keys(v.Elements())) {
		e := v.Elements()[name]
		at := at.AtMapKey(name)
		if missing(e) {
			r.add(nullElement(at))
			continue
		}
		if w.Environments != nil && !w.has(name) {
			r.add(noSuchEnvironment(at, name, slices.Sorted(maps.Keys(w.Environments))))
			continue
		}
		n, ok := e.(types.Number)
		if !r.known(e) || !ok {
			complete = false
			continue
		}
		percent[name], _ = n.ValueBigFloat().Float64()
		if _, err := shift.ShareOf(percent[name]); err != nil {
			r.add(badShare(at, percent[name], err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Environments)) {
		if _, ok := v.Elements()[name]; !ok {
			r.add(weightMissing(at, name))
		}
	}
	if !complete || r.diags.ErrorsCount() > before {
		return
	}
	goal, err := shift.FromPercent(percent)
	if errors.Is(err, shift.ErrSum) {
		r.add(wrongSum(at, percent))
		return
	}
	w.Weights = goal
}

// has reports whether an environment is configured.
func (w desired) has(name string) bool {
	_, ok := w.Environments[name]
	return ok
}
