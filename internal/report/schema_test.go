package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/jsonschema"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// What is written matches the published schema, and every property of the schema is written.
func TestJournal_matchesItsSchema(t *testing.T) {
	s, err := jsonschema.Published("../..", "journal.schema.json")
	if err != nil {
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
		for _, violation := range s.Violations("line", value, used) {
			t.Error(violation)
		}
	}
	s.Walk("line", func(at string, p jsonschema.Schema) {
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
