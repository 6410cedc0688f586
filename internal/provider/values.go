package provider

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// reader reads a configuration of which any part may be unknown. It collects what is invalid in the known part
// and remembers that it skipped the rest.
type reader struct {
	diags   diag.Diagnostics
	unknown bool // the schedule depends on unknown values
}

func (r *reader) add(d diag.Diagnostic) { r.diags.Append(d) }

// known reports whether there is a value to read. An unknown value is remembered, a null value is not.
func (r *reader) known(v attr.Value) bool {
	if v == nil || v.IsNull() {
		return false
	}
	if v.IsUnknown() {
		r.unknown = true
		return false
	}
	return true
}

// missing reports whether a required value is null.
func missing(v attr.Value) bool { return v == nil || v.IsNull() }

// duration reads a duration that is not negative, or returns the default.
func (r *reader) duration(at path.Path, v attr.Value, or time.Duration) time.Duration {
	text, ok := v.(types.String)
	if !r.known(v) || !ok {
		return or
	}
	d, err := time.ParseDuration(text.ValueString())
	switch {
	case err != nil:
		r.add(unreadableDuration(at, text.ValueString()))
	case d < 0:
		r.add(negativeDuration(at, text.ValueString()))
	default:
		return d
	}
	return or
}

// positive reads a duration above zero.
func (r *reader) positive(at path.Path, v attr.Value, or time.Duration) time.Duration {
	before := r.diags.ErrorsCount()
	d := r.duration(at, v, or)
	if d == 0 && r.diags.ErrorsCount() == before {
		r.add(zeroDuration(at))
		return or
	}
	return d
}

// choice reads one of the allowed values, or returns the default.
func (r *reader) choice(at path.Path, v attr.Value, among ...string) string {
	text, ok := v.(types.String)
	if !r.known(v) || !ok {
		return among[0]
	}
	if !slices.Contains(among, text.ValueString()) {
		r.add(unknownChoice(at, text.ValueString(), among))
		return among[0]
	}
	return text.ValueString()
}

// whole reads an integer of at least low, or returns the default.
func (r *reader) whole(at path.Path, v attr.Value, low, or int) int {
	n, ok := v.(types.Int64)
	if !r.known(v) || !ok {
		return or
	}
	if n.ValueInt64() < int64(low) || n.ValueInt64() > 1_000_000 {
		r.add(integerOutOfRange(at, n.ValueInt64(), low))
		return or
	}
	return int(n.ValueInt64())
}

// percent reads a number from low to 100, or returns the default.
func (r *reader) percent(at path.Path, v attr.Value, low, or float64) float64 {
	n, ok := v.(types.Number)
	if !r.known(v) || !ok {
		return or
	}
	p, _ := n.ValueBigFloat().Float64()
	if p < low || p > 100 {
		r.add(percentOutOfRange(at, p, low))
		return or
	}
	return p
}

// boolean reads a boolean that is false by default.
func (r *reader) boolean(v attr.Value) bool {
	b, ok := v.(types.Bool)
	return r.known(v) && ok && b.ValueBool()
}

// text reads a string; empty where it is null or unknown.
func (r *reader) text(v attr.Value) string {
	s, ok := v.(types.String)
	if !r.known(v) || !ok {
		return ""
	}
	return s.ValueString()
}

// texts reads a map of strings without null or empty elements.
func (r *reader) texts(at path.Path, v attr.Value) map[string]string {
	m, ok := v.(types.Map)
	if !r.known(v) || !ok {
		return nil
	}
	read := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(m.Elements())) {
		if text, ok := r.element(at.AtMapKey(key), m.Elements()[key]); ok {
			read[key] = text
		}
	}
	return read
}

// list reads a list of strings without null or empty elements.
func (r *reader) list(at path.Path, v attr.Value) []string {
	l, ok := v.(types.List)
	if !r.known(v) || !ok {
		return nil
	}
	var read []string
	for i, e := range l.Elements() {
		if text, ok := r.element(at.AtListIndex(i), e); ok {
			read = append(read, text)
		}
	}
	return read
}

// element reads a string inside a map or list, where null and empty are errors.
func (r *reader) element(at path.Path, v attr.Value) (string, bool) {
	if missing(v) {
		r.add(nullElement(at))
		return "", false
	}
	text := r.text(v)
	if text == "" && !v.IsUnknown() {
		r.add(emptyElement(at))
	}
	return text, text != ""
}

// attributes returns the attributes of an object; nil where it is null or unknown.
func (r *reader) attributes(v attr.Value) map[string]attr.Value {
	o, ok := v.(types.Object)
	if !r.known(v) || !ok {
		return nil
	}
	return o.Attributes()
}
