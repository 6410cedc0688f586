// Package jsonschema compares documents with the JSON Schemas that docs/ publishes. It is for tests.
package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
)

// Schema is the subset of JSON Schema that the published schemas use.
type Schema struct {
	ID          string            `json:"$id"`
	Type        any               `json:"type"` // one name or a list
	Description string            `json:"description"`
	Required    []string          `json:"required"`
	Properties  map[string]Schema `json:"properties"`
	Additional  json.RawMessage   `json:"additionalProperties"`
	Items       *Schema           `json:"items"`
	Enum        []any             `json:"enum"`
	Const       any               `json:"const"`
}

var errNotGenerated = errors.New("docs/ has another schema than templates/; run make generate")

// Published reads a schema of templates/, which docs/ must have as well. root is the folder of the
// project.
func Published(root, name string) (Schema, error) {
	var s Schema
	text, err := os.ReadFile(filepath.Join(root, "templates", name))
	if err != nil {
		return s, err
	}
	published, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		return s, err
	}
	if !bytes.Equal(published, text) {
		return s, errNotGenerated
	}
	return s, json.Unmarshal(text, &s)
}

// Violations returns what the schema does not allow in a decoded value, and adds the properties that
// the value has to used.
func (s Schema) Violations(at string, value any, used map[string]bool) []string {
	used[at] = true
	var all []string
	if !s.hasType(value) {
		all = append(all, fmt.Sprintf("%s is %v, not %v", at, kindsOf(value), s.Type))
	}
	if s.Enum != nil && !slices.Contains(s.Enum, value) || s.Const != nil && !reflect.DeepEqual(s.Const, value) {
		all = append(all, fmt.Sprintf("%s is %v", at, value))
	}
	switch v := value.(type) {
	case map[string]any:
		all = append(all, s.ofObject(at, v, used)...)
	case []any:
		if s.Items == nil {
			return append(all, at+" has no items in the schema")
		}
		for _, inner := range v {
			all = append(all, s.Items.Violations(at+"[]", inner, used)...)
		}
	}
	return all
}

func (s Schema) ofObject(at string, object map[string]any, used map[string]bool) []string {
	var all []string
	for _, key := range s.Required {
		if _, ok := object[key]; !ok {
			all = append(all, fmt.Sprintf("%s has no %s: %v", at, key, object))
		}
	}
	for key, inner := range object {
		p, known := s.Properties[key]
		name := at + "." + key
		if !known {
			name = at + ".*"
			if json.Unmarshal(s.Additional, &p) != nil { // false, or missing
				all = append(all, fmt.Sprintf("%s may not have %s", at, key))
				continue
			}
		}
		all = append(all, p.Violations(name, inner, used)...)
	}
	return all
}

// hasType reports whether a value has a type of the schema. Only what lists its values needs none.
func (s Schema) hasType(value any) bool {
	types, isList := s.Type.([]any)
	switch {
	case s.Type == nil:
		return s.Enum != nil || s.Const != nil
	case !isList:
		types = []any{s.Type}
	}
	return slices.ContainsFunc(kindsOf(value), func(kind string) bool { return slices.Contains(types, any(kind)) })
}

func kindsOf(value any) []string {
	switch v := value.(type) {
	case nil:
		return []string{"null"}
	case string:
		return []string{"string"}
	case bool:
		return []string{"boolean"}
	case map[string]any:
		return []string{"object"}
	case []any:
		return []string{"array"}
	case float64:
		if v == float64(int64(v)) {
			return []string{"integer", "number"}
		}
		return []string{"number"}
	}
	return []string{fmt.Sprintf("%T", value)}
}

// Walk calls each with every property.
func (s Schema) Walk(at string, each func(at string, p Schema)) {
	for key, p := range s.Properties {
		each(at+"."+key, p)
		p.Walk(at+"."+key, each)
	}
	if s.Items != nil {
		s.Items.Walk(at+"[]", each)
	}
}
