package gate_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/jsonschema"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// The body has all properties of the published schema and no others.
func TestWebhook_matchesItsSchema(t *testing.T) {
	s, err := jsonschema.Published("../..", "webhook.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]rollout.GateInput{"a step": canaryInput(), "readiness": readinessInput(), "empty": {Part: shift.After, Attempt: 1}} {
		_, body := sentRequest(t, gate.Webhook{}, nil, in)
		var value map[string]any
		if err := json.Unmarshal(body, &value); err != nil {
			t.Fatal(err)
		}
		for _, violation := range s.Violations("the body", value, map[string]bool{}) {
			t.Errorf("%s: %s", name, violation)
		}
		sent, described := slices.Sorted(maps.Keys(value)), slices.Sorted(maps.Keys(s.Properties))
		if !slices.Equal(sent, described) || !slices.Equal(described, slices.Sorted(slices.Values(s.Required))) {
			t.Errorf("%s: got properties %v, schema has %v and requires %v", name, sent, described, s.Required)
		}
	}
	if s.Description == "" {
		t.Error("the body has no description")
	}
	s.Walk("the body", func(at string, p jsonschema.Schema) {
		if p.Description == "" {
			t.Errorf("%s has no description", at)
		}
	})
}
