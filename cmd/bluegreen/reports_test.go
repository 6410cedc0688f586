package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

const listener = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/1/2"

// recordShift records a shift of a minute. An empty outcome leaves it without an end until the test
// ends.
func recordShift(t *testing.T, dir, id string, result report.Result) {
	t.Helper()
	start, err := time.Parse("20060102T150405Z", id[:16])
	if err != nil {
		t.Fatal(err)
	}
	r := report.New(report.Options{Dir: dir, Shift: report.Shift{ID: id, Entries: []string{"web"}, To: report.Percentages{"green": 100}}})
	for _, e := range []rollout.Event{
		{Kind: rollout.ShiftStarted, Text: "forward"},
		{Kind: rollout.RouteRead, Route: listener, Weights: shift.Sole("blue")},
		{Kind: rollout.PhaseStarted, Text: "shift to 50 %"},
		{Kind: rollout.WeightsWritten, Route: listener, Weights: shift.Weights{"blue": 500, "green": 500}},
		{Kind: rollout.WeightsVerified, Route: listener, Weights: shift.Weights{"blue": 500, "green": 500}},
		{Kind: rollout.GateEvaluated, Gate: "users", Status: rollout.Pass, Text: "web (green): 0.1 % errors"},
		{Kind: rollout.RequestAnswered, Gate: "go", Text: "approve by ann: accepted"},
	} {
		e.At = start
		start = start.Add(10 * time.Second)
		r.OnEvent(e)
	}
	end := func() {
		result.Routes = []report.RouteResult{{ID: listener, Weights: report.Percentages{"green": 100}}}
		r.Close(result, start)
	}
	if result.Outcome == "" {
		t.Cleanup(end)
		return
	}
	end()
}

func TestReports(t *testing.T) {
	dir := t.TempDir()
	recordShift(t, dir, "20261102T093000Z-0a1b", report.Result{Outcome: "completed"})
	recordShift(t, dir, "20261103T093000Z-0a1b", report.Result{Outcome: "rolled_back", Reason: `gate "users" failed`})
	newer := filepath.Join(dir, "20261101T093000Z-0a1b.jsonl")
	if err := os.WriteFile(newer, []byte(`{"n":0,"at":"2026-11-01T09:30:00Z","event":"journal_opened","version":99}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"history":              {[]string{"history"}, 0},
		"history as JSON":      {[]string{"history", "--json"}, 0},
		"report":               {[]string{"report"}, 0},
		"report of a shift":    {[]string{"report", "20261102T093000Z-0a1b"}, 0},
		"report of no shift":   {[]string{"report", "20251102T093000Z-0a1b"}, 2},
		"report of a newer":    {[]string{"report", "20261101T093000Z-0a1b"}, 2},
		"markdown":             {[]string{"report", "--format", "markdown"}, 0},
		"json on stdout":       {[]string{"report", "--json", "-o", "-"}, 2},
		"open on stdout":       {[]string{"report", "--open", "-o", "-"}, 2},
		"both sources":         {[]string{"watch", "--route", listener}, 2},
		"no interval":          {[]string{"watch", "--interval", "0s"}, 2},
		"watch":                {[]string{"watch"}, 1},
		"watch a completed":    {[]string{"watch", "20261102T093000Z-0a1b"}, 0},
		"watch as JSON":        {[]string{"watch", "20261102T093000Z-0a1b", "--json"}, 0},
		"watch a newer":        {[]string{"watch", "20261101T093000Z-0a1b"}, 2},
		"history of no folder": {[]string{"history", "--report-dir", filepath.Join(dir, "none")}, 0},
	} {
		args := c.args
		if len(args) < 3 || args[1] != "--report-dir" {
			args = append(args, "--report-dir", dir)
		}
		r := runWith(t.Context(), "", false, args...)
		if r.code != c.code {
			t.Errorf("%s: exit code %d\n%s%s", name, r.code, r.out, r.err)
		}
		golden.CheckPart(t, name, r.out+r.err, golden.Replace(dir, "<dir>"))
	}
}

// A shift that goes on is followed until the time is over.
func TestWatch_running(t *testing.T) {
	dir := t.TempDir()
	recordShift(t, dir, "20261102T093000Z-0a1b", report.Result{})
	awaitJournal(t, dir)
	if r := runWith(t.Context(), "", false, "watch", "--report-dir", dir, "--timeout", "500ms"); r.code != 3 {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if r := runWith(t.Context(), "", false, "watch"); r.code != 2 {
		t.Errorf("without a folder: exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

// awaitJournal waits for the last line of recordShift, which is written in the background.
func awaitJournal(t *testing.T, dir string) {
	t.Helper()
	limit := time.After(slow.Deadline(time.Minute))
	for {
		paths, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err == nil && len(paths) == 1 {
			if text, err := os.ReadFile(paths[0]); err == nil && strings.Contains(string(text), "request_answered") {
				return
			}
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			t.Fatal("there is no journal")
		}
	}
}
