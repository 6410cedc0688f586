package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// trafficKey is the key of the environment's memory in private state.
const trafficKey = "traffic"

// environmentMemory is what Read found, for the plan that follows, and for Delete.
type environmentMemory struct {
	Traffic []trafficMemory `json:"traffic,omitempty"` // empty: idle
	// Routes are those that had a group of the environment when they were read, and those of the switches
	// that ran before. Delete reads them, because not every control plane reports reliably which load balancer
	// a group belongs to.
	Routes []string `json:"routes,omitempty"`
}

// trafficMemory is a listener or rule that sends user traffic.
type trafficMemory struct {
	Route  string      `json:"route"`
	Text   string      `json:"text"`
	Group  string      `json:"group"`
	Share  shift.Share `json:"share"`
	Sticky bool        `json:"sticky,omitempty"`
	Narrow bool        `json:"narrow,omitempty"` // as in traffic.Reference
	// Recorded reports that the record of a shift that did not end gives the group this share.
	Recorded bool `json:"-"` // the plan uses what was observed
}

// carriesTraffic reports whether users reach the environment.
func (m environmentMemory) carriesTraffic() bool { return len(m.Traffic) > 0 }

// mayBeTests reports whether all traffic is that of rules that may be for tests.
func (m environmentMemory) mayBeTests() bool {
	return m.carriesTraffic() && !slices.ContainsFunc(m.Traffic, func(t trafficMemory) bool { return !t.Narrow })
}

// without returns the memory without the traffic of test routes.
func (m environmentMemory) without(tests []string) environmentMemory {
	m.Traffic = slices.DeleteFunc(slices.Clone(m.Traffic), func(t trafficMemory) bool { return slices.Contains(tests, t.Route) })
	return m
}

// testsOf returns the test routes of an environment. What a switch has as a route is not one: it may have taken
// over the route of an environment that is being destroyed.
func (r *environmentResource) testsOf(m environmentModel) []string {
	return slices.DeleteFunc(m.testRoutes(), r.backend.ledger.IsRoute)
}

// rememberReferences returns the references that carry user traffic: those that are no tests. The routes are all of
// them, and earlier ones.
func rememberReferences(users []traffic.Reference, tests, earlier []string) environmentMemory {
	m := environmentMemory{Routes: earlier}
	for _, u := range users {
		m.Routes = append(m.Routes, u.Route)
		if u.CarriesTraffic() {
			m.Traffic = append(m.Traffic, trafficMemory{Route: u.Route, Text: u.Text, Group: u.Group, Share: u.Share, Sticky: u.Sticky,
				Narrow: u.Narrow, Recorded: u.Recorded})
		}
	}
	slices.Sort(m.Routes)
	m.Routes = slices.Compact(m.Routes)
	return m.without(tests)
}

func recallEnvironment(ctx context.Context, from private) (environmentMemory, diag.Diagnostics) {
	var m environmentMemory
	if diags := recall(ctx, from, trafficKey, &m); diags.HasError() {
		return m, diag.Diagnostics{trafficNotRead()}
	}
	return m, nil
}

func rememberEnvironment(ctx context.Context, to privateSetter, m *environmentMemory) diag.Diagnostics {
	return remember(ctx, to, trafficKey, m)
}

// refresh reads which routes send traffic to an environment. Missing target groups have no
// traffic; only an import reports them.
func (r *environmentResource) refresh(ctx context.Context, state environmentModel, before environmentMemory) (*environmentMemory, diag.Diagnostics) {
	groups := state.groups()
	if len(groups) == 0 { // only a switch knows them
		return &environmentMemory{Routes: before.Routes}, nil
	}
	c, err := r.backend.connect(ctx, groups[0])
	if err != nil {
		return nil, diag.Diagnostics{environmentUnreadable(state, err)}
	}
	found, err := r.locate(ctx, location{finder: c.Reader, reader: c.Reader, groups: groups, routes: before.Routes})
	if err != nil {
		return nil, diag.Diagnostics{environmentUnreadable(state, err)}
	}
	if state.isImported() && len(found.existing) < len(groups) {
		return nil, diag.Diagnostics{importedGroupMissing(state, groups, found.existing)}
	}
	m := found.memory(r.testsOf(state))
	return &m, nil
}

// routeReader reads routes as traffic.Router does.
type routeReader interface {
	Read(ctx context.Context, routes []string) ([]traffic.State, error)
}

// recordReader reads records as traffic.Recorder does.
type recordReader interface {
	Records(ctx context.Context, routes []string) (map[string][]traffic.Record, error)
}

// location is where to look for the traffic of groups, and what was found.
type location struct {
	finder traffic.References
	reader routeReader
	groups []string
	routes []string // that may have one of the groups
	// recorder reads records of shifts; nil: they do not count
	recorder recordReader
	// ended reports whether the record of a shift means nothing any more
	ended func(traffic.Record) bool

	existing []string            // groups
	earlier  []string            // those of the routes that exist
	users    []traffic.Reference // of the groups
}

func (s location) memory(tests []string) environmentMemory {
	return rememberReferences(s.users, tests, s.earlier)
}

// locate finds the routes that have one of the groups. The load balancer that a control plane names for a group may
// be missing or late, so that the routes that switches had in this run and those of the location are read as well,
// unless they were found already. A route that does not exist has no traffic. Every other error is returned: what
// cannot be read may carry traffic.
func (r *environmentResource) locate(ctx context.Context, s location) (location, error) {
	var err error
	if s.existing, s.users, err = referencesOf(ctx, s.finder, s.groups); err != nil || len(s.existing) == 0 {
		return s, err
	}
	known := r.knownRoutes(s.routes)
	routes := slices.DeleteFunc(slices.Clone(known), func(route string) bool { return !s.mayHave(route) })
	states, err := readExisting(ctx, s.reader, routes)
	if err != nil {
		return s, err
	}
	for _, route := range routes {
		if state, exists := states[route]; exists {
			s.earlier = append(s.earlier, route)
			s.users = append(s.users, referencesAt(route, state, s.existing)...)
		}
	}
	known = slices.DeleteFunc(known, func(route string) bool { return slices.Contains(routes, route) && !slices.Contains(s.earlier, route) })
	return s.withRecorded(ctx, known)
}

// withRecorded adds the groups that a shift that did not end moves traffic to or from, as its record on a route says:
// they are its goal and what it is rolled back to, whatever the weights are at the moment.
func (s location) withRecorded(ctx context.Context, routes []string) (location, error) {
	routes = slices.DeleteFunc(routes, func(route string) bool { return !s.isNear(route) })
	if s.recorder == nil || len(routes) == 0 {
		return s, nil
	}
	records, err := s.recorder.Records(ctx, routes)
	if err != nil {
		return s, err
	}
	for _, route := range routes {
		for _, record := range records[route] {
			if record.IsOpen() && !s.ended(record) {
				s.users = append(s.users, s.recordedAt(route, record)...)
			}
		}
	}
	return s, nil
}

// isEnded reports whether the end of a shift is in the state: a switch of this run saved it, or
// one that another provider configuration of the same run manages, whose process is alive.
func (b *backend) isEnded(record traffic.Record) bool {
	if b.ledger.IsEnded(record.Shift) {
		return true
	}
	gone, known := owner.Abandoned(record.Owner)
	return record.Phase == traffic.PhaseCompleted && known && !gone
}

// recordedAt returns the groups that a record gives traffic and that the route does not send any now.
func (s location) recordedAt(route string, record traffic.Record) []traffic.Reference {
	var found []traffic.Reference
	for _, group := range s.existing {
		key := traffic.GroupKey(group)
		u := traffic.Reference{Route: route, Text: platform.Label(route), Group: group, Share: max(record.From[key], record.To[key]), Recorded: true}
		serves := func(x traffic.Reference) bool { return x.Route == route && x.Group == group && x.CarriesTraffic() }
		if i := slices.IndexFunc(s.users, func(x traffic.Reference) bool { return x.Route == route }); i >= 0 {
			u.Text = s.users[i].Text
		}
		if u.Share > 0 && !slices.ContainsFunc(s.users, serves) {
			found = append(found, u)
		}
	}
	return found
}

// knownRoutes returns routes with those of the switches in this run, each once, sorted.
func (r *environmentResource) knownRoutes(routes []string) []string {
	all := slices.Concat(routes, r.backend.ledger.Seen())
	slices.Sort(all)
	return slices.Compact(all)
}

// mayHave reports whether a route that was not found may have one of the groups, which are in its own region and
// account.
func (s location) mayHave(route string) bool {
	if slices.ContainsFunc(s.users, func(u traffic.Reference) bool { return u.Route == route }) {
		return false
	}
	return s.isNear(route)
}

// isNear reports whether a route is in the region and account of one of the groups.
func (s location) isNear(route string) bool {
	p := platform.Of(route)
	return slices.ContainsFunc(s.existing, func(group string) bool {
		return platform.Of(group).Block == p.Block && p.Place(group) == p.Place(route)
	})
}

// referencesAt returns the references of groups in the state of a route.
func referencesAt(route string, state traffic.State, groups []string) []traffic.Reference {
	var found []traffic.Reference
	for _, group := range groups {
		if _, attached := state.Weights[group]; !attached {
			continue
		}
		u := traffic.Reference{Route: route, Text: state.Label, Group: group, Share: shift.FromRaw(state.Weights)[group], Sticky: state.Stickiness > 0}
		if len(state.Weights) == 1 {
			u.Share = shift.Full // at whatever weight
		}
		if u.Text == "" {
			u.Text = platform.Label(route)
		}
		found = append(found, u)
	}
	return found
}

// referencesOf returns those of the groups that exist, and the routes that have them.
func referencesOf(ctx context.Context, finder traffic.References, groups []string) (existing []string, users []traffic.Reference, err error) {
	existing = slices.Clone(groups)
	for len(existing) > 0 {
		users, err = finder.References(ctx, existing)
		gone, is := traffic.Missing(err)
		if !is || !slices.Contains(existing, gone) {
			return existing, users, err
		}
		existing = slices.DeleteFunc(existing, func(group string) bool { return group == gone })
	}
	return nil, nil, nil
}
