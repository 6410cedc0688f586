package provider

import (
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
	Name         types.String `tfsdk:"name"`
	Version      types.String `tfsdk:"version"`
	TargetGroups types.Map    `tfsdk:"target_groups"`
	TestRoutes   types.List   `tfsdk:"test_routes"`
	BackedBy     types.List   `tfsdk:"backed_by"`
	Ready        types.List   `tfsdk:"ready"`
	Drain        types.String `tfsdk:"drain"`
	Protect      types.Bool   `tfsdk:"protect"`
	ResourceType types.String `tfsdk:"resource_type"`
}

// readiness is the readiness check of a configuration, as far as it is known.
type readiness struct {
	groups map[string]string // by entry point
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
	want := readiness{groups: r.readGroups(path.Root("target_groups"), m.TargetGroups)}
	r.readTests(m.TestRoutes)
	r.readBacking(path.Root("backed_by"), m.BackedBy)
	r.readReady(&want, m.Ready)
	if d := r.Duration(path.Root("drain"), m.Drain, 0); r.Known(m.Drain) {
		want.drain = &d
	}
	return want, r.Diags
}

func (r *decoder) readGroups(at path.Path, v types.Map) map[string]string {
	if !v.IsNull() && !v.IsUnknown() && len(v.Elements()) == 0 {
		r.Add(noGroups(at))
	}
	groups := r.Texts(at, v)
	for _, entry := range slices.Sorted(maps.Keys(groups)) {
		if fault := platform.Of(groups[entry]).GroupFault(groups[entry]); fault != "" {
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

func (r *decoder) readReady(want *readiness, v types.List) {
	at, attrs := r.Block(path.Root("ready"), v) // none: the defaults
	want.health = r.readHealthTerms(at, attrs)
	want.gates = gates.Read(&r.Reader, at.AtName("gate"), attrs["gate"], gates.OfReady)
}

// sameReadiness reports whether the readiness check is the same: the order of its gates does not
// matter.
func (m environmentModel) sameReadiness(plan environmentModel) bool {
	return gates.SameBlocks(m.Ready, plan.Ready)
}

// groups returns the target groups, each once, sorted.
func (m environmentModel) groups() []string {
	groups := slices.Sorted(maps.Values(textsOf(m.TargetGroups)))
	return slices.Compact(slices.DeleteFunc(groups, func(group string) bool { return group == "" }))
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

func importedEnvironment(name string, groups map[string]string) environmentModel {
	return environmentModel{
		Name:         types.StringValue(name),
		TargetGroups: textsValue(groups),
		TestRoutes:   types.ListNull(types.StringType),
		BackedBy:     types.ListNull(types.StringType),
		Ready:        types.ListNull(blockType(readyBlock())),
		ResourceType: types.StringValue(environmentType),
	}
}
