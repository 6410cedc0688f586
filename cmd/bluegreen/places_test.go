package main

import (
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// The routes, and the names of the environments, are those of the last shift of a folder.
func TestPlaces_reportDir(t *testing.T) {
	server, stack := newStack(t)
	dir := t.TempDir()
	record := func(id string, routes ...report.ShiftRoute) {
		r := report.New(report.Options{Dir: dir, Shift: report.Shift{ID: id, Entries: []string{"web"}, Routes: routes,
			Groups: map[string]string{stack.Groups["blue"]: "blue", stack.Groups["green"]: "green"}, Versions: map[string]string{"blue": "1.4.2"}}})
		r.Close(report.Result{Outcome: "completed"}, time.Now())
	}
	record("20261102T093000Z-0a1b", report.ShiftRoute{ID: listener, Entry: "web"}) // does not exist any more
	record("20261103T093000Z-0a1b", report.ShiftRoute{ID: stack.Listener, Entry: "web"})
	r := runWith(t.Context(), "", false, "status", "--report-dir", dir)
	if r.code != 0 || !strings.Contains(r.out, "blue 1.4.2 (app-blue)") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	r = runWith(t.Context(), "", false, "rollback", "--report-dir", dir, "--to", "green", "--yes")
	if weights := server.Weights(stack.Listener); r.code != 0 || weights[stack.Groups["green"]] == 0 || weights[stack.Groups["blue"]] > 0 {
		t.Errorf("exit code %d, weights %v\n%s%s", r.code, weights, r.out, r.err)
	}
	for name, args := range map[string][]string{
		"two sources": {"rollback", "--yes", "--report-dir", dir, "--route", stack.Listener},
		"no journal":  {"recover", "--report-dir", t.TempDir()},
	} {
		r := runWith(t.Context(), "", false, args...)
		if r.code != 2 {
			t.Errorf("%s: exit code %d", name, r.code)
		}
		golden.CheckPart(t, name, r.out+r.err, golden.ReplacePattern(`/\S+/\d+( has no journals)?\.`, "<folder>$1."))
	}
	record("20261104T093000Z-0a1b")
	if r = runWith(t.Context(), "", false, "recover", "--report-dir", dir); r.code != 2 {
		t.Errorf("exit code %d", r.code)
	}
	golden.CheckPart(t, "no routes", r.out+r.err)
}
