package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/jsonschema"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

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
	s, err := jsonschema.Published("../..", "notification.schema.json")
	if err != nil {
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
		for _, violation := range s.Violations("data", e["data"], used) {
			t.Error(violation)
		}
		data, _ := e["data"].(map[string]any)
		events[data["event"]] = true
		if e["dataschema"] != s.ID {
			t.Errorf("dataschema is %v, not %s", e["dataschema"], s.ID)
		}
	}
	s.Walk("data", func(at string, p jsonschema.Schema) {
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
