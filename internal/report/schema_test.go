package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// schema is the subset of JSON Schema that describes a journal.
type schema struct {
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
	if s.Type != "" && !slices.Contains(typesOf(value), s.Type) {
		t.Errorf("%s is %T, not %s", at, value, s.Type)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range s.Required {
			if _, ok := v[key]; !ok {
				t.Errorf("%s has no %s: %v", at, key, v)
			}
		}
		for key, inner := range v {
			p, known := s.Properties[key]
			if !known && json.Unmarshal(s.Additional, &p) != nil {
				t.Errorf("%s may not have %s", at, key)
				continue
			}
			name := at + "." + key
			if !known {
				name = at + ".*"
			}
			p.check(t, name, inner, used)
		}
	case []any:
		for _, inner := range v {
			s.Items.check(t, at+"[]", inner, used)
		}
	}
}

func typesOf(value any) []string {
	switch v := value.(type) {
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
	return nil
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

// What is written matches the published schema, and every property of the schema is written.
func TestJournal_matchesItsSchema(t *testing.T) {
	text, err := os.ReadFile("../../templates/journal.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if published, err := os.ReadFile("../../docs/journal.schema.json"); err != nil || !bytes.Equal(published, text) {
		t.Errorf("docs/ has another schema than templates/; run make generate: %v", err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := report.New(report.Options{Dir: dir, Shift: fullShift()})
	for _, e := range append(failedShift(), otherEvents()...) {
		r.OnEvent(e)
	}
	result := failedResult()
	result.Routes = append(result.Routes, report.RouteResult{ID: rule, Response: "fixed response 503", Unread: true}, report.RouteResult{ID: rule, Gone: true})
	if closed := r.Close(result, began); closed.Warning != "" {
		t.Fatal(closed.Warning)
	}
	journal, err := os.ReadFile(report.JournalPath(dir, fullShift().ID))
	if err != nil {
		t.Fatal(err)
	}
	used, events := map[string]bool{}, map[any]bool{}
	for line := range bytes.Lines(journal) {
		var value map[string]any
		if err := json.Unmarshal(line, &value); err != nil {
			t.Fatal(err)
		}
		events[value["event"]] = true
		s.check(t, "line", value, used)
	}
	s.walk("line", func(at string, p schema) {
		if !used[at] {
			t.Errorf("%s was not written", at)
		}
		if p.Description == "" {
			t.Errorf("%s has no description", at)
		}
	})
	for _, kind := range s.Properties["event"].Enum {
		if !events[kind] {
			t.Errorf("the event %v was not written", kind)
		}
	}
	if version := s.Properties["version"].Const; fmt.Sprint(version) != fmt.Sprint(report.Version) {
		t.Errorf("the schema has version %v", version)
	}
}

// fullShift has every property.
func fullShift() report.Shift {
	s := sampleShift()
	s.Groups = map[string]string{"arn:blue": "blue"}
	s.Owner = &traffic.Owner{User: "ann", Host: "ci-7", Boot: "b", PID: 7, Start: "s", Run: "https://ci.example.com", Guardian: traffic.Process{PID: 8, Start: "t"}}
	return s
}

// otherEvents are those that failedShift has not.
func otherEvents() []rollout.Event {
	return []rollout.Event{
		{At: began, Kind: "request_answered", Gate: "approve", Text: "approved by ann"},
		{At: began, Kind: rollout.ShiftPaused, Gate: "users", Status: rollout.Inconclusive, Text: "12 requests"},
		{At: began, Kind: rollout.SourceEmpty, Text: "blue (web): no registered targets"},
		{At: began, Kind: rollout.GateEvaluated, Gate: "users", Status: rollout.Errored, Measured: []rollout.Measurement{{Name: "query result", Min: new(0.1)}}},
		{At: began, Kind: rollout.RequestAnswered, Gate: "go", Text: "approve by ann: accepted"},
		{At: began, Kind: rollout.GateEvaluated, Gate: "users"},
		{At: began, Kind: rollout.ShiftEnded, Text: "gate_failed, rollback_failed", Failure: &rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RollbackFailed,
			Stage: "bake", Gate: "users", Route: listener, Rejects: true, RollbackErr: fmt.Errorf("denied")}},
	}
}
