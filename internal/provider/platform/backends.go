package platform

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
)

// Argument is an argument of an environment with its groups.
type Argument struct {
	Name string
	// Text is its description, without the entry points that it must have.
	Text    string
	Element attr.Type
}

// Null is the value of an argument that is not set.
func (a Argument) Null() types.Map { return types.MapNull(a.Element) }

// setType is the type of a set of labels.
var setType = types.MapType{ElemType: types.StringType}

// BackendArguments are the arguments of an environment with its groups.
func (p Entry) BackendArguments() []Argument {
	all := []Argument{{p.Backends, p.BackendsText, types.StringType}}
	if p.Sets != "" {
		all = append(all, Argument{p.Sets, "Map of entry point to the labels of its Pods, such as `{ color = \"blue\" }`, with one for each entry point whose routes are `service/…`", setType})
	}
	return all
}

// Backends are the groups of an environment as its arguments have them.
type Backends struct {
	// Values are the values by entry point, as far as they are known. A set of labels is its text.
	Values map[string]string
	// Entries are the entry points, sorted, also those with unknown values; nil while they are unknown.
	Entries []string
	// Missing reports that no argument is set.
	Missing bool

	base path.Path
	at   map[string]path.Path
}

// At is the path of the value of an entry point.
func (b Backends) At(entry string) path.Path {
	if at, is := b.at[entry]; is {
		return at
	}
	return b.Argument().AtMapKey(entry)
}

// Argument is the path of the first argument.
func (b Backends) Argument() path.Path { return b.base }

// ReadBackends reads the arguments with the groups among those of an environment.
func (p Entry) ReadBackends(r *input.Reader, at path.Path, attributes map[string]attr.Value) Backends {
	b := Backends{Values: map[string]string{}, Entries: []string{}, Missing: true, base: at.AtName(p.Backends), at: map[string]path.Path{}}
	known := true
	for _, a := range p.BackendArguments() {
		v, ok := attributes[a.Name].(types.Map)
		if !ok || v.IsNull() {
			continue
		}
		b.Missing, known = false, known && !v.IsUnknown()
		at := at.AtName(a.Name)
		values := r.Texts
		if a.Element != attr.Type(types.StringType) {
			values = labelReader{r}.texts
		}
		for _, entry := range slices.Sorted(maps.Keys(v.Elements())) {
			if first, twice := b.at[entry]; twice {
				r.Add(input.Misuse(at.AtMapKey(entry), "The entry point is also in "+input.PathText(first)+". Keep the one that fits its routes."))
			}
			b.at[entry] = at.AtMapKey(entry)
			b.Entries = append(b.Entries, entry)
		}
		maps.Copy(b.Values, values(at, v))
	}
	slices.Sort(b.Entries)
	b.Entries = slices.Compact(b.Entries)
	if !known {
		b.Entries = nil
	}
	return b
}

// labelReader reads sets of labels.
type labelReader struct{ *input.Reader }

// texts reads a map of sets of labels. One of which a part is unknown is left out.
func (r labelReader) texts(at path.Path, v attr.Value) map[string]string {
	m, ok := v.(types.Map)
	if !r.Known(v) || !ok {
		return nil
	}
	read := map[string]string{}
	for _, entry := range slices.Sorted(maps.Keys(m.Elements())) {
		if text, ok := r.labels(at.AtMapKey(entry), m.Elements()[entry]); ok {
			read[entry] = text
		}
	}
	return read
}

func (r labelReader) labels(at path.Path, v attr.Value) (string, bool) {
	if input.Missing(v) {
		r.Add(input.NullElement(at))
		return "", false
	}
	m, ok := v.(types.Map)
	if !r.Known(v) || !ok {
		return "", false
	}
	if len(m.Elements()) == 0 {
		r.Add(input.Misuse(at, "It has no label. Set those that select the Pods of the environment and no others."))
		return "", false
	}
	set, complete := map[string]string{}, true
	for _, name := range slices.Sorted(maps.Keys(m.Elements())) {
		value, isText := m.Elements()[name].(types.String)
		switch {
		case input.Missing(m.Elements()[name]):
			r.Add(input.NullElement(at.AtMapKey(name)))
			complete = false
		case !r.Known(m.Elements()[name]) || !isText:
			complete = false
		case strings.ContainsAny(name+value.ValueString(), ",="):
			r.Add(input.Misuse(at.AtMapKey(name), "It is not a label of Kubernetes, which has no comma and no =."))
			complete = false
		default:
			set[name] = value.ValueString()
		}
	}
	return catalog.Labels(set), complete
}

// BackendValues returns the arguments with the groups of an environment, from values by entry point.
func (p Entry) BackendValues(values map[string]string) map[string]types.Map {
	elements := map[string]map[string]attr.Value{}
	for entry, value := range values {
		argument := p.Argument(value)
		if elements[argument] == nil {
			elements[argument] = map[string]attr.Value{}
		}
		elements[argument][entry] = types.StringValue(value)
		if argument == p.Sets && p.Sets != "" {
			elements[argument][entry] = setValue(catalog.SetOf(value))
		}
	}
	all := map[string]types.Map{}
	for i, a := range p.BackendArguments() {
		all[a.Name] = a.Null()
		if found := elements[a.Name]; found != nil || i == 0 && len(values) == 0 {
			all[a.Name] = types.MapValueMust(a.Element, found)
		}
	}
	return all
}

func setValue(set map[string]string) types.Map {
	labels := map[string]attr.Value{}
	for name, value := range set {
		labels[name] = types.StringValue(value)
	}
	return types.MapValueMust(types.StringType, labels)
}
