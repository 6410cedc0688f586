package provider

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// decode returns a state without Terraform's types. All values of a state are known.
func (m switchModel) decode() release.State {
	return release.State{
		Routes:       m.stateRoutes(),
		Environments: m.stateEnvironments(),
		Weights:      sharesOf(m.Weights),
		Schedule:     m.Schedule.ValueString(),
		Stable:       decodeStable(m.Stable),
		Live:         decodeIdentity(m.Live),
		Previous:     decodeIdentity(m.Previous),
		Rejected:     decodeRejected(m.Rejected),
		LastShift:    decodeLastShift(m.LastShift),
		Retry:        m.Retry.ValueString(),
	}
}

// stateEnvironments returns the target groups and version of each environment of a state;
// nil just after an import.
func (m switchModel) stateEnvironments() map[string]release.Environment {
	if m.Environments.IsNull() {
		return nil
	}
	p, _ := m.platform()
	routes := routesByEntry(m.stateRoutes())
	found := map[string]release.Environment{}
	for name, v := range m.Environments.Elements() {
		attrs := (&decoder{}).Attributes(v)
		groups := p.ReadBackends(&input.Reader{}, path.Empty(), attrs).Values
		for entry, value := range groups {
			groups[entry], _ = p.Group(routes[entry], value)
		}
		found[name] = release.Environment{Groups: groups, Version: input.AsText(attrs["version"])}
	}
	return found
}

// routesByEntry returns the ids of routes by entry point.
func routesByEntry(routes []traffic.Route) map[string][]string {
	found := map[string][]string{}
	for _, route := range routes {
		found[route.Entry] = append(found[route.Entry], route.ID)
	}
	return found
}

// stateIDs returns the id of the resource of each environment of a state that is known; an inline one has none.
func (m switchModel) stateIDs() map[string]string {
	ids := map[string]string{}
	for name, v := range m.Environments.Elements() {
		if id := input.AsText((&decoder{}).Attributes(v)["id"]); id != "" {
			ids[name] = id
		}
	}
	return ids
}

// stateGroups returns the target groups of all environments of a state.
func (m switchModel) stateGroups() []string {
	var groups []string
	for _, e := range m.stateEnvironments() {
		groups = slices.AppendSeq(groups, maps.Values(e.Groups))
	}
	return groups
}

// stateRoutes returns the routes of a state, by entry point.
func (m switchModel) stateRoutes() []traffic.Route {
	routes := m.routes()
	var found []traffic.Route
	for _, entry := range slices.Sorted(maps.Keys(routes.Elements())) {
		list, _ := routes.Elements()[entry].(types.List)
		for _, e := range list.Elements() {
			found = append(found, traffic.Route{Entry: entry, ID: input.AsText(e)})
		}
	}
	return found
}

func decodeStable(v types.Object) release.Stable {
	attrs := (&decoder{}).Attributes(v)
	if attrs == nil {
		return release.Stable{}
	}
	weights, _ := attrs["weights"].(types.Map)
	versions, _ := attrs["versions"].(types.Map)
	return release.Stable{Weights: sharesOf(weights), Versions: textsOf(versions)}
}

func decodeIdentity(v types.Object) release.Identity {
	attrs := (&decoder{}).Attributes(v)
	return release.Identity{Environment: input.AsText(attrs["environment"]), Version: input.AsText(attrs["version"])}
}

func decodeRejected(v types.Object) *shift.Rejection {
	attrs := (&decoder{}).Attributes(v)
	if attrs == nil {
		return nil
	}
	return &shift.Rejection{
		Identity: shift.Identity{Environment: input.AsText(attrs["environment"]), Version: input.AsText(attrs["version"])},
		Reason:   input.AsText(attrs["reason"]),
		At:       asTime(attrs["at"]),
	}
}

func decodeLastShift(v types.Object) *release.LastShift {
	attrs := (&decoder{}).Attributes(v)
	if attrs == nil {
		return nil
	}
	from, _ := attrs["from"].(types.Map)
	to, _ := attrs["to"].(types.Map)
	return &release.LastShift{
		Outcome: release.Outcome(input.AsText(attrs["outcome"])), Reason: input.AsText(attrs["reason"]),
		From: sharesOf(from), To: sharesOf(to),
		Started: asTime(attrs["started_at"]), Finished: asTime(attrs["finished_at"]), Report: input.AsText(attrs["report"]),
	}
}

func asTime(v attr.Value) time.Time {
	t, err := time.Parse(time.RFC3339, input.AsText(v))
	if err != nil {
		return time.Time{}
	}
	return t
}

// encodeOutcome sets what the end of a shift determines.
func (m *switchModel) encodeOutcome(s release.State) {
	m.Stable = stableValue(s.Stable)
	m.Live = identityValue(s.Live)
	m.Previous = identityValue(s.Previous)
	m.Rejected = rejectedValue(s.Rejected)
	m.LastShift = lastShiftValue(s.LastShift)
}

// encode sets all computed values, and the weights and the active environment, which the
// configuration sets only in part.
func (m *switchModel) encode(s release.State) {
	m.encodeOutcome(s)
	m.Schedule = textValue(s.Schedule)
	m.Weights = weightsValue(s.Weights)
	m.Active = soleValue(s.Weights)
}

// hideImportedNames leaves out the values that have no meaning before the first apply after an
// import: they would name environments by their target groups, and the names that the configuration
// has for them would look like a move of the traffic in the plan.
func (m *switchModel) hideImportedNames() {
	m.Active, m.Weights, m.Live = types.StringNull(), types.MapNull(types.NumberType), types.ObjectNull(identityTypes)
}

// soleValue is the environment that has all traffic, null while it is split.
func soleValue(w shift.Weights) types.String {
	name, _ := w.Sole()
	return textValue(name)
}

// identityValue is live or previous; null without an environment.
func identityValue(id release.Identity) types.Object {
	if id.Environment == "" {
		return types.ObjectNull(identityTypes)
	}
	return types.ObjectValueMust(identityTypes, map[string]attr.Value{
		"environment": types.StringValue(id.Environment),
		"version":     textValue(id.Version),
	})
}

func stableValue(s release.Stable) types.Object {
	if s.Weights == nil && s.Versions == nil {
		return types.ObjectNull(stableTypes)
	}
	return types.ObjectValueMust(stableTypes, map[string]attr.Value{
		"weights":  weightsValue(s.Weights),
		"versions": textsValue(s.Versions),
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

func lastShiftValue(l *release.LastShift) types.Object {
	if l == nil {
		return types.ObjectNull(shiftTypes)
	}
	return types.ObjectValueMust(shiftTypes, map[string]attr.Value{
		"outcome":     types.StringValue(string(l.Outcome)),
		"reason":      textValue(l.Reason),
		"from":        weightsValue(l.From),
		"to":          weightsValue(l.To),
		"started_at":  timeValue(l.Started),
		"finished_at": timeValue(l.Finished),
		"report":      textValue(l.Report),
	})
}

// The keys of the private state of a switch.
const (
	memoryKey = "memory" // release.Memory
	planKey   = "plan"   // decisions of a plan, for its apply
)

// planMemory is what a plan decided beside its values.
type planMemory struct {
	Ignored bool `json:"leave,omitempty"`  // the traffic is left as it is
	Switch  int  `json:"switch,omitempty"` // ledger.Switch.ID of the plan, for a second plan of the same switch
}

// private is the framework's private state of a request or response.
type private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

type privateSetter interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// recall reads the value of a key; it changes nothing where there is none.
func recall(ctx context.Context, from private, key string, into any) diag.Diagnostics {
	text, diags := from.GetKey(ctx, key)
	if diags.HasError() || len(text) == 0 {
		return diags
	}
	if err := json.Unmarshal(text, into); err != nil {
		diags.Append(unreadableMemory(err))
	}
	return diags
}

// remember writes the value of a key.
func remember(ctx context.Context, to privateSetter, key string, value any) diag.Diagnostics {
	text, err := json.Marshal(value)
	if err != nil {
		return diag.Diagnostics{unreadableMemory(err)}
	}
	return to.SetKey(ctx, key, text)
}
