package gate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// schema is the subset of JSON Schema that describes the body.
type schema struct {
	Type        any               `json:"type"` // one name or a list
	Description string            `json:"description"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Additional  json.RawMessage   `json:"additionalProperties"`
	Items       *schema           `json:"items"`
	Enum        []any             `json:"enum"`
	Const       any               `json:"const"`
}

// violations returns what the schema does not allow in a value.
func (s schema) violations(at string, value any) []string {
	var violations []string
	kinds := map[string]bool{}
	for _, kind := range append(slices.Clone(anyList(s.Type)), s.kindOfConst()...) {
		kinds[fmt.Sprint(kind)] = true
	}
	kind := kindOf(value)
	if kind == "integer" && kinds["number"] {
		kind = "number"
	}
	if !kinds[kind] {
		violations = append(violations, fmt.Sprintf("%s is %s, not %v", at, kind, s.Type))
	}
	if s.Enum != nil && !slices.Contains(s.Enum, value) || s.Const != nil && !reflect.DeepEqual(s.Const, value) {
		violations = append(violations, fmt.Sprintf("%s is %v", at, value))
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range s.Required {
			if _, ok := v[key]; !ok {
				violations = append(violations, at+" has no "+key)
			}
		}
		for key, inner := range v {
			violations = append(violations, s.property(at, key).violations(at+"."+key, inner)...)
		}
	case []any:
		for _, inner := range v {
			violations = append(violations, s.Items.violations(at+"[]", inner)...)
		}
	}
	return violations
}

func (s schema) kindOfConst() []any {
	if s.Type == nil && s.Const != nil {
		return []any{kindOf(s.Const)}
	}
	return nil
}

// property returns the schema of a property, or one that no value matches if the
// property is not in the schema.
func (s schema) property(at, key string) schema {
	if p, ok := s.Properties[key]; ok {
		return p
	}
	var rest schema
	if err := json.Unmarshal(s.Additional, &rest); err != nil {
		return schema{Type: "allowed: " + at + " has no property " + key}
	}
	return rest
}

func anyList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

func kindOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	}
	return fmt.Sprintf("%T", value)
}

// undescribed returns the properties without a description.
func (s schema) undescribed(at string) []string {
	var missing []string
	if s.Description == "" {
		missing = append(missing, at)
	}
	for key, p := range s.Properties {
		missing = append(missing, p.undescribed(at+"."+key)...)
	}
	return missing
}

// The body has all properties of the published schema and no others.
func TestWebhook_matchesItsSchema(t *testing.T) {
	text, err := os.ReadFile("../../templates/webhook.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]rollout.GateInput{"a step": canaryInput(), "readiness": readinessInput(), "empty": {Part: shift.After, Attempt: 1}} {
		_, body := sentRequest(t, gate.Webhook{}, nil, in)
		var value map[string]any
		if err := json.Unmarshal(body, &value); err != nil {
			t.Fatal(err)
		}
		for _, violation := range s.violations("the body", value) {
			t.Errorf("%s: %s", name, violation)
		}
		sent, described := slices.Sorted(maps.Keys(value)), slices.Sorted(maps.Keys(s.Properties))
		if !slices.Equal(sent, described) || !slices.Equal(described, slices.Sorted(slices.Values(s.Required))) {
			t.Errorf("%s: got properties %v, schema has %v and requires %v", name, sent, described, s.Required)
		}
	}
	if missing := s.undescribed("the body"); missing != nil {
		t.Errorf("no description: %v", missing)
	}
}
