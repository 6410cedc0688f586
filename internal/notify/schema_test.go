package notify

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// schema is the subset of JSON Schema that describes the data.
type schema struct {
	ID          string            `json:"$id"`
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Additional  json.RawMessage   `json:"additionalProperties"`
	Items       *schema           `json:"items"`
	Enum        []any             `json:"enum"`
	Const       any               `json:"const"`
}

// check reports what the schema does not allow in a value, and marks the properties that were used.
func (s schema) check(t *testing.T, at string, value any, used map[string]bool) {
	t.Helper()
	used[at] = true
	if s.Enum != nil && !slices.Contains(s.Enum, value) || s.Const != nil && !reflect.DeepEqual(s.Const, value) {
		t.Errorf("%s is %v", at, value)
	}
	switch v := value.(type) {
	case map[string]any:
		s.is(t, at, "object")
		for _, key := range s.Required {
			if _, ok := v[key]; !ok {
				t.Errorf("%s has no %s: %v", at, key, v)
			}
		}
		for key, inner := range v {
			p, known := s.Properties[key]
			name := at + "." + key
			if !known {
				name = at + ".*"
				if json.Unmarshal(s.Additional, &p) != nil {
					t.Errorf("%s may not have %s", at, key)
				}
			}
			p.check(t, name, inner, used)
		}
	case []any:
		s.is(t, at, "array")
		for _, inner := range v {
			s.Items.check(t, at+"[]", inner, used)
		}
	case string:
		s.is(t, at, "string")
	case bool:
		s.is(t, at, "boolean")
	case float64:
		s.is(t, at, "number", map[bool]string{true: "integer"}[v == float64(int64(v))])
	default:
		t.Errorf("%s is %v", at, value)
	}
}

func (s schema) is(t *testing.T, at string, kinds ...string) {
	t.Helper()
	if s.Type == "" && (s.Enum != nil || s.Const != nil) {
		return
	}
	if !slices.Contains(kinds, s.Type) {
		t.Errorf("%s is %v, and may be %q", at, kinds, s.Type)
	}
}

// walk calls each with every property.
func (s schema) walk(at string, each func(at string, p schema)) {
	for key, p := range s.Properties {
		each(at+"."+key, p)
		p.walk(at+"."+key, each)
	}
	if s.Items != nil {
		s.Items.walk(at+"[]", each)
	}
}

// everyNotification has each event, and each property in one of them.
func everyNotification() []Notification {
	failed := Ending{Outcome: release.Failed, Reason: `gate "users" failed (the rollback failed)`, Gate: "users", Weights: split(5), Unread: true}
	all := append(wholeShift(), played(sampleShift(), failed, opening(shift.Forward))...)
	guarded := sampleShift()
	guarded.Guardian = true
	return append(all, played(guarded, Ending{Outcome: release.RolledBack, Reason: "the process of the shift died"}, []([]rollout.Event){both(rollout.WeightsVerified, split(0))}...)...)
}

// What is sent is an event of CloudEvents whose data matches the published schema, and every
// property of the schema is sent.
func TestCloudEvent_matchesTheSchema(t *testing.T) {
	text, err := os.ReadFile("../../templates/notification.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if published, err := os.ReadFile("../../docs/notification.schema.json"); err != nil || !bytes.Equal(published, text) {
		t.Errorf("docs/ has another schema than templates/; run make generate: %v", err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	used, events := map[string]bool{}, map[any]bool{}
	for _, n := range everyNotification() {
		text, err := n.cloudEvent()
		if err != nil {
			t.Fatal(err)
		}
		var e map[string]any
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		checkEnvelope(t, e)
		s.check(t, "data", e["data"], used)
		data, _ := e["data"].(map[string]any)
		events[data["event"]] = true
		if e["dataschema"] != s.ID {
			t.Errorf("dataschema is %v, not %s", e["dataschema"], s.ID)
		}
	}
	s.walk("data", func(at string, p schema) {
		if !used[at] {
			t.Errorf("%s was not sent", at)
		}
		if p.Description == "" {
			t.Errorf("%s has no description", at)
		}
	})
	for _, event := range s.Properties["event"].Enum {
		if !events[event] {
			t.Errorf("the event %v was not sent", event)
		}
	}
	if len(s.Properties["event"].Enum) != len(Events()) {
		t.Errorf("the schema has the events %v", s.Properties["event"].Enum)
	}
}

// checkEnvelope checks what CloudEvents 1.0 requires of the structured mode.
func checkEnvelope(t *testing.T, e map[string]any) {
	t.Helper()
	for name, value := range e {
		if text, is := value.(string); name != "data" && (!is || text == "") {
			t.Errorf("%s is %v", name, value)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("%s is no name of an attribute", name)
		}
	}
	for _, name := range []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"} {
		if _, ok := e[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
	if len(e) != 9 || e["specversion"] != "1.0" || e["datacontenttype"] != "application/json" || e["source"] != listener || e["subject"] != sampleShift().ID {
		t.Errorf("the event is %v", e)
	}
	at, _ := e["time"].(string)
	if _, err := time.Parse(time.RFC3339, at); err != nil {
		t.Error(err)
	}
	data, _ := e["data"].(map[string]any)
	event, _ := data["event"].(string)
	if e["type"] != "io.github.bluegreen.shift."+event {
		t.Errorf("the type of %s is %v", event, e["type"])
	}
}
