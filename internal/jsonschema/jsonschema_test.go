package jsonschema_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/jsonschema"
)

func TestViolations(t *testing.T) {
	var s jsonschema.Schema
	err := json.Unmarshal([]byte(`{"type":"object","required":["a"],"additionalProperties":false,"properties":{"a":{"type":["integer","null"]},
		"b":{"enum":["x"]},"c":{"type":"array","items":{"type":"number"}},"d":{"type":"object","additionalProperties":{"type":"string"}},"e":{}}}`), &s)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		`{"a":1}`:                nil,
		`{"a":null,"b":"x"}`:     nil,
		`{"a":1.5}`:              {"it.a is [number], not [integer null]"},
		`{}`:                     {"it has no a: map[]"},
		`{"a":1,"f":1}`:          {"it may not have f"},
		`{"a":1,"b":"y"}`:        {"it.b is y"},
		`{"a":1,"c":[1,"x"]}`:    {"it.c[] is [string], not number"},
		`{"a":1,"d":{"k":true}}`: {"it.d.* is [boolean], not string"},
		`{"a":1,"e":1}`:          {"it.e is [integer number], not <nil>"},
		`[]`:                     {"it is [array], not object", "it has no items in the schema"},
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if got := s.Violations("it", value, map[string]bool{}); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
