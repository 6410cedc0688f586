// Package input reads configurations of which any part may be null or unknown, and words
// diagnostics: what is invalid in one attribute (Misuse), and the form of all others
// (Detail). The resources, the kinds of gates and the platforms share it.
package input

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// Reader reads a configuration of which any part may be unknown. It collects what is invalid in the known part
// and remembers that it skipped the rest.
type Reader struct {
	Diags   diag.Diagnostics
	Unknown bool // the schedule depends on unknown values
}

// Add reports something invalid.
func (r *Reader) Add(d diag.Diagnostic) { r.Diags.Append(d) }

// Known reports whether there is a value to read. An unknown value is remembered, a null value is not.
func (r *Reader) Known(v attr.Value) bool {
	if v == nil || v.IsNull() {
		return false
	}
	if v.IsUnknown() {
		r.Unknown = true
		return false
	}
	return true
}

// Missing reports whether a required value is null.
func Missing(v attr.Value) bool { return v == nil || v.IsNull() }

// Duration reads a duration that is not negative, or returns the default.
func (r *Reader) Duration(at path.Path, v attr.Value, or time.Duration) time.Duration {
	text, ok := v.(types.String)
	if !r.Known(v) || !ok {
		return or
	}
	d, err := time.ParseDuration(text.ValueString())
	switch {
	case err != nil:
		r.Add(unreadableDuration(at, text.ValueString()))
	case d < 0:
		r.Add(negativeDuration(at, text.ValueString()))
	default:
		return d
	}
	return or
}

// Positive reads a duration above zero.
func (r *Reader) Positive(at path.Path, v attr.Value, or time.Duration) time.Duration {
	before := r.Diags.ErrorsCount()
	d := r.Duration(at, v, or)
	if d == 0 && r.Diags.ErrorsCount() == before {
		r.Add(zeroDuration(at))
		return or
	}
	return d
}

// Choice reads one of the allowed values, or returns the default.
func (r *Reader) Choice(at path.Path, v attr.Value, among ...string) string {
	text, ok := v.(types.String)
	if !r.Known(v) || !ok {
		return among[0]
	}
	if !slices.Contains(among, text.ValueString()) {
		r.Add(unknownChoice(at, text.ValueString(), among))
		return among[0]
	}
	return text.ValueString()
}

// Whole reads an integer of at least low, or returns the default.
func (r *Reader) Whole(at path.Path, v attr.Value, low, or int) int {
	n, ok := v.(types.Int64)
	if !r.Known(v) || !ok {
		return or
	}
	if n.ValueInt64() < int64(low) || n.ValueInt64() > 1_000_000 {
		r.Add(integerOutOfRange(at, n.ValueInt64(), low))
		return or
	}
	return int(n.ValueInt64())
}

// Percent reads a number from low to 100, or returns the default.
func (r *Reader) Percent(at path.Path, v attr.Value, low, or float64) float64 {
	n, ok := v.(types.Number)
	if !r.Known(v) || !ok {
		return or
	}
	p, _ := n.ValueBigFloat().Float64()
	if p < low || p > 100 {
		r.Add(percentOutOfRange(at, p, low))
		return or
	}
	return p
}

// Boolean reads a boolean that is false by default.
func (r *Reader) Boolean(v attr.Value) bool {
	b, ok := v.(types.Bool)
	return r.Known(v) && ok && b.ValueBool()
}

// Text reads a string; empty where it is null or unknown.
func (r *Reader) Text(v attr.Value) string {
	s, ok := v.(types.String)
	if !r.Known(v) || !ok {
		return ""
	}
	return s.ValueString()
}

// Texts reads a map of strings without null or empty elements.
func (r *Reader) Texts(at path.Path, v attr.Value) map[string]string {
	m, ok := v.(types.Map)
	if !r.Known(v) || !ok {
		return nil
	}
	read := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(m.Elements())) {
		if text, ok := r.Element(at.AtMapKey(key), m.Elements()[key]); ok {
			read[key] = text
		}
	}
	return read
}

// List reads a list of strings without null or empty elements.
func (r *Reader) List(at path.Path, v attr.Value) []string {
	l, ok := v.(types.List)
	if !r.Known(v) || !ok {
		return nil
	}
	var read []string
	for i, e := range l.Elements() {
		if text, ok := r.Element(at.AtListIndex(i), e); ok {
			read = append(read, text)
		}
	}
	return read
}

// Element reads a string inside a map or list, where null and empty are errors.
func (r *Reader) Element(at path.Path, v attr.Value) (string, bool) {
	if Missing(v) {
		r.Add(NullElement(at))
		return "", false
	}
	text := r.Text(v)
	if text == "" && !v.IsUnknown() {
		r.Add(emptyElement(at))
	}
	return text, text != ""
}

// Attributes returns the attributes of an object; nil where it is null or unknown.
func (r *Reader) Attributes(v attr.Value) map[string]attr.Value {
	o, ok := v.(types.Object)
	if !r.Known(v) || !ok {
		return nil
	}
	return o.Attributes()
}

// AsText returns the value of a string attribute; empty where it is null or unknown.
func AsText(v attr.Value) string {
	s, ok := v.(types.String)
	if !ok {
		return ""
	}
	return s.ValueString()
}
