package provider_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// reportedTo is a configuration with report_dir.
func reportedTo(text, dir string) string {
	return strings.Replace(text, "provider \"bluegreen\" {\n", "provider \"bluegreen\" {\n  report_dir = \""+dir+"\"\n", 1)
}

// reported is the shifts of a folder.
func reported(t *testing.T, dir string) []report.Summary {
	t.Helper()
	all, err := report.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReport_namesTheShiftInTheState(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	dir := filepath.Join(t.TempDir(), "reports", "web")
	s.blueIsLive(w)
	if last := w.values()["last_shift"]; last != nil {
		t.Fatalf("last_shift is %v", last)
	}
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "1ms" }]`
	h.gates = s.gate()
	w.write(reportedTo(h.in(s.bench), dir))
	w.plan().ok()
	if all := reported(t, dir); all != nil {
		t.Errorf("the plan wrote %v", all)
	}
	s.green.status.Store(http.StatusInternalServerError)
	r := w.applyPlan()
	all := reported(t, dir)
	if len(all) != 1 || all[0].Err != nil || all[0].Result.Outcome != "rolled_back" || all[0].Result.Reason != w.lastShift()["reason"] {
		t.Fatalf("%+v", all)
	}
	page := filepath.Join(dir, all[0].Shift.ID+".html")
	if got := w.lastShift()["report"]; r.err == nil || got != page || !strings.Contains(r.text(), "Report: "+page) {
		t.Errorf("report is %v, want %s, as in the error:\n%s", got, page, r.text())
	}
	s.green.status.Store(http.StatusOK)
	h.rest = `retry = "again"`
	w.write(reportedTo(h.in(s.bench), dir))
	w.apply().ok()
	all = reported(t, dir)
	if len(all) != 2 || all[0].Result.Outcome != "completed" || all[0].Shift.Versions["green"] != "1.1" || w.lastShift()["report"] != filepath.Join(dir, all[0].Shift.ID+".html") {
		t.Fatalf("%v, %+v", w.lastShift(), all)
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
	// An edit that moves nothing keeps it, and a shift without a report leaves null.
	h.strategy += "\n bake = \"1ms\""
	w.write(reportedTo(h.in(s.bench), dir))
	w.apply().ok()
	if got := w.lastShift()["report"]; got != filepath.Join(dir, all[0].Shift.ID+".html") {
		t.Errorf("report is %v", got)
	}
	h.traffic = `active = "blue"`
	w.write(h.in(s.bench))
	w.apply().ok()
	if got := w.lastShift()["report"]; got != nil || len(reported(t, dir)) != 2 {
		t.Errorf("report is %v", got)
	}
}

// A state from before the attribute is read as null.
func TestReport_stateOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	w.write(s.release("green").in(s.bench))
	w.apply().ok()
	path := filepath.Join(w.dir, "terraform.tfstate")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	resources, _ := state["resources"].([]any)
	removed := false
	for _, r := range resources {
		resource, _ := r.(map[string]any)
		instances, _ := resource["instances"].([]any)
		instance, _ := instances[0].(map[string]any)
		attributes, _ := instance["attributes"].(map[string]any)
		if last, ok := attributes["last_shift"].(map[string]any); ok {
			_, removed = last["report"]
			delete(last, "report")
		}
	}
	if text, err = json.Marshal(state); err != nil || !removed {
		t.Fatal(err, removed)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
}

// What cannot be written is a warning, and the shift completes.
func TestReport_cannotBeWritten(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.write(reportedTo(s.release("green").in(s.bench), file))
	r := w.apply()
	r.ok()
	golden.Check(t, r.warnings(), golden.Replace(file, "<file>"), golden.ReplacePattern(`\d{8}T\d{6}Z-[0-9a-f]{4}`, "<shift>"))
	s.want("app-blue 0, app-green 100")
	if got := w.lastShift()["report"]; got != nil {
		t.Errorf("report is %v", got)
	}
}
