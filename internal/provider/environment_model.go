package provider

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// environmentModel is a configuration, a plan or a state of an environment.
type environmentModel struct {
	ID           types.String `tfsdk:"id"`
	Name         types.String `tfsdk:"name"`
	Version      types.String `tfsdk:"version"`
	TargetGroups types.Map    `tfsdk:"target_groups"`
	Records      types.Map    `tfsdk:"records"`
	Versions     types.Map    `tfsdk:"function_versions"`
	TestRoutes   types.List   `tfsdk:"test_routes"`
	BackedBy     types.List   `tfsdk:"backed_by"`
	Ready        types.List   `tfsdk:"ready"`
	Drain        types.String `tfsdk:"drain"`
	Protect      types.Bool   `tfsdk:"protect"`
	ResourceType types.String `tfsdk:"resource_type"`
}

// readiness is the readiness check of a configuration, as far as it is known.
type readiness struct {
	groups map[string]string // by entry point; values that only the routes complete, where the platform composes
	health rollout.HealthSettings
	gates  []*gates.Gate  // sorted by name
	drain  *time.Duration // nil: the deregistration delay of the target groups
}

// read reports what is invalid in an environment, as far as it is known.
func (m environmentModel) read() (readiness, diag.Diagnostics) {
	r := &decoder{}
	if r.Known(m.Name) {
		r.Name(path.Root("name"), m.Name.ValueString())
	}
	want := readiness{groups: r.readBackends(m)}
	r.readTests(m.TestRoutes)
	r.readBacking(path.Root("backed_by"), m.BackedBy)
	router, _ := m.platform()
	r.readReady(&want, m.Ready, router)
	if d := r.Duration(path.Root("drain"), m.Drain, 0); r.Known(m.Drain) {
		want.drain = &d
	}
	return want, r.Diags
}

// backends are the arguments of the platforms. A new platform is a field of environmentModel and a line here.
func (m *environmentModel) backends() map[string]*types.Map {
	return map[string]*types.Map{"target_groups": &m.TargetGroups, "records": &m.Records, "function_versions": &m.Versions}
}

// platform returns the platform of an environment, and the values of its argument. Without any it is the first one.
func (m environmentModel) platform() (platform.Entry, types.Map) {
	all, backends := platform.All(), m.backends()
	for _, p := range all {
		if values := backends[p.Backends]; !values.IsNull() {
			return p, *values
		}
	}
	return all[0], *backends[all[0].Backends]
}

// sameBackends reports whether the groups are the same.
func (m environmentModel) sameBackends(plan environmentModel) bool {
	for name, values := range m.backends() {
		if !values.Equal(*plan.backends()[name]) {
			return false
		}
	}
	return true
}

// readBackends reads the argument of the platform, of which an environment has one.
func (r *decoder) readBackends(m environmentModel) map[string]string {
	var set []string
	for _, p := range platform.All() {
		if !m.backends()[p.Backends].IsNull() {
			set = append(set, p.Backends)
		}
	}
	p, v := m.platform()
	at := path.Root(p.Backends)
	switch {
	case len(set) == 0:
		r.Add(noBackends(at))
		return nil
	case len(set) > 1:
		r.Add(severalBackends(path.Root(set[1]), set))
		return nil
	case !v.IsUnknown() && len(v.Elements()) == 0:
		r.Add(noGroups(at, p.Backend))
	}
	groups := r.Texts(at, v)
	for _, entry := range slices.Sorted(maps.Keys(groups)) {
		if fault := p.ValueFault(groups[entry]); fault != "" {
			r.Add(unusableID(at.AtMapKey(entry), groups[entry], fault))
		}
		r.Name(at.AtMapKey(entry), entry)
	}
	return groups
}

// readTests checks the test routes.
func (r *decoder) readTests(v types.List) {
	for i, e := range v.Elements() {
		at := path.Root("test_routes").AtListIndex(i)
		id, ok := r.Element(at, e)
		if !ok {
			continue
		}
		if fault := platform.Of(id).RouteFault(id); fault != "" {
			r.Add(unusableID(at, id, fault))
		}
	}
}

// readBacking rejects null elements, which would be missing dependencies.
func (r *decoder) readBacking(at path.Path, v types.List) {
	for i, e := range v.Elements() {
		if input.Missing(e) {
			r.Add(nullBacking(at.AtListIndex(i)))
		}
	}
}

func (r *decoder) readReady(want *readiness, v types.List, router platform.Entry) {
	at, attrs := r.Block(path.Root("ready"), v) // none: the defaults
	want.health = r.readHealthTerms(at, attrs)
	want.gates = gates.Read(&r.Reader, at.AtName("gate"), attrs["gate"], gates.OfReady)
	for _, g := range want.gates {
		if at, needs := g.NeedsRequests(); needs && router.Composes() {
			r.Add(noRequestsYet(at, g.Terms.Name, router))
		}
	}
}

// sameReadiness reports whether the readiness check is the same: the order of its gates does not
// matter.
func (m environmentModel) sameReadiness(plan environmentModel) bool {
	return gates.SameBlocks(m.Ready, plan.Ready)
}

// groups returns the groups, each once, sorted. Where the platform composes them, only a switch knows them.
func (m environmentModel) groups() []string {
	p, values := m.platform()
	if p.Composes() {
		return nil
	}
	groups := slices.Sorted(maps.Values(textsOf(values)))
	return slices.Compact(slices.DeleteFunc(groups, func(group string) bool { return group == "" }))
}

// keys returns what the ledger knows the environment by: its groups or, where only a switch knows them, its id.
func (m environmentModel) keys() []string {
	if p, _ := m.platform(); !p.Composes() {
		return m.groups()
	}
	if id := m.ID.ValueString(); id != "" {
		return []string{id}
	}
	return nil
}

// testRoutes returns the test routes, as far as they are known.
func (m environmentModel) testRoutes() []string {
	var routes []string
	for _, e := range m.TestRoutes.Elements() {
		if id := input.AsText(e); id != "" {
			routes = append(routes, id)
		}
	}
	return routes
}

// isProtected reports whether protect is anything but a known false.
func (m environmentModel) isProtected() bool {
	return m.Protect.IsNull() || m.Protect.IsUnknown() || m.Protect.ValueBool()
}

// isImported reports whether no apply has run since the import, so that there is nothing
// to compare with. A configuration always sets backed_by.
func (m environmentModel) isImported() bool { return m.BackedBy.IsNull() }

func importedEnvironment(e environmentImport) environmentModel {
	m := environmentModel{
		ID:           types.StringValue(newEnvironmentID()),
		Name:         types.StringValue(e.name),
		TargetGroups: types.MapNull(types.StringType),
		Records:      types.MapNull(types.StringType),
		Versions:     types.MapNull(types.StringType),
		TestRoutes:   types.ListNull(types.StringType),
		BackedBy:     types.ListNull(types.StringType),
		Ready:        types.ListNull(blockType(readyBlock())),
		ResourceType: types.StringValue(environmentType),
	}
	*m.backends()[e.platform.Backends] = textsValue(e.values)
	return m
}

// newEnvironmentID returns the id of a new environment: 16 hexadecimal digits.
func newEnvironmentID() string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}
